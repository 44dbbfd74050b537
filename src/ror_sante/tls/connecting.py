"""Resolve a name and connect to the first address that answers, by sockets that can be shut while they wait."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError

from ror_sante.tls.cancel import check_cancelled, current

if TYPE_CHECKING:
    from collections.abc import Iterable

    from urllib3.connection import HTTPConnection

    from ror_sante.tls.sighting import Sighting


def connected(connection: HTTPConnection, sighting: Sighting) -> socket.socket:
    """Connect for urllib3, whose own loop shows neither its socket before the end nor what each address answered.

    Args:
        connection: says where, with what options and how long for each address.
        sighting: takes down how it went.

    Raises:
        NameResolutionError: the name has no address.
        LocationParseError: it cannot be a name.
        ConnectTimeoutError: the last address did not answer in time.
        NewConnectionError: the last address refused.
    """
    timeout: Any = connection.timeout  # a number: every attempt of ours has its limit
    try:
        addresses = resolve(connection._dns_host, connection.port, sighting)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except UnicodeError as error:
        raise LocationParseError(f"{connection.host!r}: {error}") from error
    try:
        return first_of(addresses, sighting, timeout=timeout, options=connection.socket_options or ())
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"Connection to {connection.host} timed out.") from error
    except OSError as error:
        raise NewConnectionError(connection, f"Failed to establish a new connection: {error}") from error


def resolve(host: str, port: int | None, sighting: Sighting) -> list[Any]:
    """Give the addresses of a name, as `socket.getaddrinfo` does.

    Raises:
        OSError: it has none.
        UnicodeError: it cannot be a name.
    """
    found = list(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
    sighting.resolved()
    return found


def first_of(
    addresses: Iterable[Any], sighting: Sighting, *, timeout: float, options: Iterable[Any] = ()
) -> socket.socket:
    """Connect to the first address that answers.

    Args:
        addresses: what `resolve` gave.
        sighting: takes down how each answered.
        timeout: seconds for each.
        options: socket options.

    Raises:
        OSError: how the last one failed.
    """
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in addresses:
        plain = socket.socket(family, kind, protocol)
        began = time.perf_counter()
        try:
            _connect(plain, address, timeout, options)
        except OSError as error:
            plain.close()
            sighting.tries(str(address[0]), began, error)
            failure = error
        except BaseException:
            plain.close()
            raise
        else:
            sighting.tries(str(address[0]), began, None)
            return plain
    raise failure


def _connect(plain: socket.socket, address: Any, timeout: float, options: Iterable[Any]) -> None:
    for option in options:
        plain.setsockopt(*option)
    plain.settimeout(timeout)
    cancel = current()
    if cancel is not None:
        cancel.take(plain)
        check_cancelled()  # what is not connected yet cannot be shut
    plain.connect(address)
