"""An OperationOutcome is read leniently and travels in the error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ror_sante.api.fhir.outcome import Issue, OperationOutcome, judge
from ror_sante.errors import ApiError, InvalidRequestError, NotFoundError, PreconditionError, ServerFaultError
from tests.api.answers import BASE, answer, outcome


def parsed(issue: Any) -> OperationOutcome:
    found = OperationOutcome.parse(json.dumps({"resourceType": "OperationOutcome", "issue": issue}).encode())
    assert found is not None
    return found


@pytest.mark.parametrize("expression", ["Location", ["Location"]])
def test_an_expression_may_be_a_text_or_a_list(expression: object) -> None:
    """The ROR writes `expression` both ways; both read the same."""
    found = parsed([{"severity": "error", "code": "not-found", "diagnostics": "d", "expression": expression}])
    assert found.issues == (Issue("error", "not-found", "d", ("Location",)),)


@pytest.mark.parametrize(
    ("issue", "read"),
    [
        ([{}], (Issue(),)),
        ({"code": "value"}, (Issue(code="value"),)),
        ([{"severity": 3, "code": None, "diagnostics": ["x"], "expression": 7}], (Issue(),)),
        ([{"details": {"text": "le texte"}}], (Issue(diagnostics="le texte"),)),
        ([{"details": {"coding": {"code": "C1"}}}], (Issue(diagnostics="C1"),)),
        ([{"details": {"coding": [{"display": "affiché", "code": "C1"}, 5]}}], (Issue(diagnostics="affiché"),)),
        ([{"details": "text"}], (Issue(),)),
        ([{"diagnostics": "a", "details": {"text": "b"}}], (Issue(diagnostics="a"),)),
        ([{"location": ["/f:Location"]}], (Issue(expressions=("/f:Location",)),)),
        (["text", None], ()),
        (None, ()),
    ],
)
def test_missing_and_odd_fields_are_no_obstacle(issue: Any, read: tuple[Issue, ...]) -> None:
    """Whatever is missing or of another type reads as empty."""
    assert parsed(issue).issues == read


def test_diagnostics_are_made_printable_and_cut() -> None:
    """Control characters are shown and not sent to a terminal; a long text is cut."""
    (issue,) = parsed([{"diagnostics": "\x1b[31mrouge\nligne " + "x" * 600}]).issues
    assert issue.diagnostics.startswith("\\x1b[31mrouge ligne xxx")
    assert len(issue.diagnostics) == 500


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"resourceType":"Bundle"}',
        b"[]",
        b'"OperationOutcome"',
        b'{"resourceType":"OperationOutcome","x":"\xff"}',
        b"[" * 200_000,
        b'{"resourceType":"OperationOutcome"}' + b" " * 1_000_000,
    ],
    ids=["empty", "html", "bundle", "list", "text", "not-utf8", "deep", "too-long"],
)
def test_anything_else_is_no_outcome(body: bytes) -> None:
    """What is no OperationOutcome reads as None and never raises."""
    assert OperationOutcome.parse(body) is None


def test_a_summary_gives_three_different_diagnostics() -> None:
    """Repetitions are told once, three at most, and a code stands in for missing diagnostics."""
    texts = [{"diagnostics": "a"}, {"diagnostics": "a"}, {"code": "value"}, {}, {"diagnostics": "c"}, {"code": "d"}]
    assert parsed(texts).summary == "a; value; c"
    assert parsed([]).summary == ""


def test_an_answer_without_error_is_no_error() -> None:
    """A 200 is judged good here, even with an OperationOutcome: a PATCH may answer with one."""
    assert judge(answer(outcome())) is None


@pytest.mark.parametrize(
    ("status", "kind"), [(400, InvalidRequestError), (404, NotFoundError), (412, PreconditionError)]
)
def test_the_outcome_travels_in_the_error(status: int, kind: type[ApiError]) -> None:
    """The class comes from the status, the words from the diagnostics, the whole outcome is in `.outcome`."""
    error = judge(answer(outcome("multiple-matches", "plusieurs lieux", expression=["Location"]), status))
    assert type(error) is kind
    assert "plusieurs lieux" in str(error)
    assert error.outcome.issues[0].expressions == ("Location",)
    assert error.status == status
    assert not error.retryable


def test_an_error_without_an_outcome_has_none() -> None:
    """HTML from a gateway still gives the class of its status."""
    error = judge(answer(b"<html>not here</html>", 404, media_type="text/html"))
    assert isinstance(error, NotFoundError)
    assert error.outcome is None


def test_the_values_of_the_query_stay_out_of_the_message() -> None:
    """Diagnostics that repeat an RPPS number are shown without it; the outcome keeps them whole."""
    url = f"{BASE}/Practitioner?identifier=10001234567"
    error = judge(answer(outcome(diagnostics="identifiant 10001234567 invalide"), 400, url))
    assert error is not None
    assert "10001234567" not in f"{error}{error.url}{error.hint}"
    assert "identifiant … invalide" in str(error)
    assert error.outcome.summary == "identifiant 10001234567 invalide"


@pytest.mark.parametrize(
    "code",
    [
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
    ],
)
def test_a_5xx_that_blames_the_request_is_not_worth_repeating(code: str) -> None:
    """With one of these codes a 503 is final."""
    error = judge(answer(outcome(code), 503))
    assert isinstance(error, ServerFaultError)
    assert not error.retryable
    assert "repeating it changes nothing" in error.hint


@pytest.mark.parametrize("body", [outcome("exception"), outcome("timeout"), outcome("value", severity="warning"), b""])
def test_a_5xx_that_blames_the_server_may_be_repeated(body: Any) -> None:
    """The same 503 with a code of the server's own trouble, or a mere warning, stays retryable."""
    error = judge(answer(body, 503))
    assert isinstance(error, ServerFaultError)
    assert error.retryable
