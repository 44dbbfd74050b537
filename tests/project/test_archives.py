"""The wheel and the source archive hold what they must and nothing else."""

from __future__ import annotations

import email
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ror_sante

if TYPE_CHECKING:
    from email.message import Message

VERSION = ror_sante.__version__


@pytest.fixture(scope="module")
def archives(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both archives as a release does, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--target", "sdist", "--directory"]
    run = subprocess.run([*build, folder], cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(archives: Path) -> zipfile.ZipFile:
    """Give the wheel."""
    with zipfile.ZipFile(archives / f"ror_sante-{VERSION}-py3-none-any.whl") as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """Give the wheel's metadata."""
    return email.message_from_bytes(wheel.read(f"ror_sante-{VERSION}.dist-info/METADATA"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile, root: Path) -> None:
    """Each file of src/ror_sante, the metadata, and the licence: no tests, no keys, no caches."""
    source = root / "src"
    package = {
        path.relative_to(source).as_posix()
        for path in (source / "ror_sante").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    about = {f"ror_sante-{VERSION}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    assert set(wheel.namelist()) == package | about | {f"ror_sante-{VERSION}.dist-info/licenses/LICENSE"}


def test_the_wheel_holds_the_authorities_and_the_type_marker(wheel: zipfile.ZipFile) -> None:
    """The four certificates of the IGC-Santé and py.typed travel with the package."""
    wanted = {f"ror_sante/pki/data/{name}.pem" for name in ("ACR-EL", "ACI-EL-ORG", "ACR-EL-TEST", "ACI-EL-ORG-TEST")}
    assert {*wanted, "ror_sante/py.typed"} <= set(wheel.namelist())


def test_no_archive_holds_a_private_key(wheel: zipfile.ZipFile, archives: Path) -> None:
    """Neither a P12 nor a key lies in what is published."""
    with tarfile.open(archives / f"ror_sante-{VERSION}.tar.gz") as source:
        names = [*wheel.namelist(), *source.getnames()]
        keys = [name for name in names if Path(name).suffix in {".p12", ".pfx", ".key", ".jks"}]
        data = [wheel.read(name) for name in wheel.namelist() if name.endswith(".pem")]
    assert keys == []
    assert not any(b"PRIVATE KEY" in text for text in data)


def test_the_metadata_says_what_the_package_needs(metadata: Message) -> None:
    """Python 3.11 or newer, the extras by name, and no library of the development."""
    needs = metadata.get_all("Requires-Dist") or []
    assert metadata["Requires-Python"] == ">=3.11"
    assert "testing" in (metadata.get_all("Provides-Extra") or [])
    assert any(need.startswith("requests>=2.32.3") for need in needs)
    assert not any(need.startswith(("pytest>", "mypy", "ruff", "truststore")) for need in needs)


def test_the_readme_is_the_description(metadata: Message, root: Path) -> None:
    """The page that a package index shows is the README."""
    assert metadata.get_payload(decode=True) == (root / "README.md").read_bytes()


def test_the_wheel_installs_the_command_and_the_plugin(wheel: zipfile.ZipFile) -> None:
    """The entry points are the command and the pytest plugin."""
    text = wheel.read(f"ror_sante-{VERSION}.dist-info/entry_points.txt").decode()
    assert "ror-sante = ror_sante.cli:main" in text
    assert "ror-sante = ror_sante.pytest_plugin" in text


def test_the_source_archive_can_be_tested(archives: Path, root: Path) -> None:
    """The source archive holds the tests and everything they look at, and no local leftovers."""
    with tarfile.open(archives / f"ror_sante-{VERSION}.tar.gz") as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    wanted = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "Makefile",
        "tests/conftest.py",
        "docs/index.md",
    }
    assert wanted <= names
    assert {name.partition("/")[0] for name in names} <= {path.name for path in root.iterdir()} | {"PKG-INFO"}
    assert not any(name.startswith((".venv", "site", "dist", "certs-test/out")) for name in names)
