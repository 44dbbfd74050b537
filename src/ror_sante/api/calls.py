"""What a client of a FHIR service does with its calls, whatever the service."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ror_sante.api.fhir.bundle import Bundle
    from ror_sante.api.fhir.resource import Resource

SETTLE: Final = 2.0  # seconds that close() waits for a page on its way

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")  # FHIR R4, data type "id"
_OURS_ALONE: Final = frozenset({"authorization", "host", "content-length", "transfer-encoding", "connection"})


def resources(
    pages: Generator[Bundle, None, None], max_results: int | None, *, included: bool
) -> Generator[Resource, None, None]:
    """Give the resources of pages one by one.

    Args:
        pages: closed when nothing more is wanted of them.
        max_results: stop after this number of matches, or None.
        included: also give what came along, after the matches of its page.
    """
    left = max_results
    if left == 0:
        return
    with closing(pages):
        for page in pages:
            matches = page.matches if left is None else page.matches[:left]
            yield from matches
            if included:
                yield from page.included
            left = None if left is None else left - len(matches)


def check_most(max_results: int | None) -> None:
    """Refuse a negative number of results.

    Raises:
        ConfigurationError: it is one.
    """
    if max_results is not None and max_results < 0:
        raise ConfigurationError("max_results is negative")


def check_id(resource_id: str, *, hint: str) -> None:
    """Refuse what is no technical id.

    Raises:
        ConfigurationError: it is none; `hint` says how else the resource is found.
    """
    if not _ID.fullmatch(resource_id) or not resource_id.strip("."):
        raise ConfigurationError(f"{printable(resource_id, 80)!r} is not a technical id", hint=hint)


def page_size(params: list[tuple[str, str]], most: int) -> int:
    """Give the number of matches of a full page: what ``_count`` asks for, `most` at most."""
    asked = [int(value) for name, value in params if name == "_count" and re.fullmatch(r"[0-9]{1,6}", value)]
    return min(max(1, *asked), most) if asked else most


def merged(
    standard: Mapping[str, str], headers: Mapping[str, str], *, ours: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Lay a caller's headers over those of the client.

    Args:
        standard: those of the client.
        headers: those of the caller, which win.
        ours: further names, in lower case, that a caller may not give.

    Raises:
        ConfigurationError: a header that is set by the client alone.
    """
    for name in headers:
        if name.lower() in _OURS_ALONE | ours:
            raise ConfigurationError(f"the header {name} is set by the client itself")
    theirs = {name.lower() for name in headers}
    return {name: value for name, value in standard.items() if name.lower() not in theirs} | dict(headers)
