"""A session is resumed with the place that it comes from, while its verification holds, and nowhere else."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ror_sante.errors import ClientRejectedError, ConfigurationError, RorError, ServerNotTrustedError
from ror_sante.http.session import SessionFactory
from ror_sante.tls import context as context_module
from ror_sante.tls.adapter import Origin, PinnedAdapter
from ror_sante.tls.context import build_context
from ror_sante.tls.outgoing import Outgoing
from ror_sante.tls.resumption import LONGEST, Place, Shelf, Warrant
from tests.support.tls_servers import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACE = Place("localhost", 443)


# ------------------------------------------------------------------ the shelf


@pytest.mark.parametrize(("monotonic", "wall", "offered"), [(9, 99, True), (10, 99, False), (9, 100, False)])
def test_a_session_is_offered_while_both_clocks_allow(monotonic, wall, offered) -> None:
    """The hour is counted by a clock that nobody sets; the leaf's end by the clock of certificates."""
    shelf = Shelf()
    shelf.keep(PLACE, "session", Warrant(until=10, ends=100))

    assert (shelf.offer(PLACE, monotonic=monotonic, wall=wall) is not None) is offered
    assert len(shelf) == int(offered)


def test_a_shelf_holds_the_last_session_of_a_place_and_not_more_places_than_it_may() -> None:
    """A client that calls hosts without end does not grow."""
    shelf, warrant = Shelf(), Warrant(10, 100)
    for port in range(100):
        shelf.keep(Place("localhost", port), "first", warrant)
        shelf.keep(Place("localhost", port), "second", warrant)

    assert len(shelf) == 64
    assert shelf.offer(Place("localhost", 99), monotonic=0, wall=0) == ("second", warrant)
    assert shelf.offer(Place("localhost", 0), monotonic=0, wall=0) is None


# ------------------------------------------------------------------ real handshakes


class Caller:
    """Opens a new connection for each call; tells whether it was resumed."""

    def __init__(self, context, *origins: Origin) -> None:
        self.context = context
        self.adapter = PinnedAdapter(context, origins)

    def call(self, server, *, host: str = "localhost", proxy: str = "") -> bool:
        """Ask once on a connection of its own."""
        url = f"https://{host}:{server.port}/"
        response = self.adapter.open(Outgoing("GET", url, {}), timeout=(5, 5), proxy=proxy)
        resumed = bool(response.connection.sock.session_reused)
        assert response.read() == b"ok"
        self.adapter.close()
        return resumed


@pytest.fixture(scope="module")
def issued(pki):
    """One certificate for all servers here."""
    return pki.server()


@pytest.fixture
def serve(serve, issued):
    """Start a server with the certificate of all."""
    return lambda given=None, **how: serve(given or issued, **how)


@pytest.fixture
def caller(pki) -> Iterator[Callable[..., Caller]]:
    """Make a caller of some servers, under either name of this machine."""
    made: list[Caller] = []

    def make(*servers, identity=None) -> Caller:
        context = build_context(identity or pki.identity(), pki.anchor)
        origins = [Origin(host, server.port) for server in servers for host in ("localhost", "127.0.0.1")]
        made.append(Caller(context, *origins))
        return made[-1]

    yield make
    for one in made:
        one.adapter.close()


def test_a_session_is_taken_once_and_again_with_each_new_ticket(caller, serve, version, monkeypatch) -> None:
    """A resumed connection of TLS 1.2 brings nothing new; one of TLS 1.3 brings a ticket in place of the old."""
    kept, keep = [], context_module.SealedContext.remember
    monkeypatch.setattr(
        context_module.SealedContext, "remember", lambda *given: kept.append(given[2].id) or keep(*given)
    )
    server = serve(version=version)
    asking = caller(server)

    assert [asking.call(server) for _ in range(3)] == [False, True, True]
    assert len(kept) == (1 if version is ssl.TLSVersion.TLSv1_2 else 3)
    assert len(set(kept)) == len(kept)


def test_the_second_connection_to_a_place_is_resumed(caller, serve, version) -> None:
    """The server knows our certificate from the session: it is not shown again."""
    server = serve(version=version)
    asking = caller(server)

    assert [asking.call(server) for _ in range(3)] == [False, True, True]
    assert [visit.version for visit in server.visits] == [version.name.replace("_", ".")] * 3
    assert [(visit.chain[0], visit.resumed) for visit in server.visits] == [
        ("CLIENT_WS_RORN", False),
        ("CLIENT_WS_RORN", True),
        ("CLIENT_WS_RORN", True),
    ]


