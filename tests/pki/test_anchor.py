"""The trusted roots: the packaged ones are the released ones, and nothing but one self-signed root is an anchor."""

import dataclasses
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from OpenSSL import crypto

from ror_sante.errors import ConfigurationError
from ror_sante.pki.anchor import TrustAnchor, load_anchors
from ror_sante.pki.packaged import check, packaged, packaged_intermediates, packaged_roots

# As written in the directory of the certificates when they were collected, from independent sources.
ACR_EL = "2D:9E:22:CA:19:F7:77:C6:B7:45:25:7C:72:3E:CB:8D:F3:C3:5F:A6:F1:F6:EC:36:B8:36:00:C9:73:46:96:7F"
ACR_EL_TEST = "01:32:5A:EB:19:38:71:EE:C9:0F:A8:95:56:80:4E:41:85:CB:36:2E:0C:A8:7A:3D:79:93:9C:71:18:6D:A8:05"


def test_the_packaged_roots_are_the_published_ones():
    """ACR-EL and its TEST twin have the fingerprints, names and ends that are published."""
    production, test = TrustAnchor.igc_sante(), TrustAnchor.igc_sante_test()
    assert production.sha256 == ACR_EL.replace(":", "").lower()
    assert test.sha256 == ACR_EL_TEST.replace(":", "").lower()
    assert production.subject == "AC RACINE IGC-SANTE ELEMENTAIRE"
    assert test.subject == "TEST AC RACINE IGC-SANTE ELEMENTAIRE"
    assert (production.name, test.name) == ("igc-sante", "igc-sante-test")
    assert {anchor.certificate.not_valid_after_utc.year for anchor in (production, test)} == {2033}


@pytest.mark.parametrize("number", [0, 1], ids=["production", "test"])
def test_openssl_links_the_packaged_intermediates_to_their_roots(number, now):
    """A second opinion: OpenSSL, strict, finds each packaged ACI-EL-ORG issued by the root of its own tree alone."""
    aci = crypto.X509.from_cryptography(packaged_intermediates()[number])
    for root_number, root in enumerate(packaged_roots()):
        store = crypto.X509Store()
        store.add_cert(crypto.X509.from_cryptography(root))
        store.set_flags(crypto.X509StoreFlags.X509_STRICT)
        store.set_time(now)
        context = crypto.X509StoreContext(store, aci)
        if root_number == number:
            context.verify_certificate()
        else:
            with pytest.raises(crypto.X509StoreContextError):
                context.verify_certificate()


def test_ssl_loads_an_anchor_from_its_bytes():
    """The bytes of an anchor are what the ssl module takes as a root."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=TrustAnchor.igc_sante().der)
    assert context.get_ca_certs(binary_form=True) == [TrustAnchor.igc_sante().der]


def test_an_altered_package_file_is_refused(tree):
    """A packaged certificate that is another one, or none, is refused with a word about the installation."""
    for altered in (tree.root.pem, b"nothing"):
        with pytest.raises(ConfigurationError, match="not the one that was released") as raised:
            check(altered, name="ACR-EL")
        assert "reinstall" in raised.value.hint
    assert check(packaged("ACR-EL").public_bytes(Encoding.PEM), name="ACR-EL") == packaged("ACR-EL")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_root_is_read_from_a_file_in_pem_or_der(tree, tmp_path, encoding):
    """One self-signed authority, in PEM or DER, is an anchor named by its path."""
    path = tmp_path / "root.cer"
    path.write_bytes(tree.root.certificate.public_bytes(encoding))
    anchor = TrustAnchor.from_file(path)
    assert (anchor.certificate, anchor.name) == (tree.root.certificate, str(path))


def test_an_anchor_is_a_frozen_value(tree):
    """An anchor equals another of the same certificate and name, and does not change."""
    anchor = tree.anchor
    assert anchor == TrustAnchor(tree.root.certificate, "tree")
    assert len({anchor, TrustAnchor(tree.root.certificate, "tree")}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        anchor.name = "other"


def test_an_intermediate_is_no_anchor(tree):
    """An intermediate is refused, with the name of the root to trust in its place."""
    with pytest.raises(ConfigurationError, match="is no root") as raised:
        TrustAnchor.from_bytes(tree.aci.pem, name="aci.pem")
    assert "AC RACINE SIMULATED" in raised.value.hint


def test_a_self_signed_server_certificate_is_no_anchor(maker, leaf):
    """A self-signed certificate that is no authority's is refused."""
    own = maker.issue(leaf.certificate.subject, None)
    with pytest.raises(ConfigurationError, match="is no authority"):
        TrustAnchor.from_bytes(own.pem, name="own.pem")


