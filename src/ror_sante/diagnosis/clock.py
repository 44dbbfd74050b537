"""Compare the server's clock with ours, by the ``Date`` of its answers."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3.response import BaseHTTPResponse

    from ror_sante.http.exchange import Lease, Sender
    from ror_sante.http.retry import RetryBudget
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.tls.outgoing import Outgoing

# An HTTP date counts whole seconds (RFC 9110 section 5.6.7): on average it lies half a second back.
_HALF_TICK = timedelta(seconds=0.5)


class DateReader:
    """A session for `ror_sante.http.exchange.Exchange` that reads the ``Date`` of every answer, good or bad.

    Attributes:
        skew: how far the server's clock is ahead of ours at the last answer; None before one that tells.
    """

    def __init__(self, session: Sender, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._session = session
        self._now = now
        self.skew: timedelta | None = None

    @property
    def budget(self) -> RetryBudget:
        """What the calls of the session may spend on repetitions."""
        return self._session.budget

    @contextlib.contextmanager
    def lease(self, identity: ClientIdentity | None = None) -> Iterator[_DatedLease]:
        """Take the session's identity and connections for one request, as `RorSession.lease` does."""
        with self._session.lease(identity) as lease:
            yield _DatedLease(self, lease)

    def refused(self, identity: ClientIdentity | None) -> bool:
        """Say that there is no other identity: what is diagnosed is this one."""
        return False

    def send(self, lease: Lease, outgoing: Outgoing, timeout: tuple[float, float]) -> BaseHTTPResponse:
        """Send one request once, and read the date of its answer."""
        before = self._now()
        response = lease.exchange_send(outgoing, timeout=timeout)
        ours = before + (self._now() - before) / 2
        theirs = http_date(response.headers.get("Date"))
        if theirs is not None:
            self.skew = theirs + _HALF_TICK - ours
        return response


class _DatedLease:
    """A lease whose answers are read for their date."""

    def __init__(self, reader: DateReader, lease: Lease) -> None:
        self._reader = reader
        self._lease = lease
        self.identity = lease.identity
        self.in_force = lease.in_force

    def exchange_send(self, outgoing: Outgoing, *, timeout: tuple[float, float]) -> BaseHTTPResponse:
        """Send one request once."""
        return self._reader.send(self._lease, outgoing, timeout)


def http_date(value: str | None) -> datetime | None:
    """Read an HTTP date, or give None for one that is missing or makes no sense."""
    try:
        return parsedate_to_datetime(value or "").replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
