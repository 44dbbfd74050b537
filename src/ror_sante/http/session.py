"""Make requests sessions that speak mutual TLS with named origins and with no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

import requests
from requests.adapters import BaseAdapter

from ror_sante.errors import ClientRejectedError, ConfigurationError, RorError, UnexpectedResponseError, masked_url
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.generation import Generations
from ror_sante.http.holder import FixedIdentity, IdentityHolder
from ror_sante.http.proxy import Proxy
from ror_sante.http.retry import RetryBudget, RetryPolicy, retry_after_seconds
from ror_sante.pki.identity import ClientIdentity, gravest
from ror_sante.pki.source import IdentitySource
from ror_sante.tls.adapter import Origin, PinnedAdapter
from ror_sante.tls.connection import limits
from ror_sante.tls.context import build_context
from ror_sante.tls.receipt import Receipts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from cryptography import x509
    from urllib3.response import BaseHTTPResponse

    from ror_sante.http.clock import Clock
    from ror_sante.http.generation import Lease
    from ror_sante.http.holder import Holder
    from ror_sante.http.rate import RateLimit
    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.tls.context import SealedContext
    from ror_sante.tls.outgoing import Outgoing
    from ror_sante.tls.receipt import HandshakeReceipt

    Presented = ClientIdentity | IdentitySource | Callable[[], ClientIdentity]

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})  # RFC 9110 section 9.2.2
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_LEAST = 0.001  # seconds; urllib3 takes no limit of 0, and a wait may end a little late
_FIXED = frozenset({"adapters", "verify", "cert", "trust_env"})


@dataclass(frozen=True)
class Timeouts:
    """Time limits of one attempt, in seconds.

    Attributes:
        connect: to resolve and connect.
        read: between two pieces of an answer.
    """

    connect: float = 5.0
    read: float = 30.0

    def __post_init__(self) -> None:
        if not (0 < self.connect < float("inf") and 0 < self.read < float("inf")):
            raise ConfigurationError("a time limit must be a positive number of seconds")


class SessionFactory:
    """Loads an identity and an anchor, makes sessions from them, and follows the identity when it is renewed.

    Args:
        identity: what we present: a `ClientIdentity`, which stays; an `IdentitySource` or a function that gives one,
            which are followed (`ror_sante.http.holder`); None for a service that wants no certificate (ROR profile 0).
        anchor: the root, or roots, that a server's chain must end at; nothing else is trusted.
        retry: when a request is repeated.
        timeout: time limits of one attempt.
        proxy: the HTTP proxy, a `Proxy` or its URL; the environment's proxies count only through
            `Proxy.from_environment`.
        pool_size: connections kept for each origin; take the number of your threads.
        at: the time at which the identity is judged at first; None reads the clock.
        identity_anchor: the roots our own chain must end at, when they differ from `anchor`.
        lend: intermediates for a server that forgets to send its own (see `build_context`).
        wide_tls12: accept the older TLS 1.2 suites too.
        rate: how often a host is called (`ror_sante.http.rate`); None holds nothing back: the pace of application
            code is its own, and the clients of this package bring theirs.
        clock: what tells the time and waits; tests give their own.
        present: show the identity to a server that asks; without it, the identity only names the requests that belong
            together (see `hold`).

    Raises:
        IdentityError: the gravest finding about the identity, with all of them in ``.findings``.
        ConfigurationError: settings that contradict each other.
    """

    def __init__(
        self,
        identity: Presented | Holder | None,
        anchor: TrustAnchor | Iterable[TrustAnchor],
        *,
        retry: RetryPolicy | None = None,
        timeout: Timeouts | None = None,
        proxy: Proxy | str | None = None,
        pool_size: int = 32,
        at: datetime | None = None,
        identity_anchor: TrustAnchor | Iterable[TrustAnchor] | None = None,
        lend: Iterable[x509.Certificate] = (),
        wide_tls12: bool = False,
        rate: RateLimit | None = None,
        clock: Clock = SYSTEM_CLOCK,
        present: bool = True,
    ) -> None:
        self._anchors = _several(anchor)
        trusted = self._anchors if identity_anchor is None else _several(identity_anchor)
        self._holder = hold(identity, trusted, clock=clock, at=at)
        self._lend, self._wide_tls12, self._present = tuple(lend), wide_tls12, present
        self._made = self._build(self._holder.newest())
        self._retry = retry or RetryPolicy()
        self._timeout = timeout or Timeouts()
        self._proxy = Proxy(proxy) if isinstance(proxy, str) else proxy
        self._pool_size = pool_size
        self._rate = rate
        self._clock = clock

    @property
    def context(self) -> SealedContext:
        """The sealed TLS context that all sessions of this factory share; another one after a renewal."""
        return self._context(self._holder.newest())

    def session(self, *origins: str) -> RorSession:
        """Make a `requests.Session` for the given origins.

        Args:
            origins: ``https://host`` or ``https://host:port``; a path is ignored.

        Raises:
            ConfigurationError: none, or one that is no https address.
        """
        if not origins:
            raise ConfigurationError(
                "a session needs at least one origin", hint='For instance factory.session("https://host").'
            )
        allowed = [Origin.of(url) for url in origins]
        proxies = {f"https://{host}": self._proxy.url for host in _served(self._proxy, allowed) if self._proxy}
        receipts = Receipts()
        return RorSession(
            Generations(self._holder, lambda identity: self._adapter(identity, allowed, receipts)),
            receipts=receipts,
            retry=self._retry,
            timeout=self._timeout,
            proxies=proxies,
            rate=self._rate,
            clock=self._clock,
        )

    def _adapter(self, identity: ClientIdentity | None, origins: Iterable[Origin], receipts: Receipts) -> PinnedAdapter:
        return PinnedAdapter(
            self._context(identity),
            origins,
            pool_size=self._pool_size,
            proxy_authorization=self._proxy.authorization if self._proxy else "",
            receipts=receipts,
        )

    def _context(self, identity: ClientIdentity | None) -> SealedContext:
        """Give the context of an identity: the one at hand, or a new one."""
        known, context = self._made
        if identity is not known:
            made = self._build(identity)
            context = made[1]
            if identity is self._holder.newest():
                self._made = made
        return context

    def _build(self, identity: ClientIdentity | None) -> tuple[ClientIdentity | None, SealedContext]:
        shown = identity if self._present else None
        return identity, build_context(shown, self._anchors, lend=self._lend, wide_tls12=self._wide_tls12)


def hold(
    identity: Presented | Holder | None,
    anchors: Iterable[TrustAnchor],
    *,
    clock: Clock = SYSTEM_CLOCK,
    at: datetime | None = None,
) -> Holder:
    """Judge an identity and hold it, so that several factories present the same one at each moment.

    Args:
        identity: as for `SessionFactory`; a holder is given back.
        anchors: the roots that our own chain must end at.
        clock: what tells the time.
        at: the time at which the identity is judged at first; None reads the clock.

    Raises:
        IdentityError: the gravest finding about the identity.
    """
    trusted = tuple(anchors)

    def judge(found: ClientIdentity, moment: datetime) -> None:
        error = gravest(found.verify(trusted, at=moment))
        if error is not None:
            raise error

    def judge_anew(found: ClientIdentity, moment: datetime) -> None:
        judge(found, moment)
        build_context(found, trusted)  # OpenSSL's policy has a say too, before the good one is given up

    if identity is None or isinstance(identity, ClientIdentity):
        if identity is not None:
            judge(identity, at or clock.now())
        return FixedIdentity(identity, clock=clock)
    if isinstance(identity, IdentitySource):
        return IdentityHolder(identity, judge_anew, clock=clock, at=at)
    if callable(identity):
        return IdentityHolder(IdentitySource(identity), judge_anew, clock=clock, at=at)
    return identity


def _several(anchor: TrustAnchor | Iterable[TrustAnchor]) -> tuple[TrustAnchor, ...]:
    return tuple(anchor) if hasattr(anchor, "__iter__") else (anchor,)


def _served(proxy: Proxy | None, origins: Iterable[Origin]) -> list[str]:
    """Name the hosts that the proxy serves, as requests' ``proxies`` keys spell them."""
    hosts = {origin.host for origin in origins}
    return [host for host in hosts if proxy is not None and proxy.serves(host)]


