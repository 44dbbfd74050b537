"""A full copy by ``$export``: taken up where it stopped, and in the place of the last good copy only when whole."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from ror_sante._version import __version__
from ror_sante.errors import ConfigurationError, SyncError, printable
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.sync.fetch import Wanted, fetch
from ror_sante.sync.files import COMING, private_folder, remove
from ror_sante.sync.job import JobLostError, delete, kick_off, wait
from ror_sante.sync.journal import Begun, Job, Journal, Published, Ready
from ror_sante.sync.lock import locked
from ror_sante.sync.progress import Silent
from ror_sante.sync.snapshot import FileOf, JobOf, Manifest, current, describe, publish, write_manifest
from ror_sante.sync.split import BrokenFileError
from ror_sante.sync.store import store
from ror_sante.sync.verdict import LIMIT, falls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ror_sante.api.national import NationalRorClient
    from ror_sante.http.clock import Clock
    from ror_sante.sync.journal import Part
    from ror_sante.sync.progress import Watcher
    from ror_sante.sync.store import Stored
    from ror_sante.sync.verdict import Fall

_WORK: Final = "work"
_REGION: Final = re.compile(r"[0-9A-Za-z]{1,8}")
_ATTEMPT: Final = re.compile(r"[0-9]{6}")
_STARTS: Final = 3  # runs in one, when the service loses the job each time
_ROUNDS: Final = 2  # of fetching, when a file turns out to be broken
_ROOM: Final = 64 * 1024 * 1024  # bytes that are free, at least
_HOURS: Final = 3600.0


class ShrunkError(SyncError):
    """The new copy lacks what the last one had; the last one stays.

    Attributes:
        falls: what fell.
    """

    def __init__(self, fallen: Sequence[Fall]) -> None:
        told = "; ".join(str(fall) for fall in fallen[:5]) + ("; and more" if len(fallen) > 5 else "")
        super().__init__(
            f"the new copy has shrunk, the last good one stays: {told or 'it holds nothing at all'}",
            hint="Has the account lost a right, or a region its data? If all is right: --resume --accept-shrink.",
        )
        self.falls = tuple(fallen)


@dataclass(frozen=True)
class Selection:
    """What to copy.

    Attributes:
        regions: codes of source regions (TRE_R30); empty for the whole nation.
        types: what ``_type`` says; empty leaves it out.
        output_format: what ``_outputFormat`` says; empty takes ``application/json``.
    """

    regions: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    output_format: str = ""

    def __post_init__(self) -> None:
        for region in self.regions:
            if not _REGION.fullmatch(region):
                raise ConfigurationError(
                    f"{printable(region, 40)!r} is not the code of a region", hint="For instance 11 or 84 (TRE_R30)."
                )
        if len(set(self.regions)) < len(self.regions):
            raise ConfigurationError("a region is named twice")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to copy.

    Attributes:
        parallel: files fetched at a time.
        accept_shrink: take a copy that lacks what the last one had.
        shrink_limit: how far a number may fall before that is a verdict, as a share of itself.
        patience: seconds to wait for a job at most.
    """

    parallel: int = 4
    accept_shrink: bool = False
    shrink_limit: float = LIMIT
    patience: float = 6 * _HOURS

    def __post_init__(self) -> None:
        if not 1 <= self.parallel <= 32:
            raise ConfigurationError("files fetched at a time: from 1 to 32")
        if not 0 <= self.shrink_limit <= 1:
            raise ConfigurationError("the limit of shrinking is a share between 0 and 1")


