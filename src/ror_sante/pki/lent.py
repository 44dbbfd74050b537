"""Read the intermediates that are lent to a server which forgets to send its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ror_sante.pki.files import label, read_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509

    from ror_sante.pki.hidden import Source


def load_intermediates(sources: Iterable[Source]) -> tuple[x509.Certificate, ...]:
    """Read every certificate of these files. None becomes an anchor: the chain must still end at a pinned root.

    Args:
        sources: paths or bytes: PEM, DER or PKCS#7, several certificates in one allowed.

    Raises:
        ConfigurationError: a file is missing or unreadable.
        Pkcs12Error: one holds no certificate.
    """
    from ror_sante.pki.pem import read_certificates  # most servers send their own: there is nothing to read

    return tuple(
        certificate
        for source in sources
        for certificate in read_certificates(read_source(source, what="the intermediate"), name=label(source))
    )
