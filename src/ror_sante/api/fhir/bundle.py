"""Open a page of search results: its envelope is decoded, its resources are not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ror_sante.api.fhir.document import another_type, decode, unexpected
from ror_sante.api.fhir.resource import Distance, Resource, to_ndjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ror_sante.api.fhir.document import Source

__all__ = ["Bundle", "Distance", "Resource", "to_ndjson"]

_DISTANCE: Final = "http://hl7.org/fhir/StructureDefinition/location-distance"
_MODES: Final = frozenset({"match", "include", "outcome"})


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw()
    search: Any = None


class _Envelope(msgspec.Struct, rename="camel"):
    resource_type: Any = None
    type: Any = None
    total: Any = None
    link: Any = None
    entry: list[_Entry] | _Entry | None = None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One page of results.

    Attributes:
        type: ``searchset`` for a search.
        total: how many matches the server counts over all pages (included resources are not among them), or None
            when it does not say.
        next: the link to the next page as the server wrote it, or None on the last one.
        self_link: what the server understood of the search, or None.
        entries: the resources in the server's order.
    """

    type: str = ""
    total: int | None = None
    next: str | None = None
    self_link: str | None = None
    entries: tuple[Resource, ...] = ()

    @classmethod
    def parse(cls, source: Source, searched_type: str = "") -> Bundle:
        """Read a page leniently: entries, links and total may be missing or oddly shaped.

        Args:
            source: the answer of the service, or its body.
            searched_type: the resource type of the search. It tells matches from included resources where the
                server left ``search.mode`` out: a resource of this type is a match.

        Raises:
            UnexpectedResponseError: HTML, truncated JSON, an OperationOutcome, anything that is not a Bundle.
        """
        envelope = decode(source, _ENVELOPE)
        if envelope.resource_type != "Bundle":
            raise another_type(source, wanted="Bundle", found=envelope.resource_type)
        links = _links(envelope.link)
        return cls(
            type=envelope.type if isinstance(envelope.type, str) else "",
            total=_count(envelope.total),
            next=links.get("next"),
            self_link=links.get("self"),
            entries=tuple(_resources(source, envelope.entry, searched_type)),
        )

    @property
    def matches(self) -> tuple[Resource, ...]:
        """The resources that the search asked for."""
        return tuple(resource for resource in self.entries if resource.mode == "match")

    @property
    def included(self) -> tuple[Resource, ...]:
        """The resources that came along by ``_include`` or ``_revinclude``."""
        return tuple(resource for resource in self.entries if resource.mode == "include")

    def without_repeats(self, seen: set[str]) -> Bundle:
        """Leave out the included resources that an earlier page already brought.

        Args:
            seen: type and id of those already met; those of this page are added to it.
        """
        return self.where(lambda entry: _is_new(entry, seen))

    def where(self, wanted: Callable[[Resource], bool]) -> Bundle:
        """Keep the resources that are wanted, asked one by one in their order."""
        return replace(self, entries=tuple(filter(wanted, self.entries)))


def _is_new(entry: Resource, seen: set[str]) -> bool:
    if entry.mode != "include" or not entry.id:
        return True
    key = f"{entry.type}/{entry.id}"
    if key in seen:
        return False
    seen.add(key)
    return True


def _resources(source: Source, entry: list[_Entry] | _Entry | None, searched_type: str) -> Iterator[Resource]:
    entries = entry if isinstance(entry, list) else [] if entry is None else [entry]
    for item in entries:
        # bytes() copies: a msgspec.Raw would keep the whole page alive for as long as one of its resources.
        raw = bytes(item.resource)
        if raw in (b"", b"null"):
            continue
        if not raw.startswith(b"{"):
            raise unexpected(source, "an entry of the Bundle holds something that is not a resource")
        search = item.search if isinstance(item.search, dict) else {}
        resource = Resource(raw, distance=_distance(search.get("extension")))
        resource.mode = _mode(search.get("mode"), resource, searched_type)
        yield resource


def _mode(mode: object, resource: Resource, searched_type: str) -> str:
    if isinstance(mode, str) and mode in _MODES:
        return mode
    if resource.type == "OperationOutcome" != searched_type:
        return "outcome"
    return "match" if searched_type in ("", resource.type) else "include"


def _links(link: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in link if isinstance(link, list) else [link]:
        if isinstance(item, dict):
            relation, url = item.get("relation"), item.get("url")
            if isinstance(relation, str) and isinstance(url, str) and url:
                found.setdefault(relation, url)
    return found


def _count(total: object) -> int | None:
    if isinstance(total, str) and total.isascii() and total.isdigit() and len(total) < 19:
        return int(total)
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def _distance(extensions: object) -> Distance | None:
    for item in extensions if isinstance(extensions, list) else [extensions]:
        if isinstance(item, dict) and item.get("url") == _DISTANCE and isinstance(item.get("valueDistance"), dict):
            return _measure(item["valueDistance"])
    return None


def _measure(distance: dict[str, Any]) -> Distance | None:
    try:
        value = float(distance["value"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(value):
        return None
    unit = distance.get("unit") or distance.get("code")
    return Distance(value, unit if isinstance(unit, str) else "")
