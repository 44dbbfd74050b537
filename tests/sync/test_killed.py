"""Runs that are killed with SIGKILL at any point: the good copy stays readable, and the next run ends well."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ror_sante.cli import main
from tests.support.killing import Ended, Runs

pytestmark = pytest.mark.long

Make = Callable[..., Any]

# Some of the files are taken over for good while others are on their way, and each piece is written in two.
PATCH = """
from ror_sante.cli import delta, export
from ror_sante.sync import files, store

def patch(count):
    store.CHECKPOINT = 60_000  # bytes
    write = files.Download.write

    def counted(self, data):
        count()
        write(self, data[: len(data) // 2])
        count()
        write(self, data[len(data) // 2 :])
        count()

    files.Download.write = counted
"""
SEED = 20261124
QUICK = 10
FULL = 200


def exported(run: Runs, *words: str, point: int = 0) -> Ended:
    # Another seed puts other regions into the data.
    return run("rorn", "export", "--shrink-limit", "100", *words, point=point)


def kill_at(count: int, simulate: Make, tmp_path: Path, content_of: Make, good: Make, soak: Make) -> None:
    """Kill at so many points; the data change from one to the next, so that no copy looks like the one before."""
    ends: Counter[str] = Counter()
    simulator = simulate(size=40, export_polls=1)
    lots = random.Random(SEED)
    with Runs(simulator, tmp_path, PATCH) as run:
        first = exported(run, "--all")
        assert first.code == 0, first.err
        points = run.points
        assert points > 100
        for number in range(count):
            simulator.renew(seed=2 + number % 2)
            expected = _undisturbed(run, simulator, number % 2, content_of)
            before = content_of((run.folder / "current").resolve())
            killed = exported(run, "--all", point=lots.randint(1, points))
            assert killed.code in (-signal.SIGKILL, 0), killed.err
            assert good(run.folder)
            assert content_of((run.folder / "current").resolve()) in (before, expected)
            resumed = exported(run, "--resume")
            if resumed.code == 2:  # killed before there was a run, or after its end
                assert "nothing to resume" in resumed.err
                resumed = exported(run, "--all")
                ends["after_or_before_all"] += 1
            else:
                ends["resumed"] += 1
            assert resumed.code == 0, resumed.err
            assert good(run.folder)
            assert content_of((run.folder / "current").resolve()) == expected
            assert _no_file_came_twice(simulator)
            simulator._requests.clear()
    soak("export killed with SIGKILL at a random point", tried=count, good=sum(ends.values()), seed=SEED, **ends)


_EXPECTED: dict[int, Any] = {}


def _undisturbed(run: Runs, simulator: Any, which: int, content_of: Make) -> Any:
    key = hash((id(simulator), which))
    if key not in _EXPECTED:
        folder, run.folder = run.folder, run.folder.with_name(f"undisturbed-{which}")
        assert exported(run, "--all").code == 0
        _EXPECTED[key] = content_of((run.folder / "current").resolve())
        run.folder = folder
        simulator._requests.clear()
    return _EXPECTED[key]


def _no_file_came_twice(simulator: Any) -> bool:
    """Tell whether each file of each job was fetched once, but for those that were on their way at the end."""
    files = [seen.path for seen in simulator.requests if "$export-get-file" in seen.path and seen.status == 200]
    return len(files) - len(set(files)) <= 4


def test_a_run_that_is_killed_at_any_point_can_be_taken_up(
    simulate: Make, tmp_path: Path, content_of: Make, good: Make, soak: Make
) -> None:
    """A twentieth of the points that the soak test tries."""
    kill_at(QUICK, simulate, tmp_path, content_of, good, soak)


@pytest.mark.soak
def test_a_run_that_is_killed_at_any_of_many_points_can_be_taken_up(
    simulate: Make, tmp_path: Path, content_of: Make, good: Make, soak: Make
) -> None:
    """All of them."""
    kill_at(FULL, simulate, tmp_path, content_of, good, soak)


# ------------------------------------------------------------------ deltas


def brought(folder: Path) -> list[dict[str, bytes]]:
    """Give what each delta in a folder holds."""
    runs = sorted(path for path in (folder / "deltas").glob("[0-9]*") if path.is_dir())
    assert all((run / "delta.json").is_file() for run in runs)
    return [{path.name: path.read_bytes() for path in run.glob("*.ndjson")} for run in runs]


def kill_deltas_at(count: int, simulate: Make, tmp_path: Path, soak: Make) -> None:
    """Kill a delta at so many points, each in a folder of its own, and run it again until it has ended."""
    simulator = simulate(size=40)
    simulator.clock.advance(86_400)
    since = simulator.clock.now().isoformat()
    simulator.clock.advance(3600)
    simulator.evolve({"HealthcareService": 5})
    simulator.clock.advance(3600)  # beyond the overlap of the run that comes after one that had ended
    lots = random.Random(SEED)
    ends: Counter[str] = Counter()
    with Runs(simulator, tmp_path, PATCH) as run:

        def delta(point: int = 0) -> Ended:
            state = run.folder / "state.json"
            start = [] if state.exists() else ["--since", since]
            return run("rorn", "delta", "--state", state, *start, point=point)

        first = delta()
        assert first.code == 0, first.err
        (expected,) = brought(run.folder)
        points = run.points
        for number in range(count):
            run.folder = tmp_path / f"out-{number}"
            killed = delta(lots.randint(1, points))
            assert killed.code in (-signal.SIGKILL, 0), killed.err
            remembered = (run.folder / "state.json").exists()
            found = brought(run.folder)
            assert found in ([expected], *([] if remembered else [[]]))  # whole, or not there and not remembered
            again = delta()
            assert again.code == 0, again.err
            assert brought(run.folder) == [expected] * (1 if remembered or not found else 2)
            ends["had_ended" if remembered else "came_again" if found else "came_then"] += 1
    soak("delta killed with SIGKILL at a random point", tried=count, good=sum(ends.values()), seed=SEED, **ends)


def test_a_delta_that_is_killed_at_any_point_loses_nothing(simulate: Make, tmp_path: Path, soak: Make) -> None:
    """What it brought is whole or not there, and its time is remembered only when it is there."""
    kill_deltas_at(5, simulate, tmp_path, soak)


@pytest.mark.soak
def test_a_delta_that_is_killed_at_any_of_many_points_loses_nothing(simulate: Make, tmp_path: Path, soak: Make) -> None:
    """A hundred of them."""
    kill_deltas_at(100, simulate, tmp_path, soak)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_good_order(simulate: Make, tmp_path: Path, number: int, code: int, good: Make) -> None:
    """While the service makes it wait, and while a file drips: an exit code of its own, and it can be taken up."""
    simulator = simulate(size=40, export_polls=1, export_wait=30)
    config, folder = simulator.write_config(tmp_path / "config"), tmp_path / "out"
    for fault in ("wait", "drip"):
        if fault == "drip":
            simulator.fault("drip", times=None, at="file", seconds=0.01)
        words = ["--resume"] if fault == "drip" else ["--all"]
        argv = ["--config", config, "rorn", "export", "--out", folder, *words]
        with subprocess.Popen(
            [sys.executable, "-m", "ror_sante", *map(str, argv)], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if json.loads(line)["step"] == ("waiting" if fault == "wait" else "ready"):
                    break
            process.send_signal(number)
            assert process.wait(60) == code
            assert "--resume" in process.stderr.read()
    simulator._faults.clear()
    assert main(["--config", str(config), "rorn", "export", "--out", str(folder), "--resume"]) == 0
    assert good(folder)
