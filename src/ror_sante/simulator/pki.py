"""A throw-away certification tree in the shape of IGC-Santé, which issues clients, servers, P12 files and CRLs."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from ror_sante.errors import ConfigurationError
from ror_sante.pki.anchor import TrustAnchor
from ror_sante.pki.identity import ClientIdentity
from ror_sante.simulator import pki_folder
from ror_sante.simulator.names import Tree, alternative_name, leaf_name
from ror_sante.simulator.p12 import write_p12
from ror_sante.simulator.templates import (
    AUTH_CLI,
    CLIENT_AUTH,
    EMAIL_PROTECTION,
    SERV_SSL,
    SERVER_AUTH,
    SIGN,
    Issued,
    Key,
    Product,
    Span,
    certify,
    make_crl,
    make_intermediate,
    make_leaf,
    make_root,
    make_self_signed,
    read_request,
    to_pem,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cryptography import x509

    from ror_sante.simulator.p12 import Passphrase, Shape

__all__ = [
    "AUTH_CLI",
    "CLIENT_AUTH",
    "EMAIL_PROTECTION",
    "SERVER_AUTH",
    "SERV_SSL",
    "SIGN",
    "Issued",
    "Product",
    "SimulatorPki",
]

# Who the client is unless told otherwise: no structure bears this name, and no SIREN is eleven threes.
ORGANISATION: Final = "GIP - TEST3012"
STRUCTURE: Final = "33333333333"
DEPARTMENT: Final = "Paris (75)"

# The real authorities live from 2013 to 2033, the intermediate one day less; leaves 1096 days.
_AUTHORITY_PAST: Final = timedelta(days=5 * 365)
_AUTHORITY_FUTURE: Final = timedelta(days=15 * 365)
LEAF_DAYS: Final = 1096


class SimulatorPki:
    """One root, one intermediate, and what they issue.

    The names follow the pattern of IGC-Santé and cannot be mistaken for it (``SIMULATEUR AC RACINE ELEMENTAIRE``).
    Everything is for tests: the keys of the authorities are in memory, and `save` writes them in clear.

    Attributes:
        root: the root, with its key.
        intermediate: the only authority that issues leaves, with its key.
        at: the moment around which everything is valid.
        published_crl: the CRLs that were found beside a loaded tree, in PEM; None for a tree made in memory.
    """

    def __init__(
        self,
        root: Issued,
        intermediate: Issued,
        *,
        at: datetime,
        leaf_days: int = LEAF_DAYS,
        published_crl: bytes | None = None,
    ) -> None:
        self.root = root
        self.intermediate = intermediate
        self.published_crl = published_crl
        self.at = at
        self._leaf_days = leaf_days
        self._tree = Tree.of(root.certificate, intermediate.certificate)
        self._others: dict[str, SimulatorPki] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<SimulatorPki {self.anchor.subject!r}>"

    @classmethod
    def create(
        cls,
        *,
        at: datetime | None = None,
        key_size: int = 2048,
        test: bool = False,
        leaf_days: int = LEAF_DAYS,
    ) -> SimulatorPki:
        """Make a new tree.

        Args:
            at: the moment around which everything is valid; None means now.
            key_size: bits of the authorities' and leaves' RSA keys. The real authorities have 4096, which takes up
                to a second each to make; the real leaves have 2048.
            test: play the TEST tree: CNs start with ``TEST ``, leaves carry the category of test products.
            leaf_days: days that leaves are valid unless told otherwise.

        Returns:
            The tree.

        Raises:
            ConfigurationError: a key under 2048 bits, or `at` without a time zone.
        """
        return _new_tree(Tree.named("SIMULATEUR", test=test), at=_moment(at), key_size=key_size, leaf_days=leaf_days)

    @classmethod
    def load(cls, folder: str | Path, *, at: datetime | None = None) -> SimulatorPki:
        """Read a tree that `save`, or ``certs-test/make.py``, wrote.

        Args:
            folder: the folder given to `save`, or its ``ca`` subfolder.
            at: the moment around which new leaves are valid; None means now.

        Returns:
            The tree, with its `published_crl` when there is one.

        Raises:
            ConfigurationError: something is missing, unreadable, or does not fit together.
        """
        found = pki_folder.read_tree(folder)
        return cls(found.root, found.intermediate, at=_moment(at), published_crl=found.crl)

    def save(self, folder: str | Path, *, crl: bytes | None = None) -> Path:
        """Write the tree where `load` finds it: files of mode 0600 in ``folder/ca``, itself 0700.

        Args:
            folder: where; made when missing.
            crl: the CRLs to publish beside it, as `crl` gives them; None means one that revokes nothing.

        Returns:
            The ``ca`` folder.

        Raises:
            ConfigurationError: it cannot be written.
        """
        return pki_folder.write_tree(folder, self.root, self.intermediate, crl=crl or self.crl())

    # -------------------------------------------------------------- who is trusted

    @property
    def anchor(self) -> TrustAnchor:
        """Give the root as an anchor."""
        return TrustAnchor(self.root.certificate, "simulator")

    @property
    def foreign(self) -> SimulatorPki:
        """Give another tree, with other names and keys; made when first asked for, then kept."""
        return self._other("foreign", Tree.named("SIMULATEUR ETRANGER", test=self._tree.test))

    @property
    def twin(self) -> SimulatorPki:
        """Give a tree with the same names and other keys; made when first asked for, then kept."""
        return self._other("twin", self._tree)

    @property
    def web(self) -> SimulatorPki:
        """Give a tree that plays the public web authorities; made when first asked for, then kept."""
        return self._other("web", Tree.named("SIMULATEUR WEB", test=False))

    def _other(self, name: str, tree: Tree) -> SimulatorPki:
        with self._lock:
            if name not in self._others:
                self._others[name] = _new_tree(
                    tree, at=self.at, key_size=self.root.key.key_size, leaf_days=self._leaf_days
                )
            return self._others[name]

    # -------------------------------------------------------------- leaves

    def client(
        self,
        cn: str = "CLIENT_WS_RORN",
        *,
        organisation: str = ORGANISATION,
        structure: str = STRUCTURE,
        department: str = DEPARTMENT,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        product: Product = AUTH_CLI,
        usages: Iterable[x509.ObjectIdentifier] | None = None,
        key: Key | None = None,
    ) -> Issued:
        """Issue a certificate of the product ORG AUTH_CLI, or of another: no subjectAltName.

        Args:
            cn: the "service applicatif".
            organisation: name of the structure (O).
            structure: its Struct_IdNat (OU).
            department: its department (ST).
            not_before: start; None means the day before the tree's moment.
            not_after: end; None means three years later.
            product: the key usages and extensions: `AUTH_CLI`, `SIGN`, `SERV_SSL`.
            usages: the extended key usages, when they are not the product's.
            key: its key; None makes an RSA one.

        Returns:
            The certificate, its key, and the intermediate in its chain.

        Raises:
            ConfigurationError: a date without a time zone, or an end before the start.
        """
        subject = leaf_name(cn, organisation=organisation, structure=structure, department=department)
        span = self._span(not_before, not_after)
        return self._leaf(subject, key or self._new_key(), product=_with_usages(product, usages), span=span)

    def certify(
        self,
        request: bytes,
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        product: Product = AUTH_CLI,
    ) -> x509.Certificate:
        """Answer a certificate request (CSR) as the platform does: with the certificate alone.

        Args:
            request: the CSR, in PEM.
            not_before: start; None means the day before the tree's moment.
            not_after: end; None means three years later.
            product: `AUTH_CLI`, `SIGN` or `SERV_SSL`.

        Raises:
            ConfigurationError: it is no CSR, its signature is wrong, or its key is of another kind.
        """
        subject, key = read_request(request)
        span = self._span(not_before, not_after)
        return certify(subject, key, product, issuer=self.intermediate, tree=self._tree, span=span)

    def server(
        self,
        *names: str,
        alternative_names: bool = True,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        usages: Iterable[x509.ObjectIdentifier] | None = None,
        key: Key | None = None,
        self_signed: bool = False,
    ) -> Issued:
        """Issue a certificate of the product SERV SSL.

        Args:
            *names: host names and addresses, the first one being the CN too; none means localhost by name,
                127.0.0.1 and ::1.
            alternative_names: put the names in a subjectAltName; False leaves them the CN alone.
            not_before: start; None means the day before the tree's moment.
            not_after: end; None means three years later.
            usages: the extended key usages, when they are not the product's.
            key: its key; None makes an RSA one.
            self_signed: let it sign itself, outside the tree.

        Returns:
            The certificate, its key, and the intermediate in its chain.

        Raises:
            ConfigurationError: a date without a time zone, or an end before the start.
        """
        hosts = names or ("localhost", "127.0.0.1", "::1")
        subject = leaf_name(hosts[0], organisation=ORGANISATION, structure=STRUCTURE, department=DEPARTMENT)
        product, span = _with_usages(SERV_SSL, usages), self._span(not_before, not_after)
        alternative = alternative_name(hosts) if alternative_names else None
        key = key or self._new_key()
        if self_signed:
            return make_self_signed(subject, key, product, span=span, alternative=alternative)
        return self._leaf(subject, key, product=product, span=span, alternative=alternative)

    def _leaf(
        self,
        subject: x509.Name,
        key: Key,
        *,
        product: Product,
        span: Span,
        alternative: x509.SubjectAlternativeName | None = None,
    ) -> Issued:
        return make_leaf(
            subject,
            key,
            product,
            issuer=self.intermediate,
            tree=self._tree,
            span=span,
            alternative=alternative,
        )

    def _span(self, not_before: datetime | None, not_after: datetime | None) -> Span:
        start = not_before or self.at - timedelta(days=1)
        return Span(start, not_after or start + timedelta(days=self._leaf_days))

    def _new_key(self) -> rsa.RSAPrivateKey:
        return _rsa(self.root.key.key_size)

    # -------------------------------------------------------------- files and values

    def p12(
        self,
        issued: Issued,
        passphrase: Passphrase,
        *,
        shape: Shape = "platform",
        intermediates: bool = True,
        root: bool = True,
        friendly_name: str | None = None,
    ) -> bytes:
        """Write a P12 of a certificate that this tree issued.

        Args:
            issued: the certificate and its key.
            passphrase: text or UTF-8 bytes.
            shape: ``platform`` as IGC-Santé writes it (certificates in clear, key PBE-SHA1-3DES), ``modern``,
                ``legacy-3des`` or ``clear``.
            intermediates: put the intermediate in, after the leaf.
            root: put the root in, last.
            friendly_name: the label of the entry; the platform writes none.

        Returns:
            The bytes of the file.

        Raises:
            ConfigurationError: see `ror_sante.simulator.p12.write_p12`.
        """
        authorities = [*(issued.chain[1:] if intermediates else ()), *([self.root.certificate] if root else [])]
        return write_p12(
            issued.key,
            issued.certificate,
            passphrase,
            authorities=authorities,
            shape=shape,
            friendly_name=friendly_name,
        )

    def identity(self, issued: Issued | None = None) -> ClientIdentity:
        """Give a client certificate as the value that sessions take, by way of a P12 as users have.

        Args:
            issued: the certificate; None issues one for CLIENT_WS_RORN.
        """
        passphrase = secrets.token_urlsafe(12)
        return ClientIdentity.from_p12(self.p12(issued or self.client(), passphrase), passphrase)

    def crl(self, revoked: Iterable[Issued | x509.Certificate] = ()) -> bytes:
        """Sign the revocation lists: the intermediate's, then the root's, which is empty.

        Both are needed by servers that check every link, as nginx does with ``ssl_crl``.

        Args:
            revoked: certificates of the intermediate to revoke.

        Returns:
            Two CRLs in one PEM text, good until the intermediate ends.
        """
        certificates = [item.certificate if isinstance(item, Issued) else item for item in revoked]
        span = Span(self.at - timedelta(days=1), self.intermediate.certificate.not_valid_after_utc)
        return make_crl(self.intermediate, certificates, span=span) + make_crl(self.root, (), span=span)

    def root_pem(self) -> bytes:
        """Give the root's certificate in PEM."""
        return to_pem(self.root.certificate)


def _new_tree(tree: Tree, *, at: datetime, key_size: int, leaf_days: int) -> SimulatorPki:
    span = Span(at - _AUTHORITY_PAST, at + _AUTHORITY_FUTURE)
    root = make_root(_rsa(key_size), tree, span=span)
    shorter = Span(span.not_before, span.not_after - timedelta(days=1))
    intermediate = make_intermediate(_rsa(key_size), tree, root=root, span=shorter)
    return SimulatorPki(root, intermediate, at=at, leaf_days=leaf_days)


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    if bits < 2048:
        raise ConfigurationError(f"an RSA key of {bits} bits is too weak", hint="Take 2048, 3072 or 4096 bits.")
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _with_usages(product: Product, usages: Iterable[x509.ObjectIdentifier] | None) -> Product:
    return product if usages is None else replace(product, usages=tuple(usages))


def _moment(at: datetime | None) -> datetime:
    """Whole seconds, as certificates have them; this is the outermost call, so it may read the clock."""
    moment = at or datetime.now(UTC)
    if moment.tzinfo is None:
        raise ConfigurationError("the moment of a tree needs a time zone", hint="Use datetime.now(UTC).")
    return moment.astimezone(UTC).replace(microsecond=0)
