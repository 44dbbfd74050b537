"""What a test waits for: a fact that another thread or process brings about, and a port that stays free until then."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def until(condition: Callable[[], object], within: float = 60) -> None:
    """Wait for it; a busy machine may take its time, so the limit (seconds) is only that the test should end."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def free_port(row: int = 1) -> int:
    """Find a port that is free with those after it, in a row.

    It lies below those that the kernel lends to outgoing connections: else another test's connection could take it
    before the server of this one does.
    """
    for _ in range(500):
        port = 10_000 + secrets.randbelow(22_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for number in range(row):
                held.enter_context(socket.create_server(("127.0.0.1", port + number)))
            return port
    raise AssertionError
