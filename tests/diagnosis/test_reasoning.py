"""What each rule makes of the evidence: real certificates in receipts and errors that are made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.diagnosis import diagnose
from ror_sante.errors import (
    ClientRejectedError,
    Finding,
    IdentityError,
    Pkcs12Error,
    ServerNotTrustedError,
    Severity,
    TokenError,
    UnreachableError,
    ValidityError,
)
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.tls.receipt import HandshakeReceipt

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def receipt(*received, **about) -> HandshakeReceipt:
    ders = tuple(one if isinstance(one, bytes) else one.public_bytes(Encoding.DER) for one in received)
    return HandshakeReceipt(host="localhost", port=443, received=ders, **about)


def codes(error, **about) -> list[tuple[str, str]]:
    return [(cause.code, cause.confidence) for cause in diagnose(error, **about)]


def fault(error, word: str):
    error.fault = word
    return error


# ------------------------------------------------------------------ our certificate


def test_a_date_that_our_clock_judged_is_not_certain_and_the_clock_is_named() -> None:
    """What this machine's clock says may be its own fault; a warning is no cause."""
    findings = [Finding("expired", "it ended"), Finding("weak-key", "small", severity=Severity.WARNING)]
    assert codes(ValidityError("expired", findings=findings)) == [("client-expired", "medium"), ("clock", "low")]


def test_what_is_no_date_is_certain() -> None:
    """The chain is a fact of the file."""
    error = IdentityError("broken", findings=[Finding("sign-certificate", "a SIGN certificate")])
    assert codes(error) == [("client-usage", "high")]


def test_a_wrong_passphrase_is_told_as_such() -> None:
    """The file says nothing more."""
    assert codes(Pkcs12Error("the passphrase is wrong")) == [("passphrase", "high")]


def test_an_intermediate_that_the_wire_did_not_carry_is_proved_by_the_wire(pki) -> None:
    """The identity at hand is whole, and what was sent was not: nothing else explains it better."""
    identity = pki.identity()
    seen = receipt(sent=(identity.chain[0].public_bytes(Encoding.DER),), requested=True)
    refused = ClientRejectedError("refused", alert="unknown_ca")

    found = codes(refused, receipt=seen, identity=identity, anchor=pki.anchor, at=NOW)
    assert found == [("intermediate-not-sent", "high"), ("client-other-authority", "low")]


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("h wants a client certificate and got none from us", [("client-none-sent", "high")]),
        ("h refuses our certificate", [("client-revoked", "low"), ("client-other-authority", "low")]),
    ],
)
def test_the_page_of_a_front_end_is_read_as_far_as_it_tells(message, found) -> None:
    """One page of nginx stands for every fault; what it does not tell is not certain."""
    assert codes(ClientRejectedError(message)) == found


def test_with_a_sound_identity_the_page_points_at_what_only_the_server_knows(pki) -> None:
    """Chain, dates and usage were judged here: revocation is left."""
    found = codes(ClientRejectedError("h refuses"), identity=pki.identity(), anchor=pki.anchor, at=NOW)
    assert found[0] == ("client-revoked", "medium")


def test_an_alert_that_nobody_knows_proves_nothing(pki) -> None:
    """A sound identity and a strange alert: unknown."""
    refused = ClientRejectedError("refused", alert="user_canceled")
    assert codes(refused, identity=pki.identity(), anchor=pki.anchor, at=NOW) == [("unknown", "low")]


@pytest.mark.parametrize(
    ("about", "found"),
    [
        ({"receipt": receipt(failed="tls")}, [("tls-cipher", "medium")]),
        ({"receipt": receipt(b"x", failed="tls")}, [("client-none-sent", "medium"), ("tls-cipher", "low")]),
        ({}, [("client-none-sent", "medium"), ("tls-cipher", "low")]),
    ],
)
def test_a_handshake_failure_is_told_by_how_far_it_came(about, found) -> None:
    """Before the server's certificate no suite fits; after it, it is about ours."""
    assert codes(ClientRejectedError("refused", alert="handshake_failure"), **about) == found


def test_a_handshake_failure_with_a_fault_of_ours_is_about_that_fault(pki) -> None:
    """What is proved needs no guess beside it."""
    expired = pki.identity(pki.client(not_before=NOW - 9 * DAY, not_after=NOW - DAY))
    refused = ClientRejectedError("refused", alert="handshake_failure")

    assert codes(refused, identity=expired, anchor=pki.anchor, at=NOW) == [("client-expired", "high")]


# ------------------------------------------------------------------ the server