def test_another_port_of_the_same_host_shakes_hands_in_full(caller, serve, version) -> None:
    """Both servers know the session's key: it is ours to offer it to one alone."""
    one = serve(version=version)
    two = serve(version=version)
    two.context = one.context
    asking = caller(one, two)

    assert [asking.call(server) for server in (one, two, one, two)] == [False, False, True, True]


def test_another_name_of_the_same_server_shakes_hands_in_full(caller, serve, version) -> None:
    """The certificate was checked for one name alone."""
    server = serve(version=version)
    asking = caller(server)

    assert [asking.call(server, host=host) for host in ("localhost", "127.0.0.1")] == [False, False]


def test_behind_a_proxy_the_servers_own_port_counts(caller, serve, proxy, version) -> None:
    """The peer of both sockets is the proxy."""
    tunnel = proxy()
    one = serve(version=version)
    two = serve(version=version)
    two.context = one.context
    asking = caller(one, two)

    resumed = [asking.call(server, proxy=tunnel.url) for server in (one, two, one)]
    assert resumed == [False, False, True]


def test_another_identity_shakes_hands_in_full(caller, serve, pki, version) -> None:
    """A session belongs to the context of one identity: the server must see the other certificate."""
    server = serve(version=version)
    first, second = caller(server), caller(server, identity=pki.identity(pki.client("CLIENT_WS_ROR")))

    assert [one.call(server) for one in (first, second)] == [False, False]
    assert server.visits[1].chain[0] == "CLIENT_WS_ROR"


def _moved(monkeypatch, *, monotonic: float = 0.0, wall: float = 0.0) -> None:
    """Move the clocks that the context reads; a test cannot wait an hour."""

    class Moved:
        monotonic = staticmethod(lambda real=time.monotonic: real() + monotonic)
        time = staticmethod(lambda real=time.time: real() + wall)

    monkeypatch.setattr(context_module, "time", Moved)


@pytest.mark.parametrize(("seconds", "resumed"), [(LONGEST - 60, True), (LONGEST + 1, False)])
def test_the_hour_counts_from_the_full_handshake(caller, serve, version, monkeypatch, seconds, resumed) -> None:
    """A resumed connection gives a new ticket, not a new hour."""
    server = serve(version=version)
    asking = caller(server)
    assert [asking.call(server) for _ in range(2)] == [False, True]

    _moved(monkeypatch, monotonic=seconds)

    assert asking.call(server) is resumed


@pytest.mark.parametrize("whose", ["server", "client"])
@pytest.mark.parametrize(("seconds", "resumed"), [(-60, True), (0, False)])
def test_no_session_outlives_a_leaf(caller, serve, pki, monkeypatch, whose, seconds, resumed) -> None:
    """A certificate that expired since would pass unseen: a resumed connection shows none."""
    tomorrow = {"not_after": pki.at.replace(microsecond=0) + timedelta(days=1)}
    server = serve(pki.server(**tomorrow) if whose == "server" else None)
    asking = caller(server, identity=pki.identity(pki.client(**tomorrow)) if whose == "client" else None)
    assert asking.call(server) is False

    _moved(monkeypatch, wall=tomorrow["not_after"].timestamp() - time.time() + seconds)

    assert asking.call(server) is resumed


def test_a_resumed_connection_checks_the_store_too(caller, serve, version) -> None:
    """What reaches beneath the seal is seen on either kind of connection, before the first byte of a request."""
    server = serve(version=version)
    asking = caller(server)
    asking.call(server)

    object.__setattr__(asking.context, "_sealed", False)
    asking.context._store = frozenset()

    with pytest.raises(ServerNotTrustedError, match="trust store"):
        asking.call(server)
    assert len(server.received()) == 1


def test_no_session_is_kept_of_a_connection_that_failed_the_check(caller, serve, version) -> None:
    """The next connection verifies everything."""
    server = serve(version=version)
    asking = caller(server)
    object.__setattr__(asking.context, "_sealed", False)
    pins, asking.context._pins = asking.context._pins, frozenset()
    with pytest.raises(ServerNotTrustedError, match="pinned root"):
        asking.call(server)

    asking.context._pins = pins

    assert asking.call(server) is False


