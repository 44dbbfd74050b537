"""What holds for every verb: help, version, options of any place, errors, signals, pipes."""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from ror_sante._version import __version__
from ror_sante.cli import config as config_module
from ror_sante.cli import failures, main
from ror_sante.cli.root import COMMANDS, root
from ror_sante.errors import (
    ApiError,
    ConfigurationError,
    Finding,
    Pkcs12Error,
    RorError,
    UnreachableError,
    UsageError,
)
from ror_sante.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAVY = ("requests", "urllib3", "cryptography", "rich", "msgspec", "platformdirs", "tenacity")


def verbs() -> Iterator[tuple[str, click.Command]]:
    """Walk through every verb with its whole name."""
    with click.Context(root, info_name="ror-sante") as context:
        for name in root.list_commands(context):
            found = root.get_command(context, name)
            assert found is not None
            yield name, found
            if isinstance(found, click.Group):
                inner = {each: found.get_command(context, each) for each in found.list_commands(context)}
                yield from ((f"{name} {each}", verb) for each, verb in inner.items() if verb is not None)


VERBS = dict(verbs())


# ------------------------------------------------------------------ version and help


def test_the_version_starts_without_the_libraries_of_the_verbs() -> None:
    """`--version` imports click and nothing heavier of the command; it must answer at once."""
    program = (
        "import sys; before = set(sys.modules); import ror_sante; package = set(sys.modules);"
        "from ror_sante.cli import main; code = main(['--version']);"
        f"print(code, sorted(name for name in {HEAVY!r} if name in sys.modules and name not in package))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == f"ror-sante {__version__}\n0 []\n"


def test_python_m_runs_the_command(spawn: Callable[..., Any]) -> None:
    """`python -m ror_sante` is the same program."""
    done = spawn("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ror-sante {__version__}\n", "")


def test_the_list_of_commands_says_what_the_commands_say(run: Callable[..., Any]) -> None:
    """The texts of the list, written apart so that nothing is imported, are those of the verbs."""
    listed = run("--help").out
    for name, (_, text) in COMMANDS.items():
        assert text in listed
        assert VERBS[name].help is not None
        assert VERBS[name].help.startswith(text)  # type: ignore[union-attr]  # checked on the line before


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if not isinstance(verb, click.Group)])
def test_every_verb_lists_its_exit_codes_and_an_example(run: Callable[..., Any], name: str) -> None:
    """`--help` ends with exit codes and an example, and takes the options of any place."""
    done = run(*name.split(), "--help")
    assert done.code == 0
    assert "Exit codes:\n" in done.out
    assert "ror-sante " in done.out.partition("Example")[2]
    for option in ("--config FILE", "-v, --verbose", "--log-format"):
        assert option in done.out


def test_help_fits_eighty_columns(run: Callable[..., Any]) -> None:
    """Nothing in a help page is wider than a terminal."""
    for name in VERBS:
        for line in run(*name.split(), "--help").out.splitlines():
            assert len(line) <= 80, (name, line)


def test_an_unknown_verb_is_no_module(run: Callable[..., Any]) -> None:
    """A slip in a verb is a sentence and exit code 2."""
    done = run("smoketest")
    assert done.code == 2
    assert done.err.startswith("error: No such command 'smoketest'.")
    assert done.err.endswith("hint: See ror-sante --help.\n")


@pytest.mark.parametrize(
    "words",
    [
        ["smoke-test", "--nonsense"],
        ["smoke-test", "--timeout", "0"],
        ["smoke-test", "--format", "pdf"],
        ["smoke-test", "--service", "nonsense"],
        ["rorn", "search"],
        ["rorn", "search", "Location", "-p", "novalue"],
        ["rorn", "search", "Location", "--max", "0"],
        ["rorn", "nonsense"],
        ["simulator", "--port", "70000"],
        ["--log-format", "xml", "config", "show"],
    ],
)
def test_wrong_usage_is_one_sentence_and_two(run: Callable[..., Any], words: list[str]) -> None:
    """Wrong usage: an error, a hint that names the help page, exit code 2, nothing on stdout."""
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", " hint"]
    assert "--help" in lines[1]


