"""Each file of examples/ runs, against the simulator, without settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("0*.py"))

# A word of what each prints, so that an example that does nothing is noticed.
SAYS = {
    "01_first_search.py": "services",
    "02_session_in_an_existing_app.py": "organizations",
    "04_behind_a_proxy.py": "CONNECT localhost:",
    "05_key_plus_intermediate.py": "complete",
    "06_nightly_copy.py": "\ndelta: ",
    "07_renewal.py": "2 tokens: each",
    "08_all_regions.py": "18 of 18 regions answered, ",
    "09_annuaire_copy.py": "Device: 0 came, 1 went, 4 in the database",
}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=EXAMPLES, capture_output=True, text=True, check=False, timeout=60
    )


def test_every_program_is_known() -> None:
    """A new example gets its expectation here."""
    assert set(PROGRAMS) == set(SAYS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_runs(name: str) -> None:
    """It ends with 0, says nothing on stderr, and prints its result."""
    done = run(name)
    assert (done.returncode, done.stderr) == (0, "")
    assert SAYS[name] in done.stdout


def test_the_example_suite_passes() -> None:
    """The example of a user's test suite passes, and holds tests."""
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "03_pytest_suite")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
