"""The certificates of a P12, PEM or DER file, without its passphrase wherever that is possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509

from ror_sante.cli.identity.asked import passphrase_of
from ror_sante.cli.place import Flags, settings_of
from ror_sante.errors import printable
from ror_sante.pki.bags import outline
from ror_sante.pki.chain import Chain, build_chain, is_ca
from ror_sante.pki.expiry import Validity
from ror_sante.pki.files import read_source
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.pem import read_certificates

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.pki.bags import Outline


@dataclass(frozen=True)
class Look:
    """What a file holds; nothing of it is verified.

    Attributes:
        path: the file.
        chain: the leaf, and what leads from it, of the file or of the package.
    """

    path: Path
    chain: Chain

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate that the file is about."""
        return self.chain.certificates[0]

    @property
    def validity(self) -> Validity:
        """The dates of the leaf."""
        return Validity.of(self.leaf)


def look(file: Path | None, passphrase_file: Path | None = None) -> Look:
    """Look at a file, or at the configured one; a passphrase is needed only where the certificates are encrypted too.

    Args:
        file: a P12, or certificates in PEM, DER or PKCS#7; None means the settings.
        passphrase_file: holds the passphrase; without it the variable counts, then the prompt.

    Raises:
        Pkcs12Error: it holds no certificate, or the passphrase does not open it.
        ConfigurationError: it cannot be read, nothing is configured, or nobody can be asked.
    """
    path, given = _named(file, passphrase_file)
    return glimpse(path) or _look(path, ClientIdentity.from_p12(path, passphrase_of(path, given)).chain)


def glimpse(path: Path) -> Look | None:
    """Look at a file without its passphrase; None for a P12 whose certificates are encrypted too.

    Raises:
        Pkcs12Error: it holds no certificate.
        ConfigurationError: it cannot be read.
    """
    data = read_source(path, what="the certificate file")
    seen = outline(data)
    shown = read_certificates(data, name=printable(path)) if seen is None else _clear(seen)
    return _look(path, shown) if shown else None


def _look(path: Path, certificates: tuple[x509.Certificate, ...]) -> Look:
    leaf = next((one for one in certificates if not is_ca(one)), certificates[0])
    return Look(path, build_chain(leaf, certificates))


def _clear(seen: Outline) -> tuple[x509.Certificate, ...]:
    """Give the certificates that a P12 keeps in clear; none when one of them is broken."""
    try:
        return tuple(x509.load_der_x509_certificate(der) for der in seen.certificates)
    except ValueError:
        return ()


def _named(file: Path | None, passphrase_file: Path | None) -> tuple[Path, Path | None]:
    if file is not None:
        return file, passphrase_file
    named = settings_of(Flags()).identity_for("rorn")
    path = named.p12 or named.certificate
    assert path is not None  # noqa: S101  for the type checker: identity_for refuses a table that names no file
    return path, passphrase_file or named.passphrase_file
