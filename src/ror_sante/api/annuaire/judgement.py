"""Judge the answers of the Annuaire Santé's FHIR gateway, whose statuses do not always mean what they say."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from ror_sante.api.fhir.document import about, body_of, decode
from ror_sante.api.fhir.outcome import judge
from ror_sante.errors import (
    AccessDeniedError,
    NotFoundError,
    ServerFaultError,
    UnexpectedResponseError,
    printable,
)

if TYPE_CHECKING:
    from ror_sante.errors import ApiError, RorError
    from ror_sante.http.exchange import Answer

# The published server (ansforge/annuaire-sante-fhir-serveur, MongoDbNextUrlManager): a next link that it cannot read
# any more is an error 500 whose diagnostics are "The url can't be processed. Maybe it is too old or corrupted."
_STALE: Final = "too old or corrupted"
_PAGE: Final = "_page"  # the last segment of every next link

_KEY: Final = (
    "The key stands in annuaire.api_key_file. It must be that of an application subscribed to the API « Annuaire Santé "
    "en libre accès » on https://portal.api.esante.gouv.fr; no other key or certificate opens this gateway."
)
_ELSEWHERE: Final = (
    "No FHIR server speaks at this address: annuaire_fhir_url is https://gateway.api.esante.gouv.fr/fhir/v2 in "
    "production, and ends with /fhir/v2 elsewhere too. The API key went to this host alone."
)
_EXCEPTION: Final = (
    "The gateway answers like this to a parameter it does not know; repeating it changes nothing. "
    "https://ansforge.github.io/annuaire-sante-fhir-documentation lists the parameters."
)
_BROKEN: Final = "The service fails like this on large pages: lower _count. What was delivered before is good."


class _Tail(msgspec.Struct, rename="camel"):
    """What proves that a page is whole: the service writes ``link`` last (AbstractFhirBundleWriteListener)."""

    resource_type: Any = None
    link: Any = None


_TAIL: Final = msgspec.json.Decoder(_Tail)


def judge_gateway(answer: Answer) -> ApiError | None:
    """Tell whether an answer of the gateway is an error, and which one.

    A refusal names the API key. Status 500 with an OperationOutcome stands for a wrong parameter, or for a next link
    that is too old (`NotFoundError`), and is not worth repeating.

    Args:
        answer: any answer.

    Returns:
        The error to raise, or None for an answer to use.
    """
    error = judge(answer)
    if isinstance(error, AccessDeniedError):
        refused = AccessDeniedError(f"the gateway refuses our API key: {error.message}", hint=_KEY, **about(answer))
        refused.fault = "api-key"
        return refused
    if isinstance(error, NotFoundError) and error.outcome is None:
        error.hint = _ELSEWHERE
    if isinstance(error, ServerFaultError) and error.outcome is not None:
        return _told_by_outcome(answer, error)
    return error


def _told_by_outcome(answer: Answer, error: ServerFaultError) -> ApiError:
    if answer.status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return error
    if urlsplit(answer.url).path.endswith(f"/{_PAGE}") and _STALE in error.outcome.summary:
        hint = "Run the search again from its first page; take its pages without long pauses."
        return NotFoundError("the link to this page is too old", hint=hint, outcome=error.outcome, **about(answer))
    error.retryable = False
    error.hint = _EXCEPTION
    return error


def judge_document(answer: Answer) -> RorError | None:
    """Judge an answer that must be a whole JSON document: with status 200 too it may break off, and is asked again."""
    error = judge_gateway(answer)
    if error is not None or answer.is_html:
        return error  # a page for people breaks nothing off: whoever decodes it says what it is
    try:
        tail = decode(answer, _TAIL)
    except UnexpectedResponseError as unreadable:
        return _broken_off(answer) if _is_cut(unreadable) else unreadable
    if tail.resource_type == "Bundle" and not tail.link:
        return _broken_off(answer)
    return None


def _is_cut(error: UnexpectedResponseError) -> bool:
    """Tell a text that stops in the middle from one that is something else altogether."""
    cause = error.__cause__
    return isinstance(cause, msgspec.DecodeError | UnicodeDecodeError) and not isinstance(
        cause, msgspec.ValidationError
    )


def _broken_off(answer: Answer) -> UnexpectedResponseError:
    kind = printable(answer.media_type or "no content type", 60)
    error = UnexpectedResponseError(
        f"the answer breaks off after {len(body_of(answer))} bytes ({kind}), though its status is {answer.status}",
        hint=_BROKEN,
        **about(answer),
    )
    error.retryable = True
    error.fault = "answer-broken"
    return error
