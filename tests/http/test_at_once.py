"""Bodies of known length over TLS, read in one go or in full pieces: within the deadline, the size, to their end."""

from __future__ import annotations

import gzip
import time

import pytest

from ror_sante.errors import TimedOutError, UnexpectedResponseError, UnreachableError
from ror_sante.http.answer import Request
from ror_sante.http.exchange import Exchange, Limits
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts
from ror_sante.tls.outgoing import Outgoing

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n"


@pytest.fixture
def ask(pki, serve):
    """Ask a server that says what it is told to, piece by piece; a number is a silence in seconds."""
    sessions = []

    def ask(*pieces, deadline=5.0, read=5.0, limits=None, sink=None):
        server = serve()

        def talk(secure, visit) -> None:
            secure.recv(1000)
            for piece in pieces:
                time.sleep(piece) if isinstance(piece, float) else secure.sendall(piece)

        server._talk = talk
        retry = RetryPolicy(attempts=1, deadline=deadline)
        sessions.append(SessionFactory(pki.identity(), pki.anchor).session(server.url))
        exchange = Exchange(sessions[-1], retry=retry, timeout=Timeouts(read=read), limits=limits)
        request = Request("GET", f"{server.url}/Practitioner?identifier=10001234567")
        return exchange.send(request) if sink is None else exchange.pour(request, sink, deadline=deadline)

    yield ask
    for session in sessions:
        session.close()


class Sink:
    """Remembers the pieces."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def begin(self, answer) -> None:
        self.pieces.clear()

    def write(self, data: bytes, /) -> None:
        self.pieces.append(data)


@pytest.mark.parametrize("size", [0, 1, 20_000, 300_000])
def test_a_body_comes_whole_whatever_its_size(ask, size) -> None:
    """One read takes it across as many TLS records as it needs."""
    body = b"x" * size
    assert ask(HEAD % (size, b""), body).body == body


def test_a_compressed_body_is_unpacked(ask) -> None:
    """The length is that of the compressed body."""
    packed = gzip.compress(b"x" * 5000)
    assert ask(HEAD % (len(packed), b"Content-Encoding: gzip\r\n"), packed).body == b"x" * 5000


def test_a_compressed_body_that_stops_early_is_not_taken_for_whole(ask) -> None:
    """Its length agrees; its end mark is missing."""
    packed = gzip.compress(b"x" * 5000)[:-10]
    with pytest.raises(UnreachableError, match="broke off"):
        ask(HEAD % (len(packed), b"Content-Encoding: gzip\r\n"), packed)


def test_a_body_that_breaks_off_is_an_error(ask) -> None:
    """The connection ends before the length is reached."""
    with pytest.raises(UnreachableError, match="broke off"):
        ask(HEAD % (100, b""), b"x" * 60)


@pytest.mark.parametrize("sink", [None, Sink()], ids=["whole", "in pieces"])
def test_a_body_that_drips_is_given_up_at_the_deadline(ask, sink) -> None:
    """Each byte restarts the socket's own time-out, not the call's."""
    drips = [piece for _ in range(400) for piece in (b"x", 0.05)]
    begun = time.monotonic()
    with pytest.raises(TimedOutError, match="still arriving"):
        ask(HEAD % (400, b""), *drips, deadline=0.5, sink=sink)

    assert time.monotonic() - begun < 15


def test_a_sink_gets_full_pieces_however_small_they_arrive(ask) -> None:
    """300 000 bytes that come 10 000 at a time: two pieces of 128 KiB, and the rest."""
    sink = Sink()
    ask(HEAD % (300_000, b""), *[b"x" * 10_000] * 30, sink=sink)
    assert list(map(len, sink.pieces)) == [131_072, 131_072, 37_856]


def test_a_body_in_pieces_that_breaks_off_is_an_error(ask) -> None:
    """What was whole before the break has reached the sink."""
    sink = Sink()
    with pytest.raises(UnreachableError, match="broke off"):
        ask(HEAD % (300_000, b""), b"x" * 200_000, sink=sink)
    assert sink.pieces[0] == b"x" * 131_072


def test_a_server_that_falls_silent_in_a_body_is_given_up_at_the_read_limit(ask) -> None:
    """The deadline is far away; the patience for one piece is not."""
    with pytest.raises(TimedOutError, match="fell silent"):
        ask(HEAD % (60, b""), b"x", 3.0, deadline=30, read=0.3)


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(ask) -> None:
    """The header announces it."""
    with pytest.raises(UnexpectedResponseError, match="larger than"):
        ask(HEAD % (101, b""), b"x" * 101, limits=Limits(body=100))


def test_what_goes_out_shows_neither_its_query_nor_its_headers() -> None:
    """Its repr stands in tracebacks that print locals."""
    outgoing = Outgoing("GET", "https://host/Practitioner?identifier=10001234567", {"Authorization": "Bearer secret"})
    assert repr(outgoing) == "<Outgoing GET https://host/Practitioner?identifier=…>"
