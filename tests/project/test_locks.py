"""The locked requirements are whole, agree with one another, and name no host."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from pathlib import Path

LOCKS = ("build", "ci", "dev", "oldest", "runtime")


def pins(root: Path, name: str) -> dict[str, set[str]]:
    """Give each locked library with its versions: more than one where a marker chooses."""
    found: dict[str, set[str]] = {}
    for line in (root / f"requirements/{name}.txt").read_text(encoding="utf-8").splitlines():
        if pin := re.match(r"([a-z0-9-]+)==(\S+)", line):
            found.setdefault(pin[1], set()).add(pin[2])
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host(name: str, root: Path) -> None:
    """A lock file holds libraries and hashes: no address, no option, no comment."""
    for line in (root / f"requirements/{name}.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==\S+( ; [^:]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


@pytest.mark.parametrize("name", ["build", "ci", "runtime"])
def test_the_locks_agree(name: str, root: Path) -> None:
    """A library has the same version for the tests, for CI and for the development."""
    development = pins(root, "dev")
    for library, versions in pins(root, name).items():
        assert versions <= development[library], library


def test_the_oldest_libraries_are_the_lower_bounds(root: Path) -> None:
    """The lock of the oldest libraries takes requests and urllib3 at the bounds that pyproject.toml promises."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {need.name: str(need.specifier) for need in map(Requirement, project["dependencies"])}
    oldest = pins(root, "oldest")
    for library in ("requests", "urllib3"):
        (version,) = oldest[library]
        assert f">={version}" in bounds[library].split(",")


def test_every_runtime_library_is_locked(root: Path) -> None:
    """What the package asks for, extras included, is in the lock that the demo and the list of components use."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]
    locked = pins(root, "runtime")
    for need in map(Requirement, needs):
        assert all(need.specifier.contains(version) for version in locked[need.name.lower()]), need
