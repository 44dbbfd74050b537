"""Read all rows of an extraction in one way, in a process of its own: prints one JSON line.

python reader.py WAY ZIP TEXT

ZIP is the extraction, TEXT its first member unzipped.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from meter import Meter

from ror_sante.sync.annuaire.reading import Extraction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PLAIN = "csv.reader over the text, unzipped"
CONTROL = "csv.reader, once more"


def _csv(_packed: str, plain: str) -> Iterable[object]:
    with Path(plain).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE)
        next(rows)
        yield from rows


def _dicts(_packed: str, plain: str) -> Iterable[object]:
    with Path(plain).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="|", quoting=csv.QUOTE_NONE)


def _rows(packed: str, _plain: str) -> Iterable[object]:
    with Extraction(packed) as extraction:
        yield from extraction.rows()


def _persons(packed: str, _plain: str) -> Iterable[object]:
    with Extraction(packed) as extraction:
        for person in extraction.persons():
            yield from person.rows


READERS: dict[str, Callable[[str, str], Iterable[object]]] = {
    PLAIN: _csv,
    "csv.DictReader over the text, unzipped": _dicts,
    "ror-sante rows, from the zip": _rows,
    "ror-sante persons, from the zip": _persons,
    CONTROL: _csv,
}

if __name__ == "__main__":
    way, packed, plain = sys.argv[1:]
    meter = Meter()
    count = 0
    for _ in READERS[way](packed, plain):
        count += 1
    print(json.dumps(meter.read(rows=count)))
