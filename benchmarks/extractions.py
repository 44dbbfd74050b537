"""Measure reading an extraction of the Annuaire Santé from its zip, beside ``csv`` over the same text unzipped."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from reader import CONTROL, PLAIN, READERS
from report import Ratio, table
from rounds import in_rounds, told_by

from ror_sante.simulator.extraction_data import write_extraction

if TYPE_CHECKING:
    from server import Server

TITLE = "Extractions"
_BYTES = 480  # of a row, unzipped
_VERSION = "202611250310"

Measured = dict[str, list[dict[str, float]]]  # by the name of the way, one a round


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rows: int
    rounds: int


FULL = Plan(rows=2_000_000, rounds=5)
QUICK = Plan(rows=20_000, rounds=1)


def measure(server: Server, *, quick: bool) -> str:
    """Measure all, and give the table."""
    plan = QUICK if quick else FULL
    needed, free = 2 * plan.rows * _BYTES, shutil.disk_usage(server.folder).free
    if free < needed:
        return f"Not measured: it needs {needed >> 30} GiB of free disk."
    with tempfile.TemporaryDirectory(prefix="ror-sante-extraction-") as name:
        packed, plain = _data(Path(name), plan.rows)
        once = partial(_one, packed=packed, plain=plain, rows=plan.rows)
        found = in_rounds(READERS, once, plan.rounds, label="extraction")
        size = plain.stat().st_size / packed.stat().st_size
    rows = f"{plan.rows:,}".replace(",", " ")
    how = (
        f"{rows} rows of 56 columns, {size:.1f} times smaller in the zip; rounds: {plan.rounds}. One round says "
        "nothing of its own noise."
    )
    return f"{how}\n\n{_table(found, plan.rows)}"


def _data(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write an extraction, and its first text unzipped."""
    packed, plain = folder / f"PS_LibreAcces_{_VERSION}.zip", folder / "activities.txt"
    with packed.open("wb") as file:
        write_extraction(file, "PS_LibreAcces", _VERSION, rows=rows)
    with zipfile.ZipFile(packed) as archive, archive.open(archive.namelist()[0]) as text, plain.open("wb") as file:
        shutil.copyfileobj(text, file, 1 << 20)
    return packed, plain


def _one(name: str, packed: Path, plain: Path, rows: int) -> dict[str, float]:
    """Read all rows in a process of its own."""
    measured: dict[str, float] = told_by("reader.py", name, packed, plain)
    if measured["rows"] != rows:
        raise SystemExit(f"{name} read {measured['rows']:.0f} rows, and there are {rows}")
    return measured


def _table(found: Measured, rows: int) -> str:
    base, lines = found[PLAIN], []
    for name in (PLAIN, CONTROL, *(name for name in READERS if name not in (PLAIN, CONTROL))):
        ours = found[name]
        ratios = [str(Ratio.of((one[key] for one in ours), (one[key] for one in base))) for key in ("cpu", "wall")]
        each = median(one["cpu"] for one in ours) / rows * 1e6
        lines.append([name, *ratios, f"{each:.2f}", f"{median(one['memory'] for one in ours):.1f}"])
    return table(["way", "CPU, ratio", "time, ratio", "CPU µs a row", "memory, + MiB"], lines)
