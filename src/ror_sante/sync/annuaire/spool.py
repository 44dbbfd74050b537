"""The pages of one search on their way to the disk, with a note of how far they came: a dead run is taken up there."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  msgspec reads the annotation when it decodes
from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante.api.annuaire.records import head_of
from ror_sante.api.paging import Reached
from ror_sante.errors import SyncError
from ror_sante.sync.files import private_folder, remove, reopen, settle, write_all, write_private

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from ror_sante.api.fhir.bundle import Bundle

PAGES: Final = 10  # how many may have to be fetched again after a kill
_NOTE: Final = "note.json"
_LINES: Final = "lines.ndjson"


class Note(msgspec.Struct, kw_only=True, frozen=True):
    """How far a search is; what lies in the file beyond `size` does not count.

    Attributes:
        service: the FHIR base that is asked.
        begun: the server's time before the first page.
        since: where the changes start; None asks for everything.
        name: of what is made of it.
        link: to the next page, as the server wrote it; empty before the first and after the last.
        found: matches on the pages so far.
        total: how many the service counts, or None.
        size: bytes of their lines.
        done: all pages came, and the service was found to have given everything.
    """

    service: str
    begun: datetime
    since: datetime | None
    name: str
    link: str = ""
    found: int = 0
    total: int | None = None
    size: int = 0
    done: bool = False

    @property
    def reached(self) -> Reached | None:
        """From where to go on; None at the beginning."""
        return Reached(self.link, self.found, self.total) if self.link else None

    def after(self, page: Bundle, size: int) -> Note:
        """Give the note after a page whose lines have so many bytes."""
        return msgspec.structs.replace(
            self,
            link=page.next or "",
            found=self.found + len(page.matches),
            total=page.total if self.total is None else self.total,
            size=self.size + size,
        )


_DECODER: Final = msgspec.json.Decoder(Note)


class Spool:
    """A file of records that grows page by page; a context manager that brings to the disk what came.

    Args:
        folder: where it lies.
        note: how far it is.
    """

    def __init__(self, folder: Path, note: Note) -> None:
        self.path = folder / _LINES
        self.note = note
        self._last = note
        self._beside = folder / _NOTE
        self._pages = 0
        self._openings: set[str] = set()

    @classmethod
    def left(cls, folder: Path) -> Self | None:
        """Give what an earlier run left; a note that is damaged, or whose lines are not all there, counts as none."""
        try:
            spool = cls(folder, _DECODER.decode((folder / _NOTE).read_bytes()))
            return spool if spool.path.stat().st_size >= spool.note.size else None
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    @classmethod
    def begun(cls, folder: Path, note: Note) -> Self:
        """Begin anew; what was there goes."""
        remove(folder)
        private_folder(folder)
        return cls(folder, note)

    def __enter__(self) -> Self:
        self._file = reopen(self.path, self.note.size)
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._keep()

    def take(self, page: Bundle) -> int:
        """Take the matches of a page; now and then they are brought to the disk.

        The last page counts with `finish` alone: that the search is whole is known a step later.

        Returns:
            Their bytes.

        Raises:
            SyncError: a record without an id, or pages that go round in a circle.
            OSError: the disk.
        """
        self._check(page)
        data = b"".join(resource.line() for resource in page.matches)
        self._file.seek(self.note.size)
        write_all(self._file, data)
        self._last = self.note.after(page, len(data))
        if page.next:
            self.note = self._last
            self._pages += 1
            if self._pages % PAGES == 0:
                self._keep()
        return len(data)

    def finish(self) -> None:
        """Note that all of it came."""
        self.note = msgspec.structs.replace(self._last, done=True)

    def _keep(self) -> None:
        self._file.truncate(self.note.size)
        settle(self._file)
        write_private(self._beside, msgspec.json.encode(self.note))

    def _check(self, page: Bundle) -> None:
        if not all(head_of(resource.raw) for resource in page.matches):
            raise _odd("a record that the service gives has no id")
        opening = page.matches[0].id if page.matches else ""
        if opening in self._openings:  # links of a circle may all differ
            raise _odd("the pages do not end: one begins with what an earlier one began with")
        self._openings.update(filter(None, (opening,)))


def _odd(message: str) -> SyncError:
    return SyncError(
        message, hint="What came before stays; run it again, and tell the service's support if that fails too."
    )
