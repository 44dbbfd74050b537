"""The verb ``annuaire rows``: what is in an extraction, as NDJSON or CSV."""

from __future__ import annotations

import contextlib
import csv
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ror_sante.cli.rows import emit, harmless
from ror_sante.cli.verb import Verb, ending
from ror_sante.sync.annuaire.reading import Extraction

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from ror_sante.api.annuaire.rows import Row
    from ror_sante.sync.annuaire.persons import Person

_AT_ONCE: Final = 500  # lines written in one go


@click.command(
    "rows",
    cls=Verb,
    epilog=ending(
        (0, 2, 5, 130, 141, 143),
        "ror-sante annuaire rows PS_LibreAcces_202611250310.zip --max 10",
        "ror-sante annuaire rows FILE.zip --text SavoirFaire --format csv > rows.csv",
        "ror-sante annuaire rows FILE.zip --column 'Adresse BAL'",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option("--text", "text", metavar="WORD", help="Of several texts, the one whose name holds it.")
@click.option("--column", "columns", multiple=True, metavar="NAME", help="This column alone; repeat it for more.")
@click.option("--by-person", is_flag=True, help="One line a person, with all of its rows (NDJSON).")
@click.option("--lenient", is_flag=True, help="Pad short rows and cut long ones.")
@click.option("--max", "most", type=click.IntRange(1), metavar="N", help="Stop after N.")
@click.option(
    "--format", "style", type=click.Choice(["ndjson", "csv"]), default="ndjson", show_default=True, help="Of the rows."
)
def rows(
    *,
    file: Path,
    text: str | None,
    columns: tuple[str, ...],
    by_person: bool,
    lenient: bool,
    most: int | None,
    style: str,
) -> int:
    """Print the rows of an extraction, straight out of its zip.

    FILE is what `annuaire download` fetched, or a text out of it. Keys are the columns of the file; accents and case
    do not matter in --column. Cells of CSV that a spreadsheet would run are neutralised.
    """
    if by_person and style == "csv":
        raise click.UsageError("--by-person writes NDJSON: a person has several rows")
    with Extraction(file) as extraction:
        header = extraction.header(text)
        places = [_place(header.place(name), name) for name in columns] or list(range(len(header.names)))
        names = [header.names[place] for place in places]
        pick = None if len(names) == len(header.names) and not columns else places
        if by_person:
            lines = _persons(extraction.persons(text, lenient=lenient), names, pick)
        elif style == "csv":
            lines = _csv(extraction.rows(text, lenient=lenient), names, pick)
        else:
            lines = _ndjson(extraction.rows(text, lenient=lenient), names, pick)
        more = 1 if style == "csv" else 0
        with contextlib.closing(lines):
            emit(_blocks(islice(lines, None if most is None else most + more)), style)
    return 0


def _place(place: int, name: str) -> int:
    if place < 0:
        raise click.BadParameter(f"the file has no column {name!r}", param_hint="--column")
    return place


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    while block := "".join(islice(lines, _AT_ONCE)):
        yield block


def _picked(row: Row, pick: list[int] | None) -> Iterable[str]:
    return row if pick is None else [row[place] for place in pick]


def _ndjson(rows: Iterable[Row], names: list[str], pick: list[int] | None) -> Generator[str, None, None]:
    encode = msgspec.json.Encoder().encode
    for row in rows:
        yield encode(dict(zip(names, _picked(row, pick), strict=True))).decode() + "\n"


def _persons(persons: Iterable[Person], names: list[str], pick: list[int] | None) -> Generator[str, None, None]:
    encode = msgspec.json.Encoder().encode
    for person in persons:
        of = [dict(zip(names, _picked(row, pick), strict=True)) for row in person.rows]
        yield encode({"national_id": person.national_id, "rows": of}).decode() + "\n"


class _Echo:
    """A file that gives back what is written to it: `csv` wants one."""

    def write(self, line: str) -> str:
        return line


def _csv(rows: Iterable[Row], names: list[str], pick: list[int] | None) -> Generator[str, None, None]:
    write = csv.writer(_Echo(), lineterminator="\n").writerow
    yield str(write(map(harmless, names)))
    for row in rows:
        yield str(write(map(harmless, _picked(row, pick))))
