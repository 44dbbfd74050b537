"""How long Python programs take from nothing to ready: ours beside the libraries that it stands on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

BASELINE = "import requests"
PARTS = "import requests, pkcs12, tenacity, msgspec"
CONTROL = "import requests, once more"


@dataclass(frozen=True)
class Start:
    """One start: wall and CPU time in milliseconds."""

    wall: float
    cpu: float


def commands() -> dict[str, list[str]]:
    """Give what is compared, by the name that the table shows."""
    python = sys.executable
    program = Path(python).with_name("ror-sante")
    ours = [str(program)] if program.exists() else [python, "-m", "ror_sante"]
    return {
        BASELINE: [python, "-c", "import requests"],
        PARTS: [python, "-c", PARTS.replace("pkcs12", "cryptography.hazmat.primitives.serialization.pkcs12")],
        "import ror_sante": [python, "-c", "import ror_sante"],
        "from ror_sante import NationalRorClient": [python, "-c", "from ror_sante import NationalRorClient"],
        "ror-sante --version": [*ours, "--version"],
        "python, nothing imported": [python, "-c", "pass"],
        CONTROL: [python, "-c", "import requests"],
    }


def measure(rounds: int) -> list[dict[str, Start]]:
    """Start each of them once a round, in a new order each round; one round before fills the caches."""
    chance = random.Random(rounds)
    compared = commands()
    results = []
    for _ in range(rounds + 1):
        order = list(compared)
        chance.shuffle(order)
        results.append({name: _start(compared[name]) for name in order})
    return results[1:]


def _start(command: list[str]) -> Start:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Start(wall * 1000, (used.ru_utime + used.ru_stime) * 1000)
