"""Tables that a person can read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.api.fhir.bundle import Distance
from ror_sante.api.fhir.resource import Resource
from ror_sante.api.views import Pool
from ror_sante.cli import table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SD = "https://interop.esante.gouv.fr/ig/fhir/ror/StructureDefinition"


def resource(kind: str, number: str = "1", **content: Any) -> Resource:
    return Resource(json.dumps({"resourceType": kind, "id": number} | content).encode())


def printed(capsys: pytest.CaptureFixture[str], *listed: Resource, more: tuple[Resource, ...] = ()) -> list[list[str]]:
    """Give the cells of what is printed, line by line."""
    assert table.write(listed, Pool((*listed, *more))) == len(listed)
    return [re.split(r"\s{2,}", line.rstrip()) for line in capsys.readouterr().out.splitlines()]


def test_columns_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """An offer that came alone has neither organization nor city; with them it has."""
    offer = resource("HealthcareService", name="Urgences", providedBy={"reference": "Organization/2"})
    site = resource(
        "Organization", "2", name="CHU", address={"city": "Dijon"}, telecom={"system": "phone", "value": "5"}
    )
    assert printed(capsys, offer) == [["id", "name"], ["1", "Urgences"]]
    assert printed(capsys, offer, more=(site,)) == [
        ["id", "name", "organization", "city", "phone"],
        ["1", "Urgences", "CHU", "Dijon", "5"],
    ]


def test_each_type_has_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    """What came along is printed below, under its own heading; unknown types get the common columns."""
    found = printed(
        capsys,
        resource(
            "Practitioner", name={"family": "Petit"}, identifier={"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "9"}
        ),
        resource(
            "Organization",
            name="CHU",
            partOf={"reference": "Organization/9"},
            identifier={"type": {"coding": {"code": "2"}}, "value": "1"},
        ),
        resource("PractitionerRole", code={"text": "Médecin"}, meta={"lastUpdated": "2026-01-01T00:00:00Z"}),
        resource("Questionnaire", name="Saisie", title="Saisie des lits", description="x", identifier={"value": "G1"}),
        resource("Task", description="Le nom est faux", title=5),
    )
    assert found == [
        ["id", "name", "RPPS"],
        ["1", "Petit", "9"],
        [""],
        ["id", "kind", "name"],
        ["1", "EJ", "CHU"],
        [""],
        ["id", "profession", "changed"],
        ["1", "Médecin", "2026-01-01"],
        [""],
        ["id", "identifier", "name", "about"],
        ["1", "G1", "Saisie", "Saisie des lits"],
        [""],
        ["id", "about"],
        ["1", "Le nom est faux"],
    ]


def test_a_place_tells_its_free_beds_and_its_distance(capsys: pytest.CaptureFixture[str]) -> None:
    """Beds that are free are added up; other counts are not, for they overlap."""

    def count(number: int, kind: str, status: str) -> dict[str, Any]:
        codes = {"capacityType": kind, "capacityStatus": status}
        parts = [{"url": url, "valueCodeableConcept": {"coding": [{"code": code}]}} for url, code in codes.items()]
        return {
            "url": f"{SD}/ror-location-supported-capacity",
            "extension": [*parts, {"url": "nbCapacity", "valueInteger": number}],
        }

    place = resource(
        "Location",
        extension=[
            count(3, "01", "02"),
            count(4, "01", "02"),
            count(50, "01", "01"),
            {"url": f"{SD}/ror-location-supported-capacity"},
        ],
    )
    place.distance = Distance(3.14159, "km")
    assert printed(capsys, place) == [["id", "free beds", "distance"], ["1", "7", "3.1 km"]]


def test_words_that_repeat_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Two activities of one name are one word; two names are both told."""
    offer = resource("HealthcareService", specialty=[{"text": "A"}, {"text": "A"}, {"text": "B"}])
    assert printed(capsys, offer)[1] == ["1", "A, B"]


@pytest.mark.parametrize(
    ("name", "cells"), [("Urgences de nuit", ["1", "Urgences de nuit"]), ("Nuit", ["1", "Nuit", "URGENCES"])]
)
def test_what_the_name_says_is_not_said_again(capsys: pytest.CaptureFixture[str], name: str, cells: list[str]) -> None:
    """The activity has no column of its own where each name holds it."""
    offer = resource("HealthcareService", name=name, specialty=[{"text": "URGENCES"}])
    assert printed(capsys, offer)[1] == cells


