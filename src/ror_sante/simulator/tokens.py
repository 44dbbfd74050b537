"""The token endpoint: knows clients by the subject of their certificate, and answers as Keycloak does."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from ror_sante.simulator.messages import json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from ror_sante.simulator.messages import Call, Reply

TOKEN_PATH: Final = "/auth/realms/ror/protocol/openid-connect/token"  # noqa: S105  a path, not a secret
_HEADER: Final = {"alg": "HS256", "typ": "JWT", "kid": "simulateur"}
_NO_STORE: Final = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
_REMEMBERED: Final = 1000  # revoked tokens


@dataclass(frozen=True)
class Account:
    """A client that the authorization server knows.

    Attributes:
        client_id: its name.
        subject_dn: subject of its certificate, CN first (RFC 8705, "PKI method"); None for access profile 0.
        client_secret: its secret, for access profile 0; None for the others.
        enabled: whether it may ask for tokens with client_credentials.
    """

    client_id: str
    subject_dn: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    enabled: bool = True

    def proves(self, call: Call, secret: str | None) -> bool:
        """Tell whether the caller is this client."""
        if self.client_secret is not None:
            return secret is not None and hmac.compare_digest(secret.encode(), self.client_secret.encode())
        return self.subject_dn == call.peer.subject_dn


class TokenService:
    """Issues tokens and checks them: JWTs signed with a key that lives as long as this object, or until `reset`.

    Args:
        accounts: the clients.
        now: the simulator's time.
        issuer: gives the address of the realm, for the ``iss`` claim.
        life: seconds that a token is good for.
        expires_in: say so in the answer, and not in the JWT's ``exp`` alone.
        bound: bind each token to the certificate that asked for it (RFC 8705 section 3); the ROR names the RFC
            and is not known to do so.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        now: Callable[[], datetime],
        issuer: Callable[[], str],
        life: float,
        expires_in: bool,
        bound: bool,
    ) -> None:
        self._accounts = {account.client_id: account for account in accounts}
        self._now = now
        self._issuer = issuer
        self._life = life
        self._expires_in = expires_in
        self._bound = bound
        self.reset()

    def reset(self) -> None:
        """Forget every token."""
        self._key = secrets.token_bytes(32)
        self._revoked: deque[str] = deque(maxlen=_REMEMBERED)

    def register(self, account: Account) -> None:
        """Know an account, in the place of the one that had its `client_id`."""
        self._accounts[account.client_id] = account

    def revoke(self, token: str) -> None:
        """Take a token out of force before its end."""
        self._revoked.append(token)

    def answer(self, call: Call) -> Reply:
        """Answer a call of the token endpoint."""
        if call.method != "POST":
            return oauth_error(405, "invalid_request", "HTTP 405 Method Not Allowed")
        if not call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return oauth_error(415, "invalid_request", "HTTP 415 Unsupported Media Type")
        fields = parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True)
        form = dict(fields)
        if len(form) < len(fields):
            return oauth_error(400, "invalid_request", "duplicated parameter")
        return self._judged(form, call)

    def _judged(self, form: dict[str, str], call: Call) -> Reply:
        if "grant_type" not in form:
            return oauth_error(400, "invalid_request", "Missing form parameter: grant_type")
        account = self._accounts.get(form.get("client_id", ""))
        if account is None or not account.proves(call, form.get("client_secret")):
            return unknown_client()
        if form["grant_type"] != "client_credentials":
            return oauth_error(400, "unsupported_grant_type", "Unsupported grant_type")
        if not account.enabled:
            return oauth_error(401, "unauthorized_client", "Client not enabled to retrieve service account")
        return self._issued(account, form.get("scope", ""), call)

    def _issued(self, account: Account, scope: str, call: Call) -> Reply:
        start = int(self._now().timestamp())
        claims: dict[str, Any] = {
            "exp": start + int(self._life),
            "iat": start,
            "jti": secrets.token_hex(16),
            "iss": self._issuer(),
            "sub": f"service-account-{account.client_id}",
            "typ": "Bearer",
            "azp": account.client_id,
            "scope": scope,
        }
        if self._bound and call.peer.thumbprint:
            claims["cnf"] = {"x5t#S256": _base64(bytes.fromhex(call.peer.thumbprint))}
        content: dict[str, Any] = {"access_token": self._signed(claims), "token_type": "Bearer", "scope": scope}
        if self._expires_in:
            content |= {"expires_in": int(self._life), "refresh_expires_in": 0}
        return json_reply(200, content, *_NO_STORE)

    def _signed(self, claims: dict[str, Any]) -> str:
        text = f"{_base64(msgspec.json.encode(_HEADER))}.{_base64(msgspec.json.encode(claims))}"
        return f"{text}.{self._signature(text)}"

    def _signature(self, text: str) -> str:
        return _base64(hmac.digest(self._key, text.encode(), "sha256"))

    def refusal(self, call: Call) -> str:
        """Tell why the bearer token of a call is not good.

        Returns:
            The reason in French, empty for a good token.
        """
        text, _, signature = call.bearer.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            return "Le jeton est inconnu de ce serveur."
        claims = msgspec.json.decode(_unbase64(text.partition(".")[2]))
        if self._now().timestamp() >= claims["exp"] or call.bearer in self._revoked:
            return "Le jeton a expiré."
        bound_to = claims.get("cnf", {}).get("x5t#S256")
        if bound_to and bound_to != _base64(bytes.fromhex(call.peer.thumbprint)):
            return "Le jeton est lié à un autre certificat."
        return ""


def oauth_error(status: int, error: str, description: str) -> Reply:
    """Give an error as RFC 6749 section 5.2 shapes it."""
    return json_reply(status, {"error": error, "error_description": description}, *_NO_STORE)


def unknown_client() -> Reply:
    """Give what Keycloak says to a client that it does not know, or whose proof it does not accept."""
    return oauth_error(401, "invalid_client", "Invalid client or Invalid client credentials")


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
