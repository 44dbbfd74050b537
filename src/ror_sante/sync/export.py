"""A full copy by ``$export``: taken up where it stopped, and in the place of the last good copy only when whole."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ror_sante._version import __version__
from ror_sante.errors import ConfigurationError, SyncError, printable
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.sync.fetch import Fetching, Wanted
from ror_sante.sync.files import COMING, private_folder, remove
from ror_sante.sync.job import JobFailedError, JobLostError, delete, failed, kick_off, wait
from ror_sante.sync.journal import Begun, Failed, Job, Journal, Placed, Published, Ready
from ror_sante.sync.lock import locked
from ror_sante.sync.progress import Silent
from ror_sante.sync.snapshot import (
    FileOf,
    JobOf,
    Manifest,
    current,
    describe,
    is_placed,
    new_name,
    place,
    publish,
    write_manifest,
)
from ror_sante.sync.split import BrokenFileError
from ror_sante.sync.store import Store
from ror_sante.sync.verdict import LIMIT, falls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ror_sante.api.national import NationalRorClient
    from ror_sante.http.clock import Clock
    from ror_sante.sync.journal import Entry
    from ror_sante.sync.progress import Watcher
    from ror_sante.sync.store import Stored
    from ror_sante.sync.verdict import Fall

_WORK: Final = "work"
_REGION: Final = re.compile(r"[0-9A-Za-z]{1,8}")
_ATTEMPT: Final = re.compile(r"[0-9]{6}")
_STARTS: Final = 3  # runs in one, when the service loses the job each time
_ROOM: Final = 192 * 1024 * 1024  # bytes for files on their way, and for those that were not yet taken over for good
_SPARE: Final = 1.1  # a directory grows
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
    if selection is None and not (folder / _WORK).is_dir():
        raise _nothing_to_resume()  # before the folder is made
    with locked(folder):
        work = _Work(folder)
        attempt = work.last(client) if selection is None else work.new(_begun(client, selection))
        if attempt.failed:
            attempt = work.new(attempt.begun)
        run = _Run(client, folder, options or Options(), watcher or Silent(), clock)
        for _ in range(_STARTS):
            run.watcher.step("begun", regions=list(attempt.begun.regions) or "all", resumed=selection is None)
            try:
                return run.result(attempt)
            except JobLostError as error:
                # Files of two jobs are never mixed: what was fetched goes with its job.
                run.watcher.step("restarted", reason=error.message)
                attempt = work.new(attempt.begun)
            except JobFailedError:
                attempt.note(Failed())
                raise
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
        self.failed = False
        self.placed = ""
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

    def note(self, entry: Entry) -> None:
        self.journal.append(entry)
        self._know(entry)

    def _know(self, entry: Entry) -> None:
        match entry:
            case Begun():
                self._begun = entry
            case Job():
                self.jobs[entry.region] = entry
            case Ready():
                self.ready[entry.region] = entry
            case Failed():
                self.failed = True
            case Placed():
                self.placed = entry.snapshot
            case _:
                self.published = entry.snapshot

    def path(self, region: str, number: int) -> Path:
        """Where a file of a job lies; `Selection` has seen to it that a region is a plain word."""
        return self.folder / f"{region or 'all'}-{number:06d}.json"


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
            raise _nothing_to_resume()
        if found[-1].begun.service != client.environment.fhir_base:
            raise ConfigurationError(
                "the run that stopped asked another service than the configured one",
                hint="Resume with the same --env and --config, or start again.",
            )
        _check(found[-1].begun)
        return found[-1]

    def _attempts(self) -> list[Path]:
        return sorted(path for path in self._folder.iterdir() if _ATTEMPT.fullmatch(path.name))


def _nothing_to_resume() -> ConfigurationError:
    return ConfigurationError("there is nothing to resume in this folder", hint="Start a run with --all or --region.")


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
            if not is_placed(self.folder, attempt.placed):  # killed before the pointer moved, perhaps
                self._check_room(attempt)
                self._place(attempt, self._stored(attempt))
            self._publish(attempt)
        remove(attempt.folder)
        return self._current()

    def _current(self) -> tuple[Path, Manifest]:
        found = current(self.folder)
        if found is None:
            raise SyncError("the new copy has gone from its folder", hint="Start again without --resume.")
        return found

    # -------------------------------------------------------------- getting

    def _check_room(self, attempt: _Attempt) -> None:
        """See that there is room for a copy like the last one, less what this run has written of it."""
        last = current(self.folder)
        written = sum(path.stat().st_size for path in attempt.folder.rglob("*") if path.is_file())
        needed = _ROOM + max(0, int(_SPARE * last[1].size) - written if last else 0)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise ConfigurationError(
                f"{free >> 20} MiB are free on the disk of {self.folder}, and a copy needs about {needed >> 20} MiB",
                hint="A run writes the new copy beside the old one; a file of the service goes when it is taken over.",
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

    def _stored(self, attempt: _Attempt) -> Stored:
        """Write the copy; a file that turns out to be broken is fetched once more."""
        broken: set[str] = set()
        while True:
            with Store(attempt.folder) as store:
                try:
                    return self._filled(attempt, store)
                except BrokenFileError as error:
                    name = error.cursor or ""
                    Path(name).unlink()
                    if name in broken:
                        raise failed(f"a file of the export came broken twice: {error.message}") from error
                    broken.add(name)

    def _filled(self, attempt: _Attempt, store: Store) -> Stored:
        before = 0
        for region in attempt.begun.regions or ("",):
            ready = self._ready(attempt, region)
            self._take(attempt, ready, store, store.taken - before)
            before += len(ready.parts)
        self.watcher.step("assembling", files=before)
        return store.finished()

    def _take(self, attempt: _Attempt, ready: Ready, store: Store, taken: int) -> None:
        """Take the files of a job, each as soon as it and all before it are whole."""
        paths = [attempt.path(ready.region, number) for number in range(len(ready.parts))]
        for done in [*paths[:taken], *attempt.folder.glob(f"*{COMING}")]:
            done.unlink(missing_ok=True)
        wanted = self._wanted(attempt, ready, {path for path in paths[taken:] if not path.exists()})
        self.watcher.step("ready", region=ready.region, files=len(paths), whole=len(paths) - len(wanted))
        coming = {one.path for one in wanted}
        with Fetching(self.client, wanted, parallel=self.options.parallel, watcher=self.watcher) as files:
            for part, path in islice(zip(ready.parts, paths, strict=True), taken, None):
                if path in coming:
                    files.wait(path)
                store.take(part, path)

    def _wanted(self, attempt: _Attempt, ready: Ready, missing: set[Path]) -> list[Wanted]:
        poll = self.client.follow(attempt.jobs[ready.region].poll, at=attempt.begun.service)
        every = [
            Wanted(self.client.follow(part.url, at=poll), attempt.path(ready.region, number))
            for number, part in enumerate(ready.parts)
        ]
        return [one for one in every if one.path in missing]

    # -------------------------------------------------------------- writing

    def _place(self, attempt: _Attempt, stored: Stored) -> None:
        manifest = self._manifest(attempt, stored)
        if not self.options.accept_shrink:
            self._compare(manifest)
        write_manifest(stored.folder, manifest)
        attempt.note(Placed(new_name(self.clock.now())))
        place(self.folder, stored.folder, attempt.placed)

    def _publish(self, attempt: _Attempt) -> None:
        publish(self.folder, attempt.placed)
        attempt.note(Published(attempt.placed))
        _, manifest = self._current()
        told = describe(manifest)
        self.watcher.step("published", snapshot=attempt.placed, repeated=manifest.repeated, **told)
        for job in attempt.jobs.values():
            delete(self.client, attempt.begun, job)

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
