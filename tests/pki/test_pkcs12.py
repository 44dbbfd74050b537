"""A P12 holds exactly one usable identity, or is refused with words that say what it is."""

import base64
import unicodedata
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from ror_sante.errors import ConfigurationError, Pkcs12Error, Severity
from ror_sante.pki.bags import outline
from ror_sante.pki.pkcs12 import read_pkcs12

AMBIGUOUS = "the passphrase is wrong, or the P12 is damaged: the two cannot be told apart"


@pytest.fixture(scope="module")
def good(maker, tree, leaf):
    """A P12 of leaf, intermediate and root, under the passphrase "secret"."""
    return maker.p12(leaf, [tree.aci, tree.root])


def codes(store):
    return [note.code for note in store.notes]


def refusal(data, passphrase="secret"):
    with pytest.raises(Pkcs12Error) as raised:
        read_pkcs12(data, passphrase)
    assert raised.value.hint
    return str(raised.value)


# ------------------------------------------------------------------ what opens


@pytest.mark.parametrize("old", [False, True], ids=["PBES2", "SHA1-3DES"])
def test_a_good_file_opens(maker, tree, leaf, old):
    """Modern and old encryption open alike: the leaf comes first, the others in the file's order, no note."""
    store = read_pkcs12(maker.p12(leaf, [tree.root, tree.aci], old=old), "secret")
    assert store.certificates == (leaf.certificate, tree.root.certificate, tree.aci.certificate)
    assert store.key.private_numbers() == leaf.key.private_numbers()
    assert store.notes == ()


def test_the_key_finds_its_certificate_among_clear_ones(maker, tree, leaf):
    """As in the platform's files: certificates in clear, the key encrypted, and the leaf found wherever it lies."""
    bags = [maker.cert_bag(made.der) for made in (tree.root, tree.aci, leaf)]
    store = read_pkcs12(maker.pfx(*bags, maker.key_bag(leaf, "secret")), "secret")
    assert store.certificates[0] == leaf.certificate
    assert store.notes == ()


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=["P-256", "P-384"])
def test_an_elliptic_curve_key_opens(maker, tree, curve):
    """An EC key is read like an RSA one."""
    made = tree.client(key=ec.generate_private_key(curve))
    assert read_pkcs12(maker.p12(made, [tree.aci]), "secret").key.curve.name == curve.name


def test_the_leaf_repeated_counts_once(maker, tree, leaf):
    """A file that holds the leaf a second time is clearly of one identity."""
    store = read_pkcs12(maker.p12(leaf, [leaf, tree.aci, tree.aci]), "secret")
    assert store.certificates == (leaf.certificate, tree.aci.certificate)


def test_friendly_names_with_accents_change_nothing(leaf):
    """The names that tools give to entries do not matter."""
    data = pkcs12.serialize_key_and_certificates(
        "clé n°1".encode(), leaf.key, leaf.certificate, None, BestAvailableEncryption(b"secret")
    )
    assert read_pkcs12(data, "secret").certificates == (leaf.certificate,)


# ------------------------------------------------------------------ passphrases


def test_the_passphrase_may_be_text_or_bytes(good):
    """A str, its UTF-8 bytes, a bytearray and a memoryview open the same file."""
    for passphrase in ("secret", b"secret", bytearray(b"secret"), memoryview(b"secret")):
        assert read_pkcs12(good, passphrase).notes == ()


