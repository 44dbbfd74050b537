"""Ask about one certificate by OCSP (RFC 6960), and read the answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from ror_sante.pki.chain import is_signed_by
from ror_sante.pki.expiry import Validity
from ror_sante.pki.names import common_name
from ror_sante.pki.revocation import (
    Standing,
    Statement,
    UnusableStatementError,
    check_dates,
    check_signature,
    reading,
)
from ror_sante.pki.usage import extended_usages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

NONCE_SIZE: Final = 32  # bytes; RFC 8954 section 2.1
MEDIA_TYPE: Final = "application/ocsp-request"
_WITHOUT_NEXT: Final = timedelta(days=1)  # the life that is granted to an answer that gives itself none


def ocsp_request(certificate: x509.Certificate, issuer: x509.Certificate, *, nonce: bytes) -> bytes:
    """Write the question about one certificate, in DER.

    The certificate is named by SHA-1 of its issuer, which every responder knows (RFC 6960 section B.1); nothing is
    proven by it.

    Args:
        certificate: whose standing is asked.
        issuer: the authority that issued it.
        nonce: random bytes that the answer must repeat.
    """
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303  it names, it proves nothing
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def read_ocsp(
    data: bytes, certificate: x509.Certificate, issuer: x509.Certificate, *, nonce: bytes | None, at: datetime
) -> Statement:
    """Read an answer, and rely on it only when it is fresh and signed by somebody who may say so.

    Args:
        data: the answer, in DER.
        certificate: whose standing was asked.
        issuer: the authority that issued it; it signs itself, or has appointed a responder.
        nonce: what was asked with; None when the answer was kept since an earlier question.
        at: the time to judge at.

    Raises:
        UnusableStatementError: it says nothing that can be relied upon.
    """
    with reading():
        return _read(_parsed(data), certificate, issuer, nonce=nonce, at=at)


def _read(
    answer: ocsp.OCSPResponse,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    nonce: bytes | None,
    at: datetime,
) -> Statement:
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise UnusableStatementError(f"the responder says {answer.response_status.name}: it gives no answer now")
    signer = _checked_signer(answer, issuer, at=at)
    single = next((one for one in answer.responses if _is_about(one, certificate, issuer)), None)
    if single is None:
        raise UnusableStatementError("it speaks of another certificate than the one that was asked about")
    check_dates(single.this_update_utc, single.next_update_utc, at=at, longest=_WITHOUT_NEXT)
    notes = tuple(_notes(answer, nonce))
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise UnusableStatementError("the responder does not know this certificate")
    revoked = single.certificate_status is ocsp.OCSPCertStatus.REVOKED
    return Statement(
        standing=Standing.REVOKED if revoked else Standing.GOOD,
        this_update=single.this_update_utc,
        next_update=single.next_update_utc,
        revoked_at=single.revocation_time_utc,
        reason=single.revocation_reason.value if single.revocation_reason else "",
        signer=signer,
        notes=notes,
    )


def _parsed(data: bytes) -> ocsp.OCSPResponse:
    try:
        return ocsp.load_der_ocsp_response(data)
    except ValueError as error:
        raise UnusableStatementError(f"it is no OCSP answer, but {_looks_like(data)}") from error


def _looks_like(data: bytes) -> str:
    start = data[:200].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<")):
        return "a web page: a proxy or a portal answers in the responder's place"
    return "nothing at all" if not data else f"{len(data)} bytes of something else, or a part of one"


def _notes(answer: ocsp.OCSPResponse, nonce: bytes | None) -> Iterator[str]:
    """Compare the nonce; an answer made in advance has none, which RFC 6960 section 4.4.1 allows."""
    if nonce is None:
        return
    try:
        repeated = answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        yield "the answer repeats no nonce: it may be one that was made in advance, within its dates"
        return
    if repeated != nonce:
        raise UnusableStatementError("it answers another question: its nonce is not ours")


def _is_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Compare the names of the certificate and of its issuer, as a question with the same hash would give them."""
    asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, single.hash_algorithm).build()
    same = (asked.serial_number, asked.issuer_name_hash, asked.issuer_key_hash)
    return same == (single.serial_number, single.issuer_name_hash, single.issuer_key_hash)


# ------------------------------------------------------------------ who may say so


def _checked_signer(answer: ocsp.OCSPResponse, issuer: x509.Certificate, *, at: datetime) -> str:
    """Find who signed, check that the issuer is behind it, and give its name.

    The issuer itself may sign, or a responder whose certificate it issued for this purpose (RFC 6960 section 4.2.2.2).
    A responder's own revocation is not asked about: its certificate lives shortly, or says id-pkix-ocsp-nocheck.
    """
    named = [one for one in (issuer, *answer.certificates) if _is_named(one, answer)]
    if not named:
        raise UnusableStatementError("it is signed by somebody who is neither the issuer nor comes with a certificate")
    signer = named[0]
    if signer != issuer:
        _check_appointed(signer, issuer, at=at)
    name = common_name(signer)
    algorithm = answer.signature_hash_algorithm
    check_signature(signer.public_key(), answer.signature, answer.tbs_response_bytes, algorithm, by=name)
    return name


def _is_named(certificate: x509.Certificate, answer: ocsp.OCSPResponse) -> bool:
    if answer.responder_name is not None:
        return certificate.subject == answer.responder_name
    # The bits of the key hashed with SHA-1 (RFC 6960 section 4.2.1, "KeyHash").
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest == answer.responder_key_hash


def _check_appointed(signer: x509.Certificate, issuer: x509.Certificate, *, at: datetime) -> None:
    name = common_name(signer)
    if not is_signed_by(signer, issuer):
        raise UnusableStatementError(f"it is signed by {name}, a stranger: {common_name(issuer)} did not appoint it")
    if ExtendedKeyUsageOID.OCSP_SIGNING not in (extended_usages(signer) or ()):
        raise UnusableStatementError(f"it is signed by {name}, whose certificate is not made for OCSP")
    if not Validity.of(signer).is_valid(at):
        raise UnusableStatementError(f"it is signed by {name}, whose certificate does not hold today")
