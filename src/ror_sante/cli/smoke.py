"""The verb ``smoke-test``."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from pathlib import Path

import click

from ror_sante.cli.console import console
from ror_sante.cli.files import private_text
from ror_sante.cli.ladder import Ladders
from ror_sante.cli.place import Flags, opened
from ror_sante.cli.verb import Verb, config_path, ending
from ror_sante.diagnosis.ladders.inter_ror import INTER_ROR
from ror_sante.diagnosis.ladders.national import RORN
from ror_sante.diagnosis.report import BAD_VERDICT, SmokeReports
from ror_sante.diagnosis.smoke import ALL, SERVICES, WITHIN, SmokeTest


@click.command(
    "smoke-test",
    cls=Verb,
    epilog=ending(
        (0, 1, 2, 3, 4, 5),
        "ror-sante smoke-test --env simulator",
        "ror-sante smoke-test --env bac-a-sable --format json --output smoke.json",
        "ror-sante smoke-test --env simulator --pki OUT --p12 OUT/FLAW/client.p12",
    ),
)
@click.option("--env", metavar="NAME", help="simulator, bac-a-sable, production, or an environment of the settings.")
@click.option(
    "--service",
    type=click.Choice([*SERVICES, ALL]),
    default="rorn",
    show_default=True,
    help="Which service; all takes those that are configured, side by side.",
)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the report there, mode 0600.")
@click.option("--p12", type=click.Path(path_type=Path), metavar="FILE", help="Try this P12 instead.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Its passphrase, alone.")
@click.option("--pki", type=click.Path(path_type=Path), metavar="DIR", help="The simulator's PKI: of certs-test.")
@click.option("--strict", is_flag=True, help="A warning ends with exit code 1.")
@click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), metavar="SECONDS", help="Limit of each wait.")
@click.option(
    "--within",
    type=click.FloatRange(0, 3600, min_open=True),
    metavar="SECONDS",
    default=WITHIN,
    show_default=True,
    help="Limit of the whole test.",
)
def smoke_test(
    *,
    env: str | None,
    service: str,
    style: str,
    output: Path | None,
    p12: Path | None,
    passphrase_file: Path | None,
    pki: Path | None,
    strict: bool,
    timeout: float | None,
    within: float,
) -> int:
    """Climb from the certificate to one real search, rung by rung.

    Each rung says what was seen and, where it fails, what to do. A rung whose ground is missing is skipped. The exit
    code is the family of the first failed rung.
    """
    flags = Flags(env=env, p12=p12, passphrase_file=passphrase_file, pki=pki, timeout=timeout)
    with opened(flags) as place:
        test = SmokeTest.from_settings(
            place.settings, services=[service], environment=place.environment, opener=place.opener, within=within
        )
        reports = _climbed(test, _next(env, service), style=style, output=output, strict=strict)
    return reports.exit_code or (BAD_VERDICT if strict and reports.warned else 0)


def _next(env: str | None, service: str) -> str:
    """Give the command to try when all is well, at the same place."""
    file = config_path()
    verb = service if service == INTER_ROR else RORN
    words = ["ror-sante", *(["--config", str(file)] if file else []), verb, "search", "HealthcareService"]
    return shlex.join([*words, *(["--env", env] if env else []), "--max", "5"])


def _climbed(test: SmokeTest, after: str, *, style: str, output: Path | None, strict: bool) -> SmokeReports:
    with private_text(output) if output is not None else contextlib.nullcontext(sys.stdout) as stream:
        if style == "json":
            reports = test.run_all()
            stream.write(json.dumps(reports.to_json(), indent=2) + "\n")
            return reports
        told = Ladders(console(stream))
        reports = test.run_all(told.rung)
        told.verdict(reports, strict=strict, after=after)
        return reports
