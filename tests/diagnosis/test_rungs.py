"""What each rung makes of what it sees, without a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from urllib3.response import HTTPResponse

from ror_sante.diagnosis import ours, reach
from ror_sante.diagnosis.clock import DateReader, http_date
from ror_sante.diagnosis.report import Check, Outcome, SmokeReport, exit_code_of
from ror_sante.diagnosis.rung import Seen, failed, joined, ok, skipped, warn
from ror_sante.errors import (
    ApiError,
    ClientRejectedError,
    ConfigurationError,
    Finding,
    IdentityError,
    RorError,
    ServerNotTrustedError,
    Severity,
    SyncError,
    TokenError,
    UnreachableError,
)
from ror_sante.pki.anchor import TrustAnchor
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.tls.adapter import Origin
from ror_sante.tls.outgoing import Outgoing
from ror_sante.tls.probe import Probe, Via

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOST = reach.Host(Origin("host.example"), "", ("igc-sante",), shown=True, via=None)
BEHIND = reach.Host(Origin("host.example"), "API", ("igc-sante",), shown=True, via=Via("proxy.example", 3128))
HIDDEN = reach.Host(Origin("host.example"), "API", ("igc-sante",), shown=False, via=None)


# ------------------------------------------------------------------ the report


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("x"), 2),
        (IdentityError("x"), 3),
        (UnreachableError("x"), 4),
        (ClientRejectedError("x"), 4),
        (TokenError("x"), 5),
        (ApiError("x"), 5),
        (SyncError("x"), 5),
        (RorError("x"), 5),
    ],
)
def test_each_family_has_its_exit_code(error: RorError, code: int) -> None:
    """2 settings, 3 identity, 4 transport, 5 answers."""
    assert exit_code_of(error) == code
    assert failed(error).family == code
    assert "monserviceclient.ror@esante.gouv.fr" in failed(error).hint


def _check(name: str, outcome: Outcome, family: int = 0) -> Check:
    return Check(name=name, outcome=outcome, detail="d", hint="h", seconds=0.12345, family=family)


def test_the_report_ends_with_the_family_of_its_first_failed_rung() -> None:
    """Later failures do not count, warnings do not count."""
    checks = (_check("a", Outcome.WARN), _check("b", Outcome.FAIL, 4), _check("c", Outcome.FAIL, 3))
    report = SmokeReport(service="rorn", environment="bench", checks=checks)
    assert report.exit_code == 4
    assert [check.name for check in report.failed] == ["b", "c"]
    assert [check.name for check in report.warned] == ["a"]
    assert report.seconds == pytest.approx(0.37035)
    assert SmokeReport(service="rorn", environment="bench", checks=checks[:1]).exit_code == 0


def test_the_json_report_has_the_documented_keys() -> None:
    """Nothing more and nothing less than the design says."""
    report = SmokeReport(service="rorn", environment="bench", checks=(_check("a", Outcome.FAIL, 4),))
    assert report.to_dict() == {
        "service": "rorn",
        "environment": "bench",
        "checks": [{"name": "a", "outcome": "fail", "detail": "d", "hint": "h", "seconds": 0.123}],
        "exit_code": 4,
    }


def test_two_hosts_make_one_rung() -> None:
    """The worst outcome counts, what is equal is said once, the longest time is taken: they run side by side."""
    one = Seen(Outcome.FAIL, "b", "hint", 4, None)
    assert joined([ok("a", seconds=1.0), ok("a", seconds=2.0)]) == ok("a", seconds=2.0)
    assert joined([ok("a", seconds=1.0), one]) == Seen(Outcome.FAIL, "a; b", "hint", 4, 1.0)
    assert joined([skipped("a"), warn("b", "h")]) == Seen(Outcome.WARN, "a; b", "h", 0, None)


# ------------------------------------------------------------------ our side


@pytest.fixture(scope="module")
def pki() -> SimulatorPki:
    """A throw-away authority, valid around NOW."""
    return SimulatorPki.create(at=NOW)


def test_trust_names_the_root_and_its_fingerprint() -> None:
    """One root, its whole SHA-256, and nothing else."""
    root = TrustAnchor.igc_sante()
    seen = ours.trust([root], words=["igc-sante"])
    assert seen.outcome is Outcome.OK
    assert seen.detail == f"{root.subject} (igc-sante), and nothing else; sha256 {root.sha256}"


def test_trust_in_the_public_web_is_a_warning() -> None:
    """They are counted, not listed."""
    root = TrustAnchor.igc_sante()
    public = TrustAnchor(root.certificate, "web-pki: Some CA")
    seen = ours.trust([root, public, public], words=["igc-sante", "web-pki"])
    assert seen.outcome is Outcome.WARN
    assert "the 2 public web authorities (web-pki), and nothing else" in seen.detail
    assert "Some CA" not in seen.detail


def test_findings_go_to_their_rungs() -> None:
    """A finding nobody knows is about the product."""
    found = [
        Finding("expired", "a"),
        Finding("sign-certificate", "b"),
        Finding("odd", "c"),
        Finding("ber-fallback", "d"),
    ]
    rungs = {name: [finding.code for finding in some] for name, some in ours.by_rung(found).items()}
    assert rungs == {"dates": ["expired"], "product": ["sign-certificate", "odd"], "p12": ["ber-fallback"]}


def test_a_rung_with_findings_tells_them_all_and_the_gravest_decides() -> None:
    """Errors fail with 3, warnings warn."""
    both = [Finding("sign-certificate", "a", "hint a"), Finding("weak-key", "b", "hint b")]
    assert ours.product(both) == Seen(Outcome.FAIL, "a; b", "hint a", 3)
    mild = [Finding("other-service", "a", "hint", Severity.WARNING)]
    assert ours.product(mild) == warn("a", "hint")
    assert ours.product([]).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("left", "hint"),
    [(6, "Renew it now"), (8, "Order the renewal this week"), (29, "Order"), (31, "Plan"), (59, "Plan")],
)
def test_the_nearer_the_end_the_more_pressing_the_hint(pki: SimulatorPki, left: int, hint: str) -> None:
    """60, 30 and 7 days before the end, the warning changes its words."""
    identity = pki.identity(pki.client(not_after=NOW + timedelta(days=left)))
    seen = ours.dates(identity, [f for f in identity.verify(pki.anchor, at=NOW) if f.code == "expires-soon"], at=NOW)
    assert seen.outcome is Outcome.WARN
    assert seen.hint.startswith(hint)


def test_61_days_before_the_end_nothing_is_warned_of(pki: SimulatorPki) -> None:
    """One day earlier the rung is ok, and says how many days are left."""
    identity = pki.identity(pki.client(not_after=NOW + timedelta(days=61)))
    assert ours.dates(identity, [], at=NOW) == ok("valid until 2026-07-01, 61 days left")


def test_an_expired_certificate_keeps_the_hint_of_its_finding(pki: SimulatorPki) -> None:
    """The gradation is for those that still live."""
    identity = pki.identity(pki.client())
    seen = ours.dates(identity, [Finding("expired", "it ended", "renew")], at=NOW)
    assert (seen.outcome, seen.hint) == (Outcome.FAIL, "renew")


def test_a_warning_about_dates_far_from_the_end_keeps_its_hint(pki: SimulatorPki) -> None:
    """A warning of another kind is not given the words of the last 60 days."""
    identity = pki.identity(pki.client())
    assert ours.dates(identity, [Finding("x", "odd", "h", Severity.WARNING)], at=NOW) == warn("odd", "h")


def test_the_chain_says_what_the_package_added(pki: SimulatorPki) -> None:
    """Leaf, intermediate and root are named; a supplied one is marked."""
    identity = pki.identity()
    told = ours.chain(identity, []).detail
    assert told.startswith("CLIENT_WS_RORN ← SIMULATEUR AC ELEMENTAIRE ORGANISATIONS ← SIMULATEUR AC RACINE")
    supplied = SimpleNamespace(chain=identity.chain, supplied=identity.chain[1:])
    assert "is the package's own copy" in ours.chain(supplied, []).detail  # type: ignore[arg-type]  # the two attributes that count


@pytest.mark.parametrize(("test", "words"), [(True, "a TEST"), (False, "a production"), (None, "does not say")])
def test_the_environment_says_which_tree_it_expects(test: bool | None, words: str) -> None:
    """TEST, production, or nothing said."""
    assert words in ours.environment([], test=test).detail


# ------------------------------------------------------------------ the way


REJECTED = ClientRejectedError("host refused us: unknown_ca", hint="chain", alert="unknown_ca")
UNTRUSTED = ServerNotTrustedError("host is not trusted", hint="root")
CLOSED = UnreachableError("host closed the connection", hint="firewall")
CHAIN = ("CLIENT_WS_RORN", "ACI")


def test_dns_names_the_addresses() -> None:
    """And takes the time of the probe."""
    assert reach.dns(HOST, Probe(addresses=("192.0.2.1",), dns_seconds=0.5)) == ok(
        "host.example is 192.0.2.1", seconds=0.5
    )


def test_behind_a_proxy_dns_and_tcp_are_the_proxys() -> None:
    """The target's name is left to the proxy, and the rung says so."""
    probe = Probe(addresses=("192.0.2.1",), dns_seconds=0.5, tcp_seconds=0.25)
    assert reach.dns(BEHIND, probe).detail == (
        "proxy proxy.example is 192.0.2.1; the proxy resolves host.example, so that name is skipped"
    )
    assert reach.tcp(BEHIND, probe).detail == "proxy proxy.example:3128 opens a tunnel to host.example:443"