def test_weak_tls_is_told_as_such() -> None:
    """OpenSSL names the reason."""
    assert codes(fault(ServerNotTrustedError("weak"), "weak")) == [("tls-weak", "high")]


@pytest.mark.parametrize(
    ("word", "away", "sure"), [("server-expired", 3 * 366, "clock"), ("server-not-yet-valid", -9, "clock")]
)
def test_when_our_own_certificate_would_be_as_wrong_the_clock_comes_first(pki, word, away, sure) -> None:
    """Both certificates out of date at once: rather the clock of this machine."""
    leaf = pki.server().certificate
    error = fault(ServerNotTrustedError("date"), word)
    found = codes(error, receipt=receipt(leaf), identity=pki.identity(), anchor=pki.anchor, at=NOW + away * DAY)

    assert found == [(sure, "medium"), (word, "low")]


def test_a_name_that_does_not_fit_is_not_certain_without_the_certificate() -> None:
    """OpenSSL's word alone."""
    assert codes(fault(ServerNotTrustedError("name"), "server-name")) == [("server-name", "medium")]


def test_a_server_of_the_other_tree_is_told_by_the_names_of_its_authorities(pki) -> None:
    """The bac-à-sable's root is trusted, and a server under production's answers; and the reverse."""
    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.packaged import packaged_intermediates

    test, production = TrustAnchor.igc_sante_test(), TrustAnchor.igc_sante()
    for trusted, other in ((test, production), (production, test)):
        chain = [one for one in packaged_intermediates() if one.issuer == other.certificate.subject]
        found = codes(ServerNotTrustedError("chain"), receipt=receipt(chain[0]), anchor=trusted, at=NOW)
        assert found == [("server-other-environment", "high")]


def test_a_box_that_opens_tls_is_known_by_its_authoritys_name(pki) -> None:
    """Makers name themselves; a name alone is no proof."""
    box = SimulatorPki.create()
    leaf = box.server().certificate
    assert codes(ServerNotTrustedError("chain"), receipt=receipt(leaf), anchor=pki.foreign.anchor, at=NOW)[0] == (
        "server-other-authority",
        "medium",
    )
    named = _issued_by("Zscaler Intermediate Root CA")
    found = codes(ServerNotTrustedError("chain"), receipt=receipt(named), anchor=pki.anchor, at=NOW)
    assert found == [("tls-interception", "medium"), ("server-other-authority", "low")]


def _issued_by(name: str):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .sign(key, hashes.SHA256())
    )


def test_the_name_of_our_own_intermediate_on_a_strange_signature_is_an_imitation(pki) -> None:
    """The issuer is called as ours, and its key did not sign."""
    leaf = pki.twin.server().certificate
    found = codes(
        ServerNotTrustedError("chain"), receipt=receipt(leaf), identity=pki.identity(), anchor=pki.anchor, at=NOW
    )
    assert found[0] == ("server-imitation", "medium")


def test_what_is_no_certificate_is_not_read() -> None:
    """A receipt of a broken message proves nothing."""
    found = codes(ServerNotTrustedError("chain"), receipt=receipt(b"no certificate"))
    assert found == [("server-other-authority", "low"), ("server-intermediate-not-sent", "low")]


def test_a_chain_that_turns_in_a_circle_ends() -> None:
    """Two certificates that name each other as issuer are looked at once each."""
    one, two = _named("a", "b"), _named("b", "a")
    pki = SimulatorPki.create()
    found = codes(ServerNotTrustedError("chain"), receipt=receipt(one, two), anchor=pki.anchor, at=NOW)
    assert found[0] == ("server-other-authority", "medium")


def _named(subject: str, issuer: str):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW - DAY)
    return builder.not_valid_after(NOW + DAY).sign(key, hashes.SHA256())


# ------------------------------------------------------------------ the way, and the token


def test_a_connection_closed_after_the_certificate_was_asked_for_is_about_ours(pki) -> None:
    """An own fault is proof; without one there are two guesses."""
    seen = receipt(pki.server().certificate, requested=True, sent=(b"x", b"y"), failed="read")
    closed = fault(UnreachableError("closed"), "closed")

    assert codes(closed, receipt=seen, identity=pki.identity(), anchor=pki.anchor, at=NOW) == [
        ("client-not-registered", "low"),
        ("handshake-cut", "low"),
    ]


def test_a_token_endpoint_that_answers_a_page_or_nothing_is_told_apart() -> None:
    """A page came from something on the way; silence about the reason stays unknown."""
    page = TokenError("odd")
    page.fault = "page-instead"

    assert codes(page) == [("page-instead", "high")]
    assert codes(TokenError("no token")) == [("unknown", "low")]
