"""One run at a time for a folder: a lock that the system takes back when its holder dies."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError, SyncError
from ror_sante.sync.files import private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK: Final = "lock"


class LockedError(SyncError):
    """Another run works on the same folder."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made when it is missing.

    Raises:
        LockedError: another process, or another run of this one, holds it.
        ConfigurationError: the system has no such locks.
        OSError: the folder cannot be used.
    """
    try:
        import fcntl  # here, so that the other verbs load where it is missing
    except ImportError as error:
        raise ConfigurationError(
            "copies and deltas need a POSIX system today", hint="On Windows, run them in WSL or in a container."
        ) from error
    private_folder(folder)
    with (folder / LOCK).open("ab") as file:
        (folder / LOCK).chmod(0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"another run works on {folder}",
                hint="Let it end, or name another folder with --out. A dead run holds no lock.",
            ) from None
        yield
