"""The only way out: time, size, token, repeats and judgement of every request."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from datetime import UTC, datetime

import pytest
from requests.structures import CaseInsensitiveDict

from ror_sante import __version__
from ror_sante.errors import (
    AccessDeniedError,
    ApiError,
    ClientRejectedError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    RateLimitedError,
    ServerFaultError,
    TimedOutError,
    UnexpectedResponseError,
    UnreachableError,
)
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.exchange import Answer, Exchange, Limits, Request, status_error
from ror_sante.http.retry import RetryBudget, RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts
from ror_sante.http.status import front_end_refusal

SECRET = "sesame-7f3a"
PLENTY = Limits(body=8_000_000)


def get(server, path: str = "/", **how) -> Request:
    return Request("GET", server.url + path, **how)


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    named = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Answer("GET", "https://me:pw@api.example/Practitioner?identifier=10001", status, named, body, 0.1)


class Purse:
    """Tokens t1, t2, ... of which each is good until it is given back."""

    def __init__(self, *, endless: bool = True) -> None:
        self.number = 1
        self.endless = endless
        self.given_back: list[str] = []
        self.remaining: list[float] = []

    def token(self, *, remaining: float, identity=None) -> str:
        self.remaining.append(remaining)
        return f"{SECRET}-{self.number}"

    def invalidate(self, token: str) -> None:
        self.given_back.append(token)
        self.number += self.endless


# ------------------------------------------------------------------ what is sent


def test_a_request_goes_out_as_it_is_written(server, plain, reply) -> None:
    """Path and query are not encoded again; our own name, gzip and the length are added, and no cookie comes back."""
    there = server(lambda _: reply(body=b"{}", Set_Cookie="a=b", Content_Type="application/json; charset=utf-8"))
    exchange = plain()
    path = "/x/HealthcareService?_filter=a%20eq%20%22b%22&name:contains=%7C~"
    got = exchange.send(Request("POST", there.url + path, {"X-Test": "1"}, b"abc"))
    exchange.send(get(there, "/x"))

    seen = there.seen[0]
    assert (seen.method, seen.path, seen.body) == ("POST", path, b"abc")
    assert seen.headers["user-agent"] == f"ror-sante/{__version__}"
    assert (seen.headers["accept-encoding"], seen.headers["x-test"]) == ("gzip", "1")
    assert not {"cookie", "authorization"} & (seen.headers | there.seen[1].headers).keys()
    assert (got.status, got.body, got.media_type, got.is_html) == (200, b"{}", "application/json", False)
    assert got.url == there.url + path


def test_a_post_without_a_body_says_so(server, plain, reply) -> None:
    """Some servers wait for a body when Content-Length is missing; a GET has none."""
    there = server(lambda _: reply())
    for method in ("POST", "GET"):
        plain().send(Request(method, there.url))

    assert [seen.headers.get("content-length") for seen in there.seen] == ["0", None]


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("GE T", "https://h/", {}),
        ("", "https://h/", {}),
        ("GET", "https://h/a b", {}),
        ("GET", "https://h/é", {}),
        ("GET", "https://h/\r\nX: y", {}),
        ("GET", "https://h/", {"X": "a\r\nY: b"}),
        ("GET", "https://h/", {"X": " a"}),
        ("GET", "https://h/", {"X": "é"}),
        ("GET", "https://h/", {"X Y": "a"}),
    ],
)
def test_what_cannot_stand_in_a_request_is_refused_when_it_is_made(method, url, headers) -> None:
    """No blank, accent or line break reaches the wire."""
    with pytest.raises(ConfigurationError):
        Request(method, url, headers)


@pytest.mark.parametrize(
    ("method", "repeatable", "expected"),
    [
        ("GET", None, True),
        ("HEAD", None, True),
        ("POST", None, False),
        ("PATCH", None, False),
        ("POST", True, True),
        ("GET", False, False),
    ],
)
def test_the_method_tells_whether_a_request_may_be_repeated(method, repeatable, expected) -> None:
    """RFC 9110 section 9.2.2, unless the caller knows better."""
    assert Request(method, "https://h/", repeatable=repeatable).may_repeat is expected


def test_no_repr_shows_what_was_sent_or_received() -> None:
    """Headers, bodies and query values stay out of tickets."""
    request = Request("POST", f"https://h/x?identifier={SECRET}", {"A": SECRET}, SECRET.encode())

    assert repr(request) == "<Request POST https://h/x?identifier=…>"
    assert repr(answer(body=SECRET.encode())) == (
        "<Answer 200 GET https://api.example/Practitioner?identifier=… 11 bytes>"
    )


def test_the_log_holds_address_status_and_time_and_nothing_else(server, plain, reply, caplog) -> None:
    """Level DEBUG: no header, no body, no query value; a failure is a line too."""
    there = server(lambda seen: reply(200 if seen.path == "/?q=1" else 404, SECRET.encode(), X_Secret=SECRET))
    exchange = plain(tokens=Purse())
    with caplog.at_level("DEBUG", "ror_sante.http"):
        exchange.send(get(there, "/?q=1"))
        there.close()
        with pytest.raises(UnreachableError):
            plain(retry=RetryPolicy.none()).send(get(there))

    lines = [record.message for record in caplog.records if record.name == "ror_sante.http"]
    assert lines == [
        f"GET {there.url}/?q=…: 200 in 0.000 s (sent 1)",
        f"GET {there.url}/: UnreachableError in 0.000 s (sent 1)",
    ]


# ------------------------------------------------------------------ connections


@pytest.mark.parametrize("size", [0, 10, 300_000])
@pytest.mark.parametrize("status", [200, 404])
def test_a_connection_serves_the_next_request(server, plain, reply, status, size) -> None:
    """Whatever the answer, it is read to its end and the connection kept."""
    there = server(lambda _: reply(status, b"x" * size))
    exchange = plain(judge=lambda _: None)
    for _ in range(5):
        assert len(exchange.send(get(there)).body) == size

    assert there.connections == 1


def test_answers_without_a_body_are_read_too(server, plain) -> None:
    """HEAD announces a length and a gzip that do not come, 204 announces nothing."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nContent-Encoding: gzip\r\n\r\n"
    there = server(lambda seen: head if seen.method == "HEAD" else b"HTTP/1.1 204 No Content\r\n\r\n")
    exchange = plain(limits=Limits(body=1000))
    bodies = [exchange.send(Request(method, there.url)).body for method in ("HEAD", "GET", "HEAD")]

    assert bodies == [b"", b"", b""]
    assert there.connections == 1


