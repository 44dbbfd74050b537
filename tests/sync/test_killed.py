"""Runs that are killed with SIGKILL at any point: the good copy stays readable, and the next run ends well."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

Make = Callable[..., Any]

# Runs the command and kills its own process at the n-th thing that it does to a file or a socket.
CHILD = """
import os, signal, sys, threading
point, folder, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
seen, lock = 0, threading.Lock()

def count():
    global seen
    with lock:
        seen += 1
        if seen == point:
            os.kill(os.getpid(), signal.SIGKILL)

def hook(event, args):
    if event == "socket.connect" or (
        (event == "open" or event.startswith(("os.", "tempfile.")) or event == "shutil.rmtree")
        and any(isinstance(arg, (str, os.PathLike)) and folder in os.fspath(arg) for arg in args)
    ):
        count()

from ror_sante.cli import main
from ror_sante.sync import files, store
store.CHECKPOINT = 60_000  # bytes: some of the files are taken over for good while others are on their way
write = files.Download.write

def counted(self, data):
    count()
    write(self, data[: len(data) // 2])
    count()
    write(self, data[len(data) // 2 :])

files.Download.write = counted
sys.addaudithook(hook)
code = main(argv)
print(seen)
sys.exit(code)
"""
SEED = 20261124
QUICK = 10
FULL = 200


class Runs:
    """Runs of the command in processes of their own."""

    def __init__(self, simulator: Any, tmp_path: Path) -> None:
        self.config = simulator.write_config(tmp_path / "config")
        self.folder = tmp_path / "out"
        self.child = tmp_path / "child.py"
        self.child.write_text(CHILD)

    def __call__(self, *words: str, point: int = 0) -> subprocess.CompletedProcess[str]:
        # Another seed puts other regions into the data.
        return self.verb("export", "--shrink-limit", "100", *words, point=point)

    def verb(self, name: str, *words: str, point: int) -> subprocess.CompletedProcess[str]:
        """Run a verb of ``rorn``."""
        argv = ["--config", str(self.config), "rorn", name, "--out", str(self.folder), *words]
        return subprocess.run(
            [sys.executable, self.child, str(point), str(self.folder), *argv],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""},
        )


def kill_at(count: int, simulate: Make, tmp_path: Path, content_of: Make, good: Make, soak: Make) -> None:
    """Kill at so many points; the data change from one to the next, so that no copy looks like the one before."""
    ends: Counter[str] = Counter()
    simulator = simulate(size=40, export_polls=1)
    run = Runs(simulator, tmp_path)
    first = run("--all")
    assert first.returncode == 0, first.stderr
    points = int(first.stdout.splitlines()[-1])
    assert points > 100
    lots = random.Random(SEED)
    for number in range(count):
        simulator.renew(seed=2 + number % 2)
        expected = _undisturbed(run, simulator, number % 2, content_of)
        before = content_of((run.folder / "current").resolve())
        killed = run("--all", point=lots.randint(1, points))
        assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
        assert good(run.folder)
        assert content_of((run.folder / "current").resolve()) in (before, expected)
        resumed = run("--resume")
        if resumed.returncode == 2:  # killed before there was a run, or after its end
            assert "nothing to resume" in resumed.stderr
            resumed = run("--all")
            ends["after_or_before_all"] += 1
        else:
            ends["resumed"] += 1
        assert resumed.returncode == 0, resumed.stderr
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
        assert run("--all").returncode == 0
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
    run = Runs(simulator, tmp_path)

    def delta(point: int = 0) -> subprocess.CompletedProcess[str]:
        state = run.folder / "state.json"
        start = [] if state.exists() else ["--since", since]
        return run.verb("delta", "--state", str(state), *start, point=point)

    first = delta()
    assert first.returncode == 0, first.stderr
    (expected,) = brought(run.folder)
    points = int(first.stdout.splitlines()[-1])
    lots = random.Random(SEED)
    ends: Counter[str] = Counter()
    for number in range(count):
        run.folder = tmp_path / f"out-{number}"
        killed = delta(lots.randint(1, points))
        assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
        remembered = (run.folder / "state.json").exists()
        found = brought(run.folder)
        assert found in ([expected], *([] if remembered else [[]]))  # whole, or not there and not remembered
        again = delta()
        assert again.returncode == 0, again.stderr
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
    run = Runs(simulator, tmp_path)
    for fault in ("wait", "drip"):
        if fault == "drip":
            simulator.fault("drip", times=None, at="file", seconds=0.01)
        words = ["--resume"] if fault == "drip" else ["--all"]
        argv = ["--config", run.config, "rorn", "export", "--out", run.folder, *words]
        with subprocess.Popen(
            [sys.executable, "-m", "ror_sante", *map(str, argv)], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if json.loads(line)["step"] == ("waiting" if fault == "wait" else "ready"):
                    break
            process.send_signal(number)
            assert process.wait(10) == code
            assert "--resume" in process.stderr.read()
    simulator._faults.clear()
    assert run("--resume").returncode == 0
    assert good(run.folder)
