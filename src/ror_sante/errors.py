"""The tree of errors: three families that a caller can tell apart.

    RorError .hint .retryable
      ConfigurationError            the caller's settings or arguments (also a ValueError)
      IdentityError .findings       our certificate; nothing was sent
        Pkcs12Error  IncompleteChainError  UntrustedChainError  ValidityError  UsageError  RevokedError
      TransportError                no trusted connection (each also the matching requests exception)
        ServerNotTrustedError  ClientRejectedError(.alert)  UnreachableError  TimedOutError
      TokenError                    the authorization server said no: .error .description
      ApiError                      an answer arrived: .status .method .url .request_id .outcome
        InvalidRequestError  AccessDeniedError  NotFoundError  PreconditionError
        RateLimitedError(.retry_after)  ServerFaultError  UnexpectedResponseError  TruncatedResultError
      SyncError .cursor             stopped half way; resume from here

A message says what happened, a hint what to do about it. Neither ever holds a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import requests.exceptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ror_sante.tls.receipt import HandshakeReceipt


class Severity(StrEnum):
    """How grave a finding is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was noticed about an identity.

    Attributes:
        code: a stable word for programs, such as ``expired`` or ``no-client-auth``.
        message: what was seen, in one sentence.
        hint: what to do about it.
        severity: an error stops a session from being made, a warning does not.
    """

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR


class RorError(Exception):
    """Anything that this package raises on purpose.

    Attributes:
        hint: the next step, in one sentence; empty when there is none.
        retryable: the same call may succeed later with nothing changed on our side.
    """

    retryable: bool = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state: the constructors take keyword arguments that ``args`` does not hold."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[RorError], args: tuple[Any, ...], state: dict[str, Any]) -> RorError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(RorError, ValueError):
    """The settings, or the arguments of a call, cannot work; nothing was sent."""


# ------------------------------------------------------------------ our certificate


class IdentityError(RorError):
    """Our certificate cannot be used; nothing was sent.

    Attributes:
        findings: everything that was noticed, the gravest first.
    """

    def __init__(self, message: str, *, hint: str = "", findings: Iterable[Finding] = ()) -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)


class Pkcs12Error(IdentityError):
    """The P12 (or PEM) cannot be opened, or does not hold exactly one usable key with its certificate."""


class IncompleteChainError(IdentityError):
    """No intermediate links our certificate to a root, and the package has no copy of it."""


class UntrustedChainError(IdentityError):
    """Our chain ends at another root than the anchor."""


class ValidityError(IdentityError):
    """Our certificate is expired or not yet valid."""


class UsageError(IdentityError):
    """Our certificate was not made to authenticate a TLS client."""


class RevokedError(IdentityError):
    """Our certificate was revoked by its authority."""


# ------------------------------------------------------------------ the connection


class TransportError(RorError):
    """No trusted connection could be made or kept.

    Attributes:
        unsent: the server surely never saw the request, so that even a POST may be repeated.
        fault: what broke, as a stable word for programs (``dns``, ``refused``, ``not-tls``, ...); empty when the
            class says it all.
        receipt: what was seen of the connection; None when there was none, such as when the time was up before.
    """

    unsent: bool = False
    fault: str = ""
    receipt: HandshakeReceipt | None = None


class ServerNotTrustedError(TransportError, requests.exceptions.SSLError):
    """The server's certificate is refused by us; our certificate was not used."""


class ClientRejectedError(TransportError, requests.exceptions.SSLError):
    """The server refused our certificate, or the handshake altogether. Never retried.

    Attributes:
        alert: the TLS alert by its RFC 8446 name, such as ``unknown_ca``; empty when none was seen.
    """

    def __init__(self, message: str, *, hint: str = "", alert: str = "") -> None:
        super().__init__(message, hint=hint)
        self.alert = alert


class UnreachableError(TransportError, requests.exceptions.ConnectionError):
    """No connection, or one that broke: name, route, port, proxy, a peer that hung up."""

    retryable = True


