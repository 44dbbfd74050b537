"""Repeat a smoke test and keep count: when it worked, where it stopped, and how long it took."""

from __future__ import annotations

import statistics
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from ror_sante.diagnosis.report import SmokeReports

_KEPT: Final = 500


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of a watch.

    Attributes:
        number: from 1.
        at: when it began, in UTC.
        exit_code: the lowest family of what failed, or 0.
        stopped: the rungs at which ladders stopped, such as ``rorn token``.
        warned: names of the rungs that warned.
        seconds: how long it took.
    """

    number: int
    at: datetime
    exit_code: int
    stopped: tuple[str, ...]
    warned: tuple[str, ...]
    seconds: float

    @property
    def kind(self) -> str:
        """``ok``, ``warn`` or ``fail``."""
        return "fail" if self.exit_code else "warn" if self.warned else "ok"

    @property
    def verdict(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What must differ for a round to be news."""
        return self.stopped, self.warned


class Watch:
    """Keeps count of the rounds; memory does not grow with their number."""

    def __init__(self) -> None:
        self.rounds: deque[Round] = deque(maxlen=_KEPT)
        self.count = 0
        self._failed = 0
        self._warned = 0
        self._stops: Counter[str] = Counter()
        self._codes: set[int] = set()
        self._first: datetime | None = None

    def note(self, reports: SmokeReports) -> Round:
        """Count one round."""
        self.count += 1
        assert reports.at is not None  # noqa: S101  a smoke test that ran says when
        noted = Round(
            number=self.count,
            at=reports.at,
            exit_code=reports.exit_code,
            stopped=tuple(f"{one.service} {one.failed[0].name}" for one in reports.reports if one.failed),
            warned=tuple(check.name for check in reports.warned),
            seconds=reports.seconds,
        )
        self._first = self._first or noted.at
        self._failed += noted.kind == "fail"
        self._warned += noted.kind == "warn"
        self._stops.update(noted.stopped)
        self._codes.update({noted.exit_code} - {0})
        self.rounds.append(noted)
        return noted

    @property
    def exit_code(self) -> int:
        """The lowest family of all rounds that failed, or 0."""
        return min(self._codes, default=0)

    @property
    def warned(self) -> bool:
        """Whether a round held with a warning."""
        return self._warned > 0

    @property
    def summary(self) -> str:
        """What it comes to, in one line."""
        if not self.rounds or self._first is None:
            return "No round was finished."
        good = self.count - self._failed - self._warned
        told = [f"{good} good", *([f"{self._warned} with warnings"] if self._warned else [])]
        if self._failed:
            where = ", ".join(f"{name} {number}" for name, number in self._stops.most_common())
            told.append(f"{self._failed} failed ({where})")
        times = [one.seconds for one in self.rounds]
        words = "1 round" if self.count == 1 else f"{self.count} rounds"
        span = f"from {self._first:%Y-%m-%d %H:%M:%S} to {self.rounds[-1].at:%H:%M:%S} UTC"
        pace = f"median {statistics.median(times):.2f} s, slowest {max(times):.2f} s"
        return f"{words} {span}: {', '.join(told)}; {pace}."


def repeated(
    run: Callable[[], SmokeReports],
    *,
    repeat: int,
    interval: float,
    wait: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Iterator[SmokeReports]:
    """Run a test again and again.

    Args:
        run: one round.
        repeat: how many; 0 goes on until it is stopped.
        interval: seconds from the start of one round to that of the next; a round that takes longer delays it.
        wait: waits some seconds.
        now: a clock that never goes back.

    Yields:
        What each round found.
    """
    number, begun = 0, now()
    while True:
        yield run()
        number += 1
        if number == repeat:
            return
        wait(max(0.0, begun + interval - now()))
        begun = now()
