"""Write to the terminal with care: foreign text is never markup, and control characters are shown, not sent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from ror_sante.errors import printable

if TYPE_CHECKING:
    from typing import IO

# A line much longer than this is tiring to read, however wide the terminal.
_WIDEST: Final = 120
_LONG: Final = 4000


class _Console(Console):
    """A console that leaves a broken pipe to the command."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(stream: IO[str] | None = None) -> Console:
    """Make a console that adds nothing of its own to what it is given."""
    made = _Console(file=stream or sys.stdout, markup=False, highlight=False, emoji=False, soft_wrap=False)
    if made.width > _WIDEST:
        made.width = _WIDEST
    return made


def text(words: object, style: str = "") -> Text:
    """Make foreign words safe to print, in one line."""
    return Text(printable(words, _LONG), style=style)


def speaks_unicode(made: Console) -> bool:
    """Tell whether the stream can take the symbols of the ladder."""
    try:
        "✔▲✘·→←…".encode(made.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
