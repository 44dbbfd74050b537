"""Measure whole copies by ``$export`` and a paged search, each beside what one would use instead."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from copier import COPIES, LIBRARIES_OF, PARALLEL, RESULTS, SEARCHES
from copydata import BYTES, FHIR, PAGED, write_export, write_pages
from report import Goal, Ratio, goals, table
from rounds import in_rounds, told_by
from server import every_core

if TYPE_CHECKING:
    from server import Server

TITLE = "Copies and long searches"
_OURS, _CURL, _REFERENCE = COPIES
_SEARCH, _AIOHTTP, _PLAIN, _AGAIN = SEARCHES
_ROOM = 4  # times the size of the data: the data, the files that came, the lines, and some air

Measured = dict[str, list[dict[str, float]]]  # by the name of the way, one a round


@dataclass(frozen=True)
class Plan:
    """How much is measured: rounds by number of resources, and rounds of the search."""

    exports: dict[int, int]
    searches: int


FULL = Plan(exports={10_000: 5, 100_000: 2, 1_000_000: 1}, searches=5)
LARGEST = max(FULL.exports)  # what the goals speak of
QUICK = Plan(exports={1_000: 1}, searches=1)


def measure(server: Server, *, quick: bool) -> str:
    """Measure all, and give the tables."""
    plan = QUICK if quick else FULL
    parts = [_how(plan)]
    with every_core():  # a copy reads, writes and checks at once; curl has the same cores
        for size, rounds in plan.exports.items():
            parts += [f"## An export of {size:,} resources".replace(",", " "), _export(server, size, rounds)]
    write_pages(server.folder / "www", server.url)
    once = partial(one_way, url=f"{server.url}{FHIR}/{PAGED}", server=server)
    found = in_rounds(SEARCHES, once, plan.searches, label="search")
    parts += [
        f"## A search of {RESULTS:,} resources in pages".replace(",", " "),
        goals(_search_goals(found)),
        _search_table(found),
    ]
    return "\n\n".join(parts)


def _how(plan: Plan) -> str:
    rounds = ", ".join(f"{rounds} at {size:,}".replace(",", " ") for size, rounds in plan.exports.items())
    return (
        f"Resources of about {BYTES // 1000} kB; {PARALLEL} files at a time. Rounds: {rounds}; "
        f"{plan.searches} of the search. One round says nothing of its own noise."
    )


# ------------------------------------------------------------------ measuring


def _export(server: Server, size: int, rounds: int) -> str:
    needed, free = _ROOM * size * BYTES, shutil.disk_usage(server.folder).free
    if free < needed:
        return f"Not measured: it needs {needed >> 30} GiB of free disk."
    folder = server.folder / "www" / FHIR.strip("/") / str(size)
    try:
        write_export(server.folder / "www", size, server.url)
        once = partial(one_way, url=f"{server.url}{FHIR}/{size}", server=server)
        found = in_rounds(COPIES, once, rounds, label=f"{size} resources")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if any(one.get("lines", size) != size for measured in found.values() for one in measured):
        raise SystemExit(f"a copy of {size} resources holds another number")
    asked = [goals(_export_goals(found))] if size == LARGEST else []
    return "\n\n".join([*asked, _export_table(found, size)])


def one_way(name: str, url: str, server: Server) -> dict[str, float]:
    """Go one way in a process, and in the environment, of its own."""
    with tempfile.TemporaryDirectory(prefix="ror-sante-copy-") as out:
        arguments = (name, url, server.folder, out)
        measured: dict[str, float] = told_by("copier.py", *arguments, libraries=LIBRARIES_OF.get(name, ()))
    return measured


# ------------------------------------------------------------------ telling


def _export_goals(found: Measured) -> list[Goal]:
    return [
        Goal("time, to curl", _ratio(found, _OURS, "wall", _CURL), most=1.2),
        Goal("CPU, to loads and dumps", _ratio(found, _OURS, "cpu", _REFERENCE), most=0.125),
        Goal("MiB over the start", Ratio.spread(one["memory"] for one in found[_OURS]), most=32),
    ]


def _search_goals(found: Measured) -> list[Goal]:
    return [
        Goal("CPU, to requests and json", _ratio(found, _SEARCH, "cpu", _PLAIN), most=0.25),
        Goal("CPU, to aiohttp and orjson", _ratio(found, _SEARCH, "cpu", _AIOHTTP), most=1.0),
    ]


def _export_table(found: Measured, size: int) -> str:
    ours = found[_OURS]
    rows = []
    for name in COPIES:
        wall, cpu = (_ratio(found, name, key, to) for key, to in (("wall", _CURL), ("cpu", _REFERENCE)))
        numbers = [_middle(found[name], key) for key in ("wall", "cpu", "memory")]
        memory = "" if name == _CURL else f"{numbers[2]:.1f}"
        per_second = f"{size / numbers[1]:.0f}" if name != _CURL else ""
        rows.append([name, str(wall), str(cpu), memory, f"{numbers[0]:.2f}", per_second])
    for key, what in (
        ("fetching", "its files fetched and taken over"),
        ("writing", "its copy finished, once all were"),
    ):
        ratio = Ratio.of((one[key] for one in ours), (one["wall"] for one in found[_CURL]))
        rows.append([f"- {what}", str(ratio), "", "", f"{_middle(ours, key):.2f}", ""])
    synced = Ratio.of((one["synced"] for one in found[_CURL]), (one["wall"] for one in found[_CURL]))
    rows.append(["- curl, its files synced too", str(synced), "", "", f"{_middle(found[_CURL], 'synced'):.2f}", ""])
    head = ["way", "time, to curl", "CPU, to loads and dumps", "memory, + MiB", "s", "resources a CPU s"]
    return table(head, rows)


def _search_table(found: Measured) -> str:
    rows = []
    for name in SEARCHES:
        cpu, wall = (str(_ratio(found, name, key, _PLAIN)) for key in ("cpu", "wall"))
        each = _middle(found[name], "cpu") / RESULTS * 1e6
        rows.append([name, cpu, wall, f"{each:.1f}", f"{_middle(found[name], 'memory'):.1f}"])
    return table(["way", "CPU, ratio", "time, ratio", "CPU µs a resource", "memory, + MiB"], rows)


def _ratio(found: Measured, name: str, key: str, to: str) -> Ratio:
    return Ratio.of((one[key] for one in found[name]), (one[key] for one in found[to]))


def _middle(measured: list[dict[str, float]], key: str) -> float:
    return median(one[key] for one in measured)
