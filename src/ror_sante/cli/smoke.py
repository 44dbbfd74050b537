"""The verb ``smoke-test``."""

from __future__ import annotations

import contextlib
import logging
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ror_sante.cli.known import language
from ror_sante.cli.place import Flags, opened
from ror_sante.cli.smoke_formats import STYLES, Manner, teller
from ror_sante.cli.verb import Verb, config_path, ending
from ror_sante.diagnosis.ladders.annuaire import ANNUAIRE
from ror_sante.diagnosis.ladders.national import RORN
from ror_sante.diagnosis.report import BAD_VERDICT
from ror_sante.diagnosis.share import Mask
from ror_sante.diagnosis.smoke import ALL, SERVICES, WITHIN, SmokeTest
from ror_sante.diagnosis.watch import Watch, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.cli.place import Place
    from ror_sante.cli.smoke_formats import Teller
    from ror_sante.pki.source import IdentitySource

_POSITIVE: Final = click.FloatRange(0, 3600, min_open=True)
_DAY: Final = click.FloatRange(0, 86_400, min_open=True)


@click.command(
    "smoke-test",
    cls=Verb,
    epilog=ending(
        (0, 1, 2, 3, 4, 5, 130),
        "ror-sante smoke-test --env simulator",
        "ror-sante smoke-test --env bac-a-sable --format json --output smoke.json",
        "ror-sante smoke-test --format html --share --output for-support.html",
        "ror-sante smoke-test --repeat 0 --interval 300",
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
@click.option("--format", "style", type=click.Choice(STYLES), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the report there, mode 0600.")
@click.option("--p12", type=click.Path(path_type=Path), metavar="FILE", help="Try this P12 instead.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Its passphrase, alone.")
@click.option("--pki", type=click.Path(path_type=Path), metavar="DIR", help="The simulator's PKI: of certs-test.")
@click.option("--strict", is_flag=True, help="A warning ends with exit code 1.")
@click.option("--timeout", type=_POSITIVE, metavar="SECONDS", help="Limit of each wait.")
@click.option(
    "--within", type=_POSITIVE, metavar="SECONDS", default=WITHIN, show_default=True, help="Limit of the whole test."
)
@click.option("--share", is_flag=True, help="Mask accounts, internal hosts, addresses, paths, people.")
@click.option("--doctor", is_flag=True, help="Tell about this machine too: versions, variables, files.")
@click.option("--receipt", is_flag=True, help="Tell what each connection showed: protocol, chains, alert, times.")
@click.option(
    "--repeat", type=click.IntRange(0), metavar="N", default=1, help="Run it N times; 0 goes on until Ctrl-C."
)
@click.option(
    "--interval",
    type=_DAY,
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="From the start of one round to that of the next.",
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
    share: bool,
    doctor: bool,
    receipt: bool,
    repeat: int,
    interval: float,
) -> int:
    """Climb from the certificate to one real search, rung by rung.

    Each rung says what was seen and, where it fails, what to do. A rung whose ground is missing is skipped. The exit
    code is the family of the first failed rung.
    """
    lang = language()
    flags = Flags(env=env, p12=p12, passphrase_file=passphrase_file, pki=pki, timeout=timeout)
    with opened(flags) as place, told_by_a_rung():
        mask = Mask.of(place.settings, place.environment) if share else None
        known = place if mask is None else _learning(place, mask)
        test = SmokeTest.from_settings(
            known.settings,
            services=[service],
            environment=known.environment,
            source=known.source,
            within=within,
            lang=lang,
        )
        manner = Manner(
            output=output,
            strict=strict,
            after=_next(env, service),
            mask=mask,
            doctor=doctor,
            receipt=receipt,
            lang=lang,
            repeated=repeat != 1,
        )
        with teller(style, manner) as told:
            watch = _watched(test, told, repeat=repeat, interval=interval)
    return watch.exit_code or (BAD_VERDICT if strict and watch.warned else 0)


@contextlib.contextmanager
def told_by_a_rung() -> Iterator[None]:
    """Leave out the log's warnings of a certificate's end: the rung ``dates`` says it, once."""
    logger = logging.getLogger("ror_sante.identity")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _watched(test: SmokeTest, told: Teller, *, repeat: int, interval: float) -> Watch:
    """Run the rounds; whatever ends them, several of them are summed up."""
    watch = Watch()
    try:
        for reports in repeated(lambda: told.run(test), repeat=repeat, interval=interval):
            told.round(reports, watch.note(reports), watch)
    finally:
        if repeat != 1:
            told.summary(watch)
    return watch


def _learning(place: Place, mask: Mask) -> Place:
    """Let the mask know each certificate as soon as it is open."""

    def source(service: str) -> IdentitySource | None:
        found = place.source(service)
        return None if found is None else found.through(mask.learned)

    return replace(place, source=source)


def _next(env: str | None, service: str) -> str:
    """Give the command to try when all is well, at the same place."""
    file = config_path()
    verb = RORN if service == ALL else service
    kind = "Practitioner" if service == ANNUAIRE else "HealthcareService"
    words = ["ror-sante", *(["--config", str(file)] if file else []), verb, "search", kind]
    return shlex.join([*words, *(["--env", env] if env else []), "--max", "5"])
