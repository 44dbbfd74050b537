"""The verbs ``config``."""

from __future__ import annotations

import functools
import json
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from ror_sante.api.inter_ror.places import csd_refusal, unusable
from ror_sante.api.nos import REGIONS, region_code
from ror_sante.cli.console import console, text
from ror_sante.cli.failures import tell
from ror_sante.cli.files import private_text
from ror_sante.cli.place import Flags, settings_of
from ror_sante.cli.verb import Verb, VerbGroup, ending, listed
from ror_sante.diagnosis.report import exit_code_of
from ror_sante.errors import ConfigurationError, RorError
from ror_sante.pki.anchor import load_anchors
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.lent import load_intermediates
from ror_sante.pki.names import common_name
from ror_sante.pki.passphrase import PassphraseNeededError
from ror_sante.settings import (
    SIMULATOR,
    VARIABLES,
    IdentitySettings,
    Secret,
    Settings,
    read_secret,
    regional_place,
    usual_places,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ror_sante.environments import Environment

_HIDDEN: Final = "…"

TEMPLATE: Final = """\
# ror-sante settings. Relative paths start at this file's folder. Any key here can be given by a variable too,
# ROR_SANTE_<TABLE>_<KEY>, for instance ROR_SANTE_RORN_CLIENT_ID.

environment = "bac-a-sable"            # or "production", "simulator", or the name of a table at the end
# audit = "audit.jsonl"                # gets one line a run: who, when, where, what, how it ended

[identity]                             # our certificate: the product ORG AUTH_CLI
p12 = "client.p12"
passphrase_file = "client.pass"        # the passphrase alone; chmod 600
# Instead of a P12: certificate = "client.cer" and key = "client.key".
# intermediates = ["ACI.pem"]          # only when neither the P12 nor ror-sante holds the one that signed it

[network]
# proxy = "http://proxy.example:3128"  # or "environment" for that of HTTPS_PROXY
# proxy_user = "..."
# proxy_password_file = "proxy.pass"
# no_proxy = ["localhost"]
# connect_timeout = 5.0                # seconds
# read_timeout = 30.0
# deadline = 120.0                     # of one call with all its retries
# wide_tls12_hosts = ["host.example"]  # accept their older TLS 1.2 suites
# lend_intermediates = ["ACI.pem"]     # for a server that forgets to send its own; no anchors

[rorn]                                 # the national ROR; ANS gives these values with the account
# client_id = "..."
# profile = { code = "CU22", system = "1.2.250.1.213.1.6.1.66" }
# role = { code = "AUTOMATE", system = "1.2.250.1.213.1.1.4.6" }
# present_certificate_to_api = true
# scope = "..."                        # sent only when set
# links = "rebase"                     # or "refuse": a next link of another origin is an error
# client_secret_file = "rorn.secret"   # access profile 0 alone, which has no certificate

# More certificates, one a service: name them, and say identity = "NAME" in the service's table.
# [identities.annuaire]
# p12 = "annuaire.p12"

# A place of your own, such as a test bench; without anchors it gets ACR-EL.
# [environments.bench]
# token_url = "https://host:port/auth/realms/ror/protocol/openid-connect/token"
# api_url = "https://host:port"
# anchors = ["root.pem"]
"""


@click.group(cls=VerbGroup)
def config() -> None:
    """Show, make or check the settings."""


@config.command(
    "show",
    cls=Verb,
    epilog=ending((0, 2), "ror-sante config show", "ror-sante --config FILE config show --format json")
    + "\n\n"
    + listed("Variables", VARIABLES),
)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(*, style: str) -> int:
    """Print the settings in force.

    File, variables and defaults together; no secret is shown.
    """
    settings = settings_of(Flags())
    plain = _plain(settings)
    if style == "json":
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
        return 0
    made = console()
    made.print(
        text(f"# {settings.source or 'no settings file; ror-sante config init makes one'}", "dim"), soft_wrap=True
    )
    for key, value in _flat({name: value for name, value in plain.items() if name != "source"}):
        made.print(text(f"{key} = {json.dumps(value, ensure_ascii=False)}"), soft_wrap=True)
    return 0


def _plain(settings: Settings) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=_written)
    return plain


def _written(value: object) -> str:
    return _HIDDEN if isinstance(value, Secret) else str(value)


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


