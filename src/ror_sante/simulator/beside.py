"""What stands beside the directory: reports of anomalies (Task), and templates to enter offers (Questionnaire)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ror_sante.simulator import vocabulary as words
from ror_sante.simulator.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    Json = dict[str, Any]

REPORTS: Final = 100
FIRST_ID: Final = {"Task": 601, "Questionnaire": 401}
REPORTED_BEFORE: Final = 24 * 3600  # seconds between a report and its last change

_REPORT_STATUS: Final = words.terminology("TRE_R352-StatutSignalement")
# To treat, cancelled, corrected (page "post/task").
_REPORT_STATUSES: Final = ("02", "03", "08")
_VERSIONS: Final = ("1.0", "2.0")


def report(offer: Record, number: int) -> Record:
    """Give a report of an anomaly (page "post/task").

    Args:
        offer: what it is about.
        number: its place among the reports.
    """
    status = _REPORT_STATUSES[offer.updated // 60 % len(_REPORT_STATUSES)]
    return Record(
        "Task",
        str(FIRST_ID["Task"] + number),
        number,
        offer.updated + REPORTED_BEFORE,
        offer.city,
        name="Le nom de cette offre est à corriger.",
        identifiers=(("", f"SIM-{number + 1:04d}"),),
        codes={"business-status": ((_REPORT_STATUS, status),)},
        displays={"focus": offer.identifiers[0][1]},
        links={"focus": (offer.reference,)},
    )


def template(number: int, updated: int) -> Record:
    """Give a template for the entry of offers of one field of activity, in one of its versions.

    Args:
        number: its place among the templates.
        updated: seconds since the epoch.
    """
    code, display = words.FIELDS[number % len(words.FIELDS)]
    version = _VERSIONS[number // len(words.FIELDS)]
    return Record(
        "Questionnaire",
        str(FIRST_ID["Questionnaire"] + number),
        number,
        updated,
        words.CITIES[0],
        name=f"Gabarit{number + 1}",
        identifiers=(("", f"GAB-{code}-{version}"),),
        codes={"context": ((words.FIELD, code),), "version": (("", version),)},
        displays={"context": display, "title": f"Gabarit de saisie : {display}"},
        active=version == _VERSIONS[-1],
    )


TEMPLATES: Final = len(words.FIELDS) * len(_VERSIONS)


def template_status(record: Record) -> str:
    """Tell whether a template is still in use: the newest version alone is."""
    return "active" if record.active else "retired"


def _task(record: Record, resource: Json) -> None:
    changed = resource["meta"]["lastUpdated"]
    resource |= {
        "identifier": [{"value": record.identifiers[0][1]}],
        "status": "in-progress",
        "businessStatus": _coded(*record.codes["business-status"][0]),
        "intent": "order",
        "code": _coded(words.terminology("TRE_R350-ThematiqueAnomalie"), "06"),
        "description": record.name,
        "focus": {"type": "HealthcareService", "identifier": {"value": record.displays["focus"]}},
        "authoredOn": datetime.fromtimestamp(record.updated - REPORTED_BEFORE, UTC).isoformat(timespec="milliseconds"),
        "lastModified": changed,
        "reasonCode": _coded(words.terminology("TRE_R349-MotifSignalement"), "COR"),
    }


def _questionnaire(record: Record, resource: Json) -> None:
    system, code = record.codes["context"][0]
    concept = {"coding": [{"system": system, "code": code, "display": record.displays["context"]}]}
    resource |= {
        "identifier": [{"value": record.identifiers[0][1]}],
        "version": record.codes["version"][0][1],
        "name": record.name,
        "title": record.displays["title"],
        "status": template_status(record),
        "date": resource["meta"]["lastUpdated"],
        "description": f"{record.displays['title']}, données synthétiques",
        "subjectType": ["HealthcareService"],
        "useContext": [
            {
                "code": {"system": "http://terminology.hl7.org/CodeSystem/usage-context-type", "code": "focus"},
                "valueCodeableConcept": concept,
            }
        ],
        "item": [{"linkId": "1", "text": "Nom de l'offre", "type": "string", "required": True}],
    }


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


WRITERS: Final[dict[str, Callable[[Record, Json], None]]] = {"Task": _task, "Questionnaire": _questionnaire}
