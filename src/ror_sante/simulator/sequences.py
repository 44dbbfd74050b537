"""Records of a directory of any size: each made when it is asked for, few of them kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.records import Record

KEPT: Final = 20_000  # records of a type that stay in memory, about 2 kB each


class Records(Sequence["Record"]):
    """The records at some places, in the order of these.

    Args:
        make: gives the record at a place.
        places: a range, or an array.
    """

    def __init__(self, make: Callable[[int], Record], places: Sequence[int]) -> None:
        self._make = make
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Record: ...

    @overload
    def __getitem__(self, at: slice) -> list[Record]: ...

    def __getitem__(self, at: int | slice) -> Record | list[Record]:
        if isinstance(at, slice):
            return [self._make(place) for place in self._places[at]]
        return self._make(self._places[at])


def drawn(make: Callable[[int], Record], count: int) -> Records:
    """Give so many records, of which the last ones asked for are kept."""
    return Records(lru_cache(maxsize=KEPT)(make), range(count))


class Glimpse:
    """A record of which little is drawn at first: a search that looks at the rest alone costs the whole record.

    Args:
        resource_type: the FHIR resource type.
        number: its place among the records of its type.
        draw: gives ``updated``, ``city`` or ``identifiers`` by type and number.
        whole: gives the record.
    """

    __slots__ = ("_draw", "_whole", "number", "type")

    def __init__(
        self,
        resource_type: str,
        number: int,
        *,
        draw: dict[str, Callable[[str, int], Any]],
        whole: Callable[[int], Record],
    ) -> None:
        self.type = resource_type
        self.number = number
        self._draw = draw
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        draw = self._draw.get(name)
        return getattr(self._whole(self.number), name) if draw is None else draw(self.type, self.number)
