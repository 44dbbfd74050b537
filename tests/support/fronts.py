"""A TCP front before a real server, that a test lets kill, delay or corrupt what passes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_RESET = struct.pack("ii", 1, 0)  # linger on, for no time: the kernel sends RST in place of FIN


@dataclass(frozen=True)
class Mood:
    """How a front behaves.

    Attributes:
        closed: nobody listens.
        silent: connections are accepted, and nothing is ever passed on.
        delay: seconds before each piece from the server passes.
        cut: bytes from the server after which each connection is reset; None for none.
        flip: the byte from the server that is flipped on each connection; None for none.
        kill: seconds after which every connection is reset, and nobody listens any more; None for never.
    """

    closed: bool = False
    silent: bool = False
    delay: float = 0.0
    cut: int | None = None
    flip: int | None = None
    kill: float | None = None


class Front:
    """Passes connections on to a port of this machine, as its mood says; its own port stays the same.

    Args:
        target: the port of the real server.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._mood = Mood()
        self._listener: socket.socket | None = None
        self.port = 0
        self._listen()

    def become(self, mood: Mood) -> None:
        """Drop every connection, and behave in another way from now on."""
        self._stop()
        self._mood = mood
        if not mood.closed:
            self._listen()
        if mood.kill is not None:
            timer = threading.Timer(mood.kill, self._killed, [mood])
            timer.daemon = True
            timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _killed(self, mood: Mood) -> None:
        if self._mood is mood:
            self._stop()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(16)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener, self._mood), daemon=True).start()

    def _stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            _reset(connection)

    def _accept(self, listener: socket.socket, mood: Mood) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with self._lock:
                    self._open.add(client)
                if mood is not self._mood:
                    _reset(client)
                elif not mood.silent:
                    threading.Thread(target=self._serve, args=(client, mood), daemon=True).start()

    def _serve(self, client: socket.socket, mood: Mood) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            back = threading.Thread(target=_back, args=(server, client, mood), daemon=True)
            back.start()
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            back.join(5)
        client.close()
        with self._lock:
            self._open.discard(client)


def _back(server: socket.socket, client: socket.socket, mood: Mood) -> None:
    """Pass what the server says, as the mood says."""
    passed = 0
    with contextlib.suppress(OSError):
        while data := bytearray(server.recv(65536)):
            time.sleep(mood.delay)
            if mood.flip is not None and passed <= mood.flip < passed + len(data):
                data[mood.flip - passed] ^= 0x10
            if mood.cut is not None and passed + len(data) > mood.cut:
                client.sendall(data[: mood.cut - passed])
                _reset(client)
                server.shutdown(socket.SHUT_RDWR)
                return
            client.sendall(data)
            passed += len(data)
        client.shutdown(socket.SHUT_WR)


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads
    connection.close()
