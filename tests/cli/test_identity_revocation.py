"""`identity revocation`: the verdict, its exit code, and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ror_sante.simulator.pki import SimulatorPki
from tests.support.authority import crl_of


@pytest.fixture
def lists(files: Any, pki: SimulatorPki, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write the certificate, and the lists of both authorities; give the arguments that name them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(files.folder / "cache"))
    issued, at = pki.client(), datetime.now(UTC).replace(microsecond=0)
    (files.folder / "client.pem").write_bytes(issued.pem_chain())
    (files.folder / "client.p12").write_bytes(pki.p12(issued, "nobody says it"))

    def write(*, revoked: bool = False, life: bool = True) -> list[str | Path]:
        listed = (issued.certificate,) if revoked else ()
        (files.folder / "aci.crl").write_bytes(crl_of(pki.intermediate, at=at, revoked=listed) if life else b"<html>")
        (files.folder / "acr.crl").write_bytes(crl_of(pki.root, at=at))
        named = [part for name in ("aci", "acr") for part in ("--crl", files.folder / f"{name}.crl")]
        return [files.folder / "client.pem", "--method", "crl", *named, "--anchor", files.folder / "root.pem"]

    return write


def test_a_good_certificate_is_0(run: Any, lists: Any) -> None:
    """Each place with its dates and its signer."""
    done = run("identity", "revocation", *lists())
    assert (done.code, done.err) == (0, "")
    assert "CLIENT_WS_RORN (serial " in done.out
    assert "signed by SIMULATEUR AC ELEMENTAIRE ORGANISATIONS" in done.out
    assert done.out.endswith("verdict: good\n")


def test_a_revoked_certificate_is_1(run: Any, lists: Any) -> None:
    """Since when, why, and what to do."""
    done = run("identity", "revocation", *lists(revoked=True))
    assert done.code == 1
    assert "revoked since " in done.out
    assert "(superseded)" in done.out
    assert "the certificate is revoked" in done.err


@pytest.mark.parametrize(("hard", "code"), [([], 0), (["--hard-fail"], 1)])
def test_an_unknown_standing_is_a_warning_or_with_hard_fail_1(run: Any, lists: Any, hard: list[str], code: int) -> None:
    """A page came in place of the list."""
    done = run("identity", "revocation", *lists(life=False), *hard)
    assert (done.code, done.out.splitlines()[-1]) == (code, "verdict: unknown")
    assert "a web page" in done.out
    assert done.err.startswith("error: " if hard else "warning: ")


def test_json_tells_the_same(run: Any, lists: Any) -> None:
    """For a program; what says nothing has its reason."""
    done = run("identity", "revocation", *lists(revoked=True), "--format", "json")
    about = json.loads(done.out)
    leaf, authority = about["certificates"]
    assert (about["verdict"], leaf["standing"], authority["standing"]) == ("revoked", "revoked", "good")
    assert leaf["sources"][0]["revoked_at"].endswith("Z")
    assert "the list of" in leaf["sources"][1]["problem"]


def test_the_configured_certificate_is_looked_at_without_a_file(run: Any, files: Any, lists: Any) -> None:
    """Its throw-away places are none of the IGC-Santé's: nothing is sent, and the verdict says so."""
    lists()
    path = files.write('environment = "simulator"\n[identity]\np12 = "client.p12"\npassphrase_file = "client.pass"')
    done = run("identity", "revocation", "--config", path, "--anchor", files.folder / "root.pem")
    assert done.code == 0
    assert "is not asked: its host is not one of" in done.out


def test_a_p12_of_the_platform_needs_no_passphrase(run: Any, lists: Any, files: Any) -> None:
    """What is asked about lies in clear, also for the configured one."""
    _, *words = lists(revoked=True)
    done = run("identity", "revocation", files.folder / "client.p12", *words)
    assert (done.code, done.out.endswith("verdict: revoked\n")) == (1, True)
    path = files.write('[identity]\np12 = "client.p12"')
    assert run("identity", "revocation", *words, "--config", path).code == 1


def test_the_configured_intermediates_complete_the_chain(
    run: Any, files: Any, pki: SimulatorPki, monkeypatch: Any
) -> None:
    """A P12 without its authority and without its passphrase: the settings name what is missing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(files.folder / "cache"))
    (files.folder / "client.p12").write_bytes(pki.p12(pki.client(), "xyzzy", intermediates=False, root=False))
    (files.folder / "aci.pem").write_bytes(pki.intermediate.pem_chain())
    path = files.write('[identity]\np12 = "client.p12"\nintermediates = ["aci.pem"]')
    words = ["identity", "revocation", "--method", "crl", "--anchor", files.folder / "root.pem"]
    assert run(*words, "--config", path).code == 0
    assert run(*words, files.folder / "client.p12").code == 3


def test_an_authority_alone_names_no_place(run: Any, files: Any, pki: SimulatorPki, monkeypatch: Any) -> None:
    """Nobody can be asked by OCSP about an intermediate of the IGC-Santé: it names a list alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(files.folder / "cache"))
    (files.folder / "aci.pem").write_bytes(pki.intermediate.pem_chain())
    done = run(
        "identity", "revocation", files.folder / "aci.pem", "--method", "ocsp", "--anchor", files.folder / "root.pem"
    )
    assert "names no place that can be asked" in done.out


def test_a_chain_to_another_root_is_3(run: Any, lists: Any, files: Any) -> None:
    """Nothing is asked for a stranger."""
    done = run("identity", "revocation", *lists()[:-2])
    assert (done.code, done.out) == (3, "")
    assert "the chain stops at SIMULATEUR AC ELEMENTAIRE ORGANISATIONS" in done.err
    done = run("identity", "revocation", files.folder / "client.p12", "--method", "crl")
    assert done.code == 3
    assert "the chain ends at SIMULATEUR AC RACINE ELEMENTAIRE, which is not trusted here" in done.err
    assert "Another root is named with --anchor." in done.err
