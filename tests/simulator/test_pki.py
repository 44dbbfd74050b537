"""The simulator's tree has the shape of IGC-Santé, certificate by certificate and file by file."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

import ror_sante.pki
from ror_sante.errors import ConfigurationError
from ror_sante.simulator.pki import SERVER_AUTH, SIGN, SimulatorPki
from ror_sante.simulator.templates import PRODUCT_CATEGORY
from ror_sante.sync.files import private_folder, write_private

AT = datetime(2026, 3, 1, 12, 30, 15, 999, tzinfo=UTC)
REAL = Path(ror_sante.pki.__file__).parent / "data"


@pytest.fixture(scope="module")
def pki() -> SimulatorPki:
    return SimulatorPki.create(at=AT)


@pytest.fixture(scope="module")
def playing_test() -> SimulatorPki:
    return SimulatorPki.create(at=AT, test=True)


@pytest.fixture(scope="module")
def saved(pki: SimulatorPki, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    pki.save(folder)
    return folder


def shape(certificate: x509.Certificate) -> dict[str, bool]:
    return {extension.oid.dotted_string: extension.critical for extension in certificate.extensions}


def common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> object:
    return certificate.extensions.get_extension_for_oid(oid).value


# ------------------------------------------------------------------ the authorities


@pytest.mark.parametrize(("ours", "real"), [("root", "ACR-EL-TEST"), ("intermediate", "ACI-EL-ORG-TEST")])
def test_authorities_have_the_extensions_of_the_real_ones(playing_test: SimulatorPki, ours: str, real: str) -> None:
    """Extension for extension, an authority is as critical, as limited and as usable as the real one."""
    made = getattr(playing_test, ours).certificate
    model = x509.load_pem_x509_certificate((REAL / f"{real}.pem").read_bytes())
    assert shape(made) == shape(model)
    for oid in (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE):
        assert extension(made, oid) == extension(model, oid)
    assert made.signature_algorithm_oid == model.signature_algorithm_oid
    assert made.serial_number.to_bytes(18)[:2] == model.serial_number.to_bytes(18)[:2]
    kinds = [attribute.oid for attribute in made.subject]
    assert kinds == [attribute.oid for attribute in model.subject]


def test_names_are_not_those_of_igc_sante(pki: SimulatorPki, playing_test: SimulatorPki) -> None:
    """No name of the simulator is a real authority's, and TEST stands in front only when asked for."""
    real = {x509.load_pem_x509_certificate(path.read_bytes()).subject for path in REAL.glob("*.pem")}
    for tree in (pki, playing_test, pki.foreign):
        assert {tree.root.certificate.subject, tree.intermediate.certificate.subject}.isdisjoint(real)
    assert common_name(pki.root.certificate) == "SIMULATEUR AC RACINE ELEMENTAIRE"
    assert common_name(playing_test.root.certificate) == "TEST SIMULATEUR AC RACINE ELEMENTAIRE"
    assert common_name(playing_test.intermediate.certificate) == "TEST SIMULATEUR AC ELEMENTAIRE ORGANISATIONS"


def test_no_address_in_a_certificate_exists(pki: SimulatorPki) -> None:
    """Whoever follows a CRL, OCSP or issuer address of a throw-away certificate reaches nobody."""
    for issued in (pki.intermediate, pki.client()):
        text = issued.certificate.public_bytes(serialization.Encoding.DER)
        assert text.count(b"://") == text.count(b".simulateur.invalid") >= 3
        assert b"esante" not in text


def test_validities_follow_the_moment(pki: SimulatorPki) -> None:
    """The intermediate ends a day before the root, and leaves live three years around the moment given."""
    root, intermediate, client = (
        item.certificate for item in (pki.root, pki.intermediate, pki.client(key=pki.root.key))
    )
    assert root.not_valid_after_utc - intermediate.not_valid_after_utc == timedelta(days=1)
    assert client.not_valid_before_utc == AT.replace(microsecond=0) - timedelta(days=1)
    assert client.not_valid_after_utc - client.not_valid_before_utc == timedelta(days=1096)


