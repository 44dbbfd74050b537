"""A session for application code: pinned, retrying what is safe, usable as any requests session."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import requests

from ror_sante.errors import (
    ClientRejectedError,
    ConfigurationError,
    IncompleteChainError,
    ServerNotTrustedError,
    UnreachableError,
    UntrustedChainError,
    UsageError,
    ValidityError,
)
from ror_sante.http.proxy import Proxy
from ror_sante.http.rate import RateLimit
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts
from ror_sante.pki.identity import ClientIdentity
from ror_sante.simulator.pki import SIGN, SimulatorPki
from ror_sante.tls.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime.now(UTC)
QUICK = RetryPolicy(attempts=3, first_wait=0.01, max_wait=0.02, deadline=5.0)


@pytest.fixture
def session_to(pki) -> Iterator[Callable[..., requests.Session]]:
    """Open a session to a server."""
    opened: list[requests.Session] = []

    def make(*servers, retry=QUICK, **how):
        factory = SessionFactory(pki.identity(), pki.anchor, retry=retry, **how)
        opened.append(factory.session(*(server.url for server in servers)))
        return opened[-1]

    yield make
    for session in opened:
        session.close()


# ------------------------------------------------------------------ the factory judges


@pytest.mark.parametrize(
    ("flaw", "kind"),
    [
        ({"not_before": NOW - timedelta(9), "not_after": NOW - timedelta(1)}, ValidityError),
        ({"not_before": NOW + timedelta(1), "not_after": NOW + timedelta(9)}, ValidityError),
        ({"product": SIGN}, UsageError),
    ],
    ids=["expired", "not-yet-valid", "sign"],
)
def test_a_bad_identity_is_refused_before_any_connection(pki, flaw, kind) -> None:
    """The gravest finding is raised, and all of them travel with it."""
    with pytest.raises(kind) as caught:
        SessionFactory(pki.identity(pki.client(**flaw)), pki.anchor)

    assert caught.value.findings


def test_one_second_decides_about_the_end(pki) -> None:
    """The certificate works in its last second and not in the next; time is an argument."""
    issued = pki.client()
    end = issued.certificate.not_valid_after_utc
    identity = pki.identity(issued)
    SessionFactory(identity, pki.anchor, at=end - timedelta(seconds=1))
    with pytest.raises(ValidityError):
        SessionFactory(identity, pki.anchor, at=end + timedelta(seconds=1))


def test_a_foreign_identity_is_refused_unless_its_own_root_is_named(pki) -> None:
    """Our chain must end at the anchor, or at the root that identity_anchor names."""
    foreign = pki.foreign
    with pytest.raises(UntrustedChainError):
        SessionFactory(foreign.identity(), pki.anchor)
    SessionFactory(foreign.identity(), pki.anchor, identity_anchor=[foreign.anchor])


def test_an_identity_without_its_intermediate_is_refused(pki) -> None:
    """What the package cannot complete is not sent to be refused."""
    alone = ClientIdentity.from_p12(pki.p12(pki.client(), "pw", intermediates=False), "pw")
    with pytest.raises(IncompleteChainError):
        SessionFactory(alone, pki.anchor)


def test_no_identity_is_allowed_for_services_that_want_none(serve, pki) -> None:
    """ROR profile 0 has no certificate."""
    server = serve(root=None)
    with SessionFactory(None, pki.anchor).session(server.url) as session:
        assert session.get(server.url).status_code == 200


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_a_time_limit_is_a_positive_number(limit) -> None:
    """Nothing waits for ever, and nothing gives up before it starts."""
    with pytest.raises(ConfigurationError):
        Timeouts(connect=limit)


def test_a_session_needs_an_origin(pki) -> None:
    """A session for everywhere does not exist."""
    with pytest.raises(ConfigurationError, match="at least one origin"):
        SessionFactory(pki.identity(), pki.anchor).session()


# ------------------------------------------------------------------ the session works


def test_it_is_a_requests_session(serve, session_to, version) -> None:
    """GET, POST, headers, JSON and streaming work as everywhere; leaf and intermediate are pushed."""
    server = serve(version=version, answer=lambda _: b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}')
    session = session_to(server)

    assert isinstance(session, requests.Session)
    assert session.post(f"{server.url}/x", json={"b": 2}, headers={"X-Test": "1"}).json() == {"a": 1}
    with session.get(server.url, stream=True) as response:
        assert b"".join(response.iter_content(3)) == b'{"a": 1}'
    assert b"X-Test: 1" in server.received()[0]
    assert len(server.visits[0].chain) == 2


def test_a_connection_is_kept(serve, session_to) -> None:
    """Ten requests, one handshake."""
    server = serve()
    session = session_to(server)
    for _ in range(10):
        session.get(server.url)

    assert (len(server.visits), len(server.received())) == (1, 10)


def test_each_origin_has_the_same_identity(serve, session_to) -> None:
    """A session may have several origins."""
    first, second = serve(), serve()
    session = session_to(first, second)

    assert [session.get(server.url).status_code for server in (first, second)] == [200, 200]
    assert {first.origin, second.origin} == session.origins


def test_a_proxy_given_as_text_is_used_for_the_hosts_that_it_serves(serve, proxy, pki) -> None:
    """no_proxy hosts are reached directly."""
    relay, server = proxy(), serve()
    for no_proxy, count in (((), 1), (("localhost",), 1)):
        factory = SessionFactory(pki.identity(), pki.anchor, proxy=Proxy(relay.url, no_proxy=no_proxy))
        with factory.session(server.url) as session:
            session.get(server.url)
        assert count == len(relay.heads)
    with SessionFactory(pki.identity(), pki.anchor, proxy=relay.url).session(server.url) as session:
        session.get(server.url)
    assert len(relay.heads) == 2


# ------------------------------------------------------------------ what is repeated


def statuses(*codes: int, header: str = "") -> Callable[[bytes], bytes]:
    """Answer with one status after the other, the last one for ever."""
    waiting = list(codes)

    def answer(_: bytes) -> bytes:
        code = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return f"HTTP/1.1 {code} X\r\n{header}Content-Length: 0\r\n\r\n".encode()

    return answer


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(serve, session_to, code) -> None:
    """The second answer comes back, and the first one's connection is not lost."""
    server = serve(answer=statuses(code, 200))

    assert session_to(server).get(server.url).status_code == 200
    assert len(server.received()) == 2


