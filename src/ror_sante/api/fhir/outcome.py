"""Read an OperationOutcome leniently, and judge an answer by what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ror_sante.api.fhir.discretion import without_values
from ror_sante.errors import ApiError, ServerFaultError, printable
from ror_sante.http.exchange import status_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.http.exchange import Answer

_LARGEST: Final = 1_000_000  # bytes; an explanation longer than this explains nothing
_MOST_ISSUES: Final = 100
_TEXT_LIMIT: Final = 500  # characters of one diagnostic that are kept

# FHIR R4 value set "issue-type": with these codes the request is wrong, whatever the HTTP status says, and the
# same request gets the same answer. HAPI reports some of them with a 500.
_OUR_FAULT: Final = frozenset(
    {
        "invalid",
        "required",
        "value",
        "structure",
        "invariant",
        "not-supported",
        "not-found",
        "business-rule",
        "multiple-matches",
        "code-invalid",
    }
)


class Issue(msgspec.Struct, frozen=True):
    """One thing that the server reports.

    Attributes:
        severity: ``fatal``, ``error``, ``warning`` or ``information``; empty when the server left it out.
        code: the FHIR issue type, such as ``not-found``: decide on it, never on the French text.
        diagnostics: the server's sentence, on one line, cut at 500 characters.
        expressions: the FHIRPath expressions of what is concerned.
    """

    severity: str = ""
    code: str = ""
    diagnostics: str = ""
    expressions: tuple[str, ...] = ()

    @property
    def grave(self) -> bool:
        """Whether the issue is more than a remark; one without a severity is taken as grave."""
        return self.severity not in {"warning", "information", "success"}


class OperationOutcome(msgspec.Struct, frozen=True):
    """What a FHIR server says about a request, in its own words.

    Attributes:
        issues: in the server's order.
    """

    issues: tuple[Issue, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> OperationOutcome | None:
        """Read an OperationOutcome, taking what is there and missing nothing that is not.

        The ROR gives ``expression`` sometimes as a text and sometimes as a list, and may leave it out
        (ROR-fhir-documentation, page "patch-capacitaire").

        Returns:
            The outcome, or None when the body is something else: it never raises.
        """
        if len(body) > _LARGEST:
            return None
        try:
            tree = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if not isinstance(tree, dict) or tree.get("resourceType") != "OperationOutcome":
            return None
        issues = (_issue(item) for item in _listed(tree.get("issue"))[:_MOST_ISSUES] if isinstance(item, dict))
        return cls(tuple(issues))

    @property
    def codes(self) -> frozenset[str]:
        """The issue types of the grave issues."""
        return frozenset(issue.code for issue in self.issues if issue.grave)

    @property
    def summary(self) -> str:
        """The first diagnostics, three at most, in one line; empty when the server gave none."""
        told = dict.fromkeys(issue.diagnostics or issue.code for issue in self.issues)
        return "; ".join([text for text in told if text][:3])

    @property
    def request_is_wrong(self) -> bool:
        """Whether the server says that the request itself is at fault, so that repeating it is useless."""
        return not self.codes.isdisjoint(_OUR_FAULT)


def judge(answer: Answer) -> ApiError | None:
    """Tell whether an answer of a FHIR service is an error, and which one.

    The class comes from the HTTP status; the OperationOutcome, when there is one, travels in ``.outcome`` and its
    first diagnostics stand in the message, without the values of the query. A 5xx whose outcome says that the
    request itself is wrong is not worth repeating.

    Args:
        answer: any answer of the service.

    Returns:
        The error to raise, or None for an answer to use.
    """
    if answer.status < 400:
        return status_error(answer)
    outcome = OperationOutcome.parse(answer.body)
    text = "" if outcome is None else without_values(outcome.summary, answer.url)
    error = status_error(answer, outcome=outcome, text=text)
    if isinstance(error, ServerFaultError) and outcome is not None and outcome.request_is_wrong:
        error.retryable = False
        error.hint = "The server says that the request itself is wrong: mend it, repeating it changes nothing."
    return error


def _issue(item: dict[str, Any]) -> Issue:
    details = item.get("details")
    return Issue(
        severity=_word(item.get("severity")),
        code=_word(item.get("code")),
        diagnostics=_text(item.get("diagnostics")) or next(_details(details), ""),
        expressions=_expressions(item.get("expression")) or _expressions(item.get("location")),
    )


def _details(details: object) -> Iterator[str]:
    if isinstance(details, dict):
        codings = [coding for coding in _listed(details.get("coding")) if isinstance(coding, dict)]
        texts = (details.get("text"), *(coding.get("display") or coding.get("code") for coding in codings))
        yield from filter(None, map(_text, texts))


def _expressions(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, _listed(value)[:_MOST_ISSUES])))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: object) -> str:
    return printable(value, _TEXT_LIMIT) if isinstance(value, str) else ""


def _word(value: object) -> str:
    return printable(value, 64) if isinstance(value, str) else ""
