"""Settings as typed values: flags, then ``ROR_SANTE_*`` variables, then one TOML file, then defaults."""

from __future__ import annotations

import difflib
import logging
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn
from urllib.parse import urlsplit

import msgspec
import platformdirs

from ror_sante.environments import BUILT_IN, IGC_SANTE, IGC_SANTE_TEST, WEB_PKI, Coding, Environment
from ror_sante.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

FILE_NAME: Final = "ror-sante.toml"
SIMULATOR: Final = "simulator"
PREFIX: Final = "ROR_SANTE_"

# A passphrase is a line, a key file a page; a bigger "secret" is the wrong file.
_SECRET_LIMIT: Final = 65_536
_FILE_LIMIT: Final = 1_048_576

# Every variable that is read, and the key it stands for (`""`: see the remark of `load_settings`).
# One file's worth of names to document and to test: nothing else in the package reads ``ROR_SANTE_*``.
VARIABLES: Final[Mapping[str, str]] = {
    "ROR_SANTE_CONFIG": "",
    "ROR_SANTE_ENVIRONMENT": "environment",
    "ROR_SANTE_IDENTITY_P12": "identity.p12",
    "ROR_SANTE_IDENTITY_CERTIFICATE": "identity.certificate",
    "ROR_SANTE_IDENTITY_KEY": "identity.key",
    "ROR_SANTE_IDENTITY_PASSPHRASE_FILE": "identity.passphrase_file",
    "ROR_SANTE_IDENTITY_PASSPHRASE": "identity.passphrase",
    "ROR_SANTE_IDENTITY_NEXT": "identity.next",
    "ROR_SANTE_NETWORK_PROXY": "network.proxy",
    "ROR_SANTE_NETWORK_PROXY_USER": "network.proxy_user",
    "ROR_SANTE_NETWORK_PROXY_PASSWORD_FILE": "network.proxy_password_file",
    "ROR_SANTE_NETWORK_CONNECT_TIMEOUT": "network.connect_timeout",
    "ROR_SANTE_NETWORK_READ_TIMEOUT": "network.read_timeout",
    "ROR_SANTE_NETWORK_DEADLINE": "network.deadline",
    "ROR_SANTE_RORN_IDENTITY": "rorn.identity",
    "ROR_SANTE_RORN_CLIENT_ID": "rorn.client_id",
    "ROR_SANTE_RORN_CLIENT_SECRET_FILE": "rorn.client_secret_file",
    "ROR_SANTE_RORN_SCOPE": "rorn.scope",
    "ROR_SANTE_RORN_PRESENT_CERTIFICATE_TO_API": "rorn.present_certificate_to_api",
    "ROR_SANTE_RORN_PROFILE_CODE": "rorn.profile.code",
    "ROR_SANTE_RORN_PROFILE_SYSTEM": "rorn.profile.system",
    "ROR_SANTE_RORN_ROLE_CODE": "rorn.role.code",
    "ROR_SANTE_RORN_ROLE_SYSTEM": "rorn.role.system",
    "ROR_SANTE_RORN_EXPORT_OUTPUT_FORMAT": "rorn.export.output_format",
    "ROR_SANTE_ANNUAIRE_IDENTITY": "annuaire.identity",
    "ROR_SANTE_ANNUAIRE_API_KEY_FILE": "annuaire.api_key_file",
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
}


class Secret(str):
    """A text that does not show itself: ``repr`` gives dots, everything else is an ordinary `str`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the settings file; an unknown key or a wrong type is an error that names the key."""


class IdentitySettings(Table, frozen=True, kw_only=True):
    """Where our certificate lies, and where its passphrase comes from.

    Attributes:
        p12: the P12 file; instead of `certificate` and `key`.
        certificate: a PEM or DER certificate, with `key` beside it.
        key: the private key of `certificate`.
        passphrase_file: a file with the passphrase alone.
        passphrase: from ``ROR_SANTE_IDENTITY_PASSPHRASE`` only; never in a file or an argument.
        next: the P12 that will take over, for a renewal without an outage.
        intermediates: certificates that neither the P12 nor this package holds.
    """

    p12: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    passphrase_file: Path | None = None
    passphrase: Secret | None = None
    next: Path | None = None
    intermediates: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.p12 is not None and (self.certificate is not None or self.key is not None):
            raise ConfigurationError(
                "p12 and certificate/key are both given",
                hint="Keep one of them: a P12, or a certificate and its key.",
            )
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ConfigurationError(f"{missing} is missing", hint="certificate and key are two files, given together.")


