"""Ask several regions at the same time, each within its limit and all within one deadline."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ror_sante.api.inter_ror.account import Outcome, RegionAccount, judged
from ror_sante.api.inter_ror.merge import looked
from ror_sante.api.inter_ror.stream import Stream
from ror_sante.errors import ConfigurationError, RorError
from ror_sante.tls.cancel import Cancel, CancelledError, check_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from ror_sante.api.inter_ror.merge import Looked
    from ror_sante.api.paging import PageWalk
    from ror_sante.http.breaker import CircuitBreaker
    from ror_sante.http.clock import Clock

_ROOM: Final = 36  # pages that wait for the reader: two of each region
_GRACE: Final = 0.5  # seconds that a thread has to tell of its own time-out before it is given up
_AGAIN: Final = 0.05  # seconds until they are cancelled again
_JOIN: Final = 2.0  # seconds that cancelled threads have to end; one that waits in the DNS may take longer


_LONGER: Final = "Give it longer (region_timeout, deadline in [inter_ror]), or take what the other regions gave."


@dataclass(frozen=True)
class Limits:
    """How long, and how many at once.

    Attributes:
        region: seconds that one region may take, its waiting for a turn or for the reader left out.
        deadline: seconds for all of them; the time that the reader takes between two rows is not counted.
        at_once: regions that are asked at the same time.
    """

    region: float = 10.0
    deadline: float = 30.0
    at_once: int = 18

    def __post_init__(self) -> None:
        if not (0 < self.region < float("inf") and 0 < self.deadline < float("inf") and self.at_once >= 1):
            raise ConfigurationError("the limits of an inter-ROR search are positive numbers of seconds and regions")


@dataclass(frozen=True)
class Task:
    """One region to ask.

    Attributes:
        code: of the region.
        walk: prepares its search; it is given what tells the seconds left.
        breaker: whether the region is worth asking at all.
        enough: how many matches are wanted, or None for all.
    """

    code: str
    walk: Callable[[Callable[[], float]], PageWalk]
    breaker: CircuitBreaker
    enough: int | None = None


@dataclass(frozen=True)
class Page:
    """One page of one region."""

    code: str
    entries: list[Looked]
    matches: int


_Way: TypeAlias = "Stream[Page | RegionAccount | BaseException]"


class _Deadline:
    """The end of the whole search, which moves while the reader is away."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    @property
    def end(self) -> float:
        """The moment."""
        return self._end

    @property
    def left(self) -> float:
        """Seconds."""
        return self._end - self._clock.monotonic()

    def extend(self, seconds: float) -> None:
        """Move it."""
        self._end += seconds


