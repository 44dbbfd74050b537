"""The two sides of the national ROR: the token host and the API host, each with its own trust and its own session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ror_sante.api.fhir.outcome import judge
from ror_sante.environments import WEB_PKI
from ror_sante.errors import ConfigurationError
from ror_sante.http.auth import ClientCredentials
from ror_sante.http.exchange import Exchange
from ror_sante.http.session import SessionFactory, hold
from ror_sante.pki.anchor import load_anchors
from ror_sante.tls.adapter import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography import x509

    from ror_sante.environments import Environment
    from ror_sante.http.clock import Clock
    from ror_sante.http.holder import Holder
    from ror_sante.http.proxy import Proxy
    from ror_sante.http.rate import RateLimit
    from ror_sante.http.retry import RetryPolicy
    from ror_sante.http.session import Presented, RorSession, Timeouts
    from ror_sante.pki.anchor import TrustAnchor


@dataclass(frozen=True, kw_only=True)
class Account:
    """The OAuth 2 client that ANS registered.

    Attributes:
        client_id: one an environment and a role.
        client_secret: for access profile 0 alone.
        scope: sent to the token endpoint only when set.
    """

    client_id: str
    client_secret: str | None = field(repr=False)
    scope: str | None


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the hosts are reached, the same for both.

    Attributes:
        retry: when a call is repeated.
        timeout: limits of one attempt.
        proxy: the HTTP proxy, named explicitly.
        lend: intermediates for a server that forgets to send its own.
        wide_tls12_hosts: hosts whose older TLS 1.2 suites are accepted.
        pool_size: connections kept for each host.
        rate: how often each host is called.
        clock: of waits and expiries.
    """

    retry: RetryPolicy
    timeout: Timeouts
    proxy: Proxy | str | None
    lend: Iterable[x509.Certificate]
    wide_tls12_hosts: Iterable[str]
    pool_size: int
    rate: RateLimit
    clock: Clock


@dataclass(frozen=True)
class Sides:
    """What a client of the national ROR calls with.

    Attributes:
        held: our certificate, followed when it is renewed.
        sessions: of the token host, and of the API host.
        exchange: sends calls to the API host, with a token.
    """

    held: Holder
    sessions: tuple[RorSession, RorSession]
    exchange: Exchange


def two_sides(
    environment: Environment,
    identity: Presented | None,
    account: Account,
    way: Way,
    *,
    present_certificate_to_api: bool,
    at: datetime | None,
) -> Sides:
    """Prepare both sides; nothing is sent yet.

    Args:
        environment: where the services answer.
        identity: our certificate, or None for access profile 0.
        account: what the token endpoint is told.
        way: how the hosts are reached.
        present_certificate_to_api: show the certificate to the API host too; never to one under `WEB_PKI`.
        at: the time at which the certificate is judged; None is now.

    Raises:
        ConfigurationError: certificate and secret contradict each other, or the anchors cannot be had.
        IdentityError: the certificate cannot be used.
    """
    _check_account(environment, identity, account.client_secret)
    own_roots = () if identity is None else _identity_anchor(environment)
    held = hold(identity, own_roots, clock=way.clock, at=at)
    token_words, api_words = _token_anchors(environment), environment.api_anchors or environment.anchors
    shown_to_api = present_certificate_to_api and WEB_PKI not in api_words

    lend, wide_hosts = tuple(way.lend), {name.lower() for name in way.wide_tls12_hosts}

    def factory(words: tuple[str, ...], shown: bool, wide: bool) -> SessionFactory:
        return SessionFactory(
            held,
            load_anchors(words),
            retry=way.retry,
            timeout=way.timeout,
            proxy=way.proxy,
            pool_size=way.pool_size,
            lend=lend,
            wide_tls12=wide,
            rate=way.rate,
            clock=way.clock,
            present=shown,
        )

    def wide(url: str) -> bool:
        return Origin.of(url).host in wide_hosts

    for_token = (token_words, True, wide(environment.token_url))
    for_api = (api_words, shown_to_api, wide(environment.api_url))
    token_side = factory(*for_token)
    api_side = token_side if for_api == for_token else factory(*for_api)
    # Two sessions even when the trust is one: the bearer token stays with the API's origin.
    sessions = token_side.session(environment.token_url), api_side.session(environment.api_url)
    return Sides(held, sessions, _exchange(environment, sessions, account, way))


def _exchange(
    environment: Environment, sessions: tuple[RorSession, RorSession], account: Account, way: Way
) -> Exchange:
    tokens = ClientCredentials(
        Exchange(sessions[0], retry=way.retry, timeout=way.timeout, rate=way.rate, clock=way.clock),
        environment.token_url,
        client_id=account.client_id,
        client_secret=account.client_secret,
        scope=account.scope,
        clock=way.clock,
    )
    return Exchange(
        sessions[1], retry=way.retry, timeout=way.timeout, tokens=tokens, judge=judge, rate=way.rate, clock=way.clock
    )


def _token_anchors(environment: Environment) -> tuple[str, ...]:
    return environment.token_anchors or environment.anchors


def _identity_anchor(environment: Environment) -> tuple[TrustAnchor, ...]:
    """Give the roots of our own chain, which the public web authorities never are."""
    words = tuple(word for word in environment.anchors if word != WEB_PKI)
    return load_anchors(words or _token_anchors(environment))


def _check_account(environment: Environment, identity: Presented | None, client_secret: str | None) -> None:
    if (identity is None) == (client_secret is None):
        raise ConfigurationError(
            "give either a certificate or a client_secret" + (", not both" if identity is not None else ""),
            hint="Access profile 0 has a client_secret and no certificate; every other profile has a certificate.",
        )
    if identity is not None and WEB_PKI in _token_anchors(environment):
        raise ConfigurationError(
            f"environments.{environment.name}: the token host is trusted by {WEB_PKI}, "
            "and such a host is never shown our certificate: no token could be had",
            hint="Name the root of the token host in token_anchors, such as igc-sante.",
        )
