"""Print the endpoints of a service as a table: a row each, a mark a rung, and what is to be mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from ror_sante.cli.console import speaks_unicode, text
from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.telling import in_short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from ror_sante.diagnosis.report import Part, SmokeReport

STYLES: Final = {Outcome.OK: "green", Outcome.WARN: "yellow", Outcome.FAIL: "bold red", Outcome.SKIPPED: "dim"}
MARKS: Final = {
    True: {Outcome.OK: "✔", Outcome.WARN: "▲", Outcome.FAIL: "✘", Outcome.SKIPPED: "·"},
    False: {Outcome.OK: "ok", Outcome.WARN: "!!", Outcome.FAIL: "XX", Outcome.SKIPPED: "--"},
}
_BAD: Final = (Outcome.FAIL, Outcome.WARN)
_GRAVITY: Final = {Outcome.OK: 0, Outcome.SKIPPED: 1, Outcome.WARN: 2, Outcome.FAIL: 3}
_GAP: Final = 1
_LEAST: Final = 10  # characters; in fewer, nothing can be told
# The ladder itself tells a few endpoints; a table pays from here on.
_MANY: Final = 5


def print_grid(report: SmokeReport, console: Console) -> None:
    """Print the table of a report that has many endpoints; nothing for the others.

    Its columns are the rungs that fail or warn somewhere, and the last one. Behind them stands what the first of these
    says, or what the last rung saw.
    """
    seen = {check.name: _worst(check.parts) for check in report.checks}
    names = list(dict.fromkeys(column for parts in seen.values() for column in parts))
    if len(names) < _MANY:
        return
    last = [rung for rung, parts in seen.items() if parts][-1]
    rungs = [
        rung for rung, parts in seen.items() if rung == last or any(part.outcome in _BAD for part in parts.values())
    ]
    marks = MARKS[speaks_unicode(console)]
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    widths = [max(map(len, names)), *map(len, rungs)]
    for title, width in zip(["", *rungs], widths, strict=True):
        table.add_column(title, no_wrap=True, width=width)
    left = console.width - sum(widths) - _GAP * len(widths)
    if left >= _LEAST:
        table.add_column("", overflow="ellipsis", no_wrap=True, width=left)
    for name in names:
        cells = [text(name), *(_mark(seen[rung].get(name), marks) for rung in rungs)]
        told = [_told([parts[name] for parts in seen.values() if name in parts])] if left >= _LEAST else []
        table.add_row(*cells, *told)
    console.print()
    console.print(table)


def _worst(parts: Iterable[Part]) -> dict[str, Part]:
    """Give the part of each endpoint; of two hosts of one endpoint, the worse."""
    found: dict[str, Part] = {}
    for part in parts:
        if part.column and (part.column not in found or _GRAVITY[part.outcome] > _GRAVITY[found[part.column].outcome]):
            found[part.column] = part
    return found


def _mark(part: Part | None, marks: dict[Outcome, str]) -> Text:
    return Text("") if part is None else Text(marks[part.outcome], style=STYLES[part.outcome])


def _told(parts: list[Part]) -> Text:
    bad = next((part for part in parts if part.outcome in _BAD), parts[-1])
    return text(in_short(bad), STYLES[bad.outcome] if bad.outcome is not Outcome.OK else "")
