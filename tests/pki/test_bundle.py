"""A P12 of ours: modern by default, opened again before it is said to exist, and nothing unfit inside."""

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku

from ror_sante.errors import ConfigurationError, IncompleteChainError, Pkcs12Error, UsageError
from ror_sante.pki import bundle
from ror_sante.pki.bags import outline
from ror_sante.pki.bundle import check_bundle, write_bundle
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.packaged import packaged
from ror_sante.pki.pfx import AlgorithmIdentifier, parsed
from ror_sante.pki.protection import ROUNDS, Protection, _Pbe, encrypted_key, protection
from tests.pki.conftest import NOW, name_of

PASSPHRASE = "mot-de-pässé€ long"
DECOMPOSED = "mot-de-pa\u0308sse\u0301€ long"


@pytest.fixture(scope="module")
def identity(tree, leaf):
    return tree.identity(leaf)


@pytest.fixture(scope="module")
def modern(identity):
    return write_bundle(identity, DECOMPOSED)


@pytest.fixture(scope="module")
def compatible(identity):
    return write_bundle(identity, PASSPHRASE, root=True, compatible=True)


# ------------------------------------------------------------------ what is written


def test_the_default_is_modern_in_all_three_places(modern):
    """AES-256 and 600 000 rounds for certificates and key; the integrity check, the short way, has as many."""
    shape = outline(modern)
    assert (ROUNDS, shape.mac_rounds) == (600_000, 600_000)
    assert shape.protections == (Protection("AES-256", 600_000),)
    assert (shape.certificates, shape.hidden_parts, shape.clear_keys) == ((), 1, 0)


def test_the_compatible_form_is_3des_and_never_rc2(compatible):
    """For old tools: SHA-1 and 3DES, and still fifty times the rounds of the platform."""
    shape = outline(compatible)
    assert shape.protections == (Protection("3DES", 100_000),)
    assert shape.mac_rounds == 100_000
    rc2 = bytes.fromhex("060a2a864886f70d010c0106")  # pbeWithSHAAnd40BitRC2-CBC
    assert rc2 not in compatible


def test_it_opens_with_the_composed_passphrase(modern, identity, tree):
    """NFC, which every tool types, whatever the terminal gave; leaf, then ACI, no root."""
    found = pkcs12.load_pkcs12(modern, PASSPHRASE.encode())
    assert found.cert.certificate == identity.certificate
    assert found.cert.friendly_name == b"CLIENT_WS_RORN"
    assert [one.certificate for one in found.additional_certs] == [tree.aci.certificate]
    assert found.key.private_numbers() == identity.private_key.private_numbers()


def test_the_root_is_put_in_on_wish(compatible, tree):
    """Last, as on the platform."""
    found = pkcs12.load_pkcs12(compatible, PASSPHRASE.encode())
    assert [one.certificate for one in found.additional_certs] == [tree.aci.certificate, tree.root.certificate]


def test_another_passphrase_does_not_open_it(modern):
    """The check with its 600 000 rounds is really the file's."""
    with pytest.raises(Pkcs12Error, match="the passphrase is wrong"):
        ClientIdentity.from_p12(modern, PASSPHRASE + "!")


@pytest.mark.parametrize("bad", ["", "nul\0"])
def test_no_p12_without_a_usable_passphrase(identity, bad):
    """Nothing is written that anybody opens."""
    with pytest.raises(ConfigurationError):
        write_bundle(identity, bad)


@pytest.mark.parametrize("damage", ["rounds", "certificates", "key"])
def test_a_file_that_does_not_hold_what_it_should_is_thrown_away(identity, maker, tree, monkeypatch, damage):
    """The library's 2048 rounds in the check, a lost intermediate, another key."""
    true = bundle.read_pkcs12

    def read(data, passphrase):
        store = true(data, passphrase)
        if damage == "certificates":
            return type(store)(key=store.key, certificates=store.certificates[:1])
        return type(store)(key=maker.rsa(), certificates=store.certificates) if damage == "key" else store

    monkeypatch.setattr(bundle, "read_pkcs12", read)
    if damage == "rounds":
        monkeypatch.setattr(bundle.pfx, "with_mac", lambda whole, mac: asn1.encode_der(whole))
    with pytest.raises(Pkcs12Error, match="does not hold what was put into it"):
        write_bundle(identity, "secret")


# ------------------------------------------------------------------ what may go in


