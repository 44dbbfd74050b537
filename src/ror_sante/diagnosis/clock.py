"""Compare the server's clock with ours, by the ``Date`` of its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3.response import BaseHTTPResponse

    from ror_sante.http.retry import RetryBudget
    from ror_sante.http.session import RorSession
    from ror_sante.tls.outgoing import Outgoing

# An HTTP date counts whole seconds (RFC 9110 section 5.6.7): on average it lies half a second back.
_HALF_TICK = timedelta(seconds=0.5)


class DateReader:
    """A session for `ror_sante.http.exchange.Exchange` that reads the ``Date`` of every answer, good or bad.

    Attributes:
        skew: how far the server's clock is ahead of ours at the last answer; None before one that tells.
    """

    def __init__(self, session: RorSession, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._session = session
        self._now = now
        self.skew: timedelta | None = None

    @property
    def budget(self) -> RetryBudget:
        """What the calls of the session may spend on repetitions."""
        return self._session.budget

    def exchange_send(self, outgoing: Outgoing, *, timeout: tuple[float, float]) -> BaseHTTPResponse:
        """Send one request once, as `RorSession.exchange_send` does."""
        before = self._now()
        response = self._session.exchange_send(outgoing, timeout=timeout)
        ours = before + (self._now() - before) / 2
        theirs = http_date(response.headers.get("Date"))
        if theirs is not None:
            self.skew = theirs + _HALF_TICK - ours
        return response


def http_date(value: str | None) -> datetime | None:
    """Read an HTTP date, or give None for one that is missing or makes no sense."""
    try:
        return parsedate_to_datetime(value or "").replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
