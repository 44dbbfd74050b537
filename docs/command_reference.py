"""Write docs/command-reference.md from the help texts of the command, or compare the two with --check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from ror_sante.cli.root import root

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).with_name("command-reference.md")
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
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(root, [*rest, "--help"], prog_name=program, terminal_width=100)
    if result.exit_code:
        raise SystemExit(f"{' '.join(words)} --help ended with {result.exit_code}: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.rstrip().splitlines())


def page() -> str:
    """Write the whole page."""
    parts = [HEAD]
    for words in walk(root, ("ror-sante",)):
        parts.append(f"## {' '.join(words)}\n\n```text\n{help_text(words)}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or say whether it is the one that would be written."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/command-reference.md is not what the help texts say: run make reference", file=sys.stderr)  # noqa: T201  a command's own output
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
