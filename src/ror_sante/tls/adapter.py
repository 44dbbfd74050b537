"""The requests adapter that speaks to named origins, through one sealed context, and to nobody else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

from ror_sante.errors import ClientRejectedError, ConfigurationError, RorError, ServerNotTrustedError, masked_url
from ror_sante.tls.connection import BoundedPool, limits
from ror_sante.tls.context import HEARS
from ror_sante.tls.faults import translate
from ror_sante.tls.process import check_process
from ror_sante.tls.receipt import Receipts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from urllib3.connectionpool import HTTPSConnectionPool
    from urllib3.response import BaseHTTPResponse

    from ror_sante.tls.context import SealedContext
    from ror_sante.tls.outgoing import Outgoing

HTTPS_PORT: Final = 443
_HTTP_PORT: Final = 80
_ONCE: Final = Retry(0, read=False)  # as requests does: a failure is raised, a redirect is an answer


class Origin(msgspec.Struct, frozen=True, order=True):
    """Scheme https, a host and a port: what a certificate, a token or a header may be sent to.

    Attributes:
        host: in lower case, without brackets around an IPv6 address.
        port: the TCP port.
    """

    host: str
    port: int = HTTPS_PORT

    @classmethod
    def of(cls, url: str) -> Origin:
        """Read the origin of an address.

        Raises:
            ConfigurationError: not https, no host, a user name in it, or a port that is none.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme != "https" or not host or "@" in parts.netloc:
            raise ConfigurationError(
                f"not an https address with a host and no user name: {masked_url(url)}",
                hint="Write it as https://host or https://host:port.",
            )
        return cls(host, HTTPS_PORT if port is None else port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}" if self.port == HTTPS_PORT else f"https://{host}:{self.port}"


class PinnedResponse(requests.Response):
    """A response whose body, when it breaks off, raises an error of our tree."""

    _content_consumed: bool  # requests has it, its stubs have not

    @property
    def content(self) -> Any:
        """The body, read at once where requests would join pieces of 10 KiB: three times faster at 2 MB."""
        body: Any = self._content  # False until it was read, whatever the stubs say
        if body is False and not self._content_consumed:
            self._content = self._read()
            self._content_consumed = True
        return super().content

    def _read(self) -> bytes:
        try:
            body: bytes = self.raw.read(decode_content=True)
        except (HTTPError, OSError) as error:
            raise translate(error, url=self.url) from error
        return body

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        """Iterate over the body as requests does."""
        try:
            yield from super().iter_content(chunk_size, decode_unicode)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise translate(error, url=self.url) from error


