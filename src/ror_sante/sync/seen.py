"""Find what came more than once, with little memory: 128-bit digests in a file, and a part of them at a time."""

from __future__ import annotations

import struct
import tempfile
from contextlib import ExitStack
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_RECORD: Final = struct.Struct("<16sIHBB")
SIZE: Final = _RECORD.size  # bytes of a record
_AT_ONCE: Final = 50_000  # digests in memory, about 5 MB
_MOST_PARTS: Final = 200  # open files: ten million resources; beyond that the parts grow
_CHUNK: Final = 4096 * SIZE


class Place(NamedTuple):
    """Where something was seen.

    Attributes:
        line: its line in its file.
        group: the number of the group that counts it.
        file: the number of its file.
        flag: a mark of the caller's.
    """

    line: int
    group: int
    file: int
    flag: bool


def record(name: bytes, line: int, group: int, file: int, flag: bool) -> bytes:
    """Give what is written of something that was seen: the digest of its name, and its place."""
    return _RECORD.pack(blake2b(name, digest_size=16).digest(), line, group, file, flag)


def again(file: BinaryIO, folder: Path) -> Iterator[Place]:
    """Give the places of all that had been seen before.

    Args:
        file: the records, in the order of their being seen.
        folder: where parts of them lie meanwhile; nothing is left there.
    """
    size = file.seek(0, 2)
    file.seek(0)
    parts = min(_MOST_PARTS, -(-size // (_AT_ONCE * SIZE)))
    if parts <= 1:
        yield from _again(file)
        return
    with ExitStack() as stack:
        open_one = tempfile.TemporaryFile
        # A file without a name: it is gone with the process, however that ends.
        files = [stack.enter_context(open_one(dir=folder)) for _ in range(parts)]
        _spread(file, files)
        for one in files:
            one.seek(0)
            yield from _again(one)


def _spread(file: BinaryIO, files: Sequence[BinaryIO]) -> None:
    """Put records with the same digest into the same file, in the same order."""
    writes, parts = [one.write for one in files], len(files)
    while chunk := file.read(_CHUNK):
        for start in range(0, len(chunk), SIZE):
            writes[(chunk[start] << 8 | chunk[start + 1]) % parts](chunk[start : start + SIZE])


def _again(file: BinaryIO) -> Iterator[Place]:
    known: set[bytes] = set()
    while chunk := file.read(_CHUNK):
        for digest, line, group, number, flag in _RECORD.iter_unpack(chunk):
            if digest in known:
                yield Place(line, group, number, bool(flag))
            known.add(digest)
