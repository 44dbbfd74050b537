"""Draw the two chains of a connection, and where the time went, as SVG."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis.page.elements import element, every
from ror_sante.diagnosis.page.words import word

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree import ElementTree as ET

    from ror_sante.diagnosis.causes import Lang
    from ror_sante.diagnosis.route import Route

_WIDTH: Final = 760
_BOX: Final = (320, 62)
_STEP: Final = 94
_TOP: Final = 40
_SIDES: Final = (8, 432)
_LETTERS: Final = 34
_BAR: Final = 24
_LABEL: Final = 150


@dataclass(frozen=True)
class _Box:
    """A certificate of a chain: its name, what it is, and how it is drawn."""

    name: str
    role: str
    kind: str


def chains(route: Route, lang: Lang) -> ET.Element:
    """Draw what both sides showed, the leaves at the foot and the roots at the top."""
    ours, theirs = _ours(route, lang), _theirs(route, lang)
    height = _TOP + _STEP * max(len(ours), len(theirs)) + 40
    foot = height - 40 - _BOX[1]
    sides = [(_SIDES[0], ours, "We sent"), (_SIDES[1], theirs, "The server sent")]
    drawn: list[ET.Element] = []
    for left, boxes, title in sides:
        drawn.append(_text(left, 24, word(title, lang), class_="title"))
        drawn.extend(_side(left, foot, boxes))
    return element(
        "svg",
        element("title", f"{route.label}: {word('Who showed what', lang)}"),
        *drawn,
        *_handshake(route, foot + _BOX[1] // 2, lang),
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        class_="chains",
    )


def bars(rows: Sequence[tuple[str, float, str]], label: str) -> ET.Element:
    """Draw durations as bars.

    Args:
        rows: names, seconds and classes.
        label: what the picture shows, for those who cannot see it.
    """
    longest = max((seconds for _, seconds, _ in rows), default=0.0) or 1.0
    room = _WIDTH - _LABEL - 110
    drawn: list[ET.Element] = []
    for index, (name, seconds, kind) in enumerate(rows):
        y = index * _BAR + 4
        length = max(2.0, round(seconds / longest * room, 1))
        drawn.append(_text(_LABEL - 10, y + 14, _cut(name, 20), whole=name, text_anchor="end"))
        drawn.append(element("rect", x=_LABEL, y=y, width=length, height=_BAR - 8, rx=3, class_=f"bar {kind}"))
        drawn.append(_text(_LABEL + length + 8, y + 14, took(seconds), class_="time"))
    return element(
        "svg",
        element("title", label),
        *drawn,
        viewBox=f"0 0 {_WIDTH} {len(rows) * _BAR + 8}",
        role="img",
        class_="bars",
    )


def strip(rounds: Sequence[tuple[str, str]], label: str) -> ET.Element:
    """Draw one small box a round, coloured by how it went, the newest last.

    Args:
        rounds: what each one says when pointed at, and its class.
        label: what the picture shows.
    """
    across = 60
    boxes = [
        element(
            "rect",
            element("title", told),
            x=(index % across) * 12 + 20,
            y=(index // across) * 22 + 4,
            width=9,
            height=18,
            rx=2,
            class_=f"bar {kind}",
        )
        for index, (told, kind) in enumerate(rounds)
    ]
    height = ((len(rounds) - 1) // across + 1) * 22 + 8
    return element("svg", element("title", label), *boxes, viewBox=f"0 0 {_WIDTH} {height}", role="img", class_="strip")


def took(seconds: float) -> str:
    """Write a duration as people say it."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"


def _ours(route: Route, lang: Lang) -> list[_Box]:
    if not route.ours:
        nothing = "nothing was sent" if route.refused == "theirs" else "no certificate"
        return [_Box(word(nothing, lang), "", "none")]
    bad = "bad" if route.refused == "ours" else "sent"
    boxes = [_Box(name, _role(index, lang), bad if index == 0 else "sent") for index, name in enumerate(route.ours)]
    return [*boxes, _Box(route.our_root, word("root, not sent", lang), "root")] if route.our_root else boxes


def _theirs(route: Route, lang: Lang) -> list[_Box]:
    if not route.theirs:
        return [_Box(word("nothing was seen", lang), "", "none")]
    kind = "bad" if route.refused == "theirs" else "sent"
    boxes = [_Box(name, _role(index, lang), kind) for index, name in enumerate(route.theirs)]
    if route.their_root:
        return [*boxes, _Box(route.their_root, word("root, pinned", lang), "root")]
    return [*boxes, _Box("?", word("not trusted", lang), "bad root")]


def _role(index: int, lang: Lang) -> str:
    return word("leaf" if index == 0 else "intermediate", lang)


def _side(left: int, foot: int, boxes: list[_Box]) -> list[ET.Element]:
    """Draw one chain upwards from its leaf."""
    drawn: list[ET.Element] = []
    width, height = _BOX
    for index, box in enumerate(boxes):
        y = foot - index * _STEP
        if index:
            x = left + width // 2
            drawn.append(element("path", d=f"M{x} {y + _STEP} V{y + height + 7}", class_="line"))
            drawn.append(element("path", d=f"M{x - 5} {y + height + 9} l5 -8 l5 8 z", class_="arrow"))
        drawn.append(element("rect", x=left, y=y, width=width, height=height, rx=8, class_=f"box {box.kind}"))
        lines = _lines(box.name)
        for number, line in enumerate(lines):
            drawn.append(_text(left + 14, y + 20 + 16 * number, line, whole=box.name, class_="name"))
        drawn.append(_text(left + 14, y + 20 + 16 * len(lines), box.role, class_="role"))
    return drawn


def _handshake(route: Route, y: int, lang: Lang) -> list[ET.Element]:
    """Draw what joins the two leaves: the protocol, or the refusal."""
    broken = bool(route.refused) or not route.version
    kind = "broken" if broken else "joined"
    above = word("refused", lang) if route.refused else route.version or word("no handshake", lang)
    left, right = _SIDES[0] + _BOX[0], _SIDES[1]
    middle = (left + right) // 2
    cross = element("path", d=f"M{middle - 7} {y - 7} l14 14 M{middle + 7} {y - 7} l-14 14", class_="cross")
    return every(
        [
            element("path", d=f"M{left + 6} {y} H{right - 6}", class_=f"line {kind}"),
            cross if broken else None,
            _text(middle, y - 14, above, class_="role", text_anchor="middle"),
        ]
    )  # type: ignore[return-value]  # no text is among them


def _text(x: float, y: float, text: str, *, whole: str = "", **attributes: object) -> ET.Element:
    made = element("text", text, x=x, y=y, **attributes)
    if whole and whole != text:
        made.append(element("title", whole))
    return made


def _lines(name: str) -> list[str]:
    """Write a name in one line or two."""
    first, *rest = textwrap.wrap(name, _LETTERS) or [""]
    return [first, _cut(" ".join(rest), _LETTERS)] if rest else [first]


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
