"""`simulator`: a stand-in in the foreground, until a signal."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.api.annuaire.client import AnnuaireSanteClient
from ror_sante.cli import main
from ror_sante.cli import simulator as simulator_verb
from ror_sante.simulator.server import Simulator
from ror_sante.sync.annuaire.download import download
from ror_sante.sync.annuaire.reading import Extraction
from tests.support.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def foreground(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the verb as a process, and give it once its ready file is there."""
    processes = []

    def start(*words: object) -> subprocess.Popen[str]:
        ready = tmp_path / "ready.json"
        command = [sys.executable, "-m", "ror_sante", "simulator", "--size", "5", "--ready-file", str(ready)]
        process = subprocess.Popen(
            [*command, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        until(lambda: ready.exists() or process.poll() is not None)
        assert ready.exists(), process.communicate()
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_a_signal_and_ends_well(
    foreground: Callable[..., subprocess.Popen[str]], run: Callable[..., Any], tmp_path: Path, number: signal.Signals
) -> None:
    """It prints how to reach it, its settings file works, a signal stops it with 0 and takes its traces away."""
    process = foreground()
    ready = json.loads((tmp_path / "ready.json").read_text())
    assert stat.S_IMODE((tmp_path / "ready.json").stat().st_mode) == 0o600
    assert run("--config", ready["config"], "smoke-test", "--format", "json").code == 0
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert f"The simulator answers at {ready['url']}\n" in out
    assert f"ror-sante --config {ready['config']} smoke-test\n" in out
    assert err == "The simulator has stopped.\n"
    assert not (tmp_path / "ready.json").exists()
    assert not os.path.exists(ready["config"])  # noqa: PTH110  the text of a file is at hand


def test_out_port_and_faults(foreground: Callable[..., Any], run: Callable[..., Any], tmp_path: Path) -> None:
    """--port is taken, --out stays, --fault strikes for ever or so many times."""
    port = free_port(3)
    out = tmp_path / "bench"
    foreground("--port", port, "--out", out, "--fault", "token-html:1", "--fault", "403")
    config = out / "ror-sante.toml"
    assert f"https://localhost:{port}" in config.read_text()
    assert "Stopped at token" in run("--config", config, "smoke-test").out
    for _ in range(2):
        assert "Stopped at metadata" in run("--config", config, "smoke-test").out


def test_faults_are_in_force_before_it_says_that_it_is_ready(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NAME strikes for ever, NAME:TIMES so often; here it is told to stop at once, and needs no ready file."""
    orders: list[tuple[str, int | None]] = []
    done = threading.Event()
    done.set()
    monkeypatch.setattr(simulator_verb, "_stopped_by_signals", lambda: contextlib.nullcontext(done))
    monkeypatch.setattr(Simulator, "fault", lambda self, name, times: orders.append((name, times)))
    assert run("simulator", "--size", "5", "--fault", "403", "--fault", "slow:2").code == 0
    assert orders == [("403", None), ("slow", 2)]


def test_the_extractions_have_the_length_that_was_asked_for(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As many rows of activities come out of the file that it serves."""
    rows: list[int] = []

    def count(running: Simulator, _settings: Path) -> None:
        with AnnuaireSanteClient(running.environment) as annuaire:
            path = download(annuaire.extractions, "PS_LibreAcces", tmp_path / "out").path
        with Extraction(path) as extraction:
            rows.append(sum(1 for _ in extraction.rows()))

    done = threading.Event()
    done.set()
    monkeypatch.setattr(simulator_verb, "_stopped_by_signals", lambda: contextlib.nullcontext(done))
    monkeypatch.setattr(simulator_verb, "_tell", count)
    assert run("simulator", "--size", "5", "--extraction-rows", "321").code == 0
    assert rows == [321]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--fault", "nonsense"], "the simulator has no fault 'nonsense'"),
        (["--fault", "403:0"], "'403:0' is not NAME or NAME:TIMES"),
        (["--fault", "403:x"], "'403:x' is not NAME or NAME:TIMES"),
        (["--pki", "/none"], "/none"),
        (["--out", "/dev/null/x"], "cannot be written"),
    ],
)
def test_what_cannot_work_is_two(run: Callable[..., Any], words: list[str], told: str) -> None:
    """Unknown faults, a PKI that is none, a folder that cannot be: one sentence each."""
    done = run("simulator", "--size", "5", *words)
    assert done.code == 2
    assert told in done.err


def test_a_port_that_is_taken_is_two(run: Callable[..., Any]) -> None:
    """It says which one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("simulator", "--size", "5", "--port", port)
    assert done.code == 2
    assert str(port) in done.err


def test_it_runs_on_the_pki_of_certs_test_in_a_thread(
    pki: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--pki loads a saved tree. Outside the main thread no signal is caught: whoever embeds it stops it."""
    pki.save(tmp_path / "OUT")
    events: list[threading.Event] = []
    stopped_by_signals = simulator_verb._stopped_by_signals

    @contextlib.contextmanager
    def remembered() -> Iterator[threading.Event]:
        with stopped_by_signals() as event:
            events.append(event)
            yield event

    codes: list[int] = []
    words = ["simulator", "--size", "5", "--pki", str(tmp_path / "OUT"), "--ready-file", str(tmp_path / "ready")]
    monkeypatch.setattr(simulator_verb, "_stopped_by_signals", remembered)
    thread = threading.Thread(target=lambda: codes.append(main(words)), daemon=True)
    thread.start()
    until(lambda: (tmp_path / "ready").exists() or not thread.is_alive())
    events[0].set()
    thread.join(10)
    assert codes == [0]
