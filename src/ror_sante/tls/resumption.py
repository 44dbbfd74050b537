"""Remember TLS sessions of connections whose chain was verified, so that the next connection need not do it all again.

A resumed connection shows no certificates and verifies none: it stands on the verification of the full handshake that
it comes from. So a session is offered to the same host name and port alone, within an hour of that handshake however
often it was resumed since, and never past the end of either leaf. It lives in memory, in one sealed context, and so
with one identity and one set of roots.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    import ssl

LONGEST: Final = 3600.0  # seconds from the full handshake
_PLACES: Final = 64  # remembered at once; a client has a handful


class Place(NamedTuple):
    """Where a session may be offered.

    Attributes:
        host: the name that the certificate was checked for.
        port: the TCP port of the server, also behind a proxy.
    """

    host: str
    port: int


class Warrant(msgspec.Struct, frozen=True):
    """How long the verification of a full handshake holds.

    Attributes:
        until: end of its hour, on the monotonic scale.
        ends: when the first of the two leaves ends, in seconds since 1970.
    """

    until: float
    ends: float

    def holds(self, *, monotonic: float, wall: float) -> bool:
        """Tell whether it still does, by both clocks."""
        return monotonic < self.until and wall < self.ends


class Remembered(NamedTuple):
    """A session, and the warrant that it stands on."""

    session: ssl.SSLSession
    warrant: Warrant


class Shelf:
    """The last session of each place. Safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Place, Remembered] = {}

    def offer(self, place: Place, *, monotonic: float, wall: float) -> Remembered | None:
        """Give the session of a place whose warrant still holds; drop one whose does not."""
        with self._lock:
            found = self._kept.get(place)
            if found is not None and not found.warrant.holds(monotonic=monotonic, wall=wall):
                del self._kept[place]
                return None
            return found

    def keep(self, place: Place, session: ssl.SSLSession, warrant: Warrant) -> None:
        """Put a session in the place of the last one; the place that was kept first makes room."""
        with self._lock:
            self._kept.pop(place, None)
            while len(self._kept) >= _PLACES:
                del self._kept[next(iter(self._kept))]
            self._kept[place] = Remembered(session, warrant)

    def forget(self, place: Place) -> bool:
        """Drop the session of a place; tell whether there was one."""
        with self._lock:
            return self._kept.pop(place, None) is not None

    def __len__(self) -> int:
        return len(self._kept)
