"""How the copies of the Annuaire Santé in a folder stand: their age, what they hold, how long changes reach back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ror_sante.api.annuaire.parameters import PARAMETERS
from ror_sante.sync.annuaire.copies import copy_of
from ror_sante.sync.annuaire.mirror import WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from ror_sante.sync.annuaire.copies import Copy

SOON: Final = 10 * 86_400.0  # seconds before the end of the window in which a run should come


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the copy of one type stood at an instant.

    Attributes:
        at: the instant.
        folder: the output folder.
        copy: what its manifest says.
    """

    at: datetime
    folder: Path
    copy: Copy

    @property
    def age(self) -> float:
        """Seconds since the last run, by the server's clock, which may be ahead of ours."""
        return max(0.0, (self.at - self.copy.cursor).total_seconds())

    @property
    def scan_age(self) -> float:
        """Seconds since the full scan that all goes back to."""
        return max(0.0, (self.at - self.copy.scanned).total_seconds())

    @property
    def left(self) -> float:
        """Seconds in which the next run can still bring what changed; negative when a full scan is needed."""
        return WINDOW.total_seconds() - self.age

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to worry about."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        days = f"the last run for {self.copy.type} was {self.age / 86_400:.0f} days ago"
        if self.left < 0:
            yield f"{days}, and the service keeps changes for {WINDOW.days}: it needs annuaire sync --full"
        elif self.left < SOON:
            yield f"{days}, and the service keeps changes for {WINDOW.days}"


def standings(folder: Path, *, at: datetime) -> tuple[Standing, ...]:
    """Look at the copies in a folder; nothing is changed, and no lock is taken.

    Args:
        folder: the output folder of ``annuaire sync``.
        at: now.

    Returns:
        One for each type that has a copy.

    Raises:
        SyncError: a copy cannot be read.
    """
    found = [(name, copy_of(folder / name)) for name in PARAMETERS]
    return tuple(Standing(at=at, folder=folder, copy=one[1]) for _, one in found if one is not None)
