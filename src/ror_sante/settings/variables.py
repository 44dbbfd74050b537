"""Lay the ``ROR_SANTE_*`` variables over the settings file, each as the type of its key."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from ror_sante.errors import ConfigurationError, printable
from ror_sante.settings.files import expanded
from ror_sante.settings.raw import replace
from ror_sante.settings.tables import Overlap, Seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("ror_sante.settings")

PREFIX: Final = "ROR_SANTE_"

# Every variable that is read, and the key it stands for (`""`: see `find_file`).
# One file's worth of names to document and to test: nothing else in the package reads ``ROR_SANTE_*``.
VARIABLES: Final[Mapping[str, str]] = {
    "ROR_SANTE_CONFIG": "",
    "ROR_SANTE_ENVIRONMENT": "environment",
    "ROR_SANTE_AUDIT": "audit",
    "ROR_SANTE_IDENTITY_P12": "identity.p12",
    "ROR_SANTE_IDENTITY_CERTIFICATE": "identity.certificate",
    "ROR_SANTE_IDENTITY_KEY": "identity.key",
    "ROR_SANTE_IDENTITY_PASSPHRASE_FILE": "identity.passphrase_file",
    "ROR_SANTE_IDENTITY_PASSPHRASE": "identity.passphrase",
    "ROR_SANTE_IDENTITY_NEXT": "identity.next",
    "ROR_SANTE_IDENTITY_NEXT_PASSPHRASE_FILE": "identity.next_passphrase_file",
    "ROR_SANTE_NETWORK_PROXY": "network.proxy",
    "ROR_SANTE_NETWORK_PROXY_USER": "network.proxy_user",
    "ROR_SANTE_NETWORK_PROXY_PASSWORD_FILE": "network.proxy_password_file",
    "ROR_SANTE_NETWORK_CONNECT_TIMEOUT": "network.connect_timeout",
    "ROR_SANTE_NETWORK_READ_TIMEOUT": "network.read_timeout",
    "ROR_SANTE_NETWORK_DEADLINE": "network.deadline",
    "ROR_SANTE_NETWORK_CALLS_PER_SECOND": "network.calls_per_second",
    "ROR_SANTE_RORN_IDENTITY": "rorn.identity",
    "ROR_SANTE_RORN_CLIENT_ID": "rorn.client_id",
    "ROR_SANTE_RORN_CLIENT_SECRET_FILE": "rorn.client_secret_file",
    "ROR_SANTE_RORN_SCOPE": "rorn.scope",
    "ROR_SANTE_RORN_PRESENT_CERTIFICATE_TO_API": "rorn.present_certificate_to_api",
    "ROR_SANTE_RORN_LINKS": "rorn.links",
    "ROR_SANTE_RORN_PROFILE_CODE": "rorn.profile.code",
    "ROR_SANTE_RORN_PROFILE_SYSTEM": "rorn.profile.system",
    "ROR_SANTE_RORN_ROLE_CODE": "rorn.role.code",
    "ROR_SANTE_RORN_ROLE_SYSTEM": "rorn.role.system",
    "ROR_SANTE_RORN_EXPORT_OUTPUT_FORMAT": "rorn.export.output_format",
    "ROR_SANTE_RORN_DELTA_OVERLAP": "rorn.delta.overlap",
    "ROR_SANTE_ANNUAIRE_IDENTITY": "annuaire.identity",
    "ROR_SANTE_ANNUAIRE_API_KEY_FILE": "annuaire.api_key_file",
    "ROR_SANTE_ANNUAIRE_LINKS": "annuaire.links",
    "ROR_SANTE_ANNUAIRE_CALLS_PER_SECOND": "annuaire.calls_per_second",
    "ROR_SANTE_INTER_ROR_PROTOCOL": "inter_ror.protocol",
    "ROR_SANTE_INTER_ROR_IDENTITY": "inter_ror.identity",
    "ROR_SANTE_INTER_ROR_CLIENT_ID": "inter_ror.client_id",
    "ROR_SANTE_INTER_ROR_CLIENT_SECRET_FILE": "inter_ror.client_secret_file",
    "ROR_SANTE_INTER_ROR_TOKEN_URL": "inter_ror.token_url",
    "ROR_SANTE_INTER_ROR_SCOPE": "inter_ror.scope",
    "ROR_SANTE_INTER_ROR_PRESENT_CERTIFICATE_TO_API": "inter_ror.present_certificate_to_api",
    "ROR_SANTE_INTER_ROR_PROFILE_CODE": "inter_ror.profile.code",
    "ROR_SANTE_INTER_ROR_PROFILE_SYSTEM": "inter_ror.profile.system",
    "ROR_SANTE_INTER_ROR_ROLE_CODE": "inter_ror.role.code",
    "ROR_SANTE_INTER_ROR_ROLE_SYSTEM": "inter_ror.role.system",
    "ROR_SANTE_INTER_ROR_NATIONAL": "inter_ror.national",
    "ROR_SANTE_INTER_ROR_DIALECT": "inter_ror.dialect",
    "ROR_SANTE_INTER_ROR_REGION_TIMEOUT": "inter_ror.region_timeout",
    "ROR_SANTE_INTER_ROR_DEADLINE": "inter_ror.deadline",
    "ROR_SANTE_INTER_ROR_AT_ONCE": "inter_ror.at_once",
}


def lay_variables(raw: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Lay the variables over the file, each converted to the type of its key.

    Raises:
        ConfigurationError: an unknown variable, or a value of the wrong type.
    """
    for name in sorted(environ):
        if name.startswith(PREFIX):
            key = _key_of(name)
            if key and environ[name]:
                replace(raw, key, _converted(name, environ[name], key=key))
    if environ.get("ROR_SANTE_IDENTITY_PASSPHRASE") and not environ.get("ROR_SANTE_IDENTITY_PASSPHRASE_FILE"):
        log.warning(
            "the passphrase comes from ROR_SANTE_IDENTITY_PASSPHRASE, which child processes inherit; "
            "prefer passphrase_file"
        )


