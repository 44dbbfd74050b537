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

    @classmethod
    def spread(cls, values: Iterable[float]) -> Ratio:
        """Take values that are no ratios, such as MiB."""
        every = list(values)
        return cls.of(every, [1.0] * len(every))

    def __str__(self) -> str:
        if self.least == self.most == 1:
            return "1"  # the baseline to itself
        return f"{self.middle:.2f} ({self.least:.2f}-{self.most:.2f})"


@dataclass(frozen=True)
class Goal:
    """What is asked of a measurement, and what was found; its median decides."""

    what: str
    found: Ratio
    most: float | None = None
    least: float | None = None

    def row(self) -> list[str]:
        """Give the line of a table."""
        low, high = self.least or 0.0, self.most if self.most is not None else float("inf")
        asked = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        return [self.what, asked, str(self.found), "yes" if low <= self.found.middle <= high else "**no**"]


def goals(every: Iterable[Goal]) -> str:
    """Write what was asked, what was found, and whether that meets it."""
    return table(["goal", "asked", "found", "met"], [goal.row() for goal in every])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table that also lines up as plain text; the first column is words, the others numbers."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    marks = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in (lines[0], marks, *lines[1:]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "| " + " | ".join([cells[0].ljust(widths[0]), *numbers]) + " |"