class FanOut:
    """One search over regions. Its threads live from the first step of `run` to its end, however it ends.

    Args:
        tasks: the regions, in the order in which they get their turns.
        limits: how long, and how many at once.
        clock: what tells the time.
        settled: called with each account as it comes.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        limits: Limits,
        clock: Clock,
        settled: Callable[[RegionAccount], None] = lambda _: None,
    ) -> None:
        self._tasks = tuple(tasks)
        self._limits = limits
        self._clock = clock
        self._settled = settled
        self._cancels = {task.code: Cancel() for task in self._tasks}
        self._given = dict.fromkeys((task.code for task in self._tasks), 0)
        self._open = {task.code for task in self._tasks}
        self._begun: dict[str, float] = {}
        self._stream: _Way = Stream(_ROOM, now=clock.monotonic)
        self.accounts: dict[str, RegionAccount] = {}

    def run(self) -> Generator[Page, None, None]:
        """Give the pages as they come; afterwards `accounts` tells of every region.

        Raises:
            BaseException: what a thread met and nobody foresaw.
        """
        deadline = _Deadline(self._clock, self._limits.deadline)
        threads = self._started(deadline)
        try:
            while self._open:
                item = self._stream.get(deadline.end + _GRACE)
                if item is None:
                    break
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, RegionAccount):
                    self._settle(item)
                    continue
                self._given[item.code] += item.matches
                away = self._clock.monotonic()
                yield item
                deadline.extend(self._clock.monotonic() - away)
        finally:
            self._end(threads, late=deadline.left <= 0)

    def give_up(self) -> None:
        """Account for a search that never began, or that ended."""
        for code in sorted(self._open):
            self._settle(_stopped(code, self._given[code], self._taken(code)))

    def _taken(self, code: str) -> float:
        """Give the seconds since a region had its turn, or 0 when it had none."""
        now = self._clock.monotonic()
        return now - self._begun.get(code, now)

    def _settle(self, account: RegionAccount) -> None:
        self._open.discard(account.code)
        self.accounts[account.code] = account
        self._settled(account)

    def _started(self, deadline: _Deadline) -> list[threading.Thread]:
        waiting = deque(self._tasks)
        count = min(self._limits.at_once, len(self._tasks))
        threads = [
            threading.Thread(target=self._work, args=(waiting, deadline), name=f"ror-sante-region-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _work(self, waiting: deque[Task], deadline: _Deadline) -> None:
        """Ask one region after the other, until none is left or all is given up."""
        with suppress(CancelledError):
            try:
                while (task := _next(waiting)) is not None:
                    with self._cancels[task.code].running():
                        check_cancelled()
                        self._begun[task.code] = self._clock.monotonic()
                        _Region(task, self._limits, self._clock, self._stream, deadline).ask()
            except CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001  it belongs to the reader's thread, whatever it is
                self._stream.put(error)

    def _end(self, threads: list[threading.Thread], *, late: bool) -> None:
        """Let no thread work on, and leave no region without its account."""
        self._stream.close()
        until = self._clock.monotonic() + _JOIN
        for thread in threads:
            while thread.is_alive() and self._clock.monotonic() < until:
                for cancel in self._cancels.values():
                    cancel.cancel()
                thread.join(_AGAIN)
        if late:
            for code in sorted(self._open):
                self._settle(_overdue(code, self._given[code], self._limits.deadline))
        self.give_up()


def _next(waiting: deque[Task]) -> Task | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _overdue(code: str, count: int, deadline: float) -> RegionAccount:
    return RegionAccount(
        code=code,
        outcome=Outcome.LATE,
        count=count,
        seconds=deadline,
        reason="time",
        message=f"it had not answered when the deadline of {deadline:g} s for all regions passed",
        hint=_LONGER,
    )


def _stopped(code: str, count: int, seconds: float) -> RegionAccount:
    return RegionAccount(
        code=code,
        outcome=Outcome.FAILED,
        count=count,
        seconds=seconds,
        reason="stopped",
        message="the search was given up before it had answered",
    )


class _Region:
    """The search of one region, in its thread."""

    def __init__(self, task: Task, limits: Limits, clock: Clock, stream: _Way, deadline: _Deadline) -> None:
        self._task = task
        self._limit = limits.region
        self._clock = clock
        self._stream = stream
        self._deadline = deadline
        self._spent = 0.0
        self._count = 0
        self._total: int | None = None

    def ask(self) -> None:
        """Search, hand the pages on, and give an account."""
        breaker = self._task.breaker
        wait = breaker.admit()
        if wait:
            self._stream.put(self._left_alone(wait))
            return
        account = self._asked()
        if account.unwell:
            breaker.failure()
        else:
            breaker.success()
        self._stream.put(account)

    def _asked(self) -> RegionAccount:
        try:
            walk = self._task.walk(self._left)
            while walk.more:
                self._stream.put(self._page(walk))
        except RorError as error:
            return self._failed(error)
        return self._answered(walk)

    def _left(self) -> float:
        return min(self._limit - self._spent, self._deadline.left)

    def _page(self, walk: PageWalk) -> Page:
        start = self._clock.monotonic()
        try:
            bundle = walk.step()
        finally:
            self._spent += self._clock.monotonic() - start
        matches = bundle.matches if self._task.enough is None else bundle.matches[: self._task.enough - self._count]
        entries = looked((*matches, *bundle.included))
        self._count += len(matches)
        self._total = bundle.total if self._total is None else self._total
        return Page(self._task.code, entries, len(matches))

    def _answered(self, walk: PageWalk) -> RegionAccount:
        enough = self._task.enough
        cut = walk.truncation if enough is None or self._count < enough else None
        if cut is None:
            return self._account(Outcome.ANSWERED)
        return self._account(Outcome.TRUNCATED, "cap", cut)

    def _failed(self, error: RorError) -> RegionAccount:
        return self._account(*judged(error), error)

    def _left_alone(self, wait: float) -> RegionAccount:
        failures = self._task.breaker.failures
        return RegionAccount(
            code=self._task.code,
            outcome=Outcome.FAILED,
            reason="circuit",
            message=f"it was not asked: it failed {failures} times in a row, and is asked again in {wait:.0f} s",
            hint="The other regions do not wait for it; `ror-sante smoke-test --service inter-ror` asks at once.",
        )

    def _message(self, outcome: Outcome, error: RorError | None) -> str:
        told = "" if error is None else error.message
        return f"no whole answer within {self._limit:g} s: {told}" if outcome is Outcome.LATE else told

    def _account(self, outcome: Outcome, reason: str = "", error: RorError | None = None) -> RegionAccount:
        return RegionAccount(
            code=self._task.code,
            outcome=outcome,
            count=self._count,
            seconds=self._spent,
            reason=reason,
            message=self._message(outcome, error),
            hint=_hint(outcome, error),
            total=self._total,
            error=error,
        )


def _hint(outcome: Outcome, error: RorError | None) -> str:
    if outcome is Outcome.LATE:
        return _LONGER
    return "" if error is None else error.hint
