"""The verb ``rorn delta``: what it prints, its warnings, its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ror_sante.api.national import NationalRorClient
from ror_sante.simulator.server import Simulator
from ror_sante.sync.lock import locked


@pytest.fixture
def delta(simulator: Simulator, run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Run the verb against the simulator, with a state."""
    config = simulator.write_config(tmp_path / "config")
    out = tmp_path / "out"
    return lambda *words: run("--config", config, "rorn", "delta", "--state", tmp_path / "s", "--out", out, *words)


def test_a_run_prints_its_folder_and_the_next_goes_on(delta: Any, simulator: Simulator, tmp_path: Path) -> None:
    """The folder on stdout, steps and the warning about the missing full export on stderr."""
    simulator.clock.advance(86_400)
    simulator.evolve({"HealthcareService": 1})
    start = simulator.clock.now().isoformat()
    simulator.clock.advance(3600)  # beyond the overlap: the service drawn may be of these regions
    ran = delta("--since", start, "--region", "11", "--region", "84")
    assert ran.code == 0
    assert "no full export in this folder" in ran.err
    simulator.clock.advance(86_400)
    ran = delta("--region", "11", "--region", "84")
    assert (ran.code, ran.out) == (0, "")
    assert "Nothing has changed." in ran.err
    simulator.evolve({"HealthcareService": 260})
    ran = delta("--region", "11", "--region", "84")
    assert ran.code == 0
    assert Path(ran.out.strip()).parent == tmp_path / "out" / "deltas"
    assert json.loads((Path(ran.out.strip()) / "delta.json").read_bytes())["regions"] == ["11", "84"]


def test_an_old_full_export_is_a_warning(
    delta: Any, simulator: Simulator, run: Callable[..., Any], tmp_path: Path
) -> None:
    """Eight days later it is; at once it is not."""
    config = tmp_path / "config" / "ror-sante.toml"
    assert run("--config", config, "rorn", "export", "--all", "--out", tmp_path / "out").code == 0
    assert "warning" not in delta().err
    simulator.clock.advance(8 * 86_400)
    ran = delta()
    assert ran.code == 0
    assert "over seven days old" in ran.err


def test_one_file_brings_no_warning(simulator: Simulator, run: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing is known of a full export there."""
    config = simulator.write_config(tmp_path / "config")
    ran = run("--config", config, "rorn", "delta", "--since", "2020-01-01", "--out", tmp_path / "all.ndjson")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'all.ndjson'}\n")
    assert "warning" not in ran.err


@pytest.mark.parametrize(
    "words", [(), ("--since", "soon"), ("--overlap", "-1"), ("--since", "2026", "--region", "../x")]
)
def test_wrong_usage(delta: Any, words: tuple[str, ...]) -> None:
    """No start, no time, no overlap, no region: what the service would answer with nothing is not asked."""
    assert delta(*words).code == 2


def test_a_region_has_a_name(delta: Any, simulator: Simulator) -> None:
    """The service is asked by its code."""
    assert delta("--since", "2020-01-01", "--region", "bretagne").code == 0
    assert {value[-3:] for seen in simulator.requests for name, value in seen.params if name == "_tag"} == {"|53"}


def test_a_lock_that_is_held_ends_with_7(delta: Any, tmp_path: Path) -> None:
    """Another run is at work there."""
    with locked(tmp_path / "out"):
        assert delta("--since", "2026-01-01").code == 7


def test_a_system_without_posix_locks_is_told(delta: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows, for instance: nothing is begun."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    ran = delta("--since", "2026-01-01")
    assert ran.code == 2
    assert "need a POSIX system" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_a_signal_leaves_the_state(
    delta: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    """130 and 143, no state written, nothing half in the folder."""

    def pages(*_: object) -> object:
        raise error

    monkeypatch.setattr(NationalRorClient, "pages", pages)
    assert delta("--since", "2026-01-01").code == code
    assert not (tmp_path / "s").exists()
    assert list((tmp_path / "out" / "deltas").iterdir()) == []


def test_the_help_says_what_a_delta_cannot_see(run: Callable[..., Any]) -> None:
    """Deletions, and places and people that change alone."""
    assert "deletions" in run("rorn", "delta", "--help").out


@pytest.mark.parametrize(
    ("words", "variable", "overlap"), [((), "60", 60), ((), "0", 0), (("--overlap", "30"), "60", 30)]
)
def test_the_overlap_comes_from_the_settings(
    delta: Any,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    variable: str,
    overlap: float,
) -> None:
    """Unless the flag says otherwise; none at all is an overlap too."""
    monkeypatch.setenv("ROR_SANTE_RORN_DELTA_OVERLAP", variable)
    start = simulator.clock.now().isoformat()
    simulator.clock.advance(86_400)
    simulator.evolve({"HealthcareService": 3})
    ran = delta("--since", start, *words)
    assert json.loads((Path(ran.out.strip()) / "delta.json").read_bytes())["overlap"] == overlap
