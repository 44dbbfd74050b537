"""The verb ``rorn delta``: what changed since the last time, and how far that is remembered."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ror_sante.cli.audit import note
from ror_sante.cli.long_job import StepLines, signals_reach_us, told
from ror_sante.cli.place import Flags, opened
from ror_sante.cli.region import about_regions
from ror_sante.cli.verb import Verb, ending, listed, run_id
from ror_sante.sync.delta import Plan
from ror_sante.sync.delta import delta as fetch
from ror_sante.sync.state import since as time_of

if TYPE_CHECKING:
    from ror_sante.sync.delta import Outcome

_CODES = (0, 2, 3, 4, 5, 7, 130, 143)
_BLIND = (
    "deletions",
    "changes of a Location, a Practitioner or a PractitionerRole alone",
    "so take a full export once a week at least (rorn export)",
)


@click.command(
    "delta",
    cls=Verb,
    epilog=listed("A delta cannot see", _BLIND)
    + "\n\n"
    + ending(
        _CODES,
        "ror-sante rorn delta --state ror/delta-state.json --out ror",
        "ror-sante rorn delta --since 2026-11-24T02:30Z --out changes.ndjson",
    ),
)
@click.option("--since", "start", metavar="TIME", help="Where to start; without a zone it is UTC.")
@click.option("--state", type=click.Path(path_type=Path), metavar="FILE", help="Remembers how far the deltas came.")
@about_regions
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    required=True,
    help="A folder, which gets one folder a run, or a new .ndjson file.",
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, 604_800),
    metavar="SECONDS",
    help="How much is asked again before the start (settings, or 600).",
)
@click.option("--env", metavar="NAME", help="simulator, bac-a-sable, production, or one of the settings.")
@click.option("--p12", type=click.Path(path_type=Path), metavar="FILE", help="Use this P12 instead.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Its passphrase.")
@click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), metavar="SECONDS", help="Limit of a call.")
def delta(
    *,
    start: str | None,
    state: Path | None,
    regions: tuple[str, ...],
    out: Path,
    overlap: float | None,
    **place: Any,
) -> int:
    """Fetch the care services that changed, by themselves or by their organizations.

    With --state, a run starts where the last one began, by the server's clock; the file is written only when all is on
    the disk, so a run that stopped is simply run again. The first run starts at --since, or at the full export in DIR.
    Without --region it asks for the regions of that export.
    """
    since = None if start is None else time_of(start)
    plan = Plan(out=out, since=since, state=state, regions=regions)  # judged before the settings are read
    with opened(Flags(**place)) as where, told():
        ours = where.settings.rorn.delta.overlap
        plan = replace(plan, overlap=ours if overlap is None else overlap)
        with where.national() as client, signals_reach_us():
            outcome = fetch(client, plan, watcher=StepLines(run_id()))
    note(counts=outcome.counts)
    _report(outcome, out)
    return 0


def _report(outcome: Outcome, out: Path) -> None:
    if outcome.full_is_old and outcome.last_full is not None:
        sys.stderr.write("warning: the last full export is over seven days old, and deltas do not see all.\n")
    elif outcome.full_is_old and out.is_dir():
        sys.stderr.write("warning: there is no full export in this folder, and deltas do not see all.\n")
    if outcome.where is None:
        sys.stderr.write("Nothing has changed.\n")
    else:
        sys.stdout.write(f"{outcome.where}\n")
