"""Tell why a rung failed, line by line, in English or French: the likeliest cause whole, the others by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis.causes import UNKNOWN
from ror_sante.diagnosis.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ror_sante.diagnosis.causes import Cause, Lang
    from ror_sante.diagnosis.report import Check, Part

    Line = tuple[str, str]

# Of more endpoints than these, each trouble is told for itself.
_FEW: Final = 4
# More causes than these are guesses of guesses; the JSON report holds them all.
_MOST: Final = 3
# What names a request to the service's support says nothing in a small place.
_REQUEST: Final = re.compile(r"^\[request [^\]]*\] ")
_LABELS: Final = {"en": ("cause", "seen", "next", "or"), "fr": ("cause", "constat", "à faire", "ou")}
_HELD: Final = {"en": "{} of {} hold", "fr": "{} sur {} tiennent"}
_SURE: Final = {
    "en": {"high": "high", "medium": "medium", "low": "low"},
    "fr": {"high": "très probable", "medium": "probable", "low": "possible"},
}


@dataclass(frozen=True)
class Trouble:
    """What is to be mended in the same way at one or more of many endpoints.

    Attributes:
        rung: the name of the check.
        parts: what was seen at each of them.
    """

    rung: str
    parts: tuple[Part, ...]

    @property
    def columns(self) -> str:
        """The endpoints."""
        return ", ".join(filter(None, [part.column for part in self.parts]))

    @property
    def hint(self) -> str:
        """What to do about it."""
        return self.parts[0].hint

    def why(self, lang: Lang = "en") -> tuple[Line, ...]:
        """Give the lines about its cause, as `why` does; a cause that is not known is left to the hint."""
        causes = [cause for cause in self.parts[0].causes if cause.code != UNKNOWN]
        return tuple(_told(causes, " ".join([self.parts[0].detail, self.hint]), lang))


def has_many(check: Check) -> bool:
    """Tell whether a check looked at so many endpoints that its troubles are told one by one."""
    return len(check.parts) > _FEW


def held(check: Check, lang: Lang = "en") -> str:
    """Count the endpoints at which a check holds."""
    return _HELD[lang].format(sum(part.outcome is Outcome.OK for part in check.parts), len(check.parts))


def in_short(part: Part) -> str:
    """Tell of one endpoint what fits a small place: its cause where it is known, else what was seen."""
    cause = next((cause.title for cause in part.causes if cause.code != UNKNOWN), "")
    return cause or _REQUEST.sub("", part.detail)


def troubles(check: Check, failed: set[str]) -> tuple[Trouble, ...]:
    """Give what is to be mended at the endpoints of a check, like to like.

    Args:
        check: of many endpoints.
        failed: the endpoints whose failure was told already, at an earlier check; those of this one are added.
    """
    found: dict[tuple[str, str], list[Part]] = {}
    for part in check.parts:
        if part.outcome is Outcome.WARN or (part.outcome is Outcome.FAIL and part.column not in failed):
            found.setdefault((part.hint, part.causes[0].code if part.causes else ""), []).append(part)
    failed |= {part.column for part in check.parts if part.outcome is Outcome.FAIL}
    return tuple(Trouble(check.name, tuple(parts)) for parts in found.values())


def why(check: Check, lang: Lang = "en") -> tuple[Line, ...]:
    """Give the lines about the causes of a check that failed.

    Args:
        check: with its causes; of several endpoints, each one's likeliest is told, with the endpoints that share it.
        lang: ``en`` or ``fr``.

    Returns:
        Labels and texts: ``cause (high)`` and its title, ``seen`` and the evidence, ``next`` and what to do,
        ``or (low)`` and another title. What the check says already is not said again.
    """
    beside = f"{check.detail} {check.hint}"
    shared = _shared(check)
    if not shared:
        return tuple(_told(check.causes, beside, lang))
    titled = ((cause, f"{', '.join(columns)}: {cause.title}") for columns, cause in shared)
    return tuple(line for cause, title in titled for line in _whole(cause, title, beside, lang))


def _shared(check: Check) -> list[tuple[list[str], Cause]]:
    """Give the likeliest cause of each endpoint, every one once, with the endpoints that it is the cause at."""
    found: dict[str, tuple[list[str], Cause]] = {}
    for part in check.parts:
        if part.causes and part.causes[0].code != UNKNOWN:
            found.setdefault(part.causes[0].code, ([], part.causes[0]))[0].append(part.column)
    return list(found.values())


def _told(causes: Sequence[Cause], beside: str, lang: Lang) -> Iterator[Line]:
    for first in causes[:1]:
        yield from _whole(first, first.title, beside, lang)
    for other in causes[1:_MOST]:
        yield f"{_LABELS[lang][3]} ({_SURE[lang][other.confidence]})", other.title


def _whole(cause: Cause, title: str, beside: str, lang: Lang) -> Iterator[Line]:
    """Tell a cause with its ground and its next step, but for what stands beside it already."""
    label, seen, step, _ = _LABELS[lang]
    yield f"{label} ({_SURE[lang][cause.confidence]})", title
    if cause.evidence not in beside:
        yield seen, cause.evidence
    if cause.next_step not in beside:
        yield step, cause.next_step
