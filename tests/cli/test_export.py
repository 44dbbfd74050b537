"""The verb ``rorn export``: what it prints, its progress, its exit codes."""

from __future__ import annotations

import errno
import io
import json
import re
import shlex
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from ror_sante.cli.export import _Bar
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator, Variants
from ror_sante.sync.lock import locked
from ror_sante.sync.store import Store


@pytest.fixture
def simulator(pki: SimulatorPki) -> Iterator[Simulator]:
    variants = Variants(export_slice=10, export_polls=1, export_wait=0)
    with Simulator(pki, size=30, variants=variants) as running:
        yield running


@pytest.fixture
def export(simulator: Simulator, run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Run the verb against the simulator, into the folder ``out``."""
    config = simulator.write_config(tmp_path / "config")
    return lambda *words: run("--config", config, "rorn", "export", "--out", tmp_path / "out", *words)


def steps(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_copy_is_made_and_its_place_printed(export: Any, tmp_path: Path) -> None:
    """The place is on stdout, one JSON line a step on stderr, each with its time."""
    ran = export("--all")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'out' / 'current'}\n")
    told = steps(ran.err)
    assert len(told) == len(ran.err.splitlines())
    assert [one["step"] for one in told][:4] == ["begun", "job", "waiting", "ready"]
    assert told[-1]["step"] == "published"
    assert told[-1]["HealthcareService"] == 30
    assert all("time" in one for one in told)
    assert (tmp_path / "out" / "current" / "manifest.json").is_file()


def test_a_terminal_gets_a_bar(on_a_terminal: Any, simulator: Simulator, tmp_path: Path) -> None:
    """Files, bytes and what is going on, and no JSON."""
    config = simulator.write_config(tmp_path / "config")
    ran = on_a_terminal("--config", config, "rorn", "export", "--all", "--out", tmp_path / "out", width=120)
    assert ran.code == 0
    assert "done" in ran.err
    assert "3/3 files" in ran.err
    assert '{"time"' not in ran.err


def test_the_regions_are_taken_from_the_command_line(export: Any, simulator: Simulator) -> None:
    """Two regions are two jobs."""
    ran = export("--region", "11", "--region", "84", "--accept-shrink")
    assert ran.code == 0
    assert [one["region"] for one in steps(ran.err) if one["step"] == "job"] == ["11", "84"]


def test_what_the_settings_say_about_exports_is_sent(export: Any, simulator: Simulator, tmp_path: Path) -> None:
    """``type`` and ``output_format`` of [rorn.export] stand in the kick-off."""
    config = tmp_path / "config" / "ror-sante.toml"
    extra = '\n[rorn.export]\ntype = ["HealthcareService"]\noutput_format = "application/fhir+json"\n'
    config_text = simulator.write_config(tmp_path / "config").read_text(encoding="utf-8")
    from ror_sante.cli import main

    config.write_text(config_text + extra, encoding="utf-8")
    assert main(["--config", str(config), "rorn", "export", "--all", "--out", str(tmp_path / "out")]) == 0
    (kick,) = [seen for seen in simulator.requests if seen.path.endswith("/$export")]
    assert kick.params == [("_outputFormat", "application/fhir+json"), ("_type", "HealthcareService")]


@pytest.mark.parametrize(
    "words", [(), ("--all", "--region", "11"), ("--all", "--resume"), ("--region", "11", "--resume")]
)
def test_one_thing_at_a_time(export: Any, words: tuple[str, ...]) -> None:
    """All, regions or a resumption: exactly one of them."""
    ran = export(*words)
    assert ran.code == 2
    assert "one of --all, --region and --resume" in ran.err


def test_a_region_has_a_code_and_a_name(export: Any, tmp_path: Path) -> None:
    """Both serve; one that is neither is refused with what is close, before anything is sent or made."""
    assert export("--region", "ile de france", "--region", "84").code == 0
    assert json.loads((tmp_path / "out/current/manifest.json").read_bytes())["regions"] == ["11", "84"]
    for wrong, hint in (("Brtagne", "Bretagne (53)"), ("1", '"01" is Guadeloupe'), ("99", "52 Pays de la Loire")):
        ran = export("--region", wrong, "--out", tmp_path / "other")
        assert (ran.code, hint in ran.err) == (2, True)
    assert export("--region", "11", "--region", "Île-de-France", "--out", tmp_path / "other").code == 2
    assert not (tmp_path / "other").exists()


def test_nothing_to_resume_is_usage(export: Any, tmp_path: Path) -> None:
    """Exit 2, no advice to resume, and no folder is made."""
    ran = export("--resume")
    assert ran.code == 2
    assert not (tmp_path / "out").exists()
    assert "nothing to resume" in ran.err
    assert "goes on from here" not in ran.err


def test_a_copy_that_shrank_is_a_verdict(export: Any, simulator: Simulator) -> None:
    """Exit 1, every difference on a line; --resume --accept-shrink takes it."""
    assert export("--all").code == 0
    simulator.renew(size=15)
    ran = export("--all")
    assert ran.code == 1
    assert "the last good one stays" in ran.err
    assert ", HealthcareService: " in ran.err
    assert export("--resume", "--accept-shrink").code == 0


def test_a_looser_limit_takes_it_too(export: Any, simulator: Simulator) -> None:
    """A percentage of a hundred compares nothing."""
    assert export("--all").code == 0
    simulator.renew(size=15)
    assert export("--all", "--shrink-limit", "100").code == 0


def test_a_locked_folder_is_exit_7(export: Any, tmp_path: Path) -> None:
    """While another run holds the lock."""
    with locked(tmp_path / "out"):
        ran = export("--all")
    assert ran.code == 7
    assert "another run" in ran.err
    assert "goes on from here" not in ran.err


def test_a_refusal_says_how_to_go_on(export: Any, run: Any, simulator: Simulator) -> None:
    """Exit 5 for an answer that is a refusal; the command that is told, taken as it stands, ends the run."""
    simulator.fault("403", at="file")
    ran = export("--all", "--max-parallel", "1")
    assert ran.code == 5
    (told,) = re.findall("Stopped; ror-sante (.*) goes on from here", ran.err)
    assert run(*shlex.split(told)).code == 0


def test_a_full_disk_is_told_with_its_folder(export: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, and how to go on; a write itself names no file."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Store, "take", full)
    ran = export("--all")
    assert ran.code == 2
    assert f"error: {tmp_path / 'out'}: No space left on device" in ran.err
    assert "goes on from here" in ran.err


def test_a_job_that_takes_too_long_is_exit_5(export: Any, simulator: Simulator) -> None:
    """With the time limit of the command line."""
    simulator.fault("export-pending", times=None)
    ran = export("--all", "--wait", "0.5")
    assert ran.code == 5
    assert "was not ready after" in ran.err


def test_outside_the_main_thread_it_works_too(simulator: Simulator, tmp_path: Path) -> None:
    """There, signals are somebody else's."""
    from ror_sante.cli import main

    config = simulator.write_config(tmp_path / "config")
    codes: list[int] = []
    words = ["--config", str(config), "rorn", "export", "--all", "--out", str(tmp_path / "out")]
    thread = threading.Thread(target=lambda: codes.append(main(words)))
    thread.start()
    thread.join()
    assert codes == [0]


def test_a_folder_that_cannot_be_used_is_exit_2(export: Any, tmp_path: Path) -> None:
    """A file in the way."""
    (tmp_path / "out").write_bytes(b"")
    assert export("--all").code == 2


def test_the_bar_guesses_the_size_of_all() -> None:
    """Half of the files have come: twice their bytes are expected; a progress of the service is shown, made safe."""
    now = [0.0]
    shown = Progress(console=Console(file=io.StringIO()), get_time=lambda: now[0])
    bar = _Bar(shown)
    (task,) = shown.tasks
    bar.step("ready", region="11", files=4, whole=0)
    for _ in range(2):
        now[0] += 1
        bar.received(100)
        bar.step("file", name="x", bytes=100)
    assert (task.total, task.completed, task.fields["files"]) == (400, 200, "2/4 files")
    assert (task.speed, task.time_remaining) == (100, 2)  # the rate survives a new guess
    bar.step("ready", region="84", files=5, whole=3)
    assert task.total == 400  # nothing is known of this job yet
    bar.received(50)
    bar.step("file", name="y", bytes=50)
    assert (task.total, task.finished) == (300, False)  # 200 of the other job, and twice 50: three were there
    bar.step("waiting", progress="50 %\x1b[2J", seconds=1)
    assert task.description == "the service works 50 %\\x1b[2J"
