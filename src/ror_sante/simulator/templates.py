"""The certificates of IGC-Santé as templates: the extensions, and their criticality, that were read on real ones."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.names import OCSP_URL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ror_sante.simulator.names import Tree

Key = RSAPrivateKey | EllipticCurvePrivateKey
PublicKey = RSAPublicKey | EllipticCurvePublicKey

CLIENT_AUTH: Final = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER_AUTH: Final = ExtendedKeyUsageOID.SERVER_AUTH
EMAIL_PROTECTION: Final = ExtendedKeyUsageOID.EMAIL_PROTECTION

# The same policy on every leaf of the TEST tree, whatever the product (IGC-Santé facts, section 2).
_LEAF_POLICY: Final = x509.ObjectIdentifier("1.2.250.1.213.1.7.2.1.1.1.1")
_ANY_POLICY: Final = x509.ObjectIdentifier("2.5.29.32.0")

# ANS terminology TRE_G01 CategorieProduit: the code in BCD, one byte in an OCTET STRING. 03 is a software
# certificate, 83 its test form. Only 83 was seen on real leaves; 03 in production is inferred from it.
PRODUCT_CATEGORY: Final = x509.ObjectIdentifier("1.2.250.1.71.1.2.5")
_SOFTWARE: Final = b"\x04\x01\x03"
_SOFTWARE_TEST: Final = b"\x04\x01\x83"


@dataclass(frozen=True)
class Issued:
    """A certificate with its key.

    Attributes:
        certificate: the certificate itself.
        key: its private key (cryptography's ``repr`` of it shows nothing).
        chain: what a TLS peer should be sent: the certificate first, its intermediate next, the root left out.
    """

    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...]

    def pem_chain(self) -> bytes:
        """Give the chain in PEM, own certificate first."""
        return to_pem(*self.chain)

    def key_pem(self, passphrase: str | None = None) -> bytes:
        """Give the key as PKCS#8 in PEM.

        Args:
            passphrase: what to encrypt it with (PBES2); None leaves it in clear.
        """
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase is not None:
            encryption = serialization.BestAvailableEncryption(passphrase.encode())
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def to_pem(*certificates: x509.Certificate) -> bytes:
    """Give certificates as one PEM text, in this order."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


@dataclass(frozen=True)
class Span:
    """When a certificate is valid; both ends belong to it.

    Raises:
        ConfigurationError: a date without time zone, or an end before the start.
    """

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        if self.not_before.tzinfo is None or self.not_after.tzinfo is None:
            raise ConfigurationError("a date of a certificate needs a time zone", hint="Use datetime.now(UTC).")
        if self.not_after < self.not_before:
            raise ConfigurationError("a certificate cannot end before it starts")


@dataclass(frozen=True)
class Product:
    """One kind of leaf.

    Attributes:
        usages: the extended key usages.
        non_repudiation: the key usage of seals is there.
        key_encipherment: the key usage of TLS servers is there.
        signing_days: length of the privateKeyUsagePeriod, or None for a product without.
    """

    usages: tuple[x509.ObjectIdentifier, ...]
    non_repudiation: bool = False
    key_encipherment: bool = False
    signing_days: int | None = None


AUTH_CLI: Final = Product((CLIENT_AUTH,))
SIGN: Final = Product((EMAIL_PROTECTION,), non_repudiation=True, signing_days=1095)
SERV_SSL: Final = Product((SERVER_AUTH, CLIENT_AUTH), key_encipherment=True)


# ------------------------------------------------------------------ certificates


def make_root(key: RSAPrivateKey, tree: Tree, *, span: Span) -> Issued:
    """Make the root: no pathlen, no CRL distribution point, its own key identifier in the AKI."""
    builder = _start(tree.root, issuer=tree.root, key=key.public_key(), span=span, serial=_authority_serial())
    builder = _with(builder, _authority_extensions(tree, path_length=None))
    certificate = _signed(builder, key.public_key(), issuer_key=key)
    return Issued(certificate, key, (certificate,))


def make_intermediate(key: RSAPrivateKey, tree: Tree, *, root: Issued, span: Span) -> Issued:
    """Make the intermediate: pathlen 0, the root's CRL at two distribution points."""
    builder = _start(tree.intermediate, issuer=tree.root, key=key.public_key(), span=span, serial=_authority_serial())
    builder = _with(builder, _authority_extensions(tree, path_length=0))
    points = x509.CRLDistributionPoints(_points(*tree.crl_urls(tree.root)))
    certificate = _signed(builder.add_extension(points, critical=False), key.public_key(), issuer_key=root.key)
    return Issued(certificate, key, (certificate,))


def make_leaf(
    subject: x509.Name,
    key: Key,
    product: Product,
    *,
    issuer: Issued,
    tree: Tree,
    span: Span,
    alternative: x509.SubjectAlternativeName | None = None,
) -> Issued:
    """Make a leaf under the intermediate.

    Args:
        subject: its name.
        key: its own key.
        product: what it is for.
        issuer: the intermediate.
        tree: the names the intermediate belongs to.
        span: when it is valid.
        alternative: the names of a server; clients of IGC-Santé have none.

    Returns:
        The leaf, with the intermediate in its chain.
    """
    certificate = certify(
        subject, key.public_key(), product, issuer=issuer, tree=tree, span=span, alternative=alternative
    )
    return Issued(certificate, key, (certificate, *issuer.chain))


def certify(
    subject: x509.Name,
    key: PublicKey,
    product: Product,
    *,
    issuer: Issued,
    tree: Tree,
    span: Span,
    alternative: x509.SubjectAlternativeName | None = None,
) -> x509.Certificate:
    """Certify a key that somebody else holds; as `make_leaf` otherwise."""
    builder = _start(subject, issuer=tree.intermediate, key=key, span=span, serial=_leaf_serial())
    builder = _with(builder, _leaf_extensions(product, span))
    builder = _named(_with(builder, _publication_extensions(tree)), alternative)
    return _signed(builder, key, issuer_key=issuer.key)


def read_request(pem: bytes) -> tuple[x509.Name, PublicKey]:
    """Read the subject and the key of a certificate request whose signature proves that its maker holds the key.

    Raises:
        ConfigurationError: it is no such request.
    """
    try:
        request = x509.load_pem_x509_csr(pem)
        key, sound = request.public_key(), request.is_signature_valid
    except ValueError as error:
        raise ConfigurationError("this is no certificate request in PEM") from error
    if not (sound and isinstance(key, PublicKey)):
        raise ConfigurationError("the certificate request has a wrong signature, or a key that is neither RSA nor EC")
    return request.subject, key


def make_self_signed(
    subject: x509.Name,
    key: Key,
    product: Product,
    *,
    span: Span,
    alternative: x509.SubjectAlternativeName | None = None,
) -> Issued:
    """Make a leaf that vouches for itself, as hasty servers have; IGC-Santé issues no such thing."""
    builder = _start(subject, issuer=subject, key=key.public_key(), span=span, serial=_leaf_serial())
    builder = _named(_with(builder, _leaf_extensions(product, span)), alternative)
    certificate = _signed(builder, key.public_key(), issuer_key=key)
    return Issued(certificate, key, (certificate,))


def make_crl(issuer: Issued, revoked: Iterable[x509.Certificate], *, span: Span) -> bytes:
    """Make a CRL in PEM.

    Args:
        issuer: the authority that issued, and now revokes.
        revoked: what it revokes, for a compromised key.
        span: thisUpdate and nextUpdate.
    """
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=issuer.certificate.subject,
        last_update=span.not_before,
        next_update=span.not_after,
        extensions=[],
        revoked_certificates=[_revoked(certificate, span.not_before) for certificate in revoked],
    )
    builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    builder = builder.add_extension(_authority_key(issuer.key), critical=False)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _revoked(certificate: x509.Certificate, when: datetime) -> x509.RevokedCertificate:
    entry = x509.RevokedCertificateBuilder(certificate.serial_number, when)
    reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
    return entry.add_extension(reason, critical=False).build()


