"""Write what the documentation takes from the command: the reference page, and the sessions shown in the README."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from ror_sante.cli.root import root
from ror_sante.diagnosis.causes import ACCIDENTS, CAUSES, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 100
HERE = Path(__file__).parent
PAGE = HERE / "command-reference.md"
TROUBLES = HERE / "troubleshooting.md"
# The table that stands between two marks of the troubleshooting page, by the word of the marks.
TABLES = {"causes": (("cause", "cause"), CAUSES), "accidents": (("what is seen", "constat"), ACCIDENTS)}
README = HERE.parent / "README.md"
HEAD = """# Command reference

This page is written from the help texts by `make reference`. [The command](command.md) is the guided tour.
"""


def walk(here: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Give every command as its words, each group before its children."""
    yield words
    if isinstance(here, click.Group):
        context = click.Context(here)
        for name in here.list_commands(context):
            if child := here.get_command(context, name):
                yield from walk(child, (*words, name))


def help_text(words: tuple[str, ...]) -> str:
    """Give one help page, at a fixed width and without colour."""
    program, *rest = words
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(root, [*rest, "--help"], prog_name=program, terminal_width=WIDTH)
    if result.exit_code:
        raise SystemExit(f"{' '.join(words)} --help ended with {result.exit_code}: {result.output}")
    return trimmed(result.output)


def trimmed(text: str) -> str:
    """Drop the spaces that end lines and the text."""
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def reference() -> str:
    """Write the reference page."""
    parts = [HEAD]
    for words in walk(root, ("ror-sante",)):
        parts.append(f"## {' '.join(words)}\n\n```text\n{help_text(words)}\n```\n")
    return "\n".join(parts)


def readme() -> str:
    """Write the README with each ``$`` line of its console blocks followed by what the command prints today."""
    text = README.read_text(encoding="utf-8")
    return re.sub(r"```console\n(.*?)```", lambda block: f"```console\n{session(block[1])}```", text, flags=re.DOTALL)


def session(block: str) -> str:
    """Run the ``$`` lines of one block; what differs only from run to run leaves it as it is."""
    lines = re.findall(r"^\$ (ror-sante .*)$", block, flags=re.MULTILINE)
    today = "\n".join(f"$ {line}\n{printed(line)}\n" for line in lines)
    return block if plain(block) == plain(today) else today


def plain(text: str) -> str:
    """Take out what differs from run to run: durations, digests, numbers, spacing."""
    text = re.sub(r"<?\d+(\.\d+)? m?s\b", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text)
    return re.sub(r"\s+", " ", re.sub(r"\d+", "0", text)).strip()


def printed(line: str) -> str:
    """Run one command as a program and give what it prints."""
    _, *arguments = shlex.split(line)
    run = subprocess.run(
        [sys.executable, "-m", "ror_sante", *arguments],
        env=os.environ | {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=True,
    )
    return trimmed(run.stdout)


def troubleshooting() -> str:
    """Write the troubleshooting page with the tables of causes and of accidents, in English and in French."""
    text = TROUBLES.read_text(encoding="utf-8")
    for name, (titles, texts) in TABLES.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n\n{both(titles, texts)}\n\n{end}{rest.partition(end)[2]}"
    return text


def both(titles: tuple[str, str], texts: dict[str, Words]) -> str:
    """Write the table of some texts in English, and in French."""
    english = [(code, words.title_en, words.next_en) for code, words in texts.items()]
    french = [(code, words.title_fr, words.next_fr) for code, words in texts.items()]
    tables = table(("code", titles[0], "what to do"), english), table(("code", titles[1], "que faire"), french)
    return f"{tables[0]}\n\n### En français\n\n{tables[1]}"


def table(head: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    """Write a Markdown table, the first column as code."""
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join((f"`{code}`", *words)) for code, *words in rows]
    return "\n".join(f"| {line} |" for line in lines)


def main() -> int:
    """Write all, or with ``--check`` say whether the generated pages are those that would be written."""
    text = reference()
    causes = troubleshooting()
    if "--check" not in sys.argv[1:]:
        TROUBLES.write_text(causes, encoding="utf-8")
        PAGE.write_text(text, encoding="utf-8")
        README.write_text(readme(), encoding="utf-8")
        return 0
    if TROUBLES.read_text(encoding="utf-8") != causes:
        print("docs/troubleshooting.md is not what the table of causes says: run make reference", file=sys.stderr)  # noqa: T201  a command's own output
        return 1
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/command-reference.md is not what the help texts say: run make reference", file=sys.stderr)  # noqa: T201  a command's own output
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
