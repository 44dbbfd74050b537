"""A service that failed several times in a row is left alone for a while."""

from __future__ import annotations

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.http.breaker import CircuitBreaker


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def hands() -> Hands:
    """The clock."""
    return Hands()


@pytest.fixture
def breaker(hands: Hands) -> CircuitBreaker:
    """Opens after two failures, for ten seconds."""
    return CircuitBreaker(failures=2, rest=10, clock=hands)  # type: ignore[arg-type]  # only the time is asked


def test_one_failure_less_lets_everybody_through(breaker: CircuitBreaker) -> None:
    """The circuit opens at the second failure in a row, not before."""
    breaker.failure()
    assert breaker.admit() == 0
    breaker.failure()
    assert breaker.admit() == 10


def test_a_success_between_two_failures_starts_the_count_again(breaker: CircuitBreaker) -> None:
    """Only failures in a row count."""
    breaker.failure()
    breaker.success()
    breaker.failure()
    assert breaker.admit() == 0


def test_after_the_rest_one_tries_and_the_others_wait(breaker: CircuitBreaker, hands: Hands) -> None:
    """One second before the end nobody is let through; at the end one is."""
    breaker.failure()
    breaker.failure()
    hands.at += 9
    assert breaker.admit() == 1
    hands.at += 1
    assert breaker.admit() == 0
    assert breaker.admit() == 10


def test_the_try_decides(breaker: CircuitBreaker, hands: Hands) -> None:
    """Its failure opens the circuit for as long again, its success closes it."""
    breaker.failure()
    breaker.failure()
    hands.at += 10
    assert breaker.admit() == 0
    breaker.failure()
    assert breaker.admit() == 10
    hands.at += 10
    assert breaker.admit() == 0
    breaker.success()
    assert [breaker.admit(), breaker.admit()] == [0, 0]


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"rest": -1}, {"rest": float("inf")}])
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """A breaker that never closes, or that opens for nothing, is a mistake."""
    with pytest.raises(ConfigurationError):
        CircuitBreaker(**wrong)  # type: ignore[arg-type]  # a wrong number is the point
