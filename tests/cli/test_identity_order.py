"""`identity request`, `bundle` and `harden`: from the order to a P12 that opens a connection."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ror_sante.pki.bags import outline
from ror_sante.pki.chain import is_ca
from ror_sante.pki.identity import ClientIdentity
from ror_sante.simulator.pki import SIGN

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.pki import SimulatorPki

PASSPHRASE = "correct horse battery"
WHO = [
    "--organisation",
    "GIP - TEST3012",
    "--siret",
    "3333333333",
    "--department",
    "75",
    "--env",
    "bac-a-sable",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a passphrase, where the user works."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "client.pass").write_text(f"{PASSPHRASE}\n")
    return tmp_path


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory, pki: SimulatorPki) -> Path:
    """A folder with a key and request made by the command, and the certificate that came back in three forms."""
    from ror_sante.cli import main

    folder = tmp_path_factory.mktemp("ordered")
    (folder / "client.pass").write_text(PASSPHRASE)
    files = ["--key", str(folder / "client.key"), "--csr", str(folder / "client.csr")]
    assert main(["identity", "request", *WHO, *files, "--passphrase-file", str(folder / "client.pass")]) == 0
    leaf = pki.certify((folder / "client.csr").read_bytes())
    chain = [pki.intermediate.certificate, pki.root.certificate]
    (folder / "received.cer").write_bytes(leaf.public_bytes(Encoding.DER))
    (folder / "received.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in [leaf, *chain]))
    (folder / "received.p7b").write_bytes(pkcs7.serialize_certificates([*chain, leaf], Encoding.DER))
    (folder / "authorities.p7b").write_bytes(pkcs7.serialize_certificates(chain, Encoding.DER))
    return folder


# ------------------------------------------------------------------ request


def test_request_makes_two_private_files_and_says_what_to_do(run: Callable[..., Any], here: Path) -> None:
    """Key and request, 0600; the next steps name them, and the secret is nowhere."""
    done = run("identity", "request", *WHO, "--passphrase-file", "client.pass")
    assert done.code == 0
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in here.glob("client.[kc]*")} == {
        "client.key": 0o600,
        "client.csr": 0o600,
    }
    assert b"ENCRYPTED" in (here / "client.key").read_bytes()
    assert "CN=CLIENT_WS_RORN,OU=33333333333,O=GIP - TEST3012,ST=Paris (75),C=FR" in done.out
    assert "form F414" in done.out
    assert "ror-sante identity bundle RECEIVED.cer --key client.key" in done.out
    assert "SIRET has 14 digits; this one has 10" in done.err
    assert PASSPHRASE not in done.out + done.err


def test_request_for_production_refuses_what_test_warns_about(run: Callable[..., Any], here: Path) -> None:
    """The same words with --env production: exit code 2, and no file."""
    done = run("identity", "request", *WHO[:-1], "production", "--passphrase-file", "client.pass")
    assert done.code == 2
    assert "this one has 10 characters" in done.err
    assert [path.name for path in here.iterdir()] == ["client.pass"]


def test_request_for_production_names_form_413(run: Callable[..., Any], here: Path) -> None:
    """With both texts that go into it."""
    who = ["--organisation", "CH DE BASTIA", "--finess", "2B 000 002 0", "--department", "Haute-Corse"]
    done = run("identity", "request", *who, "--env", "production", "--passphrase-file", "client.pass")
    assert done.code == 0
    assert "Programme ROR – usage pour une application consommatrice du ROR" in done.out
    assert "Certificat ORG (Personne morale) usage AUTH_CLI, SIGN, CONF" in done.out
    assert "OU=12B0000020" in done.out


def test_request_never_overwrites(run: Callable[..., Any], here: Path) -> None:
    """A key that is there stays, and nobody is asked for a passphrase first."""
    (here / "client.key").write_text("precious")
    done = run("identity", "request", *WHO)
    assert (done.code, (here / "client.key").read_text()) == (2, "precious")
    assert "client.key is there already" in done.err
    assert not (here / "client.csr").exists()


def test_the_checklist_makes_nothing(run: Callable[..., Any], here: Path) -> None:
    """Contract, cards, forms, administrators, rights: to be ticked off."""
    done = run("identity", "request", "--checklist")
    assert done.code == 0
    for word in ("contract", "CPE", "form 101", "form 301", "tom.eservices", "administrators", "form 413", "right to"):
        assert word in done.out
    assert [path.name for path in here.iterdir()] == ["client.pass"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (WHO[2:], "--organisation is missing"),
        ([*WHO[:4], *WHO[6:]], "--department is missing"),
        ([*WHO, "--finess", "2B0000020"], "Give the structure's number once"),
        ([*WHO[:2], *WHO[4:]], "Give the structure's number once"),
        ([*WHO[:4], "--department", "Atlantide"], "there is no department 'Atlantide'"),
        (WHO, "a passphrase is needed and none was given"),
        ([*WHO, "--env", "nowhere"], "nowhere"),
    ],
)
def test_request_says_what_is_missing(run: Callable[..., Any], here: Path, words: list[str], said: str) -> None:
    """Exit code 2, one sentence, no file."""
    import re

    done = run("identity", "request", *words)
    assert done.code == 2
    assert re.search(said, done.err)
    assert [path.name for path in here.iterdir()] == ["client.pass"]


def test_a_passphrase_is_asked_for_twice(run: Callable[..., Any], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal: hidden, and a slip of the second one makes no file; a short one is warned about."""
    answers = ["short", "shorter", "short", "short"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: answers.pop(0))
    done = run("identity", "request", *WHO)
    assert (done.code, "the two passphrases differ" in done.err) == (2, True)
    done = run("identity", "request", *WHO)
    assert (done.code, "fewer than 12 characters" in done.err) == (0, True)


