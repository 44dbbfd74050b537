"""Tell why a rung failed, line by line, in English or French: the likeliest cause whole, the others by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.diagnosis.causes import Cause, Lang
    from ror_sante.diagnosis.report import Check

    Line = tuple[str, str]

# More than these are guesses of guesses; the JSON report holds them all.
_MOST: Final = 3
_LABELS: Final = {"en": ("cause", "seen", "next", "or"), "fr": ("cause", "constat", "à faire", "ou")}
_SURE: Final = {
    "en": {"high": "high", "medium": "medium", "low": "low"},
    "fr": {"high": "très probable", "medium": "probable", "low": "possible"},
}


def why(check: Check, lang: Lang = "en") -> tuple[Line, ...]:
    """Give the lines about the causes of a check that failed.

    Args:
        check: with its causes; of several endpoints, each one's likeliest is told, with the endpoints that share it.
        lang: ``en`` or ``fr``.

    Returns:
        Labels and texts: ``cause (high)`` and its title, ``seen`` and the evidence, ``next`` and what to do,
        ``or (low)`` and another title. What the check says already is not said again.
    """
    shared = _shared(check)
    if not shared:
        return tuple(_alone(check, lang))
    titled = ((cause, f"{', '.join(columns)}: {cause.title}") for columns, cause in shared)
    return tuple(line for cause, title in titled for line in _whole(check, cause, title, lang))


def _shared(check: Check) -> list[tuple[list[str], Cause]]:
    """Give the likeliest cause of each endpoint, every one once, with the endpoints that it is the cause at."""
    found: dict[str, tuple[list[str], Cause]] = {}
    for part in check.parts:
        if part.causes:
            found.setdefault(part.causes[0].code, ([], part.causes[0]))[0].append(part.column)
    return list(found.values())


def _alone(check: Check, lang: Lang) -> Iterator[Line]:
    for first in check.causes[:1]:
        yield from _whole(check, first, first.title, lang)
    for other in check.causes[1:_MOST]:
        yield f"{_LABELS[lang][3]} ({_SURE[lang][other.confidence]})", other.title


def _whole(check: Check, cause: Cause, title: str, lang: Lang) -> Iterator[Line]:
    """Tell a cause with its ground and its next step, but for what stands beside it already."""
    label, seen, step, _ = _LABELS[lang]
    yield f"{label} ({_SURE[lang][cause.confidence]})", title
    if cause.evidence not in check.detail:
        yield seen, cause.evidence
    if cause.next_step not in check.hint:
        yield step, cause.next_step