def test_a_connection_with_an_unread_answer_is_not_used_again(server, plain, reply) -> None:
    """After a body that was too large, the next request has a connection of its own."""
    there = server(lambda seen: reply(body=b"x" * (9000 if seen.path == "/large" else 9)))
    exchange = plain(limits=Limits(body=1000))
    with pytest.raises(UnexpectedResponseError, match="larger"):
        exchange.send(get(there, "/large"))

    assert exchange.send(get(there)).body == b"x" * 9
    assert there.connections == 2


# ------------------------------------------------------------------ the body


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "deflate", "identity", ""])
def test_bodies_come_decompressed(server, plain, reply, noise, encoding) -> None:
    """Three megabytes arrive as they were, under each encoding that a server may choose."""
    packed = noise if encoding in {"identity", ""} else gzip.compress(noise, 1)
    packed = zlib.compress(noise, 1) if encoding == "deflate" else packed
    there = server(lambda _: reply(body=packed, Content_Encoding=encoding))

    assert plain().send(get(there)).body == noise


def test_chunked_bodies_come_joined(server, plain, noise) -> None:
    """Chunks of any size, gzip inside, in two members."""
    packed = gzip.compress(noise[:2_000_000], 1) + gzip.compress(noise[2_000_000:], 1)
    pieces = [packed[at : at + 70_001] for at in range(0, len(packed), 70_001)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    there = server(lambda _: head + chunks)
    exchange = plain()

    assert [exchange.send(get(there)).body == noise for _ in range(2)] == [True, True]
    assert there.connections == 1


@pytest.mark.parametrize(("cap", "fits"), [(5000, True), (4999, False)])
@pytest.mark.parametrize("how", ["announced", "chunked", "gzip"])
def test_the_cap_counts_decompressed_bytes(server, plain, reply, how, cap, fits) -> None:
    """One byte too many is refused, whether it was announced, dripped in, or packed."""
    body = b"x" * 5000
    there = server(
        lambda _: {
            "announced": reply(body=body),
            "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + body + b"\r\n0\r\n\r\n",
            "gzip": reply(body=gzip.compress(body), Content_Encoding="gzip"),
        }[how]
    )
    exchange = plain(limits=Limits(body=cap))
    if fits:
        assert exchange.send(get(there)).body == body
    else:
        with pytest.raises(UnexpectedResponseError, match=r"larger than 0\.00477 MiB") as caught:
            exchange.send(get(there))
        assert caught.value.status == 200


@pytest.mark.parametrize(("ratio", "fits"), [(1100, True), (500, False)])
def test_a_bomb_is_known_by_its_ratio(server, plain, reply, ratio, fits) -> None:
    """Four megabytes of one letter pack a thousandfold: refused as soon as it shows."""
    there = server(lambda _: reply(body=gzip.compress(b"x" * 4_000_000), Content_Encoding="gzip"))
    exchange = plain(limits=Limits(body=8_000_000, ratio=ratio))
    if fits:
        assert len(exchange.send(get(there)).body) == 4_000_000
    else:
        with pytest.raises(UnexpectedResponseError, match="grew more than 500 times"):
            exchange.send(get(there))


def test_a_small_body_may_repeat_itself(server, plain, reply) -> None:
    """Below one megabyte the ratio is nobody's business."""
    there = server(lambda _: reply(body=gzip.compress(b"x" * 900_000), Content_Encoding="gzip"))

    assert len(plain(limits=Limits(ratio=2)).send(get(there)).body) == 900_000


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\x1b[31m"])
def test_an_encoding_that_was_not_asked_for_is_refused(server, plain, reply, encoding) -> None:
    """Nested and foreign encodings are where bombs live."""
    there = server(lambda _: reply(body=b"x", Content_Encoding=encoding))
    with pytest.raises(UnexpectedResponseError, match="not asked for") as caught:
        plain().send(get(there))

    assert str(caught.value).isprintable()


@pytest.mark.parametrize("body", [b"{}", gzip.compress(b"{}", mtime=0) + b"rest"], ids=["json", "rest-behind"])
def test_gzip_that_is_none_is_said_to_be_none(server, plain, reply, body) -> None:
    """A header that lies is not a JSON error later on."""
    there = server(lambda _: reply(body=body, Content_Encoding="gzip"))
    with pytest.raises(UnexpectedResponseError, match="is not the gzip"):
        plain().send(get(there))


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 40,
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 40,
    "no-last-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n",
    "no-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsoon\r\n",
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 5000)[:30],
    "no-answer": b"",
}


