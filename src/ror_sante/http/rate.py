"""Hold back: how many calls a second a host gets from us, by a token bucket for each host."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ror_sante.errors import ConfigurationError, TimedOutError, masked_url
from ror_sante.http.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from ror_sante.http.clock import Clock

# ANS documents no quota (reference: "nothing documented"). Twenty calls a second are 4 000 resources a second in pages
# of 200: more than the whole directory in ten minutes, and far less than one busy client could do to a service.
CALLS_PER_SECOND: Final = 20.0
BURST: Final = 40
_FOREVER: Final = float("inf")


@dataclass
class _Bucket:
    """What is left of one host's calls; below zero it counts those that wait."""

    tokens: float
    at: float


class RateLimit:
    """A token bucket for each host: each call takes a token, and tokens come back evenly. Safe among threads.

    Args:
        per_second: tokens that come back in a second; infinity holds nothing back.
        burst: tokens of a host that was left alone for a while.
        clock: what tells the time and waits.

    Raises:
        ConfigurationError: numbers that make no sense.
    """

    def __init__(
        self, per_second: float = CALLS_PER_SECOND, *, burst: int = BURST, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        if not per_second > 0:
            raise ConfigurationError("calls per second must be a positive number")
        if burst < 1:
            raise ConfigurationError("the burst of a rate limit is one call at least")
        self._rate = per_second
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, url: str, *, within: float = _FOREVER) -> None:
        """Wait until a call may go.

        The wait ends at once with whatever a signal raises (Ctrl-C, SIGTERM).

        Args:
            url: the address that is called.
            within: seconds that the call has left.

        Raises:
            TimedOutError: its turn would come too late; nothing was sent, and no token was taken.
        """
        if self._rate == _FOREVER:
            return
        wait = self._taken(urlsplit(url).netloc, within)
        if wait is None:
            late = TimedOutError(
                f"the limit of {self._rate:g} calls a second to one host leaves no time for {masked_url(url)}",
                hint="Call less at a time, raise the deadline, or calls_per_second in [network] if ANS agrees.",
            )
            late.unsent = True
            raise late
        if wait > 0:
            self._clock.sleep(wait)

    def _taken(self, host: str, within: float) -> float | None:
        """Take a token of a host; give the seconds until it is there, or None when that is too long."""
        with self._lock:
            now = self._clock.monotonic()
            bucket = self._buckets.setdefault(host, _Bucket(self._burst, now))
            bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
            bucket.at = now
            wait = max(0.0, (1 - bucket.tokens) / self._rate)
            if wait >= within:
                return None
            bucket.tokens -= 1
            return wait
