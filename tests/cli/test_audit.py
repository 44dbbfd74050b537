"""The audit file: one line a run, whatever its end, and nothing in it that is nobody's business."""

from __future__ import annotations

import json
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


def test_a_file_that_cannot_be_written_is_told_first(run: Callable[..., Any], bench: Path, tmp_path: Path) -> None:
    """Nothing is sent then."""
    assert run("--config", bench, "--audit", tmp_path / "no" / "a", "rorn", "metadata").code == 2


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
