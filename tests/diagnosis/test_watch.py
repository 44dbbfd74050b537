"""A smoke test round after round: the pace, the count, and what it comes to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ror_sante.diagnosis.report import Check, Outcome, SmokeReport, SmokeReports
from ror_sante.diagnosis.watch import Watch, repeated

START = datetime(2026, 5, 1, 4, tzinfo=UTC)


def reports(outcome: Outcome = Outcome.OK, *, minute: int = 0, took: float = 0.5) -> SmokeReports:
    check = Check(name="token", outcome=outcome, detail="d", family=5 if outcome is Outcome.FAIL else 0)
    report = SmokeReport(service="rorn", environment="bench", checks=(check,), took=took)
    return SmokeReports(reports=(report,), at=START + timedelta(minutes=minute))


class Clock:
    """A clock that waits at once, and notes how long."""

    def __init__(self) -> None:
        self.time = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


@pytest.mark.parametrize(("takes", "waits"), [(4.0, [6.0, 6.0]), (12.0, [0.0, 0.0])])
def test_the_interval_is_from_start_to_start(takes: float, waits: list[float]) -> None:
    """A round that takes longer than that delays the next one, and no two are made up for it."""
    clock = Clock()

    def run() -> SmokeReports:
        clock.time += takes
        return reports()

    assert len(list(repeated(run, repeat=3, interval=10, wait=clock.wait, now=clock.now))) == 3
    assert clock.waits == waits


def test_zero_goes_on_until_it_is_stopped() -> None:
    """Ctrl-C comes as an exception in the wait."""
    clock = Clock()

    def stopped(seconds: float) -> None:
        clock.wait(seconds)
        if len(clock.waits) == 7:
            raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(repeated(reports, repeat=0, interval=1, wait=stopped, now=clock.now))
    assert len(clock.waits) == 7


def test_rounds_are_counted_by_how_they_went() -> None:
    """The summary names where ladders stopped, and the exit code is the lowest family."""
    watch = Watch()
    for minute, outcome in enumerate([Outcome.OK, Outcome.WARN, Outcome.FAIL, Outcome.FAIL]):
        watch.note(reports(outcome, minute=minute, took=minute / 2))
    assert watch.exit_code == 5
    assert watch.warned
    assert watch.summary == (
        "4 rounds from 2026-05-01 04:00:00 to 04:03:00 UTC: 1 good, 1 with warnings, 2 failed (rorn token 2); "
        "median 0.75 s, slowest 1.50 s."
    )
    assert [noted.kind for noted in watch.rounds] == ["ok", "warn", "fail", "fail"]


def test_good_rounds_have_a_short_summary() -> None:
    """And a watch that was stopped in its first round says so."""
    watch = Watch()
    assert (watch.summary, watch.exit_code, watch.warned) == ("No round was finished.", 0, False)
    watch.note(reports())
    assert watch.summary.startswith("1 round from 2026-05-01 04:00:00 to 04:00:00 UTC: 1 good; median 0.50 s")


def test_memory_does_not_grow_with_the_rounds() -> None:
    """The last 500 are kept, all are counted."""
    watch = Watch()
    for _ in range(1200):
        watch.note(reports())
    assert (watch.count, len(watch.rounds), watch.rounds[0].number) == (1200, 500, 701)
