"""The script for cron of the page "keep a copy", run as cron runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator, Variants
from ror_sante.sync.lock import locked

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.name == "nt", reason="copies are not kept on Windows itself"),
]

PAGE = Path(__file__).parents[2] / "docs" / "keep-a-copy.md"
Night = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def simulator(ror_pki: SimulatorPki) -> Iterator[Simulator]:
    with Simulator(ror_pki, size=30, variants=Variants(export_polls=1, export_wait=0)) as running:
        yield running


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder of the copy."""
    folder = tmp_path / "copy"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def night(simulator: Simulator, tmp_path: Path, out: Path) -> Night:
    """The script as printed, but for its three paths and its pause, in the bare environment of cron."""
    command = tmp_path / "ror-sante"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ror_sante "$@"\n')
    command.chmod(0o700)
    (text,) = re.findall(r"```shell\n(#!/bin/sh\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for before, after in {
        "/etc/ror-sante/ror-sante.toml": simulator.write_config(tmp_path / "config"),
        "/opt/ror-sante/bin/ror-sante": command,
        "/var/lib/ror": out,
        "sleep 600": "sleep 0",
    }.items():
        assert text.count(before) == 1
        text = text.replace(before, str(after))
    script = tmp_path / "ror-night"
    script.write_text(text)
    script.chmod(0o700)

    def _night(*words: str) -> subprocess.CompletedProcess[str]:
        bare = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
        line = ["/bin/sh", "-c", " ".join([str(script), *words])]
        return subprocess.run(line, env=bare, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    return _night


def test_a_good_week_says_nothing(night: Night, simulator: Simulator, out: Path) -> None:
    """A full export, then a delta that brings three services: no mail, and all is in place."""
    done = night("full")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    simulator.clock.advance(86_400)
    simulator.evolve({"HealthcareService": 3})
    done = night("delta")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (brought,) = (out / "deltas").iterdir()
    assert len((brought / "HealthcareService.ndjson").read_bytes().splitlines()) == 3
    assert (out / "delta.log").read_text().splitlines()[-1] == str(brought)
    with locked(out):
        assert (night("delta").returncode, night("full").stdout) == (0, "")


def test_an_old_copy_is_mailed(night: Night, simulator: Simulator) -> None:
    """Eight days after the full export a delta is good, and its warning is printed."""
    assert night("full").returncode == 0
    simulator.clock.advance(8 * 86_400)
    done = night("delta")
    assert done.returncode == 0
    assert re.fullmatch(r"warning: .*seven days old.*\n", done.stdout)


def test_what_broke_off_goes_on_and_what_is_wrong_is_mailed(
    night: Night, simulator: Simulator, out: Path, tmp_path: Path
) -> None:
    """A file from another host ends the first try with 5, the next makes the copy; lost settings are mailed."""
    simulator.fault("export-foreign-file")
    done = night("full")
    assert (done.returncode, done.stdout) == (0, "")
    assert "error: " in (out / "full.log").read_text()
    assert (out / "current" / "manifest.json").is_file()
    (tmp_path / "config" / "ror-sante.toml").unlink()
    done = night("delta")
    assert done.returncode == 2
    assert "error: " in done.stdout
    assert night("weekly").returncode == 2
