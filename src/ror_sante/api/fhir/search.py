"""Write FHIR search parameters as a query string, in their order and encoded exactly once."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import TypeAlias
from urllib.parse import quote

from ror_sante.errors import ConfigurationError, printable

Value: TypeAlias = str | int
SearchParams: TypeAlias = Mapping[str, Value | Iterable[Value]] | Iterable[tuple[str, Value]]


def encode(params: SearchParams) -> str:
    """Write the parameters as the query of an address.

    A name may come several times (in FHIR a repeated parameter means AND, and ``_include`` needs it): give pairs,
    or a mapping whose values are lists. The order is kept. Every character but letters, digits and ``_.-~`` is
    percent-encoded in UTF-8, once; so a value is given as it is meant, with ``|`` and not ``%7C``. ``_filter`` in
    particular is the ROR's own dialect and passes without being read.

    Args:
        params: pairs of name and value, or a mapping of names to a value or to several.

    Returns:
        The query without its question mark, empty when there is no parameter.

    Raises:
        ConfigurationError: no name, an empty value (FHIR servers ignore the parameter, and the search becomes one
            of everything), a control character, or something that is neither text nor a number. The message
            names the parameter and never shows its value.

    >>> encode([("organization.identifier:above", "1290004324"), ("specialty", "https://mos|013")])
    'organization.identifier%3Aabove=1290004324&specialty=https%3A%2F%2Fmos%7C013'
    """
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs(params))


def extended(url: str, params: SearchParams) -> str:
    """Write the parameters behind an address, which may have a query already.

    Args:
        url: percent-encoded.
        params: as `encode` takes them; none leaves the address as it is.

    Raises:
        ConfigurationError: as `encode` does.

    >>> extended("/fhir/Location?_count=5", {"near": "48.8|2.3|10|km"})
    '/fhir/Location?_count=5&near=48.8%7C2.3%7C10%7Ckm'
    """
    query = encode(params)
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def pairs(params: SearchParams) -> list[tuple[str, str]]:
    """Give the parameters as pairs of texts, checked, in order.

    Raises:
        ConfigurationError: as `encode`.
    """
    _refuse_text(params)
    if isinstance(params, Mapping):
        return [_checked(name, value) for name, values in params.items() for value in _several(values)]
    return [_checked(*_pair(item)) for item in params]


def _refuse_text(params: object) -> None:
    if isinstance(params, str | bytes):
        raise ConfigurationError(
            "search parameters are pairs or a mapping, not one text",
            hint='Write {"name": "chu"} or [("name", "chu")]; the encoding is done here.',
        )


def _several(values: object) -> Iterable[object]:
    return values if isinstance(values, Iterable) and not isinstance(values, str | bytes) else (values,)


def _pair(item: object) -> tuple[object, object]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise ConfigurationError('a search parameter is a pair of a name and a value, such as ("_count", "50")')
    return item[0], item[1]


def _checked(name: object, value: object) -> tuple[str, str]:
    if not isinstance(name, str) or not name:
        raise ConfigurationError("a search parameter has no name")
    shown = printable(name, 60)
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str | int):
        raise ConfigurationError(f"the search parameter {shown} is neither text nor a whole number")
    value = str(value)
    if not value.strip():
        raise ConfigurationError(
            f"the search parameter {shown} is empty",
            hint="FHIR servers ignore an empty parameter and would search everything; leave it out instead.",
        )
    for text in (name, value):
        if any(unicodedata.category(character) in _UNSENDABLE for character in text):
            raise ConfigurationError(f"the search parameter {shown} holds a control character")
    return name, value


# Cc: control characters; Cs: halves of surrogate pairs, which UTF-8 cannot carry.
_UNSENDABLE = frozenset({"Cc", "Cs"})


def _quoted(text: str) -> str:
    return quote(text, safe="")
