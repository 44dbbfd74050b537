"""Read a revocation list (RFC 5280 section 5) and look a certificate up in it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509

from ror_sante.pki.chain import is_ca
from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.revocation import (
    OtherAuthorityError,
    Standing,
    Statement,
    UnusableStatementError,
    check_dates,
    check_signature,
    reading,
)

if TYPE_CHECKING:
    from datetime import datetime

_WITHOUT_NEXT: Final = timedelta(days=7)  # RFC 5280 section 5.1.2.5 demands nextUpdate; a list without one is old soon
_PEM: Final = b"-----BEGIN"


def read_crl(data: bytes, certificate: x509.Certificate, issuer: x509.Certificate, *, at: datetime) -> Statement:
    """Look a certificate up in the list of its issuer, and rely on it only when it is whole, fresh and genuine.

    Args:
        data: the list, in DER or PEM; of several in one PEM text, that of the issuer counts.
        certificate: whose standing is asked.
        issuer: the authority that issued it.
        at: the time to judge at.

    Raises:
        UnusableStatementError: it says nothing that can be relied upon.
    """
    with reading():
        return _read(_of_issuer(data, issuer), certificate, issuer, at=at)


def _read(
    crl: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate, *, at: datetime
) -> Statement:
    name = common_name(issuer)
    check_signature(issuer.public_key(), crl.signature, crl.tbs_certlist_bytes, crl.signature_hash_algorithm, by=name)
    _check_reach(crl, certificate)
    check_dates(crl.last_update_utc, crl.next_update_utc, at=at, longest=_WITHOUT_NEXT)
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    return Statement(
        standing=Standing.GOOD if entry is None else Standing.REVOKED,
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc,
        revoked_at=None if entry is None else entry.revocation_date_utc,
        reason="" if entry is None else _reason(entry),
        signer=name,
    )


def _of_issuer(data: bytes, issuer: x509.Certificate) -> x509.CertificateRevocationList:
    found = _parsed(data)
    names = [describe_name(crl.issuer) for crl in found]
    own = next((crl for crl in found if crl.issuer == issuer.subject), None)
    if own is None:
        raise OtherAuthorityError(f"it is the list of {', '.join(names)}, not of {common_name(issuer)}")
    return own


def _parsed(data: bytes) -> list[x509.CertificateRevocationList]:
    try:
        if not data.lstrip().startswith(_PEM):
            return [x509.load_der_x509_crl(data)]
        texts = [part for part in data.split(_PEM) if b"X509 CRL" in part]
        return [x509.load_pem_x509_crl(_PEM + text) for text in texts]
    except ValueError as error:
        page = data[:200].lstrip().startswith(b"<")
        what = "a web page: a proxy or a portal answers in its place" if page else "something else, or a part of one"
        raise UnusableStatementError(f"it is no revocation list, but {what} ({len(data)} bytes)") from error


def _check_reach(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    """Refuse a list that does not speak of this kind of certificate, or not of all reasons, or only of changes.

    An extension of a list that is critical and not understood makes the list useless (RFC 5280 section 5.2).
    """
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            _check_part(value, authority=is_ca(certificate))
        elif isinstance(value, x509.DeltaCRLIndicator):
            raise UnusableStatementError("it is a delta list, which tells changes alone")
        elif extension.critical:
            raise UnusableStatementError(
                f"it has a critical extension that is not understood ({extension.oid.dotted_string})"
            )


def _check_part(point: x509.IssuingDistributionPoint, *, authority: bool) -> None:
    other = point.only_contains_user_certs if authority else point.only_contains_ca_certs
    if other or point.only_contains_attribute_certs:
        raise UnusableStatementError("it lists certificates of another kind only")
    if point.indirect_crl or point.only_some_reasons:
        raise UnusableStatementError(
            "it is a list in parts (indirect, or of some reasons only), which is not understood"
        )


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except (x509.ExtensionNotFound, ValueError):
        return ""
