"""What a run tells while it works."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Told of each step of a run, and of each piece that arrives."""

    def step(self, name: str, /, **about: object) -> None:
        """Hear of a step.

        Args:
            name: ``begun``, ``job``, ``waiting``, ``ready``, ``file``, ``restarted``, ``assembling``, ``published``.
            about: what there is to say; no secret, and no address.
        """
        ...

    def received(self, size: int, /) -> None:
        """Hear of bytes that arrived, from any thread; negative when a file starts again."""
        ...


class Silent:
    """Hears all and says nothing."""

    def step(self, name: str, /, **about: object) -> None:
        """Say nothing."""

    def received(self, size: int, /) -> None:
        """Say nothing."""