@pytest.mark.parametrize("how", CUT)
def test_an_answer_that_breaks_off_is_asked_for_again(server, plain, reply, in_turn, how) -> None:
    """Half an answer is no answer, however it was framed."""
    there = server(in_turn([CUT[how]], reply(body=b"whole")))

    assert plain().send(get(there)).body == b"whole"
    assert len(there.seen) == 2


def test_a_post_whose_answer_breaks_off_is_not_sent_again(server, plain, in_turn) -> None:
    """The server has acted; the error says how far its answer came."""
    there = server(in_turn([CUT["length"]]))
    with pytest.raises(UnreachableError, match="broke off its answer after 40 bytes"):
        plain().send(Request("POST", there.url, body=b"x"))

    assert len(there.seen) == 1


def test_silence_in_the_middle_of_a_body_is_a_time_out(server, plain) -> None:
    """A silent server in the middle of a body is a time-out, and not the end of it."""
    there = server(lambda _: [CUT["length"], 0.4])
    with pytest.raises(TimedOutError, match="silent"):
        plain(read=0.1, retry=RetryPolicy.none()).send(get(there))


# ------------------------------------------------------------------ time


def drip(step: float):
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    for _ in range(100):
        yield b"x"
        yield step


@pytest.mark.parametrize("packed", [False, True])
def test_a_server_that_drips_holds_nobody_beyond_the_deadline(server, plain, packed) -> None:
    """One byte each 20 ms keeps the socket busy for ever, and the call ends all the same."""
    head = b"Content-Encoding: gzip\r\n" if packed else b""
    empty = zlib.compressobj(wbits=31)
    start = empty.compress(b"") + empty.flush(zlib.Z_FULL_FLUSH)

    def script(_):
        pieces = drip(0.02)
        yield next(pieces).replace(b"\r\n\r\n", b"\r\n" + head + b"\r\n") + (start if packed else b"")
        for piece in pieces:
            yield b"\x00\x00\x00\xff\xff" if packed and isinstance(piece, bytes) else piece

    there = server(script)
    begun = time.monotonic()
    with pytest.raises(TimedOutError, match=r"still arriving|silent"):
        plain(retry=RetryPolicy(deadline=0.3), clock=SYSTEM_CLOCK).send(get(there))

    assert 0.25 < time.monotonic() - begun < 5


