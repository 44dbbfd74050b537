"""Bearer tokens: one given, or those of OAuth 2 client_credentials, shared among threads and renewed in time."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlencode, urlsplit

from ror_sante.errors import ConfigurationError, RorError, TimedOutError, printable
from ror_sante.http.answer import Request
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.grant import TokenReader, is_bearer

if TYPE_CHECKING:
    from ror_sante.http.clock import Clock
    from ror_sante.http.exchange import Exchange, Lease
    from ror_sante.pki.identity import ClientIdentity

_SHORTEST_LIFE: Final = 5.0  # seconds: no server's answer makes us ask for tokens without pause
_LONGEST_LIFE: Final = 86_400.0  # a longer claim is believed for a day; a 401 renews at any time
_LARGEST_MARGIN: Final = 30.0


class Tokens(Protocol):
    """Where bearer tokens come from."""

    def token(self, *, remaining: float, identity: ClientIdentity | None = None) -> str:
        """Give a token to use now.

        Args:
            remaining: seconds that this may take.
            identity: whom the token is for; None is the identity in force.
        """
        ...

    def invalidate(self, token: str) -> None:
        """Forget `token`, which a service refused; nothing happens when another has taken its place."""
        ...


class StaticToken:
    """A token that was had elsewhere; it is never renewed.

    Args:
        token: the token, without the word ``Bearer``.

    Raises:
        ConfigurationError: it cannot stand in a header.
    """

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        if not is_bearer(token):
            raise ConfigurationError("a bearer token must be visible ASCII characters, without blanks")
        self._token = token

    def token(self, *, remaining: float, identity: ClientIdentity | None = None) -> str:
        """Give the token."""
        return self._token

    def invalidate(self, token: str) -> None:
        """Do nothing: there is no other."""

    def __repr__(self) -> str:
        return "<StaticToken>"


class _Held:
    """A token, the time until which it is handed out, and whose it is; no `repr` shows it."""

    __slots__ = ("thumbprint", "until", "value")

    def __init__(self, value: str, until: float, thumbprint: str) -> None:
        self.value = value
        self.until = until
        self.thumbprint = thumbprint


class ClientCredentials:
    """Tokens of the OAuth 2 client_credentials grant (RFC 6749 section 4.4).

    With mutual TLS, the certificate of the exchange's session takes the place of the secret (RFC 8705 section 2);
    access profile 0 has a secret instead. However many threads ask, one request is under way at a time; the others
    wait for it and share its outcome. A token is renewed before it ends: 30 seconds before, or a tenth of its life if
    that is less. It belongs to the certificate it was asked for with, and is dropped when another takes its place: the
    server may have bound it to that certificate (RFC 8705 section 3).

    Args:
        exchange: how the token endpoint is reached; it must have no tokens of its own.
        token_url: the token endpoint.
        client_id: as ANS registered it, one an environment and a role.
        client_secret: for access profile 0 alone.
        scope: sent only when set.
        clock: what tells the time.

    Raises:
        ConfigurationError: no client_id, or an exchange that sends tokens itself.
    """

    def __init__(
        self,
        exchange: Exchange,
        token_url: str,
        *,
        client_id: str,
        client_secret: str | None = None,
        scope: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not client_id:
            raise ConfigurationError("client_id is empty", hint="ANS gives it, one an environment and a role.")
        if exchange.tokens is not None:
            raise ConfigurationError("the exchange of a token source must have no tokens of its own")
        self._exchange = exchange
        self._client_id = client_id
        self._clock = clock
        self._host = printable(urlsplit(token_url).netloc.rpartition("@")[2])
        self._reader = TokenReader(self._host, client_id, client_secret)
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": scope,
        }
        self._request = Request(
            "POST",
            token_url,
            {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            urlencode({name: value for name, value in form.items() if value is not None}).encode("ascii"),
            repeatable=True,  # a token that is never used does no harm
        )
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._flights: dict[str, Future[_Held]] = {}

    def token(self, *, remaining: float, identity: ClientIdentity | None = None) -> str:
        """Give a token that is good for now: the one at hand, or a new one.

        Args:
            remaining: seconds that this may take.
            identity: whom the token is for; None is the identity in force.

        Raises:
            TokenError: the authorization server gave none, or none that can be used.
            TransportError: it could not be reached in time.
        """
        end = self._clock.monotonic() + remaining
        with self._exchange.session.lease(identity) as lease:
            thumbprint = _thumbprint(lease)
            while True:
                with self._lock:
                    held, flight, leading = self._held, self._flights.get(thumbprint), False
                    if held is not None and held.thumbprint == thumbprint and self._clock.monotonic() < held.until:
                        return held.value
                    if flight is None:
                        leading, flight = True, Future()
                        self._flights[thumbprint] = flight
                left = max(0.0, end - self._clock.monotonic())
                shared = self._lead(flight, lease, left) if leading else self._follow(flight, left)
                if shared is not None:
                    return shared.value  # even if it has ended meanwhile: a fresh token is used at least once

    def invalidate(self, token: str) -> None:
        """Forget `token`, which a service refused; nothing happens when another has taken its place."""
        with self._lock:
            if self._held is not None and self._held.value == token:
                self._held = None

    def __repr__(self) -> str:
        return f"<ClientCredentials {printable(self._client_id, 60)!r} at {self._host}>"

    # -------------------------------------------------------------- one flight at a time

    def _lead(self, flight: Future[_Held], lease: Lease, left: float) -> _Held:
        """Fetch for everybody who waits; a failure is theirs too, and is not kept."""
        try:
            held = self._fetch(lease, left)
        except BaseException as error:
            with self._lock:
                del self._flights[_thumbprint(lease)]
            if isinstance(error, RorError):
                flight.set_exception(error)
            else:  # this thread was interrupted, which is no news for the others: one of them leads
                flight.cancel()
            raise
        with self._lock:
            del self._flights[held.thumbprint]
            if lease.in_force:  # the token of an identity that was replaced meanwhile serves this call alone
                self._held = held
        flight.set_result(held)
        return held

    def _follow(self, flight: Future[_Held], left: float) -> _Held | None:
        """Wait for the thread that fetches; None when it was interrupted."""
        try:
            error = flight.exception(min(left, threading.TIMEOUT_MAX))
        except CancelledError:
            return None
        except TimeoutError:
            raise TimedOutError(
                f"no token in time: another thread is still waiting for {self._host}",
                hint="Raise the deadline, or see with `ror-sante smoke-test` what takes so long.",
            ) from None
        if error is None:
            return flight.result()
        raise copy.copy(error) from error  # each thread its own: a traceback belongs to one

    def _fetch(self, lease: Lease, left: float) -> _Held:
        answer = self._exchange.send(self._request, judge=self._reader.refusal, within=left, identity=lease.identity)
        grant = self._reader.grant(answer)
        life = min(max(grant.life, _SHORTEST_LIFE), _LONGEST_LIFE)
        sent = self._clock.monotonic() - answer.seconds  # its life began after that
        return _Held(grant.token, sent + life - min(_LARGEST_MARGIN, life / 10), _thumbprint(lease))


def _thumbprint(lease: Lease) -> str:
    return "" if lease.identity is None else lease.identity.thumbprint