def test_nothing_at_all_shows_the_help(run: Callable[..., Any]) -> None:
    """The bare command says what there is, and that it was not a command."""
    done = run()
    assert done.code == 2
    assert "Commands:" in done.out + done.err


# ------------------------------------------------------------------ options of any place


@pytest.mark.parametrize("place", [0, 1, 2])
def test_config_stands_anywhere(run: Callable[..., Any], files: Any, place: int) -> None:
    """--config counts before, between and after the verbs."""
    path = files.write('environment = "production"')
    words = ["config", "show"]
    words[place:place] = ["--config", str(path)]
    assert 'environment = "production"' in run(*words).out


def test_v_counts_wherever_it_stands(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """-v before the verb and -v after it make -vv: the trace of a fault is in the log."""
    monkeypatch.setattr(config_module, "settings_of", _fault)
    once, twice = run("-v", "config", "show"), None
    assert once.code == 70
    assert "Traceback" not in once.err
    with pytest.raises(AssertionError, match="Traceback"):
        twice = run("-v", "config", "-v", "show")
    assert twice is None


def _fault(*_: object) -> None:
    raise RuntimeError("[bold]secret[/bold]")


def test_a_fault_of_ours_shows_no_trace_and_no_text_of_its_own(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception is one sentence with its place, exit code 70; what it holds stays in the log."""
    monkeypatch.setattr(config_module, "settings_of", _fault)
    done = run("config", "show")
    assert done.code == 70
    assert done.err.startswith("error: a fault of ror-sante itself: RuntimeError in show, line ")
    assert done.err.endswith("hint: Run it again with -vv, and report it.\n")
    assert "secret" not in done.err


def test_json_log_lines_are_json(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--log-format json writes one object a line, the trace inside."""
    monkeypatch.setenv("ROR_SANTE_IDENTITY_PASSPHRASE", "xyzzy")
    done = run("config", "show", "--log-format", "json")
    record = json.loads(done.err)
    assert (record["level"], record["logger"]) == ("warning", "ror_sante.settings")
    assert "xyzzy" not in done.out + done.err
    monkeypatch.setattr(config_module, "settings_of", _fault)
    assert main(["-vv", "--log-format", "json", "config", "show"]) == 70
    assert "RuntimeError" in json.loads(capsys.readouterr().err.splitlines()[0])["trace"]


def test_text_log_lines_are_one_line_each(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning is one line on stderr; control characters in it are shown, not sent."""

    def noisy(*_: object) -> Any:
        import logging

        logging.getLogger("ror_sante.x").warning("a\x1b[31m\nb")
        return load_settings(environ={})

    monkeypatch.setattr(config_module, "settings_of", noisy)
    assert run("config", "show").err == "warning: a\\x1b[31m b\n"


# ------------------------------------------------------------------ errors and ends


def test_markup_in_a_message_is_only_text(run: Callable[..., Any], tmp_path: Path) -> None:
    """Square brackets and escapes of a file name reach the terminal as characters."""
    name = tmp_path / "[bold]x[/bold]\x1b[31m"
    done = run("config", "show", "--config", name)
    assert "[bold]x[/bold]\\x1b[31m" in done.err
    assert "\x1b" not in done.err


def test_colour_is_for_terminals_and_no_color_wins(
    on_a_terminal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors are coloured on a terminal, and never with NO_COLOR."""
    assert "\x1b[" in on_a_terminal("nonsense").err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in on_a_terminal("nonsense").err


def test_every_finding_of_a_certificate_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """An identity error lists the other errors too; each once."""
    findings = (Finding("a", "it is a seal"), Finding("b", "it has expired"))
    code = failures.report(UsageError("it is a seal (and 1 more finding)", hint="Renew.", findings=findings))
    assert code == 3
    assert capsys.readouterr().err == (
        "error: it is a seal (and 1 more finding)\n also: it has expired\n hint: Renew.\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(28, "No space left on device", "/x"), 2, "error: /x: No space left on device"),
        (OSError("odd"), 2, "error: odd"),
        (ImportError("No module named 'x'"), 2, "error: this installation is incomplete: No module named 'x'"),
        (click.ClickException("odd"), 2, "error: odd\n hint: See ror-sante --help."),
        (BrokenPipeError(), 141, ""),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (SystemExit("text"), 70, ""),
        (SystemExit(143), 143, ""),
        (MemoryError(), 70, "error: a fault of ror-sante itself: MemoryError\n"),
    ],
)
def test_every_end_has_its_code(
    error: BaseException,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Files are 2, Ctrl-C 130, SIGTERM 143, faults 70."""
    assert failures.report(error) == code
    assert capsys.readouterr().err.startswith(words)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`ror-sante ... | head -0` ends quietly, as SIGPIPE would end it."""
    command = f"{shlex.quote(sys.executable)} -m ror_sante config show; echo $? >{tmp_path}/code"
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(["sh", "-c", command], stdout=writer, stderr=subprocess.PIPE, timeout=30, check=True)
    finally:
        os.close(writer)
    assert done.stderr == b""
    assert (tmp_path / "code").read_text() == "141\n"


@pytest.mark.parametrize(
    ("kind", "code"), [(ConfigurationError, 2), (Pkcs12Error, 3), (UnreachableError, 4), (ApiError, 5)]
)
def test_an_error_without_a_hint_gets_the_one_of_its_family(
    kind: type[RorError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is always a next step."""
    assert failures.report(kind("odd")) == code
    assert " hint: `ror-sante " in capsys.readouterr().err


def test_an_error_may_be_told_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a hint there is no empty line for it."""
    failures.tell("odd")
    assert capsys.readouterr().err == "error: odd\n"


def test_a_narrow_encoding_shows_what_it_lacks(spawn: Callable[..., Any], files: Any) -> None:
    """On a terminal without Unicode nothing fails: what it cannot show is escaped."""
    path = files.write('[rorn]\nclient_id = "é✔"')
    done = spawn("config", "show", "--config", path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert 'rorn.client_id = "\\xe9\\u2714"' in done.stdout


def test_main_writes_to_any_text_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that embeds the command may give a StringIO for stdout."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["--version"]) == 0
    assert out.getvalue() == f"ror-sante {__version__}\n"


def test_main_works_in_a_thread() -> None:
    """Only the main thread may set signal handlers; another runs the command without."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["--version"])))
    thread.start()
    thread.join(10)
    assert codes == [0]


def test_sigterm_ends_with_143_and_its_handler_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM unwinds the command; afterwards the process has its own handler again."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(config_module, "settings_of", lambda *_: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(5)))
    assert main(["config", "show"]) == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGINT ends the command without a trace."""
    monkeypatch.setattr(config_module, "settings_of", lambda *_: (os.kill(os.getpid(), signal.SIGINT), time.sleep(5)))
    assert main(["config", "show"]) == 130


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "code"), [("config show", 0), ("--config none config show", 2)])
def test_closed_streams_change_no_exit_code(tmp_path: Path, closing: str, words: str, code: int) -> None:
    """Daemons start programs without stdin, stdout or stderr."""
    command = f"{shlex.quote(sys.executable)} -m ror_sante {words} {closing}; echo $? >{tmp_path}/code"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=30, check=True)
    assert (tmp_path / "code").read_text() == f"{code}\n"
    assert b"fault" not in done.stderr


def test_a_closed_stream_becomes_the_null_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has None there, on which every look at a stream would fail."""
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["--version"]) == 0
    with contextlib.closing(sys.stdin) as opened:
        assert opened.name == os.devnull


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", ""])
def test_a_full_stderr_leaves_the_exit_code(locale: str) -> None:
    """Where nothing can be told, the code still is; the interpreter's last flush does not make it 120."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "ror_sante", "--config", "none", "config", "show"]
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
        environ |= {"LC_ALL": locale} if locale else {}
        assert subprocess.run(command, stderr=full, timeout=30, check=False, env=environ).returncode == 2


@pytest.mark.parametrize("name", ["ror_sante.cli.root", "ror_sante.cli.failures"])
def test_ctrl_c_during_the_imports_is_130_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nothing more is imported then: a library may be there by half."""
    real = builtins.__import__

    def interrupted(module: str, *rest: Any) -> Any:
        if module == name:
            raise KeyboardInterrupt
        if module == "ror_sante.cli.failures":
            raise AttributeError("half imported")
        return real(module, *rest)

    monkeypatch.delitem(sys.modules, "ror_sante.cli.config", raising=False)
    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert main(["config", "show"]) == 130
