"""Find what came more than once, with little memory: 128-bit digests in files on disk, a part of them at a time."""

from __future__ import annotations

import struct
import tempfile
from contextlib import ExitStack
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

_BUCKETS: Final = 64  # a million resources are 16 000 digests a bucket, about 2 MB while it is looked at
_RECORD: Final = struct.Struct("<16sIHBB")
_CHUNK: Final = 4096 * _RECORD.size


class Place(NamedTuple):
    """Where something was seen.

    Attributes:
        line: its line in its file.
        file: the number of its file.
        group: the number of the group that counts it.
        flag: a mark of the caller's.
    """

    line: int
    file: int
    group: int
    flag: bool


class Seen:
    """All that was seen, each with its place; a context manager that leaves nothing on disk.

    Args:
        folder: where the digests lie meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        open_one = tempfile.TemporaryFile
        # A file without a name: it is gone with the process, however that ends.
        self._files = [self._stack.enter_context(open_one(dir=self._folder)) for _ in range(_BUCKETS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, name: bytes, place: Place) -> None:
        """Note that something was seen."""
        digest = blake2b(name, digest_size=16).digest()
        record = _RECORD.pack(digest, place.line, place.group, place.file, place.flag)
        self._files[digest[0] % _BUCKETS].write(record)

    def again(self) -> Iterator[Place]:
        """Give the places of all that had been seen before."""
        for file in self._files:
            file.seek(0)
            known: set[bytes] = set()
            while chunk := file.read(_CHUNK):
                for digest, line, group, number, flag in _RECORD.iter_unpack(chunk):
                    if digest in known:
                        yield Place(line, number, group, bool(flag))
                    known.add(digest)
