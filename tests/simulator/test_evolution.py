"""The synthetic directory over time: what is edited and what vanishes, and how searches see it."""

from __future__ import annotations

import json

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.data import Directory
from ror_sante.simulator.evolution import evolved
from ror_sante.simulator.search import parse
from ror_sante.simulator.server import Simulator

AT = 1_800_000_000  # January 2027
SINCE = "2027-01-15T08:00"  # AT, to the minute


def found(directory: Directory, expression: str) -> list[str]:
    search = parse(directory, "HealthcareService", [("_filter", expression)])
    return [record.reference for record in search.matches(directory)]


@pytest.fixture
def before() -> Directory:
    return Directory(80)


def test_edited_records_are_found_by_their_date_and_look_different(before: Directory) -> None:
    """Three services have a new name and date; the others are as they were."""
    after = evolved(before, at=AT, edited={"HealthcareService": 3}, gone={})
    edited = found(after, f"(_lastUpdated ge {SINCE})")
    assert len(edited) == 3
    for record in after.records("HealthcareService"):
        same = after.body(record) == before.body(before.get(record.reference))  # type: ignore[arg-type]  # it is there
        assert same is (record.reference not in edited)
    body = json.loads(after.body(after.get(edited[0])))  # type: ignore[arg-type]  # likewise
    assert body["meta"]["lastUpdated"].startswith("2027-01-15T08:00")


def test_an_edited_organization_moves_no_date_of_its_services(before: Directory) -> None:
    """The plain date misses them; the documented form with ``organization._lastUpdated:above`` sees them."""
    after = evolved(before, at=AT, edited={"Organization": 1}, gone={})
    assert found(after, f"(_lastUpdated ge {SINCE})") == []
    assert found(after, f"(_lastUpdated ge {SINCE} or organization._lastUpdated:above ge {SINCE})")


def test_vanished_records_are_nowhere(before: Directory) -> None:
    """Not in the list, not by their reference, not among the referrers."""
    after = evolved(before, at=AT, edited={}, gone={"HealthcareService": 2, "PractitionerRole": 64})
    left = {record.reference for record in after.records("HealthcareService")}
    gone = {record.reference for record in before.records("HealthcareService")} - left
    assert len(gone) == 2
    assert all(after.get(reference) is None for reference in gone)
    assert not any(after.referrers("PractitionerRole:service", reference) for reference in left)
    assert after.get("Nothing/1") is None


def test_changes_add_up_and_are_the_same_for_the_same_seed(before: Directory) -> None:
    """What was edited or had gone stays so after the next change; two directories of a seed agree."""

    def twice(first: Directory) -> Directory:
        once = evolved(first, at=AT, edited={"Location": 2}, gone={"Location": 1})
        return evolved(once, at=AT + 3600, edited={"Location": 2}, gone={"Location": 1})

    one, other = twice(before), twice(Directory(80))
    assert len(one.records("Location")) == len(before.records("Location")) - 2
    assert [*map(one.body, one.records("Location"))] == [*map(other.body, other.records("Location"))]
    assert len({record.updated for record in one.records("Location") if record.updated >= AT}) == 2


@pytest.mark.parametrize(
    ("edited", "gone"), [({"Nothing": 1}, {}), ({}, {"Nothing": 0}), ({"Location": -1}, {}), ({"Location": 99}, {})]
)
def test_what_cannot_change_is_refused(before: Directory, edited: dict[str, int], gone: dict[str, int]) -> None:
    """An unknown type, a negative number, more than there are."""
    with pytest.raises(ConfigurationError, match="cannot change"):
        evolved(before, at=AT, edited=edited, gone=gone)


def test_the_simulator_changes_by_its_own_clock() -> None:
    """A change bears the simulator's time; reset takes it back."""
    place = Simulator(size=20)
    place.clock.advance(86_400)
    place.evolve({"HealthcareService": 1}, {"HealthcareService": 1})
    newest = max(record.updated for record in place.directory.records("HealthcareService"))
    assert newest == pytest.approx(place.clock.now().timestamp(), abs=5)
    assert len(place.directory.records("HealthcareService")) == 19
    place.reset()
    assert len(place.directory.records("HealthcareService")) == 20