@pytest.mark.parametrize(("step", "look"), [("dns", reach.dns), ("tcp", reach.tcp)])
def test_a_proxy_that_cannot_be_reached_is_named(step: Any, look: Any) -> None:
    """What fails is the proxy, not the service."""
    probe = Probe(failed=step, error=UnreachableError("no route", hint="h"))
    assert look(BEHIND, probe).detail == "the proxy proxy.example:3128 cannot be used: no route"
    assert look(HOST, probe) == Seen(Outcome.FAIL, "no route", "h", 4)


def test_a_proxys_own_words_stay_as_they_are() -> None:
    """An error that names the proxy already is not prefixed."""
    probe = Probe(failed="proxy", error=UnreachableError("the proxy http://p asks for a password (407)"))
    assert reach.tcp(BEHIND, probe).detail == "the proxy http://p asks for a password (407)"


def test_a_good_handshake_tells_version_cipher_and_chains() -> None:
    """Four rungs of one probe."""
    probe = Probe(
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        tls_seconds=0.1,
        received=("host.example", "ACI"),
        requested=True,
        pushed=CHAIN,
    )
    assert reach.tcp(HOST, probe) == ok("host.example:443 answers")
    assert reach.tls(HOST, probe) == ok("TLSv1.3 TLS_AES_256_GCM_SHA384", seconds=0.1)
    assert reach.pushed(HOST, probe) == ok("CLIENT_WS_RORN ← ACI (seen on the wire)")
    assert reach.server_chain(HOST, probe) == ok("host.example ← ACI ends at a pinned root")