@pytest.mark.parametrize("made_with", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_both_forms_of_an_accent_open_a_file_made_with_the_usual_one(maker, leaf, made_with, typed):
    """Composed or not, the accent typed opens the file; only the composed form opens one made with the other."""
    word = "mot-de-pässé€😀"
    data = maker.p12(leaf, passphrase=unicodedata.normalize(made_with, word))
    typed_word = unicodedata.normalize(typed, word)
    if (made_with, typed) == ("NFD", "NFC"):
        assert AMBIGUOUS in refusal(data, typed_word)
    else:
        assert read_pkcs12(data, typed_word).certificates == (leaf.certificate,)
        assert read_pkcs12(data, typed_word.encode()).certificates == (leaf.certificate,)


@pytest.mark.parametrize("wrong", ["Secret", "secre", "secret!", b"SECRET"])
def test_a_wrong_passphrase_cannot_be_told_from_damage(good, wrong):
    """The error says both, for the library cannot tell, and does not repeat what was typed."""
    text = refusal(good, wrong)
    assert AMBIGUOUS in text
    assert str(wrong) not in text


@pytest.mark.parametrize(
    ("wrong", "doubt"),
    [("secret\n", "ends with a blank"), (" secret", "starts or ends"), ("", "is empty"), (b"secret ", "blank")],
)
def test_an_accident_of_the_passphrase_is_pointed_at(good, wrong, doubt):
    """A line break, a blank at an end or an empty passphrase is mentioned, since nobody sees it."""
    assert doubt in refusal(good, wrong)


def test_no_passphrase_where_one_is_needed_is_an_error_of_configuration(good):
    """Nothing was typed: that is for the settings to mend, and no word on damage is said."""
    with pytest.raises(ConfigurationError, match="needs a passphrase and none was given") as raised:
        read_pkcs12(good, None)
    assert "passphrase_file" in raised.value.hint


@pytest.mark.parametrize("passphrase", ["sec\0ret", b"secret\0", "\0"])
def test_a_nul_never_reaches_the_library(good, passphrase, capfd):
    """A NUL makes the library abort with a Rust panic on stderr: it is refused before."""
    with pytest.raises(ConfigurationError, match="NUL"):
        read_pkcs12(good, passphrase)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "passphrase", ["é".encode("latin-1"), "é".encode("utf-16-le") + b"\xd8", "\udce9"], ids=["1", "16", "half"]
)
def test_a_passphrase_that_is_no_utf8_is_refused(good, passphrase):
    """Latin-1 and UTF-16 bytes, or half a surrogate pair, are refused, and the error carries none of them along."""
    with pytest.raises(ConfigurationError, match="not valid UTF-8") as raised:
        read_pkcs12(good, passphrase)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_a_number_is_no_passphrase(good):
    """A number, as TOML and YAML read one without quotes, is refused by its type alone."""
    with pytest.raises(ConfigurationError, match="of type int") as raised:
        read_pkcs12(good, 1234)
    assert "1234" not in str(raised.value)


# ------------------------------------------------------------------ what opens too easily


def test_a_file_that_any_passphrase_opens_is_noted(maker, tree, leaf):
    """Neither encrypted nor checked: it opens with anything, and says so."""
    data = maker.pfx(maker.key_bag(leaf), maker.cert_bag(leaf.der))
    for passphrase in (None, "", "anything"):
        store = read_pkcs12(data, passphrase)
        assert codes(store) == ["any-passphrase", "unencrypted-key"]
        assert {note.severity for note in store.notes} == {Severity.WARNING}


def test_a_clear_key_behind_a_check_is_noted(leaf):
    """A file whose integrity is checked but whose key lies in clear gets the one note and not the other."""
    data = pkcs12.serialize_key_and_certificates(None, leaf.key, leaf.certificate, None, NoEncryption())
    shape = outline(data)
    expected = ["unencrypted-key"] if shape.mac_rounds else ["any-passphrase", "unencrypted-key"]
    assert codes(read_pkcs12(data, None)) == expected


def test_an_empty_passphrase_is_noted(maker, leaf):
    """Encrypted with nothing is not protected; the file opens with None as with the empty text, and says so."""
    data = maker.pfx(maker.empty_passphrase_bag(leaf), maker.cert_bag(leaf.der))
    for passphrase in (None, "", b""):
        store = read_pkcs12(data, passphrase)
        assert codes(store) == ["unencrypted-key"]
        assert "empty passphrase" in store.notes[0].message
    assert AMBIGUOUS in refusal(data, "secret")


def test_bytes_after_the_end_are_noted(good):
    """A line break after the end makes the library warn: a note, whatever the filters of warnings are."""
    assert codes(read_pkcs12(good + b"\n", "secret")) == ["ber-fallback"]
    assert codes(read_pkcs12(good, "secret")) == []


def test_a_line_break_does_not_hide_a_clear_key(maker, leaf):
    """A clear file with a line break at its end gets all three notes."""
    data = maker.pfx(maker.key_bag(leaf), maker.cert_bag(leaf.der)) + b"\r\n"
    assert codes(read_pkcs12(data, "x")) == ["any-passphrase", "unencrypted-key", "ber-fallback"]


def test_a_wrong_passphrase_for_a_file_with_bytes_after_its_end_is_not_called_damage(good):
    """A P12 that is not in strict DER, and a wrong passphrase: both reasons stay possible."""
    assert AMBIGUOUS in refusal(good + b"\0\0\0", "wrong")


