"""Read a distinguished name that stands outside any certificate, as a TLS server lists those of its authorities."""

# No "from __future__ import annotations" here: hazmat.asn1 reads the annotations when a class is made.

import datetime as dt
from typing import Final

from cryptography import x509
from cryptography.hazmat import asn1

_SHA256_RSA: Final = x509.ObjectIdentifier("1.2.840.113549.1.1.11")
_EPOCH: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@asn1.sequence
class _Algorithm:
    kind: x509.ObjectIdentifier


@asn1.sequence
class _Listed:
    algorithm: _Algorithm
    issuer: asn1.TLV
    this_update: asn1.UTCTime


@asn1.sequence
class _List:
    listed: _Listed
    algorithm: _Algorithm
    signature: asn1.BitString


def read_name(der: bytes) -> x509.Name:
    """Read a name from its DER.

    cryptography reads names only within something: this one is laid into an empty revocation list (RFC 5280 section
    5.1), which nobody signs.

    Raises:
        ValueError: it is no name.
    """
    algorithm = _Algorithm(kind=_SHA256_RSA)
    listed = _Listed(algorithm=algorithm, issuer=asn1.decode_der(asn1.TLV, der), this_update=asn1.UTCTime(_EPOCH))
    whole = _List(listed=listed, algorithm=algorithm, signature=asn1.BitString(b"\0", 0))
    return x509.load_der_x509_crl(asn1.encode_der(whole)).issuer