class NetworkSettings(Table, frozen=True, kw_only=True):
    """How to reach the services; times in seconds.

    Attributes:
        proxy: ``http://host:port`` of a proxy, or ``environment`` for that of ``HTTPS_PROXY``; None goes direct.
        proxy_user: user name for the proxy.
        proxy_password_file: a file with the proxy's password alone.
        no_proxy: hosts that are reached without the proxy.
        connect_timeout: longest wait for one connection.
        read_timeout: longest silence of a server.
        deadline: longest time of one call with all its retries.
    """

    proxy: str | None = None
    proxy_user: str | None = None
    proxy_password_file: Path | None = None
    no_proxy: tuple[str, ...] = ()
    connect_timeout: Seconds = 5.0
    read_timeout: Seconds = 30.0
    deadline: Seconds = 120.0

    def __post_init__(self) -> None:
        if self.proxy is not None and self.proxy != "environment" and not _is_proxy_url(self.proxy):
            raise ConfigurationError(
                "proxy is not an http:// address with a host and no user name",
                hint="Write http://host:port, and the user in proxy_user and proxy_password_file.",
            )


class ExportSettings(Table, frozen=True, kw_only=True):
    """What ``$export`` is asked for."""

    type: tuple[str, ...] = ()
    output_format: str | None = None


class RornSettings(Table, frozen=True, kw_only=True):
    """The account at the national ROR, as ANS gave it.

    Attributes:
        client_id: the OAuth 2 client; one an environment and a role.
        identity: name of a table ``[identities.NAME]``; None means ``[identity]``.
        scope: sent only when set.
        client_secret_file: for access profile 0 alone, which has no certificate.
        present_certificate_to_api: show the certificate to the API host too.
        profile: the ``Ror-Profil-Utilisateur-*`` headers.
        role: the ``Ror-Role-Metier-*`` headers.
        export: what ``$export`` is asked for.
    """

    client_id: str | None = None
    identity: str | None = None
    scope: str | None = None
    client_secret_file: Path | None = None
    present_certificate_to_api: bool = True
    profile: Coding | None = None
    role: Coding | None = None
    export: ExportSettings = ExportSettings()


class AnnuaireSettings(Table, frozen=True, kw_only=True):
    """The account at the Annuaire Santé."""

    identity: str | None = None
    api_key_file: Path | None = None


class RegionSettings(Table, frozen=True, kw_only=True):
    """One region of the inter-ROR search; what is None is taken from ``[inter_ror]``, then from ``[rorn]``."""

    base_url: str | None = None
    identity: str | None = None
    client_id: str | None = None
    client_secret_file: Path | None = None
    token_url: str | None = None
    scope: str | None = None
    present_certificate_to_api: bool | None = None
    profile: Coding | None = None
    role: Coding | None = None
    anchors: tuple[str, ...] | None = None


class InterRorSettings(Table, frozen=True, kw_only=True):
    """The account of the inter-ROR search; what is None is taken from ``[rorn]``."""

    identity: str | None = None
    client_id: str | None = None
    client_secret_file: Path | None = None
    token_url: str | None = None
    scope: str | None = None
    present_certificate_to_api: bool | None = None
    profile: Coding | None = None
    role: Coding | None = None
    anchors: tuple[str, ...] | None = None
    regions: dict[str, RegionSettings] = {}


class EnvironmentSettings(Table, frozen=True, kw_only=True):
    """A place of your own; the attributes are those of `ror_sante.Environment`."""

    token_url: str
    api_url: str
    diffusion_path: str = "/ws-diffusion-fhir"
    annuaire_download_url: str | None = None
    annuaire_fhir_url: str | None = None
    anchors: tuple[str, ...] = (IGC_SANTE,)
    token_anchors: tuple[str, ...] | None = None
    api_anchors: tuple[str, ...] | None = None
    annuaire_download_anchors: tuple[str, ...] | None = None
    annuaire_fhir_anchors: tuple[str, ...] = (WEB_PKI,)


