"""Lay out the page: the verdict first, then what to do, then everything that was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante._version import __version__
from ror_sante.diagnosis.page.elements import element, every, written
from ror_sante.diagnosis.page.grid import SIGNS, is_grid, table, tiles
from ror_sante.diagnosis.page.pictures import bars, chains, strip, took
from ror_sante.diagnosis.page.style import policy, style
from ror_sante.diagnosis.page.words import word
from ror_sante.diagnosis.report import Check, Outcome, SmokeReport, SmokeReports
from ror_sante.diagnosis.telling import has_many, held, troubles, why

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree import ElementTree as ET

    from ror_sante.diagnosis.causes import Lang
    from ror_sante.diagnosis.machine import Machine
    from ror_sante.diagnosis.route import Route
    from ror_sante.diagnosis.telling import Trouble
    from ror_sante.diagnosis.watch import Round

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
            *_section("Endpoints side by side", tiles(report, lang), lang),
            *_section("What to do", [_to_do(report, lang)], lang),
            *_section("The ladder", [_ladder(report)], lang),
            *_section("Rung by rung" if is_grid(report) else "Endpoints side by side", table(report, lang), lang),
            *_section("Who showed what", [_route_card(route, lang) for route in _walked(report)], lang),
            *_section("Where the time went", _times(report, lang), lang),
        ]
    )


def _section(title: str, parts: list[ET.Element], lang: Lang) -> list[ET.Element]:
    return [element("h3", word(title, lang)), *parts] if parts else []


# ------------------------------------------------------------------ what to do, and the rungs


def _to_do(report: SmokeReport, lang: Lang) -> ET.Element:
    cards = list(_cards(report, lang))
    if not cards:
        return element("p", word("Nothing needs doing.", lang), class_="card")
    return element("ul", *cards, class_="plain")


def _cards(report: SmokeReport, lang: Lang) -> Iterator[ET.Element]:
    """Give a card for each rung that is to be mended; of many endpoints, for each of their troubles."""
    failed: set[str] = set()
    for check in (*report.failed, *report.warned):
        if has_many(check):
            for trouble in troubles(check, failed):
                yield _card(_named(trouble), trouble.hint, trouble.why(lang))
        elif check.hint or check.causes:
            yield _card([element("strong", f"{check.name}: {check.detail}")], check.hint, why(check, lang))


def _named(trouble: Trouble) -> list[ET.Element]:
    """Name the endpoints, and tell what each said where they differ."""
    details = dict.fromkeys(part.detail for part in trouble.parts)
    told = (
        [element("p", f"{part.column}: {part.detail}") for part in trouble.parts]
        if len(details) > 1
        else [element("p", detail) for detail in details]
    )
    return [element("strong", f"{trouble.rung}: {trouble.columns}"), *told]


def _card(head: list[ET.Element], hint: str, told: tuple[tuple[str, str], ...]) -> ET.Element:
    """Tell what is to be mended, what to do, and why it failed: each cause, what it stands on, its next step."""
    pairs = [part for label, text in told for part in (element("dt", label), element("dd", text))]
    causes = element("dl", *pairs, class_="why") if pairs else None
    return element("li", *head, element("p", hint, class_="hint"), causes, class_="card do")


def _ladder(report: SmokeReport) -> ET.Element:
    return element("ol", *(_rung(check) for check in report.checks), class_="card ladder")


def _rung(check: Check) -> ET.Element:
    many = has_many(check)
    hint = element("span", check.hint, class_="hint") if check.hint and not many else None
    return element(
        "li",
        element("span", SIGNS[check.outcome], class_="sign"),
        element("span", check.name, class_="rung"),
        element("span", _counted(check) if many else check.detail, hint, class_="told"),
        element("span", "" if check.outcome is Outcome.SKIPPED else took(check.seconds), class_="took"),
        class_=check.outcome.value,
    )


def _counted(check: Check) -> str:
    """Count the endpoints that hold, and name those that do not; alike everywhere, say it once."""
    bad = [part.column for part in check.parts if part.outcome in (Outcome.FAIL, Outcome.WARN)]
    return f"{held(check)}; {', '.join(filter(None, bad))}" if bad else check.detail


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
            element("th", f"{SIGNS[check.outcome]} {check.name}"),
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