def test_numbers_stay_whole_when_names_are_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A narrow terminal cuts names, never ids; where nothing but ids is left, they are printed as they are."""
    monkeypatch.setenv("COLUMNS", "20")
    offer = resource("HealthcareService", "100001", name="Urgences pédiatriques")
    assert printed(capsys, offer)[1] == ["100001", "Urgences …"]
    monkeypatch.setenv("COLUMNS", "8")
    for bare in (
        resource("HealthcareService", "1234567890"),
        resource("HealthcareService", "1234567890", name="Urgences"),
    ):
        assert printed(capsys, bare)[1][0].startswith("123")


# ------------------------------------------------------------------ the command


def test_the_full_offer_names_what_belongs_to_it(run: Callable[..., Any], bench: Path, simulator: Any) -> None:
    """One word brings the five rules; the table then has organization, city and telephone."""
    done = run(
        "rorn", "search", "HealthcareService", "--full-offer", "--max", "2", "--format", "table", "--config", bench
    )
    heading, *lines = done.out.splitlines()
    assert heading.split() == ["id", "name", "organization", "city", "phone"]
    assert len(lines) == 2
    assert all(re.search(r"01 99 00 \d\d \d\d$", line.rstrip()) for line in lines)
    asked = next(seen.params for seen in simulator.requests if seen.path.endswith("/HealthcareService"))
    assert len(asked) == 5


def test_the_full_offer_is_of_offers(run: Callable[..., Any], bench: Path) -> None:
    """For another type it is wrong usage."""
    done = run("rorn", "search", "Location", "--full-offer", "--config", bench)
    assert (done.code, "HealthcareService alone" in done.err) == (2, True)


def test_included_resources_are_listed_when_asked(run: Callable[..., Any], bench: Path) -> None:
    """Below the matches, one table a type; without --included they only lend their names."""
    words = (
        "rorn",
        "search",
        "Location",
        "-p",
        "_include=Location:organization",
        "--max",
        "1",
        "--format",
        "table",
        "--config",
        bench,
    )
    plain, with_them = run(*words), run(*words, "--included")
    assert "organi" in plain.out.splitlines()[0]
    assert len(plain.out.splitlines()) == 2
    assert with_them.out.startswith(plain.out)
    assert re.search(r"^id +kind +name", with_them.out, re.MULTILINE)


def test_an_undocumented_parameter_is_warned_of(run: Callable[..., Any], bench: Path) -> None:
    """The warning comes before the refusal, and names what was meant."""
    done = run("rorn", "search", "HealthcareService", "-p", "speciality=013", "--config", bench)
    assert done.code == 5
    assert done.err.startswith(
        "warning: HealthcareService has no documented search parameter speciality. Close to it: specialty"
    )


# ------------------------------------------------------------------ metadata --compare


def test_the_statement_is_compared(run: Callable[..., Any], bench: Path) -> None:
    """Differences as a table, as JSON, as lines and as CSV; they are no error."""
    words = ("rorn", "metadata", "--compare", "--config", bench)
    done = run(*words, "--format", "table")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"Organization +parameter _content +special +-", done.out)
    found = json.loads(run(*words, "--format", "json").out)
    assert {
        "where": "Organization",
        "what": "parameter _content",
        "client": "special",
        "server": "-",
        "note": "",
    } in found
    assert [json.loads(line) for line in run(*words).out.splitlines()] == found
    heading, *lines = run(*words, "--format", "csv").out.splitlines()
    assert heading == "where,what,client,server,note"
    assert len(lines) == len(found)
    assert lines[0].split(",")[3] == "'-"  # a spreadsheet takes a dash for the start of a formula


def test_no_difference_is_said(run: Callable[..., Any], bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty table prints nothing but a word on stderr; JSON stays JSON."""
    monkeypatch.setattr("ror_sante.cli.rorn.differences", lambda statement: ())
    for style, out in (("table", ""), ("json", "[]\n")):
        done = run("rorn", "metadata", "--compare", "--format", style, "--config", bench)
        assert (done.code, done.out) == (0, out)
        assert "states all that this client assumes" in done.err
