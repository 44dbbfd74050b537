"""Thirty-two threads on one session: all on the network at once, within the pool, with one token."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ror_sante.http.auth import ClientCredentials
from ror_sante.http.exchange import Exchange, Request
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts

CROWD = 32
TOKEN = {"access_token": "of-all", "token_type": "Bearer", "expires_in": 3600}


def _said(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.fixture
def crowd(pki, serve):
    """Let many threads ask one server, each several times, through one exchange; give what the server saw."""

    def ask(answer, *, pool_size: int, times: int):
        def answered(request: bytes) -> bytes:
            if request.startswith(b"POST /token"):
                return _said(json.dumps(TOKEN).encode())
            return answer(request)

        server = serve(answer=answered)
        factory = SessionFactory(pki.identity(), pki.anchor, pool_size=pool_size)
        how = {"retry": RetryPolicy.none(), "timeout": Timeouts(connect=20, read=20)}
        with factory.session(server.url) as session, ThreadPoolExecutor(CROWD) as threads:
            tokens = ClientCredentials(Exchange(session, **how), f"{server.url}/token", client_id="ror-client")
            exchange = Exchange(session, tokens=tokens, **how)
            asked = [threads.submit(exchange.send, Request("GET", f"{server.url}/x")) for _ in range(CROWD * times)]
            assert [one.result().body for one in asked] == [b"ok"] * len(asked)
        return server

    return ask


def test_all_threads_are_on_the_network_at_once(crowd) -> None:
    """The server answers nobody before all have asked: a lock held while one waits would hold the others back."""
    together = threading.Barrier(CROWD)

    def answer(_: bytes) -> bytes:
        together.wait(20)
        return _said(b"ok")

    server = crowd(answer, pool_size=CROWD, times=2)

    assert len(server.visits) <= CROWD
    assert sum(request.startswith(b"POST") for request in server.received()) == 1


def test_a_small_pool_is_never_exceeded(crowd) -> None:
    """Threads beyond the pool wait for a connection of it; none is opened beside and thrown away."""
    server = crowd(lambda _: _said(b"ok"), pool_size=4, times=8)

    assert len(server.visits) <= 4
    assert len(server.received()) == CROWD * 8 + 1