# ------------------------------------------------------------------ bundle


@pytest.mark.parametrize("received", ["received.pem", "received.p7b"])
def test_bundle_makes_a_p12_that_opens_the_connection(
    run: Callable[..., Any], ordered: Path, here: Path, pki: SimulatorPki, received: str
) -> None:
    """Request, certificate, bundle, smoke test: the simulator lets the new certificate in."""
    words = ["bundle", ordered / received, "--key", ordered / "client.key", "--passphrase-file", "client.pass"]
    done = run("identity", *words)
    assert (done.code, done.err) == (0, "")
    assert "client.p12: written, opened again and compared." in done.out
    assert "AES-256, 600000 rounds" in done.out
    assert stat.S_IMODE((here / "client.p12").stat().st_mode) == 0o600
    pki.save(here / "pki")
    flags = ["--p12", "client.p12", "--passphrase-file", "client.pass"]
    smoke = run("smoke-test", "--env", "simulator", "--pki", here / "pki", *flags)
    assert smoke.code == 0, smoke.out + smoke.err
    assert "rungs hold" in smoke.out


def test_bundle_adds_the_intermediate_of_the_package(
    run: Callable[..., Any], ordered: Path, here: Path, pki: SimulatorPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform answers a CSR with the leaf alone; the package has the authorities (here: those of the tests)."""
    words = ["bundle", ordered / "received.cer", "--key", ordered / "client.key", "--passphrase-file", "client.pass"]
    alone = run("identity", *words)
    assert alone.code == 3
    assert "SIMULATEUR AC ELEMENTAIRE ORGANISATIONS, is missing" in alone.err
    monkeypatch.setattr("ror_sante.pki.chain.packaged_intermediates", lambda: (pki.intermediate.certificate,))
    monkeypatch.setattr("ror_sante.pki.chain.packaged_roots", lambda: (pki.root.certificate,))
    done = run("identity", *words, "--with-root")
    assert done.code == 0
    assert "added      SIMULATEUR AC ELEMENTAIRE ORGANISATIONS, from the copy of ror-sante" in done.out
    made = ClientIdentity.from_p12(here / "client.p12", PASSPHRASE)
    assert (len(made.chain), made.root) == (2, pki.root.certificate)


def test_bundle_takes_authorities_and_another_passphrase(run: Callable[..., Any], ordered: Path, here: Path) -> None:
    """What the package lacks is given; the P12 may have a passphrase of its own."""
    (here / "new.pass").write_text("another long passphrase")
    words = ["bundle", ordered / "received.cer", "--key", ordered / "client.key", "--passphrase-file", "client.pass"]
    more = ["--intermediates", ordered / "authorities.p7b", "--new-passphrase-file", "new.pass", "--compatible"]
    done = run("identity", *words, *more)
    assert done.code == 0
    assert "3DES and SHA-1, which old tools read and nobody should keep" in done.err
    assert "3DES, 100000 rounds" in done.out
    assert len(ClientIdentity.from_p12(here / "client.p12", "another long passphrase").chain) == 2


def refused(run: Callable[..., Any], here: Path, *words: object) -> str:
    done = run("identity", "bundle", *words, "--passphrase-file", "client.pass")
    assert done.code == 3
    assert not (here / "client.p12").exists()
    text: str = done.err
    return text


def test_bundle_refuses_what_cannot_be_right(
    run: Callable[..., Any], ordered: Path, here: Path, pki: SimulatorPki
) -> None:
    """Another key's certificate, authorities alone, a SIGN certificate, the request itself, a web page: no P12."""
    key = ["--key", ordered / "client.key"]
    (here / "other.pem").write_bytes(pki.client().pem_chain())
    assert "fits none of the certificates" in refused(run, here, "other.pem", *key)
    assert "authorities alone: yours is missing" in refused(run, here, ordered / "authorities.p7b", *key)
    sign = pki.certify((ordered / "client.csr").read_bytes(), product=SIGN)
    (here / "sign.pem").write_bytes(sign.public_bytes(Encoding.PEM))
    authorities = ["--intermediates", ordered / "authorities.p7b"]
    assert "this is a SIGN certificate" in refused(run, here, "sign.pem", *key, *authorities)
    assert "CERTIFICATE REQUEST" in refused(run, here, ordered / "client.csr", *key)
    (here / "page.cer").write_text("<!doctype html><title>Connexion</title>")
    assert "it is a web page" in refused(run, here, "page.cer", *key)


def test_bundle_never_overwrites(run: Callable[..., Any], ordered: Path, here: Path) -> None:
    """A P12 that is there stays."""
    (here / "client.p12").write_text("precious")
    words = ["bundle", ordered / "received.pem", "--key", ordered / "client.key", "--passphrase-file", "client.pass"]
    done = run("identity", *words)
    assert (done.code, (here / "client.p12").read_text()) == (2, "precious")
    assert "client.p12 is there already" in done.err


# ------------------------------------------------------------------ harden


def test_harden_writes_the_platforms_file_again(run: Callable[..., Any], files: Any, pki: SimulatorPki) -> None:
    """3DES with 2048 rounds becomes AES-256 with 600 000; the old file is untouched, the content the same."""
    old = files.folder / "client.p12"
    before = old.read_bytes()
    done = run("identity", "harden", old, "--passphrase-file", files.folder / "client.pass")
    assert done.code == 0
    assert "before     3DES, 2048 rounds" in done.out
    assert "the passphrase has fewer than 12 characters" in done.err
    assert old.read_bytes() == before
    new = files.folder / "client-hardened.p12"
    shape = outline(new.read_bytes())
    assert shape is not None
    assert shape.protections[0].modern
    made, was = ClientIdentity.from_p12(new, "xyzzy"), ClientIdentity.from_p12(old, "xyzzy")
    assert made.chain == was.chain
    assert made.private_key.private_numbers() == was.private_key.private_numbers()
    assert not any(is_ca(one) and one.subject == one.issuer for one in made.chain)


def test_a_passphrase_that_java_cannot_take_is_warned_about(
    run: Callable[..., Any], here: Path, pki: SimulatorPki
) -> None:
    """Accents are good for every other tool, and one word of ASCII brings no warning."""
    (here / "new.pass").write_text("été à la plage", encoding="utf-8")
    (here / "client.p12").write_bytes(pki.p12(pki.client(), PASSPHRASE))
    words = ["harden", "client.p12", "--passphrase-file", "client.pass", "--compatible", "--out"]
    warned = run("identity", *words, "new.p12", "--new-passphrase-file", "new.pass")
    assert "more than ASCII: Java does not open a P12 under it" in warned.err
    assert "ASCII" not in run("identity", *words, "same.p12").err
    assert len(ClientIdentity.from_p12(here / "new.p12", "été à la plage").chain) == 2


def test_harden_with_a_wrong_passphrase_makes_nothing(run: Callable[..., Any], files: Any) -> None:
    """Exit code 3, no file."""
    (files.folder / "wrong.pass").write_text("wrong")
    done = run("identity", "harden", files.folder / "client.p12", "--passphrase-file", files.folder / "wrong.pass")
    assert done.code == 3
    assert not list(files.folder.glob("*hardened*"))


def test_harden_tells_of_a_missing_authority_and_of_a_key_in_clear(
    run: Callable[..., Any], here: Path, pki: SimulatorPki
) -> None:
    """The P12 is written all the same, for its owner has nothing better; given the authority, it is whole."""
    data = pki.p12(pki.client(), PASSPHRASE, intermediates=False, root=False, shape="clear")
    (here / "alone.p12").write_bytes(data)
    (here / "aci.pem").write_bytes(pki.intermediate.pem_chain())
    (here / "root.pem").write_bytes(pki.root_pem())
    words = ["harden", "alone.p12", "--passphrase-file", "client.pass", "--compatible", "--out"]
    cut = run("identity", *words, "cut.p12")
    assert (cut.code, "warning: the chain stops at CLIENT_WS_RORN" in cut.err) == (0, True)
    assert "before     not encrypted" in cut.out
    whole = run("identity", *words, "whole.p12", "--intermediates", "aci.pem", "--intermediates", "root.pem")
    assert "the chain stops" not in whole.err
    assert len(ClientIdentity.from_p12(here / "whole.p12", PASSPHRASE).chain) == 2


def test_harden_needs_a_passphrase(run: Callable[..., Any], files: Any) -> None:
    """None was given and nobody can be asked: exit code 2."""
    done = run("identity", "harden", files.folder / "client.p12")
    assert (done.code, "a passphrase is needed and none was given" in done.err) == (2, True)
