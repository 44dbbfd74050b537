"""Nothing is switched off without a reason beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("src", "tests", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if path != Path(__file__)  # it holds bad ones on purpose
)

REASON = r"\s+(#\s*)?\w.{7,}"
GOOD = re.compile(
    rf"#\s*noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*{REASON}"
    rf"|#\s*type: ignore\[[a-z-]+(, ?[a-z-]+)*\]{REASON}"
    rf"|#\s*pragma: no (cover|branch){REASON}"
)
SWITCH = re.compile(r"#\s*(noqa|type: ignore|pragma: no)\b")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_an_ignore_has_a_code_and_a_reason(path: Path) -> None:
    """Each noqa and type: ignore names its rule, and each of them and each pragma says why."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if SWITCH.search(line):
            assert GOOD.search(line), f"line {number}: {line.strip()}"


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("x = 1  # noqa: S105  a path, not a secret", True),
        ("x = 1  # noqa: S105", False),
        ("x = 1  # noqa", False),
        ("x = y  # type: ignore[attr-defined]  # private in CPython", True),
        ("x = y  # type: ignore", False),
        ("if x:  # pragma: no cover  other systems only", True),
        ("if x:  # pragma: no cover", False),
    ],
)
def test_what_counts_as_a_reason(line: str, good: bool) -> None:
    """A code alone is not a reason."""
    assert bool(GOOD.search(line)) is good