def _key_of(name: str) -> str:
    if name not in VARIABLES:
        _unknown_variable(name)
    return VARIABLES[name]


def _unknown_variable(name: str) -> NoReturn:
    keys = [known.removeprefix(PREFIX) for known in VARIABLES]
    near = difflib.get_close_matches(name.removeprefix(PREFIX), keys, n=1)
    raise ConfigurationError(
        f"the variable {printable(name)} means nothing here",
        hint=f"Did you mean {PREFIX}{near[0]}?" if near else "ror-sante config show --help lists the variables.",
    )


def _converted(name: str, value: str, *, key: str) -> Any:
    kind = _type_of(key)
    if kind == "path":
        return expanded(value).absolute()
    if kind == "text":
        return value
    try:
        return msgspec.convert(value, _KINDS[kind][0], strict=False)
    except msgspec.ValidationError as error:
        words = _KINDS[kind][1]
        raise ConfigurationError(
            f"the variable {name} must be {words}, not {printable(value, 40)!r}", hint=f"It stands for {key}."
        ) from error


_KINDS: Final[Mapping[str, tuple[Any, str]]] = {
    "seconds": (Seconds, "a number of seconds above 0"),
    "overlap": (Overlap, "a number of seconds from 0 to a week"),
    "whole": (int, "a whole number"),
    "switch": (bool, "true or false"),
}


def _type_of(key: str) -> str:
    """Tell what a key holds, by its name: the names were chosen so that this is plain."""
    last = key.rpartition(".")[2]
    if last in {"audit", "p12", "certificate", "key", "next"} or last.endswith("_file"):
        return "path"
    if last in {"connect_timeout", "read_timeout", "region_timeout", "deadline", "calls_per_second"}:
        return "seconds"
    if last == "overlap":
        return "overlap"
    if last == "at_once":
        return "whole"
    return "switch" if last in {"present_certificate_to_api", "national"} else "text"
