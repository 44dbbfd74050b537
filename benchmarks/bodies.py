"""Answers of a FHIR search, of a given size, the same on every run."""

from __future__ import annotations

import json
import random

SIZES = {"20 kB": 20_000, "2 MB": 2_000_000}


def file_name(size: str) -> str:
    """Name the file that the server keeps a body in."""
    return size.replace(" ", "").lower() + ".json"


def body(size: int) -> bytes:
    """Give a searchset Bundle of about `size` bytes."""
    one = len(_bundle(50)) / 50
    return _bundle(max(1, round(size / one)))


def _bundle(count: int) -> bytes:
    chance = random.Random(1)
    entries = [{"search": {"mode": "match"}, "resource": service(number, chance)} for number in range(count)]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": count, "entry": entries}
    return json.dumps(bundle, ensure_ascii=False).encode()


def service(number: int, chance: random.Random, *, extensions: int = 6) -> dict[str, object]:
    """Make a HealthcareService with the fields and the nesting of the ROR's, and invented values."""
    extended = [
        {
            "url": f"https://example.invalid/StructureDefinition/extension-{one}",
            "valueCodeableConcept": {"coding": [_coding(chance)]},
        }
        for one in range(extensions)
    ]
    return {
        "resourceType": "HealthcareService",
        "id": f"{chance.getrandbits(64):016x}",
        "meta": {"versionId": "1", "lastUpdated": "2026-01-15T08:30:00.000+01:00"},
        "extension": extended,
        "identifier": [{"system": "urn:oid:1.2.250.1.213.3.9", "value": str(chance.getrandbits(40))}],
        "active": True,
        "providedBy": {"reference": f"Organization/{chance.getrandbits(32)}"},
        "location": [{"reference": f"Location/{chance.getrandbits(32)}"}],
        "name": f"Consultations de médecine générale n° {number}",
        "specialty": [{"coding": [_coding(chance)]}],
        "telecom": [{"system": "phone", "value": f"01{chance.randint(10**7, 10**8 - 1)}"}],
        "availableTime": [{"daysOfWeek": ["mon", "wed", "fri"], "availableStartTime": "08:00:00"}],
    }


def _coding(chance: random.Random) -> dict[str, str]:
    table = chance.randint(200, 340)
    code = f"{chance.randint(1, 999):03}"
    return {"system": f"https://example.invalid/TRE_R{table}", "code": code, "display": "Libellé de la nomenclature"}
