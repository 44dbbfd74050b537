"""Let each request keep one identity and its connections for its life, and drain what no request needs any more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from ror_sante.http.holder import Holder
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.tls.adapter import PinnedAdapter


class _Generation:
    """An identity, the adapter that presents it, and the number of requests under way on it."""

    __slots__ = ("adapter", "identity", "users")

    def __init__(self, identity: ClientIdentity | None, adapter: PinnedAdapter) -> None:
        self.identity = identity
        self.adapter = adapter
        self.users = 0


class Generations:
    """The connections of one session: those of the identity in force, and older ones until their requests end.

    Args:
        holder: tells the identity in force.
        connect: makes the adapter that presents an identity.
    """

    def __init__(self, holder: Holder, connect: Callable[[ClientIdentity | None], PinnedAdapter]) -> None:
        self._holder = holder
        self._connect = connect
        self._lock = threading.Lock()
        identity = holder.newest()
        self._current = _Generation(identity, connect(identity))
        self._older: list[_Generation] = []

    @property
    def current(self) -> PinnedAdapter:
        """Give the adapter of the identity that was in force at the last request."""
        return self._current.adapter

    def lease(self, identity: ClientIdentity | None = None) -> Lease:
        """Take an identity and its connections for one request.

        Args:
            identity: one that the caller has from another session's lease; None takes the one in force.

        Raises:
            RorError: no TLS context can be made for it.
        """
        wanted = self._holder.current() if identity is None else identity
        with self._lock:
            generation = self._current if wanted is self._current.identity else self._other(wanted)
            generation.users += 1
        return Lease(self, generation)

    def refused(self, identity: ClientIdentity | None) -> bool:
        """Take note that a server refused an identity; tell whether another one is in force now."""
        return self._holder.refused(identity)

    def is_current(self, identity: ClientIdentity | None) -> bool:
        """Tell whether an identity is the one in force."""
        return identity is self._holder.newest()

    def close(self) -> None:
        """Close every connection that no request uses."""
        with self._lock:
            every = [self._current, *self._older]
        for generation in every:
            generation.adapter.close()

    def _other(self, wanted: ClientIdentity | None) -> _Generation:
        """Give another generation than the current one; that of the newest identity becomes the current."""
        found = next((one for one in self._older if one.identity is wanted), None)
        found = found or _Generation(wanted, self._connect(wanted))
        if wanted is not self._holder.newest():
            if found not in self._older:
                self._older.append(found)
            return found
        replaced, self._current = self._current, found
        self._older = [one for one in self._older if one is not found]
        self._older.append(replaced)
        self._drain()
        return found

    def _drain(self) -> None:
        for idle in [one for one in self._older if not one.users]:
            self._older.remove(idle)
            idle.adapter.close()

    def give_back(self, generation: _Generation) -> None:
        """Take a generation back from a request that has ended."""
        with self._lock:
            generation.users -= 1
            self._drain()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a mutual-TLS session cannot be pickled; make one in each process")


class Lease:
    """An identity and its connections, for one request; a context manager.

    Attributes:
        identity: what is presented, or None.
        adapter: what sends.
    """

    __slots__ = ("_generation", "_owner", "adapter", "identity")

    def __init__(self, owner: Generations, generation: _Generation) -> None:
        self._owner = owner
        self._generation = generation
        self.identity = generation.identity
        self.adapter = generation.adapter

    @property
    def in_force(self) -> bool:
        """Whether no other identity has taken its place meanwhile."""
        return self._owner.is_current(self.identity)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner.give_back(self._generation)
