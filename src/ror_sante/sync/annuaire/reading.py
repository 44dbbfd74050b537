"""Read the rows of an extraction out of its zip, block by block, with nothing unpacked on the disk."""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ror_sante.api.annuaire.columns import SEPARATOR, BrokenExtractionError, Header
from ror_sante.api.annuaire.rows import Row, cells_of, row_class
from ror_sante.errors import ConfigurationError, printable
from ror_sante.sync.annuaire import archive
from ror_sante.sync.annuaire.archive import Member
from ror_sante.sync.annuaire.persons import persons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from types import TracebackType
    from typing import Self

    from ror_sante.sync.annuaire.persons import Person

BLOCK: Final = 1 << 16  # bytes; what is decoded and split at a time: the cells of more leave the processor's cache
_LONGEST: Final = 1 << 20  # bytes of one line; the longest known has 2 000
_BOM: Final = "\ufeff"
_FIRST: Final = "personne_activite"  # of several texts, the one that people mean


class Extraction:
    """An extraction on the disk: a zip as it was fetched, or a text out of one.

    A context manager. Nothing is unpacked on the disk, and memory does not grow with the size of the file.

    Example::

        with Extraction("PS_LibreAcces_202611250210.zip") as extraction:
            for activity in extraction.rows("Personne_activite"):
                print(activity.rpps, activity.profession)

    Args:
        path: the file.

    Attributes:
        members: the texts in it.

    Raises:
        BrokenExtractionError: no whole or safe zip (`ror_sante.sync.annuaire.archive.check` proves every byte).
        OSError: it cannot be read.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._archive: zipfile.ZipFile | None = None
        size = self.path.stat().st_size
        if not _is_zip(self.path):
            self.members: tuple[Member, ...] = (Member(printable(self.path.name), size),)
            return
        with archive.explained(self.path.name):
            self._archive = zipfile.ZipFile(self.path)
            try:
                self.members = archive.members_of(self._archive, size=size)
            except BaseException:
                self._archive.close()
                raise

    def member(self, name: str | None = None) -> Member:
        """Choose a text.

        Args:
            name: a part of its name, such as ``SavoirFaire``, whatever the case; None takes the only one, or the one
                of the activities (``Personne_activite``).

        Raises:
            ConfigurationError: none has such a name, or several have.
        """
        wanted = name.casefold() if name is not None else "" if len(self.members) == 1 else _FIRST
        found = [member for member in self.members if wanted in member.name.casefold()]
        if len(found) != 1:
            what = f"the name {printable(name, 60)!r} fits" if name is not None else "without a name there fit"
            raise ConfigurationError(
                f"{what} {len(found)} of the texts in {printable(self.path.name)}",
                hint=f"There are {', '.join(member.name for member in self.members)}.",
            )
        return found[0]

    def header(self, member: str | None = None) -> Header:
        """Read the columns of a text; raises as `rows`."""
        with self._read(member) as lines:
            return lines.kind.header

    def rows(self, member: str | None = None, *, lenient: bool = False) -> Iterator[Row]:
        """Give the rows one by one.

        The class of the rows follows from the columns: `PersonActivity`, `Mailbox`, or `Row` for other files.

        Args:
            member: which text, as in the method `member`.
            lenient: give short rows empty cells and cut long ones, rather than stop; rows that are broken in two by an
                end of line come as two.

        Raises:
            BrokenExtractionError: the sum of the text is wrong (told at its end), it has no columns, or a row
                does not fit them; the message names the line, and never what stands in it.
            ConfigurationError: the member is not there.
            OSError: the file cannot be read.
        """
        with self._read(member) as lines:
            yield from lines.rows(lenient=lenient)

    def persons(self, member: str | None = None, *, lenient: bool = False) -> Iterator[Person]:
        """Give the rows grouped by person, in the order of the file where it is sorted by person.

        A file that is not sorted is read several times, a part of its persons each time, so that memory stays bounded.
        Rows that name no person, as those of an organisation's mailbox, are left out.

        Args:
            member: as in `rows`.
            lenient: as in `rows`.

        Raises:
            BrokenExtractionError: as `rows`; or the file has no column that names persons.
        """
        size = self.member(member).size
        return persons(lambda: self.rows(member, lenient=lenient), size=size)

    def close(self) -> None:
        """Close the file."""
        if self._archive is not None:
            self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Extraction {printable(self.path.name)}, {len(self.members)} texts>"

    @contextmanager
    def _read(self, name: str | None) -> Iterator[_Lines]:
        member = self.member(name)
        with archive.explained(self.path.name), self._opened(member) as stream:
            yield _Lines(stream)

    def _opened(self, member: Member) -> IO[bytes]:
        return self.path.open("rb") if self._archive is None else archive.opened(self._archive, member)


class _Lines:
    """The lines of a text, a block at a time; `number` is the last one that was given, the header being 1."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._rest = b""
        first = self._block(1 << 16)
        head, _, self._ahead = ("" if first is None else _decoded(first)).partition("\n")
        head = head.removeprefix(_BOM)
        self.kind = row_class(Header(head))
        self._columns = len(self.kind.header.names)
        self._trailing = head.endswith(SEPARATOR)
        self.number = 1

    def rows(self, *, lenient: bool) -> Iterator[Row]:
        """Give the rows; every one fits the header."""
        kind, trailing, wanted = self.kind, self._trailing, self._columns + self._trailing
        for text in self._texts():
            lines = text.split("\n")
            for cells in map(str.split, lines, repeat(SEPARATOR)):
                if len(cells) == wanted and not (trailing and cells[-1]):
                    if trailing:
                        del cells[-1]
                    yield kind(cells)
                else:
                    yield from map(kind, self._looked_at(SEPARATOR.join(cells), lines, lenient=lenient))
            self.number += len(lines)

    def _texts(self) -> Iterator[str]:
        """Give whole lines, many at a time, without the end of the last one."""
        if self._ahead:
            yield self._ahead
        while (block := self._block(BLOCK)) is not None:
            yield _decoded(block)

    def _block(self, size: int) -> bytes | None:
        """Give whole lines, without the end of the last one; None at the end of the text."""
        while piece := self._stream.read(size):
            whole, end, rest = piece.rpartition(b"\n")
            if end:
                block, self._rest = self._rest + whole, rest
                return block
            self._rest += piece
            if len(self._rest) > _LONGEST:
                raise BrokenExtractionError(f"a line is longer than {_LONGEST >> 20} MiB: this is no extraction")
        block, self._rest = self._rest, b""
        return block or None

    def _looked_at(self, line: str, lines: list[str], *, lenient: bool) -> Iterator[list[str]]:
        """Look at a line that does not fit at first sight."""
        if not line:
            return
        try:
            yield cells_of(line, self._columns)
        except BrokenExtractionError as error:
            if not lenient:
                raise BrokenExtractionError(
                    f"line {self.number + lines.index(line) + 1}: {error.message}",
                    hint="The text may be damaged; --lenient (lenient=True) pads short rows and cuts long ones.",
                ) from None
            yield self._padded(line)

    def _padded(self, line: str) -> list[str]:
        cells = line.split(SEPARATOR)[: self._columns]
        return cells + [""] * (self._columns - len(cells))


def _decoded(block: bytes) -> str:
    """Decode as UTF-8; lines that are none as Windows-1252, which accents outside of UTF-8 are practically always."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(map(_line_decoded, block.split(b"\n")))


def _line_decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _is_zip(path: Path) -> bool:
    """Tell a zip by its start, or by its name: one that is cut off must not pass for a text."""
    with path.open("rb") as file:
        return file.read(2) == b"PK" or path.suffix.lower() == ".zip"
