"""Gather resources of several searches: each once, in its newest version, and written when all are there."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import msgspec

from ror_sante.sync.files import create, private_folder, remove, settle, sync_folder
from ror_sante.sync.store import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from ror_sante.api.fhir.resource import Resource

_SPOOL: Final = "spool"
_OTHER: Final = "Other"
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    last_updated: str = ""


class _Dated(msgspec.Struct):
    meta: _Meta = _Meta()


_DATED: Final = msgspec.json.Decoder(_Dated)


class _Place(NamedTuple):
    updated: datetime
    start: int
    size: int


class Gathered:
    """Resources on their way to the disk; a context manager that leaves nothing behind but what was put in place.

    Args:
        beside: a folder that is made for the time of the gathering, on the file system of the result.
    """

    def __init__(self, beside: Path) -> None:
        self._beside = beside
        self._stack = ExitStack()
        self._spools: dict[str, BinaryIO] = {}
        self._places: dict[str, dict[bytes, _Place]] = {}
        self.repeated = 0

    def __enter__(self) -> Self:
        remove(self._beside)  # of a run that was killed
        private_folder(self._beside)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        remove(self._beside)

    def put(self, resource: Resource) -> None:
        """Take one resource; of two with one type and id the newer stays, of two alike the later."""
        kind = resource.type if resource.type in FILES else _OTHER
        places = self._places.setdefault(kind, {})
        key = blake2b(f"{resource.type}/{resource.id}".encode(), digest_size=16).digest()
        updated, known = _updated(resource.raw), places.get(key)
        self.repeated += known is not None
        if known is None or updated >= known.updated:
            places[key] = self._spooled(kind, resource.line(), updated)

    def _spooled(self, kind: str, line: bytes, updated: datetime) -> _Place:
        if kind not in self._spools:
            self._spools[kind] = self._stack.enter_context(create(self._beside / f"{kind}.{_SPOOL}"))
        start = self._spools[kind].tell()
        self._spools[kind].write(line)
        return _Place(updated, start, len(line))

    @property
    def counts(self) -> dict[str, int]:
        """How many resources of each type there are."""
        kinds = [name or _OTHER for name in FILES]
        return {kind: len(self._places[kind]) for kind in kinds if kind in self._places}

    def into_folder(self, folder: Path, extra: dict[str, bytes]) -> None:
        """Write a file a type into a new folder, which appears whole.

        Args:
            folder: where; it is not there yet.
            extra: further files by name.

        Raises:
            OSError: the disk.
        """
        made = private_folder(self._beside / "made")
        for kind in self.counts:
            with create(made / f"{kind}.ndjson") as file:
                for line in self._lines(kind):
                    file.write(line)
                settle(file)
        for name, content in extra.items():
            with create(made / name) as file:
                file.write(content)
                settle(file)
        sync_folder(made)
        made.rename(folder)
        sync_folder(folder.parent)

    def into_file(self, path: Path) -> None:
        """Write all types into one file, which appears whole.

        Raises:
            OSError: the disk.
        """
        made = self._beside / "made.ndjson"
        with create(made) as file:
            for kind in self.counts:
                for line in self._lines(kind):
                    file.write(line)
            settle(file)
        made.replace(path)
        sync_folder(path.parent)

    def _lines(self, kind: str) -> Iterator[bytes]:
        spool = self._spools[kind]
        for place in sorted(self._places[kind].values(), key=lambda place: place.start):
            spool.seek(place.start)
            yield spool.read(place.size)


def _updated(raw: bytes) -> datetime:
    """Read ``meta.lastUpdated``; a resource without a readable one is older than all."""
    try:
        found = datetime.fromisoformat(_DATED.decode(raw).meta.last_updated)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _OLDEST
    return found if found.tzinfo else found.replace(tzinfo=UTC)
