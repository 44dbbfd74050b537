"""Merge what regions give: each record once, with the regions that it came from, always in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from ror_sante.api.fhir.document import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ror_sante.api.fhir.resource import Distance, Resource

# Types of identifiers that name a record in the whole country, the best first (TRE_G07, TRE_R345, TRE_R354):
# idNat_Struct, FINESS, SIRET, internal organisation; of a place the functional id, then the external one. A SIREN names
# a legal entity, and stands on its sites too: it is none of them.
_NATIONAL: Final[dict[str, tuple[str, ...]]] = {
    "Organization": ("40", "1", "3", "42"),
    "Location": ("25", "26"),
}
# idNat_Struct is the FINESS behind a 1, the SIRET behind a 3 (CI-SIS, annexe "source des données", Struct_IdNat).
_BEFORE: Final = {"1": "1", "3": "3"}
_KILOMETRES: Final = {"km": 1.0, "m": 0.001}
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


class _Meta(msgspec.Struct, rename="camel"):
    last_updated: Any = None


class _Look(msgspec.Struct, rename="camel"):
    resource_type: Any = None
    id: Any = None
    identifier: Any = None
    meta: Any = None
    location: Any = None


_LOOK: Final = msgspec.json.Decoder(_Look)
Looked: TypeAlias = "tuple[Resource, _Look]"


@dataclass(slots=True, eq=False)
class Row:
    """One record that a search over regions found.

    Attributes:
        resource: as one region gave it; of several copies the one that changed last.
        region: the code of that region: references of `resource` are good there.
        regions: the codes of all regions that gave the record, in order. While rows still come, those known so far.
        identifier: the national identifier, or empty when the record has none.
        distance: kilometres from the centre of a ``near`` search, or None; that of an offer is the distance of its
            nearest place among those that came along.
        changed: when `resource` last changed, as it says.
    """

    resource: Resource
    region: str
    regions: tuple[str, ...]
    identifier: str = ""
    distance: float | None = None
    changed: datetime = _BEGINNING

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON; the resource stays as the region wrote it."""
        return {"regions": list(self.regions), "distance": self.distance, "resource": msgspec.Raw(self.resource.raw)}


def looked(resources: Iterable[Resource]) -> list[Looked]:
    """Read what merging needs of each resource of a page.

    Raises:
        UnexpectedResponseError: one cannot be read.
    """
    return [(resource, decode(resource.raw, _LOOK)) for resource in resources]


class Merger:
    """Takes pages of regions in any order, and holds each record once.

    Args:
        included: hold what the matches brought along, too; a region's own, whatever other regions bring.
    """

    def __init__(self, *, included: bool = False) -> None:
        self._included = included
        self._rows: dict[tuple[str, ...], Row] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, region: str, page: Iterable[Looked]) -> list[Row]:
        """Take a page of a region.

        Args:
            region: its code.
            page: matches and what they brought along, as `looked` gives them.

        Returns:
            The rows that are new.
        """
        page = list(page)
        far = {
            f"{_text(look.resource_type)}/{_text(look.id)}": _kilometres(resource.distance)
            for resource, look in page
            if resource.distance is not None
        }
        wanted = page if self._included else [each for each in page if each[0].mode != "include"]
        return [row for resource, look in wanted if (row := self._take(region, resource, look, far)) is not None]

    def rows(self) -> tuple[Row, ...]:
        """Give all rows: the nearest first where distances are known, then by type and national identifier."""
        return tuple(sorted(self._rows.values(), key=_order))

    def _take(self, region: str, resource: Resource, look: _Look, far: dict[str, float | None]) -> Row | None:
        kind = _text(look.resource_type)
        new = Row(
            resource,
            region,
            (region,),
            national_identifier(kind, look.identifier),
            _nearest(resource, look.location, far),
            _moment(look.meta),
        )
        row = self._rows.setdefault(_key(new, kind, _text(look.id)), new)
        if row is new:
            return row
        row.regions = tuple(sorted({*row.regions, region}))
        _keep_better(row, new)
        return None


def national_identifier(resource_type: str, identifiers: object) -> str:
    """Give the identifier that names a record in the whole country.

    Args:
        resource_type: of the record.
        identifiers: its ``identifier``, as it was written; read leniently.

    Returns:
        The identifier, or an empty text.
    """
    found: dict[str, str] = {}
    for code, value in _identifiers(identifiers):
        found.setdefault(code, value)
    if resource_type not in _NATIONAL:
        return next(iter(found.values()), "")
    best = next((code for code in _NATIONAL[resource_type] if code in found), "")
    return (_BEFORE.get(best, "") if resource_type == "Organization" else "") + found.get(best, "")


def _identifiers(identifiers: object) -> Iterator[tuple[str, str]]:
    """Give type and value of each identifier that has a value."""
    for each in identifiers if isinstance(identifiers, list) else [identifiers]:
        if isinstance(each, dict) and (value := _text(each.get("value"))):
            yield _code(each.get("type")), value


def _code(kind: object) -> str:
    codings = kind.get("coding") if isinstance(kind, dict) else None
    coding = codings[0] if isinstance(codings, list) and codings else codings
    return _text(coding.get("code")) if isinstance(coding, dict) else ""


def _nearest(resource: Resource, location: object, far: dict[str, float | None]) -> float | None:
    own = _kilometres(resource.distance)
    if own is not None or not far:
        return own
    return min((each for reference in _places(location) if (each := far.get(reference)) is not None), default=None)


def _key(row: Row, kind: str, resource_id: str) -> tuple[str, ...]:
    """Tell what makes two copies one: what came along stays with its region, whose technical ids refer to it."""
    if row.identifier and row.resource.mode != "include":
        return kind, row.identifier
    return kind, "", row.region, resource_id or str(id(row))


def _keep_better(row: Row, other: Row) -> None:
    """Keep the copy that changed last; of two alike, that of the smaller code: whichever came first."""
    if (other.changed, row.region) > (row.changed, other.region):
        row.resource, row.changed, row.region = other.resource, other.changed, other.region
    if other.distance is not None:
        row.distance = other.distance if row.distance is None else min(row.distance, other.distance)


def _order(row: Row) -> tuple[Any, ...]:
    far = row.distance
    return (
        row.resource.mode == "include",
        far is None,
        far or 0.0,
        row.resource.type,
        row.identifier or "\U0010ffff",
        row.regions,
        row.resource.id,
    )


def _places(location: object) -> Iterator[str]:
    for each in location if isinstance(location, list) else [location]:
        if isinstance(each, dict):
            yield _text(each.get("reference"))


def _kilometres(distance: Distance | None) -> float | None:
    return None if distance is None else distance.value * _KILOMETRES.get(distance.unit, 1.0)


def _moment(meta: object) -> datetime:
    """Read ``lastUpdated``; without one, or in nonsense, a copy is the oldest of all."""
    try:
        then = datetime.fromisoformat(_text(meta.get("lastUpdated")) if isinstance(meta, dict) else "")
    except ValueError:
        return _BEGINNING
    return then if then.tzinfo else then.replace(tzinfo=UTC)


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""
