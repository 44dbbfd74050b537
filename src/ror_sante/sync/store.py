"""Write resources as NDJSON, a file a type, each resource once, counted by region and type; file by file, as they come.

What was written is brought to the disk now and then, with a note of how far that is. Only then do the files that it
came from go: a store that is opened again goes on from its last note, whatever happened since.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

import msgspec

from ror_sante.api.fhir.document import UNREADABLE
from ror_sante.api.fhir.outcome import OperationOutcome
from ror_sante.api.policy import DIRECTORY_TYPES
from ror_sante.errors import SyncError
from ror_sante.sync.files import create, private_folder, remove, reopen, settle, sync_folder, write_all, write_private
from ror_sante.sync.heads import OUTCOME, heads, region_of
from ror_sante.sync.job import failed
from ror_sante.sync.seen import SIZE, again, record
from ror_sante.sync.split import BrokenFileError, resources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from ror_sante.sync.journal import Part

# Names of files never come from a server: a type that the directory does not have goes to the last one.
FILES: Final = {**{name: f"{name}.ndjson" for name in DIRECTORY_TYPES}, "": "Other.ndjson"}
COPY: Final = "copy"  # the folder of the finished files
CHECKPOINT: Final = 64 * 1024 * 1024  # bytes of files taken before what was written of them is brought to the disk

_KINDS: Final = {name: number for number, name in enumerate(FILES)}
_OTHER: Final = _KINDS[""]
_NAMES: Final = tuple(name or "Other" for name in FILES)
_GROUPS: Final = 60_000  # regions times types; France has 18 regions
_PLACES: Final = 10_000  # types with different lists of tags that are remembered
_BUFFER: Final = 1 << 18
_BLOCK: Final = 1 << 19  # bytes of lines that are written at a time: many small writes cost the system twice as much
_LINES: Final = "lines"
_SEEN: Final = "seen"
_NOTE: Final = "taken.json"


class Count(msgspec.Struct, frozen=True, order=True):
    """How many resources of a type come from a region.

    Attributes:
        region: the code of the region in their ``meta.tag``; empty for those that have none.
        type: the resource type, as it names its file; ``Other`` for the rest.
        count: how many.
        with_telecom: how many of them have a telephone number, an address of mail or the like.
    """

    region: str
    type: str
    count: int
    with_telecom: int


@dataclass(frozen=True)
class Written:
    """One file that was written.

    Attributes:
        name: of the file.
        type: what is in it.
        count: its lines.
        size: its bytes.
        sha256: of its bytes, in hexadecimal.
    """

    name: str
    type: str
    count: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Stored:
    """All that was written.

    Attributes:
        folder: where.
        files: by type, in the order of the documentation.
        counts: by region and type.
        repeated: how often a resource had come before.
    """

    folder: Path
    files: tuple[Written, ...]
    counts: tuple[Count, ...]
    repeated: int


class _Pile(msgspec.Struct):
    """The lines of one type: what counts of its file."""

    size: int = 0
    lines: int = 0


class _Tally(msgspec.Struct):
    region: str
    kind: int
    count: int = 0
    with_telecom: int = 0


class _Note(msgspec.Struct):
    """How far a store is: what lies in its files beyond that does not count."""

    taken: int = 0  # files, in the order of the manifests
    seen: int = 0  # bytes
    piles: dict[int, _Pile] = {}
    tallies: list[_Tally] = []


_DECODER: Final = msgspec.json.Decoder(_Note)


@dataclass
class _Open:
    """The file of a pile, the digest of what went into it, and the lines that are not written yet.

    The digest is None when a part of the file was written by another run.
    """

    file: BinaryIO
    digest: Any = None
    waiting: list[bytes | msgspec.Raw] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        write_all(self.file, data)
        if self.digest is not None:
            self.digest.update(data)


class _Place(NamedTuple):
    """Where the resources of one type with one list of tags go, and where they count."""

    kind: int
    group: int
    pile: _Pile
    tally: _Tally
    waiting: list[bytes | msgspec.Raw]


class Store:
    """A copy that is being written; a context manager.

    Args:
        folder: where it lies; what an earlier store left there is taken up.

    Raises:
        SyncError: that cannot be taken up.
        OSError: the disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        private_folder(folder / _LINES)
        self._note = self._noted()
        self._groups = {(tally.region, tally.kind): number for number, tally in enumerate(self._note.tallies)}
        self._places: dict[tuple[str, bytes], _Place] = {}
        self._open: dict[int, _Open] = {}
        self._pending = 0  # bytes of lines that are not written yet
        self._writing: Future[None] | None = None
        self._fresh: list[Path] = []  # files that go at the next note
        self._weight = 0  # their bytes
        self._settling: Future[None] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack as stack:
            self._put_back()
            for kind in self._note.piles:
                self._reopened(kind)
            self._seen = self._at(self.folder / _SEEN, self._note.seen)
            self._stack = stack.pop_all()
        self._writer, self._settler = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        return self

    def __exit__(self, *_: object) -> None:
        for hand in (self._writer, self._settler):
            hand.shutdown()  # what it has in hand needs the files; it ends well, or is done again by the next store
        self._stack.close()

    @property
    def taken(self) -> int:
        """How many files, in the order of the manifests, are in the store."""
        return self._note.taken

    # -------------------------------------------------------------- taking up

    def _noted(self) -> _Note:
        try:
            note = _DECODER.decode((self.folder / _NOTE).read_bytes())
        except FileNotFoundError:
            return _Note(piles={}, tallies=[])
        except UNREADABLE as error:
            raise self._damaged() from error
        if not set(note.piles) | {tally.kind for tally in note.tallies} <= set(_KINDS.values()):
            raise self._damaged()
        return note

    def _put_back(self) -> None:
        """Take the files of a copy that was finished and not published; those without repeats were moved there."""
        for name in FILES.values():
            moved, place = self.folder / COPY / name, self._path(_kind_of(name))
            if moved.exists() and not place.exists():
                moved.rename(place)
        remove(self.folder / COPY)

    def _reopened(self, kind: int) -> None:
        pile = self._note.piles[kind]
        self._open[kind] = self._at(self._path(kind), pile.size)
        self._open[kind].digest = None if pile.size else sha256()

    def _at(self, path: Path, size: int) -> _Open:
        file = self._stack.enter_context(reopen(path, size))
        if file.tell() < size:
            raise self._damaged()
        return _Open(file)

    def _damaged(self) -> SyncError:
        return SyncError(
            f"what the run had written in {self.folder} is damaged",
            hint="Start again without --resume; the last good copy stays.",
        )

    def _path(self, kind: int) -> Path:
        return self.folder / _LINES / tuple(FILES.values())[kind]

    # -------------------------------------------------------------- taking

    def take(self, part: Part, path: Path) -> None:
        """Take the next file, which goes when all of it is on the disk.

        Raises:
            BrokenFileError: it is not what it should be; `cursor` holds its path. Open the store again to go on.
            JobFailedError: the service reports errors in it.
            OSError: the disk is full, for instance.
        """
        try:
            _check(part, sum(map(self._put, resources(path))))
            self._write_lines()
        except BrokenFileError as error:
            error.cursor = str(path)
            raise
        self._note.taken += 1
        self._fresh.append(path)
        self._weight += path.stat().st_size
        if self._weight >= CHECKPOINT:
            self._settle()

    def _settle(self) -> Future[None]:
        """Have all that was taken so far brought to the disk, while more is taken; one such work at a time."""
        for earlier in (self._writing, self._settling):
            if earlier is not None:
                earlier.result()
        files = [self._seen.file, *(one.file for one in self._open.values())]
        self._settling = self._settler.submit(self._settled, files, msgspec.json.encode(self._note), self._fresh)
        self._fresh = []
        self._weight = 0
        return self._settling

    def _settled(self, files: list[BinaryIO], note: bytes, taken: list[Path]) -> None:
        """Bring it to the disk, note it, and let the files go that it came from."""
        for file in files:
            settle(file)
        sync_folder(self.folder / _LINES)
        write_private(self.folder / _NOTE, note)
        for path in taken:
            path.unlink(missing_ok=True)

    def _put(self, batch: Sequence[bytes | msgspec.Raw]) -> int:
        """Take some resources; the loop is what a copy spends its time in."""
        records, places = [], self._places
        for raw, head in zip(batch, heads(batch), strict=True):
            tag = bytes(head.meta.tag)
            place = places.get((head.resource_type, tag))
            if place is None:
                if head.resource_type == OUTCOME:
                    _judge(bytes(raw))
                    continue
                place = self._place(head.resource_type, tag)
            kind, group, pile, tally, waiting = place
            flag = head.has_telecom
            tally.count += 1
            tally.with_telecom += flag
            name = f"{head.resource_type}/{head.id}".encode()
            records.append(record(name, pile.lines + len(waiting), group, kind, flag))
            waiting.append(raw)
        self._pending += sum(map(len, batch))
        if self._pending >= _BLOCK:
            self._write_lines()
        self._seen.write(b"".join(records))
        self._note.seen += SIZE * len(records)
        return len(batch)

    def _write_lines(self) -> None:
        """Hand on what waits; a block is written, and its digest made, while the next is gathered."""
        block = [(self._open[kind], self._joined(kind)) for kind in self._open if self._open[kind].waiting]
        if self._writing is not None:
            self._writing.result()
        self._writing = self._writer.submit(_write, block)
        self._pending = 0

    def _joined(self, kind: int) -> bytes:
        waiting, pile = self._open[kind].waiting, self._note.piles[kind]
        data = b"\n".join([*waiting, b""])
        pile.size += len(data)
        pile.lines += len(waiting)
        waiting.clear()
        return data

    def _opened(self, kind: int) -> None:
        if kind not in self._open:
            self._note.piles[kind] = _Pile()
            self._reopened(kind)

    def _place(self, resource_type: str, tag: bytes) -> _Place:
        kind, region = _KINDS.get(resource_type, _OTHER), region_of(tag)
        self._opened(kind)
        group = self._groups.setdefault((region, kind), len(self._groups))
        if group >= _GROUPS:
            raise BrokenFileError("the export names more regions than there can be")
        if group == len(self._note.tallies):
            self._note.tallies.append(_Tally(region, kind))
        if len(self._places) >= _PLACES:
            self._places.clear()
        place = _Place(kind, group, self._note.piles[kind], self._note.tallies[group], self._open[kind].waiting)
        self._places[resource_type, tag] = place
        return place

    # -------------------------------------------------------------- finishing

    def finished(self) -> Stored:
        """Put the files of the copy into a folder of their own, without what came again, and say what there is.

        Until that folder is moved away a store that is opened again finds all that it needs.
        """
        self._settle().result()
        piles = self._note.piles
        repeated = {kind: bytearray(-(-pile.lines // 8)) for kind, pile in piles.items()}
        less = [0] * len(self._note.tallies), [0] * len(self._note.tallies)
        for place in again(self._seen.file, self.folder):
            repeated[place.file][place.line >> 3] |= 1 << (place.line & 7)
            less[0][place.group] += 1
            less[1][place.group] += place.flag
        private_folder(self.folder / COPY)
        written = tuple(self._finished(kind, repeated[kind]) for kind in sorted(piles))
        counts = sorted(
            Count(tally.region, _NAMES[tally.kind], tally.count - count, tally.with_telecom - telecoms)
            for tally, count, telecoms in zip(self._note.tallies, *less, strict=True)
        )
        return Stored(self.folder / COPY, written, tuple(counts), sum(less[0]))

    def _finished(self, kind: int, repeated: bytearray) -> Written:
        path, pile, one = self._path(kind), self._note.piles[kind], self._open[kind]
        place = self.folder / COPY / path.name
        if any(repeated):
            count, digest = _without(path, repeated, place), None
        else:
            path.rename(place)
            count, digest = pile.lines, one.digest and one.digest.hexdigest()
        return Written(place.name, _NAMES[kind], count, place.stat().st_size, digest or _sha256(place))


def _write(block: list[tuple[_Open, bytes]]) -> None:
    for one, data in block:
        one.write(data)


def _check(part: Part, number: int) -> None:
    if part.count is not None and not part.errors and number != part.count:
        raise BrokenFileError(f"the manifest announces {part.count} resources in a file, and there are {number}")


def _without(path: Path, repeated: bytearray, place: Path) -> int:
    """Write the lines that stay into another file."""
    count = 0
    with path.open("rb", buffering=_BUFFER) as lines, create(place) as file:
        for number, line in enumerate(lines):
            if not repeated[number >> 3] >> (number & 7) & 1:
                file.write(line)
                count += 1
        settle(file)
    return count


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def _kind_of(name: str) -> int:
    return list(FILES.values()).index(name)


def _judge(raw: bytes) -> None:
    outcome = OperationOutcome.parse(raw)
    if outcome is None or any(issue.grave for issue in outcome.issues):
        told = outcome.summary if outcome is not None else ""
        raise failed(f"the service reports errors in its export: {told or 'it does not say which'}")
