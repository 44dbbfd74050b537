"""Turn measurements into tables of ratios with their spread, in Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of all rounds, with the least and the greatest."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float], to: Iterable[float]) -> Ratio:
        """Divide each value by the one that was measured in the same round."""
        ratios = [value / base for value, base in zip(values, to, strict=True)]
        return cls(median(ratios), min(ratios), max(ratios))

    def __str__(self) -> str:
        if self.least == self.most == 1:
            return "1"  # the baseline to itself
        return f"{self.middle:.2f} ({self.least:.2f}-{self.most:.2f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table that also lines up as plain text; the first column is words, the others numbers."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    marks = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in (lines[0], marks, *lines[1:]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "| " + " | ".join([cells[0].ljust(widths[0]), *numbers]) + " |"
