"""When a call is repeated, how long it waits, and when it stops."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from ror_sante.errors import (
    AccessDeniedError,
    ClientRejectedError,
    ConfigurationError,
    InvalidRequestError,
    RateLimitedError,
    RorError,
    ServerFaultError,
    ServerNotTrustedError,
    TimedOutError,
    TokenError,
    UnreachableError,
)
from ror_sante.http import retry
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.retry import RetryBudget, RetryPolicy, retry_after_seconds

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Failing:
    """A call that fails with the given errors, one after the other, and then succeeds."""

    def __init__(self, *errors: BaseException, clock=None, takes: float = 0.0) -> None:
        self.errors = list(errors)
        self.told: list[float] = []
        self.clock, self.takes = clock, takes

    def __call__(self, remaining: float) -> str:
        self.told.append(remaining)
        if self.clock is not None:
            self.clock.time += self.takes
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def unsent(error):
    error.unsent = True
    return error


# ------------------------------------------------------------------ what is repeated


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError("cut"),
        TimedOutError("slow"),
        ServerFaultError("503"),
        RateLimitedError("429"),
        TokenError("busy", retryable=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_end_otherwise_is_repeated(clock, error) -> None:
    """A request that does no harm twice is sent again after a failure that may pass."""
    call = Failing(error)

    assert RetryPolicy().run(call, repeatable=True, clock=clock) == "done"
    assert len(call.told) == 2


@pytest.mark.parametrize(
    "error",
    [
        ClientRejectedError("refused", alert="unknown_ca"),
        ServerNotTrustedError("who?"),
        ConfigurationError("wrong"),
        InvalidRequestError("400", status=400),
        AccessDeniedError("403", status=403),
        TokenError("invalid_client", error="invalid_client"),
        ServerFaultError("500 whose outcome says invalid", retryable=False),
        ValueError("a bug"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_stays_wrong_is_tried_once(clock, error) -> None:
    """A refused certificate, a 4xx, an OAuth error or a bug is raised at once, without a wait."""
    call = Failing(error)
    with pytest.raises(type(error)) as caught:
        RetryPolicy().run(call, repeatable=True, clock=clock)

    assert caught.value is error
    assert (len(call.told), clock.slept) == (1, [])


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (UnreachableError("cut while reading"), 1),
        (unsent(UnreachableError("connection refused")), 2),
        (TimedOutError("silent"), 1),
        (unsent(TimedOutError("connect")), 2),
        (ServerFaultError("503"), 1),
        (RateLimitedError("429"), 2),
    ],
    ids=["cut", "refused", "read-time", "connect-time", "503", "429"],
)
def test_a_request_that_may_act_twice_is_repeated_only_if_the_server_did_not_act(clock, error, attempts) -> None:
    """A POST is sent again when the server surely never saw it, or says that it did not take it."""
    call = Failing(error)
    with contextlib.suppress(type(error)):
        RetryPolicy().run(call, repeatable=False, clock=clock)

    assert attempts == len(call.told)


def test_an_error_on_which_another_policy_gave_up_is_not_multiplied(clock) -> None:
    """Policies around one another make three attempts, not nine."""
    call = Failing(*(UnreachableError("down") for _ in range(20)))
    policy = RetryPolicy(attempts=3)
    with pytest.raises(UnreachableError) as caught:
        policy.run(lambda _: policy.run(call, repeatable=True, clock=clock), repeatable=True, clock=clock)

    assert len(call.told) == 3
    assert caught.value.__notes__ == ["tried 3 times"]


# ------------------------------------------------------------------ how long it waits


@pytest.mark.parametrize(("lot", "waits"), [(0.0, [0, 0, 0, 0]), (0.5, [0.5, 1, 2, 2.5]), (0.999, None)])
def test_backoff_doubles_up_to_its_cap_with_full_jitter(clock, lot, waits) -> None:
    """Each wait is drawn between nothing and the doubled limit."""
    clock.lot = lot
    policy = RetryPolicy(attempts=5, first_wait=1.0, max_wait=5.0)
    policy.run(Failing(*(UnreachableError("x") for _ in range(4))), repeatable=True, clock=clock)

    assert (waits or [0.999, 1.998, 3.996, 4.995]) == pytest.approx(clock.slept)


def test_many_attempts_do_not_overflow(clock) -> None:
    """Two to the power of two thousand is no number of seconds."""
    policy = RetryPolicy(attempts=2000, first_wait=0.001, max_wait=0.01)
    policy.run(Failing(*(UnreachableError("x") for _ in range(1999))), repeatable=True, clock=clock)

    assert max(clock.slept) == 0.005


def test_retry_after_is_waited_in_full(clock) -> None:
    """The server's wish comes first, and the jitter on top of it."""
    call = Failing(ServerFaultError("503", retry_after=7.0))
    RetryPolicy(first_wait=1.0).run(call, repeatable=True, clock=clock)

    assert clock.slept == [7.5]