class Settings(Table, frozen=True, kw_only=True):
    """Everything that may be set; `load_settings` makes it.

    Attributes:
        environment: ``production``, ``bac-a-sable``, ``simulator`` or the name of a table in `environments`.
        identity: the default certificate, or None.
        identities: further certificates by name.
        network: proxy and time limits.
        rorn: the account at the national ROR.
        annuaire: the account at the Annuaire Santé.
        inter_ror: the account of the inter-ROR search.
        environments: places of your own, by name.
        source: the file that was read, or None.
    """

    environment: str = "bac-a-sable"
    identity: IdentitySettings | None = None
    identities: dict[str, IdentitySettings] = {}
    network: NetworkSettings = NetworkSettings()
    rorn: RornSettings = RornSettings()
    annuaire: AnnuaireSettings = AnnuaireSettings()
    inter_ror: InterRorSettings = InterRorSettings()
    environments: dict[str, EnvironmentSettings] = {}
    source: Path | None = None

    def resolve_environment(self) -> Environment:
        """Give the environment that is named: a constant of the package, or a table of the file.

        Raises:
            ConfigurationError: there is none of that name, or it is the simulator, which only the command starts.
        """
        if self.environment == SIMULATOR:
            raise ConfigurationError(
                "the environment 'simulator' exists only while something runs it",
                hint="Use the command with --env simulator, or ror_sante.Simulator and its .environment.",
            )
        table = self.environments.get(self.environment)
        if table is None:
            if self.environment in BUILT_IN:
                return Environment.named(self.environment)
            _no_such_environment(self.environment, own=self.environments)
        return _environment(self.environment, table, folder=self.source.parent if self.source else Path.cwd())

    def identity_for(self, service: str) -> IdentitySettings:
        """Give the certificate of a service: the one its table names, else ``[identity]``.

        Args:
            service: ``rorn``, ``inter_ror`` or ``annuaire``.

        Raises:
            ConfigurationError: no certificate is configured, or the name has no table.
        """
        name = {
            "rorn": self.rorn.identity,
            "inter_ror": self.inter_ror.identity or self.rorn.identity,
            "annuaire": self.annuaire.identity,
        }[service]
        if name is not None:
            if name in self.identities:
                return self.identities[name]
            known = ", ".join(self.identities) or "none is described"
            raise ConfigurationError(
                f"{service}.identity names {printable(name)!r}, which has no table; there: {known}",
                hint=f"Add a table [identities.{printable(name)}] with its p12.",
            )
        if self.identity is None or (self.identity.p12 is None and self.identity.certificate is None):
            raise ConfigurationError(
                "no certificate is configured",
                hint="Name the P12 in [identity] p12 of the settings file, or in ROR_SANTE_IDENTITY_P12.",
            )
        return self.identity


# ------------------------------------------------------------------ loading


def load_settings(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    environment: str | None = None,
    p12: Path | None = None,
    passphrase_file: Path | None = None,
    timeout: float | None = None,
) -> Settings:
    """Read the settings: flags, then variables, then one file, then defaults.

    The file is `path`, else the one that ``ROR_SANTE_CONFIG`` names, else ``ror-sante.toml`` in the user's, then
    in the system's configuration folder; never one of the current folder.

    Args:
        path: the file of ``--config``; it must exist.
        environ: the variables, ``os.environ`` when None.
        environment: the flag ``--env``.
        p12: the flag ``--p12``: replaces the certificate of ``[identity]``, its passphrase file included.
        passphrase_file: the flag ``--passphrase-file``.
        timeout: the flag ``--timeout``, in seconds: connect, read and the whole call.

    Raises:
        ConfigurationError: a file that is missing or that others may write, TOML that does not parse, an unknown
            key or variable, a wrong type, a table that would change a built-in environment.
    """
    environ = os.environ if environ is None else environ
    source = find_file(path, environ=environ)
    raw = {} if source is None else _read_toml(source)
    _overlay(raw, environ)
    _flags(raw, environment=environment, p12=p12, passphrase_file=passphrase_file, timeout=timeout)
    folder = Path.cwd() if source is None else source.parent
    return _decode(raw, folder=folder, source=source)