class RorSession(requests.Session):
    """A `requests.Session` that speaks mutual TLS with its origins and refuses every other address.

    Its trust, its certificate and its adapters are fixed. It ignores the environment. It follows redirects on the
    same origin only, and repeats what is safe to repeat by its retry policy.
    """

    _made: bool = False

    def __init__(
        self,
        generations: Generations,
        *,
        retry: RetryPolicy,
        timeout: Timeouts,
        proxies: Mapping[str, str],
        receipts: Receipts | None = None,
        rate: RateLimit | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self._receipts = receipts or Receipts()
        self.budget = RetryBudget()
        self.rate = rate
        self._generations = generations
        self._timeout = timeout
        self._retrying = _RetryingAdapter(
            generations, retry=retry, budget=self.budget, timeout=timeout, rate=self.rate, clock=clock
        )
        self.adapters.clear()
        self.adapters["https://"] = self._retrying
        self.proxies.update(proxies)
        self._made = True

    @property
    def origins(self) -> frozenset[Origin]:
        """The origins that this session speaks with."""
        return self._pinned.origins

    @property
    def receipts(self) -> tuple[HandshakeReceipt, ...]:
        """What was seen of the last 64 connections, each when it was new: up to its first answer, or its failure."""
        return self._receipts.all()

    @property
    def _pinned(self) -> PinnedAdapter:
        return self._generations.current

    def lease(self, identity: ClientIdentity | None = None) -> SessionLease:
        """Take the identity in force, or one that another session's lease gave, and its connections for one request."""
        return SessionLease(self._generations.lease(identity), timeout=self._timeout, proxies=self.proxies)

    def refused(self, identity: ClientIdentity | None) -> bool:
        """Take note that a server refused an identity; tell whether another one is in force now."""
        return self._generations.refused(identity)

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """Give the one adapter, whatever the address: it refuses those that are not its own."""
        return self._retrying

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Follow a redirect only on the origin that sent it.

        Raises:
            UnexpectedResponseError: it leads elsewhere; nothing was sent there.
        """
        target = super().get_redirect_target(resp)
        if target is not None and not _same_origin(resp.url, requests.compat.urljoin(resp.url, target)):
            resp.close()
            error = UnexpectedResponseError(
                f"{masked_url(resp.url)} redirects to another origin ({masked_url(target)}); it was not followed",
                hint="Our certificate goes only to the origins that were named; a captive portal redirects like this.",
                status=resp.status_code,
                method=str(resp.request.method),
                url=masked_url(resp.url),
            )
            error.fault = "page-instead"
            raise error
        return target

    def mount(self, prefix: str | bytes, adapter: BaseAdapter) -> None:
        """Refuse another adapter once the session is made: it would have a trust of its own."""
        if self._made:
            self._refuse("mount()")
        super().mount(prefix, adapter)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse what would change the trust, the certificate or the adapters."""
        if self._made and name in _FIXED and value != getattr(self, name):
            self._refuse(name)
        super().__setattr__(name, value)

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigurationError(
            f"{what} of this session is fixed",
            hint="Trust, certificate and adapters are decided by SessionFactory; a proxy by its proxy= argument.",
        )


class SessionLease:
    """One identity of a session and its connections, for one request; a context manager."""

    __slots__ = ("_lease", "_proxies", "_timeout")

    def __init__(self, lease: Lease, *, timeout: Timeouts, proxies: Mapping[str, str]) -> None:
        self._lease = lease
        self._timeout = timeout
        self._proxies = proxies

    @property
    def identity(self) -> ClientIdentity | None:
        """What is presented, or None."""
        return self._lease.identity

    @property
    def in_force(self) -> bool:
        """Whether no other has taken its place meanwhile."""
        return self._lease.in_force

    def exchange_send(self, outgoing: Outgoing, *, timeout: tuple[float, float] | None = None) -> BaseHTTPResponse:
        """Send one request once: no retry, no redirect, no waiting for the rate limit, body unread.

        Args:
            outgoing: the request.
            timeout: (connect, read) in seconds; None takes the session's.

        Raises:
            TransportError: no trusted connection.
            ConfigurationError: an address outside the session's origins.
        """
        limit = timeout or (self._timeout.connect, self._timeout.read)
        proxy = requests.utils.select_proxy(outgoing.url, self._proxies) if self._proxies else None
        return self._lease.adapter.open(outgoing, timeout=limit, proxy=proxy or "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._lease.__exit__(None, None, None)


def _same_origin(url: str, target: str) -> bool:
    try:
        return Origin.of(url) == Origin.of(target)
    except ConfigurationError:
        return False


class _StatusAgainError(RorError):
    """An answer whose status asks for another try; it never leaves this module."""

    retryable = True

    def __init__(self, response: requests.Response, retry_after: float | None) -> None:
        super().__init__("try again")
        self.response = response
        self.retry_after = retry_after


class _RetryingAdapter(BaseAdapter):
    """Repeats, behind a session, what its policy allows; each attempt goes through the pinned adapter."""

    def __init__(
        self,
        generations: Generations,
        *,
        retry: RetryPolicy,
        budget: RetryBudget,
        timeout: Timeouts,
        rate: RateLimit | None,
        clock: Clock,
    ) -> None:
        super().__init__()
        self._generations = generations
        self._retry = retry
        self._budget = budget
        self._timeout = timeout
        self._rate = rate
        self._clock = clock

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send, again where that is safe; the last answer comes back whatever its status."""
        repeatable = request.method in _REPEATABLE and _rewindable(request.body)
        connect, read = limits(timeout if timeout is not None else (self._timeout.connect, self._timeout.read))

        discarded: list[requests.Response] = []

        def attempt(remaining: float) -> requests.Response:
            while discarded:
                discarded.pop().close()
            end = self._clock.monotonic() + remaining
            if self._rate is not None:
                self._rate.admit(str(request.url), within=remaining)
            left = max(_LEAST, end - self._clock.monotonic())
            limit = (min(connect, left), min(read, left))
            response = self._sent(request, (stream, limit, verify, cert, proxies))
            if repeatable and response.status_code in _TRY_AGAIN:
                discarded.append(response)
                wait = retry_after_seconds(response.headers.get("Retry-After"), now=self._clock.now())
                raise _StatusAgainError(response, wait)
            return response

        try:
            return self._retry.run(attempt, repeatable=repeatable, budget=self._budget, clock=self._clock)
        except _StatusAgainError as last:
            return last.response

    def _sent(self, request: requests.PreparedRequest, how: tuple[Any, ...], *, anew: bool = True) -> requests.Response:
        """Send with the identity in force; once more when a server refuses it and a newer one has taken its place.

        A server that refuses the certificate has not acted on the request, whatever its method.
        """
        with self._generations.lease() as lease:
            try:
                return lease.adapter.send(request, *how)
            except ClientRejectedError:
                if not (anew and _rewindable(request.body) and self._generations.refused(lease.identity)):
                    raise
        return self._sent(request, how, anew=False)

    def close(self) -> None:
        """Close every connection."""
        self._generations.close()


def _rewindable(body: Any) -> bool:
    return body is None or isinstance(body, str | bytes)
