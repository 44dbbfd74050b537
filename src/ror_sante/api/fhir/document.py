"""Open an answer as a JSON document, or say what arrived instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ror_sante.api.fhir.discretion import without_values
from ror_sante.api.fhir.outcome import OperationOutcome
from ror_sante.errors import UnexpectedResponseError, masked_url, printable

if TYPE_CHECKING:
    from typing import TypeAlias

    from ror_sante.http.exchange import Answer

    Source: TypeAlias = Answer | bytes

T = TypeVar("T")
_BOM: Final = b"\xef\xbb\xbf"
_SHOWN: Final = 80  # characters of a foreign body in a message

# What msgspec raises on a hostile or broken body; 200 000 nested brackets are a RecursionError.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def body_of(source: Source) -> bytes:
    """Give the bytes of the document, without the byte-order mark that some gateways put in front."""
    body = source if isinstance(source, bytes) else source.body
    return body.removeprefix(_BOM)


def decode(source: Source, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a document.

    Raises:
        UnexpectedResponseError: HTML (``fault`` page-instead), truncated JSON, text that is not UTF-8, JSON nested too
            deeply or of another shape (``fault`` answer-broken); the message names what arrived.
    """
    body = body_of(source)
    try:
        str(body, "utf-8")  # the parts that stay undecoded are skipped without a look at their characters
        return decoder.decode(body)
    except UNREADABLE as error:
        raise _unreadable(source, error) from error


def _unreadable(source: Source, error: Exception) -> UnexpectedResponseError:
    unread = unexpected(
        source,
        f"the answer is not the JSON that was asked for: {arrived(source)} ({_reason(error)})",
        hint="A gateway or a proxy may have answered in place of the service: check the address and its path.",
    )
    for_people = not isinstance(source, bytes) and source.is_html
    unread.fault = "page-instead" if for_people else "answer-broken"
    return unread


def another_type(source: Source, *, wanted: str, found: object) -> UnexpectedResponseError:
    """Make the error for a resource of another type than the one asked for, an OperationOutcome for instance."""
    outcome = OperationOutcome.parse(body_of(source))
    if outcome is not None:
        told = without_values(outcome.summary, _url(source)) or "it says nothing"
        return unexpected(source, f"an OperationOutcome came in place of a {wanted}: {told}", outcome=outcome)
    shown = printable(found, 60) if isinstance(found, str) else "no resourceType"
    return unexpected(source, f"the answer is not a {wanted} but {shown}: {arrived(source)}")


def unexpected(
    source: Source, message: str, *, hint: str = "", outcome: OperationOutcome | None = None
) -> UnexpectedResponseError:
    """Make the error for an answer that is not what the service documents."""
    return UnexpectedResponseError(message, hint=hint, outcome=outcome, **about(source))


def about(source: Source) -> dict[str, Any]:
    """Give what an `ApiError` tells about the answer it speaks of, the query values masked."""
    if isinstance(source, bytes):
        return {}
    return {
        "status": source.status,
        "method": source.method,
        "url": masked_url(source.url),
        "request_id": source.request_id,
    }


def arrived(source: Source) -> str:
    """Say in a few words what a body is: its announced type, its size, its first characters."""
    body = body_of(source)
    kind = "" if isinstance(source, bytes) else printable(source.media_type or "", 60)
    if not body:
        return f"an empty body ({kind or 'no content type'})"
    start = without_values(body[: 4 * _SHOWN].decode("utf-8", "replace"), _url(source))
    return f"{kind or 'no content type'}, {len(body)} bytes that start with: {printable(start, _SHOWN)}"


def _url(source: Source) -> str:
    return "" if isinstance(source, bytes) else source.url


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return printable(error, 120)
