"""Climb ladders: run what is ready side by side, skip what has lost its ground, and tell each check in its order."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis.report import Check, Outcome, Part, SmokeReport
from ror_sante.diagnosis.rung import Seen, failed, joined, skipped
from ror_sante.errors import ConfigurationError, RorError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ror_sante.diagnosis.ladders.ladder import Ladder, Rung

# More columns than these are counted in the detail; the parts hold each.
_FEW: Final = 4
_TIME_UP: Final = "the time of the whole test was up"


def climb(
    ladders: Sequence[Ladder], *, within: float, on_check: Callable[[Ladder, Check], None] | None = None
) -> tuple[SmokeReport, ...]:
    """Climb several ladders at once.

    Args:
        ladders: of one service in one environment each; they are closed at the end.
        within: seconds for all of them together; what has not come by then has failed, what had not begun is skipped.
        on_check: called with each check as soon as it and those before it are done, ladder after ladder.

    Returns:
        A report for each ladder.
    """
    run = _Climb(ladders, within, on_check)
    try:
        run.run()
    finally:
        for ladder in ladders:
            with contextlib.suppress(RorError):
                ladder.close()
    return tuple(run.report(ladder) for ladder in ladders)


@dataclass(eq=False)
class _Step:
    """A rung on its way."""

    ladder: Ladder
    rung: Rung
    ground: list[_Step] = field(default_factory=list)
    before: list[_Step] = field(default_factory=list)
    started: float | None = None
    seen: Seen | None = None
    seconds: float = 0.0
    reason: str = ""

    @property
    def is_ready(self) -> bool:
        done = all(step.seen is not None for step in (*self.ground, *self.before))
        return self.started is None and self.seen is None and done

    @property
    def blocked(self) -> str:
        """Say why it has no ground, or nothing."""
        return next((step.reason for step in self.ground if step.reason), "")

    def end(self, seen: Seen, *, reason: str = "") -> None:
        """Note what came of it; what stands on it is told the reason when that is bad."""
        if seen.seconds is not None:
            self.seconds = seen.seconds
        self.seen = seen
        self.reason = reason or (f"needs {self.rung.name}, which failed" if seen.outcome is Outcome.FAIL else "")


class _Climb:
    """One run over all ladders; its state is touched by the calling thread alone."""

    def __init__(
        self, ladders: Sequence[Ladder], within: float, on_check: Callable[[Ladder, Check], None] | None
    ) -> None:
        self._within = within
        self._on_check = on_check
        self._begun = time.perf_counter()
        self._until = self._begun + within
        self._done: SimpleQueue[tuple[_Step, Seen | BaseException, float]] = SimpleQueue()
        self._steps = [step for ladder in ladders for step in _steps_of(ladder)]
        self._waiting = [(ladder, name) for ladder in ladders for name in _names(ladder)]
        self._checks: dict[int, list[Check]] = {id(ladder): [] for ladder in ladders}
        self._took: dict[int, float] = {}

    def run(self) -> None:
        while any(step.seen is None for step in self._steps):
            if not self._start_what_is_ready():
                self._await_one()
            self._tell()

    def report(self, ladder: Ladder) -> SmokeReport:
        return SmokeReport(
            service=ladder.service,
            title=ladder.title,
            environment=ladder.environment,
            checks=tuple(self._checks[id(ladder)]),
            took=self._took[id(ladder)],
            routes=ladder.routes(),
        )

    def _start_what_is_ready(self) -> bool:
        """Start all that can, and say whether one of them is done already; what asks a person comes last."""
        ready = sorted((step for step in self._steps if step.is_ready), key=lambda step: step.rung.asks)
        ended = [self._start(step) for step in ready]
        return True in ended

    def _start(self, step: _Step) -> bool:
        if reason := step.blocked:
            step.end(skipped(reason), reason=reason)
            return True
        step.started = time.perf_counter()
        if not step.rung.asks:
            threading.Thread(target=self._look, args=(step,), name=f"rung {step.rung.name}", daemon=True).start()
            return False
        self._look(step)
        self._until += time.perf_counter() - step.started  # a person may take the time that a person needs
        return False

    def _look(self, step: _Step) -> None:
        start = time.perf_counter()
        try:
            seen: Seen | BaseException = _explained(step.rung)
        except BaseException as error:  # noqa: BLE001  a fault of ours: the calling thread raises it
            seen = error
        self._done.put((step, seen, time.perf_counter() - start))

    def _await_one(self) -> None:
        try:
            step, seen, step_seconds = self._done.get(timeout=max(0.0, self._until - time.perf_counter()))
        except Empty:
            self._give_up()
            return
        if isinstance(seen, BaseException):
            raise seen
        step.seconds = step_seconds
        step.end(seen)

    def _give_up(self) -> None:
        """Stop waiting: what runs is late, what had not begun is skipped."""
        for step in self._steps:
            if step.seen is None and step.started is not None:
                step.seconds = time.perf_counter() - step.started
                step.end(failed(_late(step.rung.name, self._within)))
        for step in self._steps:
            if step.seen is None:
                reason = step.blocked or _TIME_UP
                step.end(skipped(reason), reason=reason)

    def _tell(self) -> None:
        """Tell the checks that are whole, in their order."""
        while self._waiting:
            ladder, name = self._waiting[0]
            steps = [step for step in self._steps if step.ladder is ladder and step.rung.name == name]
            if any(step.seen is None for step in steps):
                return
            self._waiting.pop(0)
            check = _check(name, steps)
            self._checks[id(ladder)].append(check)
            self._took[id(ladder)] = time.perf_counter() - self._begun
            if self._on_check is not None:
                self._on_check(ladder, check)


def _explained(rung: Rung) -> Seen:
    """Look, and rank the causes of a failure; settings that are wrong say so themselves."""
    try:
        seen = rung.look()
    except RorError as error:
        seen = failed(error)
    if seen.error is None or isinstance(seen.error, ConfigurationError):
        return seen
    return replace(seen, causes=rung.explain(seen.error))


def _steps_of(ladder: Ladder) -> list[_Step]:
    steps = {id(rung): _Step(ladder, rung) for rung in ladder.rungs}
    for step in steps.values():
        step.ground = [steps[id(rung)] for rung in ladder.ground_of(step.rung, step.rung.needs)]
        step.before = [steps[id(rung)] for rung in ladder.ground_of(step.rung, step.rung.after)]
    return list(steps.values())


def _names(ladder: Ladder) -> dict[str, None]:
    return dict.fromkeys(rung.name for rung in ladder.rungs)


def _check(name: str, steps: list[_Step]) -> Check:
    """Make one check of a rung's columns."""
    parts = tuple(_part(step) for step in steps)
    whole = joined(_as_seen(part, parts) for part in parts)
    return Check(
        name=name,
        outcome=whole.outcome,
        detail=_summary(parts) if len(parts) > _FEW and len({one.detail for one in parts}) > 1 else whole.detail,
        hint=whole.hint,
        seconds=whole.seconds or 0.0,
        family=whole.family,
        parts=parts if len(parts) > 1 else (),
        error=whole.error,
        causes=whole.causes,
    )


