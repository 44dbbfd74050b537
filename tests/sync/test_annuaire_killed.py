"""Runs of ``annuaire sync`` that are killed with SIGKILL at any point: the copy is whole, and nothing is lost."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ror_sante.simulator.annuaire import encoded
from ror_sante.simulator.server import Simulator
from tests.support.killing import Runs

pytestmark = pytest.mark.long

Make = Callable[..., Any]

TYPE = "Practitioner"
PATCH = """
from ror_sante.api.annuaire import client
from ror_sante.cli import annuaire_sync
from ror_sante.sync.annuaire import spool

def patch(count):
    write_all = spool.write_all

    def counted(file, data):
        write_all(file, data[: len(data) // 2])
        count()
        write_all(file, data[len(data) // 2 :])
        count()

    spool.write_all, spool.PAGES = counted, 1
"""
QUICK = 3
FULL = 60
SEED = 20261125
DAY = 86_400.0


WORDS = ("annuaire", "sync", TYPE)


def copy_in(folder: Path) -> dict[str, bytes]:
    """Give the records of the copy by id, once it is sure that its files are what its manifest says."""
    here = folder / TYPE / "current"
    about = json.loads((here / "manifest.json").read_bytes())
    lines: list[bytes] = []
    for one in (about["active"], about["deactivated"]):
        raw = (here / one["file"]).read_bytes()
        assert sha256(raw).hexdigest() == one["sha256"]
        lines += raw.splitlines()
    found = {json.loads(line)["id"]: line for line in lines}
    assert len(found) == len(lines)
    return found


def delivered(folder: Path) -> set[bytes]:
    """Give every record that any folder of changes brought."""
    changes = (folder / TYPE / "changes").glob("*/*.ndjson")
    return {line for path in changes for line in path.read_bytes().splitlines()}


def truth(simulator: Simulator) -> dict[str, bytes]:
    records = simulator.annuaire
    return {one.partition("/")[2]: encoded(records.payload(one) or {}) for one in records.references(TYPE)}


def kill(count: int, pki: Any, tmp_path: Path, soak: Make) -> None:
    """Kill at so many points, every third time in a full scan; each time there is something new to fetch."""
    ends: Counter[str] = Counter()
    lots = random.Random(SEED)
    with Simulator(pki, size=450) as simulator, Runs(simulator, tmp_path, PATCH) as run:
        first = run(*WORDS)
        assert first.code == 0, first.err
        simulator.clock.advance(DAY)
        simulator.change_annuaire({TYPE: 3})
        points = [run.points for words in ((), ("--full",)) if not run(*WORDS, *words).code]
        assert min(points) > 50
        known = truth(simulator)
        for number in range(count):
            words = () if number % 3 else ("--full",)
            simulator.clock.advance(DAY)
            simulator.change_annuaire({TYPE: 3}, {TYPE: 1})
            now = truth(simulator)
            killed = run(*WORDS, *words, point=lots.randint(1, points[len(words)]))
            assert killed.code in (-signal.SIGKILL, 0), killed.err
            assert copy_in(run.folder) in (known, now)
            ends["whole already" if copy_in(run.folder) == now else "taken up"] += 1
            again = run(*WORDS, *words)
            assert again.code == 0, again.err
            assert copy_in(run.folder) == now
            changed = {line for key, line in now.items() if known[key] != line}
            assert words or changed <= delivered(run.folder)
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
