"""The documented search parameters of the Annuaire Santé's FHIR gateway, and what is doubtful in a search."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_SIZE: Final = 200  # ANS advises 200 at most (annuaire-sante-fhir-documentation, issue 372, 2026-06-30)

_EVERYWHERE: Final = ("_id", "_lastUpdated", "identifier", "data-information-system")
_RESULTS: Final = (
    "_count",
    "_total",
    "_include",
    "_revinclude",
    "_elements",
    "_pretty",
    "_format",
)

# The pages "resources" of annuaire-sante-fhir-documentation, version 2 (2026-06-30), and the CapabilityStatement of
# the implementation guide 1.1.0.
PARAMETERS: Final = {
    "Practitioner": [
        "active",
        "family",
        "given",
        "name",
        "identifier-type",
        "mailbox-mss",
        "number-smartcard",
        "type-smartcard",
        "qualification-code",
        "data-registration-authority",
    ],
    "PractitionerRole": [
        "active",
        "organization",
        "practitioner",
        "role",
        "mailbox-mss",
        "data-registration-authority",
    ],
    "Organization": [
        "active",
        "address",
        "address-city",
        "address-line",
        "address-postalcode",
        "identifier-type",
        "mailbox-mss",
        "name",
        "partof",
        "pharmacy-licence",
        "type",
        "data-registration-authority",
    ],
    "HealthcareService": [
        "_profile",
        "active",
        "characteristic",
        "organization",
        "service-category",
        "service-type",
        "as-sp-data-information-system",
    ],
    "Device": ["status", "type", "manufacturer", "model", "organization"],
}

# What other FHIR servers have and this one has not.
_ABSENT: Final = {
    "_summary": "it answers an error; _elements shortens the resources",
    "_sort": "results come in the order of internal ids",
    "_since": "changes are found by _lastUpdated",
}


def check_type(resource_type: str) -> None:
    """Refuse a name that is no resource type of the gateway.

    Raises:
        ConfigurationError: it is none.
    """
    if resource_type not in PARAMETERS:
        raise ConfigurationError(
            f"{printable(resource_type, 60)!r} is no resource type of the Annuaire Santé; "
            f"there are {', '.join(PARAMETERS)}",
            hint="Names are spelt as in FHIR; for anything else there is request().",
        )


def doubts(resource_type: str, params: list[tuple[str, str]]) -> Iterator[str]:
    """Say what the service does not document, or does badly.

    Args:
        resource_type: one of `PARAMETERS`.
        params: of the search.
    """
    for name, value in params:
        base, _, modifier = name.partition(":")
        if base in _ABSENT:
            yield f"the Annuaire Santé has no {base}: {_ABSENT[base]}"
        elif base == "_count" and value.isdecimal() and int(value[:9]) > PAGE_SIZE:
            yield f"_count above {PAGE_SIZE} makes this service fail; ANS advises {PAGE_SIZE} at most"
        elif (base, modifier) == ("mailbox-mss", "contains"):
            yield "mailbox-mss:contains misses mailboxes that exist; search for a whole address"
        elif "." in base:
            yield f"{printable(name, 60)} searches through another resource, and its next pages may come empty"
        elif base not in (*_EVERYWHERE, *_RESULTS, *PARAMETERS[resource_type]):
            yield _unknown(resource_type, base)


def _unknown(resource_type: str, name: str) -> str:
    near = difflib.get_close_matches(name, (*_EVERYWHERE, *_RESULTS, *PARAMETERS[resource_type]), n=2)
    close = f"; close to it: {', '.join(near)}" if near else ""
    return f"{resource_type} of the Annuaire Santé has no documented parameter {printable(name, 60)}{close}"
