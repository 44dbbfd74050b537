"""Tell by its HTTP status, or by its page, what is wrong with an answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from ror_sante.errors import (
    AccessDeniedError,
    ApiError,
    ClientRejectedError,
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    RateLimitedError,
    ServerFaultError,
    UnexpectedResponseError,
    masked_url,
    printable,
)

if TYPE_CHECKING:
    from ror_sante.http.answer import Answer

_INVALID: Final = "The request itself is wrong: repeating it changes nothing. See its parameters and headers."
_DENIED: Final = (
    "The account or its token may not do this: compare client_id, profile and role with what ANS gave for this "
    "environment."
)
_STATE: Final = "What is on the server is not what the request supposed; read it again first."
_FAULT: Final = "The fault is on the service's side; https://status.esante.gouv.fr tells of known incidents."

_TABLE: Final[dict[int, tuple[type[ApiError], str]]] = {
    **dict.fromkeys((400, 405, 406, 414, 415, 422), (InvalidRequestError, _INVALID)),
    **dict.fromkeys((401, 403), (AccessDeniedError, _DENIED)),
    404: (NotFoundError, "Check the resource type and id; what an account may not see can look absent too."),
    410: (NotFoundError, "The link to a page has expired: run the search again from its first page."),
    **dict.fromkeys((409, 412), (PreconditionError, _STATE)),
    429: (RateLimitedError, "Too many calls: slow down, or use fewer threads."),
}
_OTHER: Final = (
    UnexpectedResponseError,
    "The service documents no such answer; something on the way may have given it.",
)
_NEVER_BETTER: Final = frozenset({501, 505})  # not implemented, HTTP version: the same tomorrow


def status_error(answer: Answer, *, outcome: Any = None, text: str = "") -> ApiError | None:
    """Give the error that an HTTP status stands for.

    Args:
        answer: any answer.
        outcome: what the service said in its own format; it travels in the error.
        text: the same in one line, safe to show; for an HTML page its title takes this place.

    Returns:
        The error to raise, or None for a status of 200 to 299.
    """
    if 200 <= answer.status < 300:
        return None
    about: dict[str, Any] = {
        "status": answer.status,
        "method": answer.method,
        "url": masked_url(answer.url),
        "request_id": answer.request_id,
        "outcome": outcome,
    }
    redirected = 300 <= answer.status < 400
    for_people = answer.is_html and not text  # a judge that knows the format of the service is believed
    words = _pointer(answer) if redirected else _page(answer) if for_people else text
    error = _error(answer, f"{_told(answer)}: {words}" if words else _told(answer), about)
    if redirected or for_people:
        error.fault = "page-instead"
    return error


def _error(answer: Answer, message: str, about: dict[str, Any]) -> ApiError:
    if 300 <= answer.status < 400:
        return UnexpectedResponseError(message, hint=_REDIRECT, **about)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError(message, hint=_TABLE[429][1], retry_after=answer.retry_after, **about)
    if 500 <= answer.status < 600:
        better = answer.status not in _NEVER_BETTER
        return ServerFaultError(message, hint=_FAULT, retry_after=answer.retry_after, retryable=better, **about)
    kind, hint = _TABLE.get(answer.status, _OTHER)
    return kind(message, hint=hint, **about)


_REDIRECT: Final = (
    "Redirects are not followed: our certificate and token go to configured addresses only. Check the configured "
    "address; a captive portal or a proxy redirects like this too."
)


def _told(answer: Answer) -> str:
    """Say what was asked and answered, the server's id of the request first: its support asks for it."""
    try:
        phrase = f" {HTTPStatus(answer.status).phrase}"
    except ValueError:
        phrase = ""
    led = f"[request {answer.request_id}] " if answer.request_id else ""
    return f"{led}{answer.method} {masked_url(answer.url)} answered {answer.status}{phrase}"


def _pointer(answer: Answer) -> str:
    location = answer.headers.get("Location", "")
    if not location:
        return "a redirect without an address"
    try:
        return f"a redirect to {masked_url(urljoin(answer.url, location))}, not followed"
    except ValueError:
        return "a redirect to an address that cannot be read"


def _page(answer: Answer) -> str:
    title = f' "{answer.page_title}"' if answer.page_title else ""
    return f"an HTML page{title} from a gateway on the way rather than from the service"


# ------------------------------------------------------------------ a front end that refuses our certificate

# nginx tells every fault of a client certificate in a page, under TLS 1.2 and 1.3 alike, and gives no reason
# (measured with nginx 1.22). Its statuses 495 and 496 are internal and come out as 400.
_NOT_SENT: Final = b"No required SSL certificate was sent"
_REFUSED: Final = b"The SSL certificate error"


def front_end_refusal(answer: Answer) -> ClientRejectedError | None:
    """Recognise the page by which a front end such as nginx refuses our certificate after the handshake.

    Returns:
        The error to raise, with an empty ``alert``: no TLS alert was sent. None for any other answer.
    """
    if answer.status not in {400, 495, 496} or not answer.is_html:
        return None
    page, host = answer.body[:4096], printable(urlsplit(answer.url).netloc.rpartition("@")[2])
    if _NOT_SENT in page:
        return ClientRejectedError(
            f"{host} wants a client certificate and got none from us (HTTP {answer.status} from its front end)",
            hint="Give the session an identity, a P12 of the product ORG AUTH_CLI; and see whether "
            "present_certificate_to_api is on.",
        )
    if _REFUSED in page:
        return ClientRejectedError(
            f"{host} refuses our certificate, and its front end does not say why (HTTP {answer.status})",
            hint="One page stands for all: a missing intermediate, another root (TEST against production), expired, "
            "revoked, not made for a client. `ror-sante identity verify` tells which.",
        )
    return None
