"""`smoke-test`: the ladder as people and programs get it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.diagnosis import smoke
from ror_sante.diagnosis.ladders.ladder import Service
from ror_sante.diagnosis.smoke import RUNGS
from ror_sante.simulator.flaws import CLIENT_FLAWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki
    from ror_sante.simulator.server import Simulator


def test_the_first_command_of_a_newcomer(spawn: Callable[..., Any]) -> None:
    """`smoke-test --env simulator` needs nothing configured: every rung holds, exit code 0."""
    done = spawn("smoke-test", "--env", "simulator")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Trust in force: SIMULATEUR AC RACINE ELEMENTAIRE (root.pem), and nothing else")
    assert re.match(r"All 16 rungs hold, in \d+ ms\.|All 16 rungs hold, in \d\.\d s\.", lines[-2])
    assert lines[-1] == "Next: ror-sante rorn search HealthcareService --env simulator --max 5"


def test_json_has_every_rung_ok(run: Callable[..., Any]) -> None:
    """`--format json` for programs: the documented object, every rung ok."""
    done = run("smoke-test", "--env", "simulator", "--service", "rorn", "--format", "json")
    report = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert set(report) == {"service", "environment", "checks", "exit_code"}
    assert (report["service"], report["environment"], report["exit_code"]) == ("rorn", "simulator", 0)
    assert [check["name"] for check in report["checks"]] == list(RUNGS)
    assert {check["outcome"] for check in report["checks"]} == {"ok"}
    assert all(set(check) == {"name", "outcome", "detail", "hint", "seconds"} for check in report["checks"])


def test_a_settings_file_points_it_anywhere(run: Callable[..., Any], bench: Path) -> None:
    """The same against a configured place; the next step keeps --config."""
    done = run("--config", bench, "smoke-test")
    assert done.code == 0
    assert "National ROR, environment bench" in done.out
    assert done.out.splitlines()[-1] == f"Next: ror-sante --config {bench} rorn search HealthcareService --max 5"


@pytest.mark.parametrize("width", [80, 160])
def test_the_ladder_fits_the_terminal(
    on_a_terminal: Callable[..., Any], bench: Path, simulator: Simulator, width: int
) -> None:
    """On a narrow terminal and on a wide one: coloured, aligned, nothing wider than the screen."""
    simulator.fault("403", times=None)
    done = on_a_terminal("smoke-test", "--config", bench, width=width)
    assert done.code == 5
    assert "\x1b[32m✔" in done.out
    assert "\x1b[1;31m✘" in done.out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.out)
    assert max(len(line) for line in plain.splitlines()) <= width
    assert "Stopped at metadata" in plain


def test_no_color_is_respected(on_a_terminal: Callable[..., Any], bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes the colours and leaves the words."""
    monkeypatch.setenv("NO_COLOR", "1")
    done = on_a_terminal("smoke-test", "--config", bench)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", done.out)
    assert "✔ trust" in re.sub(r"\x1b\[[0-9;]*m", "", done.out)


@pytest.mark.parametrize("style", ["text", "json"])
def test_the_report_can_go_into_a_file(run: Callable[..., Any], bench: Path, tmp_path: Path, style: str) -> None:
    """--output writes it for its owner alone, whole; stdout stays empty."""
    path = tmp_path / "report"
    path.write_text("old")
    path.chmod(0o644)
    done = run("smoke-test", "--config", bench, "--format", style, "--output", path)
    assert (done.code, done.out) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["exit_code"] == 0 if style == "json" else text.startswith("Trust in force: ")


