"""Group the rows of a text by person, in bounded memory whatever the order of the rows."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from ror_sante.api.annuaire.columns import SEPARATOR
from ror_sante.api.annuaire.rows import Row, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Rows = Callable[[], Iterator[Row]]

AT_ONCE: Final = 24 << 20  # bytes of text that are grouped in memory; there they take about twice that


@dataclass(frozen=True)
class Person:
    """The rows of one person.

    Attributes:
        national_id: the identification that joins them, with the digit of its type; empty for nobody.
        rows: all of them, in the order of the file.
    """

    national_id: str = field(repr=False)
    rows: tuple[Row, ...] = field(repr=False)


def persons(rows: Rows, *, size: int) -> Iterator[Person]:
    """Group rows by person.

    Args:
        rows: reads them from the first one each time that it is called.
        size: bytes of the text.

    Raises:
        BrokenExtractionError: the file has no column that names persons.
    """
    if size > AT_ONCE and _is_sorted(rows()):
        yield from _neighbours(rows())
        return
    parts = -(-size // AT_ONCE) or 1
    for part in range(parts):
        yield from _gathered(rows(), part, parts)


def _keyed(rows: Iterator[Row]) -> Iterator[tuple[str, Row]]:
    for row in rows:
        place = key_of(row.header)
        yield row[place], row
        yield from ((row[place], row) for row in rows)


def _is_sorted(rows: Iterator[Row]) -> bool:
    return all(one <= other for (one, _), (other, _) in pairwise(_keyed(rows)))


def _neighbours(rows: Iterator[Row]) -> Iterator[Person]:
    for key, group in groupby(_keyed(rows), key=itemgetter(0)):
        if key:
            yield Person(key, tuple(row for _, row in group))


def _gathered(rows: Iterator[Row], part: int, parts: int) -> Iterator[Person]:
    """Gather the persons whose sum falls into one part; every row of a person does.

    Until then a row waits as one text, which takes a fifth of the room of its cells.
    """
    found: dict[str, list[str]] = {}
    kind = Row
    for key, row in _keyed(rows):
        if key and (parts == 1 or zlib.crc32(key.encode()) % parts == part):
            kind = type(row)
            found.setdefault(key, []).append(SEPARATOR.join(row))
    return (Person(key, tuple(kind(line.split(SEPARATOR)) for line in lines)) for key, lines in found.items())
