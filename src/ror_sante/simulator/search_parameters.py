"""The parameters that each type of record is searched by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ror_sante.simulator.beside import REPORTED_BEFORE, template_status
from ror_sante.simulator.comparing import Parameter
from ror_sante.simulator.payloads import payload
from ror_sante.simulator.refusals import BadSearchError
from ror_sante.simulator.vocabulary import REGION

if TYPE_CHECKING:
    from ror_sante.simulator.comparing import Kind
    from ror_sante.simulator.records import Record, Token


def _codes(name: str, description: str) -> Parameter:
    return Parameter("token", lambda record: record.codes.get(name, ()), description)


def _referred(record: Record, name: str) -> tuple[str, ...]:
    """Give references as a search may write them: with their type, or the technical id alone."""
    references = record.links[name]
    return (*references, *(each.partition("/")[2] for each in references))


def _nothing(kind: Kind, names: str, value: Any = None) -> dict[str, Parameter]:
    """Give documented parameters that the synthetic records have no values for: they are taken, and find nothing."""
    return {name: Parameter(kind, lambda _: value, "no synthetic record has it") for name in names.split()}


def _missing_codes(names: str) -> dict[str, Parameter]:
    return _nothing("token", names, ())


_IDENTIFIER: Final = Parameter("token", lambda record: record.identifiers, "business identifier")
_COMMON: Final = {
    "_id": Parameter("token", lambda record: (("", record.id),), "technical id"),
    "_lastUpdated": Parameter("date", lambda record: record.updated, "when the record last changed"),
    "_tag": Parameter("token", lambda record: ((REGION, record.city.region),), "region that the record comes from"),
    "identifier": _IDENTIFIER,
}
_BESIDE: Final = {name: parameter for name, parameter in _COMMON.items() if name != "_tag"}
_NAME: Final = {"name": Parameter("string", lambda record: record.name, "name")}

PARAMETERS: Final[dict[str, dict[str, Parameter]]] = {
    "HealthcareService": _COMMON
    | _NAME
    | {
        "service-category": _codes("service-category", "category of offer"),
        "service-type": _codes("service-type", "field of activity"),
        "specialty": _codes("specialty", "operational activity"),
        "characteristic": _codes("characteristic", "mode of care"),
        "location": Parameter("reference", lambda record: _referred(record, "location"), "place of the offer"),
        "age-range-low": Parameter("quantity", lambda _: 18, "youngest age, in years"),
        "age-range-high": Parameter("quantity", lambda _: 120, "greatest age, in years"),
    }
    | _missing_codes("specific-competence intervention-zone patient-type")
    | _nothing("string", "psychiatric-sector", "")
    | _nothing("date", "notavailable-closing-reopeningdate"),
    "Location": _COMMON
    | {
        "type": _codes("type", "function of the place"),
        "status": Parameter(
            "token",
            lambda record: (("http://hl7.org/fhir/location-status", "active" if record.active else "inactive"),),
            "active or inactive",
        ),
        "address-city": Parameter("string", lambda record: record.city.name, "town"),
        "address-postalcode": Parameter("string", lambda record: record.city.postal_code, "postal code, or its start"),
        "commune-cog": _codes("commune-cog", "code of the commune"),
        "near": Parameter("special", lambda record: record.position, "latitude|longitude|distance|km"),
        "near-insee-code": Parameter("special", lambda record: record.position, "INSEE code|distance|km"),
        "capacity-type": _codes("capacity-type", "kind of capacity"),
        "capacity-status": _codes("capacity-status", "state of the capacity"),
        "nb-capacity": Parameter("number", lambda record: record.capacity, "number of beds"),
        "capacity-update-date": Parameter(
            "date", lambda record: None if record.capacity is None else record.updated, "when beds were counted"
        ),
    }
    | _missing_codes("operational-status temporality-capacity gender-capacity-available capacity-closing-type")
    | _missing_codes("additional-bed-type crisis-type temporary-assignement equipment-type equipment-feature")
    | _missing_codes("residential-type")
    | _nothing("number", "residential-number")
    | _nothing("quantity", "limit-value"),
    "Organization": _COMMON
    | _NAME
    | {"type": _codes("type", "category")}
    | _missing_codes("closing-type drop-zone price-type price-unit price-residential-type price-dependency-level")
    | _missing_codes("price-welcome-type special-price extension.typeActivity")
    | _nothing("number", "price-amount-value")
    | _nothing("date", "period-end price-validity-start-date"),
    "Practitioner": _COMMON,
    "PractitionerRole": _COMMON,
    "Task": _BESIDE
    | {
        "focus": Parameter(
            "reference",
            lambda record: (*_referred(record, "focus"), record.displays["focus"]),
            "what the report is about",
        ),
        "business-status": _codes("business-status", "to treat, cancelled or corrected"),
        "authored-on": Parameter("date", lambda record: record.updated - REPORTED_BEFORE, "when it was reported"),
    },
    "Questionnaire": _BESIDE
    | _NAME
    | {
        "context": _codes("context", "field of activity"),
        "status": Parameter("token", lambda record: (("", template_status(record)),), "active or retired"),
        "version": _codes("version", "version of the template"),
        "title": Parameter("string", lambda record: record.displays["title"], "title"),
        "description": Parameter("string", lambda record: record.displays["title"], "description"),
        "date": Parameter("date", lambda record: record.updated, "when it was last changed"),
    },
}

# META lists the chain to the organization in its :above form alone: the match may stand anywhere up the tree.
CHAINS: Final = {"HealthcareService": {"location.": "Location", "organization.": "Organization"}}
ABOVE: Final = ":above"
DIRECT: Final = ("type",)  # but one draft scenario asks for the organization itself
# The FHIR guide of exposure model 2.4 (me24) has these; the statement of model 3.0 lists them no more.
CODE_REGION: Final = {"Location": "code-region", "HealthcareService": "location:code-region"}
CONTROLS: Final = ("_count", "_filter", "_include", "_include:iterate", "_revinclude", "_revinclude:iterate", "_sort")
# META: the chains leave these out.
NOT_CHAINED: Final = {"Location": {"operational-status"}, "Organization": {"period-end", "extension.typeActivity"}}
# Who refers to a type, and by what: ``_has:PractitionerRole:service:identifier``.
REFERRERS: Final = {
    "HealthcareService": ("PractitionerRole:service",),
    "Location": ("HealthcareService:location",),
}
PERSON: Final = "practitioner."
SORTED: Final = ("_id", "_lastUpdated", "name", "address-city", "address-postalcode")


def _typed_identifiers(record: Record) -> tuple[Token, ...]:
    """Give each identifier as its type's system, and its type's code and value: what ``:of-type`` compares."""
    found = []
    for identifier in payload(record)["identifier"]:
        for coding in identifier.get("type", {}).get("coding", ()):
            found.append((f"{coding['system']}|{coding['code']}", identifier["value"]))
    return tuple(found)


PERSON_NUMBER: Final = Parameter("string", lambda record: record.identifiers[0][1], "RPPS")
TYPED_IDENTIFIER: Final = Parameter("token", _typed_identifiers, "identifier of a type")


def parameter_names(resource_type: str) -> list[str]:
    """Name every parameter of a type, as ``/metadata`` lists them."""
    own = list(PARAMETERS[resource_type])
    for prefix, target in CHAINS.get(resource_type, {}).items():
        suffix = ABOVE if target == "Organization" else ""
        own += [f"{prefix}{name}{suffix}" for name in PARAMETERS[target] if name not in NOT_CHAINED[target]]
    own += [f"{PERSON}identifier"] if resource_type == "HealthcareService" else []
    return sorted([*own, *CONTROLS])


def parameter_type(resource_type: str, name: str) -> str:
    """Name the FHIR type of a parameter as ``/metadata`` lists it: the controls are strings there, as in META."""
    own = {"_count": "number", "_filter": "special"}.get(name)
    if own or name in CONTROLS:
        return own or "string"
    chained = next((each for each in CHAINS.get(resource_type, {}).items() if name.startswith(each[0])), None)
    if chained is not None:
        return parameter_type(chained[1], name.removeprefix(chained[0]).removesuffix(ABOVE))
    return "string" if name.startswith(PERSON) else PARAMETERS[resource_type][name].kind


def unknown(resource_type: str, name: str) -> BadSearchError:
    """Refuse a parameter that a type does not have."""
    known = ", ".join(parameter_names(resource_type))
    return BadSearchError(
        "not-supported",
        f"Paramètre de recherche inconnu « {name[:80]} » pour la ressource {resource_type}. Connus : {known}.",
    )
