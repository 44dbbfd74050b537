"""Write the names of certificates as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.x509.oid import NameOID

from ror_sante.errors import printable

if TYPE_CHECKING:
    from cryptography import x509


def attributes(name: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    """Give every value of one attribute: an IGC-Santé authority has two OU."""
    values = (attribute.value for attribute in name.get_attributes_for_oid(oid))
    return tuple(value if isinstance(value, str) else value.decode("latin-1") for value in values)


def describe_name(name: x509.Name) -> str:
    """Write a name in one safe line: its CN, or the whole name when it has none."""
    common = attributes(name, NameOID.COMMON_NAME)
    return printable(common[-1] if common else name.rfc4514_string() or "(a certificate without a name)")


def common_name(certificate: x509.Certificate) -> str:
    """Write whom a certificate is for, in one safe line."""
    return describe_name(certificate.subject)
