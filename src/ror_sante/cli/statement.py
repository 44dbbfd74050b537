"""Print what a server says it can do, in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from ror_sante.cli.console import console, text

if TYPE_CHECKING:
    from collections.abc import Iterator

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
