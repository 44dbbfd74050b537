"""Prove, before the day, that a renewed certificate gets a token."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ror_sante.cli.failures import tell
from ror_sante.cli.identity.looking import glimpse
from ror_sante.cli.place import Flags, opened, settings_of
from ror_sante.cli.smoke import told_by_a_rung
from ror_sante.cli.verb import Verb, ending
from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.smoke import SERVICES, SmokeTest
from ror_sante.errors import ConfigurationError, RorError
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.renewal import compared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509

    from ror_sante.diagnosis.report import Check, SmokeReport

# The rung of each service that proves it, and what that comes to.
_PROOF: Final = {
    "rorn": ("token", "gets a token"),
    "inter-ror": ("token", "gets a token"),
    "annuaire": ("restricted", "is offered a restricted extraction"),
}


@click.command(
    "rehearse",
    cls=Verb,
    epilog=ending(
        (0, 2, 3, 4, 5),
        "ror-sante identity rehearse new.p12 --passphrase-file new.pass",
        "ror-sante identity rehearse new.p12 --service annuaire",
    ),
)
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--service", type=click.Choice([*SERVICES]), default="rorn", show_default=True, help="Where it is to be used."
)
@click.option("--env", metavar="NAME", help="simulator, bac-a-sable, production, or an environment of the settings.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Its passphrase, alone.")
def rehearse(*, new: Path, service: str, env: str | None, passphrase_file: Path | None) -> int:
    """Try a renewed P12 on the configured account, while the old one stays in use.

    It opens the P12, compares it with the certificate in use (subject DN, dates, service, tree, usages, key), connects,
    and asks for a token and one page; of the Annuaire Santé, for the version of a restricted extraction. The exit code
    is the family of the first failure, as for the smoke test.
    """
    old = _in_use(service, env)
    with opened(Flags(env=env, p12=new, passphrase_file=passphrase_file)) as place, told_by_a_rung():
        source = place.source(service)
        if source is None:
            raise ConfigurationError(
                "this account has a client_secret and shows no certificate",
                hint="Take client_secret_file out of [rorn] when ANS has registered the certificate for it.",
            )
        identity = source.load()  # once: a person is asked for its passphrase
        for line in () if old is None else _compared(old, identity.certificate):
            sys.stdout.write(f"{line}\n")
        test = SmokeTest.from_settings(
            place.settings, services=[service], environment=place.environment, source=lambda _service: lambda: identity
        )
        report = test.run(_show)
    return _concluded(report, new, *_PROOF[service])


def _show(check: Check) -> None:
    sys.stdout.write(f"{check.outcome:<8} {check.name:<13} {check.detail}\n")


def _concluded(report: SmokeReport, new: Path, rung: str, proof: str) -> int:
    proven = next((check for check in report.checks if check.name == rung), None)
    if proven is not None and proven.outcome is Outcome.OK:
        sys.stdout.write(f"{new.name} {proof}: name it in identity.next, or put it in the old one's place\n")
    failed = next((check for check in report.checks if check.outcome is Outcome.FAIL), None)
    if failed is not None:
        tell(f"{new.name}: {failed.name}: {failed.detail}", failed.hint)
    return report.exit_code


def _in_use(service: str, env: str | None) -> x509.Certificate | None:
    """Give the certificate in use; none, or one that cannot be opened without a question, is no obstacle."""
    try:
        table = settings_of(Flags(env=env)).identity_for(service.replace("-", "_"))
        seen = None if table.p12 is None else glimpse(table.p12)
        return ClientIdentity.from_settings(table).certificate if seen is None else seen.leaf
    except RorError:
        return None


def _compared(old: x509.Certificate, new: x509.Certificate) -> Iterator[str]:
    """Say whether the subject DN stays, and what else should not be as it is."""
    if old.subject == new.subject:
        yield "the subject DN is that of the certificate in use: no new registration is needed"
    for good, text in compared(old, new):
        if not good:
            yield f"DIFF     {text}"
