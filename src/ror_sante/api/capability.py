"""Compare what a server says it can do with what the client assumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ror_sante.api.parameters import CONTROLS, INCLUDES, PARAMETERS, REVINCLUDES
from ror_sante.api.policy import DIRECTORY_TYPES
from ror_sante.api.views.lenient import objects, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FHIR_VERSION: Final = "4.0.1"
_INTERACTIONS: Final = ("read", "search-type")
_JSON: Final = ("json", "application/fhir+json", "application/json")
_NO: Final = "-"
_HAS: Final = "_has"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that client and server see differently.

    Attributes:
        where: resource type, or ``server``.
        what: the kind of thing and its name, ``parameter near`` for instance.
        client: what the client assumes; ``-`` when it knows of no such thing.
        server: what the server states; ``-`` when it states no such thing.
        note: what follows from it.
    """

    where: str
    what: str
    client: str
    server: str
    note: str = ""


def differences(statement: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare a CapabilityStatement with the client: FHIR version, formats, interactions, parameters, includes.

    Parameters that the documents call drafts are not missed when the server does not state them.

    Args:
        statement: as `NationalRorClient.metadata` gives it; read leniently.

    Returns:
        The differences, the server's own first, then type by type.
    """
    stated = {
        text(resource.get("type")): resource
        for rest in objects(statement.get("rest"))
        for resource in objects(rest.get("resource"))
    }
    found = list(_of_server(statement))
    for resource_type in DIRECTORY_TYPES:
        if resource_type not in stated:
            found.append(Difference(resource_type, "resource", "read, search", _NO, "every call would fail"))
        else:
            found += _of_type(resource_type, stated[resource_type])
    return tuple(found)


def _of_server(statement: Mapping[str, Any]) -> Iterator[Difference]:
    version = text(statement.get("fhirVersion"))
    if version != FHIR_VERSION:
        yield Difference("server", "FHIR version", FHIR_VERSION, version or _NO)
    formats = texts(statement.get("format"))
    if not set(formats) & set(_JSON):
        yield Difference("server", "format", _JSON[0], ", ".join(formats) or _NO, "the client asks for JSON")


def _of_type(resource_type: str, resource: Mapping[str, Any]) -> Iterator[Difference]:
    able = {text(each.get("code")) for each in objects(resource.get("interaction"))}
    for interaction in _INTERACTIONS:
        if interaction not in able:
            yield Difference(resource_type, f"interaction {interaction}", "used", _NO)
    yield from _of_parameters(resource_type, resource)
    yield from _of_includes(resource_type, resource, "searchInclude", INCLUDES)
    yield from _of_includes(resource_type, resource, "searchRevInclude", REVINCLUDES)


def _of_parameters(resource_type: str, resource: Mapping[str, Any]) -> Iterator[Difference]:
    stated = {text(each.get("name")): text(each.get("type")) for each in objects(resource.get("searchParam"))}
    known = {name: each for name, each in PARAMETERS[resource_type].items() if not name.startswith(_HAS)}
    for name, parameter in known.items():
        if name not in stated and not parameter.draft:
            note = "" if parameter.stated else "documented after the statement of 2024 was made"
            yield Difference(resource_type, f"parameter {name}", parameter.kind, _NO, note)
        elif stated.get(name, parameter.kind) != parameter.kind:
            yield Difference(resource_type, f"parameter {name}", parameter.kind, stated[name] or _NO)
    for name in sorted(set(stated) - set(known) - {*CONTROLS, ""}):
        if name.partition(":")[0] != _HAS:
            yield Difference(resource_type, f"parameter {name}", _NO, stated[name] or _NO, "raw() takes it")


def _of_includes(
    resource_type: str, resource: Mapping[str, Any], element: str, assumed: Mapping[str, tuple[str, ...]]
) -> Iterator[Difference]:
    stated = set(texts(resource.get(element)))
    # A server need not list them; "*" stands for all.
    if stated and "*" not in stated:
        own = (key for key in assumed[resource_type] if key not in stated)
        yield from (Difference(resource_type, f"{element} {key}", "used", _NO) for key in own)
