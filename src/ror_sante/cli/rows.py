"""Write resources as NDJSON, JSON, CSV or a table, as they come."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from ror_sante.api.views import Pool
from ror_sante.cli import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ror_sante.api.fhir.resource import Resource

FORMATS: Final = ("table", "ndjson", "json", "csv")
# What a person reads; who wants all of it writes --max, or another format.
TABLE_ROWS: Final = 50

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
_BESIDE: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "Task": (
        *_COMMON,
        ("description", "description"),
        ("focus", "focus.identifier.value|focus.reference"),
        ("businessStatus", "businessStatus.coding.display|businessStatus.coding.code"),
        ("authoredOn", "authoredOn"),
        ("lastUpdated", "meta.lastUpdated"),
    ),
    "Questionnaire": (
        *_COMMON,
        ("name", "name"),
        ("title", "title"),
        ("version", "version"),
        ("status", "status"),
        ("lastUpdated", "meta.lastUpdated"),
    ),
}
_TYPE: Final = ("resourceType", "resourceType")
_OTHER: Final = (
    _TYPE,
    *_COMMON,
    ("name", "name"),
    ("status", "status"),
    ("lastUpdated", "meta.lastUpdated"),
)
# Of rows of several types of a directory: a column means the same in each, and is empty where a type has none such.
_MIXED: Final = tuple(dict.fromkeys((_TYPE, *itertools.chain(*_COLUMNS.values()), *_OTHER)))


def default_format() -> str:
    """A table for a person, NDJSON for a program."""
    return "table" if sys.stdout.isatty() else "ndjson"


def write(resources: Iterable[Resource], style: str, *, resource_type: str, single: bool = False) -> int:
    """Write resources on stdout.

    Args:
        resources: what comes in.
        style: one of `FORMATS`.
        resource_type: of all resources, or empty where several types come: it chooses the columns of CSV.
        single: one resource: JSON writes an object, not a list.

    Returns:
        How many were written.
    """
    if style == "table":
        listed = list(resources)
        return table.write(listed, Pool(listed))
    writers: dict[str, Callable[[Iterator[Resource]], Iterator[str]]] = {
        "ndjson": _ndjson,
        "json": _object if single else _json,
        "csv": lambda rows: _csv(rows, resource_type),
    }
    count = itertools.count()
    # zip() counts what passes; the counter comes second, so that the end of the resources is not counted.
    passing = (resource for resource, _ in zip(resources, count, strict=False))
    emit(writers[style](passing), style)
    return next(count)


def emit(lines: Iterable[str], style: str) -> None:
    """Write lines on stdout as they come: JSON stays JSON in a narrow encoding, and a terminal is sent no control.

    Args:
        lines: each with its end of line.
        style: ``csv``, or a form of JSON.
    """
    show = _visible if sys.stdout.isatty() else _escaped if style != "csv" and not _is_utf8() else str
    for line in lines:
        sys.stdout.write(show(line))


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
    yield csv_line([name for name, _ in columns])
    for resource in resources:
        yield csv_line([harmless(value) for value in values(resource, columns)])


class _Echo:
    """A file that gives back what is written to it: `csv` wants one."""

    def write(self, line: str) -> str:
        return line


def csv_line(cells: list[str]) -> str:
    """Write one line of CSV, its end included."""
    line: str = csv.writer(_Echo(), lineterminator="\n").writerow(cells)
    return line


def harmless(cell: str) -> str:
    """Show control characters, and put an apostrophe before what a spreadsheet would run."""
    plain = cell if cell.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cell)
    return f"'{plain}" if cell.startswith(_FORMULA) else plain


def columns_of(resource_type: str) -> tuple[tuple[str, str], ...]:
    """Give the columns of a resource type; of an empty one those of all, with the type first."""
    return (_COLUMNS | _BESIDE).get(resource_type, _OTHER) if resource_type else _MIXED


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


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8")


def _escaped(line: str) -> str:
    r"""Write JSON in ASCII, with ``\u....``: it is the same JSON in whatever encoding a locale asks for."""
    return "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in line)
