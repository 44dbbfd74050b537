"""Read what a token endpoint answers: a token and its life, or why there is none."""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ror_sante.errors import RorError, TokenError, printable
from ror_sante.http.status import status_error
from ror_sante.tls.faults import SUPPORT

if TYPE_CHECKING:
    from ror_sante.http.answer import Answer

_VISIBLE: Final = re.compile(r"[!-~]+")
_DIGITS: Final = re.compile(r"[0-9]{1,15}(\.[0-9]*)?")


def is_bearer(token: str) -> bool:
    """Tell whether `token` can stand in a header: visible ASCII, no blank (RFC 6750 allows even less)."""
    return _VISIBLE.fullmatch(token) is not None


@dataclass(frozen=True, slots=True)
class Grant:
    """A token as it was given.

    Attributes:
        token: the bearer token; no ``repr`` shows it.
        life: seconds that it lives.
    """

    token: str = field(repr=False)
    life: float


class TokenReader:
    """Reads the answers of one token endpoint to one client.

    Args:
        host: the host of the endpoint, for messages.
        client_id: the client, for messages.
        secret: taken out of what the server says, in case it repeats it.
    """

    def __init__(self, host: str, client_id: str, secret: str | None) -> None:
        self._host = host
        self._client_id = client_id
        self._secret = secret

    def refusal(self, answer: Answer) -> RorError | None:
        """Judge an answer by its status; what a status 200 brings is for `grant`."""
        if 200 <= answer.status < 300:
            return None
        if answer.status < 400:
            return status_error(answer)
        reply = _decoded(answer.body)
        if reply is not None and isinstance(reply.error, str):
            return self._oauth_error(reply, answer)
        again = answer.status in _TRY_AGAIN
        if reply is None:
            return self._unreadable(f"answered {answer.status} and", answer, retryable=again)
        return self._error(f"answered {answer.status} and explains nothing", answer, hint=_GATEWAY, retryable=again)

    def _oauth_error(self, reply: _Reply, answer: Answer) -> TokenError:
        code = printable(reply.error, 60)
        told = reply.error_description if isinstance(reply.error_description, str) else ""
        description = printable(told.replace(self._secret, "…") if self._secret else told, 300)
        client = printable(self._client_id, 60)
        return self._error(
            f"refuses client {client!r}: {code}" + (f" ({description})" if description else ""),
            answer,
            hint=_HINTS.get(code, f"If it goes on, write to {SUPPORT} with this message."),
            error=code,
            description=description,
            retryable=code == "temporarily_unavailable" or answer.status in {429, 503},
        )

    def grant(self, answer: Answer) -> Grant:
        """Read an answer 200.

        Raises:
            TokenError: it holds no token that can be used.
        """
        reply = self._reply(answer)
        life = _life(reply, answer)
        if life is None:
            raise self._error("gave a token and does not say how long it lives", answer, hint=_NO_LIFE)
        return Grant(str(reply.access_token), life)

    def _reply(self, answer: Answer) -> _Reply:
        """Read an answer 200, and take nothing from it that cannot go into a header."""
        reply = _decoded(answer.body)
        if reply is None:
            raise self._unreadable("gave no token: it", answer)
        if isinstance(reply.error, str):
            raise self._oauth_error(reply, answer)
        if not isinstance(reply.access_token, str) or not reply.access_token:
            raise self._error("gave an answer without access_token", answer, hint=_GATEWAY)
        if not is_bearer(reply.access_token):
            raise self._error("gave a token with characters that no header can hold", answer, hint=_GATEWAY)
        if reply.token_type is not None and str(reply.token_type).lower() != "bearer":
            kind = printable(reply.token_type, 40)
            raise self._error(f"gave a token of type {kind!r}; only bearer tokens are used here", answer, hint=_GATEWAY)
        return reply

    def _unreadable(self, led: str, answer: Answer, *, retryable: bool = False) -> TokenError:
        """Make the error for a body that is no JSON object, and say what it is."""
        empty = not answer.body.strip()
        for_people = answer.is_html and not empty
        sent = "an empty body" if empty else _page(answer) if for_people else "a body that is no JSON object"
        error = self._error(f"{led} sent {sent}", answer, hint=_GATEWAY, retryable=retryable)
        error.fault = "page-instead" if for_people else ""
        return error

    def _error(self, what: str, answer: Answer, **about: Any) -> TokenError:
        led = f"[request {answer.request_id}] " if answer.request_id else ""
        wait = answer.retry_after if about.get("retryable") else None
        return TokenError(f"{led}{self._host} {what}", status=answer.status, retry_after=wait, **about)


