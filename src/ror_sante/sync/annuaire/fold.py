"""Fold files of records into one copy: each record once, as the newest file has it, the deactivated ones apart."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ror_sante.api.annuaire.records import head_of
from ror_sante.errors import SyncError
from ror_sante.sync.files import create, private_folder, remove, settle
from ror_sante.sync.seen import again, record
from ror_sante.sync.snapshot import FileOf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_BUFFER: Final = 1 << 18
_ACTIVE, _DEACTIVATED, _REPEATED = range(3)  # what a line is


@dataclass(frozen=True)
class Folded:
    """What was written.

    Attributes:
        active: the file of the records in force.
        deactivated: the file of the others.
        repeated: how many lines were left out, since a newer file, or an earlier line, has their record.
    """

    active: FileOf
    deactivated: FileOf
    repeated: int


def names(resource_type: str) -> tuple[str, str]:
    """Give the names of the two files: of records in force, and of deactivated ones."""
    return f"{resource_type}.ndjson", f"{resource_type}.deactivated.ndjson"


def fold(sources: Sequence[Path], folder: Path, resource_type: str) -> Folded:
    """Write the records of some files into a new folder; memory does not grow with their number but for a byte each.

    Args:
        sources: files of one record a line, the newest first.
        folder: where the two files go; emptied before.
        resource_type: names them.

    Raises:
        SyncError: a line is no record.
        OSError: the disk.
    """
    remove(folder)
    private_folder(folder)
    kinds = _judged(sources, folder)
    with ExitStack() as stack:
        outs = [_Out(name, stack.enter_context(create(folder / name))) for name in names(resource_type)]
        for path, kind in reversed(list(zip(sources, kinds, strict=True))):
            _written(path, kind, outs)
        for out in outs:
            settle(out.file)
    return Folded(outs[0].told, outs[1].told, sum(kind.count(_REPEATED) for kind in kinds))


@dataclass
class _Out:
    name: str
    file: BinaryIO
    count: int = 0
    size: int = 0
    digest: Any = field(default_factory=sha256)

    def write(self, line: bytes) -> None:
        self.file.write(line)
        self.digest.update(line)
        self.count += 1
        self.size += len(line)

    @property
    def told(self) -> FileOf:
        return FileOf(self.name, self.count, self.size, self.digest.hexdigest())


def _judged(sources: Sequence[Path], folder: Path) -> list[bytearray]:
    """Tell what each line is: the later of two with one record is the repeated one."""
    with tempfile.TemporaryFile(dir=folder) as seen:
        kinds = [_looked_at(path, number, seen) for number, path in enumerate(sources)]
        for place in again(seen, folder):
            kinds[place.file][place.line] = _REPEATED
    return kinds


def _looked_at(path: Path, number: int, seen: BinaryIO) -> bytearray:
    kinds = bytearray()
    with path.open("rb", buffering=_BUFFER) as lines:
        for line, raw in enumerate(lines):
            head = head_of(raw)
            if head is None:
                raise SyncError(
                    f"line {line + 1} of {path} is no record", hint="The file is damaged: begin anew, with --full."
                )
            kinds.append(_DEACTIVATED if head.deactivated else _ACTIVE)
            seen.write(record(str(head.id).encode(), line, 0, number, head.deactivated))
    return kinds


def _written(path: Path, kinds: bytearray, outs: Sequence[_Out]) -> None:
    with path.open("rb", buffering=_BUFFER) as lines:
        for line, kind in zip(lines, kinds, strict=True):
            if kind != _REPEATED:
                outs[kind].write(line)
