"""The rate limit: a token bucket a host, waits that a signal ends, no call made late in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ror_sante.errors import ConfigurationError, TimedOutError
from ror_sante.http.exchange import Exchange, Request
from ror_sante.http.rate import BURST, CALLS_PER_SECOND, RateLimit

HERE = "https://here.invalid/a?identifier=10001234567"


def test_a_burst_goes_at_once_and_the_next_call_waits_its_turn(clock: Any) -> None:
    """Three calls at once, then one every half second."""
    limit = RateLimit(2, burst=3, clock=clock)
    for _ in range(5):
        limit.admit(HERE)
    assert clock.slept == [0.5, 0.5]


def test_tokens_come_back_with_time_and_never_more_than_the_burst(clock: Any) -> None:
    """After a long silence there is a burst again, not more."""
    limit = RateLimit(2, burst=3, clock=clock)
    clock.time += 3600
    for _ in range(4):
        limit.admit(HERE)
    assert clock.slept == [0.5]


def test_each_host_has_its_own_bucket(clock: Any) -> None:
    """Calls to one host do not slow those to another."""
    limit = RateLimit(1, burst=1, clock=clock)
    limit.admit(HERE)
    limit.admit("https://there.invalid/a")
    assert clock.slept == []
    limit.admit(HERE)
    assert clock.slept == [1.0]


def test_a_turn_that_comes_after_the_deadline_is_an_error_at_once(clock: Any) -> None:
    """Nothing waits in vain, the token stays, and no query value is told."""
    limit = RateLimit(1, burst=1, clock=clock)
    limit.admit(HERE)
    with pytest.raises(TimedOutError, match="1 calls a second") as caught:
        limit.admit(HERE, within=1.0)
    assert "10001234567" not in str(caught.value)
    assert clock.slept == []
    limit.admit(HERE, within=1.01)
    assert clock.slept == [1.0]


def test_no_limit_holds_nothing_back(clock: Any) -> None:
    """Infinity switches it off."""
    limit = RateLimit(float("inf"), clock=clock)
    for _ in range(1000):
        limit.admit(HERE)
    assert clock.slept == []


def test_threads_share_the_bucket(clock: Any) -> None:
    """Each of ten threads at once has a turn of its own."""
    waits: list[float] = []
    clock.sleep = waits.append
    limit = RateLimit(10, burst=1, clock=clock)
    threads = [threading.Thread(target=limit.admit, args=(HERE,)) for _ in range(11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(round(wait, 6) for wait in waits) == [round(n / 10, 6) for n in range(1, 11)]


def test_a_signal_ends_the_wait(clock: Any) -> None:
    """What a signal raises while we wait goes up at once."""

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    clock.sleep = interrupted
    limit = RateLimit(1, burst=1, clock=clock)
    limit.admit(HERE)
    with pytest.raises(KeyboardInterrupt):
        limit.admit(HERE)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0)])
def test_numbers_that_make_no_sense_are_refused(rate: float, burst: int) -> None:
    """Zero, less and no number."""
    with pytest.raises(ConfigurationError):
        RateLimit(rate, burst=burst)


def test_the_defaults_are_those_of_the_docs() -> None:
    """Twenty calls a second, forty at once."""
    assert (CALLS_PER_SECOND, BURST) == (20.0, 40)


def test_the_exchange_waits_for_its_turn_within_the_deadline(
    plain: Callable[..., Exchange], server: Any, reply: Any, clock: Any
) -> None:
    """Each attempt takes a token; the time that it waits is not counted as the answer's."""
    there = server(lambda _: reply(200, {}))
    exchange = plain(rate=RateLimit(1, burst=1, clock=clock))
    answers = [exchange.send(Request("GET", there.url)) for _ in range(2)]
    assert clock.slept == [1.0]
    assert answers[1].seconds == 0
    with pytest.raises(TimedOutError, match="calls a second"):
        exchange.send(Request("GET", there.url), within=0.5)
    assert len(there.seen) == 2