def test_a_report_into_a_pipe_leaves_the_pipe_there(run: Callable[..., Any], bench: Path, tmp_path: Path) -> None:
    """`--output /dev/null` or a named pipe is written to; put in its place, a file would break it for everybody."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = run("smoke-test", "--config", bench, "--format", "json", "--output", pipe)
        text = os.read(reader, 65536)
    finally:
        os.close(reader)
    assert (done.code, json.loads(text)["exit_code"]) == (0, 0)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["", "folder"])
def test_a_report_into_a_folder_is_refused_before_anything_is_tried(
    run: Callable[..., Any], bench: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty name is the current folder; the message names what was given."""
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    done = run("smoke-test", "--config", bench, "--output", name)
    assert (done.code, done.out) == (2, "")
    assert f"error: {name or '.'}: Is a directory" in done.err


def test_a_report_that_cannot_be_written_is_two(run: Callable[..., Any], bench: Path, tmp_path: Path) -> None:
    """A folder that is not there."""
    done = run("smoke-test", "--config", bench, "--output", tmp_path / "none" / "x")
    assert (done.code, "No such file or directory" in done.err) == (2, True)


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--strict"], 1)])
def test_a_warning_counts_under_strict(
    run: Callable[..., Any], bench: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    """The passphrase of a variable warns: 0, and 1 under --strict."""
    passphrase = (bench.parent / "client.pass").read_text().strip()
    bench.write_text(bench.read_text().replace('passphrase_file = "client.pass"\n', ""))
    monkeypatch.setenv("ROR_SANTE_IDENTITY_PASSPHRASE", passphrase)
    done = run("smoke-test", "--config", bench, *words)
    assert done.code == code
    assert "with 1 warning: p12." in done.out
    assert passphrase not in done.out + done.err


def test_a_failure_is_no_warning_under_strict(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """The family of the failure wins over --strict."""
    simulator.fault("token-error", times=None)
    assert run("smoke-test", "--config", bench, "--strict").code == 5


@pytest.fixture(scope="module")
def flaws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What certs-test/make.py writes."""
    from ror_sante.simulator.certs_test import make_certs

    return make_certs(tmp_path_factory.mktemp("certs") / "OUT")


@pytest.mark.parametrize("flaw", [flaw.name for flaw in CLIENT_FLAWS])
def test_every_p12_of_certs_test_ends_as_its_manifest_says(run: Callable[..., Any], flaws: Path, flaw: str) -> None:
    """--pki OUT --p12 FILE: the simulator runs on that PKI, and each flaw has the exit code that is announced."""
    cases = json.loads((flaws / "manifest.json").read_text())["cases"]
    (expected,) = (case["expected"] for case in cases if (case["kind"], case["name"]) == ("client", flaw))
    file = flaws / "client" / flaw / "client.p12"
    done = run("smoke-test", "--env", "simulator", "--pki", flaws, "--p12", file, "--format", "json")
    report = json.loads(done.out)
    outcomes = {check["outcome"] for check in report["checks"]}
    worst = next(outcome for outcome in ("fail", "warn", "ok") if outcome in outcomes)
    assert (done.code, report["exit_code"], worst) == (
        expected["exit_code"],
        expected["exit_code"],
        expected["outcome"],
    )


def test_a_passphrase_file_wins_over_the_one_beside(run: Callable[..., Any], flaws: Path, tmp_path: Path) -> None:
    """What was named is taken; it is the wrong one."""
    (tmp_path / "pass").write_text("wrong")
    file = next(path for path in flaws.rglob("client.p12") if path.parent.name.endswith("good"))
    done = run(
        "smoke-test", "--env", "simulator", "--pki", flaws, "--p12", file, "--passphrase-file", tmp_path / "pass"
    )
    assert (done.code, "Stopped at p12" in done.out) == (3, True)


def test_a_p12_without_any_passphrase_is_two(run: Callable[..., Any], pki: SimulatorPki, tmp_path: Path) -> None:
    """Nobody sits there to be asked, and nothing lies beside it."""
    (tmp_path / "client.p12").write_bytes(pki.p12(pki.client(), "xyzzy"))
    done = run("smoke-test", "--env", "simulator", "--p12", tmp_path / "client.p12")
    assert (done.code, "Stopped at p12" in done.out) == (2, True)


def test_pki_is_for_the_simulator(run: Callable[..., Any], bench: Path, tmp_path: Path) -> None:
    """Elsewhere the anchors are in the settings."""
    done = run("smoke-test", "--config", bench, "--pki", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "--pki goes with --env simulator" in done.err


def test_timeout_bounds_the_simulator_too(run: Callable[..., Any]) -> None:
    """--timeout reaches every wait."""
    assert run("smoke-test", "--env", "simulator", "--timeout", "5").code == 0


def test_without_the_extra_the_simulator_is_named(bench: Path) -> None:
    """The extra is missing: exit code 2, and the line that installs it; nothing else is affected."""
    program = (
        "import sys; sys.modules['pytest_httpserver'] = None; sys.modules['werkzeug'] = None\n"
        "from ror_sante.cli import main; sys.exit(main(sys.argv[1:]))"
    )

    def bare(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    done = bare("smoke-test", "--env", "simulator")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "pip install 'ror-sante[testing]'" in done.stderr
    assert bare("smoke-test", "--config", bench, "--format", "json").returncode == 0


@pytest.fixture
def _two_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """The national ROR twice, the second time under another name: two real ladders."""
    real = smoke.SERVICES["rorn"]

    def twin(ground: Any) -> Any:
        return dataclasses.replace(real.ladder(ground), service="annuaire", title="Annuaire Santé")

    services = {
        "rorn": real,
        "annuaire": Service(title="Annuaire Santé", ladder=twin),
        "inter-ror": Service(title="Inter-ROR", ladder=twin, absent=lambda _: "no region is configured"),
    }
    monkeypatch.setattr(smoke, "SERVICES", services)


@pytest.mark.usefixtures("_two_services")
def test_several_services_are_a_list_in_json(run: Callable[..., Any], bench: Path) -> None:
    """`--service all`: one object each, side by side."""
    done = run("smoke-test", "--config", bench, "--service", "all", "--format", "json")
    assert (done.code, [report["service"] for report in json.loads(done.out)]) == (0, ["rorn", "annuaire"])


@pytest.mark.usefixtures("_two_services")
def test_several_services_are_ladders_one_below_the_other(
    run: Callable[..., Any], bench: Path, simulator: Simulator
) -> None:
    """Each has its heading; the end names each verdict, what was not tried, and one next step."""
    done = run("smoke-test", "--config", bench, "--service", "all")
    assert done.code == 0
    assert "National ROR, environment bench" in done.out
    assert "Annuaire Santé, environment bench" in done.out
    assert "National ROR: all 16 rungs hold" in done.out
    assert re.search(r"2 ladders, in .*s \(exit code 0\)\.", done.out)
    assert "inter-ror: not tried, no region is configured" in done.out
    simulator.fault("token-error", times=None)
    done = run("smoke-test", "--config", bench, "--service", "all")
    assert done.code == 5
    assert "Annuaire Santé: stopped at token" in done.out


@pytest.mark.usefixtures("_two_services")
def test_warnings_of_several_services_count_under_strict(
    run: Callable[..., Any], bench: Path, simulator: Simulator
) -> None:
    """A clock that is wrong warns twice: 1 under --strict."""
    simulator.fault("clock-skew", times=None, at="token")
    done = run("smoke-test", "--config", bench, "--service", "all", "--strict")
    assert done.code == 1
    assert "Annuaire Santé: works, with 1 warning: clock" in done.out
    assert "(exit code 1)" in done.out


def test_the_whole_test_has_a_time_limit(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """--within: a service that is slow at every step ends as late, not never."""
    simulator.fault("slow", times=None, seconds=3)
    done = run("smoke-test", "--config", bench, "--within", "1")
    assert done.code == 4
    assert re.search(r"was not done within the 1 s of the\s+whole test", done.out)