def _page(answer: Answer) -> str:
    title = f' "{answer.page_title}"' if answer.page_title else ""
    return f"an HTML page{title} as a gateway on the way does"


_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_GATEWAY: Final = (
    "Check token_url: it must be the token endpoint of this environment. If it is, something before the authorization "
    "server answers in its place."
)
_NO_LIFE: Final = (
    f"It sent neither expires_in nor a JWT with exp, so that no renewal can be planned: write to {SUPPORT}."
)
_HINTS: Final = {  # RFC 6749 section 5.2 and 4.1.2.1
    "invalid_client": (
        "The subject DN of our certificate is perhaps not registered for this client_id, or the client_id belongs to "
        "another environment (with a client_secret: the secret is wrong). Send the DN (`ror-sante identity dn`) and "
        f"the client_id to {SUPPORT}."
    ),
    "unauthorized_client": (
        "The client is known and may not use client_credentials, or its certificate is not the one registered for it: "
        f"write to {SUPPORT}."
    ),
    "invalid_grant": f"The account may be disabled or not yet activated: write to {SUPPORT}.",
    "unsupported_grant_type": "The address is perhaps not a token endpoint for client_credentials: check token_url.",
    "invalid_scope": "Remove scope from [rorn], or write there what ANS gave: the ROR documents none.",
    "invalid_request": "Check client_id, scope and token_url; the request itself is refused.",
    "access_denied": f"The account may not have a token: write to {SUPPORT}.",
    "temporarily_unavailable": "The authorization server is overloaded: try later.",
    "server_error": "The fault is on the authorization server's side: try later.",
}


# ------------------------------------------------------------------ reading what it sends


class _Reply(msgspec.Struct):
    """A token answer, read leniently: each field is checked where it is used."""

    access_token: Any = None
    token_type: Any = None
    expires_in: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None
    error_description: Any = None

    def __repr__(self) -> str:
        return "<token answer>"


class _Claims(msgspec.Struct):
    """The times in a JWT (RFC 7519 section 4.1)."""

    exp: msgspec.Raw = msgspec.Raw(b"null")
    iat: msgspec.Raw = msgspec.Raw(b"null")


_reply_decoder: Final = msgspec.json.Decoder(_Reply)
_claims_decoder: Final = msgspec.json.Decoder(_Claims)


def _decoded(body: bytes) -> _Reply | None:
    try:
        return _reply_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _life(reply: _Reply, answer: Answer) -> float | None:
    """Give the seconds that a token lives, or None when nothing says so.

    Both ways are differences of times of one clock, the server's: a wrong clock of ours changes nothing.
    """
    stated = _seconds(reply.expires_in)
    return _jwt_life(str(reply.access_token), answer) if stated is None else stated


def _jwt_life(token: str, answer: Answer) -> float | None:
    """Read ``exp - iat`` from a JWT that nobody verifies: it only plans a renewal.

    Without ``iat`` the server's ``Date`` stands in for it.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = _claims_decoder.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError, RecursionError):
        return None
    expires, issued = _seconds(claims.exp), _seconds(claims.iat)
    if issued is None and answer.moment is not None:
        issued = answer.moment.timestamp()
    if expires is None or issued is None or expires <= issued:
        return None
    return expires - issued


def _seconds(value: msgspec.Raw) -> float | None:
    """Read a JSON number of seconds, or a string of digits; None for everything else."""
    try:
        number = msgspec.json.decode(value)
        if isinstance(number, str) and _DIGITS.fullmatch(number):
            number = float(number)
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
        seconds = float(number)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
