"""Write resources as NDJSON, a file a type, each resource once, and count them by region and type."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import file_digest
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from ror_sante.api.fhir.document import UNREADABLE
from ror_sante.api.fhir.outcome import OperationOutcome
from ror_sante.api.policy import DIRECTORY_TYPES
from ror_sante.errors import SyncError
from ror_sante.sync.files import create, settle
from ror_sante.sync.job import REGION
from ror_sante.sync.seen import Place, Seen
from ror_sante.sync.split import BrokenFileError, resources

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ror_sante.sync.journal import Part

# Names of files never come from a server: a type that the directory does not have goes to the last one.
FILES: Final = {**{name: f"{name}.ndjson" for name in DIRECTORY_TYPES}, "": "Other.ndjson"}
_TYPES: Final = {name: number for number, name in enumerate(FILES)}
_GROUPS: Final = 60_000  # regions times types; France has 18 regions
_BUFFER: Final = 1 << 18
_OUTCOME: Final = "OperationOutcome"


class _Tag(msgspec.Struct, frozen=True):
    system: str = ""
    code: str = ""


class _Meta(msgspec.Struct, frozen=True):
    tag: tuple[_Tag, ...] = ()


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str | int
    meta: _Meta = _Meta()
    telecom: msgspec.Raw = msgspec.Raw()

    @property
    def region(self) -> str:
        return next((tag.code for tag in self.meta.tag if tag.system == REGION), "")


class _BareHead(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str | int | None = None


_HEAD: Final = msgspec.json.Decoder(_Head)
_BARE: Final = msgspec.json.Decoder(_BareHead)


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
        files: by type, in the order of the documentation.
        counts: by region and type.
        repeated: how often a resource had come before.
    """

    files: tuple[Written, ...]
    counts: tuple[Count, ...]
    repeated: int


def store(folder: Path, parts: Iterable[tuple[Part, Path]]) -> Stored:
    """Write the files of an export as NDJSON.

    Args:
        folder: where; it exists and is empty.
        parts: the files, in the order of the manifests.

    Raises:
        BrokenFileError: a file is not what it should be; `cursor` holds its path.
        SyncError: the service reports errors in its files.
        OSError: the disk is full, for instance.
    """
    with ExitStack() as stack:
        shelf = _Shelf(folder, stack)
        for part, path in parts:
            try:
                _take(shelf, part, path)
            except BrokenFileError as error:
                error.cursor = str(path)
                raise
        return shelf.closed()


def _take(shelf: _Shelf, part: Part, path: Path) -> None:
    before = shelf.taken
    for batch in resources(path):
        for resource in batch:
            shelf.put(bytes(resource))
    if part.count is not None and not part.errors and shelf.taken - before != part.count:
        raise BrokenFileError(
            f"the manifest announces {part.count} resources in a file, and there are {shelf.taken - before}"
        )


@dataclass
class _Tally:
    count: int = 0
    with_telecom: int = 0


class _Shelf:
    """The open files, and what has gone into them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._seen = stack.enter_context(Seen(folder))
        self._files: dict[int, BinaryIO] = {}
        self._lines: Counter[int] = Counter()
        self._groups: dict[tuple[str, int], int] = {}
        self._tallies: list[_Tally] = []
        self._outcomes = 0
        self.taken = 0

    def put(self, raw: bytes) -> None:
        """Take one resource."""
        self.taken += 1
        try:
            head = _head(raw)
        except UNREADABLE as error:
            raise BrokenFileError("a file of the export holds what is no resource") from error
        if head.resource_type == _OUTCOME:
            _judge(raw)
            return
        kind = _TYPES.get(head.resource_type, _TYPES[""])
        group = self._group(head.region, kind)
        flag = len(head.telecom) > 2 and bytes(head.telecom) != b"null"  # two characters are an empty list
        name = f"{head.resource_type}/{head.id}".encode()
        self._seen.add(name, Place(self._lines[kind], kind, group, flag))
        self._tallies[group].count += 1
        self._tallies[group].with_telecom += flag
        self._lines[kind] += 1
        self._file(kind).write(_line(raw))

    def _group(self, region: str, kind: int) -> int:
        found = self._groups.get((region, kind))
        if found is None:
            found = self._groups[region, kind] = len(self._tallies)
            if found >= _GROUPS:
                raise BrokenFileError("the export names more regions than there can be")
            self._tallies.append(_Tally())
        return found

    def _file(self, kind: int) -> BinaryIO:
        if kind not in self._files:
            self._files[kind] = self._stack.enter_context(create(self._path(kind)))
        return self._files[kind]

    def _path(self, kind: int) -> Path:
        return self._folder / list(FILES.values())[kind]

    def closed(self) -> Stored:
        """Leave out what came again, bring the files to the disk, and say what there is."""
        repeated = {kind: bytearray(-(-lines // 8)) for kind, lines in self._lines.items()}
        number = 0
        for place in self._seen.again():
            repeated[place.file][place.line >> 3] |= 1 << (place.line & 7)
            tally = self._tallies[place.group]
            tally.count -= 1
            tally.with_telecom -= place.flag
            number += 1
        written = [self._settled(kind, repeated[kind]) for kind in sorted(self._files)]
        names = [name or "Other" for name in FILES]
        counts = sorted(
            Count(region, names[kind], tally.count, tally.with_telecom)
            for ((region, kind), tally) in zip(self._groups, self._tallies, strict=True)
        )
        return Stored(tuple(written), tuple(counts), number)

    def _settled(self, kind: int, repeated: bytearray) -> Written:
        """Bring a file to the disk, without the lines that came again."""
        file, path, count = self._files[kind], self._path(kind), self._lines[kind]
        file.flush()
        if any(repeated):
            count = _close_gaps(file, path, repeated)
        settle(file)
        with path.open("rb") as content:
            digest = file_digest(content, "sha256").hexdigest()
        return Written(path.name, path.stem, count, path.stat().st_size, digest)


def _close_gaps(file: BinaryIO, path: Path, repeated: bytearray) -> int:
    """Move the lines that stay over those that came again, in place: what is kept only ever moves forward."""
    file.seek(0)
    count = 0
    with path.open("rb", buffering=_BUFFER) as lines:
        for number, line in enumerate(lines):
            if not repeated[number >> 3] >> (number & 7) & 1:
                file.write(line)
                count += 1
    file.truncate()
    return count


def _head(raw: bytes) -> _Head:
    """Read what is needed of a resource; one whose tags are not FHIR's is counted without a region."""
    try:
        return _HEAD.decode(raw)
    except msgspec.ValidationError:
        bare = _BARE.decode(raw)
        return _Head(bare.resource_type, _known(bare))


def _known(bare: _BareHead) -> str | int:
    if bare.id is None and bare.resource_type != _OUTCOME:
        raise BrokenFileError(f"a {bare.resource_type if bare.resource_type in FILES else 'resource'} has no id")
    return bare.id or ""


def _line(raw: bytes) -> bytes:
    if b"\n" in raw or b"\r" in raw:
        return msgspec.json.format(raw, indent=-1) + b"\n"
    return raw + b"\n"


def _judge(raw: bytes) -> None:
    outcome = OperationOutcome.parse(raw)
    if outcome is None or any(issue.grave for issue in outcome.issues):
        told = outcome.summary if outcome is not None else ""
        raise SyncError(
            f"the service reports errors in its export: {told or 'it does not say which'}",
            hint="Something is missing in it. Start a new export; if that fails too, tell the service's support.",
        )
