"""The columns of an extraction, found by name whatever the accents, the case and the order."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ror_sante.errors import SyncError

if TYPE_CHECKING:
    from collections.abc import Iterable

SEPARATOR: Final = "|"
_MOST: Final = 1000  # columns; the largest known file has 56


class BrokenExtractionError(SyncError):
    """An extraction is not what it should be: no zip, a wrong sum, no columns, a row that does not fit."""


@lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """Give a column's name without accents, case and punctuation.

    >>> normal("Code Département (structure)")
    'code departement structure'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return " ".join("".join(c if c.isalnum() else " " for c in plain.casefold()).split())


class Header:
    """The first line of a file.

    Attributes:
        names: the columns as the file names them, without the empty one that a final ``|`` makes.

    Args:
        line: the first line.

    Raises:
        BrokenExtractionError: there are no columns, or two of one name.
    """

    def __init__(self, line: str) -> None:
        names = [name.strip() for name in line.split(SEPARATOR)]
        while names and not names[-1]:
            names.pop()
        self.names = tuple(names)
        if not 1 < len(names) <= _MOST or not all(names):
            raise BrokenExtractionError(
                "the first line does not name columns between |",
                hint="An extraction of the Annuaire Santé starts with a line such as Type d'identifiant PP|...",
            )
        self._places = {normal(name): place for place, name in enumerate(names)}
        if len(self._places) < len(names):
            raise BrokenExtractionError("two columns of the file have one name")

    def place(self, *names: str) -> int:
        """Find a column.

        Args:
            names: what it may be called. A column also counts as found when it alone starts with the name, as
                ``Code postal (coord. structure)`` does with ``Code postal``.

        Returns:
            Its place from 0, or -1 when the file has no such column.
        """
        wanted = [normal(name) for name in names]
        exact = (self._places[name] for name in wanted if name in self._places)
        return next(exact, self._starting(wanted))

    def _starting(self, wanted: Iterable[str]) -> int:
        for start in wanted:
            found = [place for name, place in self._places.items() if name.startswith(f"{start} ")]
            if len(found) == 1:
                return found[0]
        return -1

    def __repr__(self) -> str:
        return f"<Header {len(self.names)} columns>"
