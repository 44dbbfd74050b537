"""How cost grows with the work: workers, pages, resources; as tables and as plots beside them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from bodies import SIZES, file_name
from clients import measured
from copier import COPIES, UNHURRIED
from copies import one_way
from copydata import BYTES, FHIR, write_export, write_pages
from peers import python_of
from report import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from server import Server

TITLE: Final = "How cost grows"
_HERE: Final = Path(__file__).parent
_PLOTS: Final = _HERE / "plots"
_PER_PAGE: Final = 20
_WORKERS: Final = (1, 2, 4, 8, 16, 32, 64)
_PAGES: Final = (10, 100, 1_000, 10_000)
_RESOURCES: Final = (1_000, 10_000, 100_000, 1_000_000)
_CLIENTS: Final = ("ror-sante exchange", "requests", "urllib3")
_ROOM: Final = 4

# The points of a curve: what there is of the work, and what it cost by name.
Points = dict[int, dict[str, float]]


def measure(server: Server, *, quick: bool) -> str:
    """Measure all curves, draw them, and give the tables."""
    some = slice(0, 2) if quick else slice(None)
    curves = {
        "workers": (_by_workers(server, _WORKERS[some], rounds=1 if quick else 3), "threads that share one session"),
        "pages": (_by_pages(server, _PAGES[some]), f"pages of {_PER_PAGE} resources"),
        "resources": (_by_resources(server, _RESOURCES[some]), "resources of an export"),
    }
    folder = server.folder / "plots" if quick else _PLOTS
    parts = []
    for name, (points, axis) in curves.items():
        _draw(points, axis, folder / f"{name}.svg")
        parts += [f"## {axis[0].upper()}{axis[1:]}", f"![{axis}](plots/{name}.svg)", _table(points, axis)]
    return "\n\n".join(parts)


def _by_workers(server: Server, counts: tuple[int, ...], *, rounds: int) -> Points:
    url = f"{server.url}/{file_name(next(iter(SIZES)))}"
    points: Points = {}
    for workers in counts:
        found = {name: [measured(name, url, server, workers, 0.5) for _ in range(rounds)] for name in _CLIENTS}
        speed = {f"{name}: requests/s": median(one.per_second for one in several) for name, several in found.items()}
        memory = {f"{name}: MiB": median(one.memory for one in several) for name, several in found.items()}
        points[workers] = speed | memory
    return points


def _by_pages(server: Server, counts: tuple[int, ...]) -> Points:
    def search(count: int) -> dict[str, float]:
        service = f"pages-{count}"
        folder = write_pages(server.folder / "www", server.url, service, pages=count, per_page=_PER_PAGE)
        try:
            return one_way(UNHURRIED, f"{server.url}{FHIR}/{service}", server)
        finally:
            shutil.rmtree(folder)

    return _curve(counts, search, _PER_PAGE * BYTES, server)


def _by_resources(server: Server, counts: tuple[int, ...]) -> Points:
    def export(count: int) -> dict[str, float]:
        write_export(server.folder / "www", count, server.url)
        try:
            return one_way(next(iter(COPIES)), f"{server.url}{FHIR}/{count}", server)
        finally:
            shutil.rmtree(server.folder / "www" / FHIR.strip("/") / str(count))

    return _curve(counts, export, BYTES, server)


def _curve(counts: tuple[int, ...], way: Callable[[int], dict[str, float]], size: int, server: Server) -> Points:
    """Measure one way at each count for which there is room on the disk."""
    points: Points = {}
    for count in counts:
        if shutil.disk_usage(server.folder).free < _ROOM * count * size:
            print(f"growth: no room for {count}", file=sys.stderr)
            break
        found = way(count)
        points[count] = {
            "seconds": found["wall"],
            "CPU ms each": found["cpu"] / count * 1000,
            "memory, + MiB": found["memory"],
        }
        print(f"growth: {count}", file=sys.stderr)
    return points


def _draw(points: Points, axis: str, path: Path) -> None:
    """Draw with matplotlib, in an environment of its own."""
    path.parent.mkdir(exist_ok=True)
    drawn = json.dumps({"axis": axis, "points": points, "path": str(path)})
    subprocess.run([python_of(("matplotlib",)), str(_HERE / "plot.py")], input=drawn, text=True, check=True)


def _table(points: Points, axis: str) -> str:
    names = list(next(iter(points.values())))
    rows = [
        [f"{count:,}".replace(",", " "), *(f"{cost[name]:.3g}" for name in names)] for count, cost in points.items()
    ]
    return table([axis, *names], rows)
