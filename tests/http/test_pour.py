"""Pouring a body into a sink: piece by piece, again from its start after a break, within the same limits."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ror_sante.errors import AccessDeniedError, TimedOutError, UnexpectedResponseError, UnreachableError
from ror_sante.http.auth import StaticToken
from ror_sante.http.exchange import Exchange, Limits, Request
from ror_sante.http.retry import RetryPolicy

MEGABYTE = 1024 * 1024


@dataclass
class Bucket:
    """A sink that counts."""

    pieces: list[bytes] = field(default_factory=list)
    starts: int = 0

    def begin(self, answer: Any) -> None:
        self.pieces.clear()
        self.starts += 1

    def write(self, data: bytes, /) -> None:
        self.pieces.append(data)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def pour(exchange: Exchange, url: str, sink: Bucket, **how: Any) -> Any:
    return exchange.pour(Request("GET", url), sink, **{"deadline": 10.0, **how})


def cut(body: bytes) -> list[bytes]:
    return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body[: len(body) // 2]]


def test_a_body_comes_in_pieces_and_the_answer_is_empty(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any, noise: bytes, bucket: Bucket
) -> None:
    """Three megabytes arrive in many pieces, none above a megabyte, and the answer holds no copy."""
    answer = pour(plain(), server(in_turn(reply(200, noise))).url, bucket)
    assert (answer.status, answer.body, bucket.body == noise, bucket.starts) == (200, b"", True, 1)
    assert len(bucket.pieces) > 3
    assert max(map(len, bucket.pieces)) <= MEGABYTE


def test_a_body_that_packs_well_is_unpacked_in_small_steps(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any, bucket: Bucket
) -> None:
    """A piece of 64 KiB that unpacks to ten megabytes is never in memory whole."""
    content = b"".join(b'{"n":%d}\n' % (number % 7) for number in range(1_200_000))
    packed = gzip.compress(content, 1)
    assert len(packed) < 65_536 * 2
    pour(plain(), server(in_turn(reply(200, packed, Content_Encoding="gzip"))).url, bucket)
    assert bucket.body == content
    assert max(map(len, bucket.pieces)) == MEGABYTE


def test_what_zlib_keeps_back_at_the_last_byte_is_taken_too(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any, bucket: Bucket
) -> None:
    """All input is eaten at the first step, and the rest of the output is still fetched."""
    content = bytes(3 * MEGABYTE)
    packed = zlib.compress(content, 9)
    pour(
        plain(), server(in_turn(reply(200, packed, Content_Encoding="deflate"))).url, bucket, limits=Limits(ratio=2000)
    )
    assert bucket.body == content


def test_a_break_starts_the_sink_again(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any, noise: bytes, bucket: Bucket
) -> None:
    """The second attempt is whole; nothing of the first is left."""
    pour(plain(), server(in_turn(cut(noise), reply(200, noise))).url, bucket)
    assert (bucket.body == noise, bucket.starts) == (True, 2)


def test_breaks_without_end_are_an_error(
    plain: Callable[..., Exchange], server: Any, in_turn: Any, noise: bytes, bucket: Bucket
) -> None:
    """As many attempts as the policy says, no more."""
    with pytest.raises(UnreachableError, match="broke off"):
        pour(plain(), server(in_turn(cut(noise))).url, bucket)
    assert bucket.starts == 3


def test_an_error_does_not_reach_the_sink(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any, bucket: Bucket
) -> None:
    """A 403 is judged by its body, and the sink was never started."""
    with pytest.raises(AccessDeniedError):
        pour(plain(), server(in_turn(reply(403, b"no"))).url, bucket)
    assert bucket.starts == 0


def test_the_limits_are_the_caller_s(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any, noise: bytes, bucket: Bucket
) -> None:
    """What the exchange would refuse whole passes, and what the caller limits does not."""
    url = server(in_turn(reply(200, noise))).url
    small = plain(limits=Limits(body=1000))
    pour(small, url, bucket, limits=Limits(body=4_000_000))
    assert bucket.body == noise
    with pytest.raises(UnexpectedResponseError, match="larger than"):
        pour(small, url, bucket)


def test_the_deadline_is_the_caller_s(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any, clock: Any, bucket: Bucket
) -> None:
    """A file may take longer than the policy gives a page, and not longer than the caller gives it."""
    url = server(in_turn(reply(200, b"x"))).url

    class Slow(Bucket):
        def write(self, data: bytes, /) -> None:
            super().write(data)
            clock.time += 50

    exchange = plain(retry=RetryPolicy(attempts=1, deadline=10))
    pour(exchange, url, Slow(), deadline=100.0)
    with pytest.raises(TimedOutError):
        pour(exchange, url, Slow(), deadline=40.0)


def test_a_token_goes_along(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any, bucket: Bucket
) -> None:
    """The bearer token is sent as with any request."""
    here = server(in_turn(reply(200, b"x")))
    pour(plain(tokens=StaticToken("abc")), here.url, bucket)
    assert here.seen[0].headers["authorization"] == "Bearer abc"


def test_what_the_sink_raises_ends_the_call(
    plain: Callable[..., Exchange], server: Any, reply: Any, in_turn: Any
) -> None:
    """A full disk is not repeated."""

    class Full(Bucket):
        def write(self, data: bytes, /) -> None:
            raise OSError(28, "No space left on device")

    full = Full()
    with pytest.raises(OSError, match="No space"):
        pour(plain(), server(in_turn(reply(200, b"x"))).url, full)
    assert full.starts == 1
