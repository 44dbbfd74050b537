"""Look into the zip of an extraction, trusting nothing that it says of itself."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from ror_sante.api.annuaire.columns import BrokenExtractionError
from ror_sante.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LARGEST: Final = 64 * 1024**3  # bytes of all members, unpacked; the largest known text has 0.9 GB
RATIO: Final = 200  # a text of these repeats itself 5 to 30 times; deflate reaches 1030, which only a bomb does
MOST: Final = 100  # members; three is the most that is known
_SMALL: Final = 1 << 20  # bytes that may repeat themselves as they like
_PIECE: Final = 1 << 20
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1
# What zipfile and zlib raise at bytes that are no zip, or no whole one.
UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    ValueError,
    OverflowError,
    IndexError,
)


@dataclass(frozen=True)
class Member:
    """One text in an extraction.

    Attributes:
        name: its name without folders, safe to show.
        size: bytes, unpacked.
        path: how the zip names it; None for a text that is in no zip.
    """

    name: str
    size: int
    path: str | None = None


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what zipfile raises into our error.

    Args:
        name: what to call the file.

    Raises:
        BrokenExtractionError: the file is no zip, or not a whole one.
    """
    try:
        yield
    except UNREADABLE as error:
        raise BrokenExtractionError(
            f"{printable(name)} is not a whole zip ({printable(error) or type(error).__name__})",
            hint="Fetch it again: `ror-sante annuaire download` checks a file before it takes the place of another.",
        ) from error


def members_of(archive: zipfile.ZipFile, *, size: int) -> tuple[Member, ...]:
    """Give the texts of a zip, in its order.

    Args:
        archive: the open zip.
        size: bytes of the whole file.

    Raises:
        BrokenExtractionError: a member would be written outside of its folder, is a link, is encrypted, is packed in an
            unusual way, or would grow beyond measure; or there is none.
    """
    infos = archive.infolist()
    if len(infos) > MOST:
        raise _refused(f"it has {len(infos)} members, and an extraction has a few")
    for info in infos:
        _check(info)
    if sum(info.compress_size for info in infos) > size:
        raise _refused("its members overlap, as those of a bomb do")
    if sum(info.file_size for info in infos) > LARGEST:
        raise _refused(f"it would grow beyond {LARGEST >> 30} GiB")
    found = tuple(
        Member(printable(PurePosixPath(info.filename).name), info.file_size, info.filename)
        for info in infos
        if not info.is_dir()
    )
    if not found:
        raise _refused("there is no text in it")
    return found


def check(path: Path, *, name: str, checked: Callable[[int], None] = lambda _: None) -> tuple[Member, ...]:
    """Read every byte of a zip once, and prove its sums.

    Args:
        path: the file.
        name: what to call it.
        checked: told the size of each piece that was unpacked; what it raises ends the check.

    Returns:
        What is in it.

    Raises:
        BrokenExtractionError: it is not whole, or not safe (`members_of`).
        OSError: it cannot be read.
    """
    with explained(name), zipfile.ZipFile(path) as archive:
        found = members_of(archive, size=path.stat().st_size)
        for member in found:
            with opened(archive, member) as text:
                while piece := text.read(_PIECE):
                    checked(len(piece))
        return found


def opened(archive: zipfile.ZipFile, member: Member) -> IO[bytes]:
    """Open a member; reading it to its end proves its sum."""
    assert member.path is not None  # noqa: S101  for the type checker: members of a zip have one
    return archive.open(member.path)


def _check(info: zipfile.ZipInfo) -> None:
    parts = PurePosixPath(info.filename).parts
    unsafe = info.filename.startswith("/") or ".." in parts or any(c in info.filename for c in "\\:\0")
    if unsafe or not info.filename.isprintable():
        raise _refused("a member would be unpacked outside of its folder")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _refused("a member is a link")
    if info.flag_bits & _ENCRYPTED:
        raise _refused("it is encrypted")
    if info.compress_type not in _METHODS:
        raise _refused("it is packed in a way that extractions are not")
    if info.file_size > _SMALL and info.file_size > RATIO * info.compress_size:
        raise _refused(f"a member would grow more than {RATIO} times")


def _refused(why: str) -> BrokenExtractionError:
    return BrokenExtractionError(
        f"the zip is refused: {why}",
        hint="No extraction of the Annuaire Santé is like that; something else may have answered in its place.",
    )
