"""The parts of the inter-ROR search that need no network: regions, merging, the account, the way between threads."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from ror_sante.api.fhir.resource import Distance, Resource
from ror_sante.api.inter_ror import Account, Limits, Outcome, RegionAccount
from ror_sante.api.inter_ror.account import judged
from ror_sante.api.inter_ror.merge import Merger, Row, looked, national_identifier
from ror_sante.api.inter_ror.regions import check_untold, chosen, region_filter
from ror_sante.api.inter_ror.stream import Stream
from ror_sante.errors import (
    AccessDeniedError,
    ClientRejectedError,
    ConfigurationError,
    IdentityError,
    NotFoundError,
    RateLimitedError,
    RorError,
    ServerFaultError,
    ServerNotTrustedError,
    TimedOutError,
    TokenError,
    UnexpectedResponseError,
    UnreachableError,
)
from ror_sante.tls.cancel import CancelledError

# ------------------------------------------------------------------ which regions


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("11", ("11",)),
        ("01", ("01",)),
        ("bretagne", ("53",)),
        ("Bretagne, 11 ,bretagne", ("11", "53")),
        (["94", "Provence-Alpes-Côte d'Azur", "01,02"], ("01", "02", "93", "94")),
    ],
)
def test_regions_are_named_by_code_or_name(said: Any, meant: tuple[str, ...]) -> None:
    """Each once, in the order of the codes, with their zeros."""
    assert chosen(said) == meant


def test_all_means_eighteen() -> None:
    """The word stands for every region, beside others too."""
    assert len(chosen("all")) == len(chosen("all,11")) == 18


@pytest.mark.parametrize("wrong", ["1", "", " , ", [], [11], "99", "Atlantis"])
def test_what_is_no_region_is_refused(wrong: Any) -> None:
    """A code without its zero, a number, nothing at all."""
    with pytest.raises(ConfigurationError):
        chosen(wrong)


def test_the_filter_is_a_tag_or_the_chained_code() -> None:
    """Model 3.0 has the tag for every type, model 2.4 code-region for places and offers."""
    assert region_filter("01", "Practitioner", "tag")[0] == "_tag"
    assert region_filter("01", "Practitioner", "tag")[1].endswith("TRE-R30-RegionOM|01")
    assert region_filter("01", "HealthcareService", "code-region") == ("location:code-region", "01")
    assert region_filter("01", "Location", "code-region") == ("code-region", "01")
    with pytest.raises(ConfigurationError, match="Practitioner"):
        region_filter("01", "Practitioner", "code-region")


@pytest.mark.parametrize("name", ["_tag", "code-region", "location:code-region"])
def test_the_region_is_said_once(name: str) -> None:
    """A parameter that names a region would contradict those that are asked; another parameter does not."""
    check_untold([("name", "x")])
    with pytest.raises(ConfigurationError, match=name):
        check_untold([("name", "x"), (name, "11")])


# ------------------------------------------------------------------ merging


def resource(kind: str = "HealthcareService", number: str = "1", *, mode: str = "match", **content: Any) -> Resource:
    """Make a resource."""
    far = content.pop("far", None)
    raw = json.dumps({"resourceType": kind, "id": number, **content}).encode()
    return Resource(raw, mode=mode, distance=far)


def typed(code: str, value: str) -> dict[str, Any]:
    """Make an identifier of a type."""
    return {"type": {"coding": [{"code": code}]}, "value": value}


def merged(*pages: tuple[str, list[Resource]], included: bool = False) -> tuple[Row, ...]:
    """Merge pages of regions."""
    merger = Merger(included=included)
    for code, page in pages:
        merger.add(code, looked(page))
    assert len(merger) == len(merger.rows())
    return merger.rows()


A_OLD = resource(identifier=[{"value": "11/1"}], meta={"lastUpdated": "2026-01-01T00:00:00+02:00"}, name="old")
A_NEW = resource(number="9", identifier={"value": "11/1"}, meta={"lastUpdated": "2026-01-02"}, name="new")
B = resource(identifier=[{"value": "11/2"}])


def test_the_same_identifier_is_one_row_with_both_regions() -> None:
    """Two copies of one record are one row; the technical ids of two regions mean nothing to each other."""
    one, two = merged(("53", [A_OLD, B]), ("11", [A_NEW]))
    assert (one.identifier, one.regions, two.identifier, two.regions) == ("11/1", ("11", "53"), "11/2", ("53",))


def test_of_two_copies_the_newer_is_kept_whichever_came_first() -> None:
    """The row holds the copy that changed last, and says whose it is."""
    for pages in [(("53", [A_OLD]), ("11", [A_NEW])), (("11", [A_NEW]), ("53", [A_OLD]))]:
        (row,) = merged(*pages)
        assert (row.resource["name"], row.region) == ("new", "11")


def test_of_two_copies_alike_the_smaller_code_is_kept() -> None:
    """Nothing depends on who was quicker."""
    for order in ["11", "53"], ["53", "11"]:
        (row,) = merged(*((code, [A_OLD]) for code in order))
        assert row.region == "11"


def test_records_without_an_identifier_stay_apart() -> None:
    """The same technical id in two regions is chance; twice in one region it is the same record."""
    bare = resource("PractitionerRole", "7")
    assert [row.regions for row in merged(("53", [bare]), ("11", [bare]), ("11", [bare]))] == [("11",), ("53",)]
    nameless = Resource(b'{"resourceType":"Task"}', mode="match")
    assert len(merged(("11", [nameless, nameless]))) == 2


def test_what_came_along_stays_with_its_region() -> None:
    """References lead to technical ids of the same region, so included resources are not merged; nor wanted at all."""
    along = resource("Organization", "5", mode="include", identifier=[typed("40", "1990000001")])
    pages = ("11", [B, along]), ("53", [along])
    assert len(merged(*pages)) == 1
    assert [(row.resource.mode, row.region) for row in merged(*pages, included=True)] == [
        ("match", "11"),
        ("include", "11"),
        ("include", "53"),
    ]


def test_the_order_is_by_distance_and_else_by_identifier() -> None:
    """The nearest first, in whatever unit; what has no distance comes last, in the order of identifiers."""
    places = {"a": Distance(2.5, "km"), "b": Distance(900, "m"), "c": None, "d": Distance(3.0)}
    page = [resource("Location", each, identifier=typed("25", f"11/{each}"), far=far) for each, far in places.items()]
    for turn in (page, page[::-1]):
        rows = merged(("11", turn), ("53", turn[:2]))
        assert [(row.resource.id, row.distance) for row in rows] == [("b", 0.9), ("a", 2.5), ("d", 3.0), ("c", None)]


def test_an_offer_is_as_far_as_its_nearest_place() -> None:
    """The distance stands on the places that came along."""
    places = [
        resource("Location", "1", mode="include", far=Distance(7.0, "km")),
        resource("Location", "2", mode="include", far=Distance(4.0, "km")),
    ]
    offer = resource(location=[{"reference": "Location/1"}, {"reference": "Location/2"}, "nonsense"])
    other = resource(number="2", location={"reference": "Location/9"})
    assert [row.distance for row in merged(("11", [offer, other, *places]))] == [4.0, None]


def test_two_copies_are_as_far_as_the_nearer_one() -> None:
    """A copy without a distance changes nothing."""
    far = [resource(identifier={"value": "x"}, far=each) for each in (None, Distance(5.0, "km"), Distance(3.0, "km"))]
    assert [row.distance for row in merged(*(("11", [each]) for each in far))] == [3.0]
    assert [row.distance for row in merged(*(("11", [each]) for each in far[::-1]))] == [3.0]


@pytest.mark.parametrize(
    ("kind", "identifiers", "national"),
    [
        ("Organization", [typed("3", "99900000100011"), typed("1", "990000001")], "1990000001"),
        ("Organization", [typed("1", "990000001"), typed("40", "1990000001")], "1990000001"),
        ("Organization", [typed("3", "99900000100011")], "399900000100011"),
        ("Organization", [typed("2", "999000001")], ""),
        ("Organization", [typed("42", "11/70000")], "11/70000"),
        ("Location", [typed("26", "1/SSR"), typed("25", "11/5")], "11/5"),
        ("Location", [typed("26", "1/SSR")], "1/SSR"),
        ("Location", [{"value": "11/5"}], "11/5"),
        ("Practitioner", [{"value": ""}, {"value": "99900000001"}], "99900000001"),
        ("HealthcareService", {"value": 5, "type": {"coding": {"code": "x"}}}, "5"),
        ("HealthcareService", "nonsense", ""),
        ("HealthcareService", [{"value": "1", "type": {"coding": []}}], "1"),
        ("HealthcareService", None, ""),
    ],
)
def test_the_national_identifier_is_chosen_by_type(kind: str, identifiers: Any, national: str) -> None:
    """idNat_Struct, FINESS and SIRET are alike, a SIREN names no site, and one without a type is taken."""
    assert national_identifier(kind, identifiers) == national


@pytest.mark.parametrize("meta", [None, "x", {}, {"lastUpdated": "yesterday"}, {"lastUpdated": 5}])
def test_a_copy_that_does_not_say_when_it_changed_is_the_older(meta: Any) -> None:
    """Whatever stands there, the other copy is kept."""
    (row,) = merged(("11", [resource(identifier={"value": "11/1"}, meta=meta)]), ("53", [A_OLD]))
    assert row.region == "53"


def test_a_resource_that_cannot_be_read_is_an_error_of_its_page() -> None:
    """It is found before anything is merged."""
    with pytest.raises(UnexpectedResponseError):
        looked([Resource(b'{"resourceType":"Task","meta":' + b"[" * 200_000 + b"]" * 200_000 + b"}")])


def test_a_row_travels_as_json_with_its_resource_untouched() -> None:
    """Numbers stay as the region wrote them."""
    row = Row(Resource(b'{"a":1.50}'), "11", ("11", "53"), distance=2.0)
    assert bytes(row.as_dict()["resource"]) == b'{"a":1.50}'
    assert row.as_dict()["regions"] == ["11", "53"]


# ------------------------------------------------------------------ the account


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (ConfigurationError("x"), "not-configured", "settings"),
        (IdentityError("x"), "failed", "identity"),
        (ServerNotTrustedError("x"), "refused", "tls"),
        (ClientRejectedError("x"), "refused", "tls"),
        (TokenError("x"), "refused", "token"),
        (TokenError("x", status=401), "refused", "token"),
        (TokenError("x", status=429, retryable=True), "failed", "service"),
        (TokenError("x", status=500), "failed", "service"),
        (TokenError("x", status=200), "failed", "answer"),
        (AccessDeniedError("x"), "refused", "rights"),
        (TimedOutError("x"), "late", "time"),
        (UnreachableError("x"), "failed", "connection"),
        (ServerFaultError("x"), "failed", "service"),
        (RateLimitedError("x"), "failed", "throttled"),
        (UnexpectedResponseError("x"), "failed", "answer"),
        (NotFoundError("x"), "failed", "answer"),
    ],
)
def test_each_error_has_its_outcome_and_reason(error: RorError, outcome: str, reason: str) -> None:
    """One word for people, one for programs."""
    assert judged(error) == (Outcome(outcome), reason)


def region(outcome: str, **about: Any) -> RegionAccount:
    """Make an account of one region."""
    return RegionAccount(code=about.pop("code", "11"), outcome=Outcome(outcome), **about)


def test_an_account_is_complete_when_all_answered_and_answered_when_any_did() -> None:
    """Cut is not whole; rows that came before a failure count."""
    good, cut, bad = region("answered"), region("truncated", code="53"), region("late", code="84")
    assert (Account((good,)).complete, Account((good, cut)).complete) == (True, False)
    assert (Account((cut, bad)).answered, Account((bad,)).answered) == (True, False)
    assert Account((region("failed", count=3),)).answered
    assert Account((good, cut))["53"] is cut
    assert [each.name for each in Account((good, bad))] == ["Île-de-France", "Auvergne-Rhône-Alpes"]


def test_refusals_and_our_own_faults_do_not_speak_against_a_region() -> None:
    """Only what looks like an outage counts for the circuit."""
    assert region("late").unwell
    assert region("failed", reason="service").unwell
    for reason in ("identity", "circuit", "stopped"):
        assert not region("failed", reason=reason).unwell
    assert not region("refused", reason="tls").unwell


def test_an_account_travels_as_json() -> None:
    """Every key of DESIGN is there; the error object is not."""
    told = Account((region("late", count=2, seconds=1.23456, reason="time", total=9),), 2).as_dict()
    assert told["rows"] == 2
    (about,) = told["regions"]
    assert json.loads(json.dumps(about)) == about
    assert (about["code"], about["name"], about["outcome"]) == ("11", "Île-de-France", "late")
    assert (about["count"], about["seconds"], about["total"], about["reason"]) == (2, 1.235, 9, "time")


@pytest.mark.parametrize("wrong", [{"region": 0}, {"deadline": float("inf")}, {"at_once": 0}])
def test_limits_are_positive(wrong: dict[str, Any]) -> None:
    """Nothing waits for ever, and somebody is asked."""
    with pytest.raises(ConfigurationError):
        Limits(**wrong)


# ------------------------------------------------------------------ between the threads


def test_a_writer_that_is_too_quick_waits_for_the_reader() -> None:
    """No more items wait than there is room for."""
    stream: Stream[int] = Stream(1, now=time.monotonic)
    stream.put(1)
    second = threading.Thread(target=stream.put, args=(2,), daemon=True)
    second.start()
    second.join(0.1)
    assert second.is_alive()
    assert [stream.get(time.monotonic() + 1), stream.get(time.monotonic() + 1)] == [1, 2]
    second.join(1)
    assert stream.get(time.monotonic() - 1) is None


def test_nobody_waits_once_the_stream_is_closed() -> None:
    """A writer that waits is woken, and one that comes later does not begin."""
    stream: Stream[int] = Stream(1, now=time.monotonic)
    stream.put(1)
    caught: list[BaseException] = []

    def write() -> None:
        try:
            stream.put(2)
        except CancelledError as error:
            caught.append(error)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    time.sleep(0.05)
    stream.close()
    writer.join(1)
    assert len(caught) == 1
    with pytest.raises(CancelledError):
        stream.put(3)