def find_file(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path | None:
    """Give the settings file that counts, absolute, or None when there is none.

    Raises:
        ConfigurationError: a file that was named does not exist.
    """
    environ = os.environ if environ is None else environ
    named = path or (Path(environ["ROR_SANTE_CONFIG"]) if environ.get("ROR_SANTE_CONFIG") else None)
    if named is not None:
        return named.expanduser().absolute()
    return next((place for place in usual_places() if place.exists()), None)


def usual_places() -> tuple[Path, Path]:
    """Give the two places where the settings file is looked for: the user's, then the system's."""
    user = platformdirs.user_config_path("ror-sante", appauthor=False)
    system = platformdirs.site_config_path("ror-sante", appauthor=False)
    return user / FILE_NAME, system / FILE_NAME


def read_secret(path: Path) -> str:
    """Read a file that holds one secret; one trailing newline is dropped.

    Raises:
        ConfigurationError: the file is missing, unreadable, a directory, too big or not UTF-8.
    """
    data = _read(path, what="the secret file", limit=_SECRET_LIMIT)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # The cause is dropped: its repr would hold the bytes of the secret.
        raise ConfigurationError(
            f"the secret file {path} is not UTF-8 text", hint="Save it as UTF-8, the secret alone on one line."
        ) from None
    return text.removesuffix("\n").removesuffix("\r")


def _read(path: Path, *, what: str, limit: int, private: bool = False) -> bytes:
    """Read a file of at most `limit` bytes; `private` refuses one that others may write."""
    try:
        with path.open("rb") as file:
            if private:
                _check_owner(path, os.fstat(file.fileno()))
            data = file.read(limit + 1)
    except ConfigurationError:
        raise  # a ValueError too, and told already
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name cannot be used"
        raise ConfigurationError(
            f"{what} {path} cannot be read: {reason}", hint="Check the path and its permissions."
        ) from error
    if len(data) > limit:
        raise ConfigurationError(
            f"{what} {path} is larger than {limit} bytes", hint="Check that the path names the right file."
        )
    return data


def _check_owner(path: Path, about: os.stat_result) -> None:
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"the settings file {path} may be written by others (mode {stat.S_IMODE(about.st_mode):04o})",
            hint=f"Whoever writes it chooses the servers that get our certificate: chmod go-w {path}",
        )
    if about.st_uid not in (0, os.getuid()):
        raise ConfigurationError(
            f"the settings file {path} belongs to another user (uid {about.st_uid})",
            hint="It must belong to you or to root.",
        )


def _read_toml(path: Path) -> dict[str, Any]:
    data = _read(path, what="the settings file", limit=_FILE_LIMIT, private=True)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the settings file {path} is not UTF-8 text", hint="Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"the settings file {path} is not TOML: {printable(error)}",
            hint="Mend that line; see ror-sante config init.",
        ) from error


# ------------------------------------------------------------------ variables and flags


