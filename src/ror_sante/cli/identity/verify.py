"""Judge a P12 or a certificate, every finding at once."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ror_sante.cli.identity.looking import look_closer
from ror_sante.cli.place import Flags, settings_of
from ror_sante.cli.verb import Verb, ending
from ror_sante.environments import IGC_SANTE, IGC_SANTE_TEST, WEB_PKI, ApplicationService
from ror_sante.errors import Severity, printable
from ror_sante.pki.anchor import load_anchors
from ror_sante.pki.judgement import judge
from ror_sante.pki.names import common_name
from ror_sante.settings import SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509

    from ror_sante.cli.identity.looking import Look
    from ror_sante.errors import Finding

_SERVICES: Final = {
    "rorn": ApplicationService.RORN,
    "inter-ror": ApplicationService.INTER_ROR,
    "annuaire": ApplicationService.ANNUAIRE,
}


@click.command(
    "verify",
    cls=Verb,
    epilog=ending(
        (0, 1, 2, 3),
        "ror-sante identity verify",
        "ror-sante identity verify client.p12 --env production --service rorn",
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--env", metavar="NAME", help="bac-a-sable, production, or an environment of the settings.")
@click.option("--service", type=click.Choice([*_SERVICES]), help="Compare the CN with the one recommended for it.")
@click.option("--anchor", "anchors", multiple=True, metavar="FILE", help="A further root that the chain may end at.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The passphrase, alone.")
def verify(
    *,
    file: Path | None,
    env: str | None,
    service: str | None,
    anchors: tuple[str, ...],
    style: str,
    passphrase_file: Path | None,
) -> int:
    """Judge a P12 or a certificate: 1 when it has an error, 0 for warnings alone.

    Every finding is told at once: product, family, tree, dates, chain, key. Where no passphrase is at hand, a P12 that
    keeps its certificates in clear is judged by these, with a warning. Without FILE, the configured one is judged.
    Nothing is sent anywhere; `revocation` asks the authority.
    """
    settings = settings_of(Flags(env=env, p12=file, passphrase_file=passphrase_file))
    simulated = settings.environment == SIMULATOR
    place = None if simulated else settings.resolve_environment()
    own = (IGC_SANTE, IGC_SANTE_TEST) if place is None else tuple(word for word in place.anchors if word != WEB_PKI)
    seen = look_closer(file, settings.identity_for("rorn"), ask=True)
    found = judge(
        seen.chain,
        load_anchors([*own, *anchors]),
        at=datetime.now(UTC),
        service=_SERVICES[service] if service else None,
        test=None if place is None else place.test,
        notes=_notes(seen),
    )
    bad = any(finding.severity is Severity.ERROR for finding in found)
    write = _json if style == "json" else _text
    sys.stdout.write(write(seen.leaf, found, bad))
    return int(bad)


def _notes(seen: Look) -> tuple[Finding, ...]:
    """Give what was noticed about the file; a P12 that shows its certificates is judged without being opened too."""
    if seen.identity is not None:
        return seen.identity.notes
    return () if seen.unopened is None else (seen.unopened,)


def _text(leaf: x509.Certificate, found: tuple[Finding, ...], bad: bool) -> str:
    return "\n".join(_lines(leaf, found, bad)) + "\n"


def _lines(leaf: x509.Certificate, found: tuple[Finding, ...], bad: bool) -> Iterator[str]:
    for finding in found:
        yield printable(f"{finding.severity}: {finding.code}: {finding.message}", 4000)
        if finding.hint:
            yield f"  hint: {printable(finding.hint, 4000)}"
    yield f"{common_name(leaf)}: {'bad' if bad else 'good'}"


def _json(leaf: x509.Certificate, found: tuple[Finding, ...], bad: bool) -> str:
    about: dict[str, Any] = {
        "common_name": common_name(leaf),
        "good": not bad,
        "findings": [
            {"severity": one.severity.value, "code": one.code, "message": one.message, "hint": one.hint}
            for one in found
        ],
    }
    return json.dumps(about, indent=2, ensure_ascii=False) + "\n"