def test_a_tree_is_ready_in_well_under_two_seconds() -> None:
    """A tree with a client, a server and a P12 is made while one waits; in CPU time, which others do not take."""
    start = time.process_time()
    pki = SimulatorPki.create()
    pki.identity()
    pki.server()
    assert time.process_time() - start < 2
    assert abs(pki.at - datetime.now(UTC)) < timedelta(seconds=10)


def test_a_weak_key_is_refused() -> None:
    """RSA under 2048 bits is below what TLS accepts, so it is not made."""
    with pytest.raises(ConfigurationError, match="1024 bits"):
        SimulatorPki.create(key_size=1024)


def test_a_moment_without_time_zone_is_refused() -> None:
    """Noon somewhere is no moment."""
    with pytest.raises(ConfigurationError, match="time zone"):
        SimulatorPki.create(at=AT.replace(tzinfo=None))


# ------------------------------------------------------------------ leaves

AUTH_CLI_SHAPE = {
    "2.5.29.19": False,  # basicConstraints
    "2.5.29.15": True,  # keyUsage
    "2.5.29.37": False,  # extendedKeyUsage
    "2.5.29.32": False,  # certificatePolicies
    "1.3.6.1.5.5.7.1.1": False,  # authorityInfoAccess
    "2.5.29.31": False,  # cRLDistributionPoints
    "2.5.29.46": False,  # freshestCRL
    "1.2.250.1.71.1.2.5": False,  # product category
    "2.5.29.14": False,  # subjectKeyIdentifier
    "2.5.29.35": False,  # authorityKeyIdentifier
}


def test_a_client_has_the_extensions_of_auth_cli(pki: SimulatorPki) -> None:
    """The client leaf has what real AUTH_CLI leaves have, and no subjectAltName."""
    certificate = pki.client().certificate
    assert shape(certificate) == AUTH_CLI_SHAPE
    usage = extension(certificate, ExtensionOID.KEY_USAGE)
    assert isinstance(usage, x509.KeyUsage)
    assert usage.digital_signature
    assert not usage.content_commitment
    assert not usage.key_encipherment
    points = extension(certificate, ExtensionOID.FRESHEST_CRL)
    assert isinstance(points, x509.FreshestCRL)
    assert [str(name.value)[:7] for point in points for name in point.full_name or []] == ["ldap://"]
    assert (certificate.serial_number.bit_length() + 7) // 8 == 16


def test_a_client_is_named_as_the_order_form_does(pki: SimulatorPki) -> None:
    """The subject is C, ST, O, OU, CN in this encoded order, accents kept."""
    issued = pki.client("INSI-MANU", organisation="CENTRE DE SANTÉ", structure="10B0221636", department="Rhône (69)")
    assert [(a.oid, a.value) for a in issued.certificate.subject] == [
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Rhône (69)"),
        (NameOID.ORGANIZATION_NAME, "CENTRE DE SANTÉ"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "10B0221636"),
        (NameOID.COMMON_NAME, "INSI-MANU"),
    ]


@pytest.mark.parametrize(("test", "byte"), [(False, 0x03), (True, 0x83)])
def test_the_product_category_tells_the_trees_apart(
    pki: SimulatorPki, playing_test: SimulatorPki, test: bool, byte: int
) -> None:
    """The category is one byte in an OCTET STRING: software certificate, of test or not."""
    category = extension((playing_test if test else pki).client().certificate, PRODUCT_CATEGORY)
    assert isinstance(category, x509.UnrecognizedExtension)
    assert category.value == bytes([4, 1, byte])


def test_a_sign_certificate_seals_and_no_more(pki: SimulatorPki) -> None:
    """SIGN differs from AUTH_CLI by its usages and by a privateKeyUsagePeriod of three years."""
    certificate = pki.client(product=SIGN).certificate
    assert shape(certificate) == AUTH_CLI_SHAPE | {"2.5.29.16": False}
    usages = extension(certificate, ExtensionOID.EXTENDED_KEY_USAGE)
    assert usages == x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
    period = extension(certificate, ExtensionOID.PRIVATE_KEY_USAGE_PERIOD)
    assert isinstance(period, x509.PrivateKeyUsagePeriod)
    assert period.not_before is not None
    assert period.not_after is not None
    assert period.not_after - period.not_before == timedelta(days=1095)