def _as_seen(part: Part, parts: tuple[Part, ...]) -> Seen:
    """Give a part back as what was seen; where the columns differ, its detail says which one it is."""
    named = len({one.detail for one in parts}) > 1 and part.column not in part.detail
    detail = f"{part.column}: {part.detail}" if named else part.detail
    return Seen(part.outcome, detail, part.hint, part.family, part.seconds, error=part.error, causes=part.causes)


def _summary(parts: tuple[Part, ...]) -> str:
    """Count many columns, and tell only those that do not hold."""
    held = sum(part.outcome is Outcome.OK for part in parts)
    others = [part for part in parts if part.outcome is not Outcome.OK]
    told = "; ".join(dict.fromkeys(_as_seen(part, parts).detail for part in others))
    return f"{held} of {len(parts)} hold" + (f"; {told}" if told else "")


def _part(step: _Step) -> Part:
    assert step.seen is not None  # noqa: S101  a check is made when all its steps are done
    seen = step.seen
    return Part(
        column=step.rung.column,
        outcome=seen.outcome,
        detail=seen.detail,
        hint=seen.hint,
        seconds=step.seconds,
        family=seen.family,
        error=seen.error,
        causes=seen.causes,
    )


def _late(name: str, within: float) -> TimedOutError:
    return TimedOutError(
        f"{name} was not done within the {within:g} s of the whole test",
        hint="Give the test more time, or look at what is slow with --service and --timeout.",
    )
