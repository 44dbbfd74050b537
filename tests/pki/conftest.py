"""Make the certificates of these tests: trees shaped like IGC-Santé, and P12 files put together bag by bag."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ror_sante.pki.anchor import TrustAnchor
from ror_sante.pki.identity import ClientIdentity

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
YEAR = dt.timedelta(days=365)
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
CLEAR = serialization.NoEncryption()
LEAF_USAGE = {"digital_signature"}
CA_USAGE = {"key_cert_sign", "crl_sign"}
ALL_USAGES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
]


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    def key_pem(self, passphrase: str | None = None) -> bytes:
        how = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else CLEAR
        return self.key.private_bytes(PEM, PKCS8, how)


def name_of(cn: str, *, units: Iterable[str], organisation: str, state: str | None = None) -> x509.Name:
    """Write a DN in the order and with the attributes of IGC-Santé."""
    parts = [(NameOID.COUNTRY_NAME, "FR"), (NameOID.STATE_OR_PROVINCE_NAME, state)]
    parts += [(NameOID.ORGANIZATION_NAME, organisation)]
    parts += [(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units] + [(NameOID.COMMON_NAME, cn)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


@dataclass(frozen=True)
class Tree:
    """A root and its intermediate, and what they issue."""

    root: Made
    aci: Made
    maker: "Maker"

    @property
    def anchor(self) -> TrustAnchor:
        return TrustAnchor(self.root.certificate, "tree")

    def client(self, cn: str = "CLIENT_WS_RORN", **about: Any) -> Made:
        subject = name_of(cn, units=["33333333333"], organisation="GIP - TEST3012", state="Paris (75)")
        return self.maker.issue(subject, self.aci, **about)

    def identity(self, made: Made | None = None, others: Iterable[Made] | None = None) -> ClientIdentity:
        made = made or self.client()
        others = (self.aci, self.root) if others is None else others
        return ClientIdentity.from_p12(self.maker.p12(made, others), "secret")


class Maker:
    """Issue certificates; one RSA key serves all leaves, because making one costs a tenth of a second."""

    def __init__(self) -> None:
        self.leaf_key = self.rsa()

    def rsa(self, bits: int = 2048) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, bits)

    def issue(
        self,
        subject: x509.Name,
        issuer: Made | None,
        *,
        key: Any = None,
        ca: bool = False,
        path_length: int | None = None,
        key_usage: set[str] | None = LEAF_USAGE,
        usages: Iterable[ObjectIdentifier] = (Eku.CLIENT_AUTH,),
        days: tuple[float, float] = (-100, 900),
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        extra: Iterable[x509.ExtensionType] = (),
        basic: bool = True,
    ) -> Made:
        key = key or self.leaf_key
        public = key.public_key()
        issuer_key = issuer.key if issuer else key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start or NOW + dt.timedelta(days=days[0]))
            .not_valid_after(end or NOW + dt.timedelta(days=days[1]))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if basic:
            builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=ca)
        if key_usage is not None:
            flags = {usage: usage in key_usage for usage in ALL_USAGES}
            builder = builder.add_extension(x509.KeyUsage(**flags), critical=True)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        for extension in extra:
            builder = builder.add_extension(extension, critical=False)
        return Made(builder.sign(issuer_key, hashes.SHA256()), key)

    def authority(self, subject: x509.Name, issuer: Made | None, **about: Any) -> Made:
        about = {"key": self.rsa(), "ca": True, "key_usage": CA_USAGE, "usages": (), "days": (-4000, 3000)} | about
        return self.issue(subject, issuer, **about)

    def tree(self, *, prefix: str = "", unit: str = "SIMULATED", organisation: str = "ASIP-SANTE") -> Tree:
        units = ["0002 187512751", unit]
        root_name = name_of(f"{prefix}AC RACINE {unit} ELEMENTAIRE", units=units, organisation=organisation)
        aci_name = name_of(f"{prefix}AC {unit} ELEMENTAIRE ORGANISATIONS", units=units, organisation=organisation)
        root = self.authority(root_name, None)
        return Tree(root, self.authority(aci_name, root, path_length=0), self)

    def p12(self, made: Made, others: Iterable[Made] = (), passphrase: str = "secret", *, old: bool = False) -> bytes:
        """Write a P12 with the library: PBES2, or SHA-1 and 3DES as Windows and the platform do."""
        secret = passphrase.encode()
        how: Any = serialization.BestAvailableEncryption(secret)
        if old:
            how = (
                serialization.PrivateFormat.PKCS12.encryption_builder()
                .kdf_rounds(2048)
                .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
                .hmac_hash(hashes.SHA1())  # noqa: S303  the shape of old files is what is tested
                .build(secret)
            )
        authorities = [other.certificate for other in others]
        return pkcs12.serialize_key_and_certificates(None, made.key, made.certificate, authorities, how)

    def pfx(self, *bags: "Bag", mac_rounds: int | None = None) -> bytes:
        """Put a P12 together from bags in clear, without a MAC (or with a wrong one): shapes that no tool writes."""
        contents = [ContentInfo(kind=ObjectIdentifier(DATA), content=tlv(unwrapped(Bags(items=[bag])))) for bag in bags]
        mac = None
        if mac_rounds:
            digest = Digest(
                algorithm=Algorithm(kind=ObjectIdentifier("1.3.14.3.2.26"), none=asn1.Null()), value=b"x" * 20
            )
            mac = Mac(digest=digest, salt=b"s" * 8, rounds=mac_rounds)
        safe = ContentInfo(kind=ObjectIdentifier(DATA), content=tlv(unwrapped(Contents(items=contents))))
        return asn1.encode_der(Pfx(version=3, safe=safe, mac=mac))

    def key_bag(self, made: Made, passphrase: str | None = None) -> "Bag":
        how = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else CLEAR
        kind = "1.2.840.113549.1.12.10.1." + ("2" if passphrase else "1")
        return Bag(kind=ObjectIdentifier(kind), value=parsed(made.key.private_bytes(DER, PKCS8, how)))

    def empty_passphrase_bag(self, made: Made) -> "Bag":
        """Encrypt a key with the empty passphrase, which the library reads and refuses to write (RFC 8018, PBES2)."""
        salt = iv = b"0123456789abcdef"
        key = PBKDF2HMAC(hashes.SHA256(), 32, salt, 1000).derive(b"")
        padder = PKCS7(128).padder()
        clear = padder.update(made.key.private_bytes(DER, PKCS8, CLEAR)) + padder.finalize()
        encryptor = Cipher(AES(key), CBC(iv)).encryptor()
        secret = encryptor.update(clear) + encryptor.finalize()
        prf = Algorithm(kind=ObjectIdentifier("1.2.840.113549.2.9"), none=asn1.Null())
        rounds = parsed(asn1.encode_der(Pbkdf2(salt=salt, rounds=1000, prf=prf)))
        scheme = Pbes2(
            kdf=Parametered(kind=ObjectIdentifier("1.2.840.113549.1.5.12"), value=rounds),
            cipher=Parametered(kind=ObjectIdentifier("2.16.840.1.101.3.4.1.42"), value=tlv(iv)),
        )
        pbes2 = Parametered(kind=ObjectIdentifier("1.2.840.113549.1.5.13"), value=parsed(asn1.encode_der(scheme)))
        info = parsed(asn1.encode_der(EncryptedKey(algorithm=pbes2, data=secret)))
        return Bag(kind=ObjectIdentifier("1.2.840.113549.1.12.10.1.2"), value=info)

    def cert_bag(self, der: bytes) -> "Bag":
        inner = CertBag(kind=ObjectIdentifier("1.2.840.113549.1.9.22.1"), value=der)
        return Bag(kind=ObjectIdentifier("1.2.840.113549.1.12.10.1.3"), value=parsed(asn1.encode_der(inner)))


# RFC 7292 section 4, as far as these tests write it.
DATA = "1.2.840.113549.1.7.1"


@asn1.sequence
class ContentInfo:
    kind: ObjectIdentifier
    content: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class Algorithm:
    kind: ObjectIdentifier
    none: asn1.Null


@asn1.sequence
class Digest:
    algorithm: Algorithm
    value: bytes


@asn1.sequence
class Mac:
    digest: Digest
    salt: bytes
    rounds: int


@asn1.sequence
class Pfx:
    version: int
    safe: ContentInfo
    mac: Mac | None


@asn1.sequence
class Parametered:
    kind: ObjectIdentifier
    value: asn1.TLV


@asn1.sequence
class Pbkdf2:
    salt: bytes
    rounds: int
    prf: Algorithm


@asn1.sequence
class Pbes2:
    kdf: Parametered
    cipher: Parametered


@asn1.sequence
class EncryptedKey:
    algorithm: Parametered
    data: bytes


@asn1.sequence
class CertBag:
    kind: ObjectIdentifier
    value: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class Bag:
    kind: ObjectIdentifier
    value: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class Bags:
    items: list[Bag]


@asn1.sequence
class Contents:
    items: list[ContentInfo]


@asn1.sequence
class Outer:
    item: asn1.TLV


def parsed(der: bytes) -> asn1.TLV:
    return asn1.decode_der(asn1.TLV, der)


def unwrapped(value: Any) -> bytes:
    """Encode a SEQUENCE OF: what is inside the SEQUENCE of one field."""
    return bytes(parsed(asn1.encode_der(value)).data)


def tlv(octets: bytes) -> asn1.TLV:
    return parsed(asn1.encode_der(octets))


@pytest.fixture(scope="session")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="session")
def tree(maker: Maker) -> Tree:
    """A tree of our own, which is neither of the two of IGC-Santé."""
    return maker.tree()


@pytest.fixture(scope="session")
def foreign(maker: Maker) -> Tree:
    """Another tree with other names and keys."""
    return maker.tree(unit="FOREIGN")


@pytest.fixture(scope="session")
def twin(maker: Maker) -> Tree:
    """A tree with the names of `tree` and other keys."""
    return maker.tree()


@pytest.fixture(scope="session")
def leaf(tree: Tree) -> Made:
    return tree.client()


@pytest.fixture(scope="session")
def now() -> dt.datetime:
    return NOW
