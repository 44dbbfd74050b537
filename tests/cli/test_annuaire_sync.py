"""The verb ``annuaire sync``: what it prints, its progress, its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ror_sante.api.annuaire.client import AnnuaireSanteClient
from ror_sante.simulator.server import Simulator
from ror_sante.sync.lock import locked

DAY = 86_400.0


@pytest.fixture
def words(simulator: Simulator, tmp_path: Path) -> list[object]:
    """The words of a run for one small type."""
    config = simulator.write_config(tmp_path / "config")
    return ["--config", config, "annuaire", "sync", "Device", "--out", tmp_path / "out"]


def test_a_scan_and_what_changed(
    words: list[object], run: Callable[..., Any], simulator: Simulator, tmp_path: Path
) -> None:
    """The copy on stdout; on stderr a line a step, and a sentence for each type. The audit line counts what came."""
    audit = tmp_path / "audit.jsonl"
    ran = run(*words, "--audit", audit)
    count = simulator.annuaire.count("Device")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'out' / 'Device' / 'current'}\n")
    assert f"Device: {count} records in force, 0 deactivated; scanned" in ran.err
    steps = [json.loads(line)["step"] for line in ran.err.splitlines() if line.startswith("{")]
    assert steps == ["begun", "page", "begun", "page", "published"]
    ran = run(*words)
    assert "nothing has changed since" in ran.err
    simulator.clock.advance(DAY)
    simulator.change_annuaire({"Device": 2}, {"Device": 1})
    ran = run(*words, "--audit", audit)
    assert f"Device: {count - 1} records in force, 1 deactivated; since" in ran.err
    changes = Path(ran.err.rpartition(": ")[2].strip())
    assert "2 came new or edited, 1 deactivated" in ran.err
    assert (changes / "Device.deactivated.ndjson").read_bytes().count(b"\n") == 1
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["counts"] for line in lines] == [{"Device": 0}, {"Device": 3}]
    assert {line["host"] for line in lines} == {"localhost"}


@pytest.mark.parametrize("days", [19, 21])
def test_runs_that_are_rare_are_warned_of(
    words: list[object], run: Callable[..., Any], simulator: Simulator, days: int
) -> None:
    """After three weeks, while there is still time."""
    assert run(*words).code == 0
    simulator.clock.advance(days * DAY)
    assert (f"warning: the run before was {days} days ago; after 30 days" in run(*words).err) is (days > 20)


def test_a_copy_beyond_the_window_says_what_to_do(
    words: list[object], run: Callable[..., Any], simulator: Simulator
) -> None:
    """Exit code 5 and the option that helps; with it, 0."""
    assert run(*words).code == 0
    simulator.clock.advance(31 * DAY)
    ran = run(*words)
    assert ran.code == 5
    assert "scan again with --full" in ran.err
    assert run(*words, "--full").code == 0


@pytest.mark.parametrize("more", [["Location"], ["--overlap", "-1"]])
def test_wrong_usage(words: list[object], run: Callable[..., Any], more: list[str]) -> None:
    """No such type, no overlap."""
    assert run(*words, *more).code == 2


def test_a_copy_of_another_service_has_nothing_to_go_on_with(
    words: list[object], run: Callable[..., Any], tmp_path: Path
) -> None:
    """Exit code 2; the sentence that a run goes on belongs to other stops."""
    assert run(*words).code == 0
    manifest = tmp_path / "out" / "Device" / "current" / "manifest.json"
    about = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps(about | {"service": "https://elsewhere.invalid"}))
    ran = run(*words)
    assert ran.code == 2
    assert "goes on" not in ran.err


def test_no_type_is_wrong_usage(run: Callable[..., Any], tmp_path: Path) -> None:
    """A scan of everything takes hours: it is asked for by name."""
    assert run("annuaire", "sync", "--out", tmp_path).code == 2


def test_a_lock_that_is_held_ends_with_7(words: list[object], run: Callable[..., Any], tmp_path: Path) -> None:
    """Another run is at work there."""
    with locked(tmp_path / "out"):
        assert run(*words).code == 7


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_a_signal_leaves_what_came(
    words: list[object], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    """130 and 143, and the sentence how it goes on."""

    def scan(*_: object, **__: object) -> object:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(AnnuaireSanteClient, "scan", scan)
        ran = run(*words)
    assert ran.code == code
    assert "the same command goes on" in ran.err
    assert run(*words).code == 0


def test_a_person_sees_a_bar(words: list[object], on_a_terminal: Callable[..., Any], simulator: Simulator) -> None:
    """With the records so far, and a word when the pages are lost."""
    simulator.fault("gateway-stale-next")
    words[4] = "Practitioner"
    ran = on_a_terminal(*words)
    assert ran.code == 0
    assert f"{simulator.annuaire.count('Practitioner')} records in force" in ran.err
    assert "Practitioner done" in ran.err
    assert "{" not in ran.err


@pytest.mark.parametrize(
    ("days", "warning"),
    [
        (19, ""),
        (21, "warning: the last run for Device was 21 days ago, and the service keeps changes for 30.\n"),
        (31, "warning: the last run for Device was 31 days ago, and the service keeps changes for 30: it needs"),
    ],
)
def test_the_status_watches_the_window(
    words: list[object], run: Callable[..., Any], simulator: Simulator, tmp_path: Path, days: int, warning: str
) -> None:
    """The same facts for people, programs and Prometheus; a warning while there is time, and one when it is over."""
    out = tmp_path / "out"
    simulator.change_annuaire(deactivated={"Device": 1})
    assert run(*words).code == 0
    manifest = out / "Device" / "current" / "manifest.json"
    about = json.loads(manifest.read_bytes())
    about["cursor"] = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    manifest.write_text(json.dumps(about))
    told = run("status", out)
    assert (told.code, told.err.startswith(warning), bool(told.err)) == (0, True, bool(warning))
    count = about["active"]["count"]
    assert f"Device             {count} in force, 1 deactivated\n" in told.out
    found = json.loads(run("status", out, "--format", "json").out)
    assert (found["types"]["Device"]["active"], len(found["warnings"])) == (count, int(bool(warning)))
    gauges = run("status", out, "--format", "prometheus").out
    assert f'ror_sante_annuaire_records{{folder="{out}",type="Device"}} {count}\n' in gauges
    (left,) = [line for line in gauges.splitlines() if line.startswith("ror_sante_annuaire_window_left")]
    assert (float(left.rpartition(" ")[2]) < 0) is (days > 30)