@pytest.mark.parametrize(
    ("host", "about", "words"),
    [
        (HOST, {"source": "loaded", "pushed": CHAIN}, "CLIENT_WS_RORN ← ACI (loaded; the wire could not be read)"),
        (HOST, {"requested": False}, "nothing, the server asks for no certificate in the handshake"),
        (HOST, {"requested": True}, "no certificate (seen on the wire)"),
        (HIDDEN, {"requested": True}, "nothing, by the settings"),
    ],
)
def test_pushed_says_where_its_knowledge_comes_from(host: reach.Host, about: dict[str, Any], words: str) -> None:
    """Seen on the wire, or only loaded, or not asked for."""
    seen = reach.pushed(host, Probe(version="TLSv1.3", **about))
    assert seen.outcome is Outcome.OK
    assert seen.detail.endswith(words)


@pytest.mark.parametrize("step", ["tls", "read"])
def test_a_refused_certificate_fails_where_it_was_pushed(step: Any) -> None:
    """TLS 1.2 refuses inside the handshake, TLS 1.3 after it: the same rung fails."""
    probe = Probe(failed=step, error=REJECTED, requested=True, pushed=CHAIN)
    assert reach.tls(HOST, probe).outcome is Outcome.OK
    seen = reach.pushed(HOST, probe)
    assert (seen.outcome, seen.family, seen.hint) == (Outcome.FAIL, 4, "chain")
    assert seen.detail == ("host refused us: unknown_ca; CLIENT_WS_RORN ← ACI (seen on the wire)")


