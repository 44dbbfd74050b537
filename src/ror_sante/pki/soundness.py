"""Tell whether a certificate can be read to its end: the library reads most of it only when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ror_sante.errors import Finding, Severity
from ror_sante.pki.listening import READER_ERRORS, heard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509


def is_sound(certificate: x509.Certificate) -> bool:
    """Read every part of a certificate that is judged later; names and extensions are then kept by the library.

    Its warnings (a name attribute of unusual length, a serial number of zero) come now, and are dropped.
    """
    try:
        heard(_read_all, certificate)
    except READER_ERRORS:
        return False
    return True


def _read_all(certificate: x509.Certificate) -> None:
    names = (certificate.subject, certificate.issuer)
    for name in names:
        name.rfc4514_string()
    _ = (certificate.extensions, certificate.public_key(), certificate.signature_hash_algorithm)
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def sound_ones(
    certificates: Iterable[x509.Certificate], *, where: str
) -> tuple[tuple[x509.Certificate, ...], tuple[Finding, ...]]:
    """Keep the certificates that can be read, each once, with a note when some cannot."""
    every = tuple(dict.fromkeys(certificates))
    kept = tuple(certificate for certificate in every if is_sound(certificate))
    if len(kept) == len(every):
        return kept, ()
    note = Finding(
        "unreadable-certificate",
        f"{len(every) - len(kept)} of the {len(every)} certificates in {where} cannot be read, and are left out",
        "Export the file again if the chain turns out to be incomplete.",
        Severity.WARNING,
    )
    return kept, (note,)