def export(
    client: NationalRorClient,
    folder: Path,
    selection: Selection | None,
    *,
    options: Options | None = None,
    watcher: Watcher | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Path, Manifest]:
    """Copy the directory, or a part of it, into a folder.

    Args:
        client: how the service is reached.
        folder: the output folder; its ``current`` leads to the good copy.
        selection: what to copy; None goes on with the run that stopped.
        options: how to copy.
        watcher: told of each step.
        clock: what tells the time and waits.

    Returns:
        Where the new copy is, and its manifest.

    Raises:
        LockedError: another run works on the folder.
        ConfigurationError: there is nothing to go on with, or no room on the disk.
        ShrunkError: the new copy lacks what the last one had.
        SyncError: the service did not do its part; the run can be taken up again.
        RorError: the same, for the reasons of any call.
        OSError: the disk.
    """
    with locked(folder):
        work = _Work(folder)
        attempt = work.last(client) if selection is None else work.new(_begun(client, selection))
        run = _Run(client, folder, options or Options(), watcher or Silent(), clock)
        for _ in range(_STARTS):
            run.watcher.step("begun", regions=list(attempt.begun.regions) or "all", resumed=selection is None)
            try:
                return run.result(attempt)
            except JobLostError as error:
                # Files of two jobs are never mixed: what was fetched goes with its job.
                run.watcher.step("restarted", reason=error.message)
                attempt = work.new(attempt.begun)
        raise SyncError(f"the service lost the job {_STARTS} times; its files may live too short for this line")


def _begun(client: NationalRorClient, selection: Selection) -> Begun:
    return Begun(client.environment.fhir_base, selection.regions, selection.types, selection.output_format)


class _Attempt:
    """One try of a run: a journal, and the files of its jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder)
        self.jobs: dict[str, Job] = {}
        self.ready: dict[str, Ready] = {}
        self.published = ""
        self._begun: Begun | None = None
        for entry in self.journal.read():
            self._know(entry)

    @property
    def begun(self) -> Begun:
        assert self._begun is not None  # noqa: S101  for the type checker: an attempt without it is never handed out
        return self._begun

    @property
    def usable(self) -> bool:
        return self._begun is not None

    def note(self, entry: Begun | Job | Ready | Published) -> None:
        self.journal.append(entry)
        self._know(entry)

    def _know(self, entry: Begun | Job | Ready | Published) -> None:
        match entry:
            case Begun():
                self._begun = entry
            case Job():
                self.jobs[entry.region] = entry
            case Ready():
                self.ready[entry.region] = entry
            case _:
                self.published = entry.snapshot

    def path(self, region: str, number: int) -> Path:
        """Where a file of a job lies; `Selection` has seen to it that a region is a plain word."""
        return self.folder / f"{region or 'all'}-{number:06d}.json"

    def parts(self) -> list[tuple[Part, Path]]:
        """All files, in the order of the regions and of their manifests."""
        return [
            (part, self.path(region, number))
            for region in self.begun.regions or ("",)
            for number, part in enumerate(self.ready[region].parts)
        ]


class _Work:
    """The attempts in an output folder; the last one counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder / _WORK)

    def new(self, begun: Begun) -> _Attempt:
        """Begin an attempt; those before it go, once it is on the disk."""
        before = self._attempts()
        number = int(before[-1].name) + 1 if before else 1
        made = _Attempt(private_folder(self._folder / f"{number:06d}"))
        made.note(begun)
        for old in before:
            remove(old)
        return made

    def last(self, client: NationalRorClient) -> _Attempt:
        """Give the attempt to go on with.

        Raises:
            ConfigurationError: there is none, or it belongs to another service.
        """
        found = [attempt for path in self._attempts() if (attempt := _Attempt(path)).usable]
        if not found:
            raise ConfigurationError(
                "there is nothing to resume in this folder", hint="Start a run with --all or --region."
            )
        if found[-1].begun.service != client.environment.fhir_base:
            raise ConfigurationError(
                "the run that stopped asked another service than the configured one",
                hint="Resume with the same --env and --config, or start again.",
            )
        _check(found[-1].begun)
        return found[-1]

    def _attempts(self) -> list[Path]:
        return sorted(path for path in self._folder.iterdir() if _ATTEMPT.fullmatch(path.name))


def _check(begun: Begun) -> None:
    Selection(begun.regions)  # a journal is a file like any other: what it says becomes names of files


