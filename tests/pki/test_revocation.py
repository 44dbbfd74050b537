"""What counts as a statement of an authority about a certificate, and what does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import ocsp
from OpenSSL import crypto

from ror_sante.pki.crl import read_crl
from ror_sante.pki.ocsp import ocsp_request, read_ocsp
from ror_sante.pki.packaged import packaged
from ror_sante.pki.revocation import (
    Standing,
    UnusableStatementError,
    check_dates,
    check_signature,
    crl_urls,
    ocsp_urls,
)
from ror_sante.simulator.pki import SimulatorPki
from tests.support.authority import HOUR, crl_of, ocsp_answer, responder_of

NONCE = b"n" * 32
PAGE = b"<!DOCTYPE html><html>Connectez-vous au portail</html>"


@pytest.fixture(scope="module")
def leaf(pki: SimulatorPki) -> x509.Certificate:
    return pki.client().certificate


@pytest.fixture(scope="module")
def answer(pki: SimulatorPki, leaf: x509.Certificate) -> Any:
    """Sign an answer about the leaf."""

    def make(about: x509.Certificate = leaf, **how: Any) -> bytes:
        return ocsp_answer(about, pki.intermediate, **{"at": pki.at, "nonce": NONCE, **how})

    return make


@pytest.fixture(scope="module")
def read(pki: SimulatorPki, leaf: x509.Certificate) -> Any:
    """Read an answer about the leaf."""

    def made(data: bytes, *, nonce: bytes | None = NONCE, at: Any = None) -> Any:
        return read_ocsp(data, leaf, pki.intermediate.certificate, nonce=nonce, at=at or pki.at)

    return made


# ------------------------------------------------------------------ OCSP


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=["sha1", "sha256"])  # noqa: S303  it names, it proves nothing
def test_an_answer_of_the_issuer_counts(read: Any, answer: Any, algorithm: Any) -> None:
    """Fresh, about this certificate, with our nonce: whichever hash names the certificate."""
    said = read(answer(algorithm=algorithm))
    assert (said.standing, said.reason, said.notes) == (Standing.GOOD, "", ())
    assert said.signer == "SIMULATEUR AC ELEMENTAIRE ORGANISATIONS"


def test_a_revoked_certificate_is_told_with_time_and_reason(read: Any, answer: Any, pki: SimulatorPki) -> None:
    """The one fact this is about."""
    said = read(answer(status=ocsp.OCSPCertStatus.REVOKED))
    assert (said.standing, said.reason) == (Standing.REVOKED, "keyCompromise")
    assert said.revoked_at == pki.at - 2 * HOUR


@pytest.mark.parametrize("by_name", [True, False])
def test_an_answer_of_an_appointed_responder_counts(read: Any, answer: Any, pki: SimulatorPki, by_name: bool) -> None:
    """The issuer made a certificate for it, with the usage OCSPSigning."""
    responder = responder_of(pki)
    said = read(answer(signer=responder, certificates=(responder.certificate,), by_name=by_name))
    assert (said.standing, said.signer) == (Standing.GOOD, "OCSP")


def test_an_answer_without_a_nonce_counts_and_is_noted(read: Any, answer: Any) -> None:
    """Made in advance; one that was kept is not expected to repeat anything."""
    assert "repeats no nonce" in read(answer(nonce=None)).notes[0]
    assert read(answer(nonce=None), nonce=None).notes == ()


def test_an_answer_without_an_end_counts_for_a_day(read: Any, answer: Any) -> None:
    """23 hours old: yes; 25: no."""
    assert read(answer(life=None, age=23 * HOUR)).next_update is None
    with pytest.raises(UnusableStatementError, match="stale"):
        read(answer(life=None, age=25 * HOUR))


def _stranger(pki: SimulatorPki) -> dict[str, Any]:
    other = pki.foreign.client("OCSP", usages=[x509.ExtendedKeyUsageOID.OCSP_SIGNING])
    return {"signer": other, "certificates": (other.certificate,)}


def _plain_leaf(pki: SimulatorPki) -> dict[str, Any]:
    other = pki.client()
    return {"signer": other, "certificates": (other.certificate,)}


def _old_responder(pki: SimulatorPki) -> dict[str, Any]:
    other = responder_of(pki, not_before=pki.at - timedelta(9), not_after=pki.at - timedelta(1))
    return {"signer": other, "certificates": (other.certificate,)}


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (lambda _: {"age": 48 * HOUR}, "stale: a newer one was due"),
        (lambda _: {"age": -HOUR}, "and it is .* here"),
        (lambda pki: {"about": pki.client().certificate}, "speaks of another certificate"),
        (_stranger, "a stranger"),
        (_plain_leaf, "not made for OCSP"),
        (_old_responder, "does not hold today"),
        (lambda pki: {"signer": responder_of(pki)}, "neither the issuer nor comes with a certificate"),
        (lambda pki: {"signer": pki.twin.intermediate, "by_name": True}, "its signature was not made by"),
        (lambda _: {"status": ocsp.OCSPCertStatus.UNKNOWN}, "does not know this certificate"),
        (lambda _: {"nonce": b"x" * 32}, "nonce is not ours"),
    ],
    ids=["stale", "future", "serial", "stranger", "usage", "old", "unnamed", "twin", "unknown", "nonce"],
)
def test_a_bad_answer_says_nothing(read: Any, answer: Any, pki: SimulatorPki, how: Any, why: str) -> None:
    """Each differs from a good one by one fact, and is told by it."""
    with pytest.raises(UnusableStatementError, match=why):
        read(answer(**how(pki)))


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"", "nothing at all"), (PAGE, "a web page"), (b"\x30\x82\x01\x00abc", "or a part of one")],
    ids=["empty", "page", "other"],
)
def test_what_is_no_answer_is_told_as_what_it_is(read: Any, data: bytes, why: str) -> None:
    """A captive portal answers with a page."""
    with pytest.raises(UnusableStatementError, match=why):
        read(data)


def test_every_cut_and_most_changed_bytes_of_an_answer_are_refused(read: Any, answer: Any) -> None:
    """Nothing but our own error comes out, and no damaged answer passes with another meaning."""
    whole = answer()
    for size in range(0, len(whole), 7):
        with pytest.raises(UnusableStatementError):
            read(whole[:size])
    for place in range(0, len(whole), 3):
        damaged = whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :]
        try:
            assert read(damaged).standing is Standing.GOOD
        except UnusableStatementError:
            continue


@pytest.mark.parametrize("status", [ocsp.OCSPResponseStatus.TRY_LATER, ocsp.OCSPResponseStatus.UNAUTHORIZED])
def test_a_responder_that_cannot_answer_says_nothing(read: Any, status: ocsp.OCSPResponseStatus) -> None:
    """Such an answer has no signature at all."""
    refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)
    with pytest.raises(UnusableStatementError, match=status.name):
        read(refusal)


def test_the_question_names_the_certificate_and_the_nonce(pki: SimulatorPki, leaf: x509.Certificate) -> None:
    """Read back by the library."""
    asked = ocsp.load_der_ocsp_request(ocsp_request(leaf, pki.intermediate.certificate, nonce=NONCE))
    assert asked.serial_number == leaf.serial_number
    assert asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == NONCE


# ------------------------------------------------------------------ CRL


@pytest.fixture(scope="module")
def look_up(pki: SimulatorPki, leaf: x509.Certificate) -> Any:
    def made(data: bytes, certificate: x509.Certificate = leaf) -> Any:
        return read_crl(data, certificate, pki.intermediate.certificate, at=pki.at)

    return made


def opinion(data: bytes, pki: SimulatorPki, leaf: x509.Certificate) -> str:
    """What OpenSSL makes of the same list."""
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(pki.root.certificate))
    store.add_crl(x509.load_der_x509_crl(data))
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
    store.set_time(pki.at)
    try:
        crypto.X509StoreContext(
            store,
            crypto.X509.from_cryptography(leaf),
            chain=[crypto.X509.from_cryptography(pki.intermediate.certificate)],
        ).verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return "good"


@pytest.mark.parametrize("reason", [True, False])
def test_a_list_tells_the_revoked_and_openssl_agrees(
    pki: SimulatorPki, leaf: x509.Certificate, look_up: Any, reason: bool
) -> None:
    """In it: revoked, with the reason if there is one; not in it: good."""
    empty = crl_of(pki.intermediate, at=pki.at)
    listed = crl_of(pki.intermediate, at=pki.at, revoked=(leaf,), reason=reason)
    assert (look_up(empty).standing, opinion(empty, pki, leaf)) == (Standing.GOOD, "good")
    said = look_up(listed)
    assert (said.standing, said.reason) == (Standing.REVOKED, "superseded" if reason else "")
    assert "revoked" in opinion(listed, pki, leaf)


def test_the_right_list_of_a_pem_text_counts(pki: SimulatorPki, leaf: x509.Certificate) -> None:
    """Servers take both lists in one file; so do we."""
    both = pki.crl([leaf])
    assert read_crl(both, leaf, pki.intermediate.certificate, at=pki.at).standing is Standing.REVOKED
    assert read_crl(both, pki.intermediate.certificate, pki.root.certificate, at=pki.at).standing is Standing.GOOD


def _part(**what: Any) -> Any:
    about: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return lambda pki: crl_of(
        pki.intermediate, at=pki.at, extra=((x509.IssuingDistributionPoint(**about | what), True),)
    )


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda pki: crl_of(pki.root, at=pki.at), "the list of .*RACINE"),
        (lambda pki: crl_of(pki.twin.intermediate, at=pki.at), "signature was not made by"),
        (lambda pki: crl_of(pki.intermediate, at=pki.at, age=48 * HOUR), "stale"),
        (lambda pki: crl_of(pki.intermediate, at=pki.at, age=-HOUR), "Check|dated"),
        (lambda pki: crl_of(pki.intermediate, at=pki.at)[:-9], "or a part of one"),
        (lambda _: PAGE, "a web page"),
        (lambda _: b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "no revocation list"),
        (
            lambda pki: crl_of(pki.intermediate, at=pki.at, extra=((x509.DeltaCRLIndicator(1), True),)),
            "delta",
        ),
        (
            lambda pki: crl_of(
                pki.intermediate,
                at=pki.at,
                extra=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),),
            ),
            "not understood",
        ),
        (_part(only_contains_ca_certs=True), "another kind"),
        (_part(only_contains_attribute_certs=True), "another kind"),
        (_part(indirect_crl=True), "in parts"),
        (_part(only_some_reasons=frozenset([x509.ReasonFlags.superseded])), "in parts"),
    ],
)
def test_a_bad_list_says_nothing(pki: SimulatorPki, look_up: Any, make: Any, why: str) -> None:
    """Each differs from a good one by one fact; "not listed" in it would prove nothing."""
    with pytest.raises(UnusableStatementError, match=why):
        look_up(make(pki))


def test_a_list_of_this_kind_counts(pki: SimulatorPki, look_up: Any) -> None:
    """A list of user certificates speaks of a leaf, and not of an authority; a harmless extension is overlooked."""
    users = _part(only_contains_user_certs=True)(pki)
    assert look_up(users).standing is Standing.GOOD
    with pytest.raises(UnusableStatementError, match="another kind"):
        look_up(users, pki.intermediate.certificate)
    numbered = crl_of(pki.intermediate, at=pki.at, extra=((x509.CRLNumber(7), False),))
    assert look_up(numbered).standing is Standing.GOOD


# ------------------------------------------------------------------ the common ground


def test_the_places_are_read_from_the_certificate_and_ldap_is_left_out(pki: SimulatorPki) -> None:
    """The real ACI names its CRL by http and ldap, and no responder; our throw-away leaf names both kinds."""
    authority = packaged("ACI-EL-ORG")
    assert crl_urls(authority) == ("http://igc-sante.esante.gouv.fr/CRL/ACR-EL.crl",)
    assert ocsp_urls(authority) == ()
    leaf = pki.client().certificate
    assert ocsp_urls(leaf) == ("http://ocsp.simulateur.invalid",)
    assert crl_urls(pki.root.certificate) == ()


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.MD5(), None])  # noqa: S303  these are what is refused
def test_a_weak_hash_proves_nothing(algorithm: Any) -> None:
    """Before any key is asked."""
    with pytest.raises(UnusableStatementError, match="proves nothing"):
        check_signature(None, b"", b"", algorithm, by="X")


def test_rsa_and_ec_keys_sign_statements_and_no_other(pki: SimulatorPki) -> None:
    """An authority after 2033 may have an EC key."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = key.sign(b"text", ec.ECDSA(hashes.SHA256()))
    check_signature(key.public_key(), made, b"text", hashes.SHA256(), by="X")
    with pytest.raises(UnusableStatementError, match="not made by X"):
        check_signature(key.public_key(), made, b"other", hashes.SHA256(), by="X")
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    with pytest.raises(UnusableStatementError, match="another kind"):
        check_signature(other, made, b"text", hashes.SHA256(), by="X")


