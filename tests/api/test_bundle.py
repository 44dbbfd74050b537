"""A page of results is read leniently, and what is no page is named."""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

import pytest

from ror_sante.api.fhir.bundle import Bundle, Distance, Resource
from ror_sante.errors import UnexpectedResponseError
from tests.api.answers import BASE, answer, entry, offer, outcome, page

NEAR = "http://hl7.org/fhir/StructureDefinition/location-distance"


def ids(resources: tuple[Resource, ...]) -> list[str]:
    return [f"{resource.type}/{resource.id}" for resource in resources]


def test_matches_and_includes_are_kept_apart() -> None:
    """`search.mode` tells them apart, and the order is the server's."""
    entries = [entry(offer(1)), entry(offer(9, "Organization"), "include"), entry(offer(2))]
    bundle = Bundle.parse(answer(page(entries, total=2)), "HealthcareService")
    assert ids(bundle.matches) == ["HealthcareService/1", "HealthcareService/2"]
    assert ids(bundle.included) == ["Organization/9"]
    assert [resource.mode for resource in bundle.entries] == ["match", "include", "match"]
    assert bundle.type == "searchset"
    assert bundle.total == 2


@pytest.mark.parametrize("mode", [None, "other", 5])
def test_without_a_mode_the_searched_type_tells_them_apart(mode: Any) -> None:
    """A resource of the searched type is a match, another is included, an OperationOutcome is neither."""
    resources = [offer(1), offer(9, "Organization"), outcome()]
    bundle = Bundle.parse(answer(page([entry(r, mode) for r in resources])), "HealthcareService")
    assert ids(bundle.matches) == ["HealthcareService/1"]
    assert ids(bundle.included) == ["Organization/9"]
    assert bundle.entries[2].mode == "outcome"


def test_without_mode_and_type_all_are_matches() -> None:
    """Bytes of unknown origin are read too; nothing is dropped."""
    body = json.dumps(page([entry(offer(1), None), entry(offer(9, "Organization"), None)])).encode()
    assert len(Bundle.parse(body).matches) == 2


@pytest.mark.parametrize(
    "bundle",
    [
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "entry": None, "link": None, "total": None, "type": None},
        {"resourceType": "Bundle", "entry": [], "link": [], "total": "", "type": 4},
        {"resourceType": "Bundle", "entry": [{}, {"resource": None}, {"fullUrl": "x"}], "link": ["next"], "total": -1},
        {"resourceType": "Bundle", "link": {"relation": "next"}, "total": True},
        {"resourceType": "Bundle", "link": [{"relation": "next", "url": ""}, {"relation": 4, "url": 5}], "total": 1.5},
    ],
)
def test_everything_but_the_resource_type_may_be_missing(bundle: dict[str, Any]) -> None:
    """An empty page is an empty page, however it is written."""
    assert Bundle.parse(answer(bundle), "Location") == Bundle()


@pytest.mark.parametrize("total", [12, "12"])
def test_a_total_may_be_a_text(total: object) -> None:
    """A total as a text counts like a number."""
    assert Bundle.parse(answer(page([], total=total))).total == 12


def test_a_total_beyond_all_measure_is_none() -> None:
    """A text of many digits is no number to count with."""
    assert Bundle.parse(answer(page([], total="9" * 5000))).total is None


def test_links_are_read_by_relation() -> None:
    """The first next link counts; self tells what the server understood; one link may stand without a list."""
    links = [
        {"relation": "self", "url": "https://h/self"},
        {"relation": "next", "url": "https://h/2"},
        {"relation": "next", "url": "https://h/3"},
    ]
    bundle = Bundle.parse(answer({"resourceType": "Bundle", "link": links}))
    assert (bundle.next, bundle.self_link) == ("https://h/2", "https://h/self")
    assert Bundle.parse(answer({"resourceType": "Bundle", "link": links[1]})).next == "https://h/2"


def test_a_single_entry_may_stand_without_a_list() -> None:
    """Published examples give an object where a list is due."""
    assert ids(Bundle.parse(answer({"resourceType": "Bundle", "entry": entry(offer(1))})).matches) == [
        "HealthcareService/1"
    ]


@pytest.mark.parametrize(
    ("extension", "distance"),
    [
        ([{"url": "x"}, {"url": NEAR, "valueDistance": {"value": 1.25, "unit": "km"}}], Distance(1.25, "km")),
        ({"url": NEAR, "valueDistance": {"value": "2", "code": "km"}}, Distance(2.0, "km")),
        ([{"url": NEAR, "valueDistance": {"value": 3}}], Distance(3.0, "")),
        ([{"url": NEAR, "valueDistance": {"value": "far"}}], None),
        ([{"url": NEAR, "valueDistance": {"value": "nan"}}], None),
        ([{"url": NEAR, "valueDistance": {}}], None),
        ([{"url": NEAR}], None),
        (["x"], None),
        (None, None),
    ],
)
def test_the_distance_of_a_near_search_is_read(extension: Any, distance: Distance | None) -> None:
    """It stands in `search.extension`, and may be missing or odd."""
    item = {"resource": offer(1, "Location"), "search": {"mode": "match", "extension": extension}}
    assert Bundle.parse(answer(page([item]))).entries[0].distance == distance


