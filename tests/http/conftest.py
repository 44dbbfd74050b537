"""A plain server that answers by a script, a session for it, and a clock that tests move."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from ror_sante.http.exchange import Exchange
from ror_sante.http.retry import RetryBudget, RetryPolicy
from ror_sante.http.session import Timeouts
from ror_sante.tls.faults import translate
from ror_sante.tls.outgoing import Outgoing

Piece = bytes | float  # what is sent, or the seconds of silence before the next piece
Reply = bytes | Iterable[Piece]


class FakeClock:
    """A clock that stands still until somebody sleeps or a test moves it."""

    def __init__(self, lot: float = 0.5) -> None:
        self.time = 1000.0
        self.lot = lot
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time - 1000)

    def random(self) -> float:
        return self.lot


@dataclass
class Seen:
    """One request, as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class ScriptServer:
    """Answers each request by the function `script`; bytes keep the connection, pieces end it."""

    script: Callable[[Seen], Reply]
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(10)
        with contextlib.closing(connection), contextlib.suppress(OSError), connection.makefile("rb") as lines:
            while request := _read(lines, number):
                self.seen.append(request)
                reply = self.script(request)
                if isinstance(reply, bytes):
                    connection.sendall(reply)
                    continue
                for piece in reply:
                    time.sleep(piece) if isinstance(piece, float) else connection.sendall(piece)
                return

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _read(lines: Any, number: int) -> Seen | None:
    first = lines.readline().decode()
    if not first:
        return None
    method, path, _ = first.split(" ")
    headers = {}
    while line := lines.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(method, path, headers, lines.read(int(headers.get("content-length", 0))), number)


class PlainSession:
    """What `RorSession` does for the exchange, over plain HTTP: single attempts whose failures are translated."""

    def __init__(self, budget: RetryBudget | None = None) -> None:
        self.budget = budget or RetryBudget()
        self.pools = PoolManager(maxsize=32)
        self.timeouts: list[tuple[float, float]] = []

    identity = None
    in_force = True

    def lease(self, identity: Any = None) -> contextlib.AbstractContextManager[PlainSession]:
        return contextlib.nullcontext(self)

    def refused(self, identity: Any) -> bool:
        return False

    def exchange_send(self, outgoing: Outgoing, *, timeout: tuple[float, float]) -> BaseHTTPResponse:
        self.timeouts.append(timeout)
        try:
            return self.pools.urlopen(
                outgoing.method,
                outgoing.url,
                body=outgoing.body,
                headers=dict(outgoing.headers),
                timeout=Timeout(connect=timeout[0], read=timeout[1]),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise translate(error, url=outgoing.url) from error


def make_reply(status: int = 200, body: bytes | Any = b"", **headers: str) -> bytes:
    """Write an HTTP answer; what is not bytes becomes JSON. Underscores in header names stand for dashes."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers = {"Content_Type": "application/json", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *lines])
    return head.encode() + b"\r\n\r\n" + body


@pytest.fixture
def reply() -> Callable[..., bytes]:
    """Write an HTTP answer."""
    return make_reply


@pytest.fixture
def in_turn() -> Callable[..., Callable[[Seen], Reply]]:
    """Make a script that gives one reply after the other, the last one for ever."""

    def script(*replies: Reply) -> Callable[[Seen], Reply]:
        waiting = list(replies)
        return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return script


@pytest.fixture
def clock() -> FakeClock:
    """A clock that tests move."""
    return FakeClock()


@pytest.fixture
def server() -> Iterator[Callable[[Callable[[Seen], Reply]], ScriptServer]]:
    """Start a server that answers by a script."""
    started: list[ScriptServer] = []

    def start(script: Callable[[Seen], Reply]) -> ScriptServer:
        started.append(ScriptServer(script))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def plain(clock: FakeClock) -> Iterator[Callable[..., Exchange]]:
    """Make an exchange over plain HTTP; retries wait on the fake clock."""
    made: list[PlainSession] = []

    def make(**how: Any) -> Exchange:
        made.append(PlainSession(how.pop("budget", None)))
        timeout = Timeouts(connect=how.pop("connect", 2.0), read=how.pop("read", 2.0))
        retry = how.pop("retry", RetryPolicy(attempts=3))
        return Exchange(made[-1], **{"retry": retry, "timeout": timeout, "clock": clock, **how})

    yield make
    for one in made:
        one.pools.clear()


@pytest.fixture
def noise() -> bytes:
    """Three megabytes that compress badly."""
    return random.Random(1).randbytes(3_000_000)
