"""Downloads that are killed with SIGKILL, or cut by the server, at any point: the next run ends whole."""

from __future__ import annotations

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
from ror_sante.simulator.server import Simulator, Variants
from ror_sante.sync.annuaire.archive import check
from ror_sante.sync.annuaire.download import versions
from tests.support.killing import Runs
from tests.support.waiting import until

pytestmark = pytest.mark.long

Make = Callable[..., Any]

NAME = "Extraction_ProSanteConnect"
PATCH = """
from ror_sante.cli import download
from ror_sante.sync.annuaire import archive, partial

def patch(count):
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
"""
QUICK = 3
FULL = 50
SEED = 20261125
DAY = 24 * 3600.0


WORDS = ("annuaire", "download", NAME)


def interrupt(count: int, pki: Any, tmp_path: Path, soak: Make) -> None:
    """Kill, and cut, at so many points; each time there is a new version to fetch."""
    ends: Counter[str] = Counter()
    lots = random.Random(SEED)
    variants = Variants(extraction_rows=4000)
    with Simulator(pki, size=1, variants=variants) as simulator, Runs(simulator, tmp_path, PATCH) as run:
        first = run(*WORDS)
        assert first.code == 0, first.err
        points = run.points
        assert points > 20
        for _ in range(count):
            simulator.clock.advance(DAY)
            before = dict(versions(run.folder, NAME))
            if lots.random() < 0.5:
                simulator.fault("cut-body", lots.randint(1, 3), at="extraction")
            killed = run(*WORDS, point=lots.randint(1, points))
            assert killed.code in (-signal.SIGKILL, 0), killed.err
            here = versions(run.folder, NAME)
            assert here
            for path in here.values():
                check(path, name=path.name)
            ends["whole_already" if set(here) - set(before) else "taken_up"] += 1
            again = run(*WORDS)
            assert again.code == 0, again.err
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
        config, folder = simulator.write_config(tmp_path / "config"), tmp_path / "out"
        simulator.fault("drip", None, at="extraction", seconds=0.005)
        argv = ["--config", str(config), *WORDS, "--out", str(folder)]
        with subprocess.Popen([sys.executable, "-m", "ror_sante", *argv], stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert '"fetching"' in process.stderr.readline()
            coming = folder / f".{NAME}.coming"
            until(lambda: len(simulator.requests) >= 2 or process.poll() is not None)
            process.send_signal(number)
            assert process.wait(60) == code
            assert "the same command goes on" in process.stderr.read()
        had = coming.stat().st_size
        simulator._faults.clear()
        assert main(argv) == 0
        assert simulator.requests[-1].headers.get("range", "bytes=0-") == f"bytes={had}-"
