"""Say what an authority stated about a certificate, and find where its statements are published."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from ror_sante.errors import RorError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

E = TypeVar("E", bound=x509.ExtensionType)

# A clock that runs a little behind the authority's is no reason to refuse what was signed just now.
SKEW: Final = timedelta(minutes=5)
_SOUND: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class Standing(StrEnum):
    """What is known of a certificate.

    ``UNKNOWN`` means that nobody who may say it said something that can be relied upon.
    """

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Statement:
    """What an authority signed about one certificate.

    Attributes:
        standing: good or revoked.
        this_update: since when it holds.
        next_update: when a newer one comes, or None.
        revoked_at: since when the certificate is revoked, or None.
        reason: why, as RFC 5280 section 5.3.1 names it, such as ``keyCompromise``; empty when it is not said.
        signer: who signed: the issuer, or a responder that it appointed.
        notes: what is not as strong as it could be.
    """

    standing: Standing
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None = None
    reason: str = ""
    signer: str = ""
    notes: tuple[str, ...] = ()


class UnusableStatementError(RorError):
    """What came as a statement about a certificate cannot be relied upon."""


class OtherAuthorityError(UnusableStatementError):
    """It is a statement of another authority than the one that issued the certificate."""


def ocsp_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """Give the OCSP responders that a certificate names (RFC 5280 section 4.2.2.1)."""
    access = _extension(certificate, x509.AuthorityInformationAccess)
    return () if access is None else tuple(_responders(access))


def crl_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """Give the places of its issuer's CRL that a certificate names, LDAP left out (RFC 5280 section 4.2.1.13)."""
    points = _extension(certificate, x509.CRLDistributionPoints)
    return () if points is None else tuple(_places(points))


def _responders(access: x509.AuthorityInformationAccess) -> Iterator[str]:
    for entry in access:
        if entry.access_method == AuthorityInformationAccessOID.OCSP:
            yield from _http(entry.access_location)


def _places(points: x509.CRLDistributionPoints) -> Iterator[str]:
    for point in points:
        for name in point.full_name or ():
            yield from _http(name)


def _http(name: x509.GeneralName) -> Iterator[str]:
    if isinstance(name, x509.UniformResourceIdentifier) and name.value.lower().startswith(("http://", "https://")):
        yield name.value


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):  # ValueError: an extension that cannot be read says nothing
        return None


# ------------------------------------------------------------------ what every statement is judged by


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Turn what the library raises about a part that it cannot read into our own error.

    Raises:
        UnusableStatementError: a part is damaged, or of a kind that is not known.
    """
    try:
        yield
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableStatementError(f"a part of it cannot be read: {printable(error)}") from error


def check_signature(
    key: object, signature: bytes, signed: bytes, algorithm: hashes.HashAlgorithm | None, *, by: str
) -> None:
    """Check the signature of a statement.

    Args:
        key: the public key of the signer.
        signature: what it made.
        signed: the bytes that were signed.
        algorithm: their hash.
        by: the signer, for messages.

    Raises:
        UnusableStatementError: another key made it, or with an algorithm that proves nothing.
    """
    if not isinstance(algorithm, _SOUND):
        name = "an unknown algorithm" if algorithm is None else algorithm.name.upper()
        raise UnusableStatementError(f"it is signed with {name}, which proves nothing")
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(algorithm))
        else:
            raise UnusableStatementError(f"{by} has a key of another kind than RSA or EC")
    except (InvalidSignature, UnsupportedAlgorithm) as error:
        raise UnusableStatementError(f"its signature was not made by {by}") from error


def check_dates(this_update: datetime, next_update: datetime | None, *, at: datetime, longest: timedelta) -> None:
    """Check that a statement holds at a time.

    Args:
        this_update: since when it holds.
        next_update: when a newer one was due, or None.
        at: the time.
        longest: how old one without a date for the next may be.

    Raises:
        UnusableStatementError: it is of the future, or too old.
    """
    if this_update > at + SKEW:
        raise UnusableStatementError(
            f"it is dated {_moment(this_update)}, and it is {_moment(at)} here",
            hint="Check the clock of this machine.",
        )
    until = this_update + longest if next_update is None else next_update
    if until < at - SKEW:
        raise UnusableStatementError(
            f"it is stale: a newer one was due on {_moment(until)}, and it is {_moment(at)} here",
            hint="Check the clock of this machine; if it is right, the publication of the authority stands still.",
        )


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
