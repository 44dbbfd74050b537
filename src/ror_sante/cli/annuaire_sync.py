"""The verb ``annuaire sync``: copies of resources of the Annuaire Santé, and what changed in them."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import MofNCompleteColumn

from ror_sante.api.annuaire.parameters import PARAMETERS
from ror_sante.cli.annuaire_fhir import gateway
from ror_sante.cli.audit import note
from ror_sante.cli.long_job import signals_reach_us, told, watching
from ror_sante.cli.verb import Verb, ending
from ror_sante.errors import printable
from ror_sante.sync.annuaire.mirror import OVERLAP, WINDOW, mirror

if TYPE_CHECKING:
    from rich.progress import Progress

    from ror_sante.sync.annuaire.mirror import Mirrored

_CODES = (0, 2, 4, 5, 7, 130, 143)
_RARELY = timedelta(days=20)
_LIMIT = f"after {WINDOW.days} days nothing but a full scan helps"
_GOES_ON = "the same command goes on with what has come."


@click.command(
    "sync",
    cls=Verb,
    epilog=ending(
        _CODES,
        "ror-sante annuaire sync Practitioner Organization --out annuaire",
        "ror-sante annuaire sync PractitionerRole --full --out annuaire",
    ),
)
@click.argument("types", metavar="TYPE...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Where the copies go.")
@click.option("--full", is_flag=True, help="Scan again, whatever there is.")
@click.option(
    "--overlap",
    type=click.FloatRange(0, 604_800),
    default=OVERLAP,
    show_default=True,
    metavar="SECONDS",
    help="How much is asked again before the start of the changes.",
)
@click.option("--env", metavar="NAME", help="simulator, production, or one of the settings.")
@click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), metavar="SECONDS", help="Limit of a call.")
def sync(
    *, types: tuple[str, ...], out: Path, full: bool, overlap: float, env: str | None, timeout: float | None
) -> int:
    """Keep copies of resources of the Annuaire Santé: a full scan once, then what changed.

    TYPE is Practitioner, PractitionerRole, Organization, HealthcareService or Device. DIR/TYPE/current leads to the
    copy: TYPE.ndjson, and TYPE.deactivated.ndjson with the records that should be let go. A run after the first one
    brings what changed, folds it in, and leaves it in DIR/TYPE/changes, too. A run that was stopped goes on when it is
    run again. The service keeps changes for 30 days; a copy that is older is scanned again with --full.
    """
    unknown = [name for name in types if name not in PARAMETERS]
    if unknown:
        raise click.UsageError(f"{printable(unknown[0], 60)!r} is no TYPE: {', '.join(PARAMETERS)}")
    with (
        told(_GOES_ON),
        gateway(env, timeout) as client,
        watching(_Bar, MofNCompleteColumn()) as watcher,
        signals_reach_us(),
    ):
        counts: dict[str, int] = {}
        for one in mirror(client, types, out, full=full, overlap=overlap, watcher=watcher):
            counts[one.type] = one.changed + one.deactivated
            note(counts=counts)
            _report(one, out)
    return 0


def _report(one: Mirrored, out: Path) -> None:
    copy = one.copy
    sys.stderr.write(f"{one.type}: {copy.active.count} records in force, {copy.deactivated.count} deactivated; ")
    if one.full:
        sys.stderr.write(f"scanned, with what changed since {one.since:%Y-%m-%d %H:%M} UTC.\n")
    elif one.changes is None:
        sys.stderr.write(f"nothing has changed since {one.since:%Y-%m-%d %H:%M} UTC.\n")
    else:
        sys.stderr.write(
            f"since {one.since:%Y-%m-%d %H:%M} UTC {one.changed} came new or edited, {one.deactivated} deactivated: "
            f"{one.changes}\n"
        )
    if not one.full and copy.cursor - one.since > _RARELY:
        sys.stderr.write(f"warning: the run before was {(copy.cursor - one.since).days} days ago; {_LIMIT}.\n")
    sys.stdout.write(f"{out / one.type / 'current'}\n")
    sys.stdout.flush()


class _Bar:
    """A bar for the records of a search; the other steps are its label."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("asking", total=None)

    def step(self, name: str, /, **about: object) -> None:
        label = " ".join([printable(about.get("type", "")), _LABELS.get(name, name)])
        if name == "begun":
            label = f"{label}{' of changes' if about['since'] else ''}"
            self._bar.reset(self._task, total=None)
        if name == "page":
            self._bar.update(self._task, total=_number(about["total"]), completed=_number(about["found"]))
        else:
            self._bar.update(self._task, description=label)

    def received(self, size: int, /) -> None:
        """Say nothing: records are counted, not bytes."""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


_LABELS = {
    "begun": "search",
    "waiting": "the service has a bad time, waiting",
    "restarted": "the pages are lost, starting again",
    "published": "done",
}