def _overlay(raw: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Lay the variables over the file, each converted to the type of its key."""
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        if name not in VARIABLES:
            _unknown_variable(name)
        key = VARIABLES[name]
        if key and environ[name]:
            _replace(raw, key, _converted(name, environ[name], key=key))
    if environ.get("ROR_SANTE_IDENTITY_PASSPHRASE") and not environ.get("ROR_SANTE_IDENTITY_PASSPHRASE_FILE"):
        log.warning(
            "the passphrase comes from ROR_SANTE_IDENTITY_PASSPHRASE, which child processes inherit; "
            "prefer passphrase_file"
        )


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
        return Path(value).expanduser().absolute()
    if kind == "text":
        return value
    try:
        return msgspec.convert(value, Seconds if kind == "seconds" else bool, strict=False)
    except msgspec.ValidationError as error:
        words = "a number of seconds above 0" if kind == "seconds" else "true or false"
        raise ConfigurationError(
            f"the variable {name} must be {words}, not {printable(value, 40)!r}", hint=f"It stands for {key}."
        ) from error


def _type_of(key: str) -> str:
    """Tell what a key holds, by its name: the names were chosen so that this is plain."""
    last = key.rpartition(".")[2]
    if last in {"p12", "certificate", "key", "next"} or last.endswith("_file"):
        return "path"
    if last in {"connect_timeout", "read_timeout", "deadline"}:
        return "seconds"
    return "switch" if last == "present_certificate_to_api" else "text"


# Two ways to say the same thing: the one that ranks higher replaces the other.
_INSTEAD: Final[Mapping[str, tuple[str, ...]]] = {
    "identity.p12": ("certificate", "key"),
    "identity.certificate": ("p12",),
    "identity.passphrase": ("passphrase_file",),
    "identity.passphrase_file": ("passphrase",),
}


def _replace(raw: dict[str, Any], key: str, value: Any) -> None:
    _put(raw, key, value)
    for other in _INSTEAD.get(key, ()):
        _table(raw, "identity").pop(other, None)


def _put(raw: dict[str, Any], key: str, value: Any) -> None:
    table, _, last = key.rpartition(".")
    _table(raw, table)[last] = Secret(value) if last == "passphrase" else value


def _table(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """Give the table of that name, made when it is not there."""
    for name in filter(None, key.split(".")):
        inner = raw.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"{name}: expected a table, got {_kind(inner)}", hint=f"Write it as [{key}].")
        raw = inner
    return raw


def _flags(
    raw: dict[str, Any],
    *,
    environment: str | None,
    p12: Path | None,
    passphrase_file: Path | None,
    timeout: float | None,
) -> None:
    if environment is not None:
        raw["environment"] = environment
    if p12 is not None:
        # The configured passphrase file belongs to the configured P12; a variable is meant for this run.
        kept = _table(raw, "identity").get("passphrase")
        raw["identity"] = {"p12": p12.expanduser().absolute()} | ({"passphrase": kept} if kept else {})
        _forget_named_identities(raw)
    if passphrase_file is not None:
        _replace(raw, "identity.passphrase_file", passphrase_file.expanduser().absolute())
    if timeout is not None:
        for name in ("connect_timeout", "read_timeout", "deadline"):
            _put(raw, f"network.{name}", float(timeout))


def _forget_named_identities(raw: dict[str, Any]) -> None:
    """Let ``--p12`` win over ``identity = "NAME"`` of a service."""
    for service in ("rorn", "inter_ror", "annuaire"):
        if isinstance(raw.get(service), dict):
            raw[service].pop("identity", None)


# ------------------------------------------------------------------ decoding


def _decode(raw: dict[str, Any], *, folder: Path, source: Path | None) -> Settings:
    identities = _entries(raw, "identities", IdentitySettings, folder=folder)
    environments = _entries(raw, "environments", EnvironmentSettings, folder=folder)
    inter_ror = raw.get("inter_ror")
    regions: dict[str, RegionSettings] = {}
    if isinstance(inter_ror, dict):
        regions = _entries(inter_ror, "regions", RegionSettings, folder=folder, prefix="inter_ror.")
    if "source" in raw:
        _unknown_key("", "source", Settings)
    settings: Settings = _convert(raw, Settings, folder=folder, at="")
    for name, table in environments.items():
        if name in BUILT_IN or name == SIMULATOR:
            raise ConfigurationError(
                f"environments.{name}: the name is reserved; its hosts and anchors cannot be changed",
                hint="Give your own environment another name.",
            )
        _environment(name, table, folder=folder)
    if settings.environment not in {*environments, *BUILT_IN, SIMULATOR}:
        _no_such_environment(settings.environment, own=environments)
    return msgspec.structs.replace(
        settings,
        identities=identities,
        environments=environments,
        inter_ror=msgspec.structs.replace(settings.inter_ror, regions=regions),
        source=source,
    )


def _entries(raw: dict[str, Any], key: str, kind: type[Any], *, folder: Path, prefix: str = "") -> dict[str, Any]:
    """Decode a table of tables entry by entry: msgspec would hide the name of the entry in its errors."""
    tables = raw.pop(key, {})
    if not isinstance(tables, dict):
        raise ConfigurationError(
            f"{prefix}{key} must be a table of tables, not {_kind(tables)}", hint=f"Write [{prefix}{key}.NAME]."
        )
    return {
        name: _convert(value, kind, folder=folder, at=f"{prefix}{key}.{printable(name)}")
        for name, value in tables.items()
    }


def _convert(value: Any, kind: type[Any], *, folder: Path, at: str) -> Any:
    def hook(wanted: type[Any], found: Any) -> Any:
        if wanted is Secret and not isinstance(found, Secret):
            raise ConfigurationError(
                "a passphrase does not belong in the settings file",
                hint="Put it alone in a file that only you can read, and name that file in passphrase_file.",
            )
        if wanted is Path and isinstance(found, str) and found:
            return folder / Path(found).expanduser()
        if isinstance(found, wanted):
            return found
        raise TypeError(f"expected a path, got {_kind(found)}")

    _check_codings(value, at=at)
    try:
        return msgspec.convert(value, kind, dec_hook=hook)
    except msgspec.ValidationError as error:
        _explain(error, kind=kind, at=at)


def _check_codings(value: Any, *, at: str) -> None:
    """Refuse unknown keys in `profile` and `role`: msgspec lets them pass in a dataclass."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        where = f"{at}.{key}".lstrip(".")
        if key in {"profile", "role"} and isinstance(inner, dict):
            for name in inner:
                if name not in {"code", "system"}:
                    _unknown_key(where, name, Coding)
        else:
            _check_codings(inner, at=where)


_WORDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def _kind(value: object) -> str:
    names = {dict: "a table", list: "a list", bool: "true or false", int: "a whole number", float: "a number"}
    return next((word for kind, word in names.items() if type(value) is kind), "a text")


def _explain(error: msgspec.ValidationError, *, kind: type[Any], at: str) -> NoReturn:
    """Turn msgspec's words into ours: the whole name of the key, what was expected, what to do."""
    text, _, path = str(error).partition(" - at `$")
    where = f"{at}{path.rstrip('`')}".lstrip(".")
    if isinstance(error.__cause__, ConfigurationError):
        cause = error.__cause__
        raise ConfigurationError(f"{where}: {cause.message}" if where else cause.message, hint=cause.hint) from None
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text, re.DOTALL)
    if unknown:
        _unknown_key(where, unknown[1], kind)
    missing = re.fullmatch(r"Object missing required field `(.*)`", text)
    if missing:
        raise ConfigurationError(
            f"{where}.{missing[1]} is missing".lstrip("."), hint="Add it; ror-sante config init shows every key."
        ) from error
    words = re.sub(r"`(\w+)( \| null)?`", lambda m: _WORDS.get(m[1], m[1]), text)
    raise ConfigurationError(
        f"{where or 'the settings'}: {words[:1].lower()}{words[1:]}",
        hint="Mend the value; ror-sante config init shows every key.",
    ) from error


