"""Tell the production tree of IGC-Santé from its TEST twin."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from ror_sante.pki.names import attributes


class Tree(StrEnum):
    """One of the two parallel trees of IGC-Santé authorities."""

    PRODUCTION = "production"
    TEST = "TEST"


# Code system TRE_G01 CategorieProduit, one byte in BCD: 00, 02, 03 are products, 80, 82, 83 their TEST forms.
CATEGORY: Final = x509.ObjectIdentifier("1.2.250.1.71.1.2.5")


def tree_of(certificate: x509.Certificate) -> Tree | None:
    """Tell which tree a certificate belongs to, by its issuer's name, then by its product category; None for neither.

    A root names itself as issuer, so that the same question works for an anchor.
    """
    issuer = certificate.issuer
    if (
        any(value.startswith("TEST ") for value in attributes(issuer, NameOID.COMMON_NAME))
        or _category(certificate) >= 0x80
    ):
        return Tree.TEST
    return Tree.PRODUCTION if is_igc(certificate) else None


def is_igc(certificate: x509.Certificate) -> bool:
    """Tell whether the issuer calls itself an authority of IGC-Santé; the name proves nothing, the chain does."""
    units = attributes(certificate.issuer, NameOID.ORGANIZATIONAL_UNIT_NAME)
    return any(unit in ("IGC-SANTE", "IGC-SANTE TEST") for unit in units)


def _category(certificate: x509.Certificate) -> int:
    """Read the product category byte, the last of the extension's value; 0 when there is none."""
    try:
        extension = certificate.extensions.get_extension_for_oid(CATEGORY).value
    except x509.ExtensionNotFound:
        return 0
    return extension.value[-1] if isinstance(extension, x509.UnrecognizedExtension) and extension.value else 0