class TimedOutError(TransportError, requests.exceptions.Timeout):
    """A time limit passed: connect, write, read, or the deadline of the whole call."""

    retryable = True


# ------------------------------------------------------------------ the answers


class TokenError(RorError):
    """The authorization server gave no usable token.

    Attributes:
        error: the OAuth 2 code (RFC 6749 section 5.2), such as ``invalid_client``; empty when there is none.
        description: the server's ``error_description``, control characters removed.
        status: the HTTP status, or None when the answer was not read as one.
        retry_after: seconds to wait as the server asked, or None.
        fault: ``page-instead`` when a page for people came in place of an answer; else empty.
    """

    fault: str = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        error: str = "",
        description: str = "",
        status: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.error = error
        self.description = description
        self.status = status
        self.retryable = retryable
        self.retry_after = retry_after


class ApiError(RorError):
    """An answer arrived and it is not the one that was asked for.

    Attributes:
        status: the HTTP status.
        method: the HTTP method of the request.
        url: the address asked, query values and userinfo masked.
        request_id: the server's own id of the request, when it sent one.
        outcome: the FHIR ``OperationOutcome`` of the answer (`ror_sante.OperationOutcome`), or None.
        fault: what is wrong, as a stable word for programs: what came is a page for people or a redirect to one
            (``page-instead``) or no JSON of the shape asked for (``answer-broken``), or what the refusal means at the
            service that answered (``api-key``, ``extraction-name``, ...); empty when class and status say it all.
    """

    fault: str = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        method: str = "",
        url: str = "",
        request_id: str = "",
        outcome: Any = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.method = method
        self.url = url
        self.request_id = request_id
        self.outcome = outcome


class InvalidRequestError(ApiError):
    """400, 405, 406, 415, 422: the request itself is wrong; repeating it changes nothing."""


class AccessDeniedError(ApiError):
    """401 or 403: the token or the rights of the account do not allow this."""


class NotFoundError(ApiError):
    """404 or 410: no such resource, or a page that has expired."""


class PreconditionError(ApiError):
    """409 or 412: the state on the server is not the one that the request supposed."""


class RateLimitedError(ApiError):
    """429: too many calls.

    Attributes:
        retry_after: seconds to wait as the server asked, or None.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, **about: Any) -> None:
        super().__init__(message, **about)
        self.retry_after = retry_after


class ServerFaultError(ApiError):
    """5xx: the fault is on the server's side, unless its OperationOutcome says otherwise.

    Attributes:
        retry_after: seconds to wait as the server asked, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, retryable: bool = True, **about: Any) -> None:
        super().__init__(message, **about)
        self.retry_after = retry_after
        self.retryable = retryable


class UnexpectedResponseError(ApiError):
    """The answer is not what the service documents: HTML, truncated JSON, a redirect, a body beyond its cap."""


class TruncatedResultError(ApiError):
    """The service cut the result (10 000 at the national ROR): some of what was asked for is missing."""


class SyncError(RorError):
    """A long copy stopped half way; nothing already written is lost.

    Attributes:
        cursor: where to resume from, or None when the copy must start again.
    """

    def __init__(self, message: str, *, hint: str = "", cursor: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.cursor = cursor


def printable(text: object, limit: int = 200) -> str:
    """Make foreign text safe to show: one line, control characters escaped, cut at `limit` characters."""
    line = "".join(c if c.isprintable() else " " if c in "\r\n\t" else f"\\x{ord(c):02x}" for c in str(text))
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def masked_url(url: str) -> str:
    """Show an address without what may identify a person or a secret: user name, query values, fragment.

    >>> masked_url("https://me:pw@host/Practitioner?identifier=10001234567&_count=1")
    'https://host/Practitioner?identifier=…&_count=…'
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(an address that cannot be read)"
    names = [f"{name.partition('=')[0]}=…" for name in parts.query.split("&") if name]
    return printable(urlunsplit((parts.scheme, host, parts.path, "&".join(names), "")), 500)
