"""Hold the identity in force, and put a newer one in its place while requests are running."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from ror_sante.errors import RorError, ValidityError, printable
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.pki.renewal import LAST_DAYS, advice

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from ror_sante.http.clock import Clock
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.pki.source import IdentitySource

    Judge = Callable[[ClientIdentity, datetime], None]

_LOOK: Final = 1.0  # seconds between two looks at the files
_AGAIN: Final = 60.0  # seconds until a source that failed is tried again, though its files are the same
_POLL: Final = 300.0  # seconds between two calls of a source without files
_REFUSED_PAUSE: Final = 10.0  # seconds between two such calls while the identity in force is refused
_ALERT_PAUSE: Final = 600.0  # seconds between two swaps that a refusal triggered: one bad day of a server is no reason
_log = logging.getLogger("ror_sante.identity")


class Holder(Protocol):
    """What sessions need to know of our identity."""

    def current(self) -> ClientIdentity | None:
        """Give the identity for a new request."""
        ...

    def newest(self) -> ClientIdentity | None:
        """Give the identity in force, without looking for another."""
        ...

    def refused(self, identity: ClientIdentity | None) -> bool:
        """Take note that a server refused an identity; tell whether another one is in force now."""
        ...


class FixedIdentity:
    """An identity, or none, that stays.

    Args:
        identity: what we present; None for a service that wants no certificate.
        clock: tells when to warn of its end.
    """

    def __init__(self, identity: ClientIdentity | None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._identity = identity
        self._clock = clock
        self._due = clock.monotonic()
        self._reminder = _Reminder()

    def current(self) -> ClientIdentity | None:
        """Give the identity."""
        if self._identity is not None and self._clock.monotonic() >= self._due:
            self._due = self._clock.monotonic() + _POLL
            self._reminder.look(self._identity, self._clock.now())
        return self._identity

    def newest(self) -> ClientIdentity | None:
        """Give the identity."""
        return self._identity

    def refused(self, identity: ClientIdentity | None) -> bool:
        """Say that there is no other."""
        return False


class IdentityHolder:
    """Follows a source: a changed file, a certificate in its last days, a certificate that is refused.

    A request asks once, and keeps what it got for its life. What cannot be opened or used changes nothing: the good
    identity stays, and the log says why. Safe among threads; one of them opens files, the others go on.

    Args:
        source: where the identity comes from.
        judge: raises an error of our tree when an identity cannot be used at a time.
        clock: tells the time.
        at: the time at which the first identity is judged; None is now.

    Raises:
        RorError: there is no usable identity to begin with.
    """

    def __init__(self, source: IdentitySource, judge: Judge, *, clock: Clock, at: datetime | None = None) -> None:
        self._clock = clock
        self._judge = judge
        self._own = _Watched(source, clock)
        self._next = None if source.successor is None else _Watched(source.successor, clock)
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._alert_swap = -_ALERT_PAUSE + clock.monotonic()
        self._reminder = _Reminder()
        self._identity = self._first(at or clock.now())
        self._due = clock.monotonic()

    def current(self) -> ClientIdentity:
        """Give the identity for a new request, after a look for a newer one when it is time."""
        if self._clock.monotonic() >= self._due and self._lock.acquire(blocking=False):
            try:
                self._due = self._clock.monotonic() + _LOOK
                self._look(self._clock.now())
            finally:
                self._lock.release()
        return self._identity

    def newest(self) -> ClientIdentity:
        """Give the identity in force, without looking for another."""
        return self._identity

    def refused(self, identity: ClientIdentity | None) -> bool:
        """Take note that a server refused an identity, and look at once for a newer one.

        A refusal changes the identity at most once in ten minutes, and never to an older one.

        Returns:
            Whether the identity in force is another one now.
        """
        if identity is None:
            return False
        with self._lock:
            if identity is self._identity:
                self._look(self._clock.now())
            if identity is self._identity:
                self._give_way(self._clock.now())
            return identity is not self._identity

    # -------------------------------------------------------------- which one

    def _first(self, at: datetime) -> ClientIdentity:
        """Open the identity; one that is over gives way to the next at once."""
        identity = self._own.open()
        try:
            self._judge(identity, at)
        except ValidityError:
            successor = None if self._next is None else self._usable(self._next.seen(), at)
            if successor is None:
                raise
            _log.warning("%s takes over from %s, which does not hold today", _told(successor), _told(identity))
            return successor
        return identity

    def _look(self, at: datetime) -> None:
        """Follow the source, then the calendar."""
        changed = self._own.changed()
        if changed is not None and changed.thumbprint not in self._refused:
            self._adopt(changed, at, "its source has changed")
        if self._next is not None and self._identity.validity.needs_renewal(at=at, within=LAST_DAYS):
            successor = self._next.seen()
            if successor is not None and successor.validity.not_after > self._identity.validity.not_after:
                self._adopt(successor, at, "the certificate in force is in its last days")
        self._reminder.look(self._identity, at)

    def _give_way(self, at: datetime) -> None:
        """Leave an identity that a server refuses, for one that is not older."""
        if self._clock.monotonic() < self._alert_swap + _ALERT_PAUSE:
            return
        refused = self._identity
        offers = [self._own.pressed(), None if self._next is None else self._next.pressed()]
        newer = [one for one in offers if one is not None and self._may_follow(one)]
        for offer in sorted(newer, key=_age, reverse=True):
            if self._adopt(offer, at, "a server refuses the certificate in force", level=logging.WARNING):
                self._refused.add(refused.thumbprint)
                self._alert_swap = self._clock.monotonic()
                return

    def _may_follow(self, offer: ClientIdentity) -> bool:
        known = self._refused | {self._identity.thumbprint}
        return offer.thumbprint not in known and _age(offer) >= _age(self._identity)

    def _adopt(self, offer: ClientIdentity, at: datetime, why: str, *, level: int = logging.INFO) -> bool:
        if offer.thumbprint == self._identity.thumbprint or self._usable(offer, at) is None:
            return False
        told = _told(offer), _told(self._identity), why
        _log.log(level, "new connections present %s from now on, instead of %s: %s", *told)
        self._identity = offer
        return True

    def _usable(self, offer: ClientIdentity | None, at: datetime) -> ClientIdentity | None:
        if offer is None:
            return None
        try:
            self._judge(offer, at)
        except RorError as error:
            _log.warning("%s is not used, and the identity in force stays: %s", _told(offer), printable(error))
            return None
        return offer

    def __reduce__(self) -> NoReturn:
        raise TypeError("the identity in force cannot be pickled: it holds a private key")


class _Watched:
    """One source, what was last read from it, and when."""

    def __init__(self, source: IdentitySource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._marks: object = None
        self._tried = float("-inf")
        self._failed = False
        self._last: ClientIdentity | None = None

    def open(self) -> ClientIdentity:
        """Open the source.

        Raises:
            RorError: it gives no identity.
        """
        self._marks, self._tried, self._failed = self._source.marks(), self._clock.monotonic(), True
        self._last = self._source.load()
        self._failed = False
        return self._last

    def changed(self, *, poll: float = _POLL) -> ClientIdentity | None:
        """Give what the source holds when that is another certificate than at the last time."""
        before = self._last
        if not self._is_due(poll):
            return None
        try:
            now = self.open()
        except Exception as error:  # noqa: BLE001  a caller's function may raise anything, and a good identity is at hand
            what = printable(error) if isinstance(error, RorError) else type(error).__name__
            _log.warning("%r cannot be opened anew, and the identity in force stays: %s", self._source, what)
            return None
        return now if before is None or now.thumbprint != before.thumbprint else None

    def seen(self, *, poll: float = _POLL) -> ClientIdentity | None:
        """Give what the source holds, opened anew when it has changed; None when it is not there or does not open."""
        if self._source.missing:
            return None
        self.changed(poll=poll)
        return None if self._failed else self._last

    def pressed(self) -> ClientIdentity | None:
        """Give what the source holds now that the identity in force is refused."""
        return self.seen(poll=_REFUSED_PAUSE)

    def _is_due(self, poll: float) -> bool:
        passed = self._clock.monotonic() - self._tried
        if not self._source.files:
            return passed >= poll
        return self._source.marks() != self._marks or (self._failed and passed >= _AGAIN)


@dataclass
class _Reminder:
    """Warns once a day from 60 days before the end."""

    last: date | None = None

    def look(self, identity: ClientIdentity, at: datetime) -> None:
        step = advice(identity.validity, at=at)
        if step and self.last != at.date():
            self.last = at.date()
            days = identity.validity.remaining(at).days
            _log.warning("%s ends in %d day%s. %s", _told(identity), days, "" if days == 1 else "s", step)


def _age(identity: ClientIdentity) -> datetime:
    return identity.validity.not_before


def _told(identity: ClientIdentity) -> str:
    return f"the certificate {identity.thumbprint[:16]}… (valid until {identity.validity.not_after:%Y-%m-%d})"
