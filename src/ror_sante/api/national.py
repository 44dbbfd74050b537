"""The national ROR: search and read its FHIR directory with our certificate, a token and the ``Ror-*`` headers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from ror_sante.api.asking import check_type, type_of
from ror_sante.api.calls import SETTLE, check_id, check_most, merged, page_size, resources
from ror_sante.api.completeness import PAGE_SIZE
from ror_sante.api.fhir.bundle import Bundle, Resource
from ror_sante.api.fhir.search import encode, extended, pairs
from ror_sante.api.options import needed, network_options
from ror_sante.api.origins import OriginRule
from ror_sante.api.paging import Lookahead, PageWalk, in_turn
from ror_sante.api.parameters import doubts
from ror_sante.api.policy import carries_ror_headers, ror_headers
from ror_sante.api.query import Query
from ror_sante.api.sides import Account, Way, two_sides
from ror_sante.errors import ConfigurationError, printable
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.exchange import Request
from ror_sante.http.rate import CALLS_PER_SECOND, RateLimit
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import Timeouts
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from cryptography import x509

    from ror_sante.api.fhir.search import SearchParams
    from ror_sante.api.origins import Links
    from ror_sante.environments import Coding, Environment
    from ror_sante.http.clock import Clock
    from ror_sante.http.exchange import Answer, Limits, Sink
    from ror_sante.http.proxy import Proxy
    from ror_sante.http.retry import RetryBudget
    from ror_sante.http.session import Presented
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.settings import Settings
    from ror_sante.tls.receipt import HandshakeReceipt

T = TypeVar("T")
_ACCEPT: Final = {"Accept": "application/json"}  # the pages of ANS ask for JSON this way in every sample
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_LOG: Final = logging.getLogger(__name__)
_FOREVER: Final = float("inf")


class NationalRorClient:
    """A client of the national ROR.

    The token host and the API host are trusted apart: each by its own anchors, and our certificate is never shown
    to a host that stands under the public web authorities (``web-pki``).

    Example::

        with NationalRorClient(Environment.bac_a_sable(), identity, client_id="...", profile=..., role=...) as ror:
            for offer in ror.search("HealthcareService", {"_tag": "52"}, max_results=10):
                print(offer.id, offer["name"])

    Args:
        environment: where the services answer.
        identity: our certificate: a `ClientIdentity`, which stays; an `IdentitySource` or a function that gives one,
            which are followed when the certificate is renewed; None for access profile 0, which has a secret instead.
        client_id: the OAuth 2 client that ANS registered, one an environment and a role.
        profile: the access profile of the user or application, as ANS gave it.
        role: the role of the user or application, as ANS gave it.
        client_secret: for access profile 0 alone.
        scope: sent to the token endpoint only when set.
        present_certificate_to_api: show the certificate to the API host too, not to the token host alone. The
            official samples do both.
        links: what to do with a next link that names another origin but our service path: ``rebase`` it on the
            configured origin, or ``refuse`` it (`ror_sante.api.origins.OriginRule`).
        retry: when a call is repeated.
        timeout: limits of one attempt.
        proxy: the HTTP proxy, named explicitly.
        lend: intermediates for a server that forgets to send its own; they are no anchors.
        wide_tls12_hosts: hosts whose older TLS 1.2 suites are accepted.
        pool_size: connections kept for each host; take the number of your threads.
        calls_per_second: how often each host is called at most, after a burst (`ror_sante.http.rate`).
        rate: a limit that several clients share, in place of `calls_per_second`.
        clock: tests move it.
        at: the time at which the certificate is judged; None is now.

    Raises:
        ConfigurationError: arguments that contradict each other, or a header value that cannot be sent.
        IdentityError: the certificate cannot be used.
    """

    def __init__(
        self,
        environment: Environment,
        identity: Presented | None,
        *,
        client_id: str,
        profile: Coding,
        role: Coding,
        client_secret: str | None = None,
        scope: str | None = None,
        present_certificate_to_api: bool = True,
        links: Links = "rebase",
        retry: RetryPolicy | None = None,
        timeout: Timeouts | None = None,
        proxy: Proxy | str | None = None,
        lend: Iterable[x509.Certificate] = (),
        wide_tls12_hosts: Iterable[str] = (),
        pool_size: int = 32,
        calls_per_second: float = CALLS_PER_SECOND,
        rate: RateLimit | None = None,
        clock: Clock = SYSTEM_CLOCK,
        at: datetime | None = None,
    ) -> None:
        self._environment = environment
        self._ror_headers = ror_headers(profile, role)
        self._rule = OriginRule(environment.api_url, urlsplit(environment.fhir_base).path, links)
        self._lookahead = Lookahead()
        self._doubted: set[str] = set()
        self._closed = False
        way = Way(
            retry=retry or RetryPolicy(),
            timeout=timeout or Timeouts(),
            proxy=proxy,
            lend=lend,
            wide_tls12_hosts=wide_tls12_hosts,
            pool_size=pool_size,
            rate=rate or RateLimit(calls_per_second, clock=clock),
            clock=clock,
        )
        account = Account(client_id=client_id, client_secret=client_secret, scope=scope)
        shown = present_certificate_to_api
        sides = two_sides(environment, identity, account, way, present_certificate_to_api=shown, at=at)
        self._held, self._sessions, self._exchange = sides.held, sides.sessions, sides.exchange

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
            identity: a certificate already open, or where it comes from; None opens the configured one and follows
                its renewal.
            environment: a place that replaces the configured one, such as the simulator's.

        Raises:
            ConfigurationError: the account is incomplete; the message names the missing key.
            IdentityError: the certificate cannot be opened or used.
        """
        rorn, network = settings.rorn, settings.network
        secret = None if rorn.client_secret_file is None else read_secret(rorn.client_secret_file)
        environment = environment or settings.resolve_environment()
        if identity is None and secret is None:
            identity = IdentitySource.from_settings(settings.identity_for("rorn"))
        return cls(
            environment,
            identity,
            client_id=needed(rorn.client_id, "client_id"),
            profile=needed(rorn.profile, "profile"),
            role=needed(rorn.role, "role"),
            client_secret=secret,
            scope=rorn.scope,
            present_certificate_to_api=rorn.present_certificate_to_api,
            links=rorn.links,
            **network_options(network),
        )

    @property
    def identity(self) -> ClientIdentity | None:
        """The certificate in force: another one after a renewal, None for access profile 0."""
        return self._held.newest()

    @property
    def environment(self) -> Environment:
        """Where this client calls."""
        return self._environment

    def search(
        self,
        resource_type: str | Query,
        params: SearchParams = (),
        *,
        max_results: int | None = None,
        included: bool = False,
        allow_truncated: bool = False,
    ) -> Generator[Resource, None, None]:
        """Search, and give the resources one by one over all pages.

        The ROR gives active and inactive records alike unless the search filters them. Fewer rights mean fewer
        fields and resources, not an error.

        Args:
            resource_type: one of the five of the directory, ``Task`` or ``Questionnaire``; or a whole query
                (`ror_sante.api.query`), which knows its type.
            params: search parameters, encoded here and sent in their order (`ror_sante.api.fhir.search.encode`). One
                that is not documented is logged as a warning, once a client, and sent all the same.
            max_results: stop after this number of matches, with no further page fetched.
            included: also give the resources that ``_include`` and ``_revinclude`` brought, each once, after the
                matches of their page. Those of the last page come whole, whatever `max_results`.
            allow_truncated: take the first 10 000 of a larger result.

        Returns:
            An iterator; nothing is sent before its first step. Its ``close()`` stops the search.

        Raises:
            ConfigurationError: an unknown resource type, a parameter that cannot be sent.
            TruncatedResultError: the result is cut at 10 000; raised before the first resource. Not when
                `max_results` is 10 000 or less.
            NotFoundError: the link to the next page expired meanwhile.
            ApiError: the service refused the search.
            TokenError, TransportError: the way to it failed.
        """
        check_most(max_results)
        walk = self.walk(resource_type, params, allow_truncated=allow_truncated, enough=max_results)
        return resources(self._lookahead.pages(walk), max_results, included=included)

    def pages(
        self,
        resource_type: str | Query,
        params: SearchParams = (),
        *,
        allow_truncated: bool = False,
        prefetch: bool = True,
    ) -> Generator[Bundle, None, None]:
        """Search, and give the pages one by one, with the included resources that earlier pages brought left out.

        Args:
            resource_type: as in `search`.
            params: as in `search`.
            allow_truncated: as in `search`.
            prefetch: fetch the next page in a background thread while the caller works on this one.

        Raises:
            RorError: as in `search`.
        """
        walk = self.walk(resource_type, params, allow_truncated=allow_truncated)
        return self._lookahead.pages(walk) if prefetch else in_turn(walk)

    def walk(
        self,
        resource_type: str | Query,
        params: SearchParams = (),
        *,
        also: Iterable[tuple[str, str]] = (),
        allow_truncated: bool = False,
        enough: int | None = None,
        left: Callable[[], float] = lambda: _FOREVER,
        budget: RetryBudget | None = None,
    ) -> PageWalk:
        """Prepare a search whose pages are fetched step by step, by a caller who watches its time.

        Args:
            resource_type: as in `search`.
            params: as in `search`.
            also: further parameters, behind the others; whether they are documented is not asked.
            allow_truncated: as in `search`; the walk tells of the cut.
            enough: stop after the page that completes this number of matches.
            left: gives the seconds that the next page may take, when they are fewer than the policy's deadline.
            budget: what repetitions may cost; None takes that of this client's session.

        Raises:
            ConfigurationError: an unknown resource type, a parameter that cannot be sent.
        """
        searched_type = type_of(resource_type, params)
        given = pairs(resource_type.params if isinstance(resource_type, Query) else params)
        if not isinstance(resource_type, Query) and not isinstance(params, Query):
            self._warn(searched_type, given)
        query = encode([*given, *also])

        def fetch(url: str) -> Answer:
            # A next link may name the service alone (?_getpages=...): it is still the search that takes the headers.
            return self._send(Request("GET", url, _ACCEPT | self._ror_headers), left(), budget)

        return PageWalk(
            fetch,
            f"{self._environment.fhir_base}/{searched_type}" + (f"?{query}" if query else ""),
            searched_type,
            follow=self._rule.follow,
            allow_truncated=allow_truncated,
            enough=enough,
            page_size=page_size(given, PAGE_SIZE),
        )

    def read(self, resource_type: str, resource_id: str) -> Resource:
        """Read one resource by its technical id.

        Args:
            resource_type: as in `search`.
            resource_id: the ``id`` of the resource, such as ``252467``; not its functional identifier.

        Raises:
            ConfigurationError: no technical id.
            NotFoundError: there is no such resource, or the account may not see it.
            RorError: as in `search`.
        """
        check_type(resource_type)
        check_id(
            resource_id,
            hint="A functional id such as 52/192675 is found by search: "
            f'search({resource_type!r}, {{"identifier": "52/192675"}}).',
        )
        return Resource.parse(self._get(f"{resource_type}/{resource_id}"), wanted=resource_type)

    def metadata(self) -> Resource:
        """Read what the server says it can do (``CapabilityStatement``).

        Raises:
            RorError: as in `search`.
        """
        return Resource.parse(self._get("metadata"), wanted="CapabilityStatement")

    def request(
        self,
        method: str,
        path: str,
        *,
        params: SearchParams = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        """Send any request to the API host: the raw way, for what this client does not wrap.

        The token, ``Accept: application/json`` and, where the operation takes them, the ``Ror-*`` headers are
        added; `headers` wins over the last two.

        Args:
            method: the HTTP method.
            path: from the root of the API host and percent-encoded, such as
                ``/ws-synchro-dispo-lits-fhir/Location``; or a whole address on that host.
            params: added to the query, encoded here.
            headers: further headers.
            body: sent as it is; give its ``Content-Type`` in `headers`.
            repeatable: whether a repetition does no harm; None decides by the method.

        Raises:
            ConfigurationError: another host, a path or header that cannot be sent.
            RorError: as in `search`.
        """
        if method not in _METHODS:
            raise ConfigurationError(f"unknown HTTP method {printable(method, 20)!r}")
        url = extended(self._rule.address(path), params)
        standard = dict(_ACCEPT)
        if carries_ror_headers(method, self._rule.service_relative(url)):
            standard |= self._ror_headers
        return self._send(Request(method, url, merged(standard, headers or {}), body, repeatable))

    def follow(self, link: str, *, at: str) -> str:
        """Turn a link that the service gave into the address to ask, or refuse it.

        Args:
            link: what the service wrote, absolute or relative.
            at: the address of the answer that held it, or of the service.

        Raises:
            UnexpectedResponseError: it leads elsewhere (`ror_sante.api.origins.OriginRule`).
        """
        return self._rule.follow(link, at=at)

    def pour(self, url: str, sink: Sink, *, deadline: float, limits: Limits | None = None) -> Answer:
        """Fetch a file of an export, and hand it to a sink as it comes.

        Token and ``Ror-*`` headers are sent, as the sample of page "export" does, wherever the file lies on the API
        host.

        Args:
            url: an address on the API host, as `follow` gives it.
            sink: takes the body; it is started again when an attempt broke off.
            deadline: seconds for the whole call.
            limits: how large the file may be.

        Returns:
            The answer, with an empty body.

        Raises:
            RorError: as `search`.
        """
        request = Request("GET", self._rule.address(url), _ACCEPT | self._ror_headers)
        return self._exchange.pour(request, sink, deadline=deadline, limits=limits)

    @property
    def receipts(self) -> tuple[HandshakeReceipt, ...]:
        """What was seen of the last connections, each side's newest last: to the token endpoint, then to the API."""
        return tuple(receipt for session in self._sessions for receipt in session.receipts)

    def close(self) -> None:
        """Close every connection; a page on its way is waited for two seconds at most."""
        self._closed = True
        self._lookahead.settle(SETTLE)
        for session in self._sessions:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<NationalRorClient {self._environment.name} {self._rule.origin}>"

    def _warn(self, resource_type: str, given: list[tuple[str, str]]) -> None:
        """Log what is not documented before the server refuses it; each doubt once."""
        for doubt in doubts(resource_type, given):
            if doubt not in self._doubted:
                self._doubted.add(doubt)
                _LOG.warning("%s", doubt)

    def _get(self, path: str) -> Answer:
        return self._send(Request("GET", f"{self._environment.fhir_base}/{path}", _ACCEPT | self._ror_headers))

    def _send(self, request: Request, within: float = _FOREVER, budget: RetryBudget | None = None) -> Answer:
        if self._closed:
            raise ConfigurationError("this client is closed", hint="Make another one, or call inside its with block.")
        return self._exchange.send(request, within=within, budget=budget)
