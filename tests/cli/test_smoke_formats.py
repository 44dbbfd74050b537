"""`smoke-test` in every format, masked for sharing, about the machine, and round after round."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from ror_sante.cli.smoke_formats import STYLES
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.simulator.server import Simulator


def junit(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  our own document, read back


# ------------------------------------------------------------------ formats


def test_junit_is_what_a_ci_server_reads(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """Sixteen cases, one failure with its family, two skipped; the exit code is that of any format."""
    simulator.fault("token-error", times=None)
    done = run("smoke-test", "--config", bench, "--format", "junit")
    suite = junit(done.out).find("testsuite")
    assert suite is not None
    assert (done.code, suite.get("tests"), suite.get("failures"), suite.get("skipped")) == (5, "16", "1", "2")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "\ncause (" in str(failure.text)


@pytest.mark.parametrize("front", [True, False])
def test_the_cause_of_a_failure_is_told_in_the_language_of_the_command_line(
    run: Callable[..., Any], bench: Path, simulator: Simulator, front: bool
) -> None:
    """Before or after the verb; the locale says nothing then. JSON holds every cause with its word for programs."""
    simulator.fault("token-error", times=None)
    french, verb = ["--lang", "fr"], ["smoke-test", "--config", bench]
    text = run(*french, *verb) if front else run(*verb, *french)
    assert (text.code, "cause (probable): " in text.out) == (5, True)
    done = run(*(french if front else []), *verb, *([] if front else french), "--format", "json")
    (failed,) = [check for check in json.loads(done.out)["checks"] if check["outcome"] == "fail"]
    assert failed["causes"][0].keys() == {"code", "confidence", "evidence", "title", "next_step"}
    assert failed["causes"][0]["title"] in " ".join(text.out.split())


def test_html_is_one_page(run: Callable[..., Any], bench: Path) -> None:
    """On standard output, or in a file of mode 0600; in French when asked for."""
    done = run("smoke-test", "--config", bench, "--format", "html", "--lang", "fr")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith('<!doctype html>\n<html lang="fr">')
    assert "Tout fonctionne" in done.out


@pytest.mark.parametrize("style", STYLES)
def test_every_format_goes_into_a_private_file(
    run: Callable[..., Any], bench: Path, tmp_path: Path, style: str
) -> None:
    """What was there is replaced, once the report is whole."""
    path = tmp_path / "report"
    path.write_text("old")
    path.chmod(0o644)
    done = run("smoke-test", "--config", bench, "--format", style, "--output", path)
    assert (done.code, done.out) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "old" not in path.read_text()[:3]
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith(".report")] == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("repeat", ["1", "2"])
def test_a_folder_is_refused_before_anything_is_tried(
    run: Callable[..., Any], bench: Path, tmp_path: Path, simulator: Simulator, style: str, repeat: str
) -> None:
    """Whatever the format and however often."""
    done = run("smoke-test", "--config", bench, "--format", style, "--repeat", repeat, "--output", tmp_path)
    assert (done.code, done.out, simulator.requests) == (2, "", [])
    assert os.strerror(errno.EISDIR) in done.err


@pytest.mark.parametrize("style", ["html", "json"])
def test_a_document_into_a_pipe_leaves_the_pipe_there(
    run: Callable[..., Any], bench: Path, tmp_path: Path, style: str
) -> None:
    """A named pipe is written to, round after round."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = run(
            "smoke-test", "--config", bench, "--format", style, "--repeat", "2", "--interval", "0.01", "--output", pipe
        )
        text = os.read(reader, 1 << 20)
    finally:
        os.close(reader)
    assert done.code == 0
    assert text
    assert stat.S_ISFIFO(pipe.stat().st_mode)


# ------------------------------------------------------------------ secrets


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("share", [[], ["--share"]])
def test_no_format_holds_a_secret(
    run: Callable[..., Any],
    bench: Path,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    style: str,
    share: list[str],
) -> None:
    """Passphrase, key, token, a proxy's password of the environment: looked for as canaries, in a failing run too."""
    passphrase = (bench.parent / "client.pass").read_text().strip()
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary-proxy@proxy.example:3128")
    monkeypatch.setenv("ROR_SANTE_IDENTITY_PASSPHRASE", passphrase)
    simulator.fault("403", times=None)
    done = run("smoke-test", "--config", bench, "--format", style, "--doctor", *share)
    bearers = {
        seen.headers["authorization"].split()[1] for seen in simulator.requests if "authorization" in seen.headers
    }
    assert bearers
    for canary in (passphrase, "canary-proxy", "PRIVATE KEY", *bearers):
        assert canary not in done.out + done.err
    assert "HTTPS_PROXY" in done.out or style == "junit"


