"""What the account's rights hide is told by what the service gave, and what is merely absent proves nothing."""

from __future__ import annotations

import json

import pytest

from ror_sante.api.fhir.bundle import Bundle
from ror_sante.api.national import NationalRorClient
from ror_sante.diagnosis.rights import hidden

EXTENSION = "https://interop.esante.gouv.fr/ig/fhir/ror/StructureDefinition/"


def page(*resources: dict, total: int | None = None, following: str = "") -> Bundle:
    links = [{"relation": "next", "url": following}] if following else []
    entries = [{"resource": resource, "search": {"mode": "match"}} for resource in resources]
    body = {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links, "entry": entries}
    return Bundle.parse(json.dumps(body).encode())


def offer(*without: str, **more: object) -> dict:
    names = ("ror-meta-creation-date", "ror-healthcareservice-sensitive-unit")
    extensions = [{"url": f"{EXTENSION}{name}", "valueBoolean": False} for name in names if name not in without]
    whole = {"resourceType": "HealthcareService", "id": "1", "identifier": [{"value": "9"}], "extension": extensions}
    return {name: value for name, value in whole.items() if name not in without} | more


@pytest.mark.parametrize(
    ("found", "evidence"),
    [
        (page(offer("identifier")), "no HealthcareService of 1 has identifier,"),
        (page(offer("ror-healthcareservice-sensitive-unit")), "has ror-healthcareservice-sensitive-unit,"),
        (page(offer("extension")), "has ror-healthcareservice-sensitive-unit, ror-meta-creation-date,"),
        (page(offer(meta={"security": [{"code": "REDACTED"}]})), "HealthcareService/1 is marked REDACTED"),
        (page(offer(), total=3), "the service counts 3 and shows 1"),
    ],
    ids=["element", "extension", "no-extensions", "marked", "counted"],
)
def test_what_is_left_out_is_told_with_its_evidence(found: Bundle, evidence: str) -> None:
    """Likely, and never certain: the service says nothing."""
    (cause,) = hidden(found)

    assert (cause.code, cause.confidence) == ("rights-hide-fields", "medium")
    assert evidence in cause.evidence


@pytest.mark.parametrize(
    "found",
    [
        page(offer(), offer("identifier")),
        page(offer(meta={"security": ["odd", {"code": "N"}], "tag": "odd"})),
        page(offer(), total=3, following="https://host/next"),
        page(offer(), total=1),
        page({"resourceType": "Basic", "extension": [{"url": f"{EXTENSION}ror-meta-creation-date"}]}),
        page(),
    ],
    ids=["one-has-it", "other-labels", "more-to-come", "all-shown", "another-type", "empty"],
)
def test_a_page_that_may_well_be_whole_raises_no_suspicion(found: Bundle) -> None:
    """A field that one resource has is not hidden, and a page with a next link is not the last."""
    assert hidden(found) == ()


def test_an_account_with_less_right_is_told_by_a_page_of_the_service(ror_simulator) -> None:
    """The same search with and without the rights; the French says the same."""
    with NationalRorClient(
        ror_simulator.environment,
        ror_simulator.identity,
        client_id=ror_simulator.client_id,
        profile=ror_simulator.profile,
        role=ror_simulator.role,
    ) as ror:
        whole = next(ror.pages("HealthcareService", {"_count": "5"}, prefetch=False))
        ror_simulator.fault("less-right")
        poorer = next(ror.pages("HealthcareService", {"_count": "5"}, prefetch=False))

    assert hidden(whole) == ()
    (cause,) = hidden(poorer, lang="fr")
    assert cause.title.startswith("Les droits du compte masquent")
    assert "no HealthcareService of 5 has ror-healthcareservice-sensitive-unit" in cause.evidence