def test_five_minutes_of_a_wrong_clock_are_forgiven(pki: SimulatorPki) -> None:
    """And not six; in both directions."""
    at = pki.at
    check_dates(at + timedelta(minutes=5), None, at=at, longest=HOUR)
    check_dates(at - HOUR, at - timedelta(minutes=5), at=at, longest=HOUR)
    for start, end in ((at + timedelta(minutes=6), None), (at - HOUR, at - timedelta(minutes=6))):
        with pytest.raises(UnusableStatementError):
            check_dates(start, end, at=at, longest=HOUR)


RSA_SHA256 = bytes.fromhex("2a864886f70d01010b")
UNKNOWN_OID = bytes.fromhex("2a864886f70d01017f")


def test_algorithms_and_extensions_that_nobody_knows_say_nothing(
    read: Any, answer: Any, look_up: Any, pki: SimulatorPki
) -> None:
    """A signature of an unknown kind, a certificate named by an unknown hash, an extension that is damaged."""
    with pytest.raises(UnusableStatementError, match="cannot be read"):
        read(answer().replace(RSA_SHA256, UNKNOWN_OID))
    named = answer(algorithm=hashes.SHA384())
    with pytest.raises(UnusableStatementError):
        read(named.replace(bytes.fromhex("608648016503040202"), bytes.fromhex("60864801650304027f")))
    with pytest.raises(UnusableStatementError):
        look_up(crl_of(pki.intermediate, at=pki.at).replace(RSA_SHA256, UNKNOWN_OID))


def test_a_signed_extension_that_cannot_be_read_says_nothing(look_up: Any, read: Any, pki: SimulatorPki) -> None:
    """The authority signed it so; what it means is not guessed."""
    number = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.20"), b"\x05\x00")
    with pytest.raises(UnusableStatementError, match="cannot be read"):
        look_up(crl_of(pki.intermediate, at=pki.at, extra=((number, False),)))
