"""A certificate and its key from PEM or DER files: the road of those who made their own request."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)

from ror_sante.errors import ConfigurationError, Pkcs12Error
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.pem import holds_private_key, read_certificates

DER, PEM = Encoding.DER, Encoding.PEM
PKCS8, TRADITIONAL = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL


def codes(identity):
    return [note.code for note in identity.notes]


def refusal(certificate, key, passphrase=None, **about):
    with pytest.raises(Pkcs12Error) as raised:
        ClientIdentity.from_pem(certificate, key, passphrase, **about)
    assert raised.value.hint
    return str(raised.value)


# ------------------------------------------------------------------ what opens


@pytest.mark.parametrize("encoding", [PEM, DER])
def test_a_key_is_told_from_a_certificate(leaf, encoding):
    """In either encoding."""
    assert holds_private_key(leaf.key.private_bytes(encoding, PKCS8, NoEncryption()))
    assert not holds_private_key(leaf.certificate.public_bytes(encoding))


@pytest.mark.parametrize("container", [PKCS8, TRADITIONAL])
@pytest.mark.parametrize("key_encoding", [PEM, DER])
@pytest.mark.parametrize("certificate_encoding", [PEM, DER])
def test_every_encoding_opens(leaf, certificate_encoding, key_encoding, container):
    """Certificate and key may each be PEM or DER, PKCS#8 or traditional; a key in clear is noted."""
    key = leaf.key.private_bytes(key_encoding, container, NoEncryption())
    identity = ClientIdentity.from_pem(leaf.certificate.public_bytes(certificate_encoding), key)
    assert identity.certificate == leaf.certificate
    assert identity.private_key.private_numbers() == leaf.key.private_numbers()
    assert codes(identity) == ["unencrypted-key"]


@pytest.mark.parametrize(
    ("encoding", "container"), [(PEM, PKCS8), (PEM, TRADITIONAL), (DER, PKCS8)], ids=["pem", "old", "der"]
)
def test_an_encrypted_key_opens_with_its_passphrase(leaf, encoding, container):
    """An encrypted key opens with its passphrase alone, and is not noted."""
    key = leaf.key.private_bytes(encoding, container, BestAvailableEncryption("pässé".encode()))
    for passphrase in ("pässé", "pa\u0308sse\u0301", "pässé".encode()):
        assert ClientIdentity.from_pem(leaf.pem, key, passphrase).notes == ()
    assert "cannot be told apart" in refusal(leaf.pem, key, "passe")
    assert "ends with a blank" in refusal(leaf.pem, key, "pässé\n")
    with pytest.raises(ConfigurationError, match="is encrypted and no passphrase was given"):
        ClientIdentity.from_pem(leaf.pem, key)


def test_a_passphrase_too_many_is_harmless(leaf):
    """A passphrase for a key in clear is not needed, and the note says that the key is in clear."""
    assert codes(ClientIdentity.from_pem(leaf.pem, leaf.key_pem(), "secret")) == ["unencrypted-key"]


def test_key_and_certificates_may_share_a_file(tree, leaf, tmp_path):
    """One file with the key and the chain in any order serves as both; the leaf is found by its key."""
    path = tmp_path / "all.pem"
    path.write_bytes(tree.aci.pem + b"Bag Attributes\n" + leaf.key_pem() + leaf.pem + tree.root.pem)
    for identity in (ClientIdentity.from_pem(path), ClientIdentity.from_pem(path, path)):
        assert identity.chain == (leaf.certificate, tree.aci.certificate)
        assert identity.source == str(path)


def test_an_elliptic_curve_key_opens_after_its_parameters(tree):
    """OpenSSL writes EC PARAMETERS before an EC key: they do not disturb."""
    made = tree.client(key=ec.generate_private_key(ec.SECP256R1()))
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = parameters + made.key.private_bytes(PEM, TRADITIONAL, NoEncryption())
    assert ClientIdentity.from_pem(made.pem, key).certificate == made.certificate


@pytest.mark.parametrize(
    "dress", [lambda b: b.replace(b"\n", b"\r\n"), lambda b: b"\xef\xbb\xbf" + b], ids=["crlf", "bom"]
)
def test_windows_editors_do_no_harm(leaf, dress):
    """Windows line ends and a UTF-8 byte order mark are read over."""
    assert ClientIdentity.from_pem(dress(leaf.pem), dress(leaf.key_pem())).certificate == leaf.certificate


# ------------------------------------------------------------------ intermediates


@pytest.mark.parametrize("kind", ["pem", "der", "p7b pem", "p7b der", "certificate", "path"])
def test_intermediates_come_in_every_shape(tree, leaf, tmp_path, kind):
    """Intermediates are PEM, DER, PKCS#7 in either, certificates of the library, or paths."""
    bundle = [tree.root.certificate, tree.aci.certificate]
    path = tmp_path / "aci.cer"
    path.write_bytes(tree.aci.der)
    given = {
        "pem": tree.root.pem + tree.aci.pem,
        "der": tree.aci.der,
        "p7b pem": pkcs7.serialize_certificates(bundle, PEM),
        "p7b der": pkcs7.serialize_certificates(bundle, DER),
        "certificate": tree.aci.certificate,
        "path": path,
    }[kind]
    identity = ClientIdentity.from_pem(leaf.pem, leaf.key_pem(), intermediates=[given])
    assert identity.chain == (leaf.certificate, tree.aci.certificate)


