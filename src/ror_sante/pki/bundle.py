"""Write a P12 of an identity, and open it again before it is said to exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from ror_sante.errors import Finding, IncompleteChainError, Pkcs12Error, Severity
from ror_sante.pki import pfx
from ror_sante.pki.anchor import TrustAnchor
from ror_sante.pki.bags import outline
from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.passphrase import new_passphrase
from ror_sante.pki.pkcs12 import read_pkcs12
from ror_sante.pki.protection import ROUNDS, Protection
from ror_sante.pki.verdict import gravest

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

    from ror_sante.pki.hidden import Passphrase
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.pki.keystore import KeyStore
    from ror_sante.settings import Secret

# Old Java, old Windows and .NET, which refuses over 600 000 rounds in all: certificates, key and MAC have them each.
COMPATIBLE_ROUNDS: Final = 100_000
_SALT: Final = 16
_DATES: Final = frozenset({"expired", "not-yet-valid"})


def check_bundle(identity: ClientIdentity, *, at: datetime) -> tuple[Finding, ...]:
    """Judge an identity that was just put together, against the root that its own chain ends at.

    Args:
        identity: key, certificate and authorities.
        at: the time to judge at.

    Returns:
        The warnings; a wrong date is one of them, for a P12 may be made before its day.

    Raises:
        IdentityError: it can never serve: another product or family, no chain; all findings are in it.
    """
    for finding in stops_short(identity):
        raise IncompleteChainError(finding.message, hint=finding.hint)
    assert identity.root is not None  # noqa: S101  for the type checker: the chain does not stop short
    found = identity.verify(TrustAnchor(identity.root, "its own root"), at=at)
    error = gravest(finding for finding in found if finding.code not in _DATES)
    if error is not None:
        raise error
    return tuple(finding for finding in found if finding.code != "unencrypted-key")


def stops_short(identity: ClientIdentity) -> tuple[Finding, ...]:
    """Tell, as a warning, that a chain ends at no root: whoever asks decides whether that is an error."""
    if identity.root is not None:
        return ()
    last = identity.chain[-1]
    missing = f"the certificate of its issuer, {describe_name(last.issuer)}, is missing"
    return (
        Finding(
            "incomplete-chain",
            f"the chain stops at {common_name(last)}: {missing}",
            "Give it with --intermediates; a P12 without it is refused by every server.",
            Severity.WARNING,
        ),
    )


def write_bundle(
    identity: ClientIdentity,
    passphrase: Passphrase,
    *,
    root: bool = False,
    compatible: bool = False,
) -> bytes:
    """Write a P12: the key, its certificate, the intermediates, and the root when asked for.

    Key and certificates are under PBES2 with AES-256 and 600 000 rounds, and so is the integrity check (SHA-256),
    without which a guesser of passphrases would take the shorter way: the library and OpenSSL leave it at 2048.

    Args:
        identity: what to write; a missing ACI-EL-ORG came from the package when the identity was made.
        passphrase: text or UTF-8 bytes; brought to NFC.
        root: put the root in, last; servers do not need it.
        compatible: 3DES and SHA-1, for tools that know nothing better; never RC2.

    Returns:
        The DER bytes, which were opened again and compared.

    Raises:
        ConfigurationError: the passphrase is empty, or can be none.
        Pkcs12Error: what was written does not open again, or not with the same content; nothing can be used of it.
    """
    secret = new_passphrase(passphrase)
    authorities = [*identity.chain[1:], *([identity.root] if root and identity.root else [])]
    data = _written(identity, authorities, secret, compatible=compatible)
    wanted = Protection("3DES", COMPATIBLE_ROUNDS) if compatible else Protection("AES-256", ROUNDS)
    shape = outline(data)
    sealed = shape is not None and shape.protections == (wanted,) and shape.mac_rounds == wanted.rounds
    if not (sealed and _is_same(read_pkcs12(data, secret), identity, authorities)):
        raise Pkcs12Error(
            "the P12 that was written does not hold what was put into it, and is thrown away",
            hint="Another release of the library cryptography may write it otherwise: report this.",
        )
    return data


def _written(
    identity: ClientIdentity, authorities: list[x509.Certificate], secret: Secret, *, compatible: bool
) -> bytes:
    rounds = COMPATIBLE_ROUNDS if compatible else ROUNDS
    scheme = pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC if compatible else pkcs12.PBES.PBESv2SHA256AndAES256CBC
    digest: hashes.HashAlgorithm = hashes.SHA1() if compatible else hashes.SHA256()  # noqa: S303  what old tools read
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(rounds)
        .key_cert_algorithm(scheme)
        .hmac_hash(digest)
        .build(secret.encode())
    )
    name = common_name(identity.certificate).encode()
    der = pkcs12.serialize_key_and_certificates(
        name, identity.private_key, identity.certificate, authorities, encryption
    )
    mac = pfx.Mac(secret, "sha1" if compatible else "sha256", rounds=rounds, salt=_SALT)
    return pfx.with_mac(asn1.decode_der(pfx.Pfx, der), mac)


def _is_same(store: KeyStore, identity: ClientIdentity, authorities: list[x509.Certificate]) -> bool:
    same_key = store.key.private_numbers() == identity.private_key.private_numbers()
    return same_key and store.certificates == (identity.certificate, *authorities)


COMPATIBLE_WARNING: Final = Finding(
    "weak-encryption",
    "the P12 is encrypted with 3DES and SHA-1, which old tools read and nobody should keep",
    "Leave --compatible out unless a tool refused the file.",
    Severity.WARNING,
)
