"""Keep the values of a query out of what a server says about it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

# Their values are words of FHIR, never a person's: a message about them helps only when it shows them.
_STRUCTURAL: Final = re.compile(r"_(include|revinclude|sort|count|format|elements|summary|total)(:|$)|_getpages")
_SEPARATORS: Final = re.compile(r"[|,\s()\"']+")
_SHORTEST: Final = 4  # characters; to hide less would hide ordinary words


def without_values(text: str, url: str) -> str:
    """Replace in a server's text the values that our query held, such as an RPPS number or coordinates.

    The parts of a value (a code after its system, a number inside a ``_filter``) are replaced too when they hold a
    digit. The untouched text stays in `ApiError.outcome` for the caller who needs it.

    Args:
        text: what the server wrote.
        url: the address that was asked, with its query.

    >>> without_values("no identifier 10001234567", "https://h/Practitioner?identifier=urn:oid:1.2%7C10001234567")
    'no identifier …'
    """
    hidden = sorted(_hidden(url), key=len, reverse=True)
    if not hidden:
        return text
    return re.sub("|".join(re.escape(value) for value in hidden), "…", text, flags=re.IGNORECASE)


def _hidden(url: str) -> set[str]:
    try:
        query = parse_qsl(urlsplit(url).query)
    except ValueError:
        return set()
    values = [value for name, value in query if not _STRUCTURAL.match(name)]
    parts = [part for value in values for part in _SEPARATORS.split(value) if any(map(str.isdigit, part))]
    return {form for item in (*values, *parts) if len(item) >= _SHORTEST for form in (item, quote(item, safe=""))}
