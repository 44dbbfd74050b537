"""Climb from the settings to one real search of the national ROR, and say at which rung it stops."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from ror_sante.api.national import NationalRorClient
from ror_sante.diagnosis import ours, reach
from ror_sante.diagnosis.clock import DateReader
from ror_sante.diagnosis.report import Check, Outcome, SmokeReport
from ror_sante.diagnosis.rung import Seen, failed, joined, ok, skipped, warn
from ror_sante.environments import WEB_PKI
from ror_sante.errors import ConfigurationError, RorError, printable
from ror_sante.http.auth import ClientCredentials
from ror_sante.http.exchange import Exchange
from ror_sante.http.proxy import Proxy
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts
from ror_sante.pki.anchor import load_anchors
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.lent import load_intermediates
from ror_sante.settings import NetworkSettings, read_secret
from ror_sante.tls.adapter import Origin
from ror_sante.tls.context import build_context
from ror_sante.tls.probe import Via, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from ror_sante.environments import Coding, Environment
    from ror_sante.errors import Finding
    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.settings import RornSettings, Settings
    from ror_sante.tls.probe import Probe

T = TypeVar("T")

# Each rung, and those it stands on. One whose need does not hold is skipped: its failure would say nothing new.
# A certificate found bad is never sent, but names and ports are tried all the same.
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "trust": (),
    "p12": (),
    "chain": ("trust", "p12"),
    "product": ("trust", "p12"),
    "dates": ("trust", "p12"),
    "environment": ("trust", "p12"),
    "name": ("trust", "p12"),
    "dns": ("trust",),
    "tcp": ("dns",),
    "tls": ("trust", "p12", "chain", "product", "dates", "environment", "tcp"),
    "pushed": ("tls",),
    "server chain": ("tls",),
    "token": ("pushed", "server chain"),
    "metadata": ("token",),
    "search": ("token",),
    "clock": (),
}
RUNGS: Final = tuple(_NEEDS)

_SEARCH: Final = ("HealthcareService", (("_count", "1"),))
_HTTP_PORT: Final = 80
_SKEW_LIMIT: Final = timedelta(seconds=60)
_NO_CERTIFICATE: Final = "access profile 0 has a client_secret and no certificate"


class SmokeTest:
    """The ladder for the national ROR: trust, certificate, connection, token, answers, clock.

    Args:
        environment: where to call.
        identity: gives our certificate when its rung comes; None for access profile 0, which has a secret.
        rorn: the account.
        network: proxy and time limits; nothing is tried twice.
        at: the time at which the certificate is judged; None reads the clock.
    """

    def __init__(
        self,
        environment: Environment,
        identity: Callable[[], ClientIdentity] | None,
        *,
        rorn: RornSettings,
        network: NetworkSettings | None = None,
        at: datetime | None = None,
    ) -> None:
        self._environment = environment
        self._identity = identity
        self._rorn = rorn
        self._network = network or NetworkSettings()
        self._at = at

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        environment: Environment | None = None,
        ask: Callable[[], str] | None = None,
        at: datetime | None = None,
    ) -> Self:
        """Make the test from the settings.

        Args:
            settings: what `load_settings` gave.
            environment: a place that replaces the configured one, such as the simulator's.
            ask: asks a person for the passphrase when the settings hold none.
            at: as in the constructor.

        Raises:
            ConfigurationError: the environment cannot be resolved.
        """

        def identity() -> ClientIdentity:
            return ClientIdentity.from_settings(settings.identity_for("rorn"), ask=ask)

        return cls(
            environment or settings.resolve_environment(),
            None if settings.rorn.client_secret_file else identity,
            rorn=settings.rorn,
            network=settings.network,
            at=at,
        )

    def run(self, on_check: Callable[[Check], None] | None = None) -> SmokeReport:
        """Climb, and tell what each rung saw.

        Args:
            on_check: called with each rung as soon as it is done.

        Returns:
            All rungs, in their order. What fails is in the report; nothing is raised for it.
        """
        climb = _Climb(
            self._environment,
            self._identity,
            rorn=self._rorn,
            network=self._network,
            at=self._at or datetime.now(UTC),
        )
        checks = []
        try:
            for name in RUNGS:
                checks.append(climb.check(name))
                if on_check is not None:
                    on_check(checks[-1])
        finally:
            climb.close()
        return SmokeReport(service="rorn", environment=self._environment.name, checks=tuple(checks))


class _Climb:
    """One run of the ladder: what the lower rungs found, for the higher ones."""

    def __init__(
        self,
        environment: Environment,
        loader: Callable[[], ClientIdentity] | None,
        *,
        rorn: RornSettings,
        network: NetworkSettings,
        at: datetime,
    ) -> None:
        self.environment = environment
        self.loader = loader
        self.rorn = rorn
        self.network = network
        self.at = at
        self.reasons: dict[str, str] = {}
        self.anchors: dict[tuple[str, ...], tuple[TrustAnchor, ...]] = {}
        self.identity: ClientIdentity | None = None
        self.findings: dict[str, list[Finding]] = {}
        self.proxy: Proxy | None = None
        self.probes: dict[reach.Host, Probe] = {}
        self.clock: DateReader | None = None
        self.client: NationalRorClient | None = None
        self.closing: list[Callable[[], None]] = []

    def check(self, name: str) -> Check:
        """Climb one rung; an error of our tree is its failure."""
        start = time.perf_counter()
        try:
            seen = self._blocked(name) or getattr(self, "rung_" + name.replace(" ", "_"))()
        except RorError as error:
            seen = failed(error)
        if seen.outcome is Outcome.FAIL:
            self.reasons[name] = f"needs {name}, which failed"
        return Check(
            name=name,
            outcome=seen.outcome,
            detail=seen.detail,
            hint=seen.hint,
            seconds=time.perf_counter() - start if seen.seconds is None else seen.seconds,
            family=seen.family,
        )

    def close(self) -> None:
        """Close every connection."""
        for close in self.closing:
            close()

    def _blocked(self, name: str) -> Seen | None:
        reason = next((self.reasons[need] for need in _NEEDS[name] if need in self.reasons), None)
        if reason is None:
            return None
        self.reasons[name] = reason
        return skipped(reason)

    # -------------------------------------------------------------- our side

    def rung_trust(self) -> Seen:
        words = dict.fromkeys([*self._token_words, *self._api_words])
        for group in {self._token_words, self._api_words, self._own_words}:
            self.anchors[group] = load_anchors(group)
        for group in (self._token_words, self._api_words):
            build_context(None, self.anchors[group])  # refuses a process whose TLS was tampered with
        every = {
            anchor.sha256: anchor for group in (self._token_words, self._api_words) for anchor in self.anchors[group]
        }
        return ours.trust(tuple(every.values()), words=words)

    def rung_p12(self) -> Seen:
        if self.loader is None:
            return skipped(_NO_CERTIFICATE)
        self.identity = self.loader()
        anchors = self.anchors.get(self._own_words)
        if anchors:
            findings = self.identity.verify(anchors, at=self.at, service=ours.SERVICE, test=self.environment.test)
            self.findings = ours.by_rung(findings)
        return ours.opened(self.identity, self._of("p12"))

    def rung_chain(self) -> Seen:
        return self._about_identity(lambda identity: ours.chain(identity, self._of("chain")))

    def rung_product(self) -> Seen:
        return self._about_identity(lambda _: ours.product(self._of("product")))

    def rung_dates(self) -> Seen:
        return self._about_identity(lambda identity: ours.dates(identity, self._of("dates"), at=self.at))

    def rung_environment(self) -> Seen:
        return self._about_identity(lambda _: ours.environment(self._of("environment"), test=self.environment.test))

    def rung_name(self) -> Seen:
        return self._about_identity(lambda identity: ours.name(identity, self._of("name")))

    def _about_identity(self, look: Callable[[ClientIdentity], Seen]) -> Seen:
        return skipped(_NO_CERTIFICATE) if self.identity is None else look(self.identity)

    def _of(self, name: str) -> list[Finding]:
        return self.findings.get(name, [])

    # -------------------------------------------------------------- the way

    def rung_dns(self) -> Seen:
        self.proxy = Proxy.from_settings(self.network)
        lend = load_intermediates(self.network.lend_intermediates)
        for host in self._hosts():
            self.probes[host] = probe(
                host.origin,
                self.identity if host.shown and self._identity_holds else None,
                self.anchors[host.anchors],
                via=host.via,
                timeout=self.network.connect_timeout,
                lend=lend,
                wide_tls12=host.wide,
            )
        return self._each(reach.dns)

    def rung_tcp(self) -> Seen:
        return self._each(reach.tcp)

    def rung_tls(self) -> Seen:
        return self._each(reach.tls)

    def rung_pushed(self) -> Seen:
        return self._each(reach.pushed)

    def rung_server_chain(self) -> Seen:
        return self._each(reach.server_chain)

    def _each(self, look: Callable[[reach.Host, Probe], Seen]) -> Seen:
        return joined(look(host, probe) for host, probe in self.probes.items())

    def _hosts(self) -> list[reach.Host]:
        """Name the servers to try: one when token and API share origin and trust."""
        token, api = Origin.of(self.environment.token_url), Origin.of(self.environment.api_url)
        apart = token != api or self._token_words != self._api_words
        to_api = self.rorn.present_certificate_to_api and WEB_PKI not in self._api_words
        hosts = [self._host(token, "token" if apart else "", self._token_words, shown=True)]
        if apart:
            hosts.append(self._host(api, "API", self._api_words, shown=to_api))
        return hosts

    def _host(self, origin: Origin, use: str, words: tuple[str, ...], *, shown: bool) -> reach.Host:
        wide = self._is_wide(origin)
        return reach.Host(origin, use, words, shown=shown, via=self._via(origin), wide=wide)

    def _is_wide(self, origin: Origin) -> bool:
        return origin.host in {name.lower() for name in self.network.wide_tls12_hosts}

    def _via(self, origin: Origin) -> Via | None:
        if self.proxy is None or not self.proxy.serves(origin.host):
            return None
        parts = urlsplit(self.proxy.url)
        return Via(str(parts.hostname), parts.port or _HTTP_PORT, self.proxy.authorization)

    @property
    def _identity_holds(self) -> bool:
        return not {"p12", "chain", "product", "dates", "environment"} & self.reasons.keys()

    @property
    def _token_words(self) -> tuple[str, ...]:
        return self.environment.token_anchors or self.environment.anchors

    @property
    def _api_words(self) -> tuple[str, ...]:
        return self.environment.api_anchors or self.environment.anchors

    @property
    def _own_words(self) -> tuple[str, ...]:
        """The roots of our own chain, which the public web authorities never are."""
        return tuple(word for word in self.environment.anchors if word != WEB_PKI) or self._token_words

    # -------------------------------------------------------------- the answers

    def rung_token(self) -> Seen:
        account = _Account.of(self.rorn)
        lend = load_intermediates(self.network.lend_intermediates)
        factory = SessionFactory(
            self.identity,
            self.anchors[self._token_words],
            timeout=self._timeouts,
            proxy=self.proxy,
            at=self.at,
            identity_anchor=self.anchors[self._own_words],
            lend=lend,
            wide_tls12=self._is_wide(Origin.of(self.environment.token_url)),
        )
        session = factory.session(self.environment.token_url)
        self.closing.append(session.close)
        self.clock = DateReader(session)
        tokens = ClientCredentials(
            Exchange(self.clock, retry=RetryPolicy.none(), timeout=self._timeouts),
            self.environment.token_url,
            client_id=account.client_id,
            client_secret=account.client_secret,
            scope=self.rorn.scope,
        )
        tokens.token(remaining=self.network.deadline)
        self.client = NationalRorClient(
            self.environment,
            self.identity,
            client_id=account.client_id,
            profile=account.profile,
            role=account.role,
            client_secret=account.client_secret,
            scope=self.rorn.scope,
            present_certificate_to_api=self.rorn.present_certificate_to_api,
            retry=RetryPolicy.none(),
            timeout=self._timeouts,
            proxy=self.proxy,
            lend=lend,
            wide_tls12_hosts=self.network.wide_tls12_hosts,
            links=self.rorn.links,
            at=self.at,
        )
        self.closing.append(self.client.close)
        return ok(f"{printable(account.client_id, 60)} gets a token from {Origin.of(self.environment.token_url).host}")

    @property
    def _api(self) -> NationalRorClient:
        assert self.client is not None  # noqa: S101  the rung "token" made it, and its need is checked
        return self.client

    def rung_metadata(self) -> Seen:
        statement = self._api.metadata()
        software = statement.get("software")
        named = software if isinstance(software, dict) else {}
        told = " ".join(printable(named[key], 40) for key in ("name", "version") if named.get(key))
        version = printable(statement.get("fhirVersion") or "", 20) or "of an unknown version"
        return ok(f"FHIR {version}" + (f", {told}" if told else ""))

    def rung_search(self) -> Seen:
        page = next(self._api.pages(*_SEARCH, allow_truncated=True, prefetch=False))
        if not page.matches:
            return warn(
                "HealthcareService?_count=1 answers, and gives no care service",
                "The account may see none: ask ANS which rights its access profile has.",
            )
        total = "an unknown number" if page.total is None else str(page.total)
        return ok(
            f"HealthcareService?_count=1 gives {page.matches[0].type}/{printable(page.matches[0].id, 64)} of {total}"
        )

    def rung_clock(self) -> Seen:
        skew = None if self.clock is None else self.clock.skew
        if skew is None:
            return skipped("no answer told the server's time")
        seconds = abs(skew.total_seconds())
        if abs(skew) <= _SKEW_LIMIT:
            return ok(f"ours and the server's agree within {max(1, round(seconds))} s")
        return warn(
            f"ours is {round(seconds)} s {'behind' if skew > timedelta() else 'ahead of'} the server's",
            "Set this machine's clock by NTP: tokens and certificates are judged by time.",
        )

    @property
    def _timeouts(self) -> Timeouts:
        return Timeouts(connect=self.network.connect_timeout, read=self.network.read_timeout)


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