# ------------------------------------------------------------------ not one identity


def test_two_identities_are_refused(maker, tree, leaf):
    """The library would take the first key and drop the second in silence: the file is refused, both named."""
    other = tree.client(cn="CLIENT_WS_ANNUAIRE", key=tree.aci.key)
    data = maker.pfx(
        maker.key_bag(leaf, "secret"),
        maker.key_bag(other, "secret"),
        maker.cert_bag(leaf.der),
        maker.cert_bag(other.der),
    )
    text = refusal(data)
    assert "two identities" in text
    assert "CLIENT_WS_RORN" in text
    assert "CLIENT_WS_ANNUAIRE" in text


def test_a_second_end_certificate_is_refused_even_without_its_key(maker, tree, leaf):
    """A SIGN certificate beside the leaf: its key may have been dropped, so the file is not taken for one identity."""
    sign = tree.client(cn="CACHET")
    assert "two identities" in refusal(maker.p12(leaf, [sign, tree.aci]))
    assert read_pkcs12(maker.p12(leaf, [tree.aci]), "secret")


def test_a_second_key_without_certificate_is_refused(maker, tree, leaf):
    """Two keys and one certificate are refused too."""
    data = maker.pfx(maker.key_bag(leaf, "secret"), maker.key_bag(tree.aci, "secret"), maker.cert_bag(leaf.der))
    assert "2 private keys" in refusal(data)


def test_certificates_without_a_key_are_refused(leaf, tree):
    """A trust store loads without an error in the library, and is refused here."""
    data = pkcs12.serialize_key_and_certificates(
        None, None, None, [tree.aci.certificate], BestAvailableEncryption(b"secret")
    )
    assert "no private key" in refusal(data)


def test_a_key_without_its_certificate_is_refused(maker, tree, leaf):
    """A key beside certificates of other keys, or beside none, loads in the library, and is refused here."""
    alone = maker.pfx(maker.key_bag(leaf, "secret"))
    beside_others = maker.pfx(maker.key_bag(leaf, "secret"), maker.cert_bag(tree.aci.der))
    for data in (alone, beside_others):
        assert "no certificate that belongs to it" in refusal(data)


def test_a_key_of_another_kind_is_refused(maker, tree):
    """Ed25519 opens in the library; here only RSA and EC do."""
    made = tree.client(key=ed25519.Ed25519PrivateKey.generate())
    assert "Ed25519" in refusal(maker.p12(made))


def test_a_damaged_leaf_is_refused_and_a_damaged_companion_is_noted(maker, tree, leaf):
    """A leaf that cannot be read to its end is of no use; another certificate like that is left out, with a note."""
    broken = x509.UnrecognizedExtension(x509.OID_CRL_DISTRIBUTION_POINTS, b"\x30\x03\x02\x01")
    bad_leaf = tree.client(extra=[broken])
    assert "damaged" in refusal(maker.p12(bad_leaf, [tree.aci]))
    bad_root = maker.authority(tree.root.certificate.subject, None, extra=[broken])
    store = read_pkcs12(maker.p12(leaf, [tree.aci, bad_root]), "secret")
    assert store.certificates == (leaf.certificate, tree.aci.certificate)
    assert codes(store) == ["unreadable-certificate"]


def test_a_certificate_of_an_unknown_version_is_damage(maker, leaf, tree):
    """A version that X.509 does not know, for which the library has an error of its own kind, is like other damage."""
    versioned = leaf.der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x79", 1)
    data = maker.pfx(maker.cert_bag(versioned), maker.key_bag(leaf, "secret"))
    assert "not a valid X509 version" in refusal(data)


