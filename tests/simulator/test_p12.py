"""A P12 of the simulator opens elsewhere, in every shape, and has the platform's own inner form."""

from __future__ import annotations

import unicodedata
from typing import get_args

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from ror_sante.errors import ConfigurationError
from ror_sante.pki.identity import ClientIdentity
from ror_sante.simulator.p12 import Bags, Shape, normalised, write_p12
from ror_sante.simulator.pki import Issued, SimulatorPki

SHAPES = get_args(Shape)
# 142 bytes in UTF-16: more than the two blocks of 64 that the key derivation works on.
LONG = "x" * 70


@pytest.fixture(scope="module")
def pki() -> SimulatorPki:
    return SimulatorPki.create()


@pytest.fixture(scope="module")
def issued(pki: SimulatorPki) -> Issued:
    return pki.client()


@pytest.mark.parametrize("passphrase", ["secret", "mot-de-pässé€", LONG])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_opens_with_its_passphrase(
    pki: SimulatorPki, issued: Issued, shape: Shape, passphrase: str
) -> None:
    """Cryptography reads back the key, the leaf, and the authorities in their order."""
    loaded = pkcs12.load_pkcs12(pki.p12(issued, passphrase, shape=shape), passphrase.encode())
    assert loaded.key is not None
    assert loaded.key.public_key() == issued.key.public_key()
    assert loaded.cert is not None
    assert loaded.cert.certificate == issued.certificate
    assert loaded.cert.friendly_name is None
    authorities = [item.certificate for item in loaded.additional_certs]
    assert authorities == [pki.intermediate.certificate, pki.root.certificate]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_opens_with_another_passphrase(pki: SimulatorPki, issued: Issued, shape: Shape) -> None:
    """The MAC guards every shape that was made with a passphrase, the clear one included."""
    with pytest.raises(ValueError, match="Invalid password"):
        pkcs12.load_pkcs12(pki.p12(issued, "secret", shape=shape), b"Secret")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_platform_alone_shows_certificates_and_hides_the_key(
    pki: SimulatorPki, issued: Issued, shape: Shape
) -> None:
    """The platform leaves certificates in clear beside an encrypted key; the others hide both or neither."""
    data = pki.p12(issued, "secret", shape=shape)
    certificate_shows = issued.certificate.tbs_certificate_bytes in data
    key_shows = issued.key.private_numbers().p.to_bytes(128) in data
    expected = {"platform": (True, False), "clear": (True, True), "modern": (False, False)}
    assert (certificate_shows, key_shows) == expected.get(shape, (False, False))


def test_authorities_and_label_can_be_chosen(pki: SimulatorPki, issued: Issued) -> None:
    """A P12 holds the authorities that are asked for, and a label when one is given."""
    for shape in SHAPES:
        data = pki.p12(issued, "x", shape=shape, intermediates=False, root=False, friendly_name="été")
        loaded = pkcs12.load_pkcs12(data, b"x")
        assert loaded.additional_certs == []
        assert loaded.cert is not None
        assert loaded.cert.friendly_name == "été".encode()
    alone = pkcs12.load_pkcs12(pki.p12(issued, "x", intermediates=False), b"x")
    assert [item.certificate for item in alone.additional_certs] == [pki.root.certificate]


def test_salts_and_bytes_differ_each_time(pki: SimulatorPki, issued: Issued) -> None:
    """Two files of one identity share no salt."""
    assert pki.p12(issued, "secret") != pki.p12(issued, "secret")


def test_an_empty_passphrase_is_one(pki: SimulatorPki, issued: Issued) -> None:
    """An empty passphrase opens its file and none other does; None counts as empty."""
    for empty in ("", b"", None):
        data = pki.p12(issued, empty)
        assert pkcs12.load_pkcs12(data, b"").key is not None
        with pytest.raises(ValueError, match="Invalid password"):
            pkcs12.load_pkcs12(data, b" ")


def test_a_clear_file_without_mac_opens_with_anything(pki: SimulatorPki, issued: Issued) -> None:
    """With a passphrase a clear file has a MAC; without one, nothing guards it."""
    unguarded = pki.p12(issued, None, shape="clear")
    for passphrase in (None, b"", b"whatever"):
        assert pkcs12.load_pkcs12(unguarded, passphrase).key is not None


@pytest.mark.parametrize("shape", ["modern", "legacy-3des"])
def test_an_empty_passphrase_cannot_encrypt_everything(pki: SimulatorPki, issued: Issued, shape: Shape) -> None:
    """Cryptography refuses it, so we say so before it does."""
    with pytest.raises(ConfigurationError, match="not empty"):
        pki.p12(issued, "", shape=shape)


def test_an_unknown_shape_is_refused(pki: SimulatorPki, issued: Issued) -> None:
    """The message lists the shapes that exist."""
    with pytest.raises(ConfigurationError, match="platform, modern, legacy-3des, clear"):
        write_p12(issued.key, issued.certificate, "x", shape="jks")  # type: ignore[arg-type]  a wrong word on purpose


def test_both_spellings_of_an_accent_open_the_file(pki: SimulatorPki, issued: Issued) -> None:
    """NFD and NFC of one passphrase make files that the NFC form opens."""
    decomposed = unicodedata.normalize("NFD", "pässé")
    assert decomposed != "pässé"
    assert pkcs12.load_pkcs12(pki.p12(issued, decomposed), "pässé".encode()).key is not None
    assert normalised(decomposed.encode()) == "pässé"


@pytest.mark.parametrize(("passphrase", "message"), [("a\0b", "NUL"), (b"p\xe4ss", "UTF-8")])
def test_what_is_no_passphrase_is_refused(
    pki: SimulatorPki, issued: Issued, passphrase: str | bytes, message: str
) -> None:
    """A NUL ends the passphrase of C libraries, and Latin-1 bytes are no UTF-8; the message shows neither."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        pki.p12(issued, passphrase)
    assert "ss" not in str(caught.value).replace("passphrase", "")


def test_bags_can_be_put_together_wrongly(pki: SimulatorPki, issued: Issued) -> None:
    """Reordered bags open with the authorities in the new order; joined ones hold both keys."""
    intermediate, root = pki.intermediate.certificate, pki.root.certificate
    bags = Bags.of(issued.key, issued.certificate, authorities=[intermediate, root])
    loaded = pkcs12.load_pkcs12(bags.reordered(2, 1, 0).platform("x"), b"x")
    assert loaded.cert is not None
    assert loaded.cert.certificate == issued.certificate
    assert [item.certificate for item in loaded.additional_certs] == [root, intermediate]
    other = pki.client("CLIENT_WS_ROR")
    both = bags.joined(Bags.of(other.key, other.certificate))
    assert (len(both.certificates), len(both.keys)) == (4, 2)
    assert pkcs12.load_pkcs12(both.clear(), None).key is not None


def test_our_own_reader_takes_the_platform_shape_without_a_remark(pki: SimulatorPki, issued: Issued) -> None:
    """The road of a user's P12: opened, chained, and nothing to note."""
    identity = ClientIdentity.from_p12(pki.p12(issued, "secret"), "secret")
    assert identity.chain == issued.chain
    assert identity.notes == ()
    assert identity.supplied == ()
