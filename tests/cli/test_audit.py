"""The audit file: one line a run, whatever its end, and nothing in it that is nobody's business."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from ror_sante.cli import audit
from ror_sante.cli.audit import code_of, note
from ror_sante.errors import ConfigurationError
from ror_sante.simulator.server import Simulator


def test_a_run_leaves_one_line(run: Callable[..., Any], simulator: Simulator, bench: Path, tmp_path: Path) -> None:
    """Host, certificate and counts, in a file for its owner; a second run adds another line with another id."""
    path = tmp_path / "audit.jsonl"
    words = ("--config", bench, "--audit", path, "rorn", "delta", "--since", "2020-01-01", "--out", tmp_path / "out")
    assert run(*words).code == 0
    assert run("--audit", path, "--config", tmp_path / "none.toml", "rorn", "metadata").code == 2
    first, second = map(json.loads, path.read_text(encoding="ascii").splitlines())
    assert first["operation"] == "ror-sante rorn delta"
    assert first["host"] == "localhost"
    assert first["certificate"] == simulator.identity.thumbprint
    assert first["counts"]["HealthcareService"] == 260
    assert (first["code"], second["code"]) == (0, 2)
    assert first["run"] != second["run"]
    assert (second["host"], second["certificate"], second["counts"]) == (None, None, {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_query_value_is_in_it(run: Callable[..., Any], bench: Path, tmp_path: Path) -> None:
    """A search by the number of a person leaves no trace of the number."""
    path = tmp_path / "audit.jsonl"
    run("--config", bench, "--audit", path, "rorn", "search", "Practitioner", "-p", "identifier=10001234567")
    assert "10001234567" not in path.read_text(encoding="ascii")


def test_a_file_that_cannot_be_written_is_told_first(
    run: Callable[..., Any], simulator: Simulator, bench: Path, tmp_path: Path
) -> None:
    """Nothing is sent then, and the error names the file and who may have named it."""
    for path in (tmp_path / "no" / "a", tmp_path):
        ran = run("--config", bench, "--audit", path, "rorn", "metadata")
        assert ran.code == 2
        assert "the audit file" in ran.err
        assert "ROR_SANTE_AUDIT" in ran.err
    assert not simulator.requests


def lines(path: Path) -> list[Any]:
    """Read the lines of an audit file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_the_settings_name_the_file(
    run: Callable[..., Any], bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the settings file when it is relative; a variable wins over it, and the flag over both."""
    bench.write_text(f'audit = "told.jsonl"\n{bench.read_text(encoding="utf-8")}', encoding="utf-8")
    assert run("--config", bench, "config", "check").code == 0
    monkeypatch.setenv("ROR_SANTE_AUDIT", str(tmp_path / "variable.jsonl"))
    assert run("--config", bench, "config", "check").code == 0
    assert run("--config", bench, "--audit", tmp_path / "flag.jsonl", "config", "check").code == 0
    told = [lines(path) for path in (bench.parent / "told.jsonl", tmp_path / "variable.jsonl", tmp_path / "flag.jsonl")]
    assert [[line["operation"] for line in each] for each in told] == [["ror-sante config check"]] * 3


def test_settings_that_are_wrong_elsewhere_leave_their_line(run: Callable[..., Any], files: Any) -> None:
    """The run that they stop is a run; without the setting there is no file, and a file others may write names none."""
    files.write('audit = "told.jsonl"\nnonsense = 1\n')
    assert run("--config", files.config, "rorn", "metadata").code == 2
    path = files.folder / "told.jsonl"
    assert [line["code"] for line in lines(path)] == [2]
    path.unlink()
    files.write("nonsense = 1\n")
    assert run("--config", files.config, "rorn", "metadata").code == 2
    files.write('audit = "told.jsonl"\n').chmod(0o622)
    assert run("--config", files.config, "rorn", "metadata").code == 2
    assert not path.exists()
    files.write('audit = "a\\u0000b"\n')
    assert "the audit file" in run("--config", files.config, "rorn", "metadata").err


def test_the_end_that_a_verb_returns_is_its_code(run: Callable[..., Any], files: Any, tmp_path: Path) -> None:
    """A bad verdict is no error that is raised, and ends with its code all the same."""
    path = tmp_path / "audit.jsonl"
    files.write('environment = "simulator"\n')
    assert run("--audit", path, "--config", files.config, "config", "check").code == 0
    files.write('environment = "bac-a-sable"\n')
    assert run("--audit", path, "--config", files.config, "config", "check").code == 2
    assert [line["code"] for line in lines(path)] == [0, 2]


def test_a_search_and_a_read_leave_their_counts(run: Callable[..., Any], bench: Path, tmp_path: Path) -> None:
    """Matches by type, and how many others came along."""
    path = tmp_path / "audit.jsonl"
    words = ("--config", bench, "--audit", path, "rorn")
    run(*words, "search", "HealthcareService", "--max", "3", "--format", "ndjson")
    run(*words, "search", "HealthcareService", "-p", "_id=100001", "--full-offer", "--included", "--format", "ndjson")
    run(*words, "read", "Organization", "5001", "--format", "json")
    first, second, third = (line["counts"] for line in lines(path))
    assert first == {"HealthcareService": 3}
    assert second["HealthcareService"] == 1
    assert second["included"] > 1
    assert third == {"Organization": 1}


def test_the_gateway_is_the_host_of_its_searches(run: Callable[..., Any], tmp_path: Path) -> None:
    """The line of the Annuaire Santé names where its search went, and no certificate: none was shown."""
    path = tmp_path / "audit.jsonl"
    assert run("--audit", path, "annuaire", "search", "--env", "simulator", "--city", "NANTES", "--max", "1").code == 0
    (line,) = lines(path)
    assert (line["host"], line["certificate"]) == ("localhost", None)
    assert line["counts"] == {"Organization": 1}


def test_a_line_that_a_full_disk_cut_short_is_ended(run: Callable[..., Any], files: Any, tmp_path: Path) -> None:
    """The next line begins a new one; what is there is never changed."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"run": "half')
    files.write('environment = "simulator"\n')
    run("--audit", path, "--config", files.config, "config", "check")
    run("--audit", path, "--config", files.config, "config", "check")
    half, *whole = path.read_bytes().splitlines()
    assert half == b'{"run": "half'
    assert [json.loads(line)["code"] for line in whole] == [0, 0]


@pytest.mark.parametrize(("config", "code"), [('environment = "simulator"\n', 2), ("nonsense = 1\n", 2)])
def test_a_line_that_is_lost_is_told(run: Callable[..., Any], files: Any, config: str, code: int) -> None:
    """A good run ends with 2 then; a run that failed keeps its own error. `/dev/full` is a disk without room."""
    ran = run("--audit", "/dev/full", "--config", files.write(config), "config", "check")
    assert ran.code == code
    assert "the audit file /dev/full cannot be written: No space left on device" in ran.err
    assert ("nonsense" in ran.err) is ("nonsense" in config)


def test_a_device_and_a_pipe_are_taken_as_they_are(run: Callable[..., Any], files: Any, tmp_path: Path) -> None:
    """Nobody's rights to them change: an audit into /dev/null must not close it to the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write('environment = "simulator"\n')
    before = stat.S_IMODE(Path("/dev/null").stat().st_mode)
    for path in (pipe, "/dev/null"):
        assert run("--audit", path, "--config", files.config, "config", "check").code == 0
    assert json.loads(os.read(reader, 4096))["code"] == 0
    os.close(reader)
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o644
    assert stat.S_IMODE(Path("/dev/null").stat().st_mode) == before


def test_the_mode_is_changed_where_it_must_be(
    run: Callable[..., Any], files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that others may read is closed to them, or refused; one that is closed is left alone (chattr +a)."""

    def forbidden(_descriptor: int, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "audit.jsonl"
    path.touch(0o644)
    files.write('environment = "simulator"\n')
    words = ("--audit", path, "--config", files.config, "config", "check")
    with monkeypatch.context() as patch:
        patch.setattr(audit.os, "fchmod", forbidden)
        refused = run(*words)
        assert (refused.code, path.read_bytes()) == (2, b"")
        assert "Operation not permitted" in refused.err
    assert run(*words).code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setattr(audit.os, "fchmod", forbidden)
    assert run(*words).code == 0


def test_log_lines_carry_the_run(run: Callable[..., Any], bench: Path, tmp_path: Path) -> None:
    """All of one run the same id, which is that of the audit line."""
    path = tmp_path / "audit.jsonl"
    ran = run("-vv", "--log-format", "json", "--audit", path, "--config", bench, "rorn", "metadata")
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert lines
    assert {line["run"] for line in lines} == {json.loads(path.read_bytes())["run"]}


def test_an_export_leaves_its_counts_and_its_steps_the_run(
    run: Callable[..., Any], bench: Path, tmp_path: Path
) -> None:
    """The audit line has the counts of the copy, and each step line of export and delta the id of its run."""
    path, out = tmp_path / "audit.jsonl", tmp_path / "out"
    words = ("--audit", path, "--config", bench, "rorn")
    export = run(*words, "export", "--all", "--out", out)
    delta = run(*words, "delta", "--state", tmp_path / "state", "--out", out)
    first, second = map(json.loads, path.read_text(encoding="ascii").splitlines())
    assert first["counts"]["HealthcareService"] == 260
    assert first["run"] != second["run"]
    for ran, audited in ((export, first), (delta, second)):
        told = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
        assert {line["run"] for line in told} == {audited["run"]}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SystemExit(143), 143),
        (SystemExit("x"), 70),
        (click.exceptions.Exit(7), 7),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (ConfigurationError("x"), 2),
        (click.UsageError("x"), 2),
        (OSError(), 2),
        (ZeroDivisionError(), 70),
    ],
)
def test_the_code_is_the_one_that_the_command_ends_with(error: BaseException, code: int) -> None:
    """By the kind of the error."""
    assert code_of(error) == code


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, for instance; and outside of a command a note goes nowhere."""

    def nameless() -> str:
        raise KeyError

    monkeypatch.setattr(audit.getpass, "getuser", nameless)
    assert audit._user().isdecimal()
    note(host="nowhere")
