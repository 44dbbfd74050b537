"""Let the synthetic directory change with time: records are edited or vanish, the same ones for the same seed."""

from __future__ import annotations

import zlib
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.data import Directory
from ror_sante.simulator.payloads import payload
from ror_sante.simulator.records import TYPES, Record
from ror_sante.simulator.sequences import Records

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


class Evolved(Directory):
    """A directory in which something has happened since its beginning.

    Args:
        first: the directory before.
        edited: when records were edited, in seconds since the epoch, by their reference.
        gone: references of the records that vanished.
    """

    def __init__(self, first: Directory, *, edited: Mapping[str, int], gone: Collection[str]) -> None:
        super().__init__(first.size, first.seed)
        self.edited = dict(edited)
        self.gone = frozenset(gone)
        self._first = Directory(first.size, first.seed)

    def records(self, resource_type: str) -> Sequence[Record]:
        """Give every record of a type that is left, in the order of their ids."""
        first = self._first.records(resource_type)
        return Records(lambda place: self._as_it_is(first[place]), self._left(resource_type))

    def scan(self, resource_type: str) -> Iterable[Record]:
        """Give every record of a type that is left, for a look at a part of each."""
        left = (one for one in self._first.scan(resource_type) if one.reference not in self.gone)
        return map(self._as_it_is, left)

    def get(self, reference: str) -> Record | None:
        """Find a record by its reference."""
        found = None if reference in self.gone else self._first.get(reference)
        return None if found is None else self._as_it_is(found)

    def referrers(self, key: str, reference: str) -> Sequence[Record]:
        """Find who refers to a record, and is left."""
        found = self._first.referrers(key, reference)
        return [self._as_it_is(one) for one in found if one.reference not in self.gone]

    def body(self, record: Record) -> bytes:
        """Give the JSON of a record."""
        return msgspec.json.encode(payload(record))

    def _left(self, resource_type: str) -> Sequence[int]:
        gone = {one.number for one in map(self._first.get, self.gone) if one is not None and one.type == resource_type}
        count = len(self._first.records(resource_type))
        return array("Q", (number for number in range(count) if number not in gone)) if gone else range(count)

    def _as_it_is(self, record: Record) -> Record:
        at = self.edited.get(record.reference)
        if at is None:
            return record
        whole = self._first.records(record.type)[record.number]
        return replace(whole, updated=at, name=f"{whole.name} (revu)")


def evolved(before: Directory, *, at: int, edited: Mapping[str, int], gone: Mapping[str, int]) -> Evolved:
    """Let a number of records be edited, and others vanish.

    Args:
        before: the directory as it is; a run of changes starts from the one before.
        at: the time of the edits, in seconds since the epoch.
        edited: how many records of each type are edited.
        gone: how many vanish.

    Raises:
        ConfigurationError: no such type, or more than there are.
    """
    earlier = before if isinstance(before, Evolved) else Evolved(before, edited={}, gone=())
    left = {name: [one.reference for one in earlier.scan(name)] for name in {**edited, **gone} if name in TYPES}
    step = len(earlier.edited) + len(earlier.gone)  # and not the time: the same calls draw the same records
    drawn: dict[str, int] = {}
    vanished: list[str] = []
    for name in sorted({**edited, **gone}):
        first, second = edited.get(name, 0), gone.get(name, 0)
        if name not in TYPES or min(first, second) < 0 or first + second > len(left[name]):
            raise ConfigurationError(f"{first + second} records of {name[:40]} cannot change", hint="There are fewer.")
        order = sorted(left[name], key=lambda reference: zlib.crc32(f"{before.seed}/{step}/{reference}".encode()))
        drawn |= dict.fromkeys(order[:first], at)
        vanished += order[first : first + second]
    return Evolved(earlier, edited=earlier.edited | drawn, gone=earlier.gone | set(vanished))
