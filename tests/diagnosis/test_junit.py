"""JUnit XML: as a CI server reads it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from ror_sante.diagnosis.causes import cause
from ror_sante.diagnosis.junit import to_junit
from ror_sante.diagnosis.machine import Machine
from ror_sante.diagnosis.report import Check, Outcome, Part, SmokeReport, SmokeReports

CHECKS = (
    Check(name="trust", outcome=Outcome.OK, detail="one root", seconds=0.25),
    Check(name="dates", outcome=Outcome.WARN, detail="20 days left", hint="Renew."),
    Check(name="token", outcome=Outcome.FAIL, detail='says <b>"no"</b> & \x1b[31m\x00', hint="Write.", family=5),
    Check(name="search", outcome=Outcome.SKIPPED, detail="needs token, which failed"),
)


def parsed(*, strict: bool = False) -> ET.Element:
    report = SmokeReport(service="rorn", environment="bench", checks=CHECKS, took=1.5)
    other = SmokeReport(service="annuaire", environment="bench", checks=CHECKS[:1], took=0.5)
    whole = SmokeReports(reports=(report, other), machine=Machine.examine(environ={}))
    return ET.fromstring(to_junit(whole, strict=strict))  # noqa: S314  our own document, read back


@pytest.mark.parametrize(("strict", "failures"), [(False, "1"), (True, "2")])
def test_rungs_are_cases_and_counted(strict: bool, failures: str) -> None:
    """A warning passes, and fails under --strict."""
    whole = parsed(strict=strict)
    suite, other = whole.findall("testsuite")
    assert (whole.get("tests"), whole.get("failures"), whole.get("skipped")) == ("5", failures, "1")
    assert (suite.get("name"), suite.get("tests"), suite.get("time")) == ("rorn bench", "4", "1.500")
    assert (other.get("tests"), other.get("failures")) == ("1", "0")


def test_a_failure_has_its_family_and_what_to_do() -> None:
    """Foreign text is text, and control characters, which XML cannot hold, are shown."""
    case = parsed().find(".//testcase[@name='token']")
    assert case is not None
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "answer"
    assert failure.get("message") == 'says <b>"no"</b> & \\x1b[31m\\x00'
    assert (failure.text or "").endswith("Write.")


def test_what_is_good_or_skipped_says_so() -> None:
    """The detail is kept; the machine is in the properties."""
    whole = parsed()
    assert whole.findtext(".//testcase[@name='trust']/system-out") == "one root"
    skipped = whole.find(".//testcase[@name='search']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "needs token, which failed"
    assert whole.find(".//property[@name='OpenSSL']") is not None


def test_each_endpoint_of_a_rung_is_a_case() -> None:
    """Where several were seen: one that fails does not draw the others in, and the rung has no case of its own."""
    denied = (cause("api-403", "high", "x"),)
    parts = (
        Part(column="Bretagne", outcome=Outcome.FAIL, detail="answered 403", hint="Ask.", family=5, causes=denied),
        Part(column="Corse", outcome=Outcome.OK, detail="one root", seconds=0.25),
        Part(column="La Réunion", outcome=Outcome.SKIPPED, detail="needs token, which failed"),
    )
    check = Check(name="search", outcome=Outcome.FAIL, detail="Bretagne: …", family=5, parts=parts)
    whole = SmokeReports(reports=(SmokeReport(service="inter-ror", environment="bench", checks=(check,)),))
    suite = ET.fromstring(to_junit(whole)).find("testsuite")  # noqa: S314  our own document, read back
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    first, second, third = suite.findall("testcase")
    assert [one.get("name") for one in (first, second, third)] == [
        "search Bretagne",
        "search Corse",
        "search La Réunion",
    ]
    assert (first.find("failure").text or "").splitlines()[:3] == [  # type: ignore[union-attr]  # it is one of the failures
        "answered 403",
        "Ask.",
        "cause (high): The account has no right to this",
    ]
    assert (second.findtext("system-out"), second.get("time")) == ("one root", "0.250")


def test_a_report_that_knows_no_machine_has_no_properties() -> None:
    """A report may be made by hand."""
    report = SmokeReport(service="rorn", environment="bench", checks=CHECKS[:1])
    assert "<properties>" not in to_junit(SmokeReports(reports=(report,)))
