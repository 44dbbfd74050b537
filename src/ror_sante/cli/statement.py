"""Print what a server says it can do, and where it differs from the client."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ror_sante.api.capability import Difference
from ror_sante.cli.console import console, text
from ror_sante.cli.rows import harmless
from ror_sante.cli.table import grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ror_sante.api.fhir.resource import Resource


def summary(statement: Resource) -> None:
    """Print a CapabilityStatement: the software, the FHIR version, and what each resource type allows.

    Args:
        statement: as the server sent it; whatever is missing or oddly shaped is left out.
    """
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _lines(statement):
        grid.add_row(text(name, "bold"), text(value))
    console().print(grid)


def comparison(found: Sequence[Difference], style: str) -> None:
    """Print the differences between a server and the client.

    Args:
        found: of `ror_sante.api.capability.differences`.
        style: one of `ror_sante.cli.rows.FORMATS`.
    """
    names = [field.name for field in dataclasses.fields(Difference)]
    rows = [dataclasses.asdict(each) for each in found]
    if style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([names, *([harmless(cell) for cell in row.values()] for row in rows)])
    elif style == "json":
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    elif style == "ndjson":
        sys.stdout.writelines(json.dumps(row) + "\n" for row in rows)
    elif rows:
        grid(names, [list(row.values()) for row in rows])
    if not rows:
        sys.stderr.write("The server states all that this client assumes, and nothing else.\n")


def _lines(statement: Resource) -> Iterator[tuple[str, str]]:
    software = _table(statement.get("software"))
    yield "server", " ".join(str(software[key]) for key in ("name", "version") if key in software) or "not named"
    yield "FHIR", str(statement.get("fhirVersion") or "version not said")
    yield "at", str(_table(statement.get("implementation")).get("url") or "address not said")
    for rest in _list(statement.get("rest")):
        for resource in _list(_table(rest).get("resource")):
            about = _table(resource)
            allowed = ", ".join(str(_table(each).get("code")) for each in _list(about.get("interaction")))
            params = len(_list(about.get("searchParam")))
            yield str(about.get("type")), f"{allowed or 'nothing'}; {params} search parameters"


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
