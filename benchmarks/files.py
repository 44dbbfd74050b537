"""One large file of an export: to disk, and split into its resources."""

from __future__ import annotations

import shutil
import sys
import tempfile
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from copydata import BYTES, FHIR, write_file
from filer import LIBRARIES_OF, SPLITTING, TO_DISK
from report import Goal, Ratio, goals, table
from rounds import in_rounds, told_by

if TYPE_CHECKING:
    from server import Server

TITLE: Final = "One large file"
_SIZES: Final = {True: 5_000_000, False: 500_000_000}  # bytes; quick or not
_OURS, _IJSON, _LOADS = SPLITTING
_POUR, _COPY = TO_DISK

Measured = dict[str, list[dict[str, float]]]  # by the name of the way, one a round


def measure(server: Server, *, quick: bool) -> str:
    """Measure both, and give the tables."""
    size, rounds = _SIZES[quick], 1 if quick else 3
    folder = server.folder / "www" / FHIR.strip("/") / "large"
    folder.mkdir(parents=True)
    try:
        write_file(folder / "file.json", 0, size // BYTES)
        url = f"{server.url}{FHIR}/large/file.json"
        once = partial(_one, url=url, server=server)
        disk, split = (in_rounds(ways, once, rounds) for ways in (TO_DISK, SPLITTING))
    finally:
        shutil.rmtree(folder)
    if len({one["resources"] for measured in split.values() for one in measured}) != 1:
        raise SystemExit("the ways do not agree on how many resources there are")
    parts = [f"{size // 1_000_000} MB, {size // BYTES} resources. Rounds: {rounds}."]
    parts += [goals(_goals(disk, split))]
    parts += ["## To disk", _disk_table(disk), "## Into its resources", _split_table(split)]
    return "\n\n".join(parts)


def _one(name: str, url: str, server: Server) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="ror-sante-file-") as out:
        arguments = (name, url, server.folder, out)
        measured: dict[str, float] = told_by("filer.py", *arguments, libraries=LIBRARIES_OF.get(name, ()))
    print(f"files: {name}", file=sys.stderr)
    return measured


def _goals(disk: Measured, split: Measured) -> list[Goal]:
    return [
        Goal("to disk: time, to copyfileobj", _to(disk, _POUR, "wall", _COPY), most=1.1),
        Goal("to disk: MiB over the start", Ratio.spread(one["memory"] for one in disk[_POUR]), most=16),
        Goal("split: CPU, to ijson", _to(split, _OURS, "cpu", _IJSON), most=0.4),
        Goal("split: CPU, to json.loads", _to(split, _OURS, "cpu", _LOADS), most=0.2),
        Goal("split: MiB over the start", Ratio.spread(one["memory"] for one in split[_OURS]), most=16),
    ]


def _to(found: Measured, name: str, key: str, base: str) -> Ratio:
    return Ratio.of((one[key] for one in found[name]), (one[key] for one in found[base]))


def _disk_table(found: Measured) -> str:
    rows = [[name, *_cells(found, name, ("wall", "cpu"), _COPY)] for name in TO_DISK]
    return table(["way", "time, to copyfileobj", "CPU, ratio", "memory, + MiB", "s", "CPU s"], rows)


def _split_table(found: Measured) -> str:
    rows = []
    for name in SPLITTING:
        cells = _cells(found, name, ("cpu",), _IJSON)
        loads = _to(found, name, "cpu", _LOADS)
        rows.append([name, cells[0], str(loads), *cells[1:]])
    return table(["way", "CPU, to ijson", "CPU, to json.loads", "memory, + MiB", "s", "CPU s"], rows)


def _cells(found: Measured, name: str, keys: tuple[str, ...], to: str) -> list[str]:
    ratios = [str(_to(found, name, key, to)) for key in keys]
    figures = ((key, places) for key, places in (("memory", 1), ("wall", 2), ("cpu", 2)))
    return [*ratios, *(f"{median(one[key] for one in found[name]):.{places}f}" for key, places in figures)]
