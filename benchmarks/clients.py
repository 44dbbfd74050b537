"""Single requests over kept-alive connections: our two ways beside every client that one would use instead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from bodies import SIZES, file_name
from client import BASELINE, CLIENTS, CONTROL, LIBRARIES_OF, Measured
from report import Goal, Ratio, goals, table
from rounds import in_rounds, told_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from server import Server

TITLE: Final = "Single requests"
WORKERS: Final = (1, 8, 32)
_RAW: Final = "raw TLS socket"
_EXCHANGE: Final = "ror-sante exchange"
_SESSION: Final = "ror-sante session"
_SMALL, _LARGE = SIZES
_SPEED: Final = {(_SMALL, 1): 2.0, (_SMALL, 8): 2.5, (_SMALL, 32): 2.6, (_LARGE, 1): 2.6, (_LARGE, 8): 3.2}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    cases: tuple[tuple[str, int], ...]  # body and workers


FULL = Plan(rounds=5, seconds=0.5, cases=tuple((size, workers) for size in SIZES for workers in WORKERS))
QUICK = Plan(rounds=1, seconds=0.1, cases=(FULL.cases[0], FULL.cases[-1]))

# By (body, workers), then by client: one measurement a round.
Results = dict[tuple[str, int], dict[str, list[Measured]]]


def measure(server: Server, *, quick: bool) -> str:
    """Measure every client in every case, and give the tables."""
    plan = QUICK if quick else FULL
    results = _rounds(server, plan)
    parts = [f"Rounds: {plan.rounds}, each measurement {plan.seconds} s. {_noise(results)}", goals(_goals(results))]
    for (size, workers), found in results.items():
        parts += [f"## {size}, {workers} worker{'s' if workers > 1 else ''}", _table(found)]
    return "\n\n".join(parts)


def _rounds(server: Server, plan: Plan) -> Results:
    """Measure every client in every case."""
    results: Results = {}
    for size, workers in plan.cases:
        url = f"{server.url}/{file_name(size)}"
        once = partial(measured, url=url, server=server, workers=workers, seconds=plan.seconds)
        results[size, workers] = in_rounds(CLIENTS, once, plan.rounds, label=f"{size}, {workers} workers")
    return results


def measured(name: str, url: str, server: Server, workers: int, seconds: float) -> Measured:
    """Run one client in a process, and in the environment, of its own."""
    arguments = (name, url, workers, seconds, server.folder)
    return Measured(**told_by("client.py", *arguments, libraries=LIBRARIES_OF.get(name, ())))


def _goals(results: Results) -> Iterator[Goal]:
    for case, found in results.items():
        told = f"{case[0]}, {case[1]} worker{'s' if case[1] > 1 else ''}"
        if case in _SPEED:
            speed = _ratio(found, _EXCHANGE, "per_second", BASELINE)
            yield Goal(f"exchange, {told}: requests/s to requests", speed, least=_SPEED[case])
        if case[0] == _SMALL:
            yield Goal(f"exchange, {told}: CPU to requests", _ratio(found, _EXCHANGE, "cpu", BASELINE), most=0.5)
        elif case[1] == 1:
            yield Goal(f"exchange, {told}: to raw TLS", _ratio(found, _EXCHANGE, "per_second", _RAW), least=0.9)
        if case == (_SMALL, 8):
            yield Goal(f"exchange, {told}: p99 to requests", _ratio(found, _EXCHANGE, "p99", BASELINE), most=0.4)
        session = _ratio(found, _SESSION, "per_second", BASELINE)
        yield Goal(f"session, {told}: requests/s to requests", session, least=1.0)


def _noise(results: Results) -> str:
    """Tell how far apart two measurements of one and the same thing lie."""
    speed = [
        Ratio.of((one.per_second for one in found[CONTROL]), (one.per_second for one in found[BASELINE]))
        for found in results.values()
    ]
    return (
        f"Noise: plain requests measured twice in each round differs from itself by "
        f"{min(one.least for one in speed):.2f} to {max(one.most for one in speed):.2f} in requests per second "
        f"(medians {min(one.middle for one in speed):.2f} to {max(one.middle for one in speed):.2f}). "
        "A difference that is not larger says nothing."
    )


def _table(found: dict[str, list[Measured]]) -> str:
    rows = []
    for name in CLIENTS:
        ratios = [str(_ratio(found, name, field, BASELINE)) for field in ("per_second", "cpu", "p50", "p99")]
        floor = f"{_ratio(found, name, 'per_second', _RAW).middle:.2f}"
        speed = f"{median(one.per_second for one in found[name]):.0f}"
        cpu = f"{median(one.cpu for one in found[name]):.3f}"
        rows.append([name, *ratios, floor, speed, cpu])
    head = ["client", "requests/s, ratio", "CPU a request, ratio", "p50, ratio", "p99, ratio", "to raw", "requests/s"]
    return table([*head, "CPU ms"], rows)


def _ratio(found: dict[str, list[Measured]], name: str, field: str, to: str) -> Ratio:
    return Ratio.of((getattr(one, field) for one in found[name]), (getattr(one, field) for one in found[to]))
