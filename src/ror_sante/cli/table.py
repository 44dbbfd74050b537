"""Print resources as tables that a person can read, one for each type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from ror_sante.api.views import (
    HealthcareServiceView,
    LocationView,
    OrganizationView,
    Pool,
    PractitionerRoleView,
    PractitionerView,
    View,
)
from ror_sante.cli.console import console, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ror_sante.api.fhir.resource import Resource
    from ror_sante.api.views import Address, Concept

    Columns = tuple[tuple[str, Callable[[Any], str]], ...]

_GAP: Final = 2
_NARROWEST: Final = 4
# Half a telephone number helps nobody; names may be cut.
_WHOLE: Final = {"id", "region", "kind", "RPPS", "status", "free beds", "distance", "phone", "changed"}
_DATE: Final = len("2026-01-01")


def write(listed: Iterable[Resource], pool: Pool) -> int:
    """Print one table a resource type, in the order in which the types come.

    Args:
        listed: what is printed.
        pool: what names the rest: organizations, places, people.

    Returns:
        How many rows were printed.
    """
    return write_views([(pool.view(resource), "") for resource in listed])


def write_views(seen: Sequence[tuple[View, str]]) -> int:
    """Print one table a resource type, in the order in which the types come.

    Args:
        seen: each view, with the regions that it came from where that is told.

    Returns:
        How many rows were printed.
    """
    kinds = dict.fromkeys(view.resource_type for view, _ in seen)
    for number, kind in enumerate(kinds):
        group = [each for each in seen if each[0].resource_type == kind]
        if number:
            console().print()
        columns = _COLUMNS.get(type(group[0][0]), _OTHER)
        names = ["region", *(name for name, _ in columns)]
        grid(names, [[regions, *(cell(view) for _, cell in columns)] for view, regions in group])
    return len(seen)


def grid(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as wide as the terminal allows; a column without any value is left out.

    Args:
        names: the heading.
        rows: as many cells each.
    """
    filled = [at for at in range(len(names)) if any(row[at] for row in rows)]
    names = [names[at] for at in filled]
    cells = [[text(row[at]) for at in filled] for row in rows]
    made = console()
    natural = [max(len(name), *(line[at].cell_len for line in cells)) for at, name in enumerate(names)]
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for name, width in zip(names, _fitted(names, natural, made.width), strict=True):
        table.add_column(text(name), overflow="ellipsis", no_wrap=True, width=width)
    for line in cells:
        table.add_row(*line)
    made.print(table)


def _fitted(names: Sequence[str], natural: list[int], width: int) -> list[int]:
    """Make columns narrower until they fit: always the widest of those that hold texts."""
    widths = dict(enumerate(natural))
    texts = [at for at, name in enumerate(names) if name not in _WHOLE]
    while texts and sum(widths.values()) + _GAP * len(widths) > width:
        widest = max(texts, key=lambda at: widths[at])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return list(widths.values())


# ------------------------------------------------------------------ the columns


def _words(found: Sequence[Concept]) -> str:
    return ", ".join(dict.fromkeys(each.words for each in found))


def _name(view: View | None) -> str:
    return "" if view is None else view.name


def _city(address: Address | None) -> str:
    return "" if address is None else address.city


def _activity(offer: HealthcareServiceView) -> str:
    """Name what is done there, unless the name of the offer says it already."""
    words = _words(offer.activities)
    return "" if words.casefold() in offer.name.casefold() else words


def _owner(offer: HealthcareServiceView) -> str:
    """Name the site, which people know; the unit where there is no site."""
    return _name(offer.establishment or offer.organization)


def _beds(place: LocationView) -> str:
    """Add up beds (type 01) that are free (status 02); other counts overlap with them."""
    free = [
        each.number
        for each in place.capacities
        if each.number is not None and (_code(each.type), _code(each.status)) == ("01", "02")
    ]
    return str(sum(free)) if free else ""


def _code(concept: Concept | None) -> str:
    return "" if concept is None else concept.code


def _distance(place: LocationView) -> str:
    return "" if place.distance is None else f"{place.distance.value:.1f} {place.distance.unit}".strip()


def _changed(view: View) -> str:
    return view.updated[:_DATE]


def _id(view: View) -> str:
    return view.id


def _phone(view: View) -> str:
    return view.phone


_COLUMNS: Final[dict[type[View], Columns]] = {
    HealthcareServiceView: (
        ("id", _id),
        ("name", _name),
        ("activity", _activity),
        ("organization", _owner),
        ("city", lambda offer: _city(offer.address)),
        ("phone", _phone),
    ),
    LocationView: (
        ("id", _id),
        ("name", _name),
        ("function", lambda place: _words(place.functions)),
        ("organization", lambda place: _name(place.organization)),
        ("city", lambda place: _city(place.address)),
        ("status", lambda place: place.status),
        ("free beds", _beds),
        ("distance", _distance),
        ("phone", _phone),
    ),
    OrganizationView: (
        ("id", _id),
        ("kind", lambda organization: organization.kind),
        ("name", _name),
        ("type", lambda organization: _words(organization.types)),
        ("belongs to", lambda organization: _name(organization.parent)),
        ("city", lambda organization: _city(organization.address)),
        ("phone", _phone),
    ),
    PractitionerView: (
        ("id", _id),
        ("name", _name),
        ("RPPS", lambda person: person.rpps),
        ("changed", _changed),
        ("phone", _phone),
    ),
    PractitionerRoleView: (
        ("id", _id),
        ("name", _name),
        ("profession", lambda role: _words(role.professions)),
        ("organization", lambda role: _name(role.organization)),
        ("city", lambda role: "" if role.organization is None else _city(role.organization.address)),
        ("changed", _changed),
        ("phone", _phone),
    ),
}


def _about(view: View) -> str:
    """Give the title of a Questionnaire, or what a Task says is wrong."""
    return next((told for key in ("title", "description") if isinstance(told := view.raw.get(key), str)), "")


def _identifier(view: View) -> str:
    return next((each.value for each in view.identifiers), "")


_OTHER: Final[Columns] = (
    ("id", _id),
    ("identifier", _identifier),
    ("name", _name),
    ("about", _about),
    ("changed", _changed),
)