def test_a_silent_server_is_left_at_the_deadline_even_in_the_middle_of_a_body(server, plain) -> None:
    """The socket's own patience is cut to what is left."""
    there = server(lambda _: [CUT["length"], 0.45, b"x", 3.0])
    begun = time.monotonic()
    with pytest.raises(TimedOutError):
        plain(read=10.0, retry=RetryPolicy(deadline=0.5), clock=SYSTEM_CLOCK).send(get(there))

    assert 0.45 < time.monotonic() - begun < 2.9


def test_a_drip_on_a_connection_that_ends_with_its_answer_is_left_too(server, plain) -> None:
    """With Connection: close the socket is out of reach, and the look at the clock between pieces does it."""
    there = server(
        lambda _: (
            piece.replace(b"200 OK", b"200 OK\r\nConnection: close") if isinstance(piece, bytes) else piece
            for piece in drip(0.02)
        )
    )
    begun = time.monotonic()
    with pytest.raises(TimedOutError, match="still arriving"):
        plain(retry=RetryPolicy(deadline=0.3), clock=SYSTEM_CLOCK).send(get(there))

    assert 0.25 < time.monotonic() - begun < 5


def test_a_connection_that_ends_with_its_answer_is_read_to_its_end(server, plain) -> None:
    """Connection: close changes nothing of the body."""
    there = server(lambda _: [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab", 0.05, b"cd"])

    assert plain(read=10.0, retry=RetryPolicy(deadline=5.0), clock=SYSTEM_CLOCK).send(get(there)).body == b"abcd"


def test_an_attempt_may_take_what_is_left(server, plain, reply) -> None:
    """Connect and read limits shrink with the deadline and never grow beyond the settings."""
    there = server(lambda _: reply())
    exchange = plain(connect=2.0, read=30.0, retry=RetryPolicy(deadline=20.0))
    exchange.send(get(there))
    exchange.send(get(there), within=1.5)

    assert exchange.session.timeouts == [(2.0, 20.0), (1.5, 1.5)]


def test_nothing_is_sent_when_the_time_has_passed(server, plain, reply) -> None:
    """No attempt with no time: the error says so."""
    there = server(lambda _: reply())
    with pytest.raises(TimedOutError, match="has passed"):
        plain().send(get(there), within=0.0)

    assert there.seen == []


def test_a_busy_server_is_waited_for(server, plain, reply, in_turn, clock) -> None:
    """503 with Retry-After, by seconds and by the server's own clock, then the answer."""
    date = {"Date": "Sun, 01 Mar 2020 12:00:00 GMT", "Retry_After": "Sun, 01 Mar 2020 12:00:09 GMT"}
    there = server(in_turn(reply(503, Retry_After="7"), reply(503, **date), reply(body=b"ok")))

    assert plain().send(get(there)).body == b"ok"
    assert clock.slept == [7.25, 9.5]


def test_a_retry_after_date_without_the_servers_date_counts_from_our_clock(
    server, plain, reply, in_turn, clock
) -> None:
    """The fake clock stands at midnight, the first of January 2026."""
    there = server(in_turn(reply(503, Retry_After="Thu, 01 Jan 2026 00:00:20 GMT"), reply()))
    plain().send(get(there))

    assert clock.slept == [20.25]


def test_an_outage_is_not_multiplied(server, plain, reply) -> None:
    """Twenty calls on a dead service make ten repeats in all, and the last ones none."""
    there = server(lambda _: reply(503))
    exchange = plain(budget=RetryBudget(capacity=10))
    for _ in range(20):
        with pytest.raises(ServerFaultError):
            exchange.send(get(there))

    assert len(there.seen) == 30


@pytest.mark.parametrize("status", [400, 403, 404, 409, 501, 505])
def test_an_answer_that_will_not_change_is_asked_for_once(server, plain, reply, status) -> None:
    """4xx, and 5xx that mean "never"."""
    there = server(lambda _: reply(status))
    with pytest.raises(ApiError):
        plain().send(get(there))

    assert len(there.seen) == 1


# ------------------------------------------------------------------ the token


def test_the_token_goes_out_as_bearer(server, plain, reply) -> None:
    """And the token source is told how long it may take."""
    there, purse = server(lambda _: reply()), Purse()
    plain(tokens=purse, retry=RetryPolicy(deadline=9.0)).send(get(there))

    assert there.seen[0].headers["authorization"] == f"Bearer {SECRET}-1"
    assert purse.remaining == [9.0]


def test_a_refused_token_is_renewed_once(server, plain, reply) -> None:
    """401, another token, the answer: the caller sees nothing of it."""
    there = server(lambda seen: reply(200 if seen.headers["authorization"].endswith("-2") else 401))
    purse = Purse()

    assert plain(tokens=purse).send(Request("POST", there.url, body=b"x")).status == 200
    assert purse.given_back == [f"{SECRET}-1"]
    assert [seen.body for seen in there.seen] == [b"x", b"x"]


def test_a_second_refusal_is_the_account(server, plain, reply) -> None:
    """Two tokens, two refusals, one error, and no token in it."""
    there = server(lambda _: reply(401))
    with pytest.raises(AccessDeniedError) as caught:
        plain(tokens=Purse()).send(get(there))

    assert len(there.seen) == 2
    assert SECRET not in f"{caught.value!r} {caught.value.hint}"


def test_the_renewal_is_one_for_all_attempts_of_a_call(server, plain, reply, in_turn) -> None:
    """401, 503, 401: the second 401 is final."""
    there, purse = server(in_turn(reply(401), reply(503), reply(401))), Purse()
    with pytest.raises(AccessDeniedError):
        plain(tokens=purse).send(get(there))

    assert len(there.seen) == 3
    assert len(purse.given_back) == 1


def test_a_source_that_has_no_other_token_costs_no_second_request(server, plain, reply) -> None:
    """The same token again would be refused again."""
    there = server(lambda _: reply(401))
    with pytest.raises(AccessDeniedError):
        plain(tokens=Purse(endless=False)).send(get(there))

    assert len(there.seen) == 1


def test_a_401_without_tokens_is_an_error(server, plain, reply) -> None:
    """Nothing to renew."""
    there = server(lambda _: reply(401))
    with pytest.raises(AccessDeniedError):
        plain().send(get(there))

    assert len(there.seen) == 1


def test_no_local_of_a_traceback_of_ours_shows_the_token(server, plain, reply) -> None:
    """Error reporters that collect local variables find no token in our frames."""
    there = server(lambda _: reply(503, SECRET.encode()))
    with pytest.raises(ServerFaultError) as caught:
        plain(tokens=Purse()).send(get(there))

    frames = [entry for entry in caught.traceback if "ror_sante" in str(entry.path) and "src" in str(entry.path)]
    assert len(frames) > 2
    assert [entry.name for entry in frames if SECRET in repr(entry.frame.f_locals)] == []


# ------------------------------------------------------------------ the judgement


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        *((status, InvalidRequestError, False) for status in (400, 405, 406, 414, 415, 422)),
        (401, AccessDeniedError, False),
        (403, AccessDeniedError, False),
        (404, NotFoundError, False),
        (410, NotFoundError, False),
        (409, PreconditionError, False),
        (412, PreconditionError, False),
        (429, RateLimitedError, True),
        *((status, ServerFaultError, True) for status in (500, 502, 503, 504, 599)),
        (501, ServerFaultError, False),
        (505, ServerFaultError, False),
        *((status, UnexpectedResponseError, False) for status in (102, 301, 304, 402, 418, 600, 999)),
    ],
)
def test_each_status_has_its_class(status, kind, retryable) -> None:
    """One table, whoever asks."""
    error = status_error(answer(status), outcome="said")

    assert type(error) is kind
    assert (error.status, error.method, error.outcome, error.retryable) == (status, "GET", "said", retryable)
    assert error.url == "https://api.example/Practitioner?identifier=…"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_good_status_is_no_error(status) -> None:
    """Everything from 200 to 299."""
    assert status_error(answer(status)) is None


