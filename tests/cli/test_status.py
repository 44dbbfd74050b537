"""The verb ``status``: its three formats, and what it says about the certificate."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ror_sante.simulator.server import Simulator

LINE = re.compile(r'ror_sante_[a-z_]+\{folder="(?:[^"\\\n]|\\.)*"(,type="[A-Za-z]+")?\} [-0-9.e+]+')


@pytest.fixture
def copy(simulator: Simulator, bench: Path, run: Callable[..., Any], tmp_path: Path) -> Path:
    """A real copy, and a delta after it."""
    out = tmp_path / 'o\\u"t\nhere\x1b'
    assert run("--config", bench, "rorn", "export", "--all", "--out", out).code == 0
    simulator.clock.advance(3600)
    simulator.evolve({"HealthcareService": 3})
    state = out / "delta-state.json"
    assert run("--config", bench, "rorn", "delta", "--state", state, "--out", out).code == 0
    return out


@pytest.fixture
def status(run: Callable[..., Any], bench: Path, copy: Path) -> Callable[..., Any]:
    """Run the verb on the copy, with the settings of the simulator or others."""
    return lambda *words, config=bench: run("--config", config, "status", copy, *words)


def test_text_is_for_people(status: Any) -> None:
    """Ages, counts, cursor and certificate, one fact a line, control characters shown."""
    ran = status()
    assert (ran.code, ran.err) == (0, "")
    labels = [line[:14].strip() for line in ran.out.splitlines()]
    assert labels == ["copy", "from", "last full", "last delta", "next delta", "", "holds", "certificate"]
    assert re.search(r"last full .* \d\.\d hours ago", ran.out)
    assert "HealthcareService" in ran.out
    assert "the whole nation" in ran.out
    assert re.search(r"certificate +\d+ days left", ran.out)
    assert "\x1b" not in ran.out


def test_json_is_for_programs(status: Any, copy: Path) -> None:
    """The same facts; ASCII, whatever the locale."""
    ran = status("--format", "json")
    found = json.loads(ran.out)
    assert ran.code == 0
    assert found["folder"] == str(copy)
    assert found["cursor"] == found["last_delta"] > found["last_full"]
    assert found["counts"]["HealthcareService"] > found["last_delta_counts"]["HealthcareService"] > 0
    assert (found["full_is_old"], found["warnings"], found["certificate_left_out"]) == (False, [], "")
    assert found["certificate_days_left"] > 0


def test_prometheus_text_is_escaped(status: Any) -> None:
    """Every sample is one line of the text format, though the folder has a quote, a backslash and a line end."""
    ran = status("--format", "prometheus")
    samples = [line for line in ran.out.splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in samples), samples
    assert r'o\\u\"t\nhere\\x1b"' in samples[0]
    names = {line.partition("{")[0].removeprefix("ror_sante_") for line in samples}
    assert names == {
        "full_timestamp_seconds",
        "full_age_seconds",
        "full_is_old",
        "resources",
        "delta_timestamp_seconds",
        "delta_age_seconds",
        "delta_resources",
        "delta_cursor_timestamp_seconds",
        "certificate_days_left",
    }
    assert ran.out.count("# TYPE") == len(names)


def test_an_old_copy_warns_and_ends_well(status: Any, copy: Path) -> None:
    """The warning is on stderr, in each format, and the exit code stays 0."""
    manifest = copy / "current" / "manifest.json"
    about = json.loads(manifest.read_bytes())
    about["jobs"][0]["transaction_time"] = "2026-01-01T00:00:00Z"
    manifest.write_text(json.dumps(about | {"regions": ["11", "84"]}))
    (copy / "delta-state.json").unlink()
    ran = status()
    assert (ran.code, ran.err) == (
        0,
        "warning: the last full export is over seven days old, and deltas do not see all.\n",
    )
    assert "regions 11, 84" in ran.out
    assert re.search(r"last full .* days ago", ran.out)
    assert re.search(r"last delta +none", ran.out)
    assert len(json.loads(status("--format", "json").out)["warnings"]) == 1
    assert re.search(r"full_is_old\{.*\} 1\n", status("--format", "prometheus").out)


def test_what_is_not_known_is_said(status: Any, copy: Path) -> None:
    """A copy without times or resources: no sample for what there is not."""
    manifest = copy / "current" / "manifest.json"
    about = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps(about | {"created": "", "jobs": [], "types": {}}))
    state = copy / "delta-state.json"
    state.write_text(json.dumps(json.loads(state.read_bytes()) | {"last_counts": {}}))
    ran = status()
    assert re.search(r"last full +not known", ran.out)
    assert re.search(r"holds +nothing", ran.out)
    assert "brought nothing" in ran.out
    assert "full_age_seconds" not in status("--format", "prometheus").out


def test_a_certificate_that_would_need_a_prompt_is_left_out(status: Any, files: Any) -> None:
    """And so are one that is missing, settings that are, and an account without one; each says why."""
    config = files.write('[identity]\np12 = "client.p12"\n')
    ran = status(config=config)
    assert ran.code == 0
    assert re.search(r"certificate +left out: .*passphrase", ran.out)
    (files.folder / "client.p12").unlink()
    assert re.search(r"certificate +left out: .*client.p12", status(config=config).out)
    assert re.search(r"certificate +left out: ", status(config=files.folder / "absent.toml").out)
    config = files.write('[rorn]\nclient_secret_file = "client.pass"\n')
    assert "left out: the account has a secret" in status(config=config).out
    ran = status("--format", "prometheus", config=config)
    assert ran.out.endswith("# certificate left out: the account has a secret, and no certificate\n")
    assert "days_left" not in ran.out
    assert json.loads(status("--format", "json", config=config).out)["certificate_days_left"] is None


def test_no_copy_ends_with_2(run: Callable[..., Any], tmp_path: Path) -> None:
    """So do a folder that is not there, and a state that is not."""
    ran = run("status", tmp_path / "none")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no copy in" in ran.err
