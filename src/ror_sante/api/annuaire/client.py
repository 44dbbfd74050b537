"""The Annuaire Santé: search its public FHIR gateway with an API key, and fetch its extractions with a certificate."""

from __future__ import annotations

import logging
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from ror_sante.api.annuaire.extractions import ExtractionClient
from ror_sante.api.annuaire.gateway import Gateway
from ror_sante.api.annuaire.key import checked_key
from ror_sante.api.annuaire.parameters import PAGE_SIZE, check_type, doubts
from ror_sante.api.calls import SETTLE, check_id, check_most, resources
from ror_sante.api.completeness import Counted
from ror_sante.api.fhir.bundle import Resource
from ror_sante.api.fhir.search import encode, pairs
from ror_sante.api.paging import Lookahead, PageWalk, in_turn
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.proxy import Proxy
from ror_sante.http.rate import RateLimit
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import Timeouts
from ror_sante.pki.lent import load_intermediates
from ror_sante.settings import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from cryptography import x509

    from ror_sante.api.fhir.bundle import Bundle
    from ror_sante.api.fhir.search import SearchParams
    from ror_sante.api.origins import Links
    from ror_sante.api.paging import Reached
    from ror_sante.environments import Environment
    from ror_sante.http.clock import Clock
    from ror_sante.http.exchange import Answer
    from ror_sante.http.session import Presented
    from ror_sante.settings import Settings
    from ror_sante.tls.receipt import HandshakeReceipt

# Page "get-api-key" of 2026-06-30: 17 calls a second for an application, however many threads it has.
CALLS_PER_SECOND: Final = 17.0

_RESTARTS: Final = 3
_MOST_PAGES: Final = 200_000
_LOG: Final = logging.getLogger(__name__)


