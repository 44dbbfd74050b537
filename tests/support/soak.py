"""A fixture by which a test says what it counted, and the committed table that ``make soak`` makes of it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

HEAD = """\
# Long counts

Written by `make soak`, a row by the test that counted it; a run of some of the tests replaces their rows alone
(`make soak PYTEST_ARGS=tests/sync`). A seeded twentieth of each count runs in the quick suite.
"""
COLUMNS = ("what", "tried", "as it must be", "what happened", "s", "on", "Python", "test")
FAILED = "FAILED"
_PROPERTY = "soak"
_TABLE = pytest.StashKey["Table"]()

Tell = Callable[..., None]


@dataclass(frozen=True, order=True)
class Row:
    """One line of the table, as words."""

    test: str
    what: str
    tried: str
    good: str
    happened: str
    seconds: str
    on: str
    python: str

    def __str__(self) -> str:
        test, *others = astuple(self)
        return f"| {' | '.join([*others, test])} |"

    @classmethod
    def read(cls, line: str) -> Row | None:
        """Read a line of the table; None when it is no row of ours."""
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != len(COLUMNS) or "::" not in cells[-1]:
            return None
        *others, test = cells
        return cls(test, *others)


class Table:
    """The rows of a file, and those of a run on top of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        rows = sorted((row for row in map(Row.read, lines) if row is not None), key=lambda row: row.on)
        # A merge of two branches keeps the lines of both (.gitattributes): the later count of a test stands.
        self._rows = [*{(row.test, row.what): row for row in rows}.values()]
        self._seen: set[str] = set()

    def take(self, test: str, rows: Iterable[Row]) -> None:
        """Put the rows of a test in the place of those that it had."""
        if test not in self._seen:
            self._seen.add(test)
            self._rows = [row for row in self._rows if row.test != test]
        self._rows += rows

    def write(self) -> None:
        """Write the file, when there is something new."""
        if not self._seen:
            return
        head = [f"| {' | '.join(COLUMNS)} |", "| --- | --: | --: | --- | --: | --- | --- | --- |"]
        body = "\n".join([*head, *map(str, sorted(self._rows))])
        self._path.write_text(f"{HEAD}\n{body}\n", encoding="utf-8")


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> Tell:
    """Say what was counted, and check it: ``soak("killed at random points", tried=200, good=200, resumed=187)``.

    The test fails unless `tried` and `good` are equal; further numbers tell what happened. Several calls make several
    rows. Without the mark ``soak`` on the test it checks and writes nothing down.
    """
    began = time.monotonic()
    marked = request.node.get_closest_marker("soak") is not None

    def tell(what: str, *, tried: int, good: int, **happened: object) -> None:
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in happened.items())
        took = f"{time.monotonic() - began:.0f}"
        cells = (what, str(tried), str(good), told, took, f"{datetime.now(UTC):%Y-%m-%d}", platform.python_version())
        if marked:
            request.node.user_properties.append((_PROPERTY, [cell.replace("|", "/") for cell in cells]))
        assert good == tried, f"{what}: {good} of {tried} as it must be"

    return tell


# ------------------------------------------------------------------ hooks


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take ``--soak-table FILE``."""
    parser.addoption("--soak-table", type=Path, metavar="FILE", help="write what soak tests counted into this table")


def pytest_configure(config: pytest.Config) -> None:
    """Read the table; a worker of xdist leaves that to the process that gathers the reports."""
    path = config.getoption("--soak-table")
    if path is not None and not hasattr(config, "workerinput"):
        config.stash[_TABLE] = Table(path)
        config.pluginmanager.register(_Gatherer(config.stash[_TABLE]), "soak-table")


class _Gatherer:
    """Takes rows out of reports, which travel between processes by themselves."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the rows of a test that ended; one that failed leaves a row that says so."""
        if "soak" not in report.keywords or (report.when != "call" and report.passed):
            return
        rows = [Row(report.nodeid, *cells) for name, cells in report.user_properties if name == _PROPERTY]
        if report.failed:
            today = f"{datetime.now(UTC):%Y-%m-%d}"
            rows.append(Row(report.nodeid, FAILED, "", "", "", "", today, platform.python_version()))
        self._table.take(report.nodeid, rows)

    def pytest_sessionfinish(self) -> None:
        """Write the table."""
        self._table.write()
