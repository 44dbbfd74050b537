"""Runs of ``annuaire sync`` that are killed with SIGKILL at any point: the copy is whole, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ror_sante.simulator.annuaire import encoded
from ror_sante.simulator.server import Simulator

Make = Callable[..., Any]

TYPE = "Practitioner"
# Forks itself for each run, so that a run costs no start of Python; the fork kills its own process at the n-th thing
# that it does to a file or a socket, or in the middle of a piece that it writes.
CHILD = """
import json, os, signal, sys
from ror_sante.api.annuaire import client
from ror_sante.cli import annuaire_sync, main
from ror_sante.sync.annuaire import spool

def run(point, folder, log, argv):
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.stdout = open(os.devnull, "w")
    seen = 0

    def count():
        nonlocal seen
        seen += 1
        if seen == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, args):
        if event == "socket.connect" or (
            (event == "open" or event.startswith(("os.", "shutil.")))
            and any(isinstance(arg, (str, os.PathLike)) and folder in os.fspath(arg) for arg in args)
        ):
            count()

    write_all = spool.write_all

    def counted(file, data):
        write_all(file, data[: len(data) // 2])
        count()
        write_all(file, data[len(data) // 2 :])
        count()

    spool.write_all, spool.PAGES = counted, 1
    sys.addaudithook(hook)
    code = main(argv)
    with open(log + ".seen", "w") as file:
        file.write(str(seen))
    return code

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        os._exit(run(**order))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
QUICK = 3
FULL = 60
SEED = 20261125
DAY = 86_400.0


class Runs:
    """Runs of the command, each in a process of its own."""

    def __init__(self, simulator: Simulator, tmp_path: Path) -> None:
        self.config = simulator.write_config(tmp_path / "config")
        self.folder = tmp_path / "out"
        self.log = tmp_path / "log"
        (tmp_path / "child.py").write_text(CHILD)
        self._parent = subprocess.Popen(
            [sys.executable, tmp_path / "child.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""},
        )

    def __call__(self, point: int = 0, *words: str) -> int:
        argv = ["--config", str(self.config), "annuaire", "sync", TYPE, *words, "--out", str(self.folder)]
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        order = {"point": point, "folder": str(self.folder), "log": str(self.log), "argv": argv}
        print(json.dumps(order), file=self._parent.stdin, flush=True)
        return int(self._parent.stdout.readline())

    @property
    def points(self) -> int:
        """How many points the last run had."""
        return int(Path(f"{self.log}.seen").read_text())

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        with self._parent as parent:
            assert parent.stdin is not None
            parent.stdin.close()

    def copy(self) -> dict[str, bytes]:
        """Give the records of the copy by id, once it is sure that its files are what its manifest says."""
        here = self.folder / TYPE / "current"
        about = json.loads((here / "manifest.json").read_bytes())
        lines: list[bytes] = []
        for one in (about["active"], about["deactivated"]):
            raw = (here / one["file"]).read_bytes()
            assert sha256(raw).hexdigest() == one["sha256"]
            lines += raw.splitlines()
        found = {json.loads(line)["id"]: line for line in lines}
        assert len(found) == len(lines)
        return found

    def delivered(self) -> set[bytes]:
        """Give every record that any folder of changes brought."""
        changes = (self.folder / TYPE / "changes").glob("*/*.ndjson")
        return {line for path in changes for line in path.read_bytes().splitlines()}


def truth(simulator: Simulator) -> dict[str, bytes]:
    records = simulator.annuaire
    return {one.partition("/")[2]: encoded(records.payload(one) or {}) for one in records.references(TYPE)}


def kill(count: int, pki: Any, tmp_path: Path, soak: Make) -> None:
    """Kill at so many points, every third time in a full scan; each time there is something new to fetch."""
    ends: Counter[str] = Counter()
    lots = random.Random(SEED)
    with Simulator(pki, size=450) as simulator, Runs(simulator, tmp_path) as run:
        assert run() == 0, run.log.read_text()
        simulator.clock.advance(DAY)
        simulator.change_annuaire({TYPE: 3})
        points = [run.points for words in ((), ("--full",)) if not run(0, *words)]
        assert min(points) > 50, run.log.read_text()
        known = truth(simulator)
        for number in range(count):
            words = () if number % 3 else ("--full",)
            simulator.clock.advance(DAY)
            simulator.change_annuaire({TYPE: 3}, {TYPE: 1})
            now = truth(simulator)
            code = run(lots.randint(1, points[len(words)]), *words)
            assert code in (-signal.SIGKILL, 0), run.log.read_text()
            assert run.copy() in (known, now)
            ends["whole already" if run.copy() == now else "taken up"] += 1
            assert run(0, *words) == 0, run.log.read_text()
            assert run.copy() == now
            changed = {line for key, line in now.items() if known[key] != line}
            assert words or changed <= run.delivered()
            assert {path.name for path in (run.folder / TYPE).iterdir()} <= {"current", "snapshots", "changes"}
            known = now
    soak("annuaire sync killed at a random point", tried=count, good=sum(ends.values()), seed=SEED, **ends)


def test_a_copy_that_is_killed_is_whole(sync_pki: Any, tmp_path: Path, soak: Make) -> None:
    """A twentieth of the points that the soak test tries."""
    kill(QUICK, sync_pki, tmp_path, soak)


@pytest.mark.soak
def test_a_copy_that_is_killed_at_many_points_is_whole(sync_pki: Any, tmp_path: Path, soak: Make) -> None:
    """All of them."""
    kill(FULL, sync_pki, tmp_path, soak)
