"""The extraction downloads of the Annuaire Santé: ask for a version, pour a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ror_sante.api.annuaire.naming import Names, version_of
from ror_sante.environments import WEB_PKI
from ror_sante.errors import (
    AccessDeniedError,
    ClientRejectedError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    RorError,
    UnexpectedResponseError,
    masked_url,
)
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.exchange import Exchange, Limits, Request, status_error
from ror_sante.http.proxy import Proxy
from ror_sante.http.rate import RateLimit
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts
from ror_sante.pki.anchor import load_anchors
from ror_sante.pki.lent import load_intermediates
from ror_sante.pki.source import IdentitySource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from cryptography import x509

    from ror_sante.environments import Environment
    from ror_sante.http.answer import Answer
    from ror_sante.http.clock import Clock
    from ror_sante.http.exchange import Sink
    from ror_sante.http.session import Presented, RorSession
    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.settings import Settings
    from ror_sante.tls.receipt import HandshakeReceipt

NO_NEW_FILE: Final = 503
DEADLINE: Final = 6 * 3600.0  # seconds for one file, waits included
LIMITS: Final = Limits(body=16 * 1024**3)  # bytes; the largest known zip has 0.6 GB

# Downloads too close together are answered 429; a public program waits 1, 2, 4 and 8 minutes (reference, section 2).
_TOO_SOON: Final = (60.0, 120.0, 240.0, 480.0)
_POLICY: Final = RetryPolicy(attempts=5, first_wait=2.0, max_wait=60.0, deadline=1800.0, max_retry_after=900.0)
# Compression of the transfer would give other bytes than those that a range counts.
_PLAIN: Final = {"Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Offer:
    """What the server has of an extraction.

    Attributes:
        name: of the extraction.
        version: ``YYYYMMDDHHmm`` in Paris; empty when there is no new file now.
        size: bytes, or None when the server does not say.
        validator: what tells this very file from any other (a strong ETag, else Last-Modified); empty when the server
            gives none.
        ranges: the server can start in the middle.
    """

    name: str
    version: str
    size: int | None = None
    validator: str = ""
    ranges: bool = False

    @property
    def available(self) -> bool:
        """Whether there is a file; False is the status 503: no new file now, an expected state and no outage."""
        return bool(self.version)


class ExtractionClient:
    """Asks for extractions of the Annuaire Santé.

    The host stands under the IGC-Santé. Our certificate is shown for restricted names alone, and only when the server
    asks, which may be in the middle of a connection. `ror_sante.sync.annuaire.download` keeps files on the disk.

    Args:
        environment: where the service answers.
        identity: our certificate, as for `SessionFactory`; opened for the first restricted name, and not before. None
            fetches open names alone.
        names: the extractions that may be asked for.
        retry: when a call is repeated; None waits politely, minutes long after a 429.
        timeout: limits of one attempt.
        proxy: the HTTP proxy, named explicitly.
        lend: intermediates for a server that forgets to send its own.
        wide_tls12_hosts: hosts whose older TLS 1.2 suites are accepted.
        calls_per_second: how often the host is called at most.
        waiting: told the seconds of a long wait before it begins, and why.
        clock: tests move it.
        at: the time at which the certificate is judged; None is now.

    Raises:
        ConfigurationError: the environment has no address of extractions.
    """

    def __init__(
        self,
        environment: Environment,
        identity: Presented | None = None,
        *,
        names: Names | None = None,
        retry: RetryPolicy | None = None,
        timeout: Timeouts | None = None,
        proxy: Proxy | str | None = None,
        lend: Iterable[x509.Certificate] = (),
        wide_tls12_hosts: Iterable[str] = (),
        calls_per_second: float = 5.0,
        waiting: Callable[[float, str], None] = lambda _seconds, _why: None,
        clock: Clock = SYSTEM_CLOCK,
        at: datetime | None = None,
    ) -> None:
        if environment.annuaire_download_url is None:
            raise ConfigurationError(
                f"the environment {environment.name} has no address of extractions",
                hint="production has one; for a place of your own: annuaire_download_url in [environments.NAME].",
            )
        self._base = environment.annuaire_download_url.rstrip("/")
        self._environment = environment
        self._identity = identity
        self.names = names or Names.known_and()
        self._retry = retry or _POLICY
        self._timeout = timeout or Timeouts()
        self._proxy = proxy
        self._lend = tuple(lend)
        self._wide = urlsplit(self._base).hostname in {host.lower() for host in wide_tls12_hosts}
        self._rate = RateLimit(calls_per_second, clock=clock)
        self.waiting = waiting
        self._clock = clock
        self._at = at

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        identity: Presented | None = None,
        environment: Environment | None = None,
    ) -> Self:
        """Make a client from the settings file and variables.

        Args:
            settings: what `load_settings` gave.
            identity: as the constructor takes it; None opens the configured one for the first restricted name.
            environment: a place that replaces the configured one, such as the simulator's.

        Raises:
            ConfigurationError: settings that do not work.
        """
        annuaire, network = settings.annuaire, settings.network

        if identity is None:
            identity = configured_identity(settings)
        return cls(
            environment or settings.resolve_environment(),
            identity,
            names=Names.known_and(annuaire.extractions, annuaire.restricted_extractions),
            timeout=Timeouts(connect=network.connect_timeout, read=network.read_timeout),
            proxy=Proxy.from_settings(network),
            lend=load_intermediates(network.lend_intermediates),
            wide_tls12_hosts=network.wide_tls12_hosts,
            calls_per_second=network.calls_per_second,
        )

    @property
    def host(self) -> str:
        """The host of the extractions."""
        return str(urlsplit(self._base).hostname)

    def offer(self, name: str) -> Offer:
        """Ask what there is of an extraction, by ``HEAD``: nothing is fetched.

        Args:
            name: of the extraction, such as ``PS_LibreAcces``.

        Raises:
            ConfigurationError: an unknown name, or a restricted one and there is no certificate.
            IdentityError: the certificate cannot be used.
            UnexpectedResponseError: the answer does not tell the version.
            NotFoundError, AccessDeniedError, ClientRejectedError: the server does not give it.
            RorError: the way to it failed.
        """
        with self._explained(name):
            answer = self._head(self._exchange(name), self._address(name))
        if answer.status == NO_NEW_FILE:
            return Offer(name, "")
        return offer_of(name, answer)

    def pour(
        self,
        offer: Offer,
        sink: Sink,
        *,
        rest: Callable[[], Mapping[str, str]] = dict,
        deadline: float = DEADLINE,
    ) -> bool:
        """Fetch the bytes of an offer.

        Args:
            offer: what `offer` gave.
            sink: told of each answer, and given its bytes as they come.
            rest: gives the headers that ask for the rest alone; asked before each attempt.
            deadline: seconds for the whole call.

        Returns:
            Whether the bytes came; False is the status 503: no new file now.

        Raises:
            RorError: as `offer`; what the sink raises ends the call too.
        """
        exchange = self._exchange(offer.name)

        def request() -> Request:
            return Request("GET", self._address(offer.name), {**_PLAIN, **rest()})

        with self._explained(offer.name):
            answer = exchange.pour(request, sink, deadline=deadline, limits=LIMITS, judge=self._judge())
        return answer.status != NO_NEW_FILE

    @property
    def receipts(self) -> tuple[HandshakeReceipt, ...]:
        """What was seen of the last connections, the newest last: those without our certificate, then those with it."""
        return tuple(receipt for session in self._sessions() for receipt in session.receipts)

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions():
            session.close()

    def _sessions(self) -> list[RorSession]:
        return [getattr(self, made).session for made in ("_open", "_restricted") if made in vars(self)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ExtractionClient {self._environment.name} {masked_url(self._base)}>"

    # -------------------------------------------------------------- the two ways out

    def _exchange(self, name: str) -> Exchange:
        if not self.names.needs_certificate(name):
            return self._open
        if self._identity is None:
            raise ConfigurationError(
                f"{name} is for holders of a certificate, and there is none",
                hint="Name the P12 of the product ORG AUTH_CLI (CLIENT_WS_ANNUAIRE) in [identity] p12 of the settings.",
            )
        try:
            return self._restricted
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{name} is for holders of a certificate: {error.message}", hint=error.hint
            ) from error

    @cached_property
    def _open(self) -> Exchange:
        return self._made(None)

    @cached_property
    def _restricted(self) -> Exchange:
        return self._made(self._identity)

    def _made(self, identity: Presented | None) -> Exchange:
        place = self._environment
        words = place.annuaire_download_anchors or place.anchors
        if identity is not None and WEB_PKI in words:
            raise ConfigurationError(
                f"environments.{place.name}: the extraction host is trusted by {WEB_PKI}, "
                "and such a host is never shown our certificate",
                hint="Name the root of that host in annuaire_download_anchors, such as igc-sante.",
            )
        session: RorSession = SessionFactory(
            identity,
            load_anchors(words),
            retry=self._retry,
            timeout=self._timeout,
            proxy=self._proxy,
            pool_size=4,
            at=self._at,
            identity_anchor=_own_roots(place) if identity is not None else None,
            lend=self._lend,
            wide_tls12=self._wide,
            rate=self._rate,
            clock=self._clock,
        ).session(self._base)
        return Exchange(session, retry=self._retry, timeout=self._timeout, rate=self._rate, clock=self._clock)

    def _address(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _head(self, exchange: Exchange, address: str) -> Answer:
        try:
            return exchange.send(Request("HEAD", address, _PLAIN), judge=self._judge())
        except InvalidRequestError:
            # nginx tells in a page that it refuses our certificate, and the answer to HEAD has no page.
            exchange.send(Request("GET", address, {**_PLAIN, "Range": "bytes=0-0"}), judge=self._judge())
            raise

    # -------------------------------------------------------------- what an answer means

    def _judge(self) -> Callable[[Answer], RorError | None]:
        """Judge answers: 503 is none to be sorry for, and each 429 asks for a longer wait."""
        waits = iter(_TOO_SOON)

        def judge(answer: Answer) -> RorError | None:
            if answer.status == NO_NEW_FILE:
                return None
            error = status_error(answer)
            if isinstance(error, RateLimitedError):
                if error.retry_after is None:
                    error.retry_after = next(waits, _TOO_SOON[-1])
                self.waiting(error.retry_after, "the last download was too close (429)")
            return error

        return judge

    def _explained(self, name: str) -> _Explained:
        return _Explained(name, restricted=self.names.needs_certificate(name))


def configured_identity(settings: Settings, *, ask: Callable[[str], str] | None = None) -> IdentitySource | None:
    """Name the certificate that the settings give the Annuaire Santé; None when they name none.

    Args:
        settings: what `load_settings` gave.
        ask: takes the name of a file and asks for its passphrase, when the settings have none.

    Raises:
        ConfigurationError: ``annuaire.identity`` names a table that is not there.
    """
    if settings.annuaire.identity is None and settings.identity is None:
        return None
    return IdentitySource.from_settings(settings.identity_for("annuaire"), ask=ask)


def offer_of(name: str, answer: Answer) -> Offer:
    """Read an offer from the headers of an answer.

    Raises:
        UnexpectedResponseError: they do not tell the version.
    """
    version = version_of(answer.headers)
    if not version:
        raise UnexpectedResponseError(
            f"the answer for {name} does not tell the version of the file (no Content-Disposition with a date)",
            hint="Something else may have answered in its place: a portal, a proxy, a maintenance page.",
            status=answer.status,
            method=answer.method,
            url=masked_url(answer.url),
            request_id=answer.request_id,
        )
    length = answer.headers.get("Content-Length", "")
    tag = answer.headers.get("ETag", "")
    return Offer(
        name,
        version,
        size=int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else None,
        # RFC 9110 section 13.1.5: a weak ETag must not stand in If-Range.
        validator=tag if tag.startswith('"') else answer.headers.get("Last-Modified", ""),
        ranges=answer.headers.get("Accept-Ranges", "").strip().lower() == "bytes",
    )


class _Explained:
    """Says what a refusal means for this name, in the words of extractions."""

    def __init__(self, name: str, *, restricted: bool) -> None:
        self._name = name
        self._restricted = restricted

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, NotFoundError):
            self._reword(error, *self._unknown())
            error.fault = "extraction-name"
        elif isinstance(error, AccessDeniedError | ClientRejectedError):
            self._reword(error, *(self._refused() if self._restricted else self._asked()))
            if isinstance(error, AccessDeniedError):  # what an alert means is known better
                error.fault = "extraction-right" if self._restricted else "extraction-certificate"

    def _unknown(self) -> tuple[str, str]:
        return (
            f"the Annuaire Santé has no extraction {self._name}",
            "Check the name in [annuaire] of the settings with the documentation of the Annuaire Santé: it is spelt "
            "with its capitals, and old names are withdrawn.",
        )

    def _asked(self) -> tuple[str, str]:
        return (
            f"{self._name} is for holders of a certificate, and none was shown",
            "Add the name to restricted_extractions in [annuaire] of the settings, with a P12 of the product "
            "ORG AUTH_CLI in [identity].",
        )

    def _refused(self) -> tuple[str, str]:
        return (
            f"the Annuaire Santé does not give {self._name} to the holder of our certificate",
            "It wants the product ORG AUTH_CLI of the service CLIENT_WS_ANNUAIRE, and rights to this extraction: ask "
            "its support, with the subject DN of `ror-sante identity dn`.",
        )

    def _reword(self, error: RorError, message: str, hint: str) -> None:
        error.message = f"{message}: {error.message}"
        error.args = (error.message,)
        error.hint = hint


def _own_roots(environment: Environment) -> tuple[TrustAnchor, ...] | None:
    """Give the roots of our own chain, which the public web authorities never are."""
    words = tuple(word for word in environment.anchors if word != WEB_PKI)
    return load_anchors(words) if words else None