@pytest.mark.parametrize("style", STYLES)
def test_share_masks_in_every_format(
    run: Callable[..., Any], bench: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    """Account, folder, proxy: not one of them is left, and the report still says where it stopped."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.chu.example:3128")
    simulator.fault("token-error", times=None)
    private = [simulator.client_id, str(bench.parent), "proxy.chu.example"]
    plain = run("smoke-test", "--config", bench, "--format", style, "--doctor")
    shared = run("smoke-test", "--config", bench, "--format", style, "--doctor", "--share")
    assert (plain.code, shared.code) == (5, 5)
    flat = re.sub(r"\s+", "", plain.out)
    assert simulator.client_id in flat
    for word in private:
        assert word not in re.sub(r"\s+", "", shared.out)
    assert "[client-id-1]" in shared.out
    assert "token" in shared.out


# ------------------------------------------------------------------ the machine


def test_the_doctor_tells_about_the_machine(run: Callable[..., Any], bench: Path) -> None:
    """Versions and checks below the ladder; the last two lines stay the verdict and the next step."""
    done = run("smoke-test", "--config", bench, "--doctor")
    assert "This machine" in done.out
    assert re.search(r"OpenSSL\s+3\.", done.out)
    assert re.search(r"files: \d of ours, closed to others", done.out)
    assert done.out.splitlines()[-1].startswith("Next: ")
    told = json.loads(run("smoke-test", "--config", bench, "--doctor", "--format", "json").out)
    assert set(told) == {"service", "environment", "checks", "exit_code", "machine"}


def test_a_failure_brings_what_may_explain_it(
    run: Callable[..., Any], bench: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy variable that is ignored, a P12 that others may read: told unasked when it fails."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert "This machine" not in run("smoke-test", "--config", bench).out
    simulator.fault("token-error", times=None)
    assert "This machine" not in run("smoke-test", "--config", bench).out
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    (bench.parent / "client.p12").chmod(0o644)
    out = run("smoke-test", "--config", bench).out
    assert "proxy variables: HTTPS_PROXY=http://proxy.example:3128: ignored" in re.sub(r"\s+", " ", out)
    assert "may be read by others" in re.sub(r"\s+", " ", out)
    assert "chmod 600" in out
    assert "urllib3:" not in out


# ------------------------------------------------------------------ round after round


def test_rounds_are_lines_and_a_change_is_a_ladder(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """The first round is a whole ladder; the second stops at the token and is one too; the third is like the second."""
    simulator.fault("token-error", times=None)
    done = run("smoke-test", "--config", bench, "--repeat", "2", "--interval", "0.01")
    assert done.code == 5
    assert done.out.count("Trust in force") == 1
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC XX [\d.]+ s rorn token$", done.out, re.MULTILINE)
    assert re.search(
        r"2 rounds from .*: 2 failed \(rorn token\s+2\)", re.sub(r"\s+", " ", done.out).replace("0 good, ", "")
    )


def test_a_round_that_differs_is_told_whole(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """It failed once: two ladders, a line for the change, and the exit code of the failure."""
    simulator.fault("token-error", times=1)
    done = run("smoke-test", "--config", bench, "--repeat", "3", "--interval", "0.01")
    assert done.code == 5
    assert done.out.count("Trust in force") == 2
    assert "2 good, 1 failed (rorn token 1)" in re.sub(r"\s+", " ", done.out)


def test_warnings_of_rounds_count_under_strict(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """A clock that is wrong in one round of two."""
    simulator.fault("clock-skew", times=1, at="token")
    done = run("smoke-test", "--config", bench, "--repeat", "2", "--interval", "0.01", "--strict")
    assert (done.code, "1 good, 1 with warnings" in re.sub(r"\s+", " ", done.out)) == (1, True)


def test_json_of_rounds_is_a_line_each(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """With its number, its time and its exit code; the summary is talk, on stderr."""
    simulator.fault("token-error", times=1)
    done = run("smoke-test", "--config", bench, "--repeat", "2", "--interval", "0.01", "--format", "json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["round"], line["exit_code"]) for line in lines] == [(1, 5), (2, 0)]
    assert lines[0]["reports"][0]["service"] == "rorn"
    assert "2 rounds from" in done.err


def test_html_of_rounds_shows_them_and_the_last(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """On standard output once, at the end."""
    simulator.fault("token-error", times=1)
    done = run("smoke-test", "--config", bench, "--repeat", "2", "--interval", "0.01", "--format", "html")
    assert done.code == 5
    assert done.out.count("<!doctype html>") == 1
    assert 'class="bar fail"' in done.out
    assert "It works" in done.out


@pytest.mark.parametrize(
    ("style", "number", "code"),
    [("text", signal.SIGINT, 130), ("json", signal.SIGTERM, 143), ("html", signal.SIGINT, 130)],
)
def test_a_watch_can_be_stopped_and_loses_nothing(
    bench: Path, tmp_path: Path, style: str, number: signal.Signals, code: int
) -> None:
    """A real Ctrl-C or SIGTERM: the rounds so far are in the file, the summary is told, no trace."""
    path = tmp_path / "watch"
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell may have ignored it
        "from ror_sante.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["smoke-test", "--config", bench, "--repeat", "0", "--interval", "60", "--format", style, "--output", path]
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        until(lambda: path.exists() and "search" in path.read_text())
        time.sleep(0.3)
        watch.send_signal(number)
        out, err = watch.communicate(timeout=20)
    assert (watch.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert "1 round from" in (path.read_text() if style == "text" else err)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "search" in path.read_text()


# ------------------------------------------------------------------ receipts


def test_the_receipt_is_told_on_request(run: Callable[..., Any], bench: Path) -> None:
    """As text below the ladder, as JSON under a key of its own; without the option there is neither."""
    done = run("smoke-test", "--config", bench, "--receipt")
    assert re.search(r"certificate asked for\s+yes", done.out)
    assert done.out.index("Receipt: localhost") > done.out.index("clock")
    assert "Receipt" not in run("smoke-test", "--config", bench).out
    told = json.loads(run("smoke-test", "--config", bench, "--receipt", "--format", "json").out)
    assert set(told) == {"service", "environment", "checks", "exit_code", "receipts"}
    assert told["receipts"][0]["certificates_sent"][0] == "CLIENT_WS_RORN"


def test_a_narrow_encoding_gets_the_receipt_too(spawn: Callable[..., Any], bench: Path) -> None:
    """latin-1 has no arrow."""
    done = spawn("smoke-test", "--config", bench, "--receipt", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "CLIENT_WS_RORN <- SIMULATEUR" in re.sub(r"\s+", " ", done.stdout)
