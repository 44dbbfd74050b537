"""Split a file of an export into its resources, a window at a time, whatever the size of the file.

A Bundle is not decoded whole. A piece of its ``entry`` list that ends between two entries is a JSON list once it stands
in brackets; so the place to cut is guessed by its looks, and proved by the decoder: all brackets must close.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import msgspec

from ror_sante.api.fhir.document import UNREADABLE
from ror_sante.errors import SyncError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Self

T = TypeVar("T")
B = TypeVar("B", bytes, msgspec.Raw)

WINDOW: Final = 112 * 1024  # bytes; buffers from 128 KiB on go back to the system each time, and cost fresh pages
LARGEST: Final = 32 * 1024 * 1024  # bytes of a window that finds no place to cut: one resource, or no resource at all

_LIKELY: Final = 8  # last places that look like the start of an entry
_POSSIBLE: Final = 40  # last places where any object of a list ends
_CLOSERS: Final = 64  # brackets that may close the list
_BOM: Final = b"\xef\xbb\xbf"

_LIST: Final = re.compile(rb'"entry"\s*:\s*\[')
_FIRST_KEY: Final = re.compile(rb'\s*\{\s*("(?:[^"\\]|\\.)*")\s*:')
_ANY_BORDER: Final = re.compile(rb"\}\s*,\s*(?=\{)")


class BrokenFileError(SyncError):
    """A file of an export is not what it should be, or not whole."""


class _Head(msgspec.Struct, rename="camel", gc=False):
    resource_type: Any = None
    entry: msgspec.Raw = msgspec.Raw()


class _Entry(msgspec.Struct, gc=False):
    resource: msgspec.Raw = msgspec.Raw()


_HEAD: Final = msgspec.json.Decoder(_Head)
_ENTRIES: Final = msgspec.json.Decoder(list[_Entry])


def resources(path: Path) -> Iterator[Sequence[bytes | msgspec.Raw]]:
    """Give the resources of a file as JSON texts without line breaks, many at a time, in order.

    A Bundle, one resource a line, and a single resource are told apart by themselves.

    Args:
        path: the file.

    Raises:
        BrokenFileError: none of these, not UTF-8, cut off, or a resource larger than 32 MiB. Some were given before.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        window = _Window(file)
        window.more()
        window.drop(len(_BOM) if window.content.startswith(_BOM) else 0)
        while True:  # until it shows what it is: a first line may be longer than a window
            if _starts_with_a_line(window.content):
                yield from _lines(window)
                return
            if start := _start_of_entries(window.content):
                yield from _bundle(window, start)
                return
            if window.ended:
                yield _single(window)
                return
            window.more()


