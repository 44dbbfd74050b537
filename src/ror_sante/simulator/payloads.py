"""Write a record as the FHIR resource that the ROR would send, after the profiles of its implementation guide."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ror_sante.simulator import vocabulary as words
from ror_sante.simulator.beside import WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.records import Record, Token

Json = dict[str, Any]

_CREATED_BEFORE: Final = 400 * 24 * 3600  # seconds between creation and last change
_OPEN: Final = ("1", "Accès libre")
_RESTRICTED: Final = ("2", "Accès restreint")


def payload(record: Record) -> Json:
    """Give the resource."""
    updated = instant(record.updated)
    base: Json = {
        "resourceType": record.type,
        "id": record.id,
        "meta": {
            "versionId": "1",
            "lastUpdated": updated,
            "profile": [f"{words.PROFILES}/ror-{record.type.lower()}"],
            "tag": [{"system": words.REGION, "code": record.city.region}],
        },
        "extension": [
            {
                "url": f"{words.PROFILES}/ror-meta-creation-date",
                "valueDateTime": instant(record.updated - _CREATED_BEFORE),
            }
        ],
    }
    _WRITERS[record.type](record, base)
    return base


def _offer(record: Record, resource: Json) -> None:
    resource["extension"] += [
        {"url": f"{words.PROFILES}/ror-healthcareservice-sensitive-unit", "valueBoolean": record.number % 40 == 0},
        {
            "url": f"{words.PROFILES}/ror-healthcareservice-patient-type",
            "extension": [{"url": "ageRange", "valueRange": {"low": _years(18), "high": _years(120)}}],
        },
        {
            "url": f"{words.PROFILES}/ror-healthcareservice-contact",
            "extension": [
                {"url": "purposeContact", "valueCodeableConcept": _concept(words.CONTACT, "06", "Standard")},
                _confidentiality(_OPEN),
            ],
        },
    ]
    resource |= {
        "identifier": [{"value": record.identifiers[0][1]}],
        "active": True,
        "providedBy": {"reference": record.links["organization"][0]},
        "category": [_coded(record, "service-category")],
        "type": [_coded(record, "service-type")],
        "specialty": [_coded(record, "specialty")],
        "location": [{"reference": target} for target in record.links["location"]],
        "name": record.name,
        "telecom": [_telecom("email", f"offre.{record.id}@simulateur.mssante.invalid", _RESTRICTED)],
        "characteristic": [
            _coded(record, "characteristic"),
            _concept(*record.codes["characteristic"][1], record.displays["special"]),
        ],
        "availableTime": [{"availableStartTime": "08:30:00", "availableEndTime": "18:00:00"}],
    }


def _location(record: Record, resource: Json) -> None:
    resource["extension"].append(
        {
            "url": f"{words.PROFILES}/ror-commune-cog",
            "valueCodeableConcept": _concept(words.COMMUNE, record.city.insee, record.city.name),
        }
    )
    if record.capacity is not None:
        resource["extension"].append(_capacity(record, record.capacity))
    latitude, longitude = record.position or (0.0, 0.0)
    resource |= {
        "identifier": [
            _identifier(words.LOCATION_ID, code, display, value=value)
            for (code, display), (_, value) in zip(
                (("25", "Identifiant fonctionnel"), ("26", "Identifiant de synchronisation externe")),
                record.identifiers,
                strict=True,
            )
        ],
        "status": "active" if record.active else "inactive",
        "name": record.name,
        "type": [_coded(record, "type")],
        "address": _address(record),
        "position": {"longitude": longitude, "latitude": latitude},
        "managingOrganization": {"reference": record.links["organization"][0]},
    }


def _capacity(record: Record, beds: int) -> Json:
    return {
        "url": f"{words.PROFILES}/ror-location-supported-capacity",
        "extension": [
            {"url": "capacityType", "valueCodeableConcept": _concept(words.CAPACITY_TYPE, "01", "Lit")},
            {"url": "capacityStatus", "valueCodeableConcept": _concept(words.CAPACITY_STATUS, "02", "Disponible")},
            {"url": "temporalityCapacity", "valueCodeableConcept": _concept(words.CAPACITY_TIME, "01", "Immédiate")},
            {"url": "nbCapacity", "valueInteger": beds},
            {
                "url": "capacitySourceType",
                "valueCodeableConcept": _concept(words.CAPACITY_SOURCE, "02", "Gestion des lits"),
            },
            {"url": "capacityUpdateDate", "valueDateTime": instant(record.updated)},
            {"url": "temporaryAssignement", "valueCodeableConcept": _concept(words.ASSIGNMENT, "01", "Aucune")},
        ],
    }


# TRE_G07 and TRE_R345: type code and display, by the system of the identifier.
_STRUCTURE_TYPES: Final = {
    words.ID_NAT_STRUCT: (words.STRUCTURE_ID, "40", "Identifiant national de structure"),
    words.FINESS: (words.STRUCTURE_ID, "1", "FINESS"),
    words.OI: (words.OI_ID, "42", "Identifiant d'organisation interne"),
}


def _organization(record: Record, resource: Json) -> None:
    resource |= {
        "identifier": [_structure(token, legal=record.kind == "EJ") for token in record.identifiers],
        "active": True,
        "type": [_coded(record, "type")],
        "name": record.name,
    }
    if record.kind != "OI":
        resource["address"] = [_address(record)]
        resource["contact"] = [_contact(record)]
    if "partof" in record.links:
        resource["partOf"] = {"reference": record.links["partof"][0]}


def _structure(token: Token, *, legal: bool) -> Json:
    system, value = token
    siren = (words.STRUCTURE_ID, "2", "SIREN") if legal else (words.STRUCTURE_ID, "3", "SIRET")
    table, code, display = _STRUCTURE_TYPES.get(system, siren)
    return _identifier(table, code, display, value=value) | {"system": system}


def _contact(record: Record) -> Json:
    return {
        "extension": [
            {
                "url": f"{words.PROFILES}/ror-contact-confidentiality-level",
                "valueCodeableConcept": _concept(words.CONFIDENTIALITY, *_OPEN),
            }
        ],
        "purpose": _concept(words.CONTACT, "06", "Standard"),
        # 01 99 00 is set aside by Arcep for fiction
        "telecom": [_telecom("phone", f"01 99 00 {record.number // 100 % 100:02d} {record.number % 100:02d}", _OPEN)],
    }


def _practitioner(record: Record, resource: Json) -> None:
    system, value = record.identifiers[0]
    resource |= {
        "identifier": [{"system": system, "value": value}],
        "active": True,
        "name": [{"family": record.name, "given": [record.given]}],
        "telecom": [_telecom("email", f"personne.{record.id}@simulateur.mssante.invalid", _RESTRICTED)],
        "gender": record.kind,
    }


def _role(record: Record, resource: Json) -> None:
    resource["extension"] += [
        {
            "url": f"{words.PROFILES}/ror-practitionerrole-name",
            "extension": [
                {"url": "exerciseFirstName", "valueString": record.given},
                {"url": "exerciseLastName", "valueString": record.name},
            ],
        },
        {
            "url": f"{words.PROFILES}/ror-practitionerrole-unit-exercise-mode",
            "valueCodeableConcept": _coded(record, "mode"),
        },
    ]
    resource |= {
        "identifier": [{"value": record.identifiers[0][1]}],
        "active": True,
        "practitioner": {"reference": record.links["practitioner"][0]},
        "organization": {"reference": record.links["organization"][0]},
        "code": [_coded(record, "role")],
        "healthcareService": [{"reference": record.links["service"][0]}],
    }


_WRITERS: Final[dict[str, Callable[[Record, Json], None]]] = {
    "HealthcareService": _offer,
    "Location": _location,
    "Organization": _organization,
    "Practitioner": _practitioner,
    "PractitionerRole": _role,
} | WRITERS


# ------------------------------------------------------------------ parts


def instant(seconds: int) -> str:
    """Write seconds since the epoch as a FHIR instant."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _coded(record: Record, parameter: str) -> Json:
    return _concept(*record.codes[parameter][0], record.displays[parameter])


