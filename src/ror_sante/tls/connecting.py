"""Connect by a socket that can be shut while it still waits for the peer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from ror_sante.tls.cancel import check_cancelled

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

    from ror_sante.tls.cancel import Cancel


def connected(connection: HTTPConnection, cancel: Cancel) -> socket.socket:
    """Connect to the first address that answers. urllib3's own loop shows its socket only afterwards.

    Args:
        connection: says where, with what options and how long for each address.
        cancel: shuts the socket when the work is given up.

    Raises:
        NameResolutionError: the name has no address.
        ConnectTimeoutError: the last address did not answer in time.
        NewConnectionError: the last address refused.
    """
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in _addresses(connection):
        plain = socket.socket(family, kind, protocol)
        try:
            _connect(plain, address, connection, cancel)
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
        else:
            return plain
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, f"Connection to {connection.host} timed out.") from failure
    raise NewConnectionError(connection, f"Failed to establish a new connection: {failure}") from failure


def _addresses(connection: HTTPConnection) -> list[Any]:
    try:
        return list(socket.getaddrinfo(connection._dns_host, connection.port, 0, socket.SOCK_STREAM))
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error


def _connect(plain: socket.socket, address: Any, connection: HTTPConnection, cancel: Cancel) -> None:
    for option in connection.socket_options or ():
        plain.setsockopt(*option)
    timeout: Any = connection.timeout  # a number: every attempt of ours has its limit
    plain.settimeout(timeout)
    cancel.take(plain)
    check_cancelled()  # what is not connected yet cannot be shut
    plain.connect(address)
