"""The adapter's own small promises; the trust that it keeps is in test_traps.py."""

from __future__ import annotations

import contextlib
import time

import pytest
import requests
from urllib3.util import Timeout

from ror_sante.errors import ConfigurationError, TimedOutError, UnreachableError
from ror_sante.tls.adapter import PinnedAdapter, limits
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

    assert time.monotonic() - begun < 2


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
