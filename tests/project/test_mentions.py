"""What a user meets is in the documentation."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import msgspec
import pytest

import ror_sante
from ror_sante import errors, settings
from ror_sante.cli.root import root as command
from ror_sante.cli.verb import CODES
from ror_sante.tls.faults import ALERTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def leaves(here: click.Command, words: str = "ror-sante") -> Iterator[str]:
    """Give every command that does something, as its words."""
    if not isinstance(here, click.Group):
        yield words
        return
    context = click.Context(here)
    for name in here.list_commands(context):
        child = here.get_command(context, name)
        assert child is not None
        yield from leaves(child, f"{words} {name}")


ERRORS = [name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.RorError)]
TABLES = [
    kind
    for kind in (getattr(settings, name) for name in settings.__all__)
    if inspect.isclass(kind) and issubclass(kind, settings.Table)
]


@pytest.mark.parametrize("words", list(leaves(command)))
def test_every_command_is_in_the_tour(words: str, root: Path) -> None:
    """Each command is shown in the page that walks through them."""
    assert f"`{words}`" in (root / "docs/command.md").read_text(encoding="utf-8")


def test_each_requirement_of_the_procedure_is_seen_to(root: Path) -> None:
    """Every row of the guide's table names a command that exists, a test that exists, or a human act."""
    page = (root / "docs/certificate-life.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:introduction|1|2|3|life) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert len(rows) == 41
    commands = list(leaves(command))
    for said, how in rows:
        named = re.findall(r"`([^`]+)`", how)
        tests = [name.partition("::") for name in named if name.startswith("tests/")]
        for file, _, test in tests:
            assert f"def {test}" in (root / file).read_text(encoding="utf-8"), how
        verbs = [name for name in named if name.startswith("ror-sante ")]
        assert all(any(f"{name} ".startswith(f"{known} ") for known in commands) for name in verbs), how
        assert tests or verbs or "human act" in how, said


def test_the_command_reference_is_what_the_help_says(root: Path) -> None:
    """docs/command-reference.md was written from the help texts of today."""
    run = subprocess.run(
        [sys.executable, root / "docs/generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("code", CODES)
def test_every_exit_code_is_documented(code: int, root: Path) -> None:
    """Each exit code has a row in its page, and one in the runbook."""
    for page in ("docs/exit-codes.md", "docs/operate.md"):
        assert f"\n| {code} | " in (root / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", settings.VARIABLES)
def test_every_variable_is_documented(name: str, root: Path) -> None:
    """Each ROR_SANTE_* variable has its place in the settings page."""
    assert f"`{name}`" in (root / "docs/settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_settings_key_is_documented(table: type[msgspec.Struct], root: Path) -> None:
    """Each key of the settings file has its place in the settings page."""
    page = (root / "docs/settings.md").read_text(encoding="utf-8")
    hidden = {"source", "passphrase"}  # set by the loader, and by a variable alone
    for name in set(table.__struct_fields__) - hidden:
        assert f"`{name}`" in page or f"[{name}" in page or f".{name}`" in page, name


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_documented(name: str, root: Path) -> None:
    """Each class of the error tree has its place in the errors page."""
    assert f"`{name}`" in (root / "docs/errors.md").read_text(encoding="utf-8") or name == "RorError"


def test_every_finding_is_documented(root: Path) -> None:
    """Each code of a finding has its place in the page about the certificate."""
    page = (root / "docs/certificate.md").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in (root / "src/ror_sante/pki").glob("*.py"))
    codes = set(re.findall(r'\bFinding\(\s*"([a-z-]+)"', sources))
    assert len(codes) > 10
    assert {code for code in codes if f"`{code}`" not in page} == set()


@pytest.mark.parametrize("alert", sorted(set(ALERTS) - {"unrecognized_name", "certificate_unknown"}))
def test_every_alert_about_us_is_in_troubleshooting(alert: str, root: Path) -> None:
    """A TLS alert that names our certificate as the culprit has a row."""
    assert f"`{alert}`" in (root / "docs/troubleshooting.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in ror_sante.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name: str, documentation: str) -> None:
    """Each name that the package exports occurs in the documentation."""
    assert name in documentation


def test_no_page_holds_the_marks_of_a_merge(root: Path, documentation: str) -> None:
    """Two versions of a paragraph, one under the other, are no documentation."""
    pages = documentation + (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert not re.findall(r"^(?:<{7}|={7}$|>{7}).*", pages, re.MULTILINE)