def test_the_message_begins_with_the_servers_id_of_the_request() -> None:
    """A support desk asks for it first."""
    error = status_error(answer(500, X_Request_Id="ab-12"), text="panne")

    assert str(error) == (
        "[request ab-12] GET https://api.example/Practitioner?identifier=… answered 500 Internal Server Error: panne"
    )
    assert error.request_id == "ab-12"


def test_the_other_name_of_the_request_id_is_known_too() -> None:
    """And what a server puts into it is made safe."""
    assert answer(X_Correlation_Id="c\x1b[1m" + "9" * 500).request_id.startswith("c\\x1b[1m999")
    assert len(answer(X_Correlation_Id="9" * 500).request_id) == 80


def test_an_expired_page_says_what_to_do() -> None:
    """410 is what a next link gives after its time."""
    assert "expired" in status_error(answer(410)).hint


def test_retry_after_travels_in_the_error() -> None:
    """In 429 and in 5xx; nonsense is absent."""
    assert [
        status_error(answer(status, Retry_After=value)).retry_after for status in (429, 503) for value in ("5", "soon")
    ] == [5.0, None, 5.0, None]


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://me:pw@login.example/x?token=1", "a redirect to https://login.example/x?token=…, not followed"),
        ("/other", "a redirect to https://api.example/other, not followed"),
        ("http://[", "a redirect to an address that cannot be read"),
        ("", "a redirect without an address"),
    ],
)
def test_a_redirect_says_where_it_points(location, told) -> None:
    """It is never followed, and nothing in it that may be secret is shown."""
    error = status_error(answer(302, Location=location))

    assert str(error).endswith(told)
    assert "not followed" in error.hint
    assert error.fault == "page-instead"


