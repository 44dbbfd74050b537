"""A kept-alive connection sets no time limit anew that it has, and reads a whole record of TLS at once."""

from __future__ import annotations

import contextlib
import ssl

import pytest
import requests

from ror_sante.tls import sockets
from ror_sante.tls.adapter import PinnedAdapter
from ror_sante.tls.context import build_context


@pytest.fixture
def watched(pki, serve, monkeypatch):
    """Send requests over one connection; tell the time limits that were set and the readings, since the first one."""
    server = serve()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 16000\r\n\r\n" + b"x" * 16_000

    def talk(secure, visit) -> None:
        while secure.recv(100_000):
            secure.sendall(answer)

    server._talk = talk
    adapter = PinnedAdapter(build_context(pki.identity(), pki.anchor), [server.origin])
    monkeypatch.setattr(sockets, "_MOMENT", 60.0)  # however busy the machine is
    limits, readings = [], []
    recv_into = sockets.CheckedSocket.recv_into

    def send(method: str, body: bytes | None = None) -> None:
        request = requests.Request(method, f"{server.url}/x", data=body).prepare()
        assert len(adapter.send(request, timeout=(100, 200)).content) == 16_000

    def watched_recv_into(self, *args):
        readings.append(self)
        return recv_into(self, *args)

    with contextlib.closing(adapter):
        send("GET")
        monkeypatch.setattr(ssl.SSLSocket, "settimeout", lambda _, value: limits.append(value), raising=False)
        monkeypatch.setattr(sockets.CheckedSocket, "recv_into", watched_recv_into)
        yield send, limits, readings
    assert len(server.visits) == 1


def test_a_request_without_a_body_sets_no_time_limit(watched) -> None:
    """Each would be a call of the system; its head fits into the socket's buffer, so that nothing waits to be sent."""
    send, limits, _ = watched

    send("GET")

    assert limits == []


def test_a_request_with_a_body_waits_to_be_sent_no_longer_than_it_may(watched) -> None:
    """The limit for connecting holds for sending, and that for reading is set after it."""
    send, limits, _ = watched

    send("POST", b"body")

    assert limits[0] == 100


def test_an_answer_in_one_record_is_read_at_once(watched) -> None:
    """Half a record at a time, as Python's buffer is, it would be read twice."""
    send, _, readings = watched

    send("GET")

    assert len(readings) == 1


def test_a_socket_whose_time_has_passed_or_that_is_closed_reads_nothing(watched) -> None:
    """Neither waits, and each is an error that a connection may meet."""
    send, _, readings = watched
    send("GET")
    secure = readings[-1]

    secure.give_up_in(-1.0)
    with pytest.raises(TimeoutError):
        secure.recv_into(bytearray(1))

    secure.until = None
    secure.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        secure.recv_into(bytearray(1))
