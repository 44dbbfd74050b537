"""The connections and pools of our adapter: bounded in time, resumed, and each with its receipt."""

from __future__ import annotations

import errno
import http.client
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Timeout

from ror_sante.errors import ConfigurationError
from ror_sante.tls.cancel import current
from ror_sante.tls.connecting import connected
from ror_sante.tls.head import FinalResponse
from ror_sante.tls.resumption import Place
from ror_sante.tls.sighting import Sighting, attach
from ror_sante.tls.sockets import DestinedSocket

if TYPE_CHECKING:
    import socket

    from ror_sante.tls.receipt import Receipts

# Where urllib3 goes on to read the answer, and with it why the peer closed.
_READ_ON: Final = frozenset({errno.EPIPE, errno.EPROTOTYPE, errno.ECONNRESET})
_DEFAULT_CONNECT: Final = 5.0
_DEFAULT_READ: Final = 30.0


class BoundedConnection(HTTPSConnection):
    """A connection on which status line and headers together take no longer than one read may.

    Every wait on it ends when the work that it serves is cancelled (`ror_sante.tls.cancel`).
    """

    response_class = FinalResponse
    receipts: Receipts
    sighting: Sighting
    _told: bool = False

    def connect(self) -> None:
        """Connect; once more, and in full, when a server breaks off at a session that we offered to resume."""
        try:
            self._connect_once()
        except (ssl.SSLError, ConnectionError):
            if not self._forget_session():
                raise
            self._connect_once()  # the failed socket is closed; close() would forget the tunnel of a proxy

    def _connect_once(self) -> None:
        proxy = f"{self.host}:{self.port}" if self._tunnel_host else ""
        self.sighting = Sighting(self._tunnel_host or self.host, self._tunnel_port or self.port, proxy=proxy)
        self._told = False
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            self._tell(error)
            raise

    def _tell(self, error: BaseException | None) -> None:
        """Keep the receipt of this connection, once, and let the error that broke it bring one."""
        if error is not None:
            attach(error, self.sighting)
        if not self._told:
            self._told = True
            self.receipts.add(self.sighting.receipt(failed=error is not None))

    def _new_conn(self) -> socket.socket:
        plain = connected(self, self.sighting)
        return DestinedSocket.taking(plain, self._tunnel_port or self.port, self.sighting)

    def _take_up(self, kept: socket.socket, *, bare: bool) -> None:
        """Make a kept-alive socket ready; a head alone fits into its buffer, so no limit need be set to send it."""
        cancel = current()
        if cancel is not None:
            cancel.take(kept)
        if bare:
            limit: Any = self.timeout  # a number: every attempt of ours has its limit
            self.timeout = max(limit, kept.gettimeout() or 0.0)

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send the head of a request; a connection that was kept alive serves another piece of work now."""
        secure: Any = self.sock  # the pool has connected it
        self._take_up(secure, bare=kwargs.get("body") is None)
        try:
            super().request(*args, **kwargs)
        except OSError as error:
            if error.errno not in _READ_ON:
                self._tell(error)
            raise

    def _forget_session(self) -> bool:
        context: Any = self.ssl_context
        host = str(self._tunnel_host or self.host).rstrip(".")  # as urllib3 gives it to wrap_socket
        forgotten: bool = context.forget(Place(host, self._tunnel_port or self.port))
        return forgotten

    def getresponse(self) -> Any:
        """Read the head of the answer."""
        secure: Any = self.sock
        secure.give_up_in(limits((None, self.timeout))[1])
        began = 0.0 if self._told else time.perf_counter()
        try:
            answer = super().getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._forget_session()
            self._tell(error)
            raise
        finally:
            secure.until = None
        secure.remember()
        if not self._told:
            self.sighting.answered(time.perf_counter() - began)
            self._tell(None)
            secure.hush()
        return answer


class BoundedPool(HTTPSConnectionPool):
    """A pool in which no thread waits for a free connection for ever."""

    ConnectionCls = BoundedConnection

    def __init__(self, *args: Any, receipts: Receipts, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receipts = receipts

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.receipts = self._receipts
        return connection

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        """Send, waiting for a free connection no longer than for an answer.

        Raises the reason alone: the text of urllib3's `MaxRetryError` holds the address with its query, and would
        stand in every traceback and log of the error that we make of it.
        """
        try:
            return super().urlopen(*args, **{"pool_timeout": kwargs["timeout"].read_timeout, **kwargs})
        except MaxRetryError as error:
            reason = error.reason or HTTPError("no further attempt")
        raise reason


def limits(timeout: Any) -> tuple[float, float]:
    """Read requests' forms of a timeout, with a default for whatever is None.

    Args:
        timeout: None, seconds, (connect seconds, read seconds) with None in either place, or urllib3's `Timeout`.

    Raises:
        ConfigurationError: none of these, or no positive number.
    """
    if isinstance(timeout, Timeout):
        timeout = (timeout.connect_timeout, timeout.read_timeout)
    try:
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        return _seconds(connect, _DEFAULT_CONNECT), _seconds(read, _DEFAULT_READ)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            "a timeout is a positive number of seconds, or a pair (connect, read)", hint="For instance timeout=(5, 30)."
        ) from error


def _seconds(value: Any, default: float) -> float:
    seconds = float(value) if isinstance(value, int | float) else default
    if not 0 < seconds < float("inf"):
        raise ValueError(value)
    return seconds
