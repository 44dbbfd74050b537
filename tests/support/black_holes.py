"""Ports and addresses that lose what is sent to them, as firewalls and broken IPv6 networks do."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

Address = tuple[str, int]


@contextlib.contextmanager
def silent_port(host: str) -> Iterator[tuple[Address, int]]:
    """Hold a port whose backlog is full: the kernel drops what asks for a connection there.

    Yields:
        The address, and the port again.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family, backlog=0)
    except OSError as error:
        pytest.skip(f"{host} cannot be listened on here: {error}")  # some containers have no IPv6 at all
    with listener, contextlib.ExitStack() as stack:
        port: int = listener.getsockname()[1]
        for _ in range(4):
            held = stack.enter_context(socket.socket(family))
            held.setblocking(False)
            held.connect_ex((host, port))
        yield (host, port), port


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> None:
    """Patch the resolver: every name has these addresses, each with a port of its own."""
    kinds = {True: socket.AF_INET6, False: socket.AF_INET}
    found = [(kinds[":" in one[0]], socket.SOCK_STREAM, 6, "", one) for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: found)
