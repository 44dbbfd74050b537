"""Decide whether, when and how often a failed call is repeated."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar

from ror_sante.errors import ConfigurationError, RateLimitedError, RorError
from ror_sante.http.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    import tenacity

    from ror_sante.http.clock import Clock

T = TypeVar("T")
_FOREVER: Final = float("inf")
_LARGEST_EXPONENT: Final = 64  # 2.0 ** 1024 overflows; every cap is reached long before
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_log = logging.getLogger("ror_sante.http")


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed call is repeated: exponential backoff with full jitter, within limits.

    Before attempt n + 1 it waits a random time between 0 and ``first_wait * 2**(n - 1)``, never above `max_wait`;
    full jitter keeps many clients that failed together from coming back together. What a server asks with
    ``Retry-After`` is added to that.

    Repeated is what the server surely never saw, and, where the request may be repeated without harm, any failure
    whose error is ``retryable``. A refused certificate, a distrusted server, a 4xx other than 429 and an OAuth error
    never are.

    Attributes:
        attempts: how often a call is tried in all; 1 never repeats.
        first_wait: upper limit of the first wait, in seconds.
        max_wait: upper limit of every wait of our own, in seconds.
        deadline: seconds for the whole call, attempts and waits together.
        max_retry_after: the longest ``Retry-After`` that is obeyed, in seconds; a longer one ends the call.
    """

    attempts: int = 4
    first_wait: float = 0.5
    max_wait: float = 20.0
    deadline: float = 120.0
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        if not _is_whole(self.attempts) or self.attempts < 1:
            raise ConfigurationError("a retry policy needs at least one attempt", hint="RetryPolicy.none() is one.")
        if not 0 < self.deadline < _FOREVER:
            raise ConfigurationError("the deadline of a retry policy must be a positive number of seconds")
        if not 0 <= self.first_wait <= self.max_wait < _FOREVER:
            raise ConfigurationError(
                "the waits of a retry policy contradict each other: they must be 0 <= first_wait <= max_wait"
            )
        if not 0 <= self.max_retry_after < _FOREVER:
            raise ConfigurationError("max_retry_after must be a number of seconds, 0 or more")

    @classmethod
    def none(cls) -> RetryPolicy:
        """Give the policy that tries once; its deadline still holds."""
        return cls(attempts=1)

    def run(
        self,
        call: Callable[[float], T],
        *,
        repeatable: bool,
        budget: RetryBudget | None = None,
        clock: Clock = SYSTEM_CLOCK,
        within: float = _FOREVER,
    ) -> T:
        """Call, and call again while that is allowed and may help.

        Args:
            call: one attempt; it is given the seconds that are left, and must not take longer.
            repeatable: the request may reach the server twice without harm.
            budget: what all calls of a session may spend on repetitions.
            clock: what tells the time and waits.
            within: seconds that the caller has left, when they are fewer than the deadline.

        Returns:
            What `call` returns.

        Raises:
            RorError: the error of the last attempt, itself; a note says how often it was tried and why no more.
        """
        return _Run(self, budget, clock, repeatable=repeatable, allowed=min(self.deadline, within)).result(call)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class RetryBudget:
    """What the calls of one session may spend together on repetitions, so that an outage is not multiplied.

    A bucket of tokens: each repetition takes one, each success puts a part of one back. When most calls fail, the
    bucket is soon empty, and the load on a failing service falls to one attempt a call. Safe among threads.

    Args:
        capacity: tokens at the start, and at most.
        refill: tokens that one success puts back.
    """

    def __init__(self, capacity: float = 10, refill: float = 0.1) -> None:
        if not (0 <= capacity < _FOREVER and 0 <= refill < _FOREVER):
            raise ConfigurationError("capacity and refill of a retry budget must be numbers, 0 or more")
        self._capacity = float(capacity)
        self._refill = refill
        self._tokens = self._capacity
        self._lock = threading.Lock()

    def spend(self) -> bool:
        """Take the token of one repetition; tell whether there was one."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def credit(self) -> None:
        """Put back what one success is worth."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + self._refill)