def test_without_intermediates_the_chain_is_the_leaf(leaf):
    """The platform answers a request with the leaf only: without its issuer, the chain is the leaf alone."""
    assert ClientIdentity.from_pem(leaf.pem, leaf.key_pem()).chain == (leaf.certificate,)


def test_an_intermediate_that_is_no_certificate_is_refused(tree, leaf):
    """A file without a certificate is named for what it is; a missing one is an error of configuration."""
    assert "PEM file (PRIVATE KEY)" in refusal(leaf.pem, leaf.key_pem(), intermediates=[tree.aci.key_pem()])
    with pytest.raises(ConfigurationError, match="the intermediate does not exist"):
        ClientIdentity.from_pem(leaf.pem, leaf.key_pem(), intermediates=["/nowhere/aci.pem"])


def test_a_certificate_that_cannot_be_read_to_its_end_is_refused(maker, tree, leaf):
    """An intermediate with a broken extension is refused in every shape."""
    broken = x509.UnrecognizedExtension(x509.OID_CRL_DISTRIBUTION_POINTS, b"\x30\x03\x02\x01")
    bad = maker.authority(tree.aci.certificate.subject, tree.root, extra=[broken])
    for given in (bad.pem, bad.der, bad.certificate):
        assert "no certificate can be read" in refusal(leaf.pem, leaf.key_pem(), intermediates=[given])


# ------------------------------------------------------------------ what does not fit


def test_the_key_of_another_certificate_is_refused(tree, leaf):
    """A key that fits none of the certificates is refused, and they are named."""
    assert "fits none of the certificates in bytes in memory: CLIENT_WS_RORN" in refusal(leaf.pem, tree.aci.key_pem())


def test_two_certificates_of_one_key_are_refused(tree, leaf):
    """A certificate renewed under its old key, beside the old one: which to present cannot be told."""
    again = tree.client()
    assert "fits several" in refusal(leaf.pem + again.pem, leaf.key_pem())
    assert ClientIdentity.from_pem(leaf.pem + leaf.pem, leaf.key_pem()).certificate == leaf.certificate


def test_two_keys_are_refused(tree, leaf):
    """The library would take the first of two keys in silence: both orders are refused."""
    for keys in (leaf.key_pem() + tree.aci.key_pem(), tree.aci.key_pem("x") + leaf.key_pem()):
        assert "holds 2 private keys" in refusal(leaf.pem, keys)


def test_a_key_of_another_kind_is_refused(tree):
    """Ed25519 opens in the library; here only RSA and EC do."""
    made = tree.client(key=ed25519.Ed25519PrivateKey.generate())
    assert "Ed25519" in refusal(made.pem, made.key_pem())


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"<html>", "web page"),
        (b"hello", "damaged"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "PEM file (CERTIFICATE)"),
        (b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n", "PEM file (PKCS7)"),
        (b"-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n", "TRUSTED CERTIFICATE"),
    ],
)
def test_what_is_no_certificate_is_named(leaf, content, word):
    """A certificate file of another kind, or damaged, is refused with what it is."""
    assert word in refusal(content, leaf.key_pem())


def test_a_p12_in_place_of_a_pem_is_named(maker, leaf):
    """A P12 given where a certificate or a key is expected is recognised."""
    p12 = maker.p12(leaf)
    assert "it is a P12" in refusal(p12, leaf.key_pem())
    assert "it is a P12" in refusal(leaf.pem, p12, "secret")


@pytest.mark.parametrize("passphrase", [None, "secret"])
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello", "damaged"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM file (PRIVATE KEY)"),
    ],
)
def test_what_is_no_key_is_named(leaf, content, word, passphrase):
    """A key file of another kind, or damaged, is refused with what it is."""
    assert word in refusal(leaf.pem, content, passphrase)


def test_a_certificate_in_place_of_the_key_is_named(leaf):
    """The certificate's file given as the key's is recognised."""
    assert "PEM file (CERTIFICATE)" in refusal(leaf.pem, leaf.pem)
    assert "certificate alone" in refusal(leaf.pem, leaf.der)


def test_an_old_cipher_is_named(leaf):
    """A key under a cipher that the library does not know is no wrong passphrase."""
    key = leaf.key.private_bytes(PEM, TRADITIONAL, BestAvailableEncryption(b"secret"))
    old = key.replace(b"AES-256-CBC", b"IDEA-CBC")
    assert "The library says: Key encrypted with unknown cipher." in refusal(leaf.pem, old, "secret")


def test_the_same_certificate_twice_counts_once(tree):
    """A file that repeats a certificate gives it once, in the order of its first place."""
    found = read_certificates(tree.aci.pem + tree.root.pem + tree.aci.pem, name="x")
    assert found == (tree.aci.certificate, tree.root.certificate)
