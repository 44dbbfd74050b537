"""What one rung of a ladder saw, before it has a name and a duration."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis.report import Outcome, exit_code_of
from ror_sante.tls.faults import SUPPORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ror_sante.diagnosis.causes import Cause
    from ror_sante.errors import Finding, RorError

_LAST_RESORT: Final = f"If it goes on, send this report to {SUPPORT}."
_WORST_LAST: Final = (Outcome.SKIPPED, Outcome.OK, Outcome.WARN, Outcome.FAIL)


@dataclass(frozen=True)
class Seen:
    """What a rung saw.

    Attributes:
        outcome: how it went.
        detail: what was seen.
        hint: what to do about it.
        family: the exit code of a failure.
        seconds: how long it took, when the rung knows better than a clock around it.
        error: what failed, for those who look into it.
        causes: why it probably failed, the likeliest first.
    """

    outcome: Outcome
    detail: str
    hint: str = ""
    family: int = 0
    seconds: float | None = None
    error: RorError | None = field(default=None, repr=False, compare=False)
    causes: tuple[Cause, ...] = ()


def ok(detail: str, *, seconds: float | None = None) -> Seen:
    """The rung holds."""
    return Seen(Outcome.OK, detail, seconds=seconds)


def warn(detail: str, hint: str) -> Seen:
    """The rung holds, and something should be looked at."""
    return Seen(Outcome.WARN, detail, hint)


def skipped(detail: str) -> Seen:
    """The rung was not tried."""
    return Seen(Outcome.SKIPPED, detail)


def failed(error: RorError) -> Seen:
    """The rung breaks, for the reason that an error of ours gives; there is always something to do about it."""
    return Seen(Outcome.FAIL, error.message, error.hint or _LAST_RESORT, exit_code_of(error), error=error)


def noticed(seen: Seen, findings: Iterable[Finding]) -> Seen:
    """Add what works by accident only: a rung that held is a warning now, one that failed keeps its own advice."""
    more = list(findings)
    if not more:
        return seen
    detail = "; ".join([seen.detail, *(finding.message for finding in more)])
    if seen.outcome is Outcome.FAIL:
        return replace(seen, detail=detail)
    return replace(seen, outcome=Outcome.WARN, detail=detail, hint=seen.hint or more[0].hint)


def joined(rungs: Iterable[Seen]) -> Seen:
    """Make one rung of several hosts': the worst outcome, every detail and hint once, the longest time.

    The exit code is that of the lowest family among what failed: what is to be mended first.
    """
    seen = list(rungs)
    worst = max(seen, key=lambda one: (_WORST_LAST.index(one.outcome), -one.family))
    return Seen(
        worst.outcome,
        "; ".join(dict.fromkeys(one.detail for one in seen)),
        " ".join(dict.fromkeys(one.hint for one in seen if one.hint)),
        worst.family,
        max((one.seconds for one in seen if one.seconds is not None), default=None),
        error=worst.error,
        causes=_gathered(seen),
    )


def _gathered(seen: list[Seen]) -> tuple[Cause, ...]:
    """Give all causes of one host's failure; of several, the likeliest of each, every one once."""
    told = [one.causes for one in seen if one.causes]
    if len(told) < 2:
        return told[0] if told else ()
    first: dict[str, Cause] = {}
    for causes in told:
        first.setdefault(causes[0].code, causes[0])
    return tuple(first.values())