def retry_after_seconds(value: str | None, *, now: datetime | None) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110 section 10.2.3): seconds, or a date.

    Args:
        value: the header, or None when there is none.
        now: what a date is counted from, with its time zone: best the ``Date`` of the same answer, for its clock is
            the one that the server reckons by. Without it, a date says nothing.

    Returns:
        Seconds to wait, 0 for a date in the past; None for nonsense.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if then.tzinfo is None:  # "-0000" or no zone at all: RFC 5322 says that such a date is UTC
        then = then.replace(tzinfo=UTC)
    return None if now is None else max(0.0, (then - now).total_seconds())


class _Run:
    """One call under a policy: how much time and how many attempts it has left."""

    def __init__(
        self, policy: RetryPolicy, budget: RetryBudget | None, clock: Clock, *, repeatable: bool, allowed: float
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._clock = clock
        self._repeatable = repeatable
        self._allowed = allowed
        self._end = clock.monotonic() + allowed
        self._why = ""

    def result(self, call: Callable[[float], T]) -> T:
        """Run the attempts; hand out the first result, or the last error as it is."""
        try:
            result = self._attempts(call)
        except RorError as error:
            _settle(error, self._why)
            raise
        if self._budget is not None:
            self._budget.credit()
        return result

    def _attempts(self, call: Callable[[float], T]) -> T:
        """Try once; what a failure needs is loaded and built only when there is one."""
        try:
            return call(max(0.0, self._left()))
        except RorError as error:
            if not self._helps(error):
                raise
            failed: list[RorError] = [error]
        return self._again(call, failed)

    def _again(self, call: Callable[[float], T], failed: list[RorError]) -> T:
        """Go on after a first attempt that failed: it is the first one of the loop too."""
        import tenacity

        def attempt() -> T:
            if failed:
                raise failed.pop()
            return call(max(0.0, self._left()))

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._helps),
            wait=self._wait,
            stop=self._stops,
            sleep=self._clock.sleep,
            before_sleep=_report,
            reraise=True,
        )
        return retrying(attempt)

    def _left(self) -> float:
        return self._end - self._clock.monotonic()

    def _helps(self, error: BaseException) -> bool:
        """Tell whether another attempt is safe and may end otherwise.

        A server that answers 429 has not acted on the request; one that answers 500 or hangs up may have.
        """
        if not isinstance(error, RorError) or not error.retryable or _settled(error):
            return False
        return self._repeatable or getattr(error, "unsent", False) or isinstance(error, RateLimitedError)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        doubled = 2.0 ** min(state.attempt_number - 1, _LARGEST_EXPONENT)
        jitter = self._clock.random() * min(self._policy.max_wait, self._policy.first_wait * doubled)
        return jitter + _asked(state)

    def _stops(self, state: tenacity.RetryCallState) -> bool:
        """Tell whether to give up; the wait before the next attempt is known here."""
        if self._policy.attempts == 1:
            return True
        self._why = self._reason(state)
        return bool(self._why)

    def _reason(self, state: tenacity.RetryCallState) -> str:
        """Say why there is no other attempt; nothing when there is one."""
        tried = f"tried {state.attempt_number} times" if state.attempt_number > 1 else "tried once"
        if state.attempt_number >= self._policy.attempts:
            return tried
        if _asked(state) > self._policy.max_retry_after:
            return f"{tried}; the server asks to wait {_asked(state):.0f} s, longer than this client does"
        if state.upcoming_sleep >= self._left():
            return f"{tried}; another attempt would pass the deadline of {self._allowed:.1f} s"
        if self._budget is not None and not self._budget.spend():
            return f"{tried}; too many calls of this session failed lately to repeat this one"
        return ""


def _asked(state: tenacity.RetryCallState) -> float:
    """Give the ``Retry-After`` that came with the failure, in seconds."""
    error = state.outcome.exception() if state.outcome is not None else None
    return float(getattr(error, "retry_after", None) or 0.0)


def _report(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    _log.info("attempt %d: %s; again in %.2f s", state.attempt_number, type(error).__name__, state.upcoming_sleep)


def _settle(error: RorError, note: str) -> None:
    """Mark that a policy has done with `error`, so that one around it does not multiply the attempts."""
    if note and not _settled(error):
        error.add_note(note)
    vars(error)["_settled"] = True


def _settled(error: RorError) -> bool:
    return "_settled" in vars(error)
