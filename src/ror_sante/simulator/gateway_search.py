"""Which records of the simulated Annuaire Santé a search finds."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ror_sante.simulator.annuaire import Annuaire, Json

RESULT_PARAMETERS: Final = frozenset({"_count", "_total", "_include", "_revinclude", "_elements", "_pretty", "_format"})

# Section 1.1 of the pages "resources": rule, and the element that holds the reference.
INCLUDES: Final = {
    "PractitionerRole": {
        "PractitionerRole:practitioner": "practitioner",
        "PractitionerRole:organization": "organization",
    },
    "Organization": {"Organization:partof": "partOf"},
    "HealthcareService": {"HealthcareService:organization": "providedBy"},
    "Device": {"Device:organization": "owner"},
}
REVINCLUDES: Final = {
    "Practitioner": {"PractitionerRole:practitioner": "practitioner"},
    "Organization": {
        "Device:organization": "owner",
        "HealthcareService:organization": "providedBy",
        "PractitionerRole:organization": "organization",
    },
}

# Search parameter, and where its values stand.
_PATHS: Final = {
    "_id": "id",
    "identifier": "identifier",
    "active": "active",
    "status": "status",
    "family": "name.family",
    "given": "name.given",
    "name": "name",
    "address-city": "address.city",
    "address-postalcode": "address.postalCode",
    "mailbox-mss": "telecom.value",
    "type": "type.coding",
    "role": "code.coding",
    "qualification-code": "qualification.code.coding",
    "practitioner": "practitioner.reference",
    "partof": "partOf.reference",
}
_ORGANIZATION: Final = {
    "PractitionerRole": "organization.reference",
    "HealthcareService": "providedBy.reference",
    "Device": "owner.reference",
}
_KNOWN: Final = {
    "Practitioner": {"_id", "identifier", "active", "family", "given", "name", "mailbox-mss", "qualification-code"},
    "PractitionerRole": {"_id", "identifier", "active", "practitioner", "role", "mailbox-mss"},
    "Organization": {
        *("_id", "identifier", "active", "name", "address-city", "address-postalcode", "mailbox-mss", "type", "partof"),
    },
    "HealthcareService": {"_id", "identifier", "active"},
    "Device": {"_id", "identifier", "status", "type"},
}
_TOKENS: Final = frozenset({"_id", "identifier", "active", "status", "type", "role", "qualification-code"})

Test = Callable[["Json"], bool]


class BadParameterError(Exception):
    """A parameter that the server does not know, in its own words."""

    def __init__(self, name: str, resource_type: str) -> None:
        super().__init__(f"Parameter {name[:60]} not found for resource {resource_type}")


def matches(annuaire: Annuaire, resource_type: str, criteria: Sequence[tuple[str, str]]) -> list[str]:
    """Give the references that pass every criterion, in the order of their ids.

    Raises:
        BadParameterError: a name that the type has not.
    """
    dates = [(name, value) for name, value in criteria if name == "_lastUpdated"]
    tests = [_test(annuaire, resource_type, name, value) for name, value in criteria if name != "_lastUpdated"]
    bounds = [_bound(value, resource_type) for _, value in dates]
    found = []
    for reference in annuaire.references(resource_type):
        if not all(bound(annuaire.updated(reference)) for bound in bounds):
            continue
        resource = annuaire.payload(reference) if tests else {}
        if all(test(resource or {}) for test in tests):
            found.append(reference)
    return found


def _test(annuaire: Annuaire, resource_type: str, name: str, value: str) -> Test:
    base, _, modifier = name.partition(":")
    if base.startswith("organization.") and resource_type in _ORGANIZATION:
        wanted = set(matches(annuaire, "Organization", [(name.removeprefix("organization."), value)]))
        return lambda resource: not wanted.isdisjoint(_values(resource, _ORGANIZATION[resource_type]))
    if base == "organization" and resource_type in _ORGANIZATION:
        return lambda resource: _reference(value, resource, _ORGANIZATION[resource_type], "Organization")
    if base not in _KNOWN[resource_type] or modifier not in ("", "contains", "exact"):
        raise BadParameterError(name, resource_type)
    if base in ("practitioner", "partof"):
        target = "Practitioner" if base == "practitioner" else "Organization"
        return lambda resource: _reference(value, resource, _PATHS[base], target)
    alternatives = value.split(",")
    if base in _TOKENS:
        return lambda resource: any(_token(one, resource, _PATHS[base]) for one in alternatives)
    path = "name.text" if (base, resource_type) == ("name", "Practitioner") else _PATHS[base]
    return lambda resource: any(_string(one, modifier, resource, path) for one in alternatives)


def _token(wanted: str, resource: Json, path: str) -> bool:
    system, bar, code = wanted.rpartition("|")
    for value in _values(resource, path):
        if isinstance(value, dict):
            if value.get("code", value.get("value")) == code and (not bar or value.get("system") == system):
                return True
        elif str(value).lower() == code.lower():
            return True
    return False


def _string(wanted: str, modifier: str, resource: Json, path: str) -> bool:
    values = [str(value) for value in _values(resource, path)]
    if modifier == "exact":
        return wanted in values
    folded = _folded(wanted)
    if modifier == "contains":
        return any(folded in _folded(value) for value in values)
    return any(_folded(value).startswith(folded) for value in values)


def _reference(wanted: str, resource: Json, path: str, target: str) -> bool:
    return f"{target}/{wanted.rpartition('/')[2]}" in _values(resource, path)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(character for character in plain if not unicodedata.combining(character)).casefold()


def _values(value: Any, path: str) -> list[Any]:
    return list(_at(value, path.split(".") if path else []))


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _bound(value: str, resource_type: str) -> Callable[[int], bool]:
    prefix, text = (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameterError("_lastUpdated", resource_type) from None
    start = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()  # without a zone the server reads GMT
    end = start + (timedelta(days=1) if len(text) == 10 else timedelta(seconds=1)).total_seconds()
    tests: dict[str, Callable[[int], bool]] = {
        "ge": lambda own: own >= start,
        "gt": lambda own: own >= end,
        "le": lambda own: own < end,
        "lt": lambda own: own < start,
        "eq": lambda own: start <= own < end,
    }
    if prefix not in tests:
        raise BadParameterError("_lastUpdated", resource_type)
    return tests[prefix]
