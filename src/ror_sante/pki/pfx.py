"""The structures of a P12 and its integrity check (RFC 7292), for those who read and those who write one."""

# No "from __future__ import annotations" here: hazmat.asn1 reads the annotations when a class is made.

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from typing import Annotated, Final, Literal, TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

# RFC 7292 sections 4 and 4.2; RFC 5652 section 4; RFC 2985 section 5.5.
DATA: Final = ObjectIdentifier("1.2.840.113549.1.7.1")
KEY_BAG: Final = ObjectIdentifier("1.2.840.113549.1.12.10.1.1")
SHROUDED_KEY_BAG: Final = ObjectIdentifier("1.2.840.113549.1.12.10.1.2")
CERTIFICATE_BAG: Final = ObjectIdentifier("1.2.840.113549.1.12.10.1.3")
LOCAL_KEY_ID: Final = ObjectIdentifier("1.2.840.113549.1.9.21")

Hash = Literal["sha1", "sha256"]
_HASHES: Final[dict[Hash, tuple[ObjectIdentifier, Callable[..., "hashlib._Hash"]]]] = {
    "sha1": (ObjectIdentifier("1.3.14.3.2.26"), hashlib.sha1),
    "sha256": (ObjectIdentifier("2.16.840.1.101.3.4.2.1"), hashlib.sha256),
}
# RFC 7292 appendix B.3: what a derived value is for.
FOR_KEY, FOR_IV, FOR_MAC = 1, 2, 3
_BLOCK: Final = 64  # bytes that SHA-1 and SHA-256 work on at a time


@asn1.sequence
class ContentInfo:
    """A part of a P12: data in clear, or encrypted."""

    kind: ObjectIdentifier
    content: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class AlgorithmIdentifier:
    """An algorithm and what it is given."""

    kind: ObjectIdentifier
    parameters: asn1.TLV


@asn1.sequence
class DigestInfo:
    """A digest and how it was made."""

    algorithm: asn1.TLV  # an AlgorithmIdentifier; some leave its parameters out, which the library cannot say
    digest: bytes


@asn1.sequence
class MacData:
    """The integrity check."""

    mac: DigestInfo
    salt: bytes
    rounds: Annotated[int, asn1.Default(1)]


@asn1.sequence
class Pfx:
    """A whole P12."""

    version: int
    safe: ContentInfo
    mac: MacData | None


@asn1.sequence
class Attribute:
    """A label of a bag, such as the localKeyID that ties a certificate to its key."""

    kind: ObjectIdentifier
    values: asn1.TLV


@asn1.sequence
class SafeBag:
    """A key or a certificate, with its labels."""

    kind: ObjectIdentifier
    value: Annotated[asn1.TLV, asn1.Explicit(0)]
    attributes: asn1.SetOf[Attribute] | None


@asn1.sequence
class CertificateBag:
    """The value of a bag that holds a certificate."""

    kind: ObjectIdentifier
    certificate: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class EncryptedKey:
    """An encrypted private key (RFC 5958 section 3)."""

    algorithm: asn1.TLV  # as above
    data: bytes


# The library codes no bare list: a SEQUENCE OF is the only member of a sequence, put into it or lifted out of it.


@asn1.sequence
class _One:
    item: asn1.TLV


@asn1.sequence
class Parts:
    """The parts of a P12."""

    items: list[ContentInfo]


@asn1.sequence
class Bags:
    """The bags of a part."""

    items: list[SafeBag]


T = TypeVar("T", Parts, Bags)


def decode_list(kind: type[T], octets: bytes) -> T:
    """Decode a SEQUENCE OF."""
    return asn1.decode_der(kind, asn1.encode_der(_One(item=asn1.decode_der(asn1.TLV, octets))))


def encode_list(wrapper: Parts | Bags) -> bytes:
    """Encode a SEQUENCE OF."""
    return asn1.encode_der(asn1.decode_der(_One, asn1.encode_der(wrapper)).item)


def parsed(value: object) -> asn1.TLV:
    """Give a value as a piece of DER that goes into another."""
    return asn1.decode_der(asn1.TLV, asn1.encode_der(value))


# ------------------------------------------------------------------ putting one together


def data_part(content: bytes) -> ContentInfo:
    """Make a part in clear."""
    return ContentInfo(kind=DATA, content=parsed(content))


def assemble(parts: Iterable[ContentInfo], mac: "Mac | None") -> bytes:
    """Write a P12 of these parts, with an integrity check or without."""
    safe = encode_list(Parts(items=list(parts)))
    return asn1.encode_der(Pfx(version=3, safe=data_part(safe), mac=None if mac is None else mac.over(safe)))


def with_mac(whole: Pfx, mac: "Mac") -> bytes:
    """Write a P12 again with another integrity check."""
    check = mac.over(whole.safe.content.parse(bytes))
    return asn1.encode_der(Pfx(version=whole.version, safe=whole.safe, mac=check))


class Mac:
    """How an integrity check is made.

    Args:
        passphrase: text, already in NFC.
        algorithm: ``sha1`` or ``sha256``.
        rounds: how often the passphrase is hashed before it is used.
        salt: bytes of salt.
    """

    def __init__(self, passphrase: str, algorithm: Hash, *, rounds: int, salt: int) -> None:
        self._passphrase = passphrase
        self._algorithm: Hash = algorithm
        self._rounds = rounds
        self._salt = salt

    def over(self, safe: bytes) -> MacData:
        """Make the check of a P12's content."""
        salt = secrets.token_bytes(self._salt)
        kind, made = _HASHES[self._algorithm]
        size = made(usedforsecurity=False).digest_size
        key = derive(self._passphrase, salt, purpose=FOR_MAC, size=size, rounds=self._rounds, algorithm=self._algorithm)
        algorithm = AlgorithmIdentifier(kind=kind, parameters=parsed(asn1.Null()))
        digest = DigestInfo(algorithm=parsed(algorithm), digest=hmac.digest(key, safe, self._algorithm))
        return MacData(mac=digest, salt=salt, rounds=self._rounds)


def derive(passphrase: str, salt: bytes, *, purpose: int, size: int, rounds: int, algorithm: Hash = "sha1") -> bytes:
    """Derive a key, an initial vector or a MAC key from a passphrase (RFC 7292 appendices B.1 and B.2).

    Args:
        passphrase: text; brought to NFC here.
        salt: random bytes.
        purpose: `FOR_KEY`, `FOR_IV` or `FOR_MAC`.
        size: bytes wanted.
        rounds: how often each digest is made.
        algorithm: the hash, of 64-byte blocks.
    """
    password = unicodedata.normalize("NFC", passphrase).encode("utf-16-be") + b"\0\0"
    _, made = _HASHES[algorithm]
    mixed = _filled(salt) + _filled(password)
    derived = b""
    while len(derived) < size:
        digest = bytes([purpose]) * _BLOCK + mixed
        for _ in range(rounds):
            digest = made(digest, usedforsecurity=False).digest()
        derived += digest
        add = int.from_bytes(_filled(digest)) + 1
        mixed = b"".join(_added(mixed[at : at + _BLOCK], add) for at in range(0, len(mixed), _BLOCK))
    return derived[:size]


def _filled(data: bytes) -> bytes:
    """Repeat to a whole number of blocks."""
    size = -(-len(data) // _BLOCK) * _BLOCK
    return (data * size)[:size]


def _added(block: bytes, add: int) -> bytes:
    return ((int.from_bytes(block) + add) % (1 << 8 * _BLOCK)).to_bytes(_BLOCK)