class PinnedAdapter(HTTPAdapter):
    """Send requests to the allowed origins through the sealed context, directly or through a CONNECT proxy.

    Args:
        context: the sealed context; the adapter adds nothing to it and lets nobody else do so.
        origins: where requests may go.
        pool_size: connections kept for each origin; more threads than this wait for one another.
        proxy_authorization: the ``Proxy-Authorization`` value for a proxy that asks for a password.
        receipts: keeps the receipt of each connection.
    """

    def __init__(
        self,
        context: SealedContext,
        origins: Iterable[Origin],
        *,
        pool_size: int = 32,
        proxy_authorization: str = "",
        receipts: Receipts | None = None,
    ) -> None:
        self._context = context
        self._pool_class = {"https": partial(BoundedPool, receipts=receipts or Receipts())}
        self._origins = frozenset(origins)
        self._proxy_authorization = proxy_authorization
        self._pools: dict[tuple[str, str], HTTPSConnectionPool] = {}
        super().__init__(
            pool_connections=max(len(self._origins), 1), pool_maxsize=pool_size, max_retries=0, pool_block=True
        )

    @property
    def origins(self) -> frozenset[Origin]:
        """The origins that requests may go to."""
        return self._origins

    # -------------------------------------------------------------- the seams of requests

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        """Give direct connections the sealed context."""
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_class

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Give connections through a CONNECT proxy the same sealed context.

        Raises:
            ConfigurationError: the proxy is not a plain HTTP one; TLS inside TLS would leave the sealed context.
        """
        if urlsplit(proxy).scheme.lower() != "http":
            raise ConfigurationError(
                f"only an http:// proxy is supported: {masked_url(proxy)}",
                hint="TLS runs through it end to end all the same: the proxy sees names and sizes, nothing more.",
            )
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = self._pool_class
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Give the proxy its password, which no URL of ours holds."""
        headers: dict[str, str] = super().proxy_headers(proxy)
        return {**headers, "Proxy-Authorization": self._proxy_authorization} if self._proxy_authorization else headers

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Name the pool by the origin that was checked, and let no argument of a call near its TLS."""
        origin = Origin.of(str(request.url))
        return {"scheme": "https", "host": origin.host, "port": origin.port}, {"cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: requests would load certifi's roots, or the caller's, into the sealed context."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Build the response, with a body whose failures are translated."""
        response: requests.Response = super().build_response(req, resp)
        response.__class__ = PinnedResponse
        return response

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request, once.

        Args:
            request: its URL must lie on an allowed origin.
            stream: leave the body unread.
            timeout: seconds, as one number or as (connect, read); what is None gets a default: nothing waits for ever.
            verify: only True.
            cert: only None.
            proxies: the proxy by scheme, as in requests.

        Raises:
            ConfigurationError: another origin, or `verify` or `cert` were given.
            TransportError: no trusted connection.
        """
        if verify is not True or cert is not None:
            raise ConfigurationError(
                "verify= and cert= are fixed: this session trusts its pinned roots and presents its own identity",
                hint="Name other roots or another identity when the SessionFactory is made.",
            )
        self._admit(str(request.url))
        check_process()
        try:
            return super().send(request, stream, limits(timeout), proxies=dict(proxies or {}))
        except (requests.RequestException, HTTPError, OSError) as error:
            proxy = requests.utils.select_proxy(str(request.url), dict(proxies or {})) or ""
            raise self._told(error, str(request.url), proxy, limits(timeout)[0]) from error

    def open(self, outgoing: Outgoing, *, timeout: tuple[float, float], proxy: str = "") -> BaseHTTPResponse:
        """Send one request, once, as `send` does, but past requests: half the cost of a small answer is spent there.

        Args:
            outgoing: its URL must lie on an allowed origin.
            timeout: (connect, read) in seconds.
            proxy: the proxy's URL without credentials; empty goes direct.

        Returns:
            The answer of urllib3, its body unread and not decompressed. The caller reads or closes it.

        Raises:
            ConfigurationError: another origin.
            TransportError: no trusted connection.
        """
        parts = urlsplit(outgoing.url)
        pool = self._pools.get((parts.netloc, proxy)) or self._admitted_pool(outgoing.url, parts.netloc, proxy)
        check_process()
        try:
            return pool.urlopen(
                outgoing.method,
                f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/",
                outgoing.body,
                outgoing.headers,
                retries=_ONCE,
                redirect=False,
                assert_same_host=False,
                timeout=Timeout(connect=timeout[0], read=timeout[1]),
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError) as error:
            raise self._told(error, outgoing.url, proxy, timeout[0]) from error

    def _told(self, error: Exception, url: str, proxy: str, timeout: float) -> RorError:
        """Translate; where this Python shows no TLS messages, let a second connection that reads first see more."""
        told = translate(error, url=url, proxy=proxy)
        if not HEARS and isinstance(told, ClientRejectedError | ServerNotTrustedError):
            from ror_sante.tls.probe import Via, read_first

            parts = urlsplit(proxy)
            via = Via(str(parts.hostname), parts.port or _HTTP_PORT, self._proxy_authorization) if proxy else None
            told.receipt = read_first(Origin.of(url), self._context, via=via, timeout=timeout)
        return told

    def _admitted_pool(self, url: str, netloc: str, proxy: str) -> HTTPSConnectionPool:
        """Check the origin of an address and find the pool that `send` takes for it too."""
        origin = self._admit(url)
        manager = self.proxy_manager_for(proxy) if proxy else self.poolmanager
        pool: HTTPSConnectionPool = manager.connection_from_host(
            origin.host, origin.port, "https", pool_kwargs={"cert_reqs": "CERT_REQUIRED"}
        )
        self._pools[netloc, proxy] = pool
        return pool

    def close(self) -> None:
        """Close every connection."""
        self._pools.clear()
        super().close()

    def _admit(self, url: str) -> Origin:
        origin = Origin.of(url)
        if origin not in self._origins:
            allowed = ", ".join(map(str, sorted(self._origins)))
            raise ConfigurationError(
                f"{masked_url(url)} is outside the origins of this session ({allowed})",
                hint="Name every origin when the session is made: our certificate goes to no other.",
            )
        return origin

    def __getstate__(self) -> Any:
        """Refuse to be pickled: neither the key nor the pin travels."""
        raise TypeError("a mutual-TLS session cannot be pickled; make one in each process")
