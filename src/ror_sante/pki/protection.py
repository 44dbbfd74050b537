"""Encrypt a private key, and tell how one is encrypted."""

# No "from __future__ import annotations" here: hazmat.asn1 reads the annotations when a class is made.

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ObjectIdentifier

from ror_sante.pki.hidden import Hidden
from ror_sante.pki.listening import READER_ERRORS
from ror_sante.pki.passphrase import new_passphrase
from ror_sante.pki.pfx import AlgorithmIdentifier, EncryptedKey, parsed

if TYPE_CHECKING:
    from ror_sante.pki.hidden import Passphrase
    from ror_sante.pki.keystore import ClientKey

# OWASP Password Storage Cheat Sheet (2023): 600 000 rounds of PBKDF2-HMAC-SHA256. The library writes 2048.
ROUNDS: Final = 600_000
_SALT: Final = 16
_IV: Final = 16

# RFC 8018 appendices A.2 and A.4; RFC 7292 appendix C; RFC 7914 section 7; NIST's AES arc.
_PBES2: Final = ObjectIdentifier("1.2.840.113549.1.5.13")
_PBKDF2: Final = ObjectIdentifier("1.2.840.113549.1.5.12")
_HMAC_SHA256: Final = ObjectIdentifier("1.2.840.113549.2.9")
_AES_256_CBC: Final = ObjectIdentifier("2.16.840.1.101.3.4.1.42")
_NAMES: Final = {
    "1.2.840.113549.1.5.3": "DES with MD5",
    "1.2.840.113549.1.5.10": "DES with SHA-1",
    "1.2.840.113549.1.12.1.1": "RC4-128",
    "1.2.840.113549.1.12.1.2": "RC4-40",
    "1.2.840.113549.1.12.1.3": "3DES",
    "1.2.840.113549.1.12.1.4": "3DES with two keys",
    "1.2.840.113549.1.12.1.5": "RC2-128",
    "1.2.840.113549.1.12.1.6": "RC2-40",
    "1.2.840.113549.3.7": "3DES",
    "2.16.840.1.101.3.4.1.2": "AES-128",
    "2.16.840.1.101.3.4.1.22": "AES-192",
    "2.16.840.1.101.3.4.1.42": "AES-256",
}


@dataclass(frozen=True, slots=True)
class Protection:
    """How a private key is encrypted.

    Attributes:
        cipher: its usual name, such as ``AES-256`` or ``3DES``, or a dotted OID.
        rounds: how often the passphrase is hashed; None when the scheme does not count so (scrypt), or is not known.
    """

    cipher: str
    rounds: int | None

    @property
    def modern(self) -> bool:
        """Tell whether it is what we write ourselves, or better."""
        return self.cipher.startswith("AES-") and (self.rounds is None or self.rounds >= ROUNDS)

    def __str__(self) -> str:
        return self.cipher if self.rounds is None else f"{self.cipher}, {self.rounds} rounds"


@asn1.sequence
class _Pbe:
    salt: bytes
    rounds: int


@asn1.sequence
class _Pbes2:
    derivation: AlgorithmIdentifier
    cipher: AlgorithmIdentifier


@asn1.sequence
class _Pbkdf2:
    salt: bytes
    rounds: int
    length: int | None
    prf: AlgorithmIdentifier | None


def protection(algorithm: asn1.TLV) -> Protection:
    """Tell how something is encrypted from its AlgorithmIdentifier; what cannot be read is called unknown."""
    try:
        return _protection(algorithm.parse(AlgorithmIdentifier))
    except READER_ERRORS:
        return Protection("unknown cipher", None)


def _protection(algorithm: AlgorithmIdentifier) -> Protection:
    if algorithm.kind != _PBES2:
        return Protection(_name(algorithm.kind), algorithm.parameters.parse(_Pbe).rounds)
    scheme = algorithm.parameters.parse(_Pbes2)
    counted = scheme.derivation.kind == _PBKDF2
    rounds = scheme.derivation.parameters.parse(_Pbkdf2).rounds if counted else None
    return Protection(_name(scheme.cipher.kind), rounds)


def _name(kind: ObjectIdentifier) -> str:
    return _NAMES.get(kind.dotted_string, kind.dotted_string)


# ------------------------------------------------------------------ encrypting


def encrypted_key(key: "ClientKey", passphrase: "Passphrase") -> bytes:
    """Write a private key as an encrypted PKCS#8 in PEM: PBES2, AES-256, PBKDF2-HMAC-SHA256 with 600 000 rounds.

    OpenSSL, Java and this package read it. The library would write 2048 rounds, which a graphics card tries by the
    hundred thousand a second.

    Args:
        key: the private key.
        passphrase: text, or its UTF-8 bytes.

    Raises:
        ConfigurationError: the passphrase is empty, or can be none (NUL, not UTF-8).
    """
    secret = new_passphrase(passphrase).encode()
    salt, iv = secrets.token_bytes(_SALT), secrets.token_bytes(_IV)
    pad = padding.PKCS7(AES.block_size).padder()
    clear = Hidden(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    padded = pad.update(clear) + pad.finalize()
    encryptor = Cipher(AES(PBKDF2HMAC(hashes.SHA256(), 32, salt, ROUNDS).derive(secret)), modes.CBC(iv)).encryptor()
    sealed = EncryptedKey(algorithm=parsed(_scheme(salt, iv)), data=encryptor.update(padded) + encryptor.finalize())
    return _pem(asn1.encode_der(sealed))


def _scheme(salt: bytes, iv: bytes) -> AlgorithmIdentifier:
    prf = AlgorithmIdentifier(kind=_HMAC_SHA256, parameters=parsed(asn1.Null()))
    rounds = parsed(_Pbkdf2(salt=salt, rounds=ROUNDS, length=None, prf=prf))
    scheme = _Pbes2(
        derivation=AlgorithmIdentifier(kind=_PBKDF2, parameters=rounds),
        cipher=AlgorithmIdentifier(kind=_AES_256_CBC, parameters=parsed(iv)),
    )
    return AlgorithmIdentifier(kind=_PBES2, parameters=parsed(scheme))


def _pem(der: bytes) -> bytes:
    lines = base64.encodebytes(der).replace(b"\n", b"")
    body = b"\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + body + b"\n-----END ENCRYPTED PRIVATE KEY-----\n"