def test_a_server_answers_by_name_and_by_both_addresses(pki: SimulatorPki) -> None:
    """SERV SSL carries localhost, 127.0.0.1 and ::1 unless told otherwise, the first one in the CN."""
    certificate = pki.server().certificate
    assert shape(certificate) == AUTH_CLI_SHAPE | {"2.5.29.17": False}
    names = extension(certificate, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert isinstance(names, x509.SubjectAlternativeName)
    assert [str(name.value) for name in names] == ["localhost", "127.0.0.1", "::1"]
    assert common_name(certificate) == "localhost"
    assert "2.5.29.17" not in shape(pki.server("localhost", alternative_names=False).certificate)


def test_usages_and_key_can_be_chosen(pki: SimulatorPki) -> None:
    """A leaf takes the key and the usages it is given, and nothing else changes."""
    key = ec.generate_private_key(ec.SECP256R1())
    issued = pki.client(key=key, usages=[SERVER_AUTH])
    assert issued.key is key
    assert shape(issued.certificate) == AUTH_CLI_SHAPE
    assert extension(issued.certificate, ExtensionOID.EXTENDED_KEY_USAGE) == x509.ExtendedKeyUsage([SERVER_AUTH])


def test_a_self_signed_server_is_outside_the_tree(pki: SimulatorPki) -> None:
    """It is its own issuer and brings no intermediate."""
    issued = pki.server(self_signed=True)
    issued.certificate.verify_directly_issued_by(issued.certificate)
    assert issued.chain == (issued.certificate,)


def test_dates_must_make_sense(pki: SimulatorPki) -> None:
    """A certificate does not end before it starts, and its dates have a time zone."""
    with pytest.raises(ConfigurationError, match="before it starts"):
        pki.client(not_before=AT, not_after=AT - timedelta(seconds=1))
    with pytest.raises(ConfigurationError, match="time zone"):
        pki.client(not_after=datetime(2030, 1, 1))  # noqa: DTZ001  the refusal of just this is what is tested
    assert pki.client(not_before=AT, not_after=AT).certificate.not_valid_after_utc == AT.replace(microsecond=0)


def test_the_chain_leaves_the_root_out(pki: SimulatorPki) -> None:
    """What is pushed is the leaf and the intermediate; each was signed by the next, the last by the root."""
    issued = pki.client()
    leaf, intermediate = x509.load_pem_x509_certificates(issued.pem_chain())
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(pki.root.certificate)
    assert issued.chain == (leaf, intermediate)


def test_a_key_in_pem_is_encrypted_when_a_passphrase_is_given(pki: SimulatorPki) -> None:
    """With a passphrase the key opens with it alone; without one it lies open."""
    issued = pki.client()
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in issued.key_pem("secret")
    with pytest.raises(ValueError, match=r"[Ii]ncorrect password"):
        serialization.load_pem_private_key(issued.key_pem("secret"), b"other")
    opened = serialization.load_pem_private_key(issued.key_pem(), None)
    assert opened.public_key() == issued.key.public_key()


# ------------------------------------------------------------------ trees and values


def test_the_foreign_tree_differs_by_names_the_twin_by_keys_alone(pki: SimulatorPki) -> None:
    """A foreign tree shares nothing with ours; a twin shares every name and no key."""
    foreign, twin = pki.foreign.root.certificate, pki.twin.root.certificate
    assert foreign.subject != pki.root.certificate.subject
    assert twin.subject == pki.root.certificate.subject
    assert twin.public_key() != pki.root.certificate.public_key()
    assert pki.twin.intermediate.certificate.subject == pki.intermediate.certificate.subject
    assert pki.foreign is pki.foreign
    assert pki.foreign is not pki.twin


def test_threads_get_one_and_the_same_foreign_tree() -> None:
    """A tree made on demand is made once, however many ask at the same time."""
    pki = SimulatorPki.create()
    with ThreadPoolExecutor(4) as threads:
        trees = list(threads.map(lambda _: pki.foreign, range(4)))
    assert len({id(tree) for tree in trees}) == 1


def test_anchor_and_identity_are_the_values_sessions_take(pki: SimulatorPki) -> None:
    """The anchor is the root; the identity carries leaf and intermediate, and our own judgement finds it good."""
    identity = pki.identity()
    assert pki.anchor.certificate == pki.root.certificate
    assert [common_name(c) for c in identity.chain] == ["CLIENT_WS_RORN", common_name(pki.intermediate.certificate)]
    assert identity.subject_dn == "CN=CLIENT_WS_RORN,OU=33333333333,O=GIP - TEST3012,ST=Paris (75),C=FR"
    assert identity.verify(pki.anchor, at=AT) == ()
    assert identity.verify(pki.foreign.anchor, at=AT)[0].code == "untrusted-chain"
    other = pki.client("CLIENT_WS_ROR")
    assert pki.identity(other).certificate == other.certificate


def test_the_crl_revokes_what_it_is_given_and_nothing_else(pki: SimulatorPki) -> None:
    """The PEM text holds the intermediate's CRL, then the root's empty one, both signed by their authority."""
    gone, kept = pki.client(), pki.client()
    first, second = pki.crl([gone, kept.certificate]), pki.crl([gone])
    assert len(list(x509.load_pem_x509_crl(first))) == 2
    crl = x509.load_pem_x509_crl(second)
    assert [entry.serial_number for entry in crl] == [gone.certificate.serial_number]
    assert crl.get_revoked_certificate_by_serial_number(kept.certificate.serial_number) is None
    assert crl.is_signature_valid(pki.intermediate.certificate.public_key())
    root_crl = x509.load_pem_x509_crl(second[second.rindex(b"-----BEGIN") :])
    assert list(root_crl) == []
    assert root_crl.is_signature_valid(pki.root.certificate.public_key())


def test_repr_shows_a_name_and_no_key(pki: SimulatorPki) -> None:
    """A tree pasted into a ticket gives nothing away."""
    assert repr(pki) == "<SimulatorPki 'SIMULATEUR AC RACINE ELEMENTAIRE'>"
    assert "PRIVATE" not in repr(pki.client())


# ------------------------------------------------------------------ saving and loading


def test_a_saved_tree_loads_as_the_same_tree(pki: SimulatorPki, saved: Path) -> None:
    """What is loaded has the same authorities, and issues leaves that the first one's root covers."""
    for folder in (saved, saved / "ca"):
        loaded = SimulatorPki.load(folder, at=AT)
        assert loaded.root.certificate == pki.root.certificate
        assert loaded.identity().verify(pki.anchor, at=AT) == ()
    assert loaded.published_crl is not None
    assert list(x509.load_pem_x509_crl(loaded.published_crl)) == []
    assert pki.published_crl is None


def test_a_loaded_test_tree_is_still_one(playing_test: SimulatorPki, tmp_path: Path) -> None:
    """TEST or not is read from the names."""
    loaded = SimulatorPki.load(playing_test.save(tmp_path))
    category = extension(loaded.client().certificate, PRODUCT_CATEGORY)
    assert isinstance(category, x509.UnrecognizedExtension)
    assert category.value[-1] == 0x83


def test_a_tree_without_crl_loads_without(pki: SimulatorPki, tmp_path: Path) -> None:
    """The CRL beside a tree is optional."""
    (pki.save(tmp_path) / "crl.pem").unlink()
    assert SimulatorPki.load(tmp_path).published_crl is None


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o177])
def test_saved_files_are_private_whatever_the_umask(pki: SimulatorPki, tmp_path: Path, umask: int) -> None:
    """Files are 0600 in a folder of 0700 under an open umask and under a tight one."""
    before = os.umask(umask)
    try:
        place = private_folder(tmp_path / "new" / "place")
        write_private(place / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "file").stat().st_mode) == 0o600