def test_a_session_of_the_callers_own_is_refused(caller, serve) -> None:
    """Only the shelf's sessions come from verified connections of the same place."""
    server = serve()
    asking = caller(server)
    asking.call(server)
    known = asking.context._shelf.offer(Place("localhost", server.port), monotonic=0, wall=0)

    with socket.create_connection(("127.0.0.1", server.port)) as plain, pytest.raises(ConfigurationError):
        asking.context.wrap_socket(plain, server_hostname="127.0.0.1", session=known.session)


def test_a_socket_that_does_not_say_where_it_leads_shakes_hands_in_full(caller, serve) -> None:
    """Application code may take the context alone."""
    server = serve()
    asking = caller(server)
    asking.call(server)
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        secure = asking.context.wrap_socket(plain, server_hostname="localhost")
        with secure:
            assert not secure.session_reused


def test_a_server_that_gives_no_ticket_is_met_in_full(caller, serve) -> None:
    """There is nothing to offer, and nothing is."""
    server = serve(version=ssl.TLSVersion.TLSv1_3)
    server.context.num_tickets = 0
    asking = caller(server)

    assert [asking.call(server) for _ in range(2)] == [False, False]


# ------------------------------------------------------------------ servers that break off


def _resumes(hello: bytes) -> bool:
    """Tell whether a ClientHello offers a session: a pre_shared_key extension (RFC 8446), or a ticket (RFC 5077)."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2])
    at += 1 + hello[at]
    at += 2
    found = {}
    while at < len(hello):
        kind, size = int.from_bytes(hello[at : at + 2]), int.from_bytes(hello[at + 2 : at + 4])
        found[kind] = size
        at += 4 + size
    return 41 in found or found.get(35, 0) > 0


class Touchy:
    """Puts itself before a server's handshake and breaks off when a session is offered."""

    def __init__(self, context: ssl.SSLContext, reply: bytes) -> None:
        self.context = context
        self.reply = reply
        self.offered = 0

    def wrap_socket(self, plain: socket.socket, *, server_side: bool) -> ssl.SSLSocket:
        if _resumes(plain.recv(65536, socket.MSG_PEEK)):
            self.offered += 1
            plain.recv(65536)
            plain.sendall(self.reply)
            raise OSError("a session was offered")
        return self.context.wrap_socket(plain, server_side=server_side)


INTERNAL_ERROR = b"\x15\x03\x03\x00\x02\x02\x50"  # a fatal alert, in clear as before the keys are known


@pytest.mark.parametrize("reply", [INTERNAL_ERROR, b""], ids=["alert", "silent"])
def test_a_server_that_breaks_off_at_a_session_is_asked_in_full(caller, serve, version, reply) -> None:
    """Some front ends cannot resume and end the handshake instead of going on in full."""
    server = serve(version=version)
    server.context = Touchy(server.context, reply)
    asking = caller(server)

    assert [asking.call(server) for _ in range(2)] == [False, False]
    assert server.context.offered == 1


def test_a_server_that_breaks_off_behind_a_proxy_is_asked_again_through_it(caller, serve, proxy) -> None:
    """The tunnel is opened anew."""
    tunnel = proxy()
    server = serve()
    server.context = Touchy(server.context, INTERNAL_ERROR)
    asking = caller(server)

    assert [asking.call(server, proxy=tunnel.url) for _ in range(2)] == [False, False]
    assert len(tunnel.heads) == 3


def test_a_refusal_without_a_session_is_not_asked_twice(caller, serve, foreign, version) -> None:
    """Nothing was offered: the refusal means our certificate."""
    server = serve(version=version, root=foreign)
    asking = caller(server)
    with pytest.raises(ClientRejectedError):
        asking.call(server)

    assert len(server.visits) == 1


def test_a_resumed_connection_that_breaks_off_at_the_answer_is_not_resumed_again(caller, serve, version) -> None:
    """A server that forgot us after the handshake gets the whole of it the next time."""
    server = serve(version=version)
    asking = caller(server)
    assert [asking.call(server) for _ in range(2)] == [False, True]

    server.answer = lambda _: b"no HTTP at all\r\n\r\n"
    with pytest.raises(RorError):
        asking.call(server)
    server.answer = lambda _: OK

    assert asking.call(server) is False


def test_a_session_of_requests_resumes_too(pki, serve, version) -> None:
    """Application code gets it without a word: its pool is closed between two nights, its process is not."""
    server = serve(version=version)
    factory = SessionFactory(pki.identity(), pki.anchor)
    resumed = []
    for _ in range(2):
        with factory.session(server.url) as session, session.get(server.url, stream=True) as response:
            resumed.append(response.raw.connection.sock.session_reused)

    assert resumed == [False, True]
