"""Fetch what an authority publishes over plain HTTP: from known hosts, with no redirect, from no private address."""

from __future__ import annotations

import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Timeout

from ror_sante._version import __version__
from ror_sante.errors import ConfigurationError, UnexpectedResponseError, masked_url, printable
from ror_sante.http.answer import Request
from ror_sante.http.body import Limits, read_body
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.tls.faults import translate

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

    from ror_sante.http.proxy import Proxy

# Where real certificates of the IGC-Santé say that OCSP answers and lists are (TEST leaves of 2016 to 2025).
KNOWN_HOSTS: Final = frozenset({"ocsp.esante.gouv.fr", "igc-sante.esante.gouv.fr"})
_PORT: Final = 80
_PATIENCE: Final = 10.0  # seconds of silence
_DEADLINE: Final = 30.0  # seconds for one file
_LIMITS: Final = Limits(body=20 * 1024 * 1024)  # an entry weighs some 40 bytes: half a million of them
_LEAST: Final = 0.001
_OK: Final = 200
_TOO_OFTEN: Final = 403


@dataclass(frozen=True)
class Publication:
    """The way to what authorities publish.

    A statement about a certificate proves itself by its signature, so the way to it needs no TLS. An https address
    would need a trust of its own, and is not asked.

    Attributes:
        named: addresses that our own user named, such as a mirror's: these may lie anywhere.
        proxy: the HTTP proxy; it, not we, resolves the names then.
        deadline: seconds for one file.
    """

    named: frozenset[str] = frozenset()
    proxy: Proxy | None = None
    deadline: float = _DEADLINE

    def fetch(self, url: str, *, body: bytes | None = None, media_type: str = "") -> bytes:
        """Fetch one file, or post a question and fetch its answer, once.

        Args:
            url: the address.
            body: what to post; None gets.
            media_type: of the body.

        Raises:
            ConfigurationError: an address that may not be asked; nothing was sent.
            TransportError: no answer in time.
            UnexpectedResponseError: another status than 200, a redirect among them, or over 20 MiB.
        """
        host, port = self._admitted(url)
        headers = {"User-Agent": f"ror-sante/{__version__}", "Accept-Encoding": "identity"}
        request = Request("GET" if body is None else "POST", url, headers | _described(body, media_type), body)
        until = time.monotonic() + self.deadline
        via = self.proxy if self.proxy is not None and self.proxy.serves(host) else None
        pool, target, more = self._way(url, host, port, via, until)
        try:
            with pool:
                return _answered(pool, request, target, {**request.headers, **more}, until)
        except (HTTPError, OSError) as error:
            raise translate(error, url=url, proxy=via.url if via else "") from error

    def _admitted(self, url: str) -> tuple[str, int]:
        """Check an address: http, no user name, and a host that is known or that our own user named."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORT
        except ValueError:
            parts, host, port = urlsplit(""), None, _PORT
        if parts.scheme != "http" or not host or "@" in parts.netloc:
            raise ConfigurationError(
                f"{masked_url(url)} is not asked: not a plain http:// address with a host",
                hint="Revocation is published over http; its signature protects it.",
            )
        if url not in self.named and (host not in KNOWN_HOSTS or port != _PORT):
            raise ConfigurationError(
                f"{masked_url(url)} is not asked: its host is not one of {', '.join(sorted(KNOWN_HOSTS))}",
                hint="If it belongs to your authority, name the address yourself: --ocsp-url or --crl.",
            )
        return host, port

    def _way(
        self, url: str, host: str, port: int, via: Proxy | None, until: float
    ) -> tuple[HTTPConnectionPool, str, dict[str, str]]:
        """Give the connection, the target of the request line, and the headers that the way needs."""
        parts = urlsplit(url)
        anywhere = url in self.named or via is not None
        if via is None:
            pool = _Pool(host, port, until=until, anywhere=anywhere)
            return pool, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), {}
        proxy = urlsplit(via.url)
        pool = _Pool(str(proxy.hostname), proxy.port or _PORT, until=until, anywhere=anywhere)
        login = {"Proxy-Authorization": via.authorization} if via.authorization else {}
        return pool, url, {"Host": parts.netloc} | login


def _described(body: bytes | None, media_type: str) -> dict[str, str]:
    return {} if body is None else {"Content-Type": media_type, "Content-Length": str(len(body))}


def _answered(pool: HTTPConnectionPool, request: Request, target: str, headers: dict[str, str], until: float) -> bytes:
    response: BaseHTTPResponse = pool.urlopen(
        request.method,
        target,
        request.body,
        headers,
        retries=False,
        redirect=False,
        assert_same_host=False,
        timeout=Timeout(connect=_PATIENCE, read=_PATIENCE),
        preload_content=False,
        decode_content=False,
    )
    try:
        if response.status != _OK:
            raise _unwelcome(response, request)
        return read_body(response, request, limits=_LIMITS, until=until, patience=_PATIENCE, clock=SYSTEM_CLOCK)
    finally:
        response.close()


def _unwelcome(response: BaseHTTPResponse, request: Request) -> UnexpectedResponseError:
    status, where = response.status, masked_url(request.url)
    hint = "Try again later; what fails is not asked again at once."
    if status == _TOO_OFTEN:
        hint = "The publication host of the IGC-Santé answers 403 to an address that asks often: leave it in peace."
    if 300 <= status < 400:
        hint = "A redirect is not followed: a captive portal redirects like this."
    return UnexpectedResponseError(
        f"{where} answers HTTP {status}", hint=hint, status=status, method=request.method, url=where
    )


# ------------------------------------------------------------------ the connection


class _Pool(HTTPConnectionPool):
    """One connection, to an address that was looked at."""

    def __init__(self, host: str, port: int, *, until: float, anywhere: bool) -> None:
        super().__init__(host, port)
        self._until = until
        self._anywhere = anywhere

    def _new_conn(self) -> HTTPConnection:
        return _Connection(self.host, self.port, until=self._until, anywhere=self._anywhere)


class _Connection(HTTPConnection):
    """A connection to a public address, or anywhere, whose reading ends in time."""

    def __init__(self, host: str, port: int | None, *, until: float, anywhere: bool) -> None:
        super().__init__(host, port)
        self._until = until
        self._anywhere = anywhere

    def _new_conn(self) -> socket.socket:
        """Connect to an address of the host that was checked itself, so that no second look-up can tell another."""
        error = OSError(f"{printable(self.host)} has no address")
        for *_, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            if not self._anywhere:
                _check_public(str(address[0]), self.host)
            left = max(_LEAST, min(_PATIENCE, self._until - time.monotonic()))
            try:
                plain = socket.create_connection((str(address[0]), self.port), timeout=left)
            except OSError as failed:
                error = failed
            else:
                return _BoundedSocket.of(plain, until=self._until)
        raise error if isinstance(error, TimeoutError) else NewConnectionError(self, str(error)) from error


class _BoundedSocket(socket.socket):
    """A socket that gives up reading at a moment, however few bytes come at a time."""

    until: float

    @classmethod
    def of(cls, plain: socket.socket, *, until: float) -> _BoundedSocket:
        """Take over a connected socket."""
        patience = plain.gettimeout()
        bounded = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        bounded.settimeout(patience)
        bounded.until = until
        return bounded

    def recv_into(self, *args: Any, **named: Any) -> int:
        """Read, unless the time is over."""
        if time.monotonic() > self.until:
            raise TimeoutError("the answer did not come within the time limit")
        return super().recv_into(*args, **named)


def _check_public(address: str, host: str) -> None:
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if not found.is_global or found.is_multicast:
        raise ConfigurationError(
            f"{printable(host)} is not asked: its address {found} is not a public one",
            hint="If it is a mirror of your own, name the address yourself: --ocsp-url or --crl.",
        )
