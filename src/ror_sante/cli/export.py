"""The verb ``rorn export``: a full copy on disk, its progress, and how it ended."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import DownloadColumn, TextColumn, TransferSpeedColumn

from ror_sante.cli.audit import note
from ror_sante.cli.failures import tell
from ror_sante.cli.long_job import signals_reach_us, told, watching
from ror_sante.cli.place import Flags, opened
from ror_sante.cli.region import about_regions
from ror_sante.cli.verb import Verb, again, ending
from ror_sante.errors import printable
from ror_sante.sync.export import Options, Selection, ShrunkError
from ror_sante.sync.export import export as copy
from ror_sante.sync.snapshot import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, ProgressColumn

BAD_VERDICT = 1
_CODES = (0, 1, 2, 3, 4, 5, 7, 130, 143)


@click.command(
    "export",
    cls=Verb,
    epilog=ending(
        _CODES,
        "ror-sante rorn export --all --out ror",
        "ror-sante rorn export --region 11 --region 84 --out ror",
        "ror-sante rorn export --resume --out ror",
    ),
)
@about_regions
@click.option("--all", "everything", is_flag=True, help="The whole nation.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Where the copy goes.")
@click.option("--resume", is_flag=True, help="Go on with the run that stopped in DIR.")
@click.option("--accept-shrink", is_flag=True, help="Take a copy that lacks what the last one had.")
@click.option(
    "--shrink-limit",
    type=click.FloatRange(0, 100),
    default=5.0,
    show_default=True,
    metavar="PERCENT",
    help="How far a number may fall.",
)
@click.option(
    "--max-parallel",
    type=click.IntRange(1, 32),
    default=4,
    show_default=True,
    metavar="N",
    help="Files fetched at a time.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0, min_open=True),
    default=21_600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the service to be ready.",
)
@click.option("--env", metavar="NAME", help="simulator, bac-a-sable, production, or one of the settings.")
@click.option("--p12", type=click.Path(path_type=Path), metavar="FILE", help="Use this P12 instead.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Its passphrase.")
@click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), metavar="SECONDS", help="Limit of a call.")
def export(
    *,
    regions: tuple[str, ...],
    everything: bool,
    out: Path,
    resume: bool,
    accept_shrink: bool,
    shrink_limit: float,
    max_parallel: int,
    wait: float,
    **place: Any,
) -> int:
    """Keep a full copy of the directory in a folder.

    DIR/current leads to the good copy: NDJSON files, one a resource type, and manifest.json. It is replaced in one
    step, and only by a copy that is whole. A run that was stopped goes on with --resume.
    """
    _one_of(everything, bool(regions), resume)
    options = Options(
        parallel=max_parallel, accept_shrink=accept_shrink, shrink_limit=shrink_limit / 100, patience=wait
    )
    goes_on = f"{again('rorn', 'export', '--resume', '--out', str(out), **place)} goes on from here."
    with opened(Flags(**place)) as where, told(goes_on), _judged(out):
        ours = where.settings.rorn.export
        selection = None if resume else Selection(regions, ours.type, ours.output_format or "")
        with where.national() as client, watching(_Bar, *_columns()) as watcher, signals_reach_us():
            _, manifest = copy(client, out, selection, options=options, watcher=watcher)
    note(counts=describe(manifest))
    sys.stdout.write(f"{out / 'current'}\n")
    return 0


def _one_of(*given: bool) -> None:
    if sum(given) != 1:
        raise click.UsageError("one of --all, --region and --resume says what to do")


@contextlib.contextmanager
def _judged(out: Path) -> Iterator[None]:
    """Give a copy that shrank its exit code, and say by how much; name the folder of a disk that fails."""
    try:
        yield
    except ShrunkError as error:
        tell(error.message, error.hint)
        for fall in error.falls:
            sys.stderr.write(f"  {printable(fall)}\n")
        raise click.exceptions.Exit(BAD_VERDICT) from error
    except OSError as error:
        error.filename = error.filename or out  # a write says which disk is full, and not by a number
        raise


# ------------------------------------------------------------------ progress


def _columns() -> list[ProgressColumn]:
    return [TextColumn("{task.fields[files]}", markup=False), DownloadColumn(), TransferSpeedColumn()]


class _Bar:
    """A bar for the files of a job; the other steps are its label."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None, files="")
        self._shown = bar.tasks[-1]
        self._files = self._whole = self._bytes = 0
        self._kept = self._before = 0  # files that were there, and bytes of other jobs, when this one was ready
        self._lock = threading.Lock()

    def step(self, name: str, /, **about: object) -> None:
        with self._lock:
            if name == "ready":
                self._files, self._whole = _number(about, "files"), _number(about, "whole")
                self._kept, self._before = self._whole, self._bytes
            elif name == "file":
                self._whole += 1
            label = " ".join(filter(None, (_LABELS.get(name, name), printable(about.get("progress", ""), 40))))
            self._bar.update(self._task, description=label, files=f"{self._whole}/{self._files} files")
            self._guess()

    def received(self, size: int, /) -> None:
        with self._lock:
            self._bytes += size
            self._bar.update(self._task, completed=self._bytes)

    def _guess(self) -> None:
        """Guess the size of all by that of the files so far; the service does not say it."""
        fetched = self._whole - self._kept
        if fetched:
            each = (self._bytes - self._before) / fetched
            # Not by update(), which forgets the rate at every new total.
            self._shown.total = self._before + each * max(self._files - self._kept, fetched)
            self._shown.finished_time = self._shown.finished_speed = None


def _number(about: dict[str, object], name: str) -> int:
    value = about.get(name)
    return value if isinstance(value, int) else 0


_LABELS = {
    "begun": "asking for the export",
    "job": "the service works",
    "waiting": "the service works",
    "ready": "fetching",
    "file": "fetching",
    "restarted": "the job is lost, starting again",
    "assembling": "writing the copy",
    "published": "done",
}
