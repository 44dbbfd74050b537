"""Runs of the command that kill themselves (SIGKILL) at the n-th thing that they do to a file or a socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.simulator.server import Simulator

# Forks itself for each run, so that a run costs no start of Python. {patch} is the test's own: a function patch(count)
# that lets code call count() in the middle of what it writes. A run that hangs is ended by its alarm.
_PARENT = """
import json, os, signal, sys, threading
from ror_sante.cli import main

{patch}

def run(point, folder, log, argv):
    signal.alarm(120)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    seen, lock = 0, threading.Lock()

    def count():
        nonlocal seen
        with lock:
            seen += 1
            if seen == point:
                os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, args):
        if event == "socket.connect" or (
            (event == "open" or event.startswith(("os.", "shutil.", "tempfile.")))
            and any(isinstance(arg, (str, os.PathLike)) and folder in os.fspath(arg) for arg in args)
        ):
            count()

    patch(count)
    sys.addaudithook(hook)
    code = main(argv)
    sys.stderr.flush()
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


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code (-9 where it was killed) and what it wrote on stderr."""

    code: int
    err: str


class Runs:
    """Runs of the command in processes of their own, all on one folder; a context manager."""

    def __init__(self, simulator: Simulator, tmp_path: Path, patch: str) -> None:
        self.config = simulator.write_config(tmp_path / "config")
        self.folder = tmp_path / "out"
        self._log = tmp_path / "log"
        parent = tmp_path / "parent.py"
        parent.write_text(_PARENT.format(patch=patch))
        self._parent = subprocess.Popen(
            [sys.executable, parent],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""},
        )

    def __call__(self, *words: object, point: int = 0) -> Ended:
        """Run the command to its end; `point` is where it kills itself, and 0 is nowhere."""
        argv = ["--config", str(self.config), *map(str, words), "--out", str(self.folder)]
        order = {"point": point, "folder": str(self.folder), "log": str(self._log), "argv": argv}
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        print(json.dumps(order), file=self._parent.stdin, flush=True)
        code = int(self._parent.stdout.readline())
        return Ended(code, self._log.read_text(encoding="utf-8"))

    @property
    def points(self) -> int:
        """How many points the last run had that was not killed."""
        return int(self._log.with_name(f"{self._log.name}.seen").read_text())

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        with self._parent as parent:
            assert parent.stdin is not None
            parent.stdin.close()
