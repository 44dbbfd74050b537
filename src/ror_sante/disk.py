"""Write files for their owner alone, whole or not at all: beside, synced, put in place by a rename."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING, BinaryIO, Final

from ror_sante.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BUFFER: Final = 256 * 1024  # bytes; the usual 8 KiB are two resources
# What a file system without hard links answers (FAT, some network shares).
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def private_folder(folder: Path) -> Path:
    """Make a folder (and its parents) that nobody else may enter, whatever the umask.

    Args:
        folder: where; one that exists is closed to others too.

    Returns:
        The same path.

    Raises:
        ConfigurationError: it is there and belongs to all, such as ``/tmp``: closing it would stop the machine.
        OSError: it cannot be made.
    """
    missing = [place for place in folder.parents if not place.exists()]
    for place in [*reversed(missing), folder]:
        place.mkdir(exist_ok=True)
        if place.stat().st_mode & stat.S_ISVTX:
            raise ConfigurationError(
                f"{printable(place)} is shared by the users of this machine, and ours must be closed to others",
                hint="Name a folder of its own in it.",
            )
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


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write to an unbuffered file: a disk that is nearly full takes less than it was given."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


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
    beside = _written_beside(path, data)
    try:
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_new(files: Mapping[Path, bytes]) -> None:
    """Write new files of mode 0600, all or none, and never in the place of one that is there.

    Args:
        files: the contents by path; the folders must exist.

    Raises:
        ConfigurationError: one is there already, or cannot be written; none of them is left behind then.
    """
    for path in files:
        if os.path.lexists(path):
            raise _is_there(path)
    done: list[Path] = []
    try:
        for path, data in files.items():
            _put(path, data)
            done.append(path)
    except OSError as error:
        for made in done:
            made.unlink(missing_ok=True)
        raise _not_written(error, path) from error


def _put(path: Path, data: bytes) -> None:
    beside = _written_beside(path, data)
    try:
        try:
            os.link(beside, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # the name is ours, or taken
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def _written_beside(path: Path, data: bytes) -> Path:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with create(beside) as file:
            file.write(data)
            settle(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside


def _not_written(error: OSError, path: Path) -> ConfigurationError:
    if isinstance(error, FileExistsError):
        return _is_there(path)
    return ConfigurationError(
        f"{printable(path)} cannot be written: {error.strerror or type(error).__name__}",
        hint="Check the folder, its permissions and the room on the disk. Nothing was left behind.",
    )


def _is_there(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{printable(path)} is there already, and is never overwritten",
        hint="Give another name, or move the old file away: a key that is lost cannot be made again.",
    )
