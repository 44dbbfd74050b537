"""The ladder of the national ROR: trust, certificate, connection, token, answers, clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from ror_sante.api.national import NationalRorClient
from ror_sante.diagnosis import reach
from ror_sante.diagnosis.clock import DateReader
from ror_sante.diagnosis.ladders.ladder import Ladder, Rung, Service
from ror_sante.diagnosis.ladders.own import OwnSide
from ror_sante.diagnosis.ladders.way import Target, Way, is_wide
from ror_sante.diagnosis.rights import hidden
from ror_sante.diagnosis.rung import Seen, ok, skipped, warn
from ror_sante.environments import WEB_PKI, ApplicationService
from ror_sante.errors import ConfigurationError, printable
from ror_sante.http.auth import ClientCredentials
from ror_sante.http.exchange import Exchange
from ror_sante.http.proxy import Proxy
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts
from ror_sante.pki.lent import load_intermediates
from ror_sante.settings import read_secret
from ror_sante.tls.adapter import Origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from ror_sante.diagnosis.ladders.ladder import Ground
    from ror_sante.diagnosis.route import Route
    from ror_sante.environments import Coding
    from ror_sante.http.exchange import Sender
    from ror_sante.http.session import RorSession
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.pki.source import IdentitySource
    from ror_sante.settings import RornSettings

T = TypeVar("T")

RORN: Final = "rorn"
_TITLE: Final = "National ROR"
_SEARCH: Final = ("HealthcareService", (("_count", "1"),))
_SKEW_LIMIT: Final = timedelta(seconds=60)
ANSWERS: Final = ("token", "pushed", "server chain")


def ladder(ground: Ground) -> Ladder:
    """Make the ladder of the national ROR."""
    return National(ground, source=ground.source(RORN), service=ApplicationService.RORN).ladder()


class National:
    """One run: what the lower rungs found, for the higher ones.

    Args:
        ground: environment, account in ``settings.rorn``, time.
        source: where our certificate comes from; None when the account has none.
        service: whose recommended CN is expected.
    """

    def __init__(self, ground: Ground, *, source: IdentitySource | None, service: ApplicationService) -> None:
        self._ground = ground
        self._environment = ground.environment
        self._rorn = ground.settings.rorn
        self._network = ground.settings.network
        self._token_words = self._environment.token_anchors or self._environment.anchors
        self._api_words = self._environment.api_anchors or self._environment.anchors
        self._own = OwnSide(
            ground,
            source,
            service=service,
            hosts=(self._token_words, self._api_words),
            own=self._own_words,
        )
        self._hosts = self._reached()
        self._way = Way(self._own, self._targets(), network=self._network, lang=ground.lang)
        self._clock: DateReader | None = None
        self._client: NationalRorClient | None = None
        self._sessions: list[RorSession] = []
        self._closing: list[Callable[[], None]] = []

    def ladder(self) -> Ladder:
        """Give the ladder of this service alone."""
        return Ladder(
            service=RORN,
            title=_TITLE,
            environment=self._environment.name,
            rungs=self._rungs(),
            close=self.close,
            routes=self.routes,
        )

    def rungs(self, column: str = "") -> tuple[Rung, ...]:
        """Give the rungs as one column among others."""
        return tuple(replace(rung, column=column) for rung in self._rungs())

    def _rungs(self) -> tuple[Rung, ...]:
        token, api = self._hosts[0], self._hosts[-1]
        return self._way.explained(
            (
                *self._own.rungs(),
                *self._way.rungs(),
                Rung("token", self._token, needs=("pushed", "server chain"), column=_column(token)),
                Rung("metadata", self._metadata, needs=ANSWERS, column=_column(api)),
                Rung("search", self._search, needs=ANSWERS, column=_column(api)),
                Rung("clock", self._clock_rung, after=("token",)),
                *self._own.rehearsal(self._rehearsed, column=_column(token)),
            )
        )

    def routes(self) -> tuple[Route, ...]:
        """Give what was seen on the way to each host."""
        by_client = () if self._client is None else self._client.receipts
        return self._way.routes([*(one for session in self._sessions for one in session.receipts), *by_client])

    def close(self) -> None:
        """Close what the rungs opened."""
        for close in self._closing:
            close()

    # -------------------------------------------------------------- the way

    def _targets(self) -> tuple[Target, ...]:
        return tuple(Target(host, _column(host)) for host in self._hosts)

    def _reached(self) -> tuple[reach.Host, ...]:
        """Name the servers to try: one when token and API share origin and trust."""
        token, api = Origin.of(self._environment.token_url), Origin.of(self._environment.api_url)
        if token == api and self._token_words == self._api_words:
            return (reach.Host(token, "", self._token_words, shown=True, via=None),)
        to_api = self._rorn.present_certificate_to_api and WEB_PKI not in self._api_words
        return (
            reach.Host(token, "token", self._token_words, shown=True, via=None),
            reach.Host(api, "API", self._api_words, shown=to_api, via=None),
        )

    @property
    def _own_words(self) -> tuple[str, ...]:
        """The roots of our own chain, which the public web authorities never are."""
        return tuple(word for word in self._environment.anchors if word != WEB_PKI) or self._token_words

    # -------------------------------------------------------------- the answers

    def _token(self) -> Seen:
        account = _Account.of(self._rorn)
        session = self._token_session(self._own.identity)
        self._clock = DateReader(session)
        self._ask_for_token(self._clock, account)
        self._client = NationalRorClient(
            self._environment,
            self._own.identity,
            client_id=account.client_id,
            profile=account.profile,
            role=account.role,
            client_secret=account.client_secret,
            scope=self._rorn.scope,
            present_certificate_to_api=self._rorn.present_certificate_to_api,
            retry=RetryPolicy.none(),
            timeout=self._timeouts,
            proxy=Proxy.from_settings(self._network),
            lend=load_intermediates(self._network.lend_intermediates),
            wide_tls12_hosts=self._network.wide_tls12_hosts,
            links=self._rorn.links,
            at=self._ground.at,
        )
        self._closing.append(self._client.close)
        return ok(f"{self._told_token(account)} from {Origin.of(self._environment.token_url).host}")

    def _rehearsed(self, identity: ClientIdentity) -> str:
        account = _Account.of(self._rorn)
        self._ask_for_token(self._token_session(identity), account)
        return f"{self._told_token(account)} with the next certificate too"

    def _token_session(self, identity: ClientIdentity | None) -> RorSession:
        factory = SessionFactory(
            identity,
            self._own.anchors(self._token_words),
            timeout=self._timeouts,
            proxy=Proxy.from_settings(self._network),
            at=self._ground.at,
            identity_anchor=self._own.own_anchors,
            lend=load_intermediates(self._network.lend_intermediates),
            wide_tls12=is_wide(self._network, Origin.of(self._environment.token_url)),
        )
        session = factory.session(self._environment.token_url)
        self._sessions.append(session)
        self._closing.append(session.close)
        return session

    def _ask_for_token(self, sender: Sender, account: _Account) -> None:
        tokens = ClientCredentials(
            Exchange(sender, retry=RetryPolicy.none(), timeout=self._timeouts),
            self._environment.token_url,
            client_id=account.client_id,
            client_secret=account.client_secret,
            scope=self._rorn.scope,
        )
        tokens.token(remaining=self._network.deadline)

    def _told_token(self, account: _Account) -> str:
        return f"{printable(account.client_id, 60)} gets a token"

    @property
    def client(self) -> NationalRorClient:
        """Give the client that the rung ``token`` made."""
        assert self._client is not None  # noqa: S101  the rung "token" made it, and its need is checked
        return self._client

    def _metadata(self) -> Seen:
        statement = self.client.metadata()
        software = statement.get("software")
        named = software if isinstance(software, dict) else {}
        told = " ".join(printable(named[key], 40) for key in ("name", "version") if named.get(key))
        version = printable(statement.get("fhirVersion") or "", 20) or "of an unknown version"
        return ok(f"FHIR {version}" + (f", {told}" if told else ""))

    def _search(self) -> Seen:
        page = next(self.client.pages(*_SEARCH, allow_truncated=True, prefetch=False))
        if not page.matches:
            return warn(
                "HealthcareService?_count=1 answers, and gives no care service",
                "The account may see none: ask ANS which rights its access profile has.",
            )
        total = "an unknown number" if page.total is None else str(page.total)
        told = f"HealthcareService?_count=1 gives {page.matches[0].type}/{printable(page.matches[0].id, 64)} of {total}"
        for found in hidden(page, lang=self._ground.lang):
            return warn(f"{told}; {found.evidence}", f"{found.title}. {found.next_step}")
        return ok(told)

    def _clock_rung(self) -> Seen:
        return told_clock(None if self._clock is None else self._clock.skew)

    @property
    def _timeouts(self) -> Timeouts:
        return Timeouts(connect=self._network.connect_timeout, read=self._network.read_timeout)


def told_clock(skew: timedelta | None) -> Seen:
    """Say how far our clock is from a server's.

    Args:
        skew: how far the server's clock is ahead of ours; None when no answer told it.
    """
    if skew is None:
        return skipped("no answer told the server's time")
    seconds = abs(skew.total_seconds())
    if abs(skew) <= _SKEW_LIMIT:
        return ok(f"ours and the server's agree within {max(1, round(seconds))} s")
    return warn(
        f"ours is {round(seconds)} s {'behind' if skew > timedelta() else 'ahead of'} the server's",
        "Set this machine's clock by NTP: tokens and certificates are judged by time.",
    )


def _column(host: reach.Host) -> str:
    return host.label if host.use else ""


@dataclass(frozen=True)
class _Account:
    """The account, complete."""

    client_id: str
    profile: Coding
    role: Coding
    client_secret: str | None = field(repr=False)

    @classmethod
    def of(cls, rorn: RornSettings) -> Self:
        return cls(
            _needed(rorn.client_id, "client_id"),
            _needed(rorn.profile, "profile"),
            _needed(rorn.role, "role"),
            None if rorn.client_secret_file is None else read_secret(rorn.client_secret_file),
        )


def _needed(value: T | None, key: str) -> T:
    if not value:
        raise ConfigurationError(
            f"rorn.{key} is missing", hint=f"ANS gives it with the client account: set {key} in the table [rorn]."
        )
    return value


NATIONAL: Final = Service(title=_TITLE, ladder=ladder)