def test_an_alert_before_any_request_for_a_certificate_is_the_handshakes() -> None:
    """A protocol_version alert has nothing to do with our certificate."""
    probe = Probe(failed="tls", error=ClientRejectedError("x", hint="h", alert="protocol_version"), requested=False)
    assert reach.tls(HOST, probe) == Seen(Outcome.FAIL, "x", "h", 4)


def test_a_broken_handshake_fails_the_tls_rung() -> None:
    """Plain HTTP, a closed connection."""
    assert reach.tls(HOST, Probe(failed="tls", error=CLOSED)) == Seen(Outcome.FAIL, CLOSED.message, CLOSED.hint, 4)


def test_a_server_that_is_not_trusted_fails_its_own_chain() -> None:
    """Nothing of ours was sent; the rung names what the server sent."""
    probe = Probe(failed="tls", error=UNTRUSTED, received=("evil", "Other CA"))
    assert reach.tls(HOST, probe).outcome is Outcome.SKIPPED
    assert reach.pushed(HOST, probe).outcome is Outcome.SKIPPED
    assert reach.server_chain(HOST, probe) == Seen(
        Outcome.FAIL, "host is not trusted; it sent evil ← Other CA", "root", 4
    )
    assert reach.server_chain(HOST, Probe(failed="tls", error=UNTRUSTED)).detail == "host is not trusted"


# ------------------------------------------------------------------ the clock


class FakeSession:
    """A session whose answer carries one Date."""

    budget = "budget"

    def __init__(self, date: str | None) -> None:
        self.date = date

    @contextlib.contextmanager
    def lease(self, identity: object = None) -> Iterator[FakeSession]:
        yield self

    identity = None
    in_force = True

    def exchange_send(self, outgoing: Outgoing, *, timeout: tuple[float, float]) -> HTTPResponse:
        response = HTTPResponse()
        if self.date is not None:
            response.headers["Date"] = self.date
        return response


def _skew(date: str | None) -> timedelta | None:
    reader = DateReader(FakeSession(date), now=lambda: NOW)  # type: ignore[arg-type]  # the two methods that count
    assert reader.budget == "budget"
    with reader.lease() as lease:
        lease.exchange_send(Outgoing("GET", "https://localhost/", {}), timeout=(1.0, 1.0))
    assert not reader.refused(lease.identity)
    return reader.skew


def test_the_servers_date_tells_the_skew() -> None:
    """A date counts whole seconds: it stands for half a second later."""
    assert _skew("Fri, 01 May 2026 12:02:00 GMT") == timedelta(seconds=120.5)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 May 2026 12:02:00 GMT"])
def test_a_date_that_makes_no_sense_tells_nothing(date: str | None) -> None:
    """The skew stays unknown."""
    assert _skew(date) is None
    assert http_date(date) is None
