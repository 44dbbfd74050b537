"""Tell what a certificate was made for, and whether that is to authenticate a TLS client."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID

from ror_sante.environments import ApplicationService
from ror_sante.errors import Finding, Severity, printable
from ror_sante.pki.chain import is_ca
from ror_sante.pki.expiry import Validity
from ror_sante.pki.igc import is_igc
from ror_sante.pki.names import attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

_ORDER_AUTH_CLI: Final = "Order or use the certificate of the product ORG AUTH_CLI (form 413 of the ANS platform)."
# OpenSSL security level 2, which we and most servers set: 112 bits (SSL_CTX_set_security_level).
_MIN_RSA_BITS: Final = 2048
# ANSSI, "Guide des mécanismes cryptographiques" 2.04 (2020), RegleFact: 3072 bits for use beyond 2030.
LAST_DAY_OF_2048: Final = datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)
_LASTING_RSA_BITS: Final = 3072
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")  # what TLS 1.3 signs with (RFC 8446 section 4.2.3)


def check_usage(certificate: x509.Certificate) -> Iterator[Finding]:
    """Find everything that stops a certificate from authenticating a TLS client.

    The products of ACI-EL-ORG are told apart by their usages: AUTH_CLI has clientAuth alone, SIGN emailProtection,
    SERV SSL serverAuth beside clientAuth (read on 16 certificates of the TEST tree).
    """
    if is_ca(certificate):
        yield Finding("ca-certificate", "this is the certificate of an authority, not of a client", _ORDER_AUTH_CLI)
    yield from _check_extended_usage(certificate)
    yield from _check_key_usage(certificate)
    yield from _check_key(certificate)


def extended_usages(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier] | None:
    """Give the extended key usages of a certificate, or None when it does not limit them."""
    try:
        return frozenset(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return None


def _check_extended_usage(certificate: x509.Certificate) -> Iterator[Finding]:
    usages = extended_usages(certificate)
    if usages is None:
        yield Finding(
            "no-client-auth",
            "the certificate does not say what it is for (no extendedKeyUsage): AUTH_CLI says clientAuth",
            "Check with the server's owner that it accepts such a certificate.",
            Severity.WARNING,
        )
    elif Eku.SERVER_AUTH in usages:
        yield from _server_certificate(certificate, for_clients_too=Eku.CLIENT_AUTH in usages)
    elif Eku.CLIENT_AUTH not in usages and Eku.EMAIL_PROTECTION in usages:
        yield Finding(
            "sign-certificate",
            "this is a SIGN certificate (seal, emailProtection), not AUTH_CLI: servers refuse it in the handshake",
            "The same order form covers SIGN and AUTH_CLI: use the other P12.",
        )
    elif Eku.CLIENT_AUTH not in usages:
        listed = ", ".join(sorted(usage.dotted_string for usage in usages))
        yield Finding("no-client-auth", f"the certificate does not allow clientAuth, only {listed}", _ORDER_AUTH_CLI)


def _server_certificate(certificate: x509.Certificate, *, for_clients_too: bool) -> Iterator[Finding]:
    """Refuse a SERV SSL of IGC-Santé; another authority's certificate for both uses is common, and only odd here."""
    tolerable = for_clients_too and not is_igc(certificate)
    yield Finding(
        "server-certificate",
        "this is the certificate of a server (SERV SSL, serverAuth), not AUTH_CLI",
        _ORDER_AUTH_CLI,
        Severity.WARNING if tolerable else Severity.ERROR,
    )


def _check_key_usage(certificate: x509.Certificate) -> Iterator[Finding]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.digital_signature:
        yield Finding(
            "wrong-key-usage",
            "the key may not sign (keyUsage lacks digitalSignature), and a TLS client proves itself by a signature",
            _ORDER_AUTH_CLI,
        )


def _check_key(certificate: x509.Certificate) -> Iterator[Finding]:
    key = certificate.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        yield _weak(f"RSA {key.key_size}", f"RSA {_MIN_RSA_BITS}")
    elif isinstance(key, EllipticCurvePublicKey) and key.curve.name not in _CURVES:
        yield _weak(f"on the curve {key.curve.name}", "P-256")
    elif isinstance(key, RSAPublicKey) and is_short_key(key.key_size, until=Validity.of(certificate).not_after):
        yield Finding(
            "short-key",
            f"the certificate lives past 2030, the last year for which ANSSI advises RSA {key.key_size}",
            "It works today. Order the next one with `ror-sante identity request --key-size 3072`, if the platform "
            "takes it.",
            Severity.WARNING,
        )


def is_short_key(bits: int, *, until: datetime) -> bool:
    """Tell whether an RSA key is to serve longer than ANSSI advises for its size.

    Args:
        bits: of its modulus.
        until: the end of its use, with its time zone.
    """
    return bits < _LASTING_RSA_BITS and until > LAST_DAY_OF_2048


def _weak(kind: str, least: str) -> Finding:
    return Finding(
        "weak-key",
        f"the key is not fit for TLS: {kind}, where {least} is the least that is accepted",
        "Make a new key and request, and order the certificate again.",
    )


def check_service(certificate: x509.Certificate, service: ApplicationService) -> Iterator[Finding]:
    """Compare the CN with the one that the order form recommends for a service; another is allowed, and odd."""
    names = attributes(certificate.subject, NameOID.COMMON_NAME)
    if service.value in names:
        return
    others = [other for other in ApplicationService if other.value in names]
    what = f"the one of another service ({others[0].name})" if others else "not the recommended one"
    yield Finding(
        "other-service",
        # repr: a blank at the end of a CN shows
        f"the certificate's CN is {printable(repr(names[-1]) if names else 'missing')}, {what}; "
        f"for this service it is {service.value!r}",
        "It works when the service's owner registered this CN; else order a certificate with the recommended one.",
        Severity.WARNING,
    )
