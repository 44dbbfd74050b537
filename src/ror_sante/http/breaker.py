"""Leave a service alone that failed several times in a row, and try it again after a while."""

from __future__ import annotations

import threading

from ror_sante.errors import ConfigurationError
from ror_sante.http.clock import SYSTEM_CLOCK, Clock


class CircuitBreaker:
    """Counts failures in a row. Safe among threads.

    After `failures` of them the circuit is open: nobody is let through for `rest` seconds. Then one caller is let
    through to try; its success closes the circuit, its failure opens it for as long again.

    Args:
        failures: how many in a row open the circuit.
        rest: seconds that the service is left alone.
        clock: what tells the time.

    Raises:
        ConfigurationError: numbers that make no sense.
    """

    def __init__(self, *, failures: int = 3, rest: float = 30.0, clock: Clock = SYSTEM_CLOCK) -> None:
        if failures < 1 or not 0 <= rest < float("inf"):
            raise ConfigurationError("a circuit breaker opens after one failure or more, for a number of seconds")
        self.failures = failures
        self._rest = rest
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._until = 0.0

    def admit(self) -> float:
        """Ask to be let through.

        Returns:
            0 for yes; else the seconds until somebody may try.
        """
        with self._lock:
            if self._count < self.failures:
                return 0.0
            now = self._clock.monotonic()
            if now < self._until:
                return self._until - now
            self._until = now + self._rest  # the others wait for the outcome of this try
            return 0.0

    def success(self) -> None:
        """Close the circuit."""
        with self._lock:
            self._count = 0

    def failure(self) -> None:
        """Count one more failure."""
        with self._lock:
            self._count += 1
            self._until = self._clock.monotonic() + self._rest
