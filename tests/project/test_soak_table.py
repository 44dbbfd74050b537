"""What long counts found is written by the tests that counted, and by nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.soak import COLUMNS, FAILED, Row, Table

SUITE = """
import pytest

@pytest.mark.soak
def test_long(soak):
    soak("pulled the plug", tried=200, good={good}, went_on=187)

def test_short(soak):
    soak("not a long count", tried=10, good=10)

@pytest.mark.soak
def test_other(soak):
    soak("a cell | with a bar", tried=2, good=2)
"""
Run = Callable[..., tuple[int, list[Row]]]


@pytest.fixture
def run(tmp_path: Path, root: Path) -> Run:
    """Run a suite of its own in a process of its own; give its exit code and the rows of the table."""

    def suite(*words: str, good: int = 200) -> tuple[int, list[Row]]:
        (tmp_path / "test_suite.py").write_text(SUITE.replace("{good}", str(good)))
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  soak: long\n")
        argv = ["-m", "pytest", "-q", "-p", "tests.support.soak", "-p", "no:cacheprovider"]
        run = subprocess.run(
            [sys.executable, *argv, "--rootdir", tmp_path, "--soak-table", tmp_path / "SOAK.md", *words, tmp_path],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        assert run.returncode in (0, 1), run.stdout + run.stderr
        lines = (tmp_path / "SOAK.md").read_text(encoding="utf-8").splitlines()
        return run.returncode, [row for row in map(Row.read, lines) if row]

    return suite


@pytest.mark.parametrize("words", [(), ("-p", "xdist", "-n", "2")], ids=["one process", "xdist"])
def test_a_long_count_leaves_a_row(run: Run, words: tuple[str, ...]) -> None:
    """What, how often, and what happened; a test without the mark leaves none."""
    code, rows = run(*words)
    assert code == 0
    assert [(row.what, row.tried, row.good, row.happened) for row in rows] == [
        ("pulled the plug", "200", "200", "went on 187"),
        ("a cell / with a bar", "2", "2", ""),
    ]


def test_a_count_that_is_not_as_it_must_be_fails_and_says_so_in_the_table(run: Run) -> None:
    """A good row of a run before does not stay in its place."""
    assert run()[0] == 0
    code, rows = run("-k", "test_long", good=199)
    assert code == 1
    found = [(row.what, row.good) for row in rows if "test_long" in row.test]
    assert found == [(FAILED, ""), ("pulled the plug", "199")]


def test_a_run_of_one_test_leaves_the_rows_of_the_others(run: Run) -> None:
    """Each area is counted when its owner has the time."""
    before = run()[1]
    after = run("-k", "test_other")[1]
    assert len(after) == len(before) == 2


def test_of_two_rows_that_a_merge_left_the_later_stands(tmp_path: Path) -> None:
    """The lines of both branches are there, in any order."""
    path = tmp_path / "SOAK.md"
    older, newer = (f"| pulled the plug | 2 | 2 | | 1 | 2026-01-0{day} | 3.11.1 | t.py::test_a |" for day in (1, 2))
    path.write_text(f"{newer}\n{older}\n", encoding="utf-8")
    table = Table(path)
    table.take("t.py::test_b", [Row("t.py::test_b", "other", "1", "1", "", "1", "2026-01-01", "3.11.1")])
    table.write()
    rows = [row for row in map(Row.read, path.read_text(encoding="utf-8").splitlines()) if row]
    assert [(row.test, row.on) for row in rows] == [("t.py::test_a", "2026-01-02"), ("t.py::test_b", "2026-01-01")]


def test_the_committed_table_was_made_by_whole_runs(root: Path) -> None:
    """No row of it failed or is there twice, and each names a test that is there."""
    table = root / "benchmarks" / "SOAK.md"
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(Row.read, lines) if row]
    assert len(rows) == sum(line.startswith("| ") for line in lines) - 2  # its head, and nothing else
    assert len({(row.test, row.what) for row in rows}) == len(rows), "a merge left a row twice: make soak drops one"
    assert all(row.what != FAILED and row.tried == row.good for row in rows)
    for row in rows:
        path, _, name = row.test.partition("::")
        assert re.search(rf"^\s*def {re.escape(name.partition('[')[0])}\(", (root / path).read_text(), re.M), row.test
    assert len(COLUMNS) == 8
