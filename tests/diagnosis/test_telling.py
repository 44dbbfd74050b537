"""Causes are told line by line, in the language that is asked for, and nothing twice."""

from __future__ import annotations

from ror_sante.diagnosis.causes import Cause, Confidence
from ror_sante.diagnosis.report import Check, Outcome, Part
from ror_sante.diagnosis.rung import Seen, joined, skipped
from ror_sante.diagnosis.telling import held, in_short, troubles, why


def cause(code: str, confidence: Confidence = "low") -> Cause:
    return Cause(
        code=code, confidence=confidence, evidence=f"{code} seen", title=f"{code} title", next_step=f"do {code}"
    )


def check(*causes: Cause, detail: str = "d", hint: str = "h", parts: tuple[Part, ...] = ()) -> Check:
    return Check(name="tls", outcome=Outcome.FAIL, detail=detail, hint=hint, causes=causes, parts=parts)


def part(column: str, *causes: Cause) -> Part:
    return Part(column=column, outcome=Outcome.FAIL, detail="d", causes=causes)


def test_the_first_cause_is_told_whole_and_two_more_by_name() -> None:
    """With how sure it is, its ground and its next step."""
    told = why(check(cause("a", "high"), cause("b"), cause("c"), cause("d")))
    assert told == (
        ("cause (high)", "a title"),
        ("seen", "a seen"),
        ("next", "do a"),
        ("or (low)", "b title"),
        ("or (low)", "c title"),
    )


def test_the_labels_are_french_when_asked_for() -> None:
    """Their texts are so already."""
    labels = [label for label, _ in why(check(cause("a", "high"), cause("b", "medium")), "fr")]
    assert labels == ["cause (très probable)", "constat", "à faire", "ou (probable)"]


def test_what_the_check_says_already_is_not_said_again() -> None:
    """Its detail is often the evidence, its hint the next step."""
    assert why(check(cause("a"), detail="so a seen", hint="do a")) == (("cause (low)", "a title"),)


def test_a_check_without_causes_tells_none() -> None:
    """Settings that are wrong say so themselves."""
    assert why(check()) == ()


def test_each_endpoint_has_its_own_cause() -> None:
    """Endpoints that share one are named together."""
    parts = (part("Bretagne", cause("a", "high"), cause("b")), part("Corse", cause("b")), part("Guyane", cause("a")))
    told = why(check(cause("a"), parts=(*parts, part("Mayotte"))))
    assert [text for label, text in told if label.startswith("cause")] == [
        "Bretagne, Guyane: a title",
        "Corse: b title",
    ]


def test_a_check_of_several_endpoints_holds_the_first_cause_of_each_once() -> None:
    """Of one that failed alone, all; the others say nothing."""
    one = Seen(Outcome.FAIL, "d", causes=(cause("a"), cause("b")))
    other = Seen(Outcome.FAIL, "d", causes=(cause("c"), cause("a")))
    assert joined([one, skipped("s")]).causes == one.causes
    assert [found.code for found in joined([one, other, one]).causes] == ["a", "c"]


def test_the_troubles_of_many_endpoints_are_told_like_to_like() -> None:
    """Those of one hint and cause together; one that stopped at an earlier rung is not told again, a warning is."""
    warned = Part(column="Corse", outcome=Outcome.WARN, detail="d", hint="look")
    seen = check(parts=(part("A", cause("a")), part("B", cause("b")), part("C", cause("a")), warned, part("D")))
    failed: set[str] = set()
    assert [trouble.columns for trouble in troubles(seen, failed)] == ["A, C", "B", "Corse", "D"]
    assert failed == {"A", "B", "C", "D"}
    assert [trouble.columns for trouble in troubles(seen, failed)] == ["Corse"]
    assert held(seen) == "0 of 5 hold"


def test_a_trouble_leaves_a_cause_that_is_not_known_to_its_hint() -> None:
    """Who has eighteen of them reads what is known."""
    (known, unknown) = troubles(check(parts=(part("A", cause("a")), part("B", cause("unknown")))), set())
    assert [label for label, _ in known.why()] == ["cause (low)", "seen", "next"]
    assert unknown.why() == ()


def test_a_small_place_tells_the_cause_else_what_was_seen() -> None:
    """The id of a request is for the service's support."""
    assert in_short(part("A", cause("a"))) == "a title"
    refused = Part(
        column="A", outcome=Outcome.FAIL, detail="[request 12ab] GET x answered 500", causes=(cause("unknown"),)
    )
    assert in_short(refused) == "GET x answered 500"
