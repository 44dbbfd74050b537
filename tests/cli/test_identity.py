"""`identity show`: it describes what is in a file, and judges nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ror_sante.cli.identity.show import _key, _usage_name
from ror_sante.pki.packaged import packaged_intermediates
from ror_sante.simulator.pki import SIGN

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.pki import SimulatorPki


def test_show_describes_a_p12(run: Callable[..., Any], files: Any) -> None:
    """Subject for ANS, issuer, dates, chain: all that a ticket needs, and no secret."""
    done = run("identity", "show", files.folder / "client.p12", "--passphrase-file", files.folder / "client.pass")
    assert (done.code, done.err) == (0, "")
    assert "CN=CLIENT_WS_RORN,OU=33333333333,O=GIP - TEST3012,ST=Paris (75),C=FR" in done.out
    assert "clientAuth" in done.out
    assert "RSA 2048" in done.out
    assert "1094 days left" in done.out or "1095 days left" in done.out
    assert "Described, not verified" in done.out
    assert "xyzzy" not in done.out


def test_show_as_json_says_that_nothing_is_verified(run: Callable[..., Any], files: Any) -> None:
    """The same facts for a program."""
    path = files.write('[identity]\np12 = "client.p12"\npassphrase_file = "client.pass"')
    done = run("identity", "show", "--format", "json", "--config", path)
    about = json.loads(done.out)
    assert about["verified"] is False
    assert about["private_key"] is True
    assert about["subject_dn"].startswith("CN=CLIENT_WS_RORN,")
    assert about["chain"] == ["CLIENT_WS_RORN", "SIMULATEUR AC ELEMENTAIRE ORGANISATIONS"]
    assert (about["usages"], about["key"], about["supplied"], about["notes"]) == (["clientAuth"], "RSA 2048", [], [])


def test_show_of_an_expired_certificate_is_still_0(run: Callable[..., Any], files: Any, pki: SimulatorPki) -> None:
    """Describing is not judging."""
    now = datetime.now(UTC)
    old = pki.client(not_before=now - timedelta(days=40), not_after=now - timedelta(days=10, hours=1))
    (files.folder / "client.p12").write_bytes(pki.p12(old, "xyzzy"))
    done = run("identity", "show", files.folder / "client.p12", "--passphrase-file", files.folder / "client.pass")
    assert done.code == 0
    assert "EXPIRED 11 days ago" in done.out


def test_show_of_another_product_is_still_0(run: Callable[..., Any], files: Any, pki: SimulatorPki) -> None:
    """A SIGN certificate is described as what it is."""
    (files.folder / "client.p12").write_bytes(pki.p12(pki.client(product=SIGN), "xyzzy"))
    done = run("identity", "show", files.folder / "client.p12", "--passphrase-file", files.folder / "client.pass")
    assert (done.code, "emailProtection" in done.out) == (0, True)


def test_show_of_bare_certificates_needs_no_passphrase(run: Callable[..., Any], files: Any, pki: SimulatorPki) -> None:
    """A PEM file of certificates has no key to open."""
    path = files.folder / "chain.pem"
    path.write_bytes(pki.client().pem_chain())
    done = run("identity", "show", path)
    assert done.code == 0
    assert "(certificates alone, no key)" in " ".join(done.out.split())


def test_show_marks_what_the_package_adds(
    run: Callable[..., Any], files: Any, monkeypatch: pytest.MonkeyPatch, pki: SimulatorPki
) -> None:
    """A leaf-only P12 under a known authority is completed, and the output says by whom; a note is told too."""
    monkeypatch.setattr("ror_sante.pki.chain.packaged_intermediates", lambda: (pki.intermediate.certificate,))
    (files.folder / "client.p12").write_bytes(pki.p12(pki.client(), "xyzzy", intermediates=False, root=False))
    monkeypatch.setenv("ROR_SANTE_IDENTITY_PASSPHRASE", "xyzzy")
    done = run("identity", "show", files.folder / "client.p12")
    told = " ".join(done.out.split())
    assert "ORGANISATIONS added by ror-sante)" in told
    assert "note the passphrase came from an environment variable" in told
    assert "xyzzy" not in done.out + done.err


def test_show_of_a_real_authority_tells_its_tree(run: Callable[..., Any], files: Any) -> None:
    """The TEST tree of IGC-Santé is told from the production one."""
    from cryptography.hazmat.primitives.serialization import Encoding

    for certificate in packaged_intermediates():
        path = files.folder / "aci.cer"
        path.write_bytes(certificate.public_bytes(Encoding.DER))
        about = json.loads(run("identity", "show", path, "--format", "json").out)
        assert about["tree"] == ("TEST" if about["common_name"].startswith("TEST ") else "production")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_show_fits_the_terminal(on_a_terminal: Callable[..., Any], files: Any, width: int) -> None:
    """Long names fold; nothing is wider than the terminal."""
    path = files.write('[identity]\np12 = "client.p12"\npassphrase_file = "client.pass"')
    done = on_a_terminal("identity", "show", "--config", path, width=width)
    import re

    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.out)
    assert max(len(line) for line in plain.splitlines()) <= width
    assert "CN=CLIENT_WS_RORN" in plain


def test_without_any_certificate_there_is_nothing_to_show(run: Callable[..., Any]) -> None:
    """Nothing is configured and nothing was named: exit code 2."""
    done = run("identity", "show")
    assert done.code == 2
    assert done.err.startswith("error: no certificate is configured\n hint: ")


def test_the_passphrase_is_asked_for_on_a_terminal(
    run: Callable[..., Any], files: Any, pki: SimulatorPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file shows nothing without it, nobody configured it and somebody sits there: it is asked for, hidden."""
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **how: Any) -> str:
        asked.append({"text": text, **how})
        return "xyzzy"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", prompt)
    (files.folder / "sealed.p12").write_bytes(pki.p12(pki.client(), "xyzzy", shape="modern"))
    done = run("identity", "show", files.folder / "sealed.p12")
    assert done.code == 0
    assert asked[0]["text"] == f"Passphrase of {files.folder / 'sealed.p12'}"
    assert (asked[0]["hide_input"], asked[0]["err"]) == (True, True)


