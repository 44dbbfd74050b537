"""Folders and files of a copy: for their owner alone, synced, and put in place by a rename."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.http.answer import Answer

COMING: Final = ".coming"
_TAIL: Final = 64  # bytes at the end of a piece: to look at all of it would copy it
_BUFFER: Final = 256 * 1024  # bytes; the usual 8 KiB are two resources


def private_folder(folder: Path) -> Path:
    """Make a folder (and its parents) that nobody else may enter, whatever the umask.

    Args:
        folder: where; one that exists is closed to others too.

    Returns:
        The same path.

    Raises:
        OSError: it cannot be made.
    """
    missing = [place for place in folder.parents if not place.exists()]
    for place in [*reversed(missing), folder]:
        place.mkdir(exist_ok=True)
        place.chmod(0o700)  # at once: under a umask of 0177 we could not enter it ourselves
    return folder


def create(path: Path) -> BinaryIO:
    """Open a new, empty file of mode 0600 for reading and writing; one that is there is emptied."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # a umask can only take rights away, and the file may be an old one
    return os.fdopen(descriptor, "w+b", buffering=_BUFFER)


def reopen(path: Path, size: int) -> BinaryIO:
    """Open a file of mode 0600 at a place in it, unbuffered, and forget what lies beyond; a missing one is made.

    Args:
        path: the file.
        size: how many of its bytes count. Where there are fewer, the position says so.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)
    file = os.fdopen(descriptor, "r+b", buffering=0)
    os.truncate(descriptor, min(size, os.fstat(descriptor).st_size))
    file.seek(0, os.SEEK_END)
    return file


def settle(file: BinaryIO) -> None:
    """Bring what was written to the disk, so that a rename after it cannot come first."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names of a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600: a reader sees the old content or the new one, never a half.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with create(beside) as file:
            file.write(data)
            settle(file)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a folder with all that is in it, as far as that goes."""
    shutil.rmtree(path, ignore_errors=True)


class Download:
    """A file on its way in, under another name until it is whole: the sink of `Exchange.pour`.

    Args:
        path: its name when it is whole.
        check: called before each piece; what it raises ends the download.
        received: told the size of each piece, and a negative one when an attempt starts again.
    """

    def __init__(
        self, path: Path, *, check: Callable[[], None] = lambda: None, received: Callable[[int], None] = lambda _: None
    ) -> None:
        self.path = path
        self.size = 0
        self.last = b""
        self._check = check
        self._received = received
        self._beside = path.with_name(f"{path.name}.{secrets.token_hex(6)}{COMING}")
        self._file = create(self._beside)

    def begin(self, _answer: Answer, /) -> None:
        """Empty the file: the body comes from its first byte."""
        self._received(-self.size)
        self._file.seek(0)
        self._file.truncate()
        self.size = 0
        self.last = b""

    def write(self, data: bytes, /) -> None:
        """Take a piece."""
        self._check()
        self._file.write(data)
        self.size += len(data)
        self.last = data[-_TAIL:].rstrip()[-1:] or data.rstrip()[-1:] or self.last
        self._received(len(data))

    def finish(self) -> None:
        """Give the file its name.

        It is not synced, for it lives short, and writing it to the disk would cost as much again as the copy itself;
        what a power cut makes of it is found when it is split.
        """
        self._file.close()
        self._beside.replace(self.path)

    def discard(self) -> None:
        """Leave nothing behind; a finished file stays."""
        with contextlib.suppress(OSError):  # a full disk refuses what is still in the buffer
            self._file.close()
        self._beside.unlink(missing_ok=True)
