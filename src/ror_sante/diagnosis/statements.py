"""Keep what authorities publish on the disk, so that their hosts are asked seldom, and failures not at once again."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante.sync.files import private_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

# Lists are published each morning from about 07:00 on, with the advice to spread the downloads over hours.
KEPT: Final = {"crl": timedelta(hours=12), "ocsp": timedelta(hours=1)}
PAUSE: Final = timedelta(minutes=2)
# The publication host answers 403 to an address that comes again within a minute (dated report of 2026-09).
LONG_PAUSE: Final = timedelta(minutes=15)
_LARGEST: Final = 64 * 1024 * 1024
_SPREAD: Final = random.SystemRandom()
_log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """What is known of one place.

    Attributes:
        place: the address, so that one file is never taken for another.
        written: when it was written; of the future, it is not believed.
        again: when the place may be asked again.
        body: what it published; empty for a failure.
        failure: why it gave nothing; empty for what it published.
    """

    place: str
    written: datetime
    again: datetime
    body: bytes = b""
    failure: str = ""


class StatementCache:
    """A folder with one file a place. What cannot be read or written there is as if it were not there.

    Args:
        folder: where; made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, place: str, *, at: datetime) -> Kept | None:
        """Give what is kept about a place, however old; None for nothing that can be believed."""
        try:
            with self._path(place).open("rb") as file:
                kept = msgspec.json.decode(file.read(_LARGEST), type=Kept)
        except (OSError, ValueError, RecursionError):
            return None
        return kept if kept.place == place and kept.written <= at else None

    def keep(self, place: str, body: bytes, *, at: datetime, life: timedelta) -> None:
        """Keep what a place published; it is asked again after a part of that life, by lot."""
        self._write(Kept(place, at, at + life * _SPREAD.uniform(0.75, 1.0), body))

    def keep_failure(self, place: str, why: str, *, at: datetime, pause: timedelta) -> None:
        """Keep that a place gave nothing."""
        self._write(Kept(place, at, at + pause * _SPREAD.uniform(1.0, 1.5), failure=why))

    def _write(self, kept: Kept) -> None:
        try:
            private_folder(self._folder)
            write_private(self._path(kept.place), msgspec.json.encode(kept))
        except OSError as error:
            _log.warning("what was fetched cannot be kept in %s: %s", self._folder, error.strerror or "no reason given")
            with contextlib.suppress(OSError):
                self._path(kept.place).unlink(missing_ok=True)

    def _path(self, place: str) -> Path:
        return self._folder / f"{hashlib.sha256(place.encode()).hexdigest()}.json"