@pytest.mark.parametrize("value", [5, [], "text", True])
def test_an_entry_that_is_no_resource_is_refused(value: object) -> None:
    """Something else in the place of a resource is not passed over in silence."""
    with pytest.raises(UnexpectedResponseError, match="not a resource"):
        Bundle.parse(answer({"resourceType": "Bundle", "entry": [{"resource": value}]}))


def test_resources_keep_the_bytes_of_the_server() -> None:
    """Spacing, digits and unknown members of a resource come through as they were written."""
    raw = b'{ "resourceType":"Location", "latitude": 47.2180,\t"unknown":null}'
    bundle = Bundle.parse(b'{"resourceType":"Bundle","entry":[{"resource": ' + raw + b" }]}")
    assert bundle.entries[0].raw == raw


def test_a_kept_resource_does_not_keep_its_page() -> None:
    """The bytes of a resource are a copy: the page that brought it can be forgotten."""
    body = json.dumps(page([entry(offer(n)) for n in range(200)])).encode()
    before = sys.getrefcount(body)
    kept = Bundle.parse(body).entries[0]
    gc.collect()
    assert sys.getrefcount(body) == before
    assert kept.id == "0"


def test_included_resources_that_came_before_are_left_out() -> None:
    """Type and id are compared; matches and resources without an id always stay."""
    nameless = {"resourceType": "Organization"}
    entries = [
        entry(offer(1)),
        entry(offer(1)),
        entry(offer(1, "Organization"), "include"),
        entry(offer(1, "Location"), "include"),
        entry(offer(1, "Organization"), "include"),
        entry(nameless, "include"),
        entry(nameless, "include"),
    ]
    seen = {"Location/1"}
    left = Bundle.parse(answer(page(entries))).without_repeats(seen)
    assert ids(left.matches) == ["HealthcareService/1"] * 2
    assert ids(left.included) == ["Organization/1", "Organization/", "Organization/"]
    assert seen == {"Location/1", "Organization/1"}


WHOLE = json.dumps(page([entry(offer(1))])).encode()


@pytest.mark.parametrize(
    ("body", "media_type", "said"),
    [
        (b"<html><body>Maintenance</body></html>", "text/html", "text/html, 37 bytes that start with: <html><body>"),
        (WHOLE[:-9], "application/json", r"application/json, \d+ bytes that start with: .* \(Input data was trunc"),
        (WHOLE + b"x", "application/json", "trailing characters"),
        (b"", "", r"an empty body \(no content type\)"),
        (b"", "text/plain", r"an empty body \(text/plain\)"),
        (b"[1]", "application/json", "Expected `object`"),
        (b'{"resourceType":"Bundle","entry":5}', "application/json", "is not the JSON"),
        (b'{"resourceType":"Bundle","x":' + b"[" * 200_000, "application/json", "nested too deeply"),
        (
            b'{"resourceType":"Bundle","entry":[{"resource":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}",
            "application/json",
            "nested too deeply",
        ),
        (b'{"resourceType":"Bundle","x":"\xe9"}', "application/json", "not UTF-8"),
        (WHOLE.decode().encode("utf-16"), "application/json", "not UTF-8"),
        (b"\x1b[31mred", "text/plain", r"start with: \\x1b\[31mred"),
        (b'{"resourceType":"Patient","id":"1"}', "application/json", "not a Bundle but Patient"),
        (b'{"total":1}', "application/json", "not a Bundle but no resourceType"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value,
)
def test_what_is_no_page_is_named(body: bytes, media_type: str, said: str) -> None:
    """A 200 with anything but a Bundle is an UnexpectedResponseError that says what arrived, and cuts it."""
    with pytest.raises(UnexpectedResponseError, match=said) as caught:
        Bundle.parse(answer(body, media_type=media_type), "HealthcareService")
    error = caught.value
    assert len(str(error)) < 450
    assert (error.status, error.method, error.url) == (200, "GET", f"{BASE}/HealthcareService?_count=…")
    assert error.fault == ("page-instead" if "html" in said else "" if "not a Bundle" in said else "answer-broken")


def test_a_200_with_an_outcome_is_an_error_that_carries_it() -> None:
    """The service explains itself with status 200: its words are in the message, the rest in `.outcome`."""
    with pytest.raises(UnexpectedResponseError, match="OperationOutcome came in place of a Bundle: inconnu") as caught:
        Bundle.parse(answer(outcome("not-supported", "inconnu")), "Location")
    assert caught.value.outcome.codes == {"not-supported"}
    with pytest.raises(UnexpectedResponseError, match="it says nothing"):
        Bundle.parse(b'{"resourceType":"OperationOutcome"}')


def test_the_first_characters_do_not_show_the_query() -> None:
    """An HTML page that repeats the address is shown without its values."""
    url = f"{BASE}/Practitioner?identifier=10001234567"
    with pytest.raises(UnexpectedResponseError) as caught:
        Bundle.parse(answer(b"<h1>No /Practitioner?identifier=10001234567</h1>", url=url, media_type="text/html"))
    assert "10001234567" not in str(caught.value)
