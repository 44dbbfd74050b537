"""A few anomaly reports (Task), which can be read and not searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ror_sante.simulator.payloads import instant
from ror_sante.simulator.vocabulary import terminology

if TYPE_CHECKING:
    from ror_sante.simulator.data import Directory

TYPE: Final = "Task"
FIRST_ID: Final = 601
COUNT: Final = 100


def task(directory: Directory, resource_id: str) -> dict[str, Any] | None:
    """Give an anomaly report on one of the first offers (page "post/task"), or None.

    Args:
        directory: the offers.
        resource_id: the technical id of the report.
    """
    number = int(resource_id) - FIRST_ID if resource_id.isascii() and resource_id.isdecimal() else -1
    if not 0 <= number < min(COUNT, directory.size):
        return None
    offer = directory.records("HealthcareService")[number]
    reported = instant(offer.updated)
    return {
        "resourceType": TYPE,
        "id": resource_id,
        "meta": {"lastUpdated": reported},
        "status": "in-progress",
        "businessStatus": _coded("TRE_R352-StatutSignalement", "02"),
        "intent": "order",
        "code": _coded("TRE_R350-ThematiqueAnomalie", "06"),
        "description": "Le nom de cette offre est à corriger.",
        "focus": {"type": offer.type, "identifier": {"value": offer.identifiers[0][1]}},
        "authoredOn": reported,
        "lastModified": reported,
        "reasonCode": _coded("TRE_R349-MotifSignalement", "COR"),
    }


def _coded(table: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": terminology(table), "code": code}]}
