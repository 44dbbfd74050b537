"""The simulator's own clock: the machine's, moved forward on request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ror_sante.errors import ConfigurationError


class SimulatorClock:
    """Tells the simulator's time; tokens, page links and the ``Date`` header go by it, certificates do not."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        """Give the time, in UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        """Move the time forward.

        Args:
            seconds: how far.

        Raises:
            ConfigurationError: a negative number, or one beyond any calendar.
        """
        try:
            offset = self._offset + timedelta(seconds=seconds)
            reachable = datetime.now(UTC) + offset + timedelta(days=366) > datetime.now(UTC)
        except (OverflowError, ValueError):
            reachable = False
        if seconds < 0 or not reachable:
            raise ConfigurationError("the simulator's clock only goes forward, and not beyond the calendar")
        self._offset = offset

    def reset(self) -> None:
        """Go back to the machine's time."""
        self._offset = timedelta()

    def __repr__(self) -> str:
        return f"<SimulatorClock {self._offset.total_seconds():+g} s>"
