"""The public names are few, sorted, and cheap to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ror_sante


def test_the_list_of_public_names_is_sorted() -> None:
    """``__all__`` is in order, so that a change to it is easy to see."""
    assert list(ror_sante.__all__) == sorted(ror_sante.__all__)


def test_every_public_name_exists() -> None:
    """Each name of ``__all__`` can be reached, the simulator's included."""
    for name in ror_sante.__all__:
        assert getattr(ror_sante, name) is not None


def test_nothing_public_is_left_out() -> None:
    """What the package's module holds without an underscore is in ``__all__``, submodules aside."""
    found = {name for name in vars(ror_sante) if name[0] not in "_@"}  # "@": what pytest puts in
    modules = {name for name in found if f"ror_sante.{name}" in sys.modules}
    assert found - modules - {"annotations", "TYPE_CHECKING"} <= set(ror_sante.__all__)


def test_completion_knows_every_public_name() -> None:
    """``dir()`` lists the names that are imported when they are first asked for."""
    assert set(ror_sante.__all__) <= set(dir(ror_sante))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A slip is reported as Python does for any module."""
    with pytest.raises(AttributeError, match="NationalRor"):
        _ = ror_sante.NationalRor


def modules_after(statement: str) -> set[str]:
    """Give the modules that a statement brings into a fresh interpreter; one that is measured holds some before."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


HEAVY = {"certifi", "click", "cryptography", "keyring", "msgspec", "pytest", "requests", "rich", "ssl", "urllib3"}


def test_importing_the_package_costs_next_to_nothing() -> None:
    """The package alone brings none of the libraries it stands on."""
    assert not HEAVY & modules_after("import ror_sante")


def test_a_client_is_imported_without_the_command_and_the_extras() -> None:
    """The clients bring neither the command's libraries, nor an extra, nor a test tool."""
    foreign = {"click", "keyring", "pytest", "pytest_httpserver", "rich", "werkzeug"}
    assert not foreign & modules_after("from ror_sante import NationalRorClient, SmokeTest")


UNUSED = {
    "ror_sante.diagnosis": "the smoke test",
    "ror_sante.pki.bags": "the outline of a P12",
    "ror_sante.pki.dn": "the names of authorities in a receipt",
    "ror_sante.pki.pem": "PEM, DER and PKCS#7",
    "ror_sante.pki.pkcs12": "the P12",
    "ror_sante.settings.tables": "the settings",
    "ror_sante.simulator": "the simulator",
    "ror_sante.sync": "whole copies",
    "ror_sante.tls.probe": "the connection after one that failed",
    "email.generator": "PKCS#7",
    "html": "the titles of error pages",
    "http.server": "the simulator",
}


@pytest.mark.parametrize("name", ["NationalRorClient", "InterRorClient", "AnnuaireSanteClient"])
def test_a_client_that_is_not_yet_used_brings_no_reader_of_what_it_may_meet(name: str) -> None:
    """What reads files, settings and failures is imported when the first of them is there: a start stays quick."""
    loaded = modules_after(f"from ror_sante import {name}, ClientIdentity, Environment, SessionFactory, TrustAnchor")
    assert not UNUSED.keys() & loaded
    assert "ror_sante.http.session" in loaded


def test_the_version_is_shown_without_the_connection() -> None:
    """``ror-sante --version`` loads click and nothing that connects."""
    loaded = modules_after("from ror_sante.cli import main; main(['--version'])")
    assert not (HEAVY - {"click"}) & loaded


def test_the_simulator_is_imported_when_it_is_asked_for() -> None:
    """The first use of `Simulator` imports it."""
    assert "ror_sante.simulator.server" in modules_after("from ror_sante import Simulator")


def test_the_simulator_knows_nothing_of_pytest() -> None:
    """The simulator also runs outside of a test suite: it does not import pytest."""
    assert "pytest" not in modules_after("import ror_sante.simulator.server")


def test_python_runs_the_package() -> None:
    """``python -m ror_sante --version`` says the version and ends with 0."""
    run = subprocess.run([sys.executable, "-m", "ror_sante", "--version"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert ror_sante.__version__ in run.stdout
