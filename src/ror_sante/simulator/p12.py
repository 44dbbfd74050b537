"""Write PKCS#12 files in the shapes that IGC-Santé users meet, sound ones and odd ones.

Cryptography encrypts the certificate bags whenever it encrypts the key, so it cannot write what the IGC-Santé platform
writes: certificates in clear beside a shrouded key. Its unencrypted file does hold every bag that is needed; this
module takes the bags from there, shrouds the key and adds the MAC. The structures are those of RFC 7292.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.serialization import pkcs12

from ror_sante.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

Shape = Literal["platform", "modern", "legacy-3des", "clear"]
Passphrase = str | bytes | None

# Read on six real platform files (IGC-Santé facts, "P12 shape"): 2048 rounds and 8 bytes of salt, for key and MAC.
ROUNDS: Final = 2048
_SALT: Final = 8

_DATA: Final = x509.ObjectIdentifier("1.2.840.113549.1.7.1")
_SHROUDED_KEY_BAG: Final = x509.ObjectIdentifier("1.2.840.113549.1.12.10.1.2")
_PBE_SHA1_3DES: Final = x509.ObjectIdentifier("1.2.840.113549.1.12.1.3")
_SHA1: Final = x509.ObjectIdentifier("1.3.14.3.2.26")

# RFC 7292 appendix B.3: what a derived value is for.
_FOR_KEY, _FOR_IV, _FOR_MAC = 1, 2, 3


# ------------------------------------------------------------------ the structures of RFC 7292


@asn1.sequence
class _ContentInfo:
    content_type: x509.ObjectIdentifier
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class _Attribute:
    attribute_id: x509.ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _SafeBag:
    bag_id: x509.ObjectIdentifier
    value: Annotated[asn1.TLV, asn1.Explicit(0)]
    attributes: asn1.SetOf[_Attribute] | None


@asn1.sequence
class _AlgorithmNull:
    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null


@asn1.sequence
class _DigestInfo:
    algorithm: _AlgorithmNull
    digest: bytes


@asn1.sequence
class _MacData:
    mac: _DigestInfo
    salt: bytes
    rounds: int


@asn1.sequence
class _Pfx:
    version: int
    safe: _ContentInfo
    mac: _MacData | None


@asn1.sequence
class _PbeParameters:
    salt: bytes
    rounds: int


@asn1.sequence
class _PbeAlgorithm:
    algorithm: x509.ObjectIdentifier
    parameters: _PbeParameters


@asn1.sequence
class _EncryptedKey:
    algorithm: _PbeAlgorithm
    data: bytes


# The encoder takes no bare list: a SEQUENCE OF is written as the only member of a sequence, then lifted out of it.


@asn1.sequence
class _Bags:
    items: list[_SafeBag]


@asn1.sequence
class _Parts:
    items: list[_ContentInfo]


@asn1.sequence
class _Lifted:
    inner: asn1.TLV


def _sequence_of(wrapper: _Bags | _Parts) -> bytes:
    return asn1.encode_der(asn1.decode_der(_Lifted, asn1.encode_der(wrapper)).inner)


def _wrapped(sequence_of: bytes) -> bytes:
    return asn1.encode_der(_Lifted(inner=asn1.decode_der(asn1.TLV, sequence_of)))


# ------------------------------------------------------------------ the bags


@dataclass(frozen=True)
class Bags:
    """The bags of a file, in the order in which they are written; made to be taken apart and put together wrongly.

    Attributes:
        certificates: the certificate bags; the leaf carries a localKeyID, the authorities none.
        keys: the key bags in clear, each with the localKeyID of its certificate.
    """

    certificates: tuple[_SafeBag, ...]
    keys: tuple[_SafeBag, ...]

    @classmethod
    def of(
        cls,
        key: pkcs12.PKCS12PrivateKeyTypes | None,
        certificate: x509.Certificate | None,
        *,
        authorities: Iterable[x509.Certificate] = (),
        friendly_name: str | None = None,
    ) -> Bags:
        """Make the bags of one key and its certificates.

        Args:
            key: the private key, or None for a file without.
            certificate: the certificate of the key, or None for a file without.
            authorities: the certificates that follow it, in this order.
            friendly_name: the label of key and certificate; the platform writes none.

        Returns:
            The bags: own certificate first, then the authorities.
        """
        name = None if friendly_name is None else friendly_name.encode()
        der = pkcs12.serialize_key_and_certificates(
            name, key, certificate, list(authorities), serialization.NoEncryption()
        )
        parts = asn1.decode_der(_Parts, _wrapped(asn1.decode_der(_Pfx, der).safe.content)).items
        bags = [bag for part in parts for bag in asn1.decode_der(_Bags, _wrapped(part.content)).items]
        keys = tuple(bag for bag in bags if bag.bag_id.dotted_string.endswith(".12.10.1.1"))
        return cls(certificates=tuple(bag for bag in bags if bag not in keys), keys=keys)

    def reordered(self, *order: int) -> Bags:
        """Give the same bags with the certificates in another order (indexes of the present one)."""
        return Bags(certificates=tuple(self.certificates[index] for index in order), keys=self.keys)

    def joined(self, other: Bags) -> Bags:
        """Give the bags of both; the certificates of `other` follow."""
        return Bags(self.certificates + other.certificates, self.keys + other.keys)

    def platform(self, passphrase: Passphrase) -> bytes:
        """Write the platform's shape: certificates in clear, keys PBE-SHA1-3DES, MAC SHA-1.

        Args:
            passphrase: the same for keys and MAC; None counts as empty.

        Returns:
            The DER bytes of the file.
        """
        password = _bmp(passphrase)
        return _pfx((self.certificates, tuple(_shrouded(bag, password) for bag in self.keys)), password)

    def clear(self, passphrase: Passphrase = None) -> bytes:
        """Write everything unencrypted.

        Args:
            passphrase: what the MAC is made with; None for a file without a MAC, which any passphrase opens.

        Returns:
            The DER bytes of the file.
        """
        return _pfx((self.certificates, self.keys), None if passphrase is None else _bmp(passphrase))


def write_p12(
    key: pkcs12.PKCS12PrivateKeyTypes,
    certificate: x509.Certificate,
    passphrase: Passphrase,
    *,
    authorities: Iterable[x509.Certificate] = (),
    shape: Shape = "platform",
    friendly_name: str | None = None,
) -> bytes:
    """Write a sound P12: one key, its certificate, then the authorities.

    Args:
        key: the private key.
        certificate: its certificate.
        passphrase: text (made NFC, as UTF-8) or UTF-8 bytes; ``clear`` takes None: no MAC.
        authorities: the intermediate and, if wanted, the root, in this order.
        shape: ``platform`` as IGC-Santé writes it; ``modern`` PBES2 with AES-256; ``legacy-3des`` certificates and key
            under PBE-SHA1-3DES; ``clear`` nothing encrypted.
        friendly_name: the label of the entry; the platform writes none.

    Returns:
        The DER bytes of the file.

    Raises:
        ConfigurationError: an unknown shape; a passphrase with a NUL, or that is not UTF-8; an empty passphrase for
            ``modern`` or ``legacy-3des``.
    """
    if shape not in get_args(Shape):
        raise ConfigurationError(f"unknown P12 shape {shape!r}; there are {', '.join(get_args(Shape))}")
    bags = Bags.of(key, certificate, authorities=authorities, friendly_name=friendly_name)
    if shape == "platform":
        return bags.platform(passphrase)
    if shape == "clear":
        return bags.clear(passphrase)
    return pkcs12.serialize_key_and_certificates(
        None if friendly_name is None else friendly_name.encode(),
        key,
        certificate,
        list(authorities),
        _encryption(shape, normalised(passphrase)),
    )


def normalised(passphrase: Passphrase) -> str:
    """Give a passphrase as text in NFC: an accented letter has two spellings, and a file opens with one of them.

    Raises:
        ConfigurationError: bytes that are not UTF-8, or a NUL, which C libraries read as its end.
    """
    try:
        text = passphrase.decode() if isinstance(passphrase, bytes) else passphrase or ""
    except UnicodeDecodeError:
        raise ConfigurationError("a passphrase in bytes must be UTF-8") from None
    if "\0" in text:
        raise ConfigurationError("a passphrase cannot hold a NUL character")
    return unicodedata.normalize("NFC", text)


def _encryption(shape: Shape, passphrase: str) -> serialization.KeySerializationEncryption:
    if not passphrase:
        raise ConfigurationError(f"a P12 of shape {shape!r} needs a passphrase that is not empty")
    builder = serialization.PrivateFormat.PKCS12.encryption_builder()
    if shape == "modern":
        return builder.build(passphrase.encode())
    pbe = pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC
    return (
        builder.kdf_rounds(ROUNDS)
        .key_cert_algorithm(pbe)
        .hmac_hash(hashes.SHA1())  # noqa: S303  the old format is what is being written
        .build(passphrase.encode())
    )


# ------------------------------------------------------------------ writing


def _pfx(safes: Iterable[tuple[_SafeBag, ...]], password: bytes | None) -> bytes:
    parts = [_content(_sequence_of(_Bags(items=list(bags)))) for bags in safes if bags]
    safe = _sequence_of(_Parts(items=parts))
    mac = None if password is None else _mac(safe, password)
    return asn1.encode_der(_Pfx(version=3, safe=_content(safe), mac=mac))


def _content(data: bytes) -> _ContentInfo:
    return _ContentInfo(content_type=_DATA, content=data)


def _mac(safe: bytes, password: bytes) -> _MacData:
    salt = secrets.token_bytes(_SALT)
    digest = hmac.digest(_derive(password, salt, purpose=_FOR_MAC, size=20), safe, "sha1")
    algorithm = _AlgorithmNull(algorithm=_SHA1, parameters=asn1.Null())
    return _MacData(mac=_DigestInfo(algorithm=algorithm, digest=digest), salt=salt, rounds=ROUNDS)


def _shrouded(bag: _SafeBag, password: bytes) -> _SafeBag:
    salt = secrets.token_bytes(_SALT)
    key = _derive(password, salt, purpose=_FOR_KEY, size=24)
    iv = _derive(password, salt, purpose=_FOR_IV, size=8)
    pad = padding.PKCS7(64).padder()
    plain = pad.update(asn1.encode_der(bag.value)) + pad.finalize()
    encryptor = Cipher(TripleDES(key), modes.CBC(iv)).encryptor()
    algorithm = _PbeAlgorithm(algorithm=_PBE_SHA1_3DES, parameters=_PbeParameters(salt=salt, rounds=ROUNDS))
    sealed = _EncryptedKey(algorithm=algorithm, data=encryptor.update(plain) + encryptor.finalize())
    value = asn1.decode_der(asn1.TLV, asn1.encode_der(sealed))
    return _SafeBag(bag_id=_SHROUDED_KEY_BAG, value=value, attributes=bag.attributes)


def _bmp(passphrase: Passphrase) -> bytes:
    """RFC 7292 appendix B.1: big-endian UTF-16, closed by two zero bytes."""
    return normalised(passphrase).encode("utf-16-be") + b"\0\0"


def _derive(password: bytes, salt: bytes, *, purpose: int, size: int) -> bytes:
    """RFC 7292 appendix B.2 with SHA-1: blocks of 64 bytes, digests of 20."""
    mixed = _filled(salt) + _filled(password)
    derived = b""
    while len(derived) < size:
        digest = bytes([purpose]) * 64 + mixed
        for _ in range(ROUNDS):
            digest = hashlib.sha1(digest, usedforsecurity=False).digest()
        derived += digest
        add = int.from_bytes(_filled(digest)) + 1
        mixed = b"".join(_added(mixed[at : at + 64], add) for at in range(0, len(mixed), 64))
    return derived[:size]


def _filled(data: bytes) -> bytes:
    """Repeat to a whole number of 64-byte blocks."""
    size = -(-len(data) // 64) * 64
    return (data * size)[:size]


def _added(block: bytes, add: int) -> bytes:
    return ((int.from_bytes(block) + add) % (1 << 512)).to_bytes(64)
