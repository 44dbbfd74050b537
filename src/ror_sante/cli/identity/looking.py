"""The certificates of a P12, PEM or DER file, without its passphrase wherever that is possible."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509

from ror_sante.cli.place import Flags, asking, settings_of
from ror_sante.errors import Finding, Pkcs12Error, Severity, printable
from ror_sante.pki.bags import outline
from ror_sante.pki.chain import Chain, build_chain, is_ca
from ror_sante.pki.expiry import Validity
from ror_sante.pki.files import read_source
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.lent import load_intermediates
from ror_sante.pki.passphrase import PassphraseNeededError
from ror_sante.pki.pem import holds_private_key, read_certificates
from ror_sante.pki.pkcs12 import read_pkcs12

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ror_sante.pki.bags import Outline
    from ror_sante.settings import IdentitySettings


@dataclass(frozen=True)
class Look:
    """What a file holds; nothing of it is verified.

    Attributes:
        path: the file.
        chain: the leaf, and what leads from it, of the file or of the package.
        outline: what shows of a P12 from outside; None for another file, and for a P12 that shows nothing.
        identity: what was opened, or None.
        unopened: why there is no identity although there should be a key; None where there is none.
    """

    path: Path
    chain: Chain
    outline: Outline | None = None
    identity: ClientIdentity | None = None
    unopened: Finding | None = None

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate that the file is about."""
        return self.chain.certificates[0]

    @property
    def validity(self) -> Validity:
        """The dates of the leaf."""
        return Validity.of(self.leaf)


def table_of(file: Path | None, passphrase_file: Path | None = None) -> IdentitySettings:
    """Give the configured certificate, or the one of the command line.

    Raises:
        ConfigurationError: nothing is configured.
    """
    return settings_of(Flags(p12=file, passphrase_file=passphrase_file)).identity_for("rorn")


def look(file: Path | None, passphrase_file: Path | None = None) -> Look:
    """Look at a file, or at the configured one; a passphrase is needed only where the certificates are encrypted too.

    Args:
        file: a P12, or certificates in PEM, DER or PKCS#7; None means the settings.
        passphrase_file: holds the passphrase; without it the variable counts, then the keyring, then the prompt.

    Raises:
        Pkcs12Error: it holds no certificate, or the passphrase does not open it.
        ConfigurationError: it cannot be read, nothing is configured, or nobody can be asked.
    """
    table = table_of(file, passphrase_file)
    path = _path(file, table)
    return glimpse(path, table.intermediates) or _opened(path, table, None, ask=True)


def look_closer(file: Path | None, table: IdentitySettings, *, ask: bool) -> Look:
    """Open a file when its passphrase is at hand, else look at what it shows.

    Args:
        file: as for `look`.
        table: what `table_of` gave for it.
        ask: ask for a passphrase although something shows without it.

    Raises:
        Pkcs12Error: it holds no certificate, or the passphrase does not open it.
        ConfigurationError: it cannot be read, or it shows nothing and nobody can be asked.
    """
    path = _path(file, table)
    seen = glimpse(path, table.intermediates)
    if seen is None:
        return _opened(path, table, None, ask=True)
    if file is not None and seen.outline is None:
        if not holds_private_key(read_source(path, what="the certificate file")):
            return seen  # certificates alone
        table = msgspec.structs.replace(table, p12=None, certificate=path, key=path)
    try:
        return _opened(path, table, seen.outline, ask=ask)
    except PassphraseNeededError as needed:
        return replace(seen, unopened=_unopened(needed.hint))


def _unopened(hint: str) -> Finding:
    return Finding(
        "not-opened",
        "the private key was not opened, for want of its passphrase: neither it nor an integrity check was tried",
        hint,
        Severity.WARNING,
    )


def glimpse(path: Path, intermediates: Iterable[Path] = ()) -> Look | None:
    """Look at a file without its passphrase; None for a P12 whose certificates are encrypted too, or that is in BER.

    Args:
        path: the file.
        intermediates: files of further authorities, for the chain.

    Raises:
        Pkcs12Error: it holds no certificate.
        ConfigurationError: it cannot be read.
    """
    data = read_source(path, what="the certificate file")
    seen = outline(data)
    shown = _bare(data, name=printable(path)) if seen is None else _clear(seen)
    if not shown:
        return None
    leaf = next((one for one in shown if not is_ca(one)), shown[0])
    return Look(path, build_chain(leaf, (*shown, *load_intermediates(intermediates))), seen)


def _bare(data: bytes, *, name: str) -> tuple[x509.Certificate, ...]:
    """Read a file of certificates; nothing for what is a P12 after all."""
    try:
        return read_certificates(data, name=name)
    except Pkcs12Error:
        if _wants_passphrase(data):
            return ()
        raise


def _wants_passphrase(data: bytes) -> bool:
    try:
        read_pkcs12(data, None)
    except PassphraseNeededError:
        return True
    except Pkcs12Error:
        return False
    return True  # it opens with none; whoever opens it will say so


def _clear(seen: Outline) -> tuple[x509.Certificate, ...]:
    """Give the certificates that a P12 keeps in clear; none when one of them is broken."""
    try:
        return tuple(x509.load_der_x509_certificate(der) for der in seen.certificates)
    except ValueError:
        return ()


def _opened(path: Path, table: IdentitySettings, seen: Outline | None, *, ask: bool) -> Look:
    identity = ClientIdentity.from_settings(table, ask=asking() if ask else None)
    chain = Chain(identity.chain, identity.supplied, identity.root)
    return Look(path, chain, seen or outline(read_source(path, what="the P12")), identity)


def _path(file: Path | None, table: IdentitySettings) -> Path:
    path = file or table.p12 or table.certificate
    assert path is not None  # noqa: S101  for the type checker: identity_for refuses a table that names no file
    return path