def test_a_p12_of_the_platform_shows_itself_without_its_passphrase(
    run: Callable[..., Any], files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the key, which is said; nobody is asked, even where somebody sits. With the passphrase it is opened."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: pytest.fail("a passphrase was asked for"))
    words = ["identity", "show", files.folder / "client.p12", "--format", "json"]
    shown = json.loads(run(*words).out)
    whole = json.loads(run(*words, "--passphrase-file", files.folder / "client.pass").out)
    assert [note["code"] for note in shown.pop("notes")] == ["not-opened"]
    assert (shown.pop("opened"), whole.pop("opened"), whole.pop("notes")) == (False, True, [])
    assert shown == whole
    assert (shown["private_key"], shown["protection"], shown["verified"]) == (True, "3DES, 2048 rounds", False)


def test_a_certificate_with_its_key_shows_itself_without_its_passphrase(
    run: Callable[..., Any], files: Any, pki: SimulatorPki
) -> None:
    """The same for two files of the settings: the key is there, and was not opened."""
    issued = pki.client()
    (files.folder / "client.cer").write_bytes(issued.pem_chain())
    (files.folder / "client.key").write_bytes(issued.key_pem("xyzzy"))
    path = files.write('[identity]\ncertificate = "client.cer"\nkey = "client.key"')
    about = json.loads(run("identity", "show", "--format", "json", "--config", path).out)
    assert (about["private_key"], about["opened"], about["protection"]) == (True, False, None)


@pytest.mark.parametrize(
    ("passphrase", "note", "opened"), [(None, "unencrypted-key", True), ("xyzzy", "not-opened", False)]
)
def test_a_key_in_a_file_of_certificates_is_seen(
    run: Callable[..., Any], files: Any, pki: SimulatorPki, passphrase: str | None, note: str, opened: bool
) -> None:
    """What `openssl pkcs12 -noenc` leaves behind holds the key in clear, and that is said."""
    issued = pki.client()
    (files.folder / "all.pem").write_bytes(issued.key_pem(passphrase) + issued.pem_chain())
    about = json.loads(run("identity", "show", files.folder / "all.pem", "--format", "json").out)
    assert (about["private_key"], about["opened"], [one["code"] for one in about["notes"]]) == (True, opened, [note])
    assert f"warning: {note}: " in run("identity", "verify", files.folder / "all.pem").out
    words = ["identity", "show", files.folder / "all.pem", "--passphrase-file", files.folder / "client.pass"]
    assert "no key" not in run(*words).out


def test_show_finds_the_leaf_whatever_the_order(run: Callable[..., Any], files: Any, pki: SimulatorPki) -> None:
    """An authority that stands first in a file is not what the file is about."""
    chain = pki.client().pem_chain()
    (files.folder / "both.pem").write_bytes(pki.intermediate.pem_chain() + chain)
    assert "common name  CLIENT_WS_RORN" in run("identity", "show", files.folder / "both.pem").out


def test_keys_and_usages_of_other_kinds_are_named() -> None:
    """EC by its curve, anything else by its class, an unknown usage by its OID."""

    class Leaf:
        def __init__(self, key: Any) -> None:
            self._key = key

        def public_key(self) -> Any:
            return self._key

    assert _key(Leaf(ec.generate_private_key(ec.SECP256R1()).public_key())) == "EC secp256r1"  # type: ignore[arg-type]  # its key is all that counts
    assert "Ed25519" in _key(Leaf(ed25519.Ed25519PrivateKey.generate().public_key()))  # type: ignore[arg-type]  # as above
    assert _usage_name(x509.ObjectIdentifier("1.2.3")) == "1.2.3"
