"""Lay out the page: the verdict first, then what to do, then everything that was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante._version import __version__
from ror_sante.diagnosis.page.elements import element, every, written
from ror_sante.diagnosis.page.pictures import bars, chains, strip, took
from ror_sante.diagnosis.page.style import policy, style
from ror_sante.diagnosis.page.words import word
from ror_sante.diagnosis.report import Check, Outcome, SmokeReport, SmokeReports
from ror_sante.diagnosis.telling import why

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree import ElementTree as ET

    from ror_sante.diagnosis.causes import Lang
    from ror_sante.diagnosis.machine import Machine
    from ror_sante.diagnosis.route import Route
    from ror_sante.diagnosis.watch import Round

_SIGNS: Final = {Outcome.OK: "✔", Outcome.WARN: "▲", Outcome.FAIL: "✘", Outcome.SKIPPED: "·"}
_WORTH_A_BAR: Final = 0.001
_FEW: Final = 4
_OPEN: Final = "It holds no secret. Names, addresses and paths of your network are in it; --share masks them."
_MASKED: Final = "Names, addresses, paths and accounts are masked."


def to_html(reports: SmokeReports, *, lang: Lang = "en", masked: bool = False, rounds: Sequence[Round] = ()) -> str:
    """Write the page.

    Args:
        reports: of all ladders.
        lang: of the fixed words.
        masked: the values were masked by `Mask` before; the page says so.
        rounds: how those of a watch went, the newest last; the page then shows them and the reports of the last.

    Returns:
        A whole HTML document in one string. It fetches nothing and runs nothing; its policy forbids both.
    """
    return written(
        element(
            "html", _head(reports, lang), element("body", _main(reports, lang, masked=masked, rounds=rounds)), lang=lang
        )
    )


def _head(reports: SmokeReports, lang: Lang) -> ET.Element:
    sheet = element("style")
    sheet.text = style()
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy()),
        element("meta", name="viewport", content="width=device-width,initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{_verdict(reports.failed, reports.warned, lang)} – ror-sante"),
        sheet,
    )


def _main(reports: SmokeReports, lang: Lang, *, masked: bool, rounds: Sequence[Round]) -> ET.Element:
    parts: list[ET.Element | str] = [_banner(reports, lang), *_absent(reports, lang), *_rounds(rounds, lang)]
    for report in reports.reports:
        parts.extend(_service(report, lang, alone=len(reports.reports) == 1))
    if reports.machine is not None:
        parts.extend(_machine(reports.machine, lang))
    made = f"{word('made by', lang)} ror-sante {__version__}. {word(_MASKED if masked else _OPEN, lang)}"
    return element("main", *parts, element("footer", made))


def _banner(reports: SmokeReports, lang: Lang) -> ET.Element:
    names = "; ".join(
        dict.fromkeys(f"{_title(one)}, {word('environment', lang)} {one.environment}" for one in reports.reports)
    )
    when = f"{reports.at:%Y-%m-%d %H:%M:%S} UTC · " if reports.at else ""
    return element(
        "header",
        element("h1", _verdict(reports.failed, reports.warned, lang)),
        element("p", names),
        element("p", f"{when}{took(reports.seconds)} · {word('exit code', lang)} {reports.exit_code}", class_="soft"),
        class_=f"card verdict {_kind(reports.failed, reports.warned)}",
    )


def _absent(reports: SmokeReports, lang: Lang) -> list[ET.Element]:
    return [element("p", f"{name}: {word('not tried', lang)}, {why}", class_="soft") for name, why in reports.absent]


def _rounds(rounds: Sequence[Round], lang: Lang) -> list[ET.Element]:
    told = [
        (f"{one.at:%Y-%m-%d %H:%M:%S} {took(one.seconds)} {', '.join(one.stopped or one.warned)}".strip(), one.kind)
        for one in rounds
    ]
    return _section("Rounds", [element("div", strip(told, word("Rounds", lang)), class_="card")], lang) if told else []


def _service(report: SmokeReport, lang: Lang, *, alone: bool) -> list[ET.Element | str]:
    title = f"{_title(report)} – {_verdict(report.failed, report.warned, lang)}"
    return every(
        [
            None if alone else element("h2", title),
            *_section("What to do", [_to_do(report, lang)], lang),
            *_section("The ladder", [_ladder(report)], lang),
            *_section("Endpoints side by side", _grid(report, lang), lang),
            *_section("Who showed what", [_route_card(route, lang) for route in _walked(report)], lang),
            *_section("Where the time went", _times(report, lang), lang),
        ]
    )


def _section(title: str, parts: list[ET.Element], lang: Lang) -> list[ET.Element]:
    return [element("h3", word(title, lang)), *parts] if parts else []


# ------------------------------------------------------------------ what to do, and the rungs


def _to_do(report: SmokeReport, lang: Lang) -> ET.Element:
    open_ones = [check for check in (*report.failed, *report.warned) if check.hint or check.causes]
    if not open_ones:
        return element("p", word("Nothing needs doing.", lang), class_="card")
    return element(
        "ul",
        *(
            element(
                "li",
                element("strong", f"{check.name}: {check.detail}"),
                check.hint,
                _why(check, lang),
                class_="card do",
            )
            for check in open_ones
        ),
        class_="plain",
    )


def _headed(check: Check) -> str:
    return f"{check.name}: {check.detail}"


def _why(check: Check, lang: Lang) -> ET.Element | None:
    """List why it failed: each cause, what it stands on, and its next step."""
    told = why(check, lang)
    if not told:
        return None
    pairs = [part for label, text in told for part in (element("dt", label), element("dd", text))]
    return element("dl", *pairs, class_="why")


def _ladder(report: SmokeReport) -> ET.Element:
    return element("ol", *(_rung(check) for check in report.checks), class_="card ladder")


def _rung(check: Check) -> ET.Element:
    hint = element("span", check.hint, class_="hint") if check.hint else None
    return element(
        "li",
        element("span", _SIGNS[check.outcome], class_="sign"),
        element("span", check.name, class_="rung"),
        element("span", check.detail, hint, class_="told"),
        element("span", "" if check.outcome is Outcome.SKIPPED else took(check.seconds), class_="took"),
        class_=check.outcome.value,
    )


def _grid(report: SmokeReport, lang: Lang) -> list[ET.Element]:
    """Lay the rungs that looked at several endpoints beside each other: a row an endpoint, a column a rung."""
    several = [check for check in report.checks if check.parts]
    if not several:
        return []
    rows = list(dict.fromkeys(part.column for check in several for part in check.parts))
    head = element("tr", element("th"), *(element("th", check.name) for check in several))
    body = [element("tr", element("th", row), *(_cell(check, row, lang) for check in several)) for row in rows]
    return [element("div", element("table", head, *body, class_="grid"), class_="card scroll")]


def _cell(check: Check, row: str, lang: Lang) -> ET.Element:
    part = next((part for part in check.parts if part.column == row), None)
    if part is None:
        return element("td")
    told = f"{word(part.outcome.value, lang)}: {part.detail} {part.hint}".strip()
    return element("td", _SIGNS[part.outcome], class_=part.outcome.value, title=told)


# ------------------------------------------------------------------ pictures


def _walked(report: SmokeReport) -> list[Route]:
    """Give the ways worth a picture: of many, those that broke, and one that is good."""
    gone = [route for route in report.routes if route.ours or route.theirs or route.peer]
    if len(gone) <= _FEW:
        return gone
    good = [route for route in gone if route.version and not route.refused]
    return [*(route for route in gone if route not in good), *good[:1]]


def _route_card(route: Route, lang: Lang) -> ET.Element:
    rows = [element("tr", element("th", word(name, lang)), element("td", value)) for name, value in route.receipt()]
    caption = element("figcaption", element("strong", f"{word('The receipt', lang)}: {route.label}"))
    return element("figure", chains(route, lang), caption, element("table", *rows), class_="card")


def _times(report: SmokeReport, lang: Lang) -> list[ET.Element]:
    rows = [
        (check.name, check.seconds, check.outcome.value)
        for check in report.checks
        if check.outcome is not Outcome.SKIPPED and check.seconds >= _WORTH_A_BAR
    ]
    return [element("div", bars(rows, word("Where the time went", lang)), class_="card")] if rows else []


def _machine(machine: Machine, lang: Lang) -> list[ET.Element]:
    facts = [element("tr", element("th", name), element("td", value)) for name, value in machine.facts]
    checks = [
        element(
            "tr",
            element("th", f"{_SIGNS[check.outcome]} {check.name}"),
            element("td", check.detail, element("span", check.hint, class_="hint") if check.hint else None),
            class_=check.outcome.value,
        )
        for check in machine.checks
    ]
    return [element("h3", word("This machine", lang)), element("table", *facts, *checks, class_="card")]


# ------------------------------------------------------------------ verdicts


def _title(report: SmokeReport) -> str:
    return report.title or report.service


def _kind(failed: tuple[Check, ...], warned: tuple[Check, ...]) -> str:
    return "fail" if failed else "warn" if warned else "ok"


def _verdict(failed: tuple[Check, ...], warned: tuple[Check, ...], lang: Lang) -> str:
    if failed:
        return f"{word('Stopped at', lang)} {failed[0].name}"
    return word("It works, with warnings" if warned else "It works", lang)
