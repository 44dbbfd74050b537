"""Order the certificates at hand into a chain, each link proven by its signature, the root left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.packaged import packaged_intermediates, packaged_roots

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Chain", "build_chain", "common_name", "describe_name", "is_ca", "is_signed_by", "packaged_intermediates"]

# IGC-Santé is three deep; the limit only ends a search among hostile certificates.
_MAX_DEPTH: Final = 8


class Chain(msgspec.Struct, frozen=True):
    """A certificate and the authorities above it, in the order of RFC 8446 section 4.4.2.

    Attributes:
        certificates: the leaf, then each issuer in turn; the root is left out.
        supplied: those among them that came from the package's own copy.
        root: the self-signed certificate at the end, when it is at hand.
        impostors: certificates at hand that bear the name of the missing issuer and have another key.
    """

    certificates: tuple[x509.Certificate, ...]
    supplied: tuple[x509.Certificate, ...] = ()
    root: x509.Certificate | None = None
    impostors: tuple[x509.Certificate, ...] = ()

    @property
    def complete(self) -> bool:
        """Tell whether the chain was followed up to a root, trusted or not."""
        return self.root is not None


def build_chain(
    leaf: x509.Certificate,
    pool: Iterable[x509.Certificate],
    *,
    supplement: Iterable[x509.Certificate] | None = None,
) -> Chain:
    """Follow the issuers of a certificate as far as the certificates at hand allow; judge no date.

    Args:
        leaf: the certificate to start from.
        pool: what its owner gave, in any order, with roots and strangers among them.
        supplement: certificates to complete the chain with; None means the package's ACI-EL-ORG and its TEST twin.
    """
    own = tuple(pool)
    lent = packaged_intermediates() if supplement is None else tuple(supplement)
    path = [leaf]
    while not _is_self_issued(path[-1]) and len(path) < _MAX_DEPTH:
        issuer = _issuer(path[-1], own) or _issuer(path[-1], lent) or _issuer(path[-1], packaged_roots())
        if issuer is None or issuer in path:
            break
        path.append(issuer)
    last = path[-1]
    root = last if _is_self_issued(last) else None
    certificates = tuple(path[:-1] if root is not None and len(path) > 1 else path)
    return Chain(
        certificates=certificates,
        supplied=tuple(c for c in certificates[1:] if c not in own),
        root=root,
        impostors=() if root else tuple(c for c in (*own, *lent) if _is_impostor(c, last)),
    )


def _issuer(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Pick the issuer among candidates; of several with one key (a CA that was certified again), the last to end."""
    signers = [c for c in candidates if c != certificate and is_signed_by(certificate, c)]
    return max(signers, key=lambda c: c.not_valid_after_utc, default=None)


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the names link and the issuer's key made the signature; dates and CA flags are not looked at."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        # ValueError: other names, or an algorithm such as SHA-1; TypeError: a key that signs nothing.
        return False
    return True


def _is_impostor(candidate: x509.Certificate, child: x509.Certificate) -> bool:
    if candidate.subject != child.issuer:
        return False
    try:
        child.verify_directly_issued_by(candidate)
    except InvalidSignature:
        return True
    except (UnsupportedAlgorithm, ValueError, TypeError):  # not an imitation: a signature that cannot be checked
        return False
    return False


def _is_self_issued(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def is_ca(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate says that it is an authority's (basicConstraints CA:TRUE)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
