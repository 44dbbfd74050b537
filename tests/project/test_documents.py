"""The code blocks of the README and of docs/ are run as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from docs.generate import plain
from ror_sante.cli import main
from ror_sante.cli.root import root
from ror_sante.settings import load_settings

if TYPE_CHECKING:
    from sybil import Example

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])

run_python = PythonEvaluator()


def evaluate_python(example: Example) -> str | None:
    """Run a block in the namespace of its page; a block that holds tests is given to pytest."""
    return run_suite(example) if "\ndef test_" in f"\n{example.parsed}" else run_python(example)


def run_suite(example: Example) -> str | None:
    folder: Path = example.namespace["folder"]
    file = folder / f"test_line_{example.line}.py"
    file.write_text(example.parsed)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return None if run.returncode == 0 else run.stdout + run.stderr


def evaluate_toml(example: Example) -> str | None:
    """Read a block as the settings file."""
    file = example.namespace["folder"] / f"line-{example.line}.toml"
    file.touch(0o600)
    file.write_text(example.parsed, encoding="utf-8")
    load_settings(file, environ={})
    return None


def evaluate_console(example: Example) -> str | None:
    """Run each ``$ ror-sante`` line of a block and compare what it prints; ``...`` stands for any text."""
    _, *sessions = re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)
    for session in sessions:
        line, _, expected = session.partition("\n")
        printed = run_command(line, example.namespace["capsys"])
        if not matches(expected, printed):
            return f"$ {line}\nprinted:\n{printed}\nwhile the page says:\n{expected}"
    return None


def run_command(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    program, *arguments = shlex.split(line)
    assert program == "ror-sante"
    capsys.readouterr()
    main(arguments)
    said = capsys.readouterr()
    return said.err + said.out


def matches(expected: str, printed: str) -> bool:
    """Compare with numbers, widths and ``...`` left open."""
    pattern = ".*".join(re.escape(plain(part)) for part in expected.split("..."))
    return re.fullmatch(pattern, plain(printed), re.DOTALL) is not None


def evaluate_sh(example: Example) -> str | None:
    """Parse each ``ror-sante`` line of a block as the command would, and go no further."""
    for line in example.parsed.splitlines():
        words = shlex.split(re.split(r" [>|] ", line.strip())[0], comments=True)
        if words[:1] == ["ror-sante"]:
            parse(root, words[1:])
    return None


def parse(here: click.Command, words: list[str]) -> None:
    """Follow the words down to a command and let it parse its options."""
    context = here.make_context(here.name, list(words))
    if isinstance(here, click.Group) and "--help" not in words:
        name, child, rest = here.resolve_command(context, [*context._protected_args, *context.args])
        assert child is not None, name
        parse(child, rest)


sybil = Sybil(
    [
        CodeBlockParser("python", evaluate_python),
        CodeBlockParser("toml", evaluate_toml),
        CodeBlockParser("console", evaluate_console),
        CodeBlockParser("sh", evaluate_sh),
    ]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_of_a_page_run_as_printed(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python blocks run, settings load, and commands exist and print what the page says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("client.p12", "client.pass"):
        (tmp_path / name).touch()
    document = sybil.parse(page)
    document.namespace.update(folder=tmp_path, capsys=capsys)
    for example in document.examples():
        example.evaluate()


def test_the_quick_start_is_short() -> None:
    """The first Python block of the README has fewer than 40 lines."""
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert block[1].count("\n") < 40


def test_the_pages_name_no_machine() -> None:
    """No page holds a path of somebody's machine."""
    for page in PAGES:
        assert not re.search(r"/(root|home|Users)/\w", page.read_text(encoding="utf-8")), page.name
        assert os.fspath(ROOT) not in page.read_text(encoding="utf-8")