def test_a_redirect_is_not_followed(server, plain, reply) -> None:
    """The other address sees nothing."""
    other = server(lambda _: reply())
    there = server(lambda _: reply(302, Location=other.url))
    with pytest.raises(UnexpectedResponseError):
        plain(tokens=Purse()).send(get(there))

    assert other.seen == []


@pytest.mark.parametrize(
    ("body", "media_type", "told"),
    [
        (
            b"<html><title>Bad &amp; \x1b[1m\nbroken</title>",
            "text/html",
            'an HTML page "Bad & \\x1b[1m broken" from a',
        ),
        (b"\n<!DOCTYPE html><p>no title", "application/json", "an HTML page from a gateway"),
        (b"{}", "application/json", "answered 502 Bad Gateway"),
    ],
)
def test_a_page_of_a_gateway_is_named_as_such(body, media_type, told) -> None:
    """Its title tells more than its status, and is made safe to show."""
    error = status_error(answer(502, body, Content_Type=media_type))

    assert told in str(error)
    assert error.fault == ("page-instead" if "page" in told else "")
    assert str(error).isprintable()


def test_the_words_of_the_service_come_before_a_page_title() -> None:
    """A judge that knows the format of the service is believed."""
    error = status_error(answer(502, b"<html>"), text="de la part du ROR")

    assert str(error).endswith("Gateway: de la part du ROR")
    assert not error.fault