def _identifier(table: str, code: str, display: str, *, value: str) -> Json:
    return {"type": _concept(table, code, display), "value": value}


def _years(number: int) -> Json:
    return {"value": number, "system": "http://unitsofmeasure.org", "code": "a"}


def _confidentiality(level: tuple[str, str]) -> Json:
    return {
        "url": f"{words.PROFILES}/ror-telecom-confidentiality-level",
        "valueCodeableConcept": _concept(words.CONFIDENTIALITY, *level),
    }


def _telecom(system: str, value: str, level: tuple[str, str]) -> Json:
    channel = {"phone": ("2", "Téléphone fixe"), "email": ("3", "Courrier électronique")}[system]
    return {
        "extension": [
            {
                "url": f"{words.PROFILES}/ror-telecom-communication-channel",
                "valueCodeableConcept": _concept(words.CHANNEL, *channel),
            },
            _confidentiality(level),
        ],
        "system": system,
        "value": value,
    }


def _address(record: Record) -> Json:
    house = str(record.number % 90 + 1)
    kind, base = words.STREETS[record.number % len(words.STREETS)]
    parts = {"houseNumber": house, "streetNameType": kind, "streetNameBase": base}
    return {
        "line": [f"{house} {kind} {base}"],
        "_line": [
            {"extension": [{"url": f"{words.ADXP}-{part}", "valueString": text} for part, text in parts.items()]}
        ],
        "city": record.city.name,
        "postalCode": record.city.postal_code,
    }