@config.command(
    "init", cls=Verb, epilog=ending((0, 2), "ror-sante config init", "ror-sante config init ror-sante.toml")
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init(*, file: Path | None, force: bool) -> int:
    """Write a settings file to fill in.

    Without FILE, it goes where ror-sante looks for it first.
    """
    if file is None:
        file = usual_places()[0]
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with private_text(file, replace=force) as stream:
            stream.write(TEMPLATE)
    except FileExistsError as error:
        raise ConfigurationError(f"{file} is there already", hint="Edit it, or use --force to replace it.") from error
    sys.stdout.write(f"Written: {file}\nFill it in, then: ror-sante config check\n")
    return 0


@config.command("check", cls=Verb, epilog=ending((0, 2, 3), "ror-sante config check"))
def check() -> int:
    """Check the settings and the files they name.

    Nothing is sent. Everything that is wrong is told at once; the exit code is that of the first. A certificate
    that needs a passphrase nobody configured is not opened.
    """
    settings = settings_of(Flags())
    sys.stdout.write(f"{settings.source or 'no settings file: variables and defaults alone'}\n")
    codes = []
    for look in (_environment, _identity, _account, *_regions(settings), _lent, _secrets, _audited):
        try:
            for line in look(settings):
                sys.stdout.write(f"  {line}\n")
        except RorError as error:
            sys.stdout.flush()
            tell(error.message, error.hint)
            codes.append(exit_code_of(error))
    return codes[0] if codes else 0


def _environment(settings: Settings) -> Iterator[str]:
    if settings.environment == SIMULATOR:
        yield "environment simulator: started when a command needs it"
        return
    environment = settings.resolve_environment()
    groups = (environment.anchors, environment.token_anchors, environment.api_anchors)
    anchors = load_anchors([word for group in groups for word in group or ()])
    named = anchors[0].subject if len(anchors) == 1 else f"{len(anchors)} roots"
    yield f"environment {environment.name}: {environment.api_url}, trusting {named}"


def _identity(settings: Settings) -> Iterator[str]:
    if settings.rorn.client_secret_file is not None or settings.environment == SIMULATOR:
        yield "certificate: none is needed"
        return
    table = settings.identity_for("rorn")
    try:
        found = ClientIdentity.from_settings(table)
    except PassphraseNeededError:
        yield f"certificate {table.p12 or table.certificate}: there, not opened (its passphrase is not configured)"
    else:
        yield f"certificate {found.source}: {found.subject_dn}"


def _account(settings: Settings) -> Iterator[str]:
    if settings.environment == SIMULATOR:
        return
    missing = [key for key in ("client_id", "profile", "role") if not getattr(settings.rorn, key)]
    if missing:
        raise ConfigurationError(
            f"the account at the national ROR lacks {', '.join(missing)}",
            hint="ANS gives these values; set them in the table [rorn].",
        )
    yield f"account {settings.rorn.client_id}"


def _regions(settings: Settings) -> tuple[Callable[[Settings], Iterator[str]], ...]:
    """Give a look at the inter-ROR search as a whole, and one at each region that has a table."""
    if settings.inter_ror.protocol == "csd":
        return (_csd,)
    try:
        environment = settings.resolve_environment()
    except RorError:  # told by the look at the environment; the simulator's has no regions
        return ()
    return tuple(functools.partial(_region, name, environment) for name in settings.inter_ror.regions)


def _csd(_settings: Settings) -> Iterator[str]:
    raise csd_refusal("inter_ror")


def _region(name: str, environment: Environment, settings: Settings) -> Iterator[str]:
    """Look at what a region needs of its own, or takes from [inter_ror] and [rorn]; nothing is opened."""
    title = f"{REGIONS[region_code(name)]} ({region_code(name)})"
    place = regional_place(settings, name, environment)
    if (error := unusable(place)) is not None:
        raise error
    if missing := [key for key in ("client_id", "profile", "role") if not getattr(place, key)]:
        raise ConfigurationError(
            f"the account in {place.name} lacks {', '.join(missing)}",
            hint="What the region does not give is taken from [inter_ror], then from [rorn].",
        )
    if place.client_secret_file is None:
        settings.identity_named(place.identity, by=place.name)
    yield f"region {title}: {place.base_url}"


def _lent(settings: Settings) -> Iterator[str]:
    for path in settings.network.lend_intermediates:
        names = ", ".join(common_name(one) for one in load_intermediates([path]))
        yield f"lent intermediate {path}: {names}"


def _secrets(settings: Settings) -> Iterator[str]:
    for path in _secret_files(settings):
        read_secret(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        open_to = " (others may read it: chmod 600)" if mode & (stat.S_IRGRP | stat.S_IROTH) else ""
        yield f"secret file {path}: readable{open_to}"


def _audited(settings: Settings) -> Iterator[str]:
    if settings.audit is not None:
        yield f"audit file {settings.audit}: one line a run"


def _secret_files(settings: Settings) -> Iterator[Path]:
    tables: list[IdentitySettings | None] = [settings.identity, *settings.identities.values()]
    owned = [table for table in tables if table is not None]
    files = [path for table in owned for path in (table.passphrase_file, table.next_passphrase_file)]
    files += [settings.network.proxy_password_file, settings.rorn.client_secret_file]
    files += [settings.annuaire.api_key_file, settings.inter_ror.client_secret_file]
    files += [region.client_secret_file for region in settings.inter_ror.regions.values()]
    yield from (path for path in files if path is not None)