class AnnuaireSanteClient:
    """A client of the Annuaire Santé.

    The FHIR gateway stands under the public web authorities and knows us by an API key: the key goes to its origin
    alone, and our certificate never goes there. The extractions (`extractions`) stand under the IGC-Santé on another
    host, which never sees the key, and sees the certificate for restricted names alone.

    Example::

        with AnnuaireSanteClient(Environment.production(), api_key=key) as annuaire:
            for person in annuaire.search("Practitioner", {"identifier": "10001234567"}):
                print(person["name"])

    Args:
        environment: where the services answer.
        identity: our certificate, as for `SessionFactory`; opened for the first restricted extraction, and not before.
        api_key: the key of the FHIR gateway; None when it is not called.
        links: what to do with a next link that names another origin but the gateway's path: ``rebase`` it on the
            configured origin, or ``refuse`` it (`ror_sante.api.origins.OriginRule`).
        retry: when a call of the gateway is repeated; the extractions have a policy of their own, more patient.
        timeout: limits of one attempt.
        proxy: the HTTP proxy, named explicitly.
        pool_size: connections kept for each host; take the number of your threads.
        lend: intermediates for a server that forgets to send its own; they are no anchors.
        wide_tls12_hosts: hosts whose older TLS 1.2 suites are accepted.
        calls_per_second: how often the gateway is called at most; the quota of an application is 17.
        extractions: makes the client of the extractions, called once, when they are first used; None makes one of the
            arguments above, which knows the documented names.
        clock: tests move it.

    Raises:
        ConfigurationError: a key that cannot be one.
    """

    def __init__(
        self,
        environment: Environment,
        identity: Presented | None = None,
        *,
        api_key: str | None = None,
        links: Links = "rebase",
        retry: RetryPolicy | None = None,
        timeout: Timeouts | None = None,
        proxy: Proxy | str | None = None,
        pool_size: int = 32,
        lend: Iterable[x509.Certificate] = (),
        wide_tls12_hosts: Iterable[str] = (),
        calls_per_second: float = CALLS_PER_SECOND,
        extractions: Callable[[], ExtractionClient] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._environment = environment
        lend, wide, timeout = tuple(lend), frozenset(host.lower() for host in wide_tls12_hosts), timeout or Timeouts()
        self._gateway = Gateway(
            environment,
            None if api_key is None else checked_key(api_key),
            links=links,
            retry=retry or RetryPolicy(),
            timeout=timeout,
            proxy=proxy,
            pool_size=pool_size,
            lend=lend,
            wide_tls12_hosts=wide,
            # No burst: the quota holds in each second, and a full bucket would double it in the first.
            rate=RateLimit(calls_per_second, burst=1, clock=clock),
            clock=clock,
        )
        self._lookahead = Lookahead()
        self._doubted: set[str] = set()
        self._make_extractions = extractions or partial(
            ExtractionClient,
            environment,
            identity,
            timeout=timeout,
            proxy=proxy,
            lend=lend,
            wide_tls12_hosts=wide,
            clock=clock,
        )

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        identity: Presented | None = None,
        environment: Environment | None = None,
        api_key: str | None = None,
    ) -> Self:
        """Make a client from the settings file and variables.

        Args:
            settings: what `load_settings` gave.
            identity: as the constructor takes it; None opens the configured one for the first restricted extraction.
            environment: a place that replaces the configured one, such as the simulator's.
            api_key: a key that replaces the configured one.

        Raises:
            ConfigurationError: the key file cannot be read, or holds no key.
        """
        ours, network = settings.annuaire, settings.network
        if api_key is None and ours.api_key_file is not None:
            api_key = read_secret(ours.api_key_file)
        place = environment or settings.resolve_environment()
        return cls(
            place,
            identity,
            api_key=api_key,
            links=ours.links,
            retry=RetryPolicy(deadline=network.deadline),
            timeout=Timeouts(connect=network.connect_timeout, read=network.read_timeout),
            proxy=Proxy.from_settings(network),
            lend=load_intermediates(network.lend_intermediates),
            wide_tls12_hosts=network.wide_tls12_hosts,
            calls_per_second=ours.calls_per_second,
            extractions=partial(ExtractionClient.from_settings, settings, identity=identity, environment=place),
        )

    @property
    def environment(self) -> Environment:
        """Where this client calls."""
        return self._environment

    @property
    def fhir_base(self) -> str:
        """The base of the FHIR gateway, with no final slash.

        Raises:
            ConfigurationError: the environment has none.
        """
        return self._gateway.base

    @cached_property
    def extractions(self) -> ExtractionClient:
        """The other half of the service: the extraction downloads, on their own host and under their own trust.

        Closed with this client.

        Raises:
            ConfigurationError: the environment has no address of extractions.
        """
        return self._make_extractions()

    # -------------------------------------------------------------- the FHIR gateway

    def search(
        self,
        resource_type: str,
        params: SearchParams = (),
        *,
        max_results: int | None = None,
        included: bool = False,
        allow_truncated: bool = False,
    ) -> Generator[Resource, None, None]:
        """Search, and give the resources one by one over all pages.

        Active and deactivated records come alike; ``active=false`` marks the second (a Device has ``status``). When a
        next link has become too old, the search begins anew and no match comes twice.

        Args:
            resource_type: Practitioner, PractitionerRole, Organization, HealthcareService or Device.
            params: search parameters, encoded here and sent in their order (`ror_sante.api.fhir.search.encode`);
                `ror_sante.api.annuaire.words` makes those of the usual questions. One that is not documented is
                logged as a warning, once a client, and sent all the same. ``_count`` is 200 unless it is given.
            max_results: stop after this number of matches, with no further page fetched.
            included: also give the resources that ``_include`` and ``_revinclude`` brought, each once. The service
                does not mark them: those of the searched type count as matches.
            allow_truncated: take what there is when the service loses a part of the result.

        Returns:
            An iterator; nothing is sent before its first step. Its ``close()`` stops the search.

        Raises:
            ConfigurationError: an unknown resource type, a parameter that cannot be sent, no API key, no gateway.
            TruncatedResultError: fewer matches came than the service counts, or a further page was empty.
            AccessDeniedError: the key is missing, wrong, or not subscribed.
            ApiError: the service refused the search, or its answer broke off again and again.
            TransportError: the way to it failed.
        """
        check_most(max_results)
        walk = self._walk(resource_type, params, allow_truncated=allow_truncated, enough=max_results)
        return resources(self._lookahead.pages(walk), max_results, included=included)

    def pages(
        self,
        resource_type: str,
        params: SearchParams = (),
        *,
        allow_truncated: bool = False,
        prefetch: bool = True,
    ) -> Generator[Bundle, None, None]:
        """Search, and give the pages one by one; what earlier pages brought is left out.

        Args:
            resource_type: as in `search`.
            params: as in `search`.
            allow_truncated: as in `search`.
            prefetch: fetch the next page in a background thread while the caller works on this one.

        Raises:
            RorError: as in `search`.
        """
        walk = self._walk(resource_type, params, allow_truncated=allow_truncated)
        return self._lookahead.pages(walk) if prefetch else in_turn(walk)

    def scan(
        self, resource_type: str, params: SearchParams = (), *, reached: Reached | None = None
    ) -> Generator[Bundle, None, None]:
        """Search, and give the pages one by one to a job that keeps an account of its own.

        Nothing of what came is kept in memory, so the search never begins anew by itself; a job that notes the next
        link of each page can go on from there in another process. `ror_sante.sync.annuaire.mirror` is such a job.

        Args:
            resource_type: as in `search`.
            params: as in `search`.
            reached: how far an earlier scan with the same parameters came; None begins at the first page.

        Raises:
            NotFoundError: the next link has become too old: begin anew.
            RorError: as in `search`.
        """
        walk = self._walk(resource_type, params, allow_truncated=False, restarts=0, reached=reached)
        return self._lookahead.pages(walk)

    def read(self, resource_type: str, resource_id: str) -> Resource:
        """Read one resource by its technical id.

        Args:
            resource_type: as in `search`.
            resource_id: the ``id`` of the resource, such as ``003-137369``; no RPPS or FINESS number.

        Raises:
            ConfigurationError: no technical id.
            NotFoundError: there is no such resource.
            RorError: as in `search`.
        """
        check_type(resource_type)
        check_id(resource_id, hint='A number such as RPPS or FINESS is found by search: {"identifier": "10001234567"}.')
        return Resource.parse(self._gateway.document(f"{resource_type}/{resource_id}"), wanted=resource_type)

    def metadata(self) -> Resource:
        """Read what the server says it can do (``CapabilityStatement``).

        Raises:
            RorError: as in `search`.
        """
        return Resource.parse(self._gateway.document("metadata"), wanted="CapabilityStatement")

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
        """Send a request to the gateway: the raw way, for what this client does not wrap.

        The API key and ``Accept`` are added; `headers` wins over the second.

        Args:
            method: GET, HEAD, or POST for ``{type}/_search``: the gateway takes no other.
            path: from the root of the host and percent-encoded, such as ``/fhir/v2/metadata``; or a whole address on
                the gateway's origin.
            params: added to the query, encoded here.
            headers: further headers.
            body: sent as it is; give its ``Content-Type`` in `headers`, exactly
                ``application/x-www-form-urlencoded``.
            repeatable: whether a repetition does no harm; None decides by the method.

        Raises:
            ConfigurationError: another method or host, a path or header that cannot be sent, no API key.
            RorError: as in `search`.
        """
        return self._gateway.request(method, path, params=params, headers=headers, body=body, repeatable=repeatable)

    # -------------------------------------------------------------- life

    @property
    def receipts(self) -> tuple[HandshakeReceipt, ...]:
        """What was seen of the last connections to the gateway, the newest last."""
        return self._gateway.receipts

    def close(self) -> None:
        """Close every connection; a page on its way is waited for two seconds at most."""
        self._gateway.refuse()
        self._lookahead.settle(SETTLE)
        self._gateway.close()
        if "extractions" in vars(self):
            self.extractions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AnnuaireSanteClient {self._environment.name}>"

    # -------------------------------------------------------------- how a page is asked

    def _walk(
        self,
        resource_type: str,
        params: SearchParams,
        *,
        allow_truncated: bool,
        enough: int | None = None,
        restarts: int = _RESTARTS,
        reached: Reached | None = None,
    ) -> PageWalk:
        check_type(resource_type)
        given = pairs(params)
        self._warn(resource_type, given)
        if not any(name == "_count" for name, _ in given):
            given.append(("_count", str(PAGE_SIZE)))
        return PageWalk(
            self._gateway.page,
            f"{self.fhir_base}/{resource_type}?{encode(given)}",
            resource_type,
            follow=self._gateway.rule.follow,
            allow_truncated=allow_truncated,
            enough=enough,
            page_limit=_MOST_PAGES,
            complete=Counted(reached.total if reached else None),
            restarts=restarts,
            reached=reached,
        )

    def _warn(self, resource_type: str, given: list[tuple[str, str]]) -> None:
        """Log what is doubtful before the server refuses it; each doubt once."""
        for doubt in doubts(resource_type, given):
            if doubt not in self._doubted:
                self._doubted.add(doubt)
                _LOG.warning("%s", doubt)