def test_saving_again_replaces_and_leaves_no_half(pki: SimulatorPki, tmp_path: Path) -> None:
    """A second save overwrites the first; no temporary file stays behind."""
    pki.save(tmp_path)
    pki.foreign.save(tmp_path)
    assert SimulatorPki.load(tmp_path).root.certificate == pki.foreign.root.certificate
    names = sorted(path.name for path in (tmp_path / "ca").iterdir())
    assert names == ["crl.pem", "intermediate.key", "intermediate.pem", "root.key", "root.pem"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails half way, readers still see the old content."""
    write_private(tmp_path / "file", b"old")

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_saving_where_a_file_stands_says_so(pki: SimulatorPki, tmp_path: Path) -> None:
    """A path that cannot become a folder is a ConfigurationError that names it."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match="cannot be written") as caught:
        pki.save(tmp_path / "file")
    assert caught.value.hint


def _other_key(folder: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "root.key").write_bytes(pem)


def _ec_root(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "root.key").write_bytes(pem)


def _twin_intermediate(folder: Path) -> None:
    twin = SimulatorPki.load(folder).twin.save(folder / "twin")
    for name in ("intermediate.pem", "intermediate.key"):
        (twin / name).replace(folder / name)


def _root_of_another(folder: Path) -> None:
    """An intermediate in the root's place: it is not self-signed."""
    for end in ("pem", "key"):
        (folder / f"root.{end}").write_bytes((folder / f"intermediate.{end}").read_bytes())


BROKEN = {
    "no folder": (lambda folder: [path.unlink() for path in folder.iterdir()], r"root\.pem cannot be read"),
    "no key": (lambda folder: (folder / "intermediate.key").unlink(), r"intermediate\.key cannot be read"),
    "garbage certificate": (lambda folder: (folder / "root.pem").write_bytes(b"\0\xff"), "not a certificate in PEM"),
    "garbage key": (lambda folder: (folder / "root.key").write_text("hello"), "not a private key in PEM"),
    "encrypted key": (
        lambda folder: (folder / "root.key").write_bytes(SimulatorPki.load(folder).root.key_pem("secret")),
        "without passphrase",
    ),
    "EC key": (_ec_root, "not an RSA key"),
    "key of another": (_other_key, r"not the key of root\.pem"),
    "intermediate of another": (_twin_intermediate, r"intermediate\.pem was not issued"),
    "root not self-signed": (_root_of_another, r"root\.pem was not issued"),
    "garbage CRL": (lambda folder: (folder / "crl.pem").write_text("hello"), "not a CRL in PEM"),
    "endless file": (lambda folder: (folder / "root.pem").write_bytes(b"x" * (2 << 20)), "far too long"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_refused_with_the_file_that_is_wrong(pki: SimulatorPki, tmp_path: Path, name: str) -> None:
    """Whatever is missing or does not fit, the message names the file and the hint says how to make a new tree."""
    damage, message = BROKEN[name]
    damage(pki.save(tmp_path))
    with pytest.raises(ConfigurationError, match=message) as caught:
        SimulatorPki.load(tmp_path)
    assert "make.py" in caught.value.hint


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A path with nothing at its end is a ConfigurationError too."""
    with pytest.raises(ConfigurationError, match=r"root\.pem cannot be read"):
        SimulatorPki.load(tmp_path / "absent")


def test_every_signature_is_sha_256(pki: SimulatorPki) -> None:
    """As on every IGC-Santé certificate."""
    for issued in (pki.root, pki.intermediate, pki.client(), pki.server()):
        assert isinstance(issued.certificate.signature_hash_algorithm, hashes.SHA256)


def test_a_request_that_proves_nothing_is_not_certified(pki: SimulatorPki) -> None:
    """No request at all, and one of a kind of key that the platform does not take."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(name).sign(ed25519.Ed25519PrivateKey.generate(), None)
    )
    with pytest.raises(ConfigurationError, match="neither RSA nor EC"):
        pki.certify(request.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(ConfigurationError, match="no certificate request"):
        pki.certify(b"-----BEGIN CERTIFICATE REQUEST-----")
