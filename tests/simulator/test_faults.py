"""Faults by name: what each does to an answer, where it strikes, and how often."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
import zlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.faults.catalogue import FAULTS
from ror_sante.simulator.faults.ror import BOMB

if TYPE_CHECKING:
    from ror_sante.simulator.server import Simulator

BASE = "/ws-diffusion-fhir"


def test_the_table_can_be_read() -> None:
    """Every fault has a plain name and one sentence; the names are those that the documentation promises."""
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert re.fullmatch(r"[A-Z].*[^.]\.", fault.sentence)
        assert "\n" not in fault.sentence
    promised = (
        "http-500 http-500-bad-request-outcome http-503-retry-after http-429 html-200 truncated-json empty-body "
        "deep-json slow drip close-before-answer reset redirect-other-host redirect-http token-error token-html "
        "token-no-expiry token-expired-early next-foreign-host next-loop next-expired missing-mode outcome-200 "
        "gzip-bomb clock-skew unknown-dn 403"
    )
    assert set(promised.split()) <= set(FAULTS)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("http-500", 500, "exception"),
        ("http-500-bad-request-outcome", 500, "invalid"),
        ("http-503-retry-after", 503, "transient"),
        ("http-429", 429, "throttled"),
        ("403", 403, "forbidden"),
        ("outcome-200", 200, "processing"),
    ],
)
def test_a_refusal_is_an_outcome_with_its_status(
    caller: Any, ror_simulator: Simulator, name: str, status: int, code: str
) -> None:
    """These faults answer with an OperationOutcome, once; the next answer is good."""
    headers = caller.headers
    ror_simulator.fault(name)
    answer = caller.send("GET", f"{BASE}/Location/252001", headers)
    assert (answer.status, answer.issue["code"]) == (status, code)
    assert answer.headers["Retry-After"] == ("1" if status in (429, 503) else None)
    assert [seen.status for seen in ror_simulator.requests] == [200, status]
    assert caller.get("Location/252001").status == 200


def test_html_comes_in_place_of_json(caller: Any, ror_simulator: Simulator) -> None:
    """html-200 is a gateway's page with status 200."""
    headers = caller.headers
    ror_simulator.fault("html-200")
    answer = caller.send("GET", f"{BASE}/metadata", headers)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_json_may_be_cut_empty_or_deep(caller: Any, ror_simulator: Simulator) -> None:
    """truncated-json is half of the answer, empty-body none of it, deep-json 200 000 levels."""
    headers, path = caller.headers, f"{BASE}/Location/252001"
    whole = caller.send("GET", path, headers).body
    for name in ("truncated-json", "empty-body", "deep-json"):
        ror_simulator.fault(name)
    assert caller.send("GET", path, headers).body == whole[: len(whole) // 2]
    assert caller.send("GET", path, headers).body == b""
    deep = caller.send("GET", path, headers).body
    assert deep.count(b"[") == deep.count(b"]") == 200_000


def test_a_small_body_unpacks_to_a_huge_one(caller: Any, ror_simulator: Simulator) -> None:
    """gzip-bomb is under a megabyte on the wire and a whole gzip file of many members."""
    headers = caller.headers
    ror_simulator.fault("gzip-bomb")
    answer = caller.send("GET", f"{BASE}/metadata", headers)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 1_000_000
    member = zlib.decompressobj(31)
    size = len(member.decompress(answer.body))
    assert size * (len(answer.body) // (len(answer.body) - len(member.unused_data))) == BOMB


def test_a_slow_answer_comes_late(caller: Any, ror_simulator: Simulator) -> None:
    """The fault slow waits for the given seconds before the first byte, drip between the bytes of the body."""
    headers = caller.headers
    ror_simulator.fault("slow", seconds=0.2)
    start = time.monotonic()
    assert caller.send("GET", f"{BASE}/metadata", headers).status == 200
    assert time.monotonic() - start >= 0.2
    ror_simulator.fault("drip", seconds=0.001)
    start = time.monotonic()
    dripped = caller.send("GET", f"{BASE}/Location/1", headers)
    assert dripped.issue["code"] == "not-found"
    assert time.monotonic() - start >= 0.001 * len(dripped.body)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("close-before-answer", http.client.RemoteDisconnected),
        ("reset", ConnectionResetError),
        ("cut-body", http.client.IncompleteRead),
    ],
)
def test_a_connection_may_break(caller: Any, ror_simulator: Simulator, name: str, error: type[Exception]) -> None:
    """The connection is closed or reset without an answer, or ends in the body; the next one works."""
    headers = caller.headers
    ror_simulator.fault(name)
    with pytest.raises(error):
        caller.send("GET", f"{BASE}/metadata", headers)
    caller.close()
    assert caller.send("GET", f"{BASE}/metadata", headers).status == 200
    assert [seen.status for seen in ror_simulator.requests[1:]] == [200 if name == "cut-body" else 0, 200]


