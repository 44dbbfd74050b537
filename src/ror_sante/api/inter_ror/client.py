"""The inter-ROR search: one question to all regions, through the national service or each region's own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, TypeVar

from ror_sante.api.asking import type_of
from ror_sante.api.fhir.search import encode, pairs
from ror_sante.api.inter_ror.fan import FanOut, Limits, Task
from ror_sante.api.inter_ror.places import opened
from ror_sante.api.inter_ror.regions import ALL, check_untold, chosen, region_filter
from ror_sante.api.inter_ror.search import RegionalSearch
from ror_sante.api.nos import REGIONS, region_code
from ror_sante.api.query import Query
from ror_sante.errors import ConfigurationError, RorError
from ror_sante.http.breaker import CircuitBreaker
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.retry import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from ror_sante.api.fhir.search import SearchParams
    from ror_sante.api.inter_ror.account import RegionAccount
    from ror_sante.api.inter_ror.regions import Dialect
    from ror_sante.api.national import NationalRorClient
    from ror_sante.api.paging import PageWalk
    from ror_sante.environments import Environment
    from ror_sante.http.clock import Clock
    from ror_sante.http.session import Presented
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.settings import Settings
    from ror_sante.tls.receipt import HandshakeReceipt

T = TypeVar("T")
_FAILURES: Final = 3  # in a row, until a region is left alone
_REST: Final = 30.0  # seconds that it is left alone


class InterRorClient:
    """A client of the inter-ROR search.

    A region is asked at its own FHIR endpoint where there is one in `regions`, each with its own certificate, trust
    and token; else the national service is asked with a filter for that region.

    Example::

        with InterRorClient.from_settings(load_settings()) as ror:
            result = ror.search("HealthcareService", {"name": "cardio"}, regions="Bretagne,11").result()
        for row in result:
            print(row.regions, row.resource["name"])
        for region in result.account:
            print(region.name, region.outcome, region.message)

    Args:
        national: a client of the national service; None asks only the regions that have an endpoint of their own.
        regions: by name or code, a client of the region's own endpoint (a `NationalRorClient` with an
            `Environment` that names it); or an error that tells why there is none.
        dialect: how the national service is told the region: ``tag`` (``_tag``, exposure model 3.0), or
            ``code-region`` (``location:code-region``, exposure model 2.4).
        limits: how long a region and the whole search may take, and how many regions are asked at once.
        clock: tests move it.

    The clients that are given are closed with this one.

    Raises:
        ConfigurationError: a region that is none, or that is named twice.
    """

    def __init__(
        self,
        national: NationalRorClient | None = None,
        regions: Mapping[str, NationalRorClient | RorError] | None = None,
        *,
        dialect: Dialect = "tag",
        limits: Limits | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._national = national
        self._regions = _by_code(regions or {})
        self._dialect = dialect
        self._limits = limits or Limits()
        self._clock = clock
        self._budgets = {code: RetryBudget() for code in REGIONS}
        self._breakers = {code: CircuitBreaker(failures=_FAILURES, rest=_REST, clock=clock) for code in REGIONS}
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        identity: Presented | None = None,
        environment: Environment | None = None,
        ask: Callable[[str], str] | None = None,
    ) -> Self:
        """Make a client from ``[inter_ror]``, ``[inter_ror.regions.NN]`` and what they take from ``[rorn]``.

        A region whose certificate or account cannot be used does not keep the others from being asked: it is
        accounted for in every search.

        Args:
            settings: what `load_settings` gave.
            identity: a certificate already open, or where it comes from, for every region that names none of its own;
                None opens the configured ones and follows their renewal.
            environment: a place that replaces the configured one, such as the simulator's.
            ask: takes the name of a file and asks a person for its passphrase, when the settings hold none.

        Raises:
            ConfigurationError: ``protocol = "csd"``, a table whose name is no region, or an address that is none.
        """
        table = settings.inter_ror
        codes = _by_code({name: name for name in table.regions})
        national, regions = opened(settings, codes, identity=identity, environment=environment, ask=ask)
        return cls(
            national,
            regions,
            dialect=table.dialect,
            limits=Limits(table.region_timeout, table.deadline, table.at_once),
        )

    @property
    def identities(self) -> tuple[ClientIdentity, ...]:
        """The certificates in force, each once: that of the national service, then those of the regions."""
        clients = [one for one in (self._national, *self._regions.values()) if not isinstance(one, RorError)]
        held = [client.identity for client in clients if client is not None]
        return tuple({one.thumbprint: one for one in held if one is not None}.values())

    def search(
        self,
        resource_type: str | Query,
        params: SearchParams = (),
        *,
        regions: str | Iterable[str] = ALL,
        max_results: int | None = None,
        included: bool = False,
        region_timeout: float | None = None,
        deadline: float | None = None,
    ) -> RegionalSearch:
        """Search in several regions at the same time.

        A region that fails, is late or refuses is no error here: the account tells of it.

        Args:
            resource_type: as in `NationalRorClient.search`; the same queries serve.
            params: as there. The regions are not said here.
            regions: ``all``, or names and INSEE codes: ``"11"``, ``["Bretagne", "01"]``, ``"11,Bretagne"``.
            max_results: stop in each region after this number of matches.
            included: also give what ``_include`` and ``_revinclude`` brought; it stays with its region.
            region_timeout: seconds for one region; None takes the client's limit.
            deadline: seconds for the whole search; None takes the client's limit.

        Returns:
            The search, which has not begun.

        Raises:
            ConfigurationError: no such region, type or parameter; nothing was sent.
        """
        if max_results is not None and max_results < 1:
            raise ConfigurationError("max_results of an inter-ROR search is 1 or more")
        codes = chosen(regions)
        searched_type = type_of(resource_type, params)
        given = pairs(resource_type.params if isinstance(resource_type, Query) else params)
        check_untold(given)
        encode(given)
        query = resource_type if isinstance(resource_type, Query) else params if isinstance(params, Query) else None
        limits = Limits(
            self._limits.region if region_timeout is None else region_timeout,
            self._limits.deadline if deadline is None else deadline,
            self._limits.at_once,
        )

        def task(code: str) -> Task:
            def walk(left: Callable[[], float]) -> PageWalk:
                client, also = self._way(code, searched_type)
                return client.walk(
                    searched_type if query is None else query,
                    given if query is None else (),
                    also=also,
                    allow_truncated=True,
                    enough=max_results,
                    left=left,
                    budget=self._budgets[code],
                )

            return Task(code, walk, self._breakers[code], max_results)

        # The quick ones first: their rows are the first to come.
        tasks = [task(code) for code in sorted(codes, key=lambda code: (self._seconds.get(code, 0.0), code))]
        return RegionalSearch(FanOut(tasks, limits, self._clock, self._note), included=included)

    def client_of(self, region: str) -> NationalRorClient:
        """Give the client by which a region is asked.

        Args:
            region: its name or code.

        Raises:
            ConfigurationError: there is none.
            RorError: why it could not be opened.
        """
        code = region_code(region)
        found = self._regions.get(code, self._national)
        if found is None:
            raise ConfigurationError(
                f"no service is configured for {REGIONS[code]} ({code})",
                hint=f"Name its base_url in [inter_ror.regions.{code}], or let national = true in [inter_ror] ask the "
                "national service.",
            )
        if isinstance(found, RorError):
            raise found
        return found

    @property
    def receipts(self) -> tuple[HandshakeReceipt, ...]:
        """What was seen of the last connections of each client, the national one first."""
        return tuple(receipt for client in self._clients() for receipt in client.receipts)

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients():
            client.close()

    def _clients(self) -> list[NationalRorClient]:
        every = (self._national, *self._regions.values())
        return [client for client in every if client is not None and not isinstance(client, RorError)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        by = "nobody" if self._national is None else repr(self._national)
        return f"<InterRorClient {len(self._regions)} regions of their own, else {by}>"

    def _way(self, code: str, searched_type: str) -> tuple[NationalRorClient, tuple[tuple[str, str], ...]]:
        """Give the client of a region, and the filter that keeps it to that region: its own service needs none."""
        client = self.client_of(code)
        if code in self._regions:
            return client, ()
        return client, (region_filter(code, searched_type, self._dialect),)

    def _note(self, account: RegionAccount) -> None:
        with self._lock:
            self._seconds[account.code] = account.seconds


def _by_code(named: Mapping[str, T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, value in named.items():
        code = region_code(name)
        if code in found:
            raise ConfigurationError(f"the region {REGIONS[code]} ({code}) is named twice")
        found[code] = value
    return found