def test_a_server_that_stays_busy_gives_its_last_answer(serve, session_to) -> None:
    """After the last attempt the application sees the answer, as with any requests session."""
    server = serve(answer=statuses(503))

    assert session_to(server).get(server.url).status_code == 503
    assert len(server.received()) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 500])
def test_other_answers_come_back_at_once(serve, session_to, code) -> None:
    """Repeating changes nothing."""
    server = serve(answer=statuses(code))

    assert code == session_to(server).get(server.url).status_code
    assert len(server.received()) == 1


@pytest.mark.parametrize("how", [{"data": "x"}, {"data": b"x"}, {}])
def test_a_post_is_not_repeated_after_an_answer(serve, session_to, how) -> None:
    """The server may have acted."""
    server = serve(answer=statuses(503, 200))

    assert session_to(server).post(server.url, **how).status_code == 503


def test_a_body_that_cannot_be_sent_twice_is_sent_once(serve, session_to) -> None:
    """A generator is gone after the first attempt, even for PUT."""
    server = serve(answer=statuses(503, 200))

    assert session_to(server).put(server.url, data=iter([b"x"])).status_code == 503


def test_a_post_that_was_never_sent_is_repeated(serve, session_to, pki) -> None:
    """Connection refused: the server did not see it, so another try is safe."""
    server = serve()
    server.close()
    attempts: list[int] = []
    session = session_to(server)
    pinned = session._pinned
    send = pinned.send
    pinned.send = lambda *a, **k: (attempts.append(1), send(*a, **k))[1]
    with pytest.raises(UnreachableError):
        session.post(server.url, data=b"x")

    assert len(attempts) == 3


def test_a_refusal_of_our_certificate_is_never_repeated(serve, pki, version) -> None:
    """One handshake, one refusal."""
    revoked = pki.client()
    server = serve(version=version, crl=pki.crl([revoked]))
    factory = SessionFactory(pki.identity(revoked), pki.anchor, retry=QUICK)
    with factory.session(server.url) as session, pytest.raises(ClientRejectedError):
        session.get(server.url)

    assert len(server.visits) == 1


def test_a_server_that_is_not_trusted_is_asked_once(serve, session_to, foreign) -> None:
    """Its chain will not be better the second time."""
    server = serve(foreign.server(), required=False)
    with pytest.raises(ServerNotTrustedError):
        session_to(server).get(server.url)

    assert len(server.visits) == 1


def test_the_budget_of_a_session_limits_repeats_in_an_outage(serve, session_to) -> None:
    """After ten repeats without a success, calls fail at once: an outage is not multiplied."""
    server = serve(answer=statuses(503))
    session = session_to(server, retry=RetryPolicy(attempts=3, first_wait=0.001, max_wait=0.002))
    for _ in range(20):
        session.get(server.url)

    assert len(server.received()) == 20 + 10


def test_threads_share_a_session(serve, session_to) -> None:
    """Sixteen threads, one session, no wrong answer."""
    server = serve(answer=lambda request: _echo(request))
    session = session_to(server)
    wrong: list[str] = []

    def work(number: int) -> None:
        for step in range(5):
            path = f"/{number}-{step}"
            if session.get(server.url + path).text != path:
                wrong.append(path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def _echo(request: bytes) -> bytes:
    path = request.split(b" ")[1]
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)


def test_exchange_send_sends_once_with_the_sessions_limits(serve, session_to) -> None:
    """The raw way: no retry, no redirect, body unread."""
    server = serve(answer=statuses(503))
    session = session_to(server)
    with session.lease() as lease:
        response = lease.exchange_send(Outgoing("GET", server.url, {}))
    response.close()

    assert (response.status, len(server.received())) == (503, 1)


def test_the_two_trees_of_one_name_are_told_apart(pki) -> None:
    """An anchor of the same name and another key does not accept our chain."""
    with pytest.raises(UntrustedChainError):
        SessionFactory(pki.identity(), SimulatorPki.create().anchor)


# ------------------------------------------------------------------ the rate limit


def test_a_session_keeps_to_the_rate_limit_of_its_factory(serve, session_to, clock) -> None:
    """The second call waits for its turn, on the clock of the limit."""
    server = serve()
    session = session_to(server, rate=RateLimit(2, burst=1, clock=clock))
    assert [session.get(server.url).status_code for _ in range(2)] == [200, 200]
    assert clock.slept == [0.5]


def test_a_session_of_application_code_is_not_held_back(serve, session_to) -> None:
    """The pace of application code is its own."""
    assert session_to(serve()).rate is None