def _unknown_key(where: str, name: str, kind: type[Any]) -> NoReturn:
    for part in where.split("."):
        kind = _inner(kind, part)
    known = _names(kind)
    near = difflib.get_close_matches(name, known, n=1)
    shown = f"{where}.{printable(name, 60)}".lstrip(".")
    raise ConfigurationError(
        f"unknown key {shown} in the settings",
        hint=f"Did you mean {near[0]}?" if near else f"The keys there are: {', '.join(known)}.",
    ) from None


def _names(kind: type[Any]) -> tuple[str, ...]:
    names = ("code", "system") if kind is Coding else kind.__struct_fields__
    return tuple(name for name in names if name not in {"source", "passphrase"})


def _inner(kind: type[Any], part: str) -> type[Any]:
    """Follow a key into its table; a key that is no table leads nowhere else."""
    inner: dict[str, type[Any]] = {
        "identity": IdentitySettings,
        "network": NetworkSettings,
        "rorn": RornSettings,
        "annuaire": AnnuaireSettings,
        "inter_ror": InterRorSettings,
        "export": ExportSettings,
        "profile": Coding,
        "role": Coding,
    }
    return inner.get(part, kind)


# ------------------------------------------------------------------ environments


def _environment(name: str, table: EnvironmentSettings, *, folder: Path) -> Environment:
    values = msgspec.structs.asdict(table)
    for key, value in values.items():
        if key.endswith("anchors") and value is not None:
            values[key] = tuple(_anchor(word, folder=folder) for word in value)
    return Environment(name=name, **values)


def _anchor(word: str, *, folder: Path) -> str:
    return word if word in {IGC_SANTE, IGC_SANTE_TEST, WEB_PKI} else str(folder / Path(word).expanduser())


def _no_such_environment(name: str, *, own: Mapping[str, object]) -> NoReturn:
    known = [*BUILT_IN, SIMULATOR, *own]
    near = difflib.get_close_matches(name, known, n=1)
    raise ConfigurationError(
        f"unknown environment {printable(name, 60)!r}; there are {', '.join(known)}",
        hint=f"Did you mean {near[0]}?" if near else f"Describe it in a table [environments.{printable(name, 60)}].",
    )


def _is_proxy_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme == "http" and bool(parts.hostname) and parts.username is None
