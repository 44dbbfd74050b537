"""Prove, before the day, that a renewed certificate gets a token."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ror_sante.cli.failures import tell
from ror_sante.cli.place import Flags, asking, opened, settings_of
from ror_sante.cli.smoke import told_by_a_rung
from ror_sante.cli.verb import Verb, ending
from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.smoke import SmokeTest
from ror_sante.errors import RorError
from ror_sante.pki.identity import ClientIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.diagnosis.report import Check, SmokeReport

_TOKEN: Final = "token"  # noqa: S105  the name of a rung


@click.command(
    "rehearse",
    cls=Verb,
    epilog=ending((0, 2, 3, 4, 5), "ror-sante identity rehearse new.p12 --passphrase-file new.pass"),
)
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--env", metavar="NAME", help="simulator, bac-a-sable, production, or an environment of the settings.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Its passphrase, alone.")
def rehearse(*, new: Path, env: str | None, passphrase_file: Path | None) -> int:
    """Try a renewed P12 on the configured account, while the old one stays in use.

    It opens the P12, compares its subject DN with that of the certificate in use, connects, and asks for a token and
    one page. The exit code is the family of the first failure, as for the smoke test.
    """
    with opened(Flags(env=env, p12=new, passphrase_file=passphrase_file)) as place, told_by_a_rung():
        test = SmokeTest.from_settings(place.settings, environment=place.environment, source=place.source)
        for line in _compared(new, env, passphrase_file):
            sys.stdout.write(f"{line}\n")
        report = test.run(_show)
    return _concluded(report, new)


def _show(check: Check) -> None:
    sys.stdout.write(f"{check.outcome:<8} {check.name:<13} {check.detail}\n")


def _concluded(report: SmokeReport, new: Path) -> int:
    token = next(check for check in report.checks if check.name == _TOKEN)
    if token.outcome is Outcome.OK:
        sys.stdout.write(f"{new.name} gets a token: name it in identity.next, or put it in the old one's place\n")
    failed = next((check for check in report.checks if check.outcome is Outcome.FAIL), None)
    if failed is not None:
        tell(f"{new.name}: {failed.name}: {failed.detail}", failed.hint)
    return report.exit_code


def _compared(new: Path, env: str | None, passphrase_file: Path | None) -> Iterator[str]:
    """Say whether the subject DN stays; a certificate in use that cannot be opened is no obstacle."""
    try:
        old = ClientIdentity.from_settings(settings_of(Flags(env=env)).identity_for("rorn"))
        coming = settings_of(Flags(env=env, p12=new, passphrase_file=passphrase_file)).identity_for("rorn")
        renewed = ClientIdentity.from_settings(coming, ask=asking())
    except RorError:
        return
    if old.subject_dn == renewed.subject_dn:
        yield "the subject DN is that of the certificate in use: no new registration is needed"
    else:
        yield f"the subject DN changes, from {old.subject_dn} to {renewed.subject_dn}: announce it to ANS first"
