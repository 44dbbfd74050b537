"""What a server states, beside what the client assumes."""

from __future__ import annotations

from typing import Any

import pytest

from ror_sante.api.capability import Difference, differences
from ror_sante.api.parameters import CONTROLS, INCLUDES, PARAMETERS, REVINCLUDES
from ror_sante.api.policy import DIRECTORY_TYPES


def resource(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchInclude": list(INCLUDES[kind]),
        "searchRevInclude": list(REVINCLUDES[kind]),
        "searchParam": [{"name": each.name, "type": each.kind} for each in PARAMETERS[kind].values() if not each.draft]
        + [{"name": name, "type": "string"} for name in (*CONTROLS, "_has:PractitionerRole:service:identifier")],
    } | more


def statement(*changed: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Give the statement of a server that is exactly what the client assumes, but for some types."""
    by_type = {kind: resource(kind) for kind in DIRECTORY_TYPES} | {each["type"]: each for each in changed}
    return {
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+xml", "json"],
        "rest": [{"resource": [*by_type.values()]}],
    } | more


def test_a_server_as_assumed_has_no_difference() -> None:
    """All that is documented and no draft is stated: nothing to tell."""
    assert differences(statement()) == ()


@pytest.mark.parametrize(
    ("said", "difference"),
    [
        (statement(fhirVersion="4.3.0"), Difference("server", "FHIR version", "4.0.1", "4.3.0")),
        (statement(fhirVersion=None), Difference("server", "FHIR version", "4.0.1", "-")),
        (statement(format="xml"), Difference("server", "format", "json", "xml", "the client asks for JSON")),
        (statement(format=[]), Difference("server", "format", "json", "-", "the client asks for JSON")),
        (
            statement(resource("Location", interaction={"code": "read"})),
            Difference("Location", "interaction search-type", "used", "-"),
        ),
        (
            statement(resource("Location", searchInclude=["Location:partof"])),
            Difference("Location", "searchInclude Location:organization", "used", "-"),
        ),
        (
            statement(resource("Location", searchRevInclude=["x"])),
            Difference("Location", "searchRevInclude HealthcareService:location", "used", "-"),
        ),
    ],
)
def test_each_departure_is_one_difference(said: dict[str, Any], difference: Difference) -> None:
    """Version, format, interaction, includes."""
    assert differences(said) == (difference,)


@pytest.mark.parametrize("includes", [["*"], [], None])
def test_a_server_that_lists_no_includes_is_not_doubted(includes: Any) -> None:
    """A star stands for all; an absent list says nothing."""
    assert differences(statement(resource("Location", searchInclude=includes))) == ()


def test_parameters_are_compared_by_name_and_type() -> None:
    """One that is missing, one that came later, one of another type, one that the client does not know."""
    theirs = [
        each
        for each in resource("Organization")["searchParam"]
        if each["name"] not in ("name", "type", "drop-zone", "period-end")
    ]
    theirs += [
        {"name": "drop-zone", "type": "string"},
        {"name": "colour", "type": "token"},
        {"name": "period-end", "type": ""},
        {"name": "shape"},
        {},
    ]
    found = differences(statement(resource("Organization", searchParam=theirs)))
    assert set(found) == {
        Difference("Organization", "parameter drop-zone", "token", "string"),
        Difference("Organization", "parameter type", "token", "-", "documented after the statement of 2024 was made"),
        Difference("Organization", "parameter name", "string", "-"),
        Difference("Organization", "parameter period-end", "date", "-"),
        Difference("Organization", "parameter colour", "-", "token", "raw() takes it"),
        Difference("Organization", "parameter shape", "-", "-", "raw() takes it"),
    }
    assert len(found) == 6


def test_an_empty_statement_misses_everything() -> None:
    """Odd shapes are read as nothing."""
    for odd in ({}, {"rest": 3}, {"rest": [{"resource": [None, {"type": []}]}]}):
        found = differences(odd)
        assert [each.where for each in found] == ["server", "server", *DIRECTORY_TYPES]
        assert {each.server for each in found} == {"-"}