# ------------------------------------------------------------------ parts


def _start(
    subject: x509.Name, *, issuer: x509.Name, key: PublicKey, span: Span, serial: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(span.not_before)
        .not_valid_after(span.not_after)
    )


def _with(
    builder: x509.CertificateBuilder, extensions: Iterable[tuple[x509.ExtensionType, bool]]
) -> x509.CertificateBuilder:
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder


def _named(
    builder: x509.CertificateBuilder, alternative: x509.SubjectAlternativeName | None
) -> x509.CertificateBuilder:
    return builder if alternative is None else builder.add_extension(alternative, critical=False)


def _signed(builder: x509.CertificateBuilder, key: PublicKey, *, issuer_key: Key) -> x509.Certificate:
    own = x509.SubjectKeyIdentifier.from_public_key(key)
    builder = builder.add_extension(own, critical=False)
    return builder.add_extension(_authority_key(issuer_key), critical=False).sign(issuer_key, hashes.SHA256())


def _authority_key(key: Key) -> x509.AuthorityKeyIdentifier:
    """The key identifier alone, without issuer and serial, as on the real ones."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _authority_serial() -> int:
    """18 bytes that start with 1120, as on the four real CAs."""
    return int.from_bytes(b"\x11\x20" + secrets.token_bytes(16))


def _leaf_serial() -> int:
    """16 bytes, as on the real leaves."""
    return int.from_bytes(b"\x5a" + secrets.token_bytes(15))


def _authority_extensions(tree: Tree, *, path_length: int | None) -> Iterator[tuple[x509.ExtensionType, bool]]:
    yield x509.BasicConstraints(ca=True, path_length=path_length), True
    yield _key_usage(authority=True), True
    yield _policies(_ANY_POLICY, tree), False


def _leaf_extensions(product: Product, span: Span) -> Iterator[tuple[x509.ExtensionType, bool]]:
    yield x509.BasicConstraints(ca=False, path_length=None), False  # not critical: so it is on IGC-Santé leaves
    yield _key_usage(product=product), True
    yield x509.ExtendedKeyUsage(product.usages), False
    if product.signing_days is not None:
        end = span.not_before + timedelta(days=product.signing_days)
        yield x509.PrivateKeyUsagePeriod(span.not_before, min(end, span.not_after)), False


def _publication_extensions(tree: Tree) -> Iterator[tuple[x509.ExtensionType, bool]]:
    yield _policies(_LEAF_POLICY, tree), False
    places = [
        (AuthorityInformationAccessOID.OCSP, OCSP_URL),
        (AuthorityInformationAccessOID.CA_ISSUERS, tree.issuer_url),
    ]
    yield x509.AuthorityInformationAccess([x509.AccessDescription(kind, _url(url)) for kind, url in places]), False
    yield x509.CRLDistributionPoints(_points(*tree.crl_urls(tree.intermediate))), False
    yield x509.FreshestCRL(_points(tree.delta_url())), False
    category = _SOFTWARE_TEST if tree.test else _SOFTWARE
    yield x509.UnrecognizedExtension(PRODUCT_CATEGORY, category), False


def _key_usage(*, product: Product | None = None, authority: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=product is not None,
        content_commitment=product is not None and product.non_repudiation,
        key_encipherment=product is not None and product.key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _policies(oid: x509.ObjectIdentifier, tree: Tree) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(oid, [tree.practice_url])])


def _points(*urls: str) -> list[x509.DistributionPoint]:
    return [x509.DistributionPoint([_url(url)], None, None, None) for url in urls]


def _url(url: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(url)
