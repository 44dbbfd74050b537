"""How long Python programs take from nothing to ready: ours beside the libraries that it stands on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from report import Goal, Ratio, goals, table
from rounds import in_rounds

if TYPE_CHECKING:
    from server import Server

TITLE: Final = "From nothing to ready"

BASELINE = "import requests"
PARTS = "import requests, pkcs12, tenacity, msgspec"
CONTROL = "import requests, once more"
NAMES = ("NationalRorClient", "InterRorClient", "AnnuaireSanteClient", "SessionFactory")
MOST = {"import ror_sante": 1.1, **{f"from ror_sante import {name}": 1.1 for name in NAMES}, "ror-sante --version": 1.5}


@dataclass(frozen=True)
class Start:
    """One start: wall and CPU time in milliseconds."""

    wall: float
    cpu: float


def commands() -> dict[str, list[str]]:
    """Give what is compared, by the name that the table shows."""
    python = sys.executable
    script = Path(python).with_name("ror-sante")
    program = [str(script)] if script.exists() else [python, "-m", "ror_sante"]
    return {
        BASELINE: [python, "-c", "import requests"],
        PARTS: [python, "-c", PARTS.replace("pkcs12", "cryptography.hazmat.primitives.serialization.pkcs12")],
        "import ror_sante": [python, "-c", "import ror_sante"],
        **{ours: [python, "-c", ours] for ours in (f"from ror_sante import {name}" for name in NAMES)},
        "ror-sante --version": [*program, "--version"],
        "ror-sante smoke-test --help": [*program, "smoke-test", "--help"],
        "python, nothing imported": [python, "-c", "pass"],
        CONTROL: [python, "-c", "import requests"],
    }


def measure(_server: Server, *, quick: bool) -> str:
    """Measure all starts, and give the table."""
    rounds = 2 if quick else 11
    compared = commands()
    with TemporaryDirectory() as folder:
        compiled = _with_bytecode(folder)
        in_rounds(compared, lambda name: _start(compared[name], compiled), 1)  # fills the caches
        starts = in_rounds(compared, lambda name: _start(compared[name], compiled), rounds)
    noise = _ratio(starts, CONTROL, BASELINE)
    about = f"Rounds: {rounds}. Noise: `import requests` twice differs by {noise} in time."
    asked = [
        Goal(f"{name}, to the four together", _ratio(starts, name, PARTS), most=most) for name, most in MOST.items()
    ]
    return "\n\n".join([about, goals(asked), _table(starts)])


def _table(starts: dict[str, list[Start]]) -> str:
    rows = []
    for name in commands():
        ratios = [str(_ratio(starts, name, base)) for base in (BASELINE, PARTS)]
        times = [median(getattr(one, field) for one in starts[name]) for field in ("wall", "cpu")]
        rows.append([name, *ratios, *(f"{time:.0f}" for time in times)])
    return table(["start", "to requests", "to the four together", "ms", "CPU ms"], rows)


def _ratio(starts: dict[str, list[Start]], name: str, base: str) -> Ratio:
    return Ratio.of((one.wall for one in starts[name]), (one.wall for one in starts[base]))


def _with_bytecode(folder: str) -> dict[str, str]:
    """Let Python keep what it compiled, as installers do: a package in development may lie there as source alone."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": folder}


def _start(command: list[str], environment: dict[str, str]) -> Start:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Start(wall * 1000, (used.ru_utime + used.ru_stime) * 1000)
