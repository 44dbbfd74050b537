"""End what a thread waits for, from another thread: its sockets are shut, its pauses end."""

from __future__ import annotations

import contextlib
import contextvars
import socket
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class CancelledError(Exception):
    """The work was given up by whoever asked for it; no answer and no failure of the network."""


class Cancel:
    """A handle on the work of some threads: those inside `running`, and those that they start with their context.

    A thread that waits in the DNS is beyond it: the system's resolver cannot be interrupted.
    """

    def __init__(self) -> None:
        self._set = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    @property
    def cancelled(self) -> bool:
        """Whether the work was given up."""
        return self._set.is_set()

    def cancel(self) -> None:
        """Give the work up: what waits on a socket or in a pause ends at once.

        Called again, it also ends what began to connect in the very moment of the first call.
        """
        with self._lock:
            self._set.set()
            sockets = tuple(self._sockets)
        for each in sockets:
            _shut(each)

    def take(self, connection: socket.socket) -> None:
        """Shut this socket too when the work is given up, or now if it has been."""
        with self._lock:
            self._sockets.append(connection)
            cancelled = self._set.is_set()
        if cancelled:
            _shut(connection)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            CancelledError: the work was given up.
        """
        if self._set.wait(seconds):
            raise CancelledError

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Let what this thread does in the block be cancelled; its connections are no longer ours afterwards."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)
            with self._lock:
                self._sockets = []


_CURRENT: Final[contextvars.ContextVar[Cancel | None]] = contextvars.ContextVar("ror_sante_cancel", default=None)


def current() -> Cancel | None:
    """Give the handle on what this thread does, or None when nobody can cancel it."""
    return _CURRENT.get()


def check_cancelled() -> None:
    """Stop here when the work was given up.

    Raises:
        CancelledError: it was.
    """
    cancel = _CURRENT.get()
    if cancel is not None and cancel.cancelled:
        raise CancelledError


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed meanwhile, or never connected
        # Not SSLSocket's own: that drops the TLS state under the thread which reads.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
