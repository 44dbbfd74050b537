"""The values of a query do not come back in a message."""

from __future__ import annotations

import pytest

from ror_sante.api.fhir.discretion import without_values

RPPS = "10001234567"


@pytest.mark.parametrize(
    ("query", "text", "shown"),
    [
        (f"identifier=urn:oid:1.2.3%7C{RPPS}", f"identifiant {RPPS} inconnu", "identifiant … inconnu"),
        (f"_filter=(practitioner.identifier eq {RPPS})", f"near {RPPS}: syntax", "near …: syntax"),
        ("near=47.218%7C-1.636%7C15%7Ckm", "bad point 47.218,-1.636", "bad point …,…"),
        ("name=Durand%20Paul", "GET /Practitioner?name=Durand%20Paul failed", "GET /Practitioner?name=… failed"),
        ("name=durand", "DURAND: unknown", "…: unknown"),
    ],
)
def test_a_value_of_the_query_is_replaced(query: str, text: str, shown: str) -> None:
    """What may identify a person is replaced, whole, in part or percent-encoded."""
    assert without_values(text, f"https://h/Practitioner?{query}") == shown


@pytest.mark.parametrize(
    "query",
    ["_include=HealthcareService:organisation", "_include:iterate=HealthcareService:organisation", "a=chu", ""],
)
def test_structural_and_short_values_stay(query: str) -> None:
    """A wrong _include is named in the message; a value shorter than four characters is not looked for."""
    text = "HealthcareService:organisation is unknown to the chu"
    assert without_values(text, f"https://h/HealthcareService?{query}") == text


def test_an_address_that_cannot_be_read_hides_nothing() -> None:
    """A broken address leaves the text as it is."""
    assert without_values("said", "https://[h/?a=said") == "said"
