"""A resource is the bytes that arrived, decoded only when asked for."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from ror_sante.api.fhir.bundle import Resource, to_ndjson
from ror_sante.errors import UnexpectedResponseError
from tests.api.answers import answer, offer, outcome

RAW = b'{"resourceType":"Location","id":"12","position":{"latitude":47.2180}}'


def test_a_resource_is_a_read_only_mapping() -> None:
    """Members are read as from a dict; `.raw` stays what arrived."""
    resource = Resource(RAW)
    assert resource.type == "Location"
    assert resource.id == "12"
    assert resource["position"] == {"latitude": 47.218}
    assert resource.get("name") is None
    assert list(resource) == ["resourceType", "id", "position"]
    assert len(resource) == 3
    assert resource == json.loads(RAW)
    assert resource.raw == RAW
    with pytest.raises(TypeError):
        resource["id"] = "13"  # type: ignore[index]  wrong on purpose


def test_decoding_gives_a_dict_of_the_callers_own() -> None:
    """What the caller changes in a decoded resource is not seen by the next one."""
    resource = Resource(RAW)
    resource.decode()["id"] = "changed"
    assert resource.decode()["id"] == resource["id"] == "12"


@pytest.mark.parametrize(
    ("raw", "kind", "name"), [(b"{}", "", ""), (b'{"resourceType":5,"id":7}', "5", "7"), (b'{"id":[1]}', "", "")]
)
def test_type_and_id_may_be_missing_or_numbers(raw: bytes, kind: str, name: str) -> None:
    """The published examples are not clean: a number reads as its text, anything else as nothing."""
    assert (Resource(raw).type, Resource(raw).id) == (kind, name)


def test_a_resource_can_be_copied_and_pickled() -> None:
    """It may travel to another process."""
    resource = Resource(RAW, mode="include")
    for twin in (copy.deepcopy(resource), pickle.loads(pickle.dumps(resource))):
        assert twin.raw == RAW
        assert twin.mode == "include"
        assert twin.id == "12"


def test_its_repr_is_short_and_never_fails() -> None:
    """Type, id and size; foreign characters escaped; garbage named as such."""
    assert repr(Resource(RAW)) == f"<Resource Location/12, {len(RAW)} bytes>"
    assert "\x1b" not in repr(Resource(b'{"resourceType":"a\\u001b[31m"}'))
    assert repr(Resource(b"garbage")) == "<Resource unreadable, 7 bytes>"


def test_ndjson_passes_the_bytes_as_they_are() -> None:
    """One line each; numbers keep their digits and members their order."""
    assert list(to_ndjson([Resource(RAW), Resource(b"{}")])) == [RAW + b"\n", b"{}\n"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_resource_over_several_lines_is_closed_up(ending: str) -> None:
    """Pretty-printed JSON becomes one line, with its numbers and texts untouched."""
    raw = ending.join(["{", '  "resourceType": "Location",', '  "latitude": 47.2180,', '  "name": "a\\nb  c"', "}"])
    assert Resource(raw.encode()).line() == b'{"resourceType":"Location","latitude":47.2180,"name":"a\\nb  c"}\n'


def test_lines_that_cannot_be_closed_up_are_an_error_of_ours() -> None:
    """JSON cut in the middle is named, not written."""
    with pytest.raises(UnexpectedResponseError, match="one line"):
        Resource(b'{\n"a":').line()


def test_a_resource_nested_too_deeply_is_an_error_of_ours() -> None:
    """Two hundred thousand brackets do not reach the caller as a RecursionError."""
    with pytest.raises(UnexpectedResponseError, match="nested too deeply"):
        Resource(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}").decode()


def test_a_read_gives_the_resource_that_was_asked_for() -> None:
    """The body of a read is the resource; a byte-order mark in front is dropped."""
    resource = Resource.parse(answer(b"\xef\xbb\xbf" + RAW), wanted="Location")
    assert resource.raw == RAW
    assert resource.mode == ""


def test_a_read_that_gives_another_type_is_refused() -> None:
    """The message names both types."""
    with pytest.raises(UnexpectedResponseError, match="not a Location but HealthcareService"):
        Resource.parse(answer(offer(1)), wanted="Location")


def test_a_read_answered_by_an_outcome_carries_it() -> None:
    """A 200 with an OperationOutcome is an error with the outcome in it."""
    with pytest.raises(UnexpectedResponseError, match="Paramètre inconnu") as caught:
        Resource.parse(answer(outcome()), wanted="Location")
    assert caught.value.outcome.issues[0].code == "invalid"
