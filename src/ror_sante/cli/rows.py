"""Write resources as NDJSON, JSON, CSV or a table, as they come."""

from __future__ import annotations

import csv
import itertools
import sys
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from ror_sante.cli.console import console, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ror_sante.api.fhir.resource import Resource

FORMATS: Final = ("table", "ndjson", "json", "csv")
# What a person reads; who wants all of it writes --max, or another format.
TABLE_ROWS: Final = 50

_NOT_IN_TABLES: Final = {"identifier", "category", "providedBy"}
_DATE: Final = len("2026-01-01")
_WHOLE: Final = {"id", "active", "status", "lastUpdated"}
_GAP: Final = 2
_NARROWEST: Final = 4

# A spreadsheet runs what starts with one of these (OWASP, "CSV injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

# Per resource type: column and where its value stands; of a list, the first element that has one. The shapes are
# those of the ROR's FHIR guide.
_COMMON: Final = (("id", "id"), ("identifier", "identifier.value"))
_COLUMNS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "HealthcareService": (
        *_COMMON,
        ("name", "name"),
        ("category", "category.coding.display|category.coding.code"),
        ("specialty", "specialty.coding.display|specialty.coding.code"),
        ("providedBy", "providedBy.reference"),
        ("active", "active"),
        ("lastUpdated", "meta.lastUpdated"),
    ),
    "Organization": (
        *_COMMON,
        ("name", "name"),
        ("type", "type.coding.display|type.coding.code"),
        ("city", "address.city"),
        ("active", "active"),
        ("lastUpdated", "meta.lastUpdated"),
    ),
    "Location": (
        *_COMMON,
        ("name", "name"),
        ("type", "type.coding.display|type.coding.code"),
        ("city", "address.city"),
        ("status", "status"),
        ("lastUpdated", "meta.lastUpdated"),
    ),
    "Practitioner": (
        *_COMMON,
        ("family", "name.family"),
        ("given", "name.given"),
        ("active", "active"),
        ("lastUpdated", "meta.lastUpdated"),
    ),
    "PractitionerRole": (
        *_COMMON,
        ("practitioner", "practitioner.reference"),
        ("organization", "organization.reference"),
        ("code", "code.coding.display|code.coding.code"),
        ("active", "active"),
        ("lastUpdated", "meta.lastUpdated"),
    ),
}
_OTHER: Final = (
    ("type", "resourceType"),
    *_COMMON,
    ("name", "name"),
    ("status", "status"),
    ("lastUpdated", "meta.lastUpdated"),
)


def default_format() -> str:
    """A table for a person, NDJSON for a program."""
    return "table" if sys.stdout.isatty() else "ndjson"


def write(resources: Iterable[Resource], style: str, *, resource_type: str, single: bool = False) -> int:
    """Write resources on stdout.

    Args:
        resources: what comes in.
        style: one of `FORMATS`.
        resource_type: of the search: it chooses the columns.
        single: one resource: JSON writes an object, not a list.

    Returns:
        How many were written.
    """
    if style == "table":
        return _table(resources, resource_type)
    writers: dict[str, Callable[[Iterator[Resource]], Iterator[str]]] = {
        "ndjson": _ndjson,
        "json": _object if single else _json,
        "csv": lambda rows: _csv(rows, resource_type),
    }
    count = itertools.count()
    # zip() counts what passes; the counter comes second, so that the end of the resources is not counted.
    passing = (resource for resource, _ in zip(resources, count, strict=False))
    show = _visible if sys.stdout.isatty() else str
    for line in writers[style](passing):
        sys.stdout.write(show(line))
    return next(count)


def _ndjson(resources: Iterator[Resource]) -> Iterator[str]:
    return (resource.line().decode("utf-8") for resource in resources)


def _json(resources: Iterator[Resource]) -> Iterator[str]:
    before = "[\n"
    for resource in resources:
        yield before + resource.line().decode("utf-8").rstrip("\n")
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _object(resources: Iterator[Resource]) -> Iterator[str]:
    return _ndjson(resources)


def _csv(resources: Iterator[Resource], resource_type: str) -> Iterator[str]:
    columns = columns_of(resource_type)
    yield _csv_line([name for name, _ in columns])
    for resource in resources:
        yield _csv_line([_harmless(value) for value in values(resource, columns)])


class _Echo:
    """A file that gives back what is written to it: `csv` wants one."""

    def write(self, line: str) -> str:
        return line


def _csv_line(cells: list[str]) -> str:
    line: str = csv.writer(_Echo(), lineterminator="\n").writerow(cells)
    return line


def _harmless(cell: str) -> str:
    """Show control characters, and put an apostrophe before what a spreadsheet would run."""
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cell)
    return f"'{shown}" if cell.startswith(_FORMULA) else shown


def _table(resources: Iterable[Resource], resource_type: str) -> int:
    """One line a resource: ids and dates whole, texts as wide as the terminal allows; CSV and JSON have it all."""
    columns = tuple(column for column in columns_of(resource_type) if column[0] not in _NOT_IN_TABLES)
    lines = [[text(value) for value in values(resource, columns)] for resource in resources]
    if not lines:
        return 0
    for line, (at, (name, _)) in itertools.product(lines, enumerate(columns)):
        if name == "lastUpdated":
            line[at].truncate(_DATE)
    made = console()
    names = [name for name, _ in columns]
    natural = [max(len(name), *(line[at].cell_len for line in lines)) for at, name in enumerate(names)]
    grid = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for name, width in zip(names, _fitted(names, natural, made.width), strict=True):
        grid.add_column(text(name), overflow="ellipsis", no_wrap=True, width=width)
    for line in lines:
        grid.add_row(*line)
    made.print(grid)
    return len(lines)


def _fitted(names: list[str], natural: list[int], width: int) -> list[int]:
    """Make columns narrower until they fit: always the widest of those that hold texts."""
    widths = dict(enumerate(natural))
    texts = [at for at, name in enumerate(names) if name not in _WHOLE]
    while sum(widths.values()) + _GAP * len(widths) > width:
        widest = max(texts, key=lambda at: widths[at])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return list(widths.values())


def columns_of(resource_type: str) -> tuple[tuple[str, str], ...]:
    """Give the columns of a resource type."""
    return _COLUMNS.get(resource_type, _OTHER)


def values(resource: Resource, columns: tuple[tuple[str, str], ...]) -> list[str]:
    """Give the cells of a resource; empty where it has no such value."""
    content = resource.decode()
    return [_first(content, paths.split("|")) for _, paths in columns]


def _first(content: Any, paths: list[str]) -> str:
    found = (_at(content, path.split(".")) for path in paths)
    return next((value for value in found if value), "")


def _at(value: Any, path: list[str]) -> str:
    if isinstance(value, list):
        return next((found for item in value if (found := _at(item, path))), "")
    if not path:
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, (str, int, float)) else ""
    return _at(value.get(path[0]), path[1:]) if isinstance(value, dict) else ""


def _visible(line: str) -> str:
    r"""Write control characters of JSON strings as ``\u....``, so that a terminal shows them."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in line)
