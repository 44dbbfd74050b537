"""A small HTTP proxy on loopback that opens tunnels (CONNECT), for the example and for nothing else."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Tunnel(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = self.rfile.readline(4096).decode("latin-1").strip()
        while self.rfile.readline(4096).strip():
            pass  # the headers of the CONNECT request
        host, _, port = line.split()[1].rpartition(":")
        self.server.tunnels.append(line.rpartition(" ")[0])  # type: ignore[attr-defined]  # ConnectProxy, below
        with socket.create_connection((host, int(port)), timeout=10) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
            back.start()
            _pump(self.connection, far)
            back.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Carry bytes one way until the source ends."""
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has gone; so has the tunnel


class ConnectProxy(socketserver.ThreadingTCPServer):
    """The proxy; `tunnels` holds the CONNECT requests it received."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.tunnels: list[str] = []
        super().__init__(("127.0.0.1", 0), _Tunnel)

    @property
    def url(self) -> str:
        """Give the address that goes into the settings."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def connect_proxy() -> Iterator[ConnectProxy]:
    """Run a proxy for the time of the block."""
    with ConnectProxy() as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
