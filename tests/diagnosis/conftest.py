"""A simulator for the whole file, and small servers that misbehave."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from ror_sante.settings import RornSettings
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator
from ror_sante.tls import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _loopback_answers_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal comes at once on this machine: listen for it shorter than over the Internet."""
    monkeypatch.setattr(probe, "_LISTEN", 0.05)


@pytest.fixture(scope="module")
def running(pki: SimulatorPki) -> Iterator[Simulator]:
    """A small simulator, shared."""
    with Simulator(pki, size=20) as simulator:
        yield simulator


@pytest.fixture
def account(simulator: Simulator) -> RornSettings:
    """The account that the simulator knows."""
    return RornSettings(client_id=simulator.client_id, profile=simulator.profile, role=simulator.role)


@pytest.fixture
def proxy(listening: Callable[..., int]) -> Callable[[str], int]:
    """An HTTP proxy that answers CONNECT with a status line, and opens the tunnel for a 200."""

    def start(status: str) -> int:
        def serve(client: socket.socket) -> None:
            head = client.recv(65536).decode("ascii")
            target = head.split()[1]
            client.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode("ascii"))
            if status.startswith("200"):
                port = int(target.rpartition(":")[2])
                with socket.create_connection(("127.0.0.1", port)) as far:
                    other = threading.Thread(target=_copy, args=(far, client), daemon=True)
                    other.start()
                    _copy(client, far)
                    other.join(2)

        return listening(serve)

    return start


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
