"""Keep a copy of resources of the Annuaire Santé: a full scan once, then what changed since, folded in.

A scan shows the records as of its first page, and takes hours: what is changed meanwhile may be in none of its pages.
So each scan is followed by the changes since its start, and only both together become a copy. Copy and start of the
next changes are put in place in one step.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from ror_sante.api.annuaire.parameters import check_type
from ror_sante.errors import (
    ApiError,
    ConfigurationError,
    NotFoundError,
    SyncError,
    TransportError,
    TruncatedResultError,
)
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.sync.annuaire.copies import ABOUT, Changes, Copy, copy_of, write
from ror_sante.sync.annuaire.fold import fold, names
from ror_sante.sync.annuaire.spool import Note, Spool
from ror_sante.sync.files import private_folder, remove, sync_folder
from ror_sante.sync.lock import locked
from ror_sante.sync.progress import Silent
from ror_sante.sync.snapshot import MANIFEST, is_placed, new_name, place, publish
from ror_sante.sync.state import server_time, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ror_sante.api.annuaire.client import AnnuaireSanteClient
    from ror_sante.http.clock import Clock
    from ror_sante.sync.annuaire.fold import Folded
    from ror_sante.sync.progress import Watcher

# annuaire-sante-fhir-documentation, page "uc-call-type" (2026-06-30): updates older than 30 days are not kept.
WINDOW: Final = timedelta(days=30)
OVERLAP: Final = 600.0  # seconds: a change may be seen by searches some time after the date that it bears
CHANGES: Final = "changes"

_WORK: Final = ".work"
_SCAN, _DELTA, _CHANGED, _COPY = "scan", "delta", "changed", "copy"  # folders in it
_STARTS: Final = 3  # searches begun in one run, when the service loses the next link each time
_FRESH: Final = timedelta(days=2)  # how long the work of a dead run is worth being taken up
_WAITS: Final = (30.0, 60.0, 120.0, 240.0, 480.0)  # seconds; long runs of 502 are known (issues 331, 372, 405)
_TOLD: Final = 25  # pages a step


@dataclass(frozen=True, kw_only=True)
class Mirrored:
    """What a run brought for one type.

    Attributes:
        type: of the resources.
        where: the folder with the copy; its name changes, ``current`` beside it leads to the newest.
        copy: what is in it.
        full: it was scanned; False is a run of changes.
        changes: the folder with what changed; None after a scan, or when nothing did.
        changed: how many records came that are in force.
        deactivated: how many came that are not.
        since: where the changes start, the overlap not counted.
    """

    type: str
    where: Path
    copy: Copy
    full: bool
    changes: Path | None
    changed: int
    deactivated: int
    since: datetime


def mirror(
    client: AnnuaireSanteClient,
    resource_types: Sequence[str],
    folder: Path,
    *,
    full: bool = False,
    overlap: float = OVERLAP,
    watcher: Watcher | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[Mirrored]:
    """Bring the copies of some resource types up to date, one after the other; the first time by a full scan.

    Whatever stops a run, the copies are as they were, and what has come stays for the next run, which goes on there.

    Args:
        client: how the service is reached.
        resource_types: such as ``Practitioner`` and ``Organization``.
        folder: the output folder; ``TYPE/current`` in it leads to the copy of a type.
        full: scan again, whatever there is.
        overlap: seconds before the start of the changes that are asked again.
        watcher: told of each step.
        clock: names folders; what counts is the server's time.

    Returns:
        An iterator: a step is a type that is in place. The folder is locked meanwhile.

    Raises:
        LockedError: another run works in the folder.
        ConfigurationError: no such type, a copy of another service.
        SyncError: the last run is further back than the service keeps changes; it lost the pages again and again; a
            copy cannot be read.
        TruncatedResultError: the service lost a part of the result.
        RorError: the service refused, or could not be reached.
        OSError: the disk.
    """
    for name in resource_types:
        check_type(name)
    if not 0 <= overlap <= WINDOW.total_seconds() / 2:
        raise ConfigurationError("the overlap is between no seconds and half of the 30 days that the service keeps")
    return _mirrored(client, resource_types, folder, full, timedelta(seconds=overlap), watcher or Silent(), clock)


def _mirrored(
    client: AnnuaireSanteClient,
    resource_types: Sequence[str],
    folder: Path,
    full: bool,
    overlap: timedelta,
    watcher: Watcher,
    clock: Clock,
) -> Iterator[Mirrored]:
    with locked(folder):
        runs = [_Run(client, name, folder / name, overlap, watcher, clock) for name in dict.fromkeys(resource_types)]
        if not full:
            for run in runs:  # what is too old is told before an hour is spent on another type
                run.check_window()
        for run in runs:
            yield run.result(full=full)


@dataclass(frozen=True)
class _Run:
    """What the steps of a run for one type share."""

    client: AnnuaireSanteClient
    type: str
    folder: Path
    overlap: timedelta
    watcher: Watcher
    clock: Clock

    @property
    def _work(self) -> Path:
        return self.folder / _WORK

    def check_window(self) -> None:
        """Refuse a copy that the changes of the service do not reach back to."""
        found = self._here()
        if found is None:
            return
        now, cursor = self._server_time(), found[1].cursor
        if now - (cursor - self.overlap) > WINDOW:
            raise SyncError(
                f"the copy of {self.type} is of {written(cursor)}, {(now - cursor).days} days ago, and the service "
                f"keeps changes for {WINDOW.days} days",
                hint="What changed before cannot be known any more: scan again with --full. The copy stays meanwhile.",
            )

    def result(self, *, full: bool) -> Mirrored:
        private_folder(self.folder)
        found = None if full else self._here()
        if found is None:
            scan, note = self._filled(_SCAN, None)
            return self._updated([scan], note.begun, scanned=note.begun, full=True)
        where, copy = found
        return self._updated([where / name for name in names(self.type)], copy.cursor, scanned=copy.scanned)

    def _updated(self, base: list[Path], since: datetime, *, scanned: datetime, full: bool = False) -> Mirrored:
        delta, note = self._filled(_DELTA, since - self.overlap)
        changed = fold([delta], self._work / _CHANGED, self.type)
        changes = None if full else self._placed_changes(note, changed, since)
        if full or note.found:
            self._publish([delta, *base], note, scanned)
        else:
            self._move_on(note)
        self._tidy(note, full=full)
        where, copy = self._published()
        counts = {"changed": changed.active.count, "deactivated": changed.deactivated.count}
        self.watcher.step("published", type=self.type, records=copy.active.count, **counts)
        return Mirrored(type=self.type, where=where, copy=copy, full=full, changes=changes, since=since, **counts)

    def _tidy(self, note: Note, *, full: bool) -> None:
        """Leave nothing but a scan that an earlier run began, and that one with --full may go on with."""
        scan = None if full else Spool.left(self._work / _SCAN)
        if scan is None or note.begun - scan.note.begun > _FRESH:
            remove(self._work)
        for name in (_DELTA, _CHANGED, _COPY):
            remove(self._work / name)

    def _here(self) -> tuple[Path, Copy] | None:
        found = copy_of(self.folder)
        if found is not None and (found[1].service, found[1].type) != (self.client.fhir_base, self.type):
            raise ConfigurationError(
                f"the copy in {self.folder} belongs to another service", hint="Take a folder for each place (--out)."
            )
        return found

    def _published(self) -> tuple[Path, Copy]:
        found = copy_of(self.folder)
        if found is None:
            raise SyncError("the new copy has gone from its folder", hint="Run it again.")
        return found

    def _server_time(self) -> datetime:
        path = f"{urlsplit(self.client.fhir_base).path}/{self.type}"
        return server_time(self.client.request("GET", path, params=[("_count", "1"), ("_total", "none")]))

    # -------------------------------------------------------------- fetching

    def _filled(self, kind: str, since: datetime | None) -> tuple[Path, Note]:
        """Bring all pages of a search to the disk, from where an earlier run of the same stopped."""
        folder = self._work / kind
        spool = Spool.left(folder)
        if spool is None or not self._is_worth(spool.note, since):
            spool = self._begun(folder, since)
        else:
            self.watcher.step("resumed", type=self.type, found=spool.note.found, total=spool.note.total)
        if not spool.note.done:
            spool = self._searched(spool, folder, since)
        return spool.path, spool.note

    def _is_worth(self, note: Note, since: datetime | None) -> bool:
        same = (note.service, note.since) == (self.client.fhir_base, since)
        return same and self._server_time() - note.begun <= _FRESH

    def _begun(self, folder: Path, since: datetime | None) -> Spool:
        now = self._server_time()
        self.watcher.step("begun", type=self.type, since=written(since) if since else "", at=written(now))
        return Spool.begun(folder, Note(service=self.client.fhir_base, begun=now, since=since, name=new_name(now)))

    def _searched(self, spool: Spool, folder: Path, since: datetime | None) -> Spool:
        """Fetch what is missing; anew when the next link leads nowhere, for it cannot be had again."""
        for _ in range(_STARTS):
            before = spool.note.found
            try:
                with spool:
                    self._fetched(spool)
            except NotFoundError as error:
                if not spool.note.link:
                    raise
                reason = error.message
            except TruncatedResultError as error:
                if not before or spool.note.found > before:  # the next run asks that page once more
                    raise
                reason = error.message
            except SyncError:
                remove(folder)
                raise
            else:
                return spool
            self.watcher.step("restarted", type=self.type, reason=reason)
            spool = self._begun(folder, since)
        raise SyncError(
            f"the service lost the pages of {self.type} {_STARTS} times on the way",
            hint="Its links may live too short for this line; run it again at another hour. The last copy stays.",
        )

    def _fetched(self, spool: Spool) -> None:
        """Fetch, and wait while the service has a bad time, as long as there is something to lose."""
        waits = iter(_WAITS)
        while True:
            before = spool.note.found
            try:
                return self._fetch(spool)
            except (TransportError, ApiError) as error:
                waits = iter(_WAITS) if spool.note.found > before else waits
                seconds = next(waits, None)
                if not error.retryable or not spool.note.link or seconds is None:
                    raise
                self.watcher.step("waiting", type=self.type, seconds=seconds, reason=error.message)
                self.clock.sleep(seconds)

    def _fetch(self, spool: Spool) -> None:
        since = spool.note.since
        # With a zone: without one the service reads GMT (page "uc-call-type"), and that could change.
        params = [] if since is None else [("_lastUpdated", f"ge{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")]
        with contextlib.closing(self.client.scan(self.type, params, reached=spool.note.reached)) as pages:
            for number, page in enumerate(pages):
                self.watcher.received(spool.take(page))
                if page.next and number % _TOLD == _TOLD - 1:
                    self._tell(spool.note)
        spool.finish()
        self._tell(spool.note)

    def _tell(self, note: Note) -> None:
        self.watcher.step("page", type=self.type, found=note.found, total=note.total)

    # -------------------------------------------------------------- writing

    def _publish(self, sources: list[Path], note: Note, scanned: datetime) -> None:
        if not is_placed(self.folder, note.name):  # killed before the pointer moved, perhaps
            self._check_room(sources)
            made = self._work / _COPY
            folded = fold(sources, made, self.type)
            copy = Copy(
                type=self.type,
                service=note.service,
                cursor=note.begun,
                scanned=scanned,
                active=folded.active,
                deactivated=folded.deactivated,
            )
            write(made, MANIFEST, copy)
            place(self.folder, made, note.name)
        publish(self.folder, note.name)

    def _check_room(self, sources: list[Path]) -> None:
        needed, free = sum(path.stat().st_size for path in sources), shutil.disk_usage(self.folder).free
        if free < needed:
            raise ConfigurationError(
                f"{free >> 20} MiB are free on the disk of {self.folder}, and the copy needs {needed >> 20} MiB",
                hint="The new copy is written beside the old one. What has come stays for the next run.",
            )

    def _move_on(self, note: Note) -> None:
        """Remember that nothing has changed since."""
        where, copy = self._published()
        write(where, MANIFEST, msgspec.structs.replace(copy, cursor=note.begun))

    def _placed_changes(self, note: Note, changed: Folded, since: datetime) -> Path | None:
        """Put what changed where its reader finds it, before the copy moves on: once, whatever stops the run."""
        if not note.found:
            return None
        place = private_folder(self.folder / CHANGES) / note.name
        if not place.exists():
            made = self._work / _CHANGED
            about = Changes(
                type=self.type,
                service=note.service,
                since=since,
                until=note.begun,
                active=changed.active,
                deactivated=changed.deactivated,
            )
            write(made, ABOUT, about)
            sync_folder(made)
            made.rename(place)
            sync_folder(place.parent)
        return place