def test_a_certificate_without_basic_constraints_is_no_anchor(maker, leaf):
    """A self-signed certificate that does not say whether it is an authority's is refused too."""
    own = maker.issue(leaf.certificate.subject, None, basic=False)
    with pytest.raises(ConfigurationError, match="is no authority"):
        TrustAnchor(own.certificate, "own")


def test_a_root_that_did_not_sign_itself_is_no_anchor(maker, tree, twin):
    """A certificate that names itself as issuer and bears another key's signature is refused."""
    forged = maker.authority(tree.root.certificate.subject, twin.root)
    with pytest.raises(ConfigurationError, match="damaged or forged"):
        TrustAnchor.from_bytes(forged.pem, name="forged.pem")


def test_a_root_with_an_unreadable_extension_is_no_anchor(maker, tree):
    """A root whose extensions cannot be read is refused, whoever hands it over."""
    broken = x509.UnrecognizedExtension(x509.OID_CRL_DISTRIBUTION_POINTS, b"\x30\x03\x02\x01")
    root = maker.authority(tree.root.certificate.subject, None, extra=[broken])
    with pytest.raises(ConfigurationError, match="damaged"):
        TrustAnchor(root.certificate, "root")


def test_two_certificates_in_a_file_are_no_anchor(tree):
    """A file with a whole chain is refused and its certificates are named: an anchor is one root."""
    with pytest.raises(ConfigurationError, match=r"holds 2 certificates .*ORGANISATIONS.*RACINE"):
        TrustAnchor.from_bytes(tree.aci.pem + tree.root.pem, name="chain.pem")


def test_a_pkcs7_bundle_of_one_root_is_an_anchor(tree):
    """A .p7b of the root alone works; this is how the platform publishes its chains."""
    bundle = pkcs7.serialize_certificates([tree.root.certificate], Encoding.DER)
    assert TrustAnchor.from_bytes(bundle, name="root.p7b").certificate == tree.root.certificate


@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", b"\x30\x03\x02\x01"], ids=["empty", "html", "cut"])
def test_what_is_no_certificate_is_no_anchor(content):
    """An anchor file without a certificate is an error of configuration, not of our own certificate."""
    with pytest.raises(ConfigurationError, match="the anchor is not usable"):
        TrustAnchor.from_bytes(content, name="root.pem")


def test_words_and_files_make_anchors(tree, tmp_path):
    """Anchors are named by word or by a path that starts at the settings' folder; a root named twice counts once."""
    (tmp_path / "root.pem").write_bytes(tree.root.pem)
    found = load_anchors(["igc-sante", "igc-sante-test", "root.pem", "igc-sante"], folder=tmp_path)
    assert [anchor.subject for anchor in found] == [
        "AC RACINE IGC-SANTE ELEMENTAIRE",
        "TEST AC RACINE IGC-SANTE ELEMENTAIRE",
        "AC RACINE SIMULATED ELEMENTAIRE",
    ]


def test_one_word_is_one_anchor():
    """A bare word is taken as a list of one, not letter by letter."""
    assert [anchor.name for anchor in load_anchors("igc-sante")] == ["igc-sante"]


def test_the_public_web_is_named_explicitly():
    """The word web-pki gives certifi's roots, without a warning, and no root of IGC-Santé."""
    found = load_anchors(["web-pki"])
    assert len(found) > 50
    assert all(anchor.name.startswith("web-pki: ") for anchor in found)
    assert TrustAnchor.igc_sante().sha256 not in {anchor.sha256 for anchor in found}


def test_no_word_is_no_trust():
    """An empty list of anchors is refused: it would trust nothing."""
    with pytest.raises(ConfigurationError, match="no anchor"):
        load_anchors([])


def test_a_missing_anchor_file_is_an_error_of_configuration(tmp_path):
    """A path that leads nowhere is named in the error."""
    with pytest.raises(ConfigurationError, match=r"does not exist: .*nowhere\.pem"):
        load_anchors(["nowhere.pem"], folder=tmp_path)


def test_a_sha1_root_is_an_anchor_by_its_bytes():
    """A root signed with SHA-1, as some of the web are, is accepted: its own signature proves nothing."""
    sha1 = [a for a in load_anchors(["web-pki"]) if isinstance(a.certificate.signature_hash_algorithm, hashes.SHA1)]
    assert all(TrustAnchor(anchor.certificate, "again").sha256 == anchor.sha256 for anchor in sha1)
