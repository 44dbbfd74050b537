"""Write files that only their owner may read: beside, synced, then renamed into place."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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


def write_private(path: Path, data: bytes) -> Path:
    """Write a file of mode 0600; a reader sees the old content or the new one, never a half.

    Args:
        path: where; its folder must exist.
        data: the whole content.

    Returns:
        The same path.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        _write_new(beside, data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # a umask can only take rights away; 0600 is meant exactly
        file.write(data)
        file.flush()
        os.fsync(descriptor)
