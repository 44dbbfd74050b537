"""A search over eighteen regions: how much later than the slowest it ends, how early the first rows come."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from report import Goal, Ratio, goals, table

from ror_sante import InterRorClient, load_settings
from ror_sante.api.fhir.resource import Resource
from ror_sante.api.inter_ror.merge import Merger, looked
from ror_sante.api.nos import REGIONS
from ror_sante.simulator.data import Directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from server import Server

TITLE = "Eighteen regions"
SEARCH = "HealthcareService"
SIZE = 200  # resources of a region, one page
FIRST, LAST = min(REGIONS), max(REGIONS)


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    quickest: float  # seconds that the first region takes before it answers
    slowest: float  # and the last; the others lie evenly between
    limit: float  # of a region


FULL = Plan(rounds=5, quickest=0.05, slowest=2.0, limit=3.0)
QUICK = Plan(rounds=1, quickest=0.05, slowest=0.5, limit=1.0)


@dataclass(frozen=True)
class Times:
    """One search, in seconds."""

    first: float
    whole: float


def measure(_server: Server, *, quick: bool) -> str:
    """Give the tables; the regions answer from a simulator of their own."""
    plan = QUICK if quick else FULL
    with _simulator(plan) as settings:
        return _page(plan, *_measured(plan, settings))


# ------------------------------------------------------------------ the servers


@contextlib.contextmanager
def _simulator(plan: Plan) -> Iterator[Path]:
    """Run the simulator in a process of its own, each region with its delay; give the folder of its settings."""
    step = (plan.slowest - plan.quickest) / (len(REGIONS) - 1)
    delays = {code: plan.quickest + number * step for number, code in enumerate(sorted(REGIONS))}
    words = [word for code, delay in delays.items() for word in ("--region", f"{code},delay={delay:.3f},size={SIZE}")]
    with tempfile.TemporaryDirectory(prefix="ror-sante-bench-") as name:
        ready = Path(name) / "ready"
        command = [sys.executable, "-m", "ror_sante", "simulator", "--out", name, "--ready-file", str(ready), *words]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit("the simulator did not start")
                time.sleep(0.05)
            settings = Path(json.loads(ready.read_text(encoding="utf-8"))["config"])
            text = settings.read_text(encoding="utf-8")
            settings.write_text(f"{text}\n[network]\ncalls_per_second = 1000\n", encoding="utf-8")
            yield settings
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@contextlib.contextmanager
def _dropping() -> Iterator[int]:
    """Give a port whose backlog is full: the kernel drops the packets of whoever connects."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


# ------------------------------------------------------------------ measuring


def _measured(plan: Plan, settings: Path) -> tuple[list[Times], list[Times], list[Times], list[Times], list[float]]:
    with InterRorClient.from_settings(load_settings(settings)) as client:
        _search(client, "all", plan)  # connections, tokens, and what the simulator makes when it is first asked
        rounds = [
            (_search(client, FIRST, plan), _search(client, LAST, plan), _search(client, "all", plan))
            for _ in range(plan.rounds)
        ]
    quick, slow, every = ([times[column] for times in rounds] for column in range(3))
    with _dropping() as port:
        dead = _dead(settings, port)
        with InterRorClient.from_settings(load_settings(dead)) as client:
            _search(client, "all", plan)
            with_dead = [_search(client, "all", plan) for _ in range(min(plan.rounds, 2))]
    return quick, slow, every, with_dead, [_merging() for _ in range(plan.rounds * 3)]


def _search(client: InterRorClient, regions: str, plan: Plan) -> Times:
    start = time.perf_counter()
    with client.search(SEARCH, regions=regions, region_timeout=plan.limit, deadline=60) as search:
        next(iter(search))
        first = time.perf_counter() - start
        result = search.result()
    whole = time.perf_counter() - start
    bad = [region for region in result.account if region.outcome not in ("answered", "late")]
    if bad:
        raise SystemExit(f"a region did not answer: {bad}")
    return Times(first, whole)


def _dead(settings: Path, port: int) -> Path:
    """Let the middle region lead to the port that drops packets."""
    code = sorted(REGIONS)[len(REGIONS) // 2]
    text = settings.read_text(encoding="utf-8")
    head, mark, tail = text.partition(f'[inter_ror.regions.{code}]\nbase_url = "https://localhost:')
    _, _, rest = tail.partition("/")
    changed = settings.with_name("dead.toml")
    changed.write_text(f"{head}{mark}{port}/{rest}", encoding="utf-8")
    changed.chmod(0o600)
    return changed


def _merging() -> float:
    """Give the CPU seconds of merging a page of every region, from resources that are not decoded to rows in order."""
    pages = {}
    for code in REGIONS:
        directory = Directory(SIZE, region=code, shared=20)
        records = directory.records(SEARCH)
        pages[code] = [Resource(directory.body(record), mode="match") for record in records]
    start = time.process_time()
    merger = Merger()
    for code, page in pages.items():
        merger.add(code, looked(page))
    rows = merger.rows()
    took = time.process_time() - start
    assert len(rows) == len(REGIONS) * (SIZE - 20) + 20
    return took


# ------------------------------------------------------------------ telling


def _page(
    plan: Plan,
    quick: list[Times],
    slow: list[Times],
    every: list[Times],
    with_dead: list[Times],
    merging: list[float],
) -> str:
    first = [one.first / alone.first for one, alone in zip(every, quick, strict=True)]
    whole = [one.whole / alone.whole for one, alone in zip(every, slow, strict=True)]
    alive = median(one.first for one in every)
    asked = [
        Goal("whole result, to the slowest region alone", Ratio.spread(whole), most=1.1),
        Goal("first row, to the quickest region alone", Ratio.spread(first), most=1.2),
        Goal(
            f"whole result with one dead region, to its limit of {plan.limit:g} s",
            Ratio.spread(one.whole / plan.limit for one in with_dead),
            most=1.1,
        ),
        Goal(
            "first row with one dead region, to the first row without",
            Ratio.spread(one.first / alive for one in with_dead),
            most=1.2,
        ),
        Goal("CPU of merging 18 x 200 resources, ms", Ratio.spread(1000 * one for one in merging), most=100),
    ]
    seconds = [
        ["quickest region alone, first row", f"{median(one.first for one in quick):.3f}"],
        ["slowest region alone, whole", f"{median(one.whole for one in slow):.3f}"],
        ["all regions, first row", f"{median(one.first for one in every):.3f}"],
        ["all regions, whole", f"{median(one.whole for one in every):.3f}"],
        ["with one dead region, whole", f"{median(one.whole for one in with_dead):.3f}"],
    ]
    about = (
        f"Delays from {plan.quickest:g} to {plan.slowest:g} s, {SIZE} resources a region, rounds: {plan.rounds}. "
        "Median, with the least and the greatest."
    )
    return "\n\n".join([about, goals(asked), table(["seconds", "median"], seconds)])