class _Window:
    """The part of a file that is in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._step = WINDOW
        self.content = b""
        self.ended = False

    def more(self) -> None:
        """Read on, further each time until something is dropped."""
        if len(self.content) >= LARGEST:
            raise BrokenFileError(f"{LARGEST >> 20} MiB of a file of the export hold no end of a resource")
        piece = self._file.read(self._step)
        self.ended = len(piece) < self._step
        self.content += piece
        self._step = max(WINDOW, len(self.content))

    def drop(self, size: int) -> None:
        """Forget the beginning."""
        self.content = self.content[size:]
        self._step = WINDOW


def _decoded(decoder: msgspec.json.Decoder[T], text: bytes) -> T | None:
    try:
        return decoder.decode(text)
    except UNREADABLE:
        return None


def _checked(text: B) -> B:
    """Refuse what is no UTF-8: the decoder skips resources without a look at their characters."""
    try:
        str(text, "utf-8")
    except UnicodeDecodeError as error:
        raise BrokenFileError("a file of the export is not UTF-8") from error
    return text


def _on_one_line(text: bytes | msgspec.Raw) -> bytes:
    """Take the line breaks out; a resource that has none stays as it was written."""
    line = bytes(text)
    if b"\n" not in line and b"\r" not in line:
        return line
    try:
        return msgspec.json.format(line, indent=-1)
    except UNREADABLE as error:
        raise BrokenFileError("a file of the export holds what is no JSON") from error


# ------------------------------------------------------------------ one resource a line


def _starts_with_a_line(content: bytes) -> bool:
    line, newline, _ = content.lstrip().partition(b"\n")
    head = _decoded(_HEAD, line) if newline else None
    return head is not None and isinstance(head.resource_type, str) and head.resource_type != "Bundle"


def _lines(window: _Window) -> Iterator[list[bytes]]:
    while True:
        cut = len(window.content) if window.ended else window.content.rfind(b"\n") + 1
        if cut:
            yield [_on_one_line(line) for line in _checked(window.content[:cut]).split(b"\n") if line.strip()]
            window.drop(cut)
        if window.ended:
            return
        window.more()


def _single(window: _Window) -> list[bytes]:
    """Take a document that holds no list of entries: one resource, or a Bundle of nothing."""
    head = _decoded(_HEAD, _checked(window.content))
    if head is None or not isinstance(head.resource_type, str):
        raise BrokenFileError("a file of the export is neither a Bundle nor resources, or is cut off")
    if head.entry:
        raise BrokenFileError("a file of the export has entries that are no list")
    return [] if head.resource_type == "Bundle" else [_on_one_line(window.content)]


# ------------------------------------------------------------------ a Bundle


def _start_of_entries(content: bytes) -> int:
    """Find where the first entry would stand, 0 when no list of entries begins here."""
    for found in islice(_LIST.finditer(content), _POSSIBLE):
        if _decoded(_HEAD, content[: found.end()] + b"]}") is not None:
            return found.end()
    return 0


def _bundle(window: _Window, start: int) -> Iterator[list[msgspec.Raw]]:
    opening = _checked(window.content[:start])
    window.drop(start)
    borders = _Borders.of(window.content)
    while not window.ended:
        found = _front(window.content, borders)
        if found is None:
            window.more()
            continue
        entries, size = found
        yield entries
        window.drop(size)
        window.more()
    yield _end(opening, window.content)


@dataclass(frozen=True)
class _Borders:
    """How two entries meet in a file, by the looks of its first one.

    Attributes:
        usual: the bytes between them where nothing is indented; empty when they cannot be foretold.
        likely: the same with any white space.
    """

    usual: bytes
    likely: re.Pattern[bytes]

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Look at what the first entry begins with."""
        key = _FIRST_KEY.match(content)
        if key is None:
            return cls(b"", _ANY_BORDER)
        return cls(b"},{%s:" % key[1], re.compile(rb"\}\s*,\s*(?=\{\s*%s\s*:)" % re.escape(key[1])))

    def last(self, content: bytes) -> Iterator[tuple[int, int]]:
        """Give where an entry may end and the next begin: the last such places, the very last first.

        The first of them is nearly always right, and found without a look at the rest.
        """
        if self.usual and (end := content.rfind(self.usual) + 1):
            yield end, end + 1
        for pattern, most in ((self.likely, _LIKELY), (_ANY_BORDER, _POSSIBLE)):
            for border in reversed(deque(pattern.finditer(content), maxlen=most)):
                yield border.start() + 1, border.end()


def _front(content: bytes, borders: _Borders) -> tuple[list[msgspec.Raw], int] | None:
    """Give as many whole entries as there are, and how many bytes they take, the comma after them included."""
    for end, following in borders.last(content):
        entries = _entries(content[:end])
        if entries is not None:
            return entries, following
    return None


def _end(opening: bytes, content: bytes) -> list[msgspec.Raw]:
    """Give the last entries; what follows them must complete the document."""
    position = len(content)
    for _ in range(_CLOSERS):
        position = content.rfind(b"]", 0, position)
        if position < 0:
            break
        whole = _decoded(_HEAD, opening + content[position:])
        entries = _entries(content[:position]) if whole is not None else None
        if whole is not None and entries is not None:
            _checked(content[position:])
            if whole.resource_type != "Bundle":
                raise BrokenFileError("a file of the export has entries and is no Bundle")
            return entries
    raise BrokenFileError("a file of the export is cut off, or is no JSON")


def _entries(text: bytes) -> list[msgspec.Raw] | None:
    found = _decoded(_ENTRIES, b"[%s]" % text)
    if found is None:
        return None
    taken = [entry.resource for entry in found if entry.resource]
    if b"\n" in text or b"\r" in text:
        taken = [msgspec.Raw(_on_one_line(resource)) for resource in taken]
    _checked(text)
    return taken