def test_a_redirect_leads_astray(caller: Any, ror_simulator: Simulator) -> None:
    """redirect-other-host names another host, redirect-http our own without TLS; both keep the path."""
    headers = caller.headers
    ror_simulator.fault("redirect-other-host")
    ror_simulator.fault("redirect-http")
    other, plain = (caller.send("GET", f"{BASE}/metadata", headers) for _ in range(2))
    assert other.status == plain.status == 302
    assert other.headers["Location"] == f"https://autre-hote.invalid{BASE}/metadata"
    assert plain.headers["Location"] == ror_simulator.url.replace("https:", "http:") + f"{BASE}/metadata"


def test_the_servers_clock_may_be_wrong(caller: Any, ror_simulator: Simulator) -> None:
    """clock-skew puts the one Date header an hour ahead."""
    headers = caller.headers
    ror_simulator.fault("clock-skew")
    answer = caller.send("GET", f"{BASE}/metadata", headers)
    (date,) = answer.headers.get_all("Date")
    assert 3590 < (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds() < 3610


def test_a_token_may_end_early(caller: Any, ror_simulator: Simulator) -> None:
    """token-expired-early answers 401 once and takes that token out of force; a new one is good."""
    headers = caller.headers
    ror_simulator.fault("token-expired-early")
    for _ in range(2):
        answer = caller.send("GET", f"{BASE}/metadata", headers)
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    caller._token = ""
    assert caller.get("metadata").status == 200


def test_entries_may_not_say_what_they_are(caller: Any, ror_simulator: Simulator) -> None:
    """missing-mode leaves search out of every entry, included ones too."""
    ror_simulator.fault("missing-mode")
    page = caller.get("HealthcareService", ("_count", "2"), ("_include", "HealthcareService:location"))
    assert len(page.ids) > 2
    assert all("search" not in entry for entry in page.json["entry"])


def test_a_next_link_may_be_wrong(caller: Any, ror_simulator: Simulator) -> None:
    """The four faults of next links: internal host, elsewhere, itself, expired."""
    names = ("next-foreign-host", "next-elsewhere", "next-loop", "next-expired")
    for name in names:
        ror_simulator.fault(name)
    pages = [caller.get("Organization", ("_count", "2")) for _ in names]
    foreign, elsewhere, loop, expired = (urlsplit(page.next) for page in pages)
    assert (foreign.hostname, foreign.path) == ("api-interne.ror.invalid", BASE)
    assert caller.follow(pages[0].next).status == 200
    assert (elsewhere.hostname, elsewhere.path) == ("autre-hote.invalid", "/pages")
    assert loop.geturl() == next(link["url"] for link in pages[2].json["link"] if link["relation"] == "self")
    assert caller.follow(expired.geturl()).status == 410


def test_a_page_fault_waits_for_its_page(caller: Any, ror_simulator: Simulator) -> None:
    """A fault of pages spares reads, one of next links spares the last page."""
    ror_simulator.fault("missing-mode")
    ror_simulator.fault("next-elsewhere")
    assert caller.get("Location/252001").status == 200
    last = caller.get("Location", ("_id", "252001"))
    assert "search" not in last.json["entry"][0]
    assert last.next is None
    page = caller.get("Location", ("_count", "1"))
    assert "search" in page.json["entry"][0]
    assert page.next == "https://autre-hote.invalid/pages?suite=2"


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [("unknown-dn", 401, "invalid_client"), ("token-error", 400, "unauthorized_client")],
)
def test_the_token_endpoint_may_refuse(
    caller: Any, ror_simulator: Simulator, name: str, status: int, error: str
) -> None:
    """A refusal of the token endpoint is an OAuth error."""
    ror_simulator.fault(name)
    answer = caller.ask_token()
    assert (answer.status, answer.json["error"]) == (status, error)
    assert caller.ask_token().status == 200


