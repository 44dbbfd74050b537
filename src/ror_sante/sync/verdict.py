"""Compare a new copy with the last good one: what has shrunk, a lost right perhaps, shows as fewer rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ror_sante.sync.store import Count

LIMIT: Final = 0.05


@dataclass(frozen=True)
class Fall:
    """One number that fell too far.

    Attributes:
        region: the code of the region; empty for resources without one.
        type: the resource type.
        what: ``count``, or ``telecom`` for the share of resources with a telecom.
        before: of the last good copy; a share is between 0 and 1.
        after: of the new one.
    """

    region: str
    type: str
    what: str
    before: float
    after: float

    def __str__(self) -> str:
        where = f"region {self.region}" if self.region else "no region"
        if self.what == "count":
            return f"{where}, {self.type}: {self.before:.0f} before, {self.after:.0f} now"
        return f"{where}, {self.type}: {self.before:.1%} had a telecom before, {self.after:.1%} now"


def falls(before: Iterable[Count], after: Iterable[Count], *, limit: float = LIMIT) -> tuple[Fall, ...]:
    """Give what fell by more than a share of itself.

    Args:
        before: the counts of the last good copy.
        after: those of the new one.
        limit: how far each may fall, as a share: 0.05 is five per cent.
    """
    now = {(count.region, count.type): count for count in after}
    return tuple(fall for old in before for fall in _fallen(old, now.get((old.region, old.type)), limit))


def _fallen(old: Count, new: Count | None, limit: float) -> Iterator[Fall]:
    left = 1 - limit
    count = 0 if new is None else new.count
    if count < left * old.count:
        yield Fall(old.region, old.type, "count", old.count, count)
    if new is None or not (old.count and new.count):
        return
    share, share_now = old.with_telecom / old.count, new.with_telecom / new.count
    if share_now < left * share:
        yield Fall(old.region, old.type, "telecom", share, share_now)
