"""The FHIR gateway of the Annuaire Santé: its address, the key that opens it, and how a request reaches it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ror_sante.api.annuaire.judgement import judge_document, judge_gateway
from ror_sante.api.annuaire.key import KEY_HEADER, no_key
from ror_sante.api.calls import merged
from ror_sante.api.fhir.search import extended
from ror_sante.api.origins import OriginRule
from ror_sante.errors import ConfigurationError, printable
from ror_sante.http.exchange import Exchange, Request
from ror_sante.http.session import SessionFactory
from ror_sante.pki.anchor import load_anchors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography import x509

    from ror_sante.api.fhir.search import SearchParams
    from ror_sante.api.origins import Links
    from ror_sante.environments import Environment
    from ror_sante.http.clock import Clock
    from ror_sante.http.exchange import Answer, Judge
    from ror_sante.http.proxy import Proxy
    from ror_sante.http.rate import RateLimit
    from ror_sante.http.retry import RetryPolicy
    from ror_sante.http.session import RorSession, Timeouts
    from ror_sante.tls.receipt import HandshakeReceipt

_ACCEPT: Final = {"Accept": "application/fhir+json"}
# The published server (FhirResourceServlet) compares the whole text: with "; charset=" it is a write, and fails.
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_LONGEST: Final = 2000  # characters of an address; a longer search is posted
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})


class Gateway:
    """Sends to the gateway; it has no identity to show, and connects at the first request.

    Args:
        environment: where the gateway answers.
        key: its API key; None when it is not called.
        links: what a next link may name (`ror_sante.api.origins.OriginRule`).
        retry: when a request is repeated.
        timeout: limits of one attempt.
        proxy: the HTTP proxy, named explicitly.
        pool_size: connections kept.
        lend: intermediates for a server that forgets to send its own; they are no anchors.
        wide_tls12_hosts: hosts, in lower case, whose older TLS 1.2 suites are accepted.
        rate: how often it is called at most.
        clock: tests move it.
    """

    def __init__(
        self,
        environment: Environment,
        key: str | None,
        *,
        links: Links,
        retry: RetryPolicy,
        timeout: Timeouts,
        proxy: Proxy | str | None,
        pool_size: int,
        lend: tuple[x509.Certificate, ...],
        wide_tls12_hosts: frozenset[str],
        rate: RateLimit,
        clock: Clock,
    ) -> None:
        self._environment = environment
        self._key = key
        self._links: Links = links
        self._retry, self._timeout, self._proxy = retry, timeout, proxy
        self._pool_size = pool_size
        self._lend, self._wide = lend, wide_tls12_hosts
        self._rate, self._clock = rate, clock
        self._sessions: list[RorSession] = []
        self._closed = False

    @property
    def base(self) -> str:
        """The base of the FHIR gateway, with no final slash.

        Raises:
            ConfigurationError: the environment has none.
        """
        url = self._environment.annuaire_fhir_url
        if url is None:
            raise ConfigurationError(
                f"the environment {self._environment.name} has no FHIR gateway of the Annuaire Santé",
                hint="There is one for production alone (no sandbox is documented), and in the simulator; an "
                "environment of your own names it in annuaire_fhir_url.",
            )
        return url.rstrip("/")

    @cached_property
    def rule(self) -> OriginRule:
        """What an address must be to go to the gateway."""
        base = self.base
        return OriginRule(base, urlsplit(base).path, self._links, setting="annuaire_fhir_url")

    def page(self, url: str) -> Answer:
        """Ask for a page; a search too long for an address is posted, a next link is asked as it is."""
        base, _, query = url.partition("?")
        if len(url) <= _LONGEST or base.endswith("/_page"):
            return self._send(Request("GET", url, _ACCEPT), judge_document)
        body = query.encode("ascii")
        return self._send(Request("POST", f"{base}/_search", _ACCEPT | _FORM, body, repeatable=True), judge_document)

    def document(self, path: str) -> Answer:
        """Ask for a document below the base."""
        return self._send(Request("GET", f"{self.base}/{path}", _ACCEPT), judge_document)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: SearchParams,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        repeatable: bool | None,
    ) -> Answer:
        """Send a request of the caller's own; see `AnnuaireSanteClient.request`."""
        if method not in _METHODS:
            raise ConfigurationError(
                f"the gateway of the Annuaire Santé takes no {printable(method, 20)!r}", hint="It is there to be read."
            )
        url = extended(self.rule.address(path), params)
        given = merged(_ACCEPT, headers or {}, ours=frozenset({KEY_HEADER.lower()}))
        return self._send(Request(method, url, given, body, repeatable), judge_gateway)

    @property
    def receipts(self) -> tuple[HandshakeReceipt, ...]:
        """What was seen of the last connections, the newest last."""
        return tuple(receipt for session in self._sessions for receipt in session.receipts)

    def refuse(self) -> None:
        """Take no further request."""
        self._closed = True

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()

    @cached_property
    def _exchange(self) -> Exchange:
        factory = SessionFactory(
            None,
            load_anchors(self._environment.annuaire_fhir_anchors),
            retry=self._retry,
            timeout=self._timeout,
            proxy=self._proxy,
            pool_size=self._pool_size,
            lend=self._lend,
            wide_tls12=urlsplit(self.base).hostname in self._wide,
            rate=self._rate,
            clock=self._clock,
        )
        session = factory.session(self.base)
        self._sessions.append(session)
        return Exchange(
            session, retry=self._retry, timeout=self._timeout, judge=judge_gateway, rate=self._rate, clock=self._clock
        )

    def _send(self, request: Request, judge: Judge) -> Answer:
        if self._closed:
            raise ConfigurationError("this client is closed", hint="Make another one, or call inside its with block.")
        if self._key is None:
            raise no_key()
        headers = {**request.headers, KEY_HEADER: self._key}
        signed = Request(request.method, request.url, headers, request.body, request.repeatable)
        return self._exchange.send(signed, judge=judge)
