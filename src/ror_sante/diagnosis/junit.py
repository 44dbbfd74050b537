"""Write smoke tests as JUnit XML, which every continuous-integration server shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET  # only written here, never read

from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.telling import why
from ror_sante.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.diagnosis.causes import Lang
    from ror_sante.diagnosis.report import Check, SmokeReport, SmokeReports

_LONG: Final = 4000
_ERROR: Final = {2: "settings", 3: "identity", 4: "transport", 5: "answer"}


def to_junit(reports: SmokeReports, *, strict: bool = False, lang: Lang = "en") -> str:
    """Write a suite a service and environment, with a case a rung, or a case an endpoint where a rung saw several.

    Args:
        reports: of all ladders; the machine's facts are the properties of each suite.
        strict: a warning is a failure too; else it is a passed case with its text in ``system-out``.
        lang: ``en`` or ``fr``, of the labels of causes, which stand in the text of a failure.

    Returns:
        An XML document.
    """
    whole = ET.Element("testsuites", name="ror-sante smoke-test", time=_time(reports.seconds))
    for report in reports.reports:
        whole.append(_suite(report, reports, strict=strict, lang=lang))
    for element in whole, *whole:
        _count(element)
    ET.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(whole, encoding="unicode") + "\n"


def _suite(report: SmokeReport, reports: SmokeReports, *, strict: bool, lang: Lang) -> ET.Element:
    name = f"{report.service} {report.environment}"
    suite = ET.Element("testsuite", name=name, time=_time(report.seconds))
    if reports.machine is not None:
        properties = ET.SubElement(suite, "properties")
        for key, value in reports.machine.facts:
            ET.SubElement(properties, "property", name=key, value=_safe(value))
    for check in report.checks:
        for one in _one_by_one(check):
            suite.append(_case(one, name, strict=strict, lang=lang))
    return suite


def _one_by_one(check: Check) -> Iterator[Check]:
    """Give a check as it is, or one for each endpoint: a CI server then tells which region failed, and since when."""
    if not check.parts:
        yield check
    for part in check.parts:
        yield replace(
            check,
            name=f"{check.name} {part.column}",
            outcome=part.outcome,
            detail=part.detail,
            hint=part.hint,
            seconds=part.seconds,
            family=part.family,
            parts=(),
            causes=part.causes,
        )


def _case(check: Check, suite: str, *, strict: bool, lang: Lang) -> ET.Element:
    case = ET.Element("testcase", name=_safe(check.name), classname=f"ror-sante.{suite.replace(' ', '.')}")
    case.set("time", _time(check.seconds))
    detail, hint = _safe(check.detail), _safe(check.hint)
    causes = [_safe(f"{label}: {text}") for label, text in why(check, lang)]
    told = "\n".join(filter(None, [detail, hint, *causes]))
    match check.outcome:
        case Outcome.FAIL:
            kind = _ERROR.get(check.family, "answer")
            ET.SubElement(case, "failure", message=detail, type=kind).text = told
        case Outcome.WARN if strict:
            ET.SubElement(case, "failure", message=detail, type="warning").text = told
        case Outcome.SKIPPED:
            ET.SubElement(case, "skipped", message=detail)
        case _:
            ET.SubElement(case, "system-out").text = told
    return case


def _safe(text: str) -> str:
    """Show the control characters that XML cannot hold."""
    return printable(text, _LONG)


def _count(element: ET.Element) -> None:
    for key, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        element.set(key, str(len(list(element.iter(tag)))))
    element.set("errors", "0")


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"
