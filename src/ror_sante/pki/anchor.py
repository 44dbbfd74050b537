"""Hold the roots that are trusted: each one self-signed authority, known by its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.environments import IGC_SANTE, IGC_SANTE_TEST, WEB_PKI
from ror_sante.errors import ConfigurationError, IdentityError
from ror_sante.pki.chain import is_ca, is_signed_by
from ror_sante.pki.files import label, read_source
from ror_sante.pki.listening import heard
from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.packaged import packaged
from ror_sante.pki.soundness import is_sound

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable


@dataclass(frozen=True)
class TrustAnchor:
    """One trusted root.

    Attributes:
        certificate: the self-signed certificate of an authority.
        name: how settings and messages call it: ``igc-sante``, or the path of its file.
    """

    certificate: x509.Certificate
    name: str

    def __post_init__(self) -> None:
        _refuse_what_is_no_root(self.certificate, name=self.name)

    @classmethod
    def igc_sante(cls) -> TrustAnchor:
        """Give ACR-EL, the production root of IGC-Santé "élémentaire", as shipped with the package."""
        return cls(packaged("ACR-EL"), IGC_SANTE)

    @classmethod
    def igc_sante_test(cls) -> TrustAnchor:
        """Give ACR-EL-TEST, the root of the TEST tree, as shipped with the package."""
        return cls(packaged("ACR-EL-TEST"), IGC_SANTE_TEST)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> TrustAnchor:
        """Read a root from a PEM or DER file.

        Raises:
            ConfigurationError: the file cannot be read, or holds anything but one self-signed authority.
        """
        return cls.from_bytes(read_source(path, what="the anchor"), name=label(path))

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str) -> TrustAnchor:
        """Read a root from PEM or DER bytes.

        Raises:
            ConfigurationError: they hold anything but one self-signed authority.
        """
        from ror_sante.pki.pem import read_certificates  # the packaged roots need no reader of foreign files

        try:
            certificates = read_certificates(data, name=name)
        except IdentityError as error:
            raise ConfigurationError(f"the anchor is not usable: {error.message}", hint=error.hint) from error
        if len(certificates) != 1:
            listed = ", ".join(common_name(certificate) for certificate in certificates[:4])
            raise ConfigurationError(
                f"the anchor {name} holds {len(certificates)} certificates ({listed}): an anchor is one root",
                hint="Keep only the self-signed root in that file; list several anchors as several files.",
            )
        return cls(certificates[0], name)

    @property
    def der(self) -> bytes:
        """Give the bytes of the certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def sha256(self) -> str:
        """Give the SHA-256 of these bytes, in lower-case hexadecimal."""
        return self.certificate.fingerprint(SHA256()).hex()

    @property
    def subject(self) -> str:
        """Give the CN of the root."""
        return common_name(self.certificate)


def _refuse_what_is_no_root(certificate: x509.Certificate, *, name: str) -> None:
    if not is_sound(certificate):
        raise ConfigurationError(f"the anchor {name} is damaged: parts of the certificate cannot be read")
    subject, issuer = common_name(certificate), describe_name(certificate.issuer)
    if certificate.subject != certificate.issuer:
        raise ConfigurationError(
            f"the anchor {name} is no root: {subject} was issued by {issuer}",
            hint=f"Trust the root alone, {issuer}; an intermediate is pushed with the leaf, never trusted.",
        )
    if not is_ca(certificate):
        raise ConfigurationError(
            f"the anchor {name} is no authority: {subject} does not carry basicConstraints CA:TRUE",
            hint="Name the root that signed the server's chain, not the server's own certificate.",
        )
    # The library checks no SHA-1 signature. On a root it proves nothing: the root is trusted by its bytes.
    if not isinstance(certificate.signature_hash_algorithm, SHA1) and not is_signed_by(certificate, certificate):
        raise ConfigurationError(
            f"the anchor {name} is damaged or forged: {subject} names itself as issuer, but its key did not sign it",
            hint="Fetch the root again and compare its SHA-256 with the one its authority publishes.",
        )


def load_anchors(words: Iterable[str], *, folder: Path | None = None) -> tuple[TrustAnchor, ...]:
    """Make the anchors that an environment names.

    Args:
        words: ``igc-sante``, ``igc-sante-test``, ``web-pki`` (the public web authorities, as certifi lists them),
            or the path of a PEM or DER file.
        folder: where relative paths start; None means the current folder.

    Raises:
        ConfigurationError: no word at all, or a file that is not one readable root.
    """
    if isinstance(words, str):
        words = (words,)
    anchors = tuple(anchor for word in words for anchor in _named(word, folder or Path()))
    if not anchors:
        raise ConfigurationError(
            "no anchor is given: nothing could be trusted", hint="Name igc-sante, or the file of your root."
        )
    return tuple({anchor.sha256: anchor for anchor in anchors}.values())


def _named(word: str, folder: Path) -> tuple[TrustAnchor, ...]:
    if word == IGC_SANTE:
        return (TrustAnchor.igc_sante(),)
    if word == IGC_SANTE_TEST:
        return (TrustAnchor.igc_sante_test(),)
    if word == WEB_PKI:
        return _web_pki()
    return (TrustAnchor.from_file(folder / word),)


def _web_pki() -> tuple[TrustAnchor, ...]:
    # Some public roots have a serial number of zero, of which the library warns.
    roots, _ = heard(x509.load_pem_x509_certificates, certifi.contents().encode("ascii"))
    return tuple(TrustAnchor(root, f"{WEB_PKI}: {common_name(root)}") for root in roots)
