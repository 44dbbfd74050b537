"""Lay endpoints beside each other: a tile for each of many, and a table with a mark a rung."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis.page.elements import element
from ror_sante.diagnosis.page.pictures import took
from ror_sante.diagnosis.page.words import word
from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.telling import in_short

if TYPE_CHECKING:
    from collections.abc import Iterable
    from xml.etree import ElementTree as ET

    from ror_sante.diagnosis.causes import Lang
    from ror_sante.diagnosis.report import Check, Part, SmokeReport

SIGNS: Final = {Outcome.OK: "✔", Outcome.WARN: "▲", Outcome.FAIL: "✘", Outcome.SKIPPED: "·"}
# A few endpoints are told by the ladder; from here on they are a grid.
_MANY: Final = 5
_BAD: Final = (Outcome.FAIL, Outcome.WARN)
_GRAVITY: Final = {Outcome.OK: 0, Outcome.SKIPPED: 1, Outcome.WARN: 2, Outcome.FAIL: 3}


def tiles(report: SmokeReport, lang: Lang) -> list[ET.Element]:
    """Give a grid with a tile for each of many endpoints: how it is there, and what is to be mended or was found."""
    names = _names(report)
    return [element("ul", *(_tile(name, report, lang) for name in names), class_="tiles")] if is_grid(report) else []


def table(report: SmokeReport, lang: Lang) -> list[ET.Element]:
    """Give a table with a row an endpoint and a column a rung; of many, only rungs that do not hold everywhere."""
    several = [check for check in report.checks if check.parts]
    if not several:
        return []
    shown = [check for check in several if check is several[-1] or _differs(check)] if is_grid(report) else several
    head = element("tr", element("th"), *(element("th", check.name) for check in shown))
    body = [
        element("tr", element("th", _called(name, lang)), *(_cell(check, name, lang) for check in shown))
        for name in _names(report, common=True)
    ]
    return [element("div", element("table", head, *body, class_="grid"), class_="card scroll")]


def is_grid(report: SmokeReport) -> bool:
    """Tell whether a report has so many endpoints that they are a grid."""
    return len(_names(report)) >= _MANY


def _names(report: SmokeReport, *, common: bool = False) -> list[str]:
    found = dict.fromkeys(part.column for check in report.checks for part in check.parts)
    return [name for name in found if name or common]


def _differs(check: Check) -> bool:
    return any(part.outcome in _BAD for part in check.parts)


def _called(name: str, lang: Lang) -> str:
    return name or word("common to all", lang)


def _tile(name: str, report: SmokeReport, lang: Lang) -> ET.Element:
    """Tell of one endpoint what stopped it, else what the last rung saw."""
    parts = [(check.name, part) for check in report.checks for part in check.parts if part.column == name]
    rung, part = _telling(parts)
    head = element("span", element("span", SIGNS[part.outcome], class_="sign"), element("strong", name), class_="head")
    foot = f"{rung} · {took(part.seconds)}" if part.outcome is not Outcome.SKIPPED else rung
    return element(
        "li",
        head,
        element("span", in_short(part), class_="told", title=part.detail),
        element("span", foot, class_="took"),
        class_=f"tile {part.outcome.value}",
        aria_label=f"{name}: {word(part.outcome.value, lang)}",
    )


def _telling(parts: list[tuple[str, Part]]) -> tuple[str, Part]:
    worst = max(_GRAVITY[part.outcome] for _, part in parts)
    if worst >= _GRAVITY[Outcome.WARN]:
        return next(each for each in parts if _GRAVITY[each[1].outcome] == worst)
    return parts[-1]


def _cell(check: Check, row: str, lang: Lang) -> ET.Element:
    part = _worst(part for part in check.parts if part.column == row)
    if part is None:
        return element("td")
    told = f"{word(part.outcome.value, lang)}: {part.detail} {part.hint}".strip()
    return element("td", SIGNS[part.outcome], class_=part.outcome.value, title=told)


def _worst(parts: Iterable[Part]) -> Part | None:
    """Give what is worst at one endpoint, of whose rung there may be two: its token host and its API host."""
    return max(parts, key=lambda part: _GRAVITY[part.outcome], default=None)
