"""Look into a resource whatever its shape: what is missing or odd is empty, never an error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def listed(value: object) -> list[Any]:
    """Give a list, whether one or several are there: the published payloads are not clean."""
    return value if isinstance(value, list) else [] if value is None else [value]


def objects(value: object) -> Iterator[dict[str, Any]]:
    """Give the objects among one or several values."""
    return (item for item in listed(value) if isinstance(item, dict))


def first(value: object) -> dict[str, Any]:
    """Give the first object, or an empty one."""
    return next(objects(value), {})


def text(value: object) -> str:
    """Give a text; a number becomes one, everything else is empty."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def texts(value: object) -> tuple[str, ...]:
    """Give the texts among one or several values, none of them empty."""
    return tuple(filter(None, map(text, listed(value))))


def number(value: object) -> float | None:
    """Give a finite number, also where it was written as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: object) -> int | None:
    """Give a whole number, also where it was written as a text."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def extensions(element: Mapping[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    """Give the extensions of an element whose address ends with one of these names.

    Args:
        element: a resource, a part of one, or an extension.
        names: last segments, compared without case; versions of the guide differ in the rest.
    """
    wanted = {name.lower() for name in names}
    for extension in objects(element.get("extension")):
        if text(extension.get("url")).rstrip("/").rpartition("/")[2].lower() in wanted:
            yield extension


def value_of(extension: Mapping[str, Any]) -> Any:
    """Give the value of an extension, whatever its type, or None."""
    return next((value for key, value in extension.items() if key.startswith("value")), None)


def extended(element: Mapping[str, Any], *names: str) -> Any:
    """Give the value of the first extension of these names, or None."""
    return next(map(value_of, extensions(element, *names)), None)


def reference(value: object) -> str:
    """Give a reference as ``Type/id``, also when it was written as an address or with a version; else empty."""
    if isinstance(value, dict):
        value = value.get("reference")
    parts = text(value).split("/_history/")[0].rstrip("/").split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 and all(parts[-2:]) else ""


def references(value: object) -> tuple[str, ...]:
    """Give one or several references as ``Type/id``."""
    return tuple(filter(None, map(reference, listed(value))))
