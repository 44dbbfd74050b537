"""Measure this package beside what one would use instead, in one run, and print the ratios.

python benchmarks/run.py            # about ten minutes; writes benchmarks/RESULTS.md
python benchmarks/run.py --quick    # half a minute, to see that it works; its numbers mean little; writes nothing
python benchmarks/run.py --copies   # the second half alone: whole copies and long searches; keeps the other tables
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import ssl
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import copies
import startup
from bodies import SIZES, file_name
from clients import BASELINE, CLIENTS, CONTROL, Measured
from report import Ratio, table
from server import MissingServerError, Server, nginx

HERE = Path(__file__).parent
WORKERS = (1, 8)
LIBRARIES = ("ror-sante", "requests", "urllib3", "cryptography", "tenacity", "msgspec")

# Any of these changes what the others trust or where they call; REQUESTS_CA_BUNDLE even wins over session.verify.
_DISTURBING = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "OPENSSL_CONF"}
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    starts: int
    cases: tuple[tuple[str, int], ...]  # body and workers


FULL = Plan(rounds=5, seconds=0.5, starts=11, cases=tuple((size, workers) for size in SIZES for workers in WORKERS))
QUICK = Plan(rounds=1, seconds=0.1, starts=2, cases=(FULL.cases[0], FULL.cases[-1]))

# By (body, workers), then by client: one measurement a round.
Results = dict[tuple[str, int], dict[str, list[Measured]]]


def main() -> int:
    options = _options()
    plan = QUICK if options.quick else FULL
    for name in os.environ.copy():
        if name.upper() in _DISTURBING | _PROXIES:
            del os.environ[name]
    try:
        with nginx() as server:
            clients_before, copies_before = _kept(options.output)
            first = clients_before if options.copies else _clients(server, plan)
            size = copies.QUICK if options.quick else copies.FULL
            text = f"{first}\n\n{copies_before if options.clients else copies.measure(server, size)}"
    except MissingServerError as error:
        print(error, file=sys.stderr)
        return 2
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    return 0


def _clients(server: Server, plan: Plan) -> str:
    load = [_load()]
    results = _measure(server, plan)
    starts = startup.measure(plan.starts)
    load.append(_load())
    return _page(plan, server, results, starts, load)


def _kept(output: Path | None) -> tuple[str, str]:
    """Give the two parts of an earlier run, of which one may be kept: clients, then copies."""
    before = output.read_text(encoding="utf-8") if output and output.exists() else ""
    clients, title, rest = before.partition(f"\n{copies.TITLE}\n")
    return clients.strip(), (title + rest).strip()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="one short round, nothing saved unless --output says where"
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--clients", action="store_true", help="measure single requests and starts alone")
    part.add_argument("--copies", action="store_true", help="measure whole copies and long searches alone")
    parser.add_argument("--output", type=Path, help="where the tables go (default: RESULTS.md beside this file)")
    options = parser.parse_args()
    if not options.quick and options.output is None:
        options.output = HERE / "RESULTS.md"
    return options


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


# ------------------------------------------------------------------ measuring


def _measure(server: Server, plan: Plan) -> Results:
    """Run every client once a round, in an order that changes, so that no neighbour is always the same."""
    chance = random.Random(plan.rounds)
    results: Results = {case: defaultdict(list) for case in plan.cases}
    for turn in range(plan.rounds):
        for (size, workers), found in results.items():
            order = list(CLIENTS)
            chance.shuffle(order)
            for name in order:
                found[name].append(_client(name, server, size, workers, plan.seconds))
        print(f"round {turn + 1} of {plan.rounds}", file=sys.stderr)
    return results


def _client(name: str, server: Server, size: str, workers: int, seconds: float) -> Measured:
    arguments = [name, f"{server.url}/{file_name(size)}", str(workers), str(seconds), str(server.folder)]
    command = [sys.executable, str(HERE / "clients.py"), *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        raise SystemExit(f"{name} failed:\n{told.stderr}")
    return Measured(**json.loads(told.stdout))


# ------------------------------------------------------------------ telling


def _page(plan: Plan, server: Server, results: Results, starts: list[dict[str, startup.Start]], load: list[str]) -> str:
    parts = ["# Results", _circumstances(plan, server, load), _noise(results, starts)]
    for (size, workers), found in results.items():
        title = f"## {size}, {workers} worker{'s' if workers > 1 else ''}"
        parts += [title, _clients_table(found)]
    parts += ["## From nothing to ready", _starts_table(starts)]
    return "\n\n".join(parts)


def _circumstances(plan: Plan, server: Server, load: list[str]) -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return (
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d}; how to read it stands in README.md.\n\n"
        f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}; {libraries}; {server.version}, curl {curl}. "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {' to '.join(load)}. "
        f"Rounds: {plan.rounds}, each measurement {plan.seconds} s; starts: {plan.starts}."
    )


def _noise(results: Results, starts: list[dict[str, startup.Start]]) -> str:
    """Tell how far apart two measurements of one and the same thing lie."""
    speed = [
        Ratio.of((one.per_second for one in found[CONTROL]), (one.per_second for one in found[BASELINE]))
        for found in results.values()
    ]
    start = _start_ratio(starts, startup.CONTROL, startup.BASELINE)
    return (
        f"Noise: plain requests measured twice in each round differs from itself by "
        f"{min(one.least for one in speed):.2f} to {max(one.most for one in speed):.2f} in requests per second "
        f"(medians {min(one.middle for one in speed):.2f} to {max(one.middle for one in speed):.2f}); "
        f"`import requests` twice, {start} in time. A difference that is not larger says nothing."
    )


def _clients_table(found: dict[str, list[Measured]]) -> str:
    rows = []
    for name, measured in found.items():
        ratios = [
            Ratio.of((getattr(one, field) for one in measured), (getattr(one, field) for one in found[BASELINE]))
            for field in ("per_second", "cpu", "p50", "p99")
        ]
        speed = f"{median(one.per_second for one in measured):.0f}"
        cpu = f"{median(one.cpu for one in measured):.3f}"
        rows.append([name, *map(str, ratios), speed, cpu])
    rows.sort(key=lambda row: list(CLIENTS).index(row[0]))
    head = ["client", "requests/s, ratio", "CPU a request, ratio", "p50, ratio", "p99, ratio", "requests/s", "CPU ms"]
    return table(head, rows)


def _starts_table(starts: list[dict[str, startup.Start]]) -> str:
    rows = []
    for name in startup.commands():
        ratios = [str(_start_ratio(starts, name, base)) for base in (startup.BASELINE, startup.PARTS)]
        times = [median(getattr(one[name], field) for one in starts) for field in ("wall", "cpu")]
        rows.append([name, *ratios, *(f"{time:.0f}" for time in times)])
    return table(["start", "to requests", "to the four together", "ms", "CPU ms"], rows)


def _start_ratio(starts: list[dict[str, startup.Start]], name: str, base: str) -> Ratio:
    return Ratio.of((one[name].wall for one in starts), (one[base].wall for one in starts))


if __name__ == "__main__":
    sys.exit(main())
