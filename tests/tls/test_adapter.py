"""The adapter's own small promises; the trust that it keeps is in test_traps.py."""

from __future__ import annotations

import contextlib
import time
import traceback

import pytest
import requests
from urllib3.util import Timeout

from ror_sante.errors import ConfigurationError, TimedOutError, UnreachableError
from ror_sante.tls.adapter import PinnedAdapter
from ror_sante.tls.connection import limits
from ror_sante.tls.context import build_context


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (None, (5.0, 30.0)),
        (7, (7.0, 7.0)),
        ((3, None), (3.0, 30.0)),
        ((None, 9), (5.0, 9.0)),
        ((1, 2), (1.0, 2.0)),
        (Timeout(connect=1, read=2), (1.0, 2.0)),
        (Timeout(read=2), (5.0, 2.0)),
    ],
)
def test_what_a_caller_leaves_open_gets_a_limit(given, used) -> None:
    """Requests waits for ever where a timeout is None; here nothing does."""
    assert used == limits(given)


@pytest.mark.parametrize("given", [0, -1, (1, 2, 3), (1, float("nan")), float("inf")])
def test_a_limit_that_is_none_is_refused(given) -> None:
    """Nonsense is a sentence, not a TypeError from inside."""
    with pytest.raises(ConfigurationError, match="positive number of seconds"):
        limits(given)


@pytest.fixture
def send(pki):
    """Send one GET to a server."""
    adapters: list[PinnedAdapter] = []

    def send(server, **how):
        adapters.append(PinnedAdapter(build_context(pki.identity(), pki.anchor), [server.origin]))
        return adapters[-1].send(requests.Request("GET", server.url).prepare(), **how)

    yield send
    for adapter in adapters:
        adapter.close()


def test_a_head_that_drips_is_given_up(send, serve) -> None:
    """One byte each tenth of a second restarts the socket's time-out, not ours."""
    server = serve()

    def drip(secure, visit) -> None:
        secure.recv(1000)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100:
            secure.sendall(bytes([byte]))
            time.sleep(0.1)

    server._talk = drip
    begun = time.monotonic()
    with pytest.raises(TimedOutError):
        send(server, timeout=(1, 0.5))

    assert time.monotonic() - begun < 8


@pytest.mark.parametrize("goodbye", [True, False], ids=["closed", "cut"])
def test_a_body_without_a_length_ends_with_tls_own_goodbye(send, serve, goodbye) -> None:
    """Without Content-Length the connection's end is the body's end: it counts only when TLS says so."""
    server = serve()

    def talk(secure, visit) -> None:
        secure.recv(1000)
        secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf")
        if goodbye:
            secure.settimeout(0.2)
            with contextlib.suppress(OSError):
                secure.unwrap()

    server._talk = talk
    response = send(server, stream=True)
    if goodbye:
        assert response.content == b"half"
    else:
        with pytest.raises(UnreachableError):
            _ = response.content


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["at-once", "later"])
def test_early_hints_are_not_the_answer_nor_leave_it_to_the_next_request(pki, serve, pause) -> None:
    """A gateway may send 103 first; taken for the answer, the true one would be given to another request."""
    server = serve()

    def talk(secure, visit) -> None:
        for number in range(3):
            asked = secure.recv(1000)
            if not asked:
                return
            hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            secure.sendall(hints if number == 0 else b"")
            time.sleep(pause)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + asked[4:8])

    server._talk = talk
    with contextlib.closing(PinnedAdapter(build_context(pki.identity(), pki.anchor), [server.origin])) as adapter:
        for path in (b"one", b"two"):
            response = adapter.send(requests.Request("GET", f"{server.url}/{path.decode()}").prepare())
            assert (response.status_code, response.content) == (200, b"/" + path)

    assert len(server.visits) == 1


def test_a_change_of_protocol_ends_the_connection(send, serve) -> None:
    """Nobody asked for 101: what follows it on that connection is no HTTP, and no later request's answer."""
    server = serve()
    server.answer = lambda _: b"HTTP/1.1 101 Switching Protocols\r\n\r\n"

    response = send(server)

    assert response.status_code == 101
    assert response.raw.connection is None or response.raw.connection.sock is None


def test_no_traceback_of_ours_shows_the_query(pki, serve) -> None:
    """urllib3's MaxRetryError writes the whole address into its text, and would be the cause of our error."""
    server = serve()
    server.close()
    url = f"{server.url}/Practitioner?identifier=10001234567"
    adapter = PinnedAdapter(build_context(pki.identity(), pki.anchor), [server.origin])
    with contextlib.closing(adapter), pytest.raises(UnreachableError) as caught:
        adapter.send(requests.Request("GET", url).prepare())

    assert "10001234567" not in "".join(traceback.format_exception(caught.value))