def test_odd_names_make_no_warning(maker, tree):
    """A CN longer than X.509 allows makes the library warn; here it is read in silence, also under -W error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        long_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x" * 90, _validate=False)])
    made = maker.issue(long_name, tree.aci)
    store = read_pkcs12(maker.p12(made, [tree.aci]), "secret")
    assert store.certificates[0].subject.rfc4514_string() == "CN=" + "x" * 90


# ------------------------------------------------------------------ not a P12 at all

CASES = {
    "empty": (lambda t: b"", "empty"),
    "blank": (lambda t: b" \r\n", "empty"),
    "jks": (lambda t: b"\xfe\xed\xfe\xed" + b"\0" * 40, "JKS"),
    "jceks": (lambda t: b"\xce\xce\xce\xce" + b"\0" * 40, "JCEKS"),
    "zip": (lambda t: b"PK\x03\x04" + b"\0" * 40, "ZIP"),
    "pem": (lambda t: t.aci.pem + t.aci.key_pem(), r"PEM file (CERTIFICATE, PRIVATE KEY)"),
    "pem after text": (lambda t: b"Bag Attributes\n  x: y\n" + t.aci.pem, "PEM file (CERTIFICATE)"),
    "utf-16": (lambda t: t.aci.pem.decode().encode("utf-16"), "UTF-16"),
    "utf-16-be": (lambda t: b"\xfe\xff" + t.aci.pem.decode().encode("utf-16-be"), "UTF-16"),
    "html": (lambda t: b"\n<!DOCTYPE html><html>", "web page"),
    "der certificate": (lambda t: t.aci.der, "certificate alone"),
    "der key": (lambda t: _der_key(t, NoEncryption()), "private key alone"),
    "der key, encrypted": (lambda t: _der_key(t, BestAvailableEncryption(b"x")), "private key alone"),
    "der request": (lambda t: _request(t), "CSR"),
    "p7b": (lambda t: pkcs7.serialize_certificates([t.aci.certificate], Encoding.DER), "PKCS#7"),
    "text": (lambda t: b"hello", "not a P12, nor any"),
    "half base64": (lambda t: b"MIIK=!", "not a P12, nor any"),
    "a path given as bytes": (lambda t: b"client.p12", "not a P12, nor any"),
}


def _der_key(tree, how):
    return tree.aci.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, how)


def _request(tree):
    from cryptography.hazmat.primitives.hashes import SHA256

    builder = x509.CertificateSigningRequestBuilder().subject_name(tree.aci.certificate.subject)
    return builder.sign(tree.aci.key, SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("passphrase", ["secret", None])
@pytest.mark.parametrize(("make", "word"), CASES.values(), ids=CASES)
def test_what_is_no_p12_is_named(tree, make, word, passphrase):
    """A file of another kind is named with what to do, with a passphrase and without one."""
    assert word in refusal(make(tree), passphrase)


def test_base64_of_a_p12_is_named(good):
    """A P12 that came as base64 text, in lines or in one, is recognised."""
    for text in (base64.b64encode(good), base64.encodebytes(good)):
        assert "base64" in refusal(text)


@pytest.mark.parametrize("passphrase", ["secret", None])
def test_a_cut_file_is_damaged(good, passphrase):
    """A P12 that ends too early is called damaged, whether a passphrase was given or not."""
    for length in (2, 40, len(good) // 2, len(good) - 1):
        assert "damaged or cut short" in refusal(good[:length], passphrase)


def test_a_file_too_big_is_refused_unread(good):
    """Beyond 1 MiB nothing is tried."""
    assert "over 1024 KiB" in refusal(b"\x30" + b"\0" * 1024 * 1024)


def test_an_absurd_number_of_rounds_is_refused_uncounted(maker, leaf):
    """A file that asks for hours of work is refused at once."""
    bags = (maker.key_bag(leaf, "secret"), maker.cert_bag(leaf.der))
    assert "2000000000 rounds" in refusal(maker.pfx(*bags, mac_rounds=2_000_000_000))
    assert AMBIGUOUS in refusal(maker.pfx(*bags, mac_rounds=2048))


def test_an_unknown_algorithm_is_named(maker, leaf, monkeypatch):
    """An encryption that the library does not know is no wrong passphrase."""
    from cryptography.exceptions import UnsupportedAlgorithm

    def unknown(data, password):
        raise UnsupportedAlgorithm("RC5 is not supported")

    monkeypatch.setattr(pkcs12, "load_pkcs12", unknown)
    assert "The library says: RC5 is not supported" in refusal(
        maker.pfx(maker.key_bag(leaf, "secret"), maker.cert_bag(leaf.der))
    )


# ------------------------------------------------------------------ the outline


def test_the_outline_shows_without_a_passphrase(maker, good, leaf):
    """Keys in clear parts and the rounds of the check are seen from outside; what is no P12 has no outline."""
    assert outline(good).mac_rounds
    clear = outline(maker.pfx(maker.key_bag(leaf), maker.key_bag(leaf, "x"), maker.cert_bag(leaf.der)))
    assert (clear.mac_rounds, clear.clear_keys, clear.keys) == (None, 1, 2)
    assert outline(leaf.der) is None
    assert outline(b"") is None
