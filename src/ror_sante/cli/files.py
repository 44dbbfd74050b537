"""Write a file of ours: for its owner alone, and whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def private_text(path: Path, *, replace: bool = True) -> Iterator[IO[str]]:
    """Write a text file of mode 0600: beside, synced, then put in place when the block ends well.

    What is there and is no plain file (a pipe, ``/dev/null``) is written to, not replaced; a folder is refused.

    Args:
        path: where; its folder must exist.
        replace: take the place of a file that is there; else that is an error.

    Raises:
        OSError: it cannot be written, or is there already.
    """
    if _is_special(path) and replace:
        with path.open("w", encoding="utf-8") as stream:
            yield stream
        return
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)  # exactly that, whatever the umask
            yield file
            file.flush()
            os.fsync(descriptor)
        if replace:
            beside.replace(path)
        else:
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False