def test_a_token_may_be_html_or_without_end(caller: Any, ror_simulator: Simulator) -> None:
    """token-html is a gateway's page; token-no-expiry tells an end nowhere."""
    ror_simulator.fault("token-html")
    ror_simulator.fault("token-no-expiry")
    assert caller.ask_token().body.startswith(b"<!DOCTYPE html>")
    content = caller.ask_token().json
    assert set(content) == {"access_token", "token_type"}
    assert "." not in content["access_token"]


# ------------------------------------------------------------------ where, and how often


def test_a_fault_strikes_as_often_as_asked(caller: Any, ror_simulator: Simulator) -> None:
    """times=3 strikes three answers; two faults strike one after the other."""
    headers = caller.headers
    ror_simulator.fault("http-500", times=3)
    ror_simulator.fault("403")
    statuses = [caller.send("GET", f"{BASE}/metadata", headers).status for _ in range(5)]
    assert statuses == [500, 500, 500, 403, 200]


def test_a_fault_may_last_until_reset(caller: Any, ror_simulator: Simulator) -> None:
    """times=None strikes every answer until the reset."""
    headers = caller.headers
    ror_simulator.fault("http-429", times=None)
    assert {caller.send("GET", f"{BASE}/metadata", headers).status for _ in range(7)} == {429}
    ror_simulator.reset()
    caller._token = ""
    assert caller.get("metadata").status == 200


def test_a_fault_of_the_service_spares_the_token(caller: Any, ror_simulator: Simulator) -> None:
    """http-500 waits for the FHIR service unless it is sent to the token endpoint."""
    ror_simulator.fault("http-500")
    assert caller.ask_token().status == 200
    ror_simulator.reset()
    ror_simulator.fault("http-500", at="token")
    assert caller.ask_token().status == 500
    assert caller.ask_token().status == 200


def test_faults_strike_refusals_too(caller: Any, ror_simulator: Simulator) -> None:
    """A fault strikes the next answer, whatever that would have been."""
    ror_simulator.fault("empty-body")
    answer = caller.send("GET", f"{BASE}/metadata")
    assert (answer.status, answer.body) == (401, b"")


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("http-50", {}, "no fault 'http-50'"),
        ("http-500", {"times": 0}, "once or more"),
        ("http-500", {"at": "page"}, "strikes at"),
        ("next-loop", {"at": "token"}, "pages of search results"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(
    ror_simulator: Simulator, name: str, how: dict[str, Any], message: str
) -> None:
    """An unknown name is answered with the nearest ones, a contradiction with its reason."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        ror_simulator.fault(name, **how)
    if name not in FAULTS:
        assert caught.value.hint.startswith("There are http-500, ")
        assert all(known in caught.value.hint for known in FAULTS)


def test_a_broken_connection_leaves_the_others_alone(ror_simulator: Simulator, call: Any) -> None:
    """While one client's connection is reset, another's is kept."""
    victim, neighbour = call(ror_simulator), call(ror_simulator)
    headers = victim.headers
    assert neighbour.get("metadata").status == 200
    kept: socket.socket = neighbour.connection.sock
    ror_simulator.fault("reset")
    with pytest.raises((ConnectionResetError, ssl.SSLError)):
        victim.send("GET", f"{BASE}/metadata", headers)
    assert json.loads(neighbour.get("metadata").body)["kind"] == "instance"
    assert neighbour.connection.sock is kept
