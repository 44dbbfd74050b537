"""Work that is given up ends at once, wherever it waits: in connecting, in the handshake, for an answer, in a pause."""

from __future__ import annotations

import contextlib
import gc
import socket
import struct
import threading
import time
import warnings
from typing import TYPE_CHECKING

import pytest

from ror_sante.errors import UnreachableError
from ror_sante.http.answer import Request
from ror_sante.http.clock import SystemClock
from ror_sante.http.exchange import Exchange
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator
from ror_sante.tls.cancel import Cancel, CancelledError, check_cancelled, current
from ror_sante.tls.context import build_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOON = 2.0  # seconds; every wait below would last ten


@pytest.fixture(scope="module")
def pki() -> SimulatorPki:
    """A throw-away tree."""
    return SimulatorPki.create()


@pytest.fixture
def send(pki: SimulatorPki) -> Iterator[Callable[[str], object]]:
    """Send a GET with ten seconds of patience."""
    with contextlib.ExitStack() as stack:

        def _send(url: str) -> object:
            timeout = Timeouts(10, 10)
            session = stack.enter_context(SessionFactory(None, pki.anchor, timeout=timeout).session(url))
            return Exchange(session, retry=RetryPolicy.none(), timeout=timeout).send(Request("GET", url))

        yield _send


def ended(work: Callable[[], object], *, after: float = 0.3) -> BaseException | None:
    """Run some work in a thread, cancel it, and give what it raised; it must end soon."""
    cancel, raised = Cancel(), []

    def run() -> None:
        with cancel.running():
            try:
                work()
            except BaseException as error:
                raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    time.sleep(after)
    assert thread.is_alive()
    cancel.cancel()
    thread.join(SOON)
    assert not thread.is_alive()
    return raised[0] if raised else None


def test_connecting_to_a_host_that_drops_packets_ends(send: Callable[[str], object], dropping: int) -> None:
    """A connection that nobody answers is given up; it is no error of the network."""
    assert isinstance(ended(lambda: send(f"https://127.0.0.1:{dropping}/")), CancelledError)


def test_a_handshake_that_stalls_ends(
    send: Callable[[str], object], listening: Callable[[Callable[[socket.socket], None]], int]
) -> None:
    """A server that never says hello is given up."""
    port = listening(lambda connection: time.sleep(5))
    assert isinstance(ended(lambda: send(f"https://127.0.0.1:{port}/")), CancelledError)


def test_a_first_and_a_second_answer_that_do_not_come_end(pki: SimulatorPki) -> None:
    """The wait for an answer ends on a new connection, and on one that was kept alive from other work."""
    with Simulator(pki, size=10) as simulator:
        timeout = Timeouts(10, 10)
        session = SessionFactory(simulator.identity, pki.anchor, timeout=timeout).session(simulator.url)
        exchange = Exchange(session, retry=RetryPolicy.none(), timeout=timeout)
        with session:
            for _ in range(2):
                simulator.fault("slow", seconds=9.0)
                request = Request("GET", f"{simulator.url}/ws-diffusion-fhir/metadata")
                assert isinstance(ended(lambda asked=request: exchange.send(asked)), CancelledError)
                simulator.reset()
                with pytest.raises(Exception, match="401"):  # no token: the connection is good, and is kept
                    exchange.send(request)


def test_the_pause_before_another_attempt_ends() -> None:
    """Between two attempts, the clock wakes up."""
    assert isinstance(ended(lambda: SystemClock().sleep(9)), CancelledError)


def test_work_that_nobody_cancels_fails_as_ever(send: Callable[[str], object]) -> None:
    """A refused connection and an unknown name are what they were, with somebody to cancel and without."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for url in (f"https://127.0.0.1:{port}/", "https://nobody.invalid/"):
        with pytest.raises(UnreachableError) as alone:
            send(url)
        with Cancel().running(), pytest.raises(UnreachableError) as watched:
            send(url)
        assert str(watched.value) == str(alone.value)


def test_a_host_that_drops_packets_times_out_in_both(pki: SimulatorPki, dropping: int) -> None:
    """The limit of connecting holds with somebody to cancel and without, and is told alike."""
    url = f"https://127.0.0.1:{dropping}/"
    told = []
    for watched in (False, True):
        session = SessionFactory(None, pki.anchor).session(url)
        timeout = Timeouts(connect=0.2)
        with session, Cancel().running() if watched else contextlib.nullcontext(), pytest.raises(Exception) as error:
            Exchange(session, retry=RetryPolicy.none(), timeout=timeout).send(Request("GET", url))
        told.append(str(error.value))
    assert told[0] == told[1]
    assert "0.2" in told[0] or "connect" in told[0]


def test_what_comes_after_the_cancelling_is_shut_at_once() -> None:
    """A socket that is taken late does not escape, and cancelling twice does no harm."""
    cancel = Cancel()
    cancel.cancel()
    cancel.cancel()
    ours, theirs = socket.socketpair()
    with ours, theirs, cancel.running():
        cancel.take(ours)
        assert theirs.recv(1) == b""
        with pytest.raises(CancelledError):
            check_cancelled()
    assert current() is None


def test_a_socket_of_work_that_is_done_is_left_alone() -> None:
    """A connection that went back to its pool belongs to others."""
    cancel = Cancel()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with cancel.running():
            cancel.take(ours)
        cancel.cancel()
        theirs.send(b"x")
        assert ours.recv(1) == b"x"


def test_a_peer_that_resets_before_the_handshake_leaves_no_socket_behind(pki: SimulatorPki) -> None:
    """A connection that is reset between connecting and shaking hands fails there, and is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        plain = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        time.sleep(0.05)
        plain.settimeout(2)
        with warnings.catch_warnings(), pytest.raises(OSError, match=r"reset|pipe|closed|EOF"):
            warnings.simplefilter("error")
            build_context(None, pki.anchor).wrap_socket(plain, server_hostname="localhost")
        gc.collect()
        assert plain.fileno() == -1
