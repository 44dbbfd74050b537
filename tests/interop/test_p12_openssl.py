"""The openssl program reads the simulator's P12, and makes the same tree of bags by the platform's recipe."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ror_sante.pki.identity import ClientIdentity
from ror_sante.simulator.pki import Issued, SimulatorPki
from ror_sante.simulator.templates import to_pem

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def pki() -> SimulatorPki:
    return SimulatorPki.create()


@pytest.fixture(scope="module")
def issued(pki: SimulatorPki) -> Issued:
    return pki.client()


def outline(openssl: str, p12: Path) -> list[str]:
    """What ``openssl pkcs12 -info`` says of MAC, parts and bags, and the bags' attributes and subjects, in order."""
    done = subprocess.run(
        [openssl, "pkcs12", "-info", "-in", str(p12), "-passin", "pass:secret", "-noenc"],
        capture_output=True,
        check=True,
        timeout=20,
    )
    structure = done.stderr.decode().splitlines()
    shown = re.sub(r"-----BEGIN.*?-----END[^\n]*", "", done.stdout.decode(), flags=re.DOTALL).splitlines()
    return [line.strip() for line in (*structure, *shown) if line.strip()]


def test_the_platform_shape_is_the_recipes_shape(
    openssl: str, pki: SimulatorPki, issued: Issued, tmp_path: Path
) -> None:
    """Ours and the recipe's (``-certpbe NONE -keypbe PBE-SHA1-3DES -macalg sha1``) have one and the same outline."""
    (tmp_path / "ours.p12").write_bytes(pki.p12(issued, "secret"))
    (tmp_path / "leaf.pem").write_bytes(to_pem(issued.certificate))
    (tmp_path / "key.pem").write_bytes(issued.key_pem())
    (tmp_path / "authorities.pem").write_bytes(to_pem(pki.intermediate.certificate, pki.root.certificate))
    recipe = "-certpbe NONE -keypbe PBE-SHA1-3DES -macalg sha1 -iter 2048 -passout pass:secret"
    files = ["-inkey", "key.pem", "-in", "leaf.pem", "-certfile", "authorities.pem", "-out", "recipe.p12"]
    command = [openssl, "pkcs12", "-export", *files, *recipe.split()]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=20)
    ours = outline(openssl, tmp_path / "ours.p12")
    assert ours == outline(openssl, tmp_path / "recipe.p12")
    assert "MAC: sha1, Iteration 2048" in ours
    assert "Shrouded Keybag: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048" in ours
    assert ours.count("Certificate bag") == 3
    assert len([line for line in ours if line.startswith("localKeyID")]) == 2


@pytest.mark.parametrize("shape", ["modern", "legacy-3des", "clear"])
def test_the_other_shapes_open_too(openssl: str, pki: SimulatorPki, issued: Issued, tmp_path: Path, shape: str) -> None:
    """OpenSSL 3 opens every shape with its default provider."""
    p12 = tmp_path / "ours.p12"
    p12.write_bytes(pki.p12(issued, "secret", shape=shape))  # type: ignore[arg-type]  pytest hands out plain str
    assert outline(openssl, p12).count("Certificate bag") == 3


def test_a_file_of_an_old_tool_opens_in_ours(openssl: str, pki: SimulatorPki, issued: Issued, tmp_path: Path) -> None:
    """RC2-40 over the certificates and 3DES over the key, as old tools write it, is read all the same."""
    (tmp_path / "leaf.pem").write_bytes(issued.pem_chain())
    (tmp_path / "key.pem").write_bytes(issued.key_pem())
    files = ["-inkey", "key.pem", "-in", "leaf.pem", "-out", "old.p12", "-passout", "pass:secret"]
    subprocess.run([openssl, "pkcs12", "-export", "-legacy", *files], cwd=tmp_path, check=True, timeout=20)
    identity = ClientIdentity.from_p12(tmp_path / "old.p12", "secret")
    assert identity.certificate == issued.certificate
    assert len(identity.chain) == 2


def test_openssl_verifies_the_chain_strictly(openssl: str, pki: SimulatorPki, issued: Issued, tmp_path: Path) -> None:
    """A second opinion: client and server leaves pass X509_STRICT with their CRLs, and a revoked one does not."""
    revoked = pki.client(key=issued.key)
    (tmp_path / "root.pem").write_bytes(pki.root_pem())
    (tmp_path / "intermediate.pem").write_bytes(to_pem(pki.intermediate.certificate))
    (tmp_path / "crl.pem").write_bytes(pki.crl([revoked]))
    common = "-x509_strict -crl_check_all -CAfile root.pem -untrusted intermediate.pem -CRLfile crl.pem -purpose"
    said = {}
    for name, leaf, purpose in (
        ("client", issued, "sslclient"),
        ("server", pki.server(key=issued.key), "sslserver"),
        ("revoked", revoked, "sslclient"),
    ):
        (tmp_path / "leaf.pem").write_bytes(to_pem(leaf.certificate))
        command = [openssl, "verify", *common.split(), purpose, "leaf.pem"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=20)
        said[name] = (done.returncode, done.stderr.decode())
    assert said["client"][0] == said["server"][0] == 0, said
    assert said["revoked"][0] != 0
    assert "certificate revoked" in said["revoked"][1]
