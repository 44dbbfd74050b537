"""Downloads that are killed with SIGKILL, or cut by the server, at any point: the next run ends whole."""

from __future__ import annotations

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

from ror_sante.simulator.server import Simulator, Variants
from ror_sante.sync.annuaire.archive import check
from ror_sante.sync.annuaire.download import versions

pytestmark = pytest.mark.long

Make = Callable[..., Any]

NAME = "Extraction_ProSanteConnect"
# Runs the command and kills its own process at the n-th thing that it does to a file, a socket or a piece.
CHILD = """
import os, signal, sys
point, folder, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
seen = 0

def count():
    global seen
    seen += 1
    if seen == point:
        os.kill(os.getpid(), signal.SIGKILL)

def hook(event, args):
    if event == "socket.connect" or (
        (event == "open" or event.startswith(("os.", "shutil.")))
        and any(isinstance(arg, (str, os.PathLike)) and folder in os.fspath(arg) for arg in args)
    ):
        count()

from ror_sante.cli import main
from ror_sante.sync.annuaire import archive, partial
write, opened = partial.Partial.write, archive.opened

def counted(self, data):
    step = len(data) // 8 + 1
    for start in range(0, len(data), step):
        write(self, data[start : start + step])
        self._file.flush()
        count()

def counted_open(*args):
    count()
    return opened(*args)

partial.Partial.write, archive.opened = counted, counted_open
sys.addaudithook(hook)
code = main(argv)
print(seen)
sys.exit(code)
"""
QUICK = 3
FULL = 50
SEED = 20261125
DAY = 24 * 3600.0


class Runs:
    """Runs of the command in processes of their own."""

    def __init__(self, simulator: Simulator, tmp_path: Path) -> None:
        self.config = simulator.write_config(tmp_path / "config")
        self.folder = tmp_path / "out"
        self.child = tmp_path / "child.py"
        self.child.write_text(CHILD)

    def __call__(self, point: int = 0) -> subprocess.CompletedProcess[str]:
        argv = ["--config", str(self.config), "annuaire", "download", NAME, "--out", str(self.folder)]
        return subprocess.run(
            [sys.executable, self.child, str(point), str(self.folder), *argv],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""},
        )


def interrupt(count: int, pki: Any, tmp_path: Path, soak: Make) -> None:
    """Kill, and cut, at so many points; each time there is a new version to fetch."""
    ends: Counter[str] = Counter()
    lots = random.Random(SEED)
    with Simulator(pki, size=1, variants=Variants(extraction_rows=4000)) as simulator:
        run = Runs(simulator, tmp_path)
        first = run()
        assert first.returncode == 0, first.stderr
        points = int(first.stdout.splitlines()[-1])
        assert points > 20
        for _ in range(count):
            simulator.clock.advance(DAY)
            before = dict(versions(run.folder, NAME))
            if lots.random() < 0.5:
                simulator.fault("cut-body", lots.randint(1, 3), at="extraction")
            killed = run(lots.randint(1, points))
            assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
            here = versions(run.folder, NAME)
            assert here
            for path in here.values():
                check(path, name=path.name)
            ends["whole_already" if set(here) - set(before) else "taken_up"] += 1
            again = run()
            assert again.returncode == 0, again.stderr
            version, data = simulator._extraction.file(NAME)
            assert {path.name for path in run.folder.iterdir()} == {"lock", f"{NAME}_{version}.zip"}
            assert (run.folder / f"{NAME}_{version}.zip").read_bytes() == data
            simulator._faults.clear()
            simulator._extraction.reset()
    soak(
        "extraction download killed and cut at a random point", tried=count, good=sum(ends.values()), seed=SEED, **ends
    )


def test_a_download_that_is_interrupted_ends_whole(sync_pki: Any, tmp_path: Path, soak: Make) -> None:
    """A twentieth of the points that the soak test tries."""
    interrupt(QUICK, sync_pki, tmp_path, soak)


@pytest.mark.soak
def test_a_download_that_is_interrupted_at_many_points_ends_whole(sync_pki: Any, tmp_path: Path, soak: Make) -> None:
    """All of them."""
    interrupt(FULL, sync_pki, tmp_path, soak)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_download_in_good_order(sync_pki: Any, tmp_path: Path, number: int, code: int) -> None:
    """While the file drips: an exit code of its own, a sentence, and the next run goes on from there."""
    with Simulator(sync_pki, size=1, variants=Variants(extraction_rows=50)) as simulator:
        run = Runs(simulator, tmp_path)
        simulator.fault("drip", None, at="extraction", seconds=0.005)
        argv = ["--config", run.config, "annuaire", "download", NAME, "--out", run.folder]
        with subprocess.Popen(
            [sys.executable, "-m", "ror_sante", *map(str, argv)], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            assert '"fetching"' in process.stderr.readline()
            coming = run.folder / f".{NAME}.coming"
            while len(simulator.requests) < 2:
                assert process.poll() is None
            process.send_signal(number)
            assert process.wait(10) == code
            assert "the same command goes on" in process.stderr.read()
        had = coming.stat().st_size
        simulator._faults.clear()
        assert run().returncode == 0
        assert simulator.requests[-1].headers.get("range", "bytes=0-") == f"bytes={had}-"
