"""Folders and files of a copy: for their owner alone, synced, and put in place by a rename."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from typing import TYPE_CHECKING, Final

from ror_sante.disk import create, private_folder, reopen, settle, sync_folder, write_all, write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.http.answer import Answer

__all__ = [
    "COMING",
    "Download",
    "create",
    "private_folder",
    "remove",
    "reopen",
    "settle",
    "sync_folder",
    "write_all",
    "write_private",
]

COMING: Final = ".coming"
_TAIL: Final = 64  # bytes at the end of a piece: to look at all of it would copy it


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
        self._file = reopen(self._beside, 0)  # new, for its name is; pieces are large, a buffer would be one copy more

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
        write_all(self._file, data)
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
        with contextlib.suppress(OSError):  # some file systems find only now that they are full
            self._file.close()
        self._beside.unlink(missing_ok=True)
