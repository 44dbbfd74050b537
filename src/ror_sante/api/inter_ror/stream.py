"""A bounded way from several threads to one: who is too quick waits, and nobody waits once it is closed."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from ror_sante.tls.cancel import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Stream(Generic[T]):
    """Items on their way to one reader.

    Args:
        room: how many may wait for the reader.
        now: what tells the time, in seconds.
    """

    def __init__(self, room: int, *, now: Callable[[], float]) -> None:
        self._room = room
        self._now = now
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: T) -> None:
        """Add an item, as soon as there is room.

        Raises:
            CancelledError: the stream is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._room)
            if self._closed:
                raise CancelledError
            self._items.append(item)
            self._changed.notify_all()

    def get(self, until: float) -> T | None:
        """Take the oldest item; None when none came until that moment."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items), max(0.0, until - self._now()))
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Let nobody wait any more; what was not taken is dropped."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