def page(words: str) -> bytes:
    return f"<html><head><title>400</title></head><body><h1>400 Bad Request</h1>{words}</body></html>".encode()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("<center>No required SSL certificate was sent</center>", "got none from us"),
        ("<center>The SSL certificate error</center>", "refuses our certificate"),
    ],
)
def test_a_front_end_that_refuses_our_certificate_is_a_transport_error(server, plain, reply, words, told) -> None:
    """A front end such as nginx says it in a page with status 400; no judge sees it, nothing is repeated."""
    there = server(lambda _: reply(400, page(words), Content_Type="text/html"))
    with pytest.raises(ClientRejectedError, match=told) as caught:
        plain(judge=lambda _: None).send(get(there))

    assert (caught.value.alert, bool(caught.value.hint), len(there.seen)) == ("", True, 1)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, page("Request Header Too Large")),
        (400, b"No required SSL certificate was sent"),
        (200, page("The SSL certificate error")),
    ],
)
def test_other_pages_are_no_refusal_of_our_certificate(status, body) -> None:
    """The words alone, or another status, are not enough."""
    assert front_end_refusal(answer(status, body)) is None


def test_the_judge_of_one_call_takes_precedence(server, plain, reply) -> None:
    """A token source reads errors its own way, through the same exchange."""
    there = server(lambda _: reply(404))
    exchange = plain()
    with pytest.raises(NotFoundError):
        exchange.send(get(there))

    assert exchange.send(get(there), judge=lambda _: None).status == 404


def test_the_moment_of_an_answer_is_the_servers() -> None:
    """Its Date when it makes sense, else the time of its arrival."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert answer(Date="Sun, 01 Mar 2026 12:00:00 GMT").moment == noon
    assert answer(Date="Sun, 01 Mar 2026 12:00:00 -0000").moment == noon
    assert answer(Date="noon").moment is None


@pytest.mark.parametrize("limits", [{"body": 0}, {"ratio": 0.5}], ids=str)
def test_limits_are_positive(limits) -> None:
    """A cap of nothing is a mistake."""
    with pytest.raises(ConfigurationError):
        Limits(**limits)


# ------------------------------------------------------------------ over the real thing


def test_over_mutual_tls(serve, pki, version, noise) -> None:
    """A session of the factory: one handshake, large bodies whole, the connection kept."""
    packed = gzip.compress(noise, 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    there = serve(version=version, answer=lambda _: head + packed)
    with SessionFactory(pki.identity(), pki.anchor).session(there.url) as session:
        exchange = Exchange(session, retry=RetryPolicy(), timeout=Timeouts(), limits=PLENTY)
        same = [exchange.send(get(there)).body == noise for _ in range(3)]

    assert (same, len(there.visits)) == ([True] * 3, 1)


def test_a_refused_certificate_is_not_tried_again(serve, pki, version) -> None:
    """One handshake, one alert, under both versions of TLS, for GET and POST alike."""
    revoked = pki.client()
    there = serve(version=version, crl=pki.crl([revoked]))
    with SessionFactory(pki.identity(revoked), pki.anchor).session(there.url) as session:
        exchange = Exchange(session, retry=RetryPolicy(), timeout=Timeouts())
        for method in ("GET", "POST"):
            with pytest.raises(ClientRejectedError) as caught:
                exchange.send(Request(method, there.url, body=b"x" * 200_000))
            assert caught.value.alert == "certificate_revoked"

    assert len(there.visits) == 2


def test_another_origin_is_refused_before_anything_is_sent(serve, pki) -> None:
    """The exchange has no way around its session."""
    there, other = serve(), serve()
    with SessionFactory(pki.identity(), pki.anchor).session(there.url) as session:
        exchange = Exchange(session, retry=RetryPolicy(), timeout=Timeouts(), tokens=Purse())
        with pytest.raises(ConfigurationError, match="outside the origins"):
            exchange.send(get(other))

    assert other.visits == []


def test_threads_share_an_exchange(server, plain, reply) -> None:
    """Eight threads, forty answers, none to the wrong caller."""
    there = server(lambda seen: reply(body=seen.path.encode()))
    exchange, wrong = plain(), []

    def work(number: int) -> None:
        wrong.extend(
            path
            for path in (f"/{number}-{step}" for step in range(5))
            if exchange.send(get(there, path)).body != path.encode()
        )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
