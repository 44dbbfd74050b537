"""Every bad input of a beginner's first day: one clear sentence, a hint, the right exit code, and no trace."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.server import Simulator


@dataclass
class Stage:
    """What a case may change before the command runs."""

    config: Path
    simulator: Simulator
    listening: Callable[..., int]
    patch: pytest.MonkeyPatch

    @property
    def folder(self) -> Path:
        return self.config.parent

    @property
    def p12(self) -> Path:
        return self.folder / "client.p12"

    def rewrite(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def serve(self, answer: Callable[[socket.socket], Any]) -> None:
        """Point both addresses at a small server of ours."""
        self.rewrite(self.simulator.url, f"https://127.0.0.1:{self.listening(answer)}")


def _directory(stage: Stage) -> None:
    stage.p12.unlink()
    stage.p12.mkdir()


def _unreadable(stage: Stage) -> None:
    """Root reads everything but this one, which the kernel refuses to read at its start."""
    if os.getuid():
        stage.p12.chmod(0)
    else:
        stage.rewrite('"client.p12"', '"/proc/self/mem"')


def _closed_port(stage: Stage) -> None:
    port = free_port()
    stage.rewrite(stage.simulator.url, f"https://127.0.0.1:{port}")


def _plain_http(client: socket.socket) -> None:
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def _hang_up(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_RDWR)


def _hang_up_after_hello(client: socket.socket) -> None:
    client.recv(4096)


# What is wrong, how it comes about, the exit code, words of the sentence.
TABLE: list[tuple[str, Callable[[Stage], Any], int, str]] = [
    ("a missing P12", lambda s: s.p12.unlink(), 2, "does not exist"),
    ("a directory for a P12", _directory, 2, "is a folder, not a file"),
    ("an unreadable P12", _unreadable, 2, "may not be read|cannot be read"),
    ("an empty P12", lambda s: s.p12.write_bytes(b""), 3, "is empty"),
    ("a P12 of garbage", lambda s: s.p12.write_bytes(os.urandom(2000)), 3, "P12"),
    ("half a P12", lambda s: s.p12.write_bytes(s.p12.read_bytes()[:1500]), 3, "P12"),
    ("a wrong passphrase", lambda s: (s.folder / "client.pass").write_text("wrong"), 3, "passphrase"),
    (
        "no passphrase",
        lambda s: s.rewrite('passphrase_file = "client.pass"\n', ""),
        2,
        "needs a passphrase and none was given",
    ),
    ("a missing passphrase file", lambda s: (s.folder / "client.pass").unlink(), 2, "client.pass cannot be read"),
    ("no certificate at all", lambda s: s.rewrite('p12 = "client.p12"\n', ""), 2, "no certificate is configured"),
    ("a missing root", lambda s: (s.folder / "root.pem").unlink(), 2, "root.pem"),
    ("a root of garbage", lambda s: (s.folder / "root.pem").write_bytes(b"garbage"), 2, "root.pem"),
    ("a missing settings file", lambda s: s.config.unlink(), 2, "No such file or directory"),
    ("a settings file that others may write", lambda s: s.config.chmod(0o666), 2, "may be written by others"),
    ("settings that are no TOML", lambda s: s.config.write_text("a ="), 2, "is not TOML"),
    ("an unknown key", lambda s: s.rewrite("p12 =", "p13 ="), 2, "unknown key identity.p13"),
    ("a wrong type", lambda s: s.rewrite('"client.p12"', "3"), 2, "identity.p12: expected a path"),
    ("an unknown variable", lambda s: s.patch.setenv("ROR_SANTE_RORN_CLIENT", "x"), 2, "ROR_SANTE_RORN_CLIENT means"),
    ("a URL without https", lambda s: s.rewrite("https://", "http://"), 2, "token_url is not an https address"),
    ("an unknown environment", lambda s: s.rewrite('environment = "bench"', 'environment = "benhc"'), 2, "'benhc'"),
    ("an account without client_id", lambda s: s.rewrite("client_id =", "scope ="), 2, "rorn.client_id is missing"),
    ("an unknown host", lambda s: s.rewrite(s.simulator.url, "https://ror.invalid"), 4, "cannot be resolved"),
    ("an unreachable port", _closed_port, 4, "no connection to"),
    ("a port that speaks no TLS", lambda s: s.serve(_plain_http), 4, "is not TLS"),
    ("a server that closes at once", lambda s: s.serve(_hang_up), 4, "closed the connection"),
    ("a server that closes after our first word", lambda s: s.serve(_hang_up_after_hello), 4, "closed the connection"),
    ("HTML in place of a token", lambda s: s.simulator.fault("token-html", None), 5, "HTML page"),
    ("HTML with status 200", lambda s: s.simulator.fault("html-200", None), 5, "text/html"),
    ("truncated JSON with status 200", lambda s: s.simulator.fault("truncated-json", None), 5, "truncated|JSON"),
    ("nothing with status 200", lambda s: s.simulator.fault("empty-body", None), 5, "JSON|empty"),
    ("JSON too deep to read", lambda s: s.simulator.fault("deep-json", None), 5, "nested|JSON"),
    ("a 302 to another host", lambda s: s.simulator.fault("redirect-other-host", None), 5, "redirect"),
    ("a 302 that leaves TLS", lambda s: s.simulator.fault("redirect-http", None), 5, "redirect"),
]


@pytest.fixture
def stage(bench: Path, simulator: Simulator, listening: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(bench, simulator, listening, monkeypatch)


def labels(err: str) -> list[str]:
    """What each line on stderr starts with; a likely cause, and in French its next step, may follow the hint."""
    return [word for line in err.splitlines() if (word := line.partition(":")[0]) not in {"cause", "suite"}]


@pytest.mark.parametrize(("break_it", "code", "words"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_search_says_in_one_sentence_what_is_wrong(
    stage: Stage, run: Callable[..., Any], break_it: Callable[[Stage], Any], code: int, words: str
) -> None:
    """An error, a hint, the exit code of its family; nothing on stdout."""
    break_it(stage)
    done = run("--config", stage.config, "rorn", "search", "HealthcareService", "--max", "1", "--timeout", "1")
    assert (done.code, done.out) == (code, "")
    lines = done.err.splitlines()
    assert labels(done.err) == ["error", " hint"]
    assert any(word in lines[0] for word in words.split("|")), lines[0]
    assert len(lines[1]) > len(" hint: ")


@pytest.mark.parametrize(("break_it", "code"), [(row[1], row[2]) for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_smoke_test_ends_with_the_same_code(
    stage: Stage, run: Callable[..., Any], break_it: Callable[[Stage], Any], code: int
) -> None:
    """The ladder stops at a rung with a hint, or the settings are refused before it starts."""
    break_it(stage)
    done = run("--config", stage.config, "smoke-test", "--format", "json", "--timeout", "1")
    assert done.code == code
    if done.out:
        report = json.loads(done.out)
        first = next(check for check in report["checks"] if check["outcome"] == "fail")
        assert report["exit_code"] == code
        assert first["detail"]
        assert first["hint"]
        assert done.err == ""
    else:
        assert labels(done.err) == ["error", " hint"]


def test_no_secret_is_told_in_any_of_it(stage: Stage, run: Callable[..., Any]) -> None:
    """-vv and a wrong key: passphrase, token and secret stay where they are."""
    passphrase = (stage.folder / "client.pass").read_text().strip()
    stage.simulator.fault("403", None)
    done = run("-vv", "--config", stage.config, "smoke-test")
    assert done.code == 5
    told = done.out + done.err
    assert passphrase not in told
    bearer = next(seen.headers["authorization"] for seen in stage.simulator.requests if "authorization" in seen.headers)
    assert bearer.removeprefix("Bearer ") not in told
