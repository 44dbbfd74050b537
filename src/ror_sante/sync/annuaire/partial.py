"""A download that is not whole yet: its bytes, and beside them what they are of, so that another run can go on."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from ror_sante.api.annuaire.columns import BrokenExtractionError
from ror_sante.api.annuaire.extractions import Offer, offer_of
from ror_sante.errors import RorError
from ror_sante.sync.files import create, settle, sync_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.http.answer import Answer

_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
_DECODER: Final = msgspec.json.Decoder(Offer)
_PARTIAL: Final = 206


class NewerError(RorError):
    """The server has put another version in the place of the one that was asked for."""


class Partial:
    """The bytes of an offer that have come so far: the sink of `ExtractionClient.pour`.

    Its note is on the disk before its first byte, so that bytes of one version never stand under the name of another.

    Args:
        folder: where.
        offer: what is being fetched.
        received: told the size of each piece, and a negative one when the file starts again.
    """

    def __init__(self, folder: Path, offer: Offer, *, received: Callable[[int], None] = lambda _: None) -> None:
        self.offer = offer
        self.path = folder / f".{offer.name}.coming"
        self._note = folder / f".{offer.name}.coming.json"
        self._received = received
        self._file = self._taken_up() or self._anew()
        self.size = self._file.seek(0, os.SEEK_END)
        self._received(self.size)

    def rest(self) -> dict[str, str]:
        """Give the headers that ask for what is missing, where the server can tell this file from another."""
        if not self._resumable or not self.size:
            return {}
        self._file.flush()
        return {"Range": f"bytes={self.size}-", "If-Range": self.offer.validator}

    def begin(self, answer: Answer, /) -> None:
        """Hear of an answer: the whole file, or the rest of it.

        Raises:
            NewerError: it is of another version.
            BrokenExtractionError: it holds another part than was asked for.
            UnexpectedResponseError: it does not tell its version.
        """
        if offer_of(self.offer.name, answer).version != self.offer.version:
            raise NewerError(f"there is another version of {self.offer.name} now")
        if answer.status == _PARTIAL:
            self._check_part(answer)
            return
        self._received(-self.size)
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def write(self, data: bytes, /) -> None:
        """Take a piece."""
        self._file.write(data)
        self.size += len(data)
        self._received(len(data))

    def settle(self) -> None:
        """Bring it to the disk.

        Raises:
            BrokenExtractionError: it has another size than the server announced.
        """
        settle(self._file)
        if self.offer.size is not None and self.size != self.offer.size:
            raise BrokenExtractionError(
                f"{self.offer.name} came with {self.size} bytes, and {self.offer.size} were announced",
                hint="Run it again; if it goes on, a proxy on the way may cut long answers.",
            )

    def become(self, path: Path) -> None:
        """Give the file its name."""
        self._file.close()
        self.path.replace(path)
        self._note.unlink(missing_ok=True)
        sync_folder(path.parent)

    def keep(self) -> None:
        """Close it and leave it for the next run."""
        with contextlib.suppress(OSError):  # a full disk refuses what is still in the buffer
            self._file.close()

    def discard(self) -> None:
        """Leave nothing behind."""
        self.keep()
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @property
    def _resumable(self) -> bool:
        return self.offer.ranges and bool(self.offer.validator) and self.offer.size is not None

    def _taken_up(self) -> BinaryIO | None:
        """Open what an earlier run left of the same file."""
        try:
            left = _DECODER.decode(self._note.read_bytes())
            if left != self.offer or not self._resumable:
                return None
            descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW)
        except (OSError, msgspec.MsgspecError, ValueError):
            return None
        os.fchmod(descriptor, 0o600)
        file = os.fdopen(descriptor, "r+b")
        if file.seek(0, os.SEEK_END) <= (self.offer.size or 0):
            return file
        file.close()
        return None

    def _anew(self) -> BinaryIO:
        self.path.unlink(missing_ok=True)
        write_private(self._note, msgspec.json.encode(self.offer))
        return create(self.path)

    def _check_part(self, answer: Answer) -> None:
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        total = self.offer.size
        if found is None or int(found[1]) != self.size or (total is not None and int(found[2]) != total):
            raise BrokenExtractionError(
                f"the answer holds another part of {self.offer.name} than was asked for (from byte {self.size})",
                hint="Run it again: the file is fetched from its first byte then.",
            )
