"""Run the command inside the test process, as a person or a script would."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ror_sante.cli import main
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator
from ror_sante.tls import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    code: int
    out: str
    err: str


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return self.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]  # it is the BytesIO above


@pytest.fixture
def terminal() -> type[Terminal]:
    """A stream that says it is a terminal, and keeps what is written to it."""
    return Terminal


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command in this process; its streams are pipes."""

    def _run(*words: object) -> Ran:
        code = main([str(word) for word in words])
        caught = capsys.readouterr()
        assert "Traceback" not in caught.err
        return Ran(code, caught.out, caught.err)

    return _run


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run the command in this process on an 80-column terminal, or on one of another width."""

    def _run(*words: object, width: int = 80) -> Ran:
        out, err = Terminal(), Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setenv("COLUMNS", str(width))
            patch.setenv("TERM", "xterm-256color")
            code = main([str(word) for word in words])
        return Ran(code, out.text, err.text)

    return _run


@pytest.fixture
def spawn() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command as a process of its own."""

    def _spawn(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ror_sante", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, **variables},
        )

    return _spawn


@pytest.fixture(scope="session")
def pki() -> SimulatorPki:
    """A throw-away certification authority."""
    return SimulatorPki.create()


@dataclass(frozen=True)
class Files:
    """A settings file with its P12, as a user has them."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "ror-sante.toml"

    def write(self, text: str) -> Path:
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(0o600)
        return self.config


@pytest.fixture
def files(tmp_path: Path, pki: SimulatorPki) -> Files:
    """A P12, its passphrase and its root in a folder."""
    (tmp_path / "client.p12").write_bytes(pki.p12(pki.client(), "xyzzy"))
    (tmp_path / "client.pass").write_text("xyzzy\n", encoding="utf-8")
    (tmp_path / "client.pass").chmod(0o600)
    (tmp_path / "root.pem").write_bytes(pki.root_pem())
    return Files(tmp_path)


@pytest.fixture(autouse=True)
def _loopback_answers_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal comes at once on this machine: listen for it shorter than over the Internet."""
    monkeypatch.setattr(probe, "_LISTEN", 0.05)


@pytest.fixture(scope="session")
def running(pki: SimulatorPki) -> Iterator[Simulator]:
    with Simulator(pki, size=260) as simulator:
        yield simulator


@pytest.fixture
def bench(simulator: Simulator, tmp_path: Path) -> Path:
    """A settings file that points at the shared simulator."""
    return simulator.write_config(tmp_path / "bench")
