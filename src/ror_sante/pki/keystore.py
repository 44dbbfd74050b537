"""Hold what a file of an identity gave: its private key, its certificates, and what was odd about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

if TYPE_CHECKING:
    from cryptography import x509

    from ror_sante.errors import Finding

ClientKey = RSAPrivateKey | EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class KeyStore:
    """A private key, its certificate first among the certificates at hand, and what was odd about the file.

    Attributes:
        key: the private key; it does not show in the repr.
        certificates: the leaf, then the others in the file's order.
        notes: warnings about the file.
    """

    key: ClientKey = field(repr=False)
    certificates: tuple[x509.Certificate, ...]
    notes: tuple[Finding, ...] = ()
