"""Write PKCS#12 files in the shapes that IGC-Santé users meet, sound ones and odd ones.

Cryptography encrypts the certificate bags whenever it encrypts the key, so it cannot write what the IGC-Santé platform
writes: certificates in clear beside a shrouded key. Its unencrypted file does hold every bag that is needed; this
module takes the bags from there, shrouds the key and adds the MAC. The structures are those of RFC 7292.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.serialization import pkcs12

from ror_sante.errors import ConfigurationError
from ror_sante.pki import pfx

if TYPE_CHECKING:
    from collections.abc import Iterable

Shape = Literal["platform", "modern", "legacy-3des", "clear"]
Passphrase = str | bytes | None

# Read on six real platform files (IGC-Santé facts, "P12 shape"): 2048 rounds and 8 bytes of salt, for key and MAC.
ROUNDS: Final = 2048
_SALT: Final = 8

_PBE_SHA1_3DES: Final = x509.ObjectIdentifier("1.2.840.113549.1.12.1.3")


@asn1.sequence
class _PbeParameters:
    salt: bytes
    rounds: int


# ------------------------------------------------------------------ the bags


@dataclass(frozen=True)
class Bags:
    """The bags of a file, in the order in which they are written; made to be taken apart and put together wrongly.

    Attributes:
        certificates: the certificate bags; the leaf carries a localKeyID, the authorities none.
        keys: the key bags in clear, each with the localKeyID of its certificate.
    """

    certificates: tuple[pfx.SafeBag, ...]
    keys: tuple[pfx.SafeBag, ...]

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
        parts = pfx.decode_list(pfx.Parts, asn1.decode_der(pfx.Pfx, der).safe.content.parse(bytes)).items
        bags = [bag for part in parts for bag in pfx.decode_list(pfx.Bags, part.content.parse(bytes)).items]
        keys = tuple(bag for bag in bags if bag.kind == pfx.KEY_BAG)
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
        text = normalised(passphrase)
        return _pfx((self.certificates, tuple(_shrouded(bag, text) for bag in self.keys)), text)

    def clear(self, passphrase: Passphrase = None) -> bytes:
        """Write everything unencrypted.

        Args:
            passphrase: what the MAC is made with; None for a file without a MAC, which any passphrase opens.

        Returns:
            The DER bytes of the file.
        """
        return _pfx((self.certificates, self.keys), None if passphrase is None else normalised(passphrase))


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


def _pfx(safes: Iterable[tuple[pfx.SafeBag, ...]], passphrase: str | None) -> bytes:
    parts = [pfx.data_part(pfx.encode_list(pfx.Bags(items=list(bags)))) for bags in safes if bags]
    return pfx.assemble(parts, None if passphrase is None else pfx.Mac(passphrase, "sha1", rounds=ROUNDS, salt=_SALT))


def _shrouded(bag: pfx.SafeBag, passphrase: str) -> pfx.SafeBag:
    salt = secrets.token_bytes(_SALT)
    key = pfx.derive(passphrase, salt, purpose=pfx.FOR_KEY, size=24, rounds=ROUNDS)
    iv = pfx.derive(passphrase, salt, purpose=pfx.FOR_IV, size=8, rounds=ROUNDS)
    pad = padding.PKCS7(64).padder()
    plain = pad.update(asn1.encode_der(bag.value)) + pad.finalize()
    encryptor = Cipher(TripleDES(key), modes.CBC(iv)).encryptor()
    parameters = pfx.parsed(_PbeParameters(salt=salt, rounds=ROUNDS))
    algorithm = pfx.AlgorithmIdentifier(kind=_PBE_SHA1_3DES, parameters=parameters)
    sealed = pfx.EncryptedKey(algorithm=pfx.parsed(algorithm), data=encryptor.update(plain) + encryptor.finalize())
    return pfx.SafeBag(kind=pfx.SHROUDED_KEY_BAG, value=pfx.parsed(sealed), attributes=bag.attributes)
