"""From the order to the first page: request, certificate, bundle, then Java, the openssl program and real servers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ror_sante.cli import main
from ror_sante.http.session import SessionFactory
from ror_sante.pki.identity import ClientIdentity
from ror_sante.simulator.server import Simulator
from tests.interop.frontends import nginx_before, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.simulator.pki import SimulatorPki
    from tests.interop.conftest import Place
    from tests.interop.frontends import Running

PASSPHRASE = "correct horse battery"
WHO = ["--organisation", "CH DE BASTIA", "--finess", "2B0000020", "--department", "2B", "--env", "production"]


def command(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, pki: SimulatorPki) -> Path:
    """A folder where the commands made all there is, but for the certificate, which the test PKI issued."""
    home = tmp_path_factory.mktemp("home")
    (home / "client.pass").write_text(PASSPHRASE)
    passphrase = ["--passphrase-file", home / "client.pass"]
    key = ["--key", home / "client.key"]
    command("identity", "request", *WHO, *key, "--csr", home / "client.csr", *passphrase)
    leaf = pki.certify((home / "client.csr").read_bytes())
    chain = [leaf, pki.intermediate.certificate, pki.root.certificate]
    (home / "received.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    (home / "platform.p12").write_bytes(pki.p12(pki.client(), PASSPHRASE))
    bundle = ["identity", "bundle", home / "received.pem", *key, *passphrase]
    command(*bundle, "--out", home / "bundled.p12")
    command(*bundle, "--out", home / "compatible.p12", "--compatible", "--with-root")
    command("identity", "harden", home / "platform.p12", "--out", home / "hardened.p12", *passphrase)
    return home


@pytest.fixture(scope="module")
def identity(home: Path) -> ClientIdentity:
    """What `bundle` wrote, opened."""
    return ClientIdentity.from_p12(home / "bundled.p12", PASSPHRASE)


# ------------------------------------------------------------------ other programs open what we write


@pytest.mark.parametrize("name", ["bundled", "compatible", "hardened"])
def test_java_opens_it(keytool: str, home: Path, name: str) -> None:
    """One private key with its chain, whose certificates are ours in their order."""
    shown = java(keytool, "-list", "-v", "-keystore", home / f"{name}.p12", cwd=home)
    ours = ClientIdentity.from_p12(home / f"{name}.p12", PASSPHRASE)
    chain = [*ours.chain, *([ours.root] if name == "compatible" and ours.root else [])]
    assert "Your keystore contains 1 entry" in shown
    assert "Entry type: PrivateKeyEntry" in shown
    assert re.findall(r"SHA256: ([0-9A-F:]+)", shown) == [fingerprint(one) for one in chain]


def test_java_signs_with_the_key(keytool: str, home: Path, identity: ClientIdentity) -> None:
    """The key itself is read too: a request that Java signs with it has our public key."""
    made = java(keytool, "-certreq", "-alias", "client_ws_rorn", "-keystore", home / "bundled.p12", cwd=home)
    request = x509.load_pem_x509_csr(made.encode())
    assert request.is_signature_valid
    assert request.public_key() == identity.certificate.public_key()


def test_java_takes_no_accent(keytool: str, home: Path, pki: SimulatorPki) -> None:
    """Why the commands warn about one: even the platform's own shape stays closed."""
    (home / "accent.pass").write_text("été à la plage", encoding="utf-8")
    (home / "accent.p12").write_bytes(pki.p12(pki.client(), "été à la plage"))
    with pytest.raises(AssertionError, match="Password is not ASCII"):
        java(keytool, "-list", "-keystore", "accent.p12", cwd=home, passphrase="accent.pass")


def java(keytool: str, *words: object, cwd: Path, passphrase: str = "client.pass") -> str:
    """Run keytool in English, and give what it prints."""
    options = ["-storetype", "PKCS12", "-storepass:file", passphrase]
    done = subprocess.run(
        [keytool, "-J-Duser.language=en", *map(str, words), *options],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex(":").upper()


@pytest.mark.parametrize("name", ["bundled", "compatible", "hardened"])
def test_the_openssl_program_opens_it(openssl: str, home: Path, name: str) -> None:
    """With its default provider: the same key and certificates, and the integrity check holds."""
    done = subprocess.run(
        [openssl, "pkcs12", "-in", f"{name}.p12", "-passin", "file:client.pass", "-noenc"],
        cwd=home,
        capture_output=True,
        check=True,
        timeout=60,
    )
    ours = ClientIdentity.from_p12(home / f"{name}.p12", PASSPHRASE)
    assert x509.load_pem_x509_certificates(done.stdout)[: len(ours.chain)] == list(ours.chain)
    key = load_pem_private_key(done.stdout[done.stdout.index(b"-----BEGIN PRIVATE") :], None)
    assert key.public_key() == ours.certificate.public_key()


# ------------------------------------------------------------------ servers let it in


def test_every_front_end_lets_it_in(place: Place, pki: SimulatorPki, identity: ClientIdentity) -> None:
    """The certificate of our own request is what the server verified, with the root alone to go by."""
    with SessionFactory(identity, pki.anchor).session(place.url) as session:
        answer = session.get(place.url + "/index.txt")
    seen = place.seen(answer)
    assert (answer.status_code, seen.verified, seen.leaf) == (200, True, identity.certificate)
    assert seen.subject == "CN=CLIENT_WS_RORN,OU=12B0000020,O=CH DE BASTIA,ST=Haute-Corse (2B),C=FR"


@pytest.fixture(scope="module")
def fronted(
    home: Path, folder: Path, pki: SimulatorPki, identity: ClientIdentity
) -> Iterator[tuple[Simulator, Running]]:
    """A simulator behind a real nginx, which asks for our certificate before it lets a request through."""
    here = folder / "fronted"
    here.mkdir(mode=0o755)
    for name in ("root.pem", "server.pem"):
        (here / name).symlink_to(folder / name)
    clear = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (here / "client.pem").touch(0o600)
    (here / "client.pem").write_bytes((home / "received.pem").read_bytes() + clear)  # nginx wants its own in clear
    with Simulator(pki) as simulator:
        simulator.register(identity)
        with running("nginx", here, 0, nginx_before(simulator.url, "client.pem")) as nginx:
            yield simulator, nginx


@pytest.mark.parametrize("listener", ["tls12", "tls13"])
def test_the_smoke_test_climbs_through_real_nginx(
    fronted: tuple[Simulator, Running], home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], listener: str
) -> None:
    """P12, handshake, token, first page: each rung holds with the certificate that the commands made."""
    simulator, nginx = fronted
    config = simulator.write_config(tmp_path)
    config.write_text(config.read_text().replace(simulator.url, nginx.url(listener)))
    (tmp_path / "client.p12").write_bytes((home / "bundled.p12").read_bytes())
    (tmp_path / "client.pass").write_text(PASSPHRASE)
    code = main(["smoke-test", "--config", str(config)])
    said = capsys.readouterr()
    assert code == 0, said.out + said.err
    assert f"{nginx.ports[listener]}" in said.out
    assert "rungs hold" in said.out
