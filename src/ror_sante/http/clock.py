"""The clock as an argument: what tells the time, waits and draws lots, so that a test can do it instead."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Final, Protocol

from ror_sante.tls.cancel import current

# The system's randomness: processes that forked from one another do not share it, so their retries spread.
_LOTS: Final = random.SystemRandom()


class Clock(Protocol):
    """What the time-keeping parts need of the world."""

    def monotonic(self) -> float:
        """Give seconds that only ever grow, whatever happens to the date of the machine."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def now(self) -> datetime:
        """Give the date and time, in UTC."""
        ...

    def random(self) -> float:
        """Draw a number from 0 to 1, 1 excluded."""
        ...


class SystemClock:
    """The machine's own clock; work that is cancelled (`ror_sante.tls.cancel`) wakes from its sleep."""

    def monotonic(self) -> float:
        """Give seconds that only ever grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        cancel = current()
        if cancel is None:
            time.sleep(seconds)
        else:
            cancel.pause(seconds)

    def now(self) -> datetime:
        """Give the date and time, in UTC."""
        return datetime.now(UTC)

    def random(self) -> float:
        """Draw a number from 0 to 1, 1 excluded."""
        return _LOTS.random()


SYSTEM_CLOCK: Final = SystemClock()