@dataclass(frozen=True)
class _Run:
    """What the steps of a run share."""

    client: NationalRorClient
    folder: Path
    options: Options
    watcher: Watcher
    clock: Clock

    def result(self, attempt: _Attempt) -> tuple[Path, Manifest]:
        if not attempt.published:
            self._check_room()
            for region in attempt.begun.regions or ("",):
                self._fetch(attempt, self._ready(attempt, region))
            self._finish(attempt)
        remove(attempt.folder)
        found = current(self.folder)
        if found is None:
            raise SyncError("the new copy has gone from its folder", hint="Start again without --resume.")
        return found

    # -------------------------------------------------------------- getting

    def _check_room(self) -> None:
        last = current(self.folder)
        needed = max(_ROOM, 2 * last[1].size if last else 0)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise ConfigurationError(
                f"{free >> 20} MiB are free on the disk of {self.folder}, and a copy needs about {needed >> 20} MiB",
                hint="A run needs room for the files of the service and for the new copy, beside the old one.",
            )

    def _ready(self, attempt: _Attempt, region: str) -> Ready:
        if region not in attempt.jobs:
            attempt.note(kick_off(self.client, attempt.begun, region))
            self.watcher.step("job", region=region)
        if region not in attempt.ready:
            job = attempt.jobs[region]
            patience = self.options.patience
            attempt.note(wait(self.client, attempt.begun, job, limit=patience, clock=self.clock, watcher=self.watcher))
        return attempt.ready[region]

    def _fetch(self, attempt: _Attempt, ready: Ready) -> None:
        job = attempt.jobs[ready.region]
        poll = self.client.follow(job.poll, at=attempt.begun.service)
        paths = [attempt.path(ready.region, number) for number in range(len(ready.parts))]
        for half in attempt.folder.glob(f"*{COMING}"):
            half.unlink(missing_ok=True)
        wanted = [
            Wanted(self.client.follow(part.url, at=poll), path)
            for part, path in zip(ready.parts, paths, strict=True)
            if not path.exists()
        ]
        self.watcher.step("ready", region=ready.region, files=len(paths), whole=len(paths) - len(wanted))
        fetch(self.client, wanted, parallel=self.options.parallel, watcher=self.watcher)

    # -------------------------------------------------------------- writing

    def _finish(self, attempt: _Attempt) -> None:
        made = attempt.folder / "copy"
        stored = self._stored(attempt, made)
        manifest = self._manifest(attempt, stored)
        if not self.options.accept_shrink:
            self._compare(manifest)
        write_manifest(made, manifest)
        where = publish(self.folder, made, at=self.clock.now())
        attempt.note(Published(where.name))
        self.watcher.step("published", snapshot=where.name, repeated=manifest.repeated, **describe(manifest))
        for job in attempt.jobs.values():
            delete(self.client, attempt.begun, job)

    def _stored(self, attempt: _Attempt, made: Path) -> Stored:
        """Write the copy; a file that turns out to be broken is fetched once more."""
        self.watcher.step("assembling", files=len(attempt.parts()))
        for left in reversed(range(_ROUNDS)):
            remove(made)
            private_folder(made)
            try:
                return store(made, attempt.parts())
            except BrokenFileError as error:
                broken = next(path for _, path in attempt.parts() if str(path) == error.cursor)
                broken.unlink()
                if not left:
                    raise
                for ready in attempt.ready.values():
                    self._fetch(attempt, ready)
        raise AssertionError  # pragma: no cover  the last round returns or raises

    def _manifest(self, attempt: _Attempt, stored: Stored) -> Manifest:
        regions = attempt.begun.regions or ("",)
        ready = [attempt.ready[region] for region in regions]
        return Manifest(
            created=self.clock.now().astimezone(UTC).isoformat(timespec="seconds"),
            service=attempt.begun.service,
            regions=attempt.begun.regions,
            jobs=tuple(JobOf(one.region, one.transaction_time, len(one.parts)) for one in ready),
            types={file.type: FileOf(file.name, file.count, file.size, file.sha256) for file in stored.files},
            counts=stored.counts,
            repeated=stored.repeated,
            software=f"ror-sante/{__version__}",
        )

    def _compare(self, manifest: Manifest) -> None:
        last = current(self.folder)
        fallen = falls(last[1].counts, manifest.counts, limit=self.options.shrink_limit) if last else ()
        if fallen or not manifest.total:
            raise ShrunkError(fallen)