def test_a_retry_after_above_the_cap_ends_the_call(clock) -> None:
    """An hour is not waited, and the error says what the server asked."""
    call = Failing(RateLimitedError("429", retry_after=3600.0))
    with pytest.raises(RateLimitedError) as caught:
        RetryPolicy(max_retry_after=60).run(call, repeatable=True, clock=clock)

    assert caught.value.retry_after == 3600.0
    assert "asks to wait 3600 s" in caught.value.__notes__[0]
    assert clock.slept == []


def test_a_retry_after_at_the_cap_is_waited(clock) -> None:
    """One second less than too much is not too much."""
    clock.lot = 0.0
    RetryPolicy(max_retry_after=60).run(Failing(ServerFaultError("x", retry_after=60.0)), repeatable=True, clock=clock)

    assert clock.slept == [60.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("-1", None),
        ("1e999", None),
        ("soon", None),
        ("9" * 5000, None),
        ("١٢", None),
        ("nan", None),
        ("\x00", None),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120.0),
        ("Sun Mar  1 12:02:00 2026", 120.0),
        ("Sun, 01 Mar 2026 12:02:00 -0000", 120.0),
        ("Sun, 01 Mar 2026 14:02:00 +0200", 120.0),
        ("Sun, 01 Mar 2020 12:00:00 GMT", 0.0),
        ("Sun, 99 Mar 2026 12:02:00 GMT", None),
        ("Sun, 01 Mar 2026 12:02:00 +999999999999", None),
        ("Sun, 01 Mar 99999999 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_nonsense_survives(value, seconds) -> None:
    """RFC 9110 has seconds and three forms of dates; everything else counts as absent."""
    assert retry_after_seconds(value, now=NOW) == seconds


def test_retry_after_date_counts_from_any_time_zone() -> None:
    """The difference of two moments knows no zone."""
    paris = NOW.astimezone(timezone(timedelta(hours=1)))

    assert retry_after_seconds(format_datetime(NOW + timedelta(seconds=5)), now=paris) == 5.0


def test_a_date_without_a_present_says_nothing() -> None:
    """Seconds need no present; a date does."""
    assert retry_after_seconds(format_datetime(NOW), now=None) is None
    assert retry_after_seconds("5", now=None) == 5.0


# ------------------------------------------------------------------ when it stops


def test_the_last_error_itself_is_raised_with_a_note(clock) -> None:
    """No error of the retry library reaches the caller."""
    errors = [UnreachableError("first"), TimedOutError("second"), ServerFaultError("third")]
    with pytest.raises(RorError) as caught:
        RetryPolicy(attempts=3).run(Failing(*errors), repeatable=True, clock=clock)

    assert caught.value is errors[-1]
    assert caught.value.__notes__ == ["tried 3 times"]


def test_a_policy_of_one_attempt_never_repeats(clock) -> None:
    """RetryPolicy.none() tries once and adds no note."""
    call = Failing(UnreachableError("x"))
    with pytest.raises(UnreachableError) as caught:
        RetryPolicy.none().run(call, repeatable=True, clock=clock)

    assert len(call.told) == 1
    assert not hasattr(caught.value, "__notes__")


def test_each_attempt_is_told_the_time_that_is_left(clock) -> None:
    """Attempts and waits draw on one deadline."""
    call = Failing(UnreachableError("x"), UnreachableError("x"), clock=clock, takes=10.0)
    RetryPolicy(first_wait=2.0, deadline=100.0).run(call, repeatable=True, clock=clock)

    assert call.told == [100.0, 89.0, 77.0]


@pytest.mark.parametrize(("deadline", "attempts"), [(11.9, 1), (12.1, 2)])
def test_no_wait_is_begun_that_would_pass_the_deadline(clock, deadline, attempts) -> None:
    """Ten seconds of work and two of waiting fit into 12.1 seconds, not into 11.9."""
    clock.lot = 1.0
    call = Failing(*[UnreachableError("x")] * 3, clock=clock, takes=10.0)
    with pytest.raises(UnreachableError) as caught:
        RetryPolicy(first_wait=2.0, deadline=deadline).run(call, repeatable=True, clock=clock)

    assert attempts == len(call.told)
    assert "would pass the deadline" in caught.value.__notes__[0]


def test_a_caller_with_less_time_shortens_the_deadline(clock) -> None:
    """`within` and the deadline: the smaller one holds."""
    call = Failing()
    RetryPolicy(deadline=50.0).run(call, repeatable=True, clock=clock, within=3.0)
    RetryPolicy(deadline=50.0).run(call, repeatable=True, clock=clock, within=300.0)

    assert call.told == [3.0, 50.0]


def test_an_exhausted_budget_stops_all_repeats_of_a_session(clock) -> None:
    """In an outage the eleventh repeat is not made, and a note says why."""
    budget = RetryBudget(capacity=2, refill=0.5)
    call = Failing(*(UnreachableError("x") for _ in range(9)))
    with pytest.raises(UnreachableError) as caught:
        RetryPolicy(attempts=9).run(call, repeatable=True, budget=budget, clock=clock)

    assert len(call.told) == 3
    assert "too many calls of this session failed" in caught.value.__notes__[0]


def test_successes_fill_the_budget_again() -> None:
    """Two successes of half a token each pay for one repeat, and it never holds more than its capacity."""
    budget = RetryBudget(capacity=1, refill=0.5)
    assert [budget.spend(), budget.spend()] == [True, False]
    RetryPolicy().run(Failing(), repeatable=True, budget=budget)
    assert budget.spend() is False
    for _ in range(5):
        budget.credit()

    assert [budget.spend(), budget.spend()] == [True, False]


def test_threads_share_a_budget() -> None:
    """Eight threads cannot spend a token twice."""
    budget, spent = RetryBudget(capacity=100), []

    def work() -> None:
        spent.extend([1] * sum(budget.spend() for _ in range(50)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(spent) == 100


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    "settings",
    [
        {"attempts": 0},
        {"attempts": True},
        {"attempts": 1.5},
        {"first_wait": -1},
        {"first_wait": 30.0, "max_wait": 20.0},
        {"max_wait": float("inf")},
        {"max_wait": float("nan")},
        {"deadline": 0},
        {"deadline": float("inf")},
        {"max_retry_after": -1},
        {"max_retry_after": float("nan")},
    ],
    ids=str,
)
def test_contradictory_settings_are_refused_in_the_constructor(settings) -> None:
    """A policy that cannot work is not built."""
    with pytest.raises(ConfigurationError):
        RetryPolicy(**settings)


@pytest.mark.parametrize("settings", [{"capacity": -1}, {"refill": float("inf")}], ids=str)
def test_a_budget_is_made_of_numbers(settings) -> None:
    """A negative or endless bucket is no bucket."""
    with pytest.raises(ConfigurationError):
        RetryBudget(**settings)


def test_a_policy_is_a_value() -> None:
    """Equal settings are equal policies, and none can be changed."""
    assert RetryPolicy() == RetryPolicy(attempts=4)
    with pytest.raises(AttributeError):
        RetryPolicy().attempts = 5


def test_the_system_clock_runs() -> None:
    """It only grows, knows UTC, waits, and draws lots below one."""
    before = SYSTEM_CLOCK.monotonic()
    SYSTEM_CLOCK.sleep(0.001)

    assert SYSTEM_CLOCK.monotonic() > before
    assert SYSTEM_CLOCK.now().tzinfo is UTC
    assert 0 <= SYSTEM_CLOCK.random() < 1


def test_waits_are_logged_without_the_words_of_the_server(clock, caplog) -> None:
    """The log names the class of the error and the wait, at level INFO."""
    with caplog.at_level("INFO", "ror_sante.http"):
        RetryPolicy().run(Failing(UnreachableError("words")), repeatable=True, clock=clock)

    assert [record.message for record in caplog.records] == ["attempt 1: UnreachableError; again in 0.25 s"]


def test_the_retry_library_shows_nowhere() -> None:
    """No public name of the module comes from tenacity."""
    shown = [name for name, value in vars(retry).items() if "tenacity" in str(getattr(value, "__module__", ""))]

    assert [name for name in shown if not name.startswith("_")] == []