def test_a_good_identity_has_nothing_to_be_said(identity):
    """Judged against its own root: which root a server trusts is another question."""
    assert check_bundle(identity, at=NOW) == ()


def test_a_key_in_clear_is_no_matter_once_it_is_bundled(tree, leaf):
    """The PEM's note ends with the PEM."""
    identity = ClientIdentity.from_pem(leaf.pem, leaf.key_pem(), intermediates=[tree.aci.der, tree.root.der])
    assert [note.code for note in identity.notes] == ["unencrypted-key"]
    assert check_bundle(identity, at=NOW) == ()


@pytest.mark.parametrize(("days", "code"), [((-900, -1), "expired"), ((1, 900), "not-yet-valid")])
def test_a_wrong_date_is_a_warning(tree, days, code):
    """A P12 may be made before its day."""
    assert [found.code for found in check_bundle(tree.identity(tree.client(days=days)), at=NOW)] == [code]


def test_a_chain_that_is_cut_is_refused(tree, leaf):
    """No server would accept it; with the intermediate alone the root is missing all the same."""
    for others in ([], [tree.aci]):
        with pytest.raises(IncompleteChainError, match="is missing") as caught:
            check_bundle(tree.identity(leaf, others), at=NOW)
        assert "--intermediates" in caught.value.hint


def test_a_sign_certificate_is_refused(tree):
    """The same form covers SIGN and AUTH_CLI: the wrong one comes easily."""
    with pytest.raises(UsageError, match="this is a SIGN certificate"):
        check_bundle(tree.identity(tree.client(usages=(Eku.EMAIL_PROTECTION,))), at=NOW)


@pytest.mark.parametrize(
    ("cn", "fits"),
    [
        ("AC IGC-SANTE ELEMENTAIRE ORGANISATIONS", True),
        ("TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS", True),
        ("AC IGC-SANTE ELEMENTAIRE PERSONNES", False),
        ("AC IGC-SANTE STANDARD PERSONNES", False),
        ("TEST AC IGC-SANTE FORT PERSONNES", False),
        ("AC IGC-SANTE FORT ORGANISATIONS", False),
    ],
)
def test_another_family_is_refused(maker, tree, cn, fits):
    """STANDARD, FORT and PERSONNES are told by the issuer's name."""
    aci = maker.authority(name_of(cn, units=["IGC-SANTE"], organisation="ASIP-SANTE"), tree.root, path_length=0)
    identity = tree.identity(maker.issue(tree.client().certificate.subject, aci), [aci, tree.root])
    if fits:
        assert check_bundle(identity, at=NOW) == ()
    else:
        with pytest.raises(UsageError, match="another family of IGC-Santé"):
            check_bundle(identity, at=NOW)


def test_the_packages_own_authorities_are_of_no_other_family():
    """ACI-EL-ORG itself, issued by the root, is not taken for a certificate of another family."""
    from ror_sante.pki.judgement import check_family

    assert list(check_family(packaged("ACI-EL-ORG"))) == []


# ------------------------------------------------------------------ how keys are encrypted


def test_the_key_of_a_request_says_how_it_is_encrypted(leaf):
    """PBES2 is read back, by the library and by our own outline of P12 files."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = encrypted_key(leaf.key, PASSPHRASE)
    assert load_pem_private_key(pem, PASSPHRASE.encode()).private_numbers() == leaf.key.private_numbers()


def test_modern_is_what_has_aes_and_enough_rounds():
    """The platform's 3DES is not, nor AES with the library's 2048 rounds."""
    assert Protection("AES-256", 600_000).modern
    assert Protection("AES-256", None).modern
    assert not Protection("AES-256", 2048).modern
    assert not Protection("3DES", 600_000).modern
    assert (str(Protection("3DES", 2048)), str(Protection("AES-256", None))) == ("3DES, 2048 rounds", "AES-256")


def test_a_scheme_that_is_not_known_is_named_by_its_number():
    """An unknown scheme with rounds, one whose parameters are of another form, and something else altogether."""
    number = x509.ObjectIdentifier("1.2.3.4")
    counted = AlgorithmIdentifier(kind=number, parameters=parsed(_Pbe(salt=b"salt", rounds=7)))
    assert protection(parsed(counted)) == Protection("1.2.3.4", 7)
    other = AlgorithmIdentifier(kind=number, parameters=parsed(b"x"))
    assert protection(parsed(other)) == Protection("unknown cipher", None)
    assert protection(parsed(b"no algorithm")) == Protection("unknown cipher", None)
