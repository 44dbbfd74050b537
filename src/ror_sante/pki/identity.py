"""Hold the client's private key with its certificate and chain, and say what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.errors import ConfigurationError, Finding, Severity
from ror_sante.pki.anchor import TrustAnchor
from ror_sante.pki.chain import Chain, build_chain
from ror_sante.pki.expiry import Validity
from ror_sante.pki.files import label, read_source
from ror_sante.pki.hidden import conceal, hide
from ror_sante.pki.judgement import judge
from ror_sante.pki.keystore import KeyStore
from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.passphrase import PassphraseNeededError
from ror_sante.pki.verdict import gravest
from ror_sante.settings import Secret, read_secret, recall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from ror_sante.environments import ApplicationService
    from ror_sante.pki.hidden import Passphrase, Source
    from ror_sante.pki.keystore import ClientKey
    from ror_sante.settings import IdentitySettings

__all__ = ["ClientIdentity", "gravest"]


class ClientIdentity:
    """A client certificate with its private key and the authorities to push with it.

    It never changes, shows nothing of the key in its repr, and can be neither pickled nor turned into a dict.
    A plain class on purpose: `dataclasses.asdict` and `vars` would hand the key out.
    """

    __slots__ = ("_chain", "_key", "_notes", "_pool", "_source", "_thumbprint", "_validity")

    _chain: Chain
    _key: ClientKey
    _notes: tuple[Finding, ...]
    _pool: tuple[x509.Certificate, ...]
    _source: str
    _thumbprint: str
    _validity: Validity

    def __init__(self, store: KeyStore, *, source: str = "memory") -> None:
        leaf, *pool = store.certificates
        self._set("_key", store.key)
        self._set("_pool", tuple(pool))
        self._set("_notes", store.notes)
        self._set("_source", source)
        self._set("_chain", build_chain(leaf, pool))
        self._set("_thumbprint", leaf.fingerprint(SHA256()).hex())
        self._set("_validity", Validity.of(leaf))

    # ------------------------------------------------------------------ making one

    @classmethod
    def from_p12(cls, source: Source, passphrase: Passphrase | None) -> Self:
        """Open a P12 (PKCS#12, ``.p12`` or ``.pfx``).

        Args:
            source: the path of the file, or its content as bytes.
            passphrase: text, or its UTF-8 bytes; None when there is none.

        Raises:
            ConfigurationError: the file is missing or unreadable, or no passphrase was given and one is needed.
            Pkcs12Error: the passphrase is wrong, or the file does not hold exactly one usable identity.
        """
        from ror_sante.pki.pkcs12 import read_pkcs12  # each kind of file has a reader that the other does not need

        passphrase, source = hide(passphrase), conceal(source)
        data = read_source(source, what="the P12")
        return cls(read_pkcs12(data, passphrase), source=label(source))

    @classmethod
    def from_pem(
        cls,
        certificate: Source,
        key: Source | None = None,
        passphrase: Passphrase | None = None,
        *,
        intermediates: Iterable[Source | x509.Certificate] = (),
    ) -> Self:
        """Put a certificate and its key together, from PEM or DER: the road of those who made their own request.

        Args:
            certificate: a path or bytes; other certificates in the same file serve as intermediates.
            key: a path or bytes, encrypted or not; None when the key is in the certificate's file.
            passphrase: the key's, or None.
            intermediates: authorities to push; ACI-EL-ORG and its TEST twin come from the package when they lack.

        Raises:
            ConfigurationError: a file is missing or unreadable, or the key is encrypted and no passphrase was given.
            Pkcs12Error: a content is not usable, or the key is not the certificate's.
        """
        from ror_sante.pki.pem import read_pem  # as above

        passphrase, certificate = hide(passphrase), conceal(certificate)
        data, name = read_source(certificate, what="the certificate"), label(certificate)
        key = None if key is None else conceal(key)
        # Read once when both are in one file: it may be a pipe.
        key_data, key_name = (data, name) if key is None else (read_source(key, what="the private key"), label(key))
        store = read_pem(data, key_data, passphrase, certificate_name=name, key_name=key_name)
        return cls(store, source=name).with_intermediates(*intermediates)

    @classmethod
    def from_settings(cls, settings: IdentitySettings, *, ask: Callable[[str], str] | None = None) -> Self:
        """Make the identity that the settings describe.

        Args:
            settings: the table ``[identity]``, or one of ``[identities.NAME]``.
            ask: called with the name of the file for its passphrase, when one is needed, the settings have none, and
                the keyring of the operating system (extra ``keyring``) has none either.

        Raises:
            ConfigurationError: no file is named, or as for `from_p12` and `from_pem`.
            Pkcs12Error: as for `from_p12` and `from_pem`.
        """
        passphrase, notes = _configured_passphrase(settings)
        try:
            identity = cls._open(settings, passphrase)
        except PassphraseNeededError as needed:
            identity = cls._open(settings, _further_passphrase(settings, ask, needed))
        return identity.with_intermediates(*settings.intermediates)._noting(notes)

    @classmethod
    def _open(cls, settings: IdentitySettings, passphrase: Secret | None) -> Self:
        if settings.p12 is not None:
            return cls.from_p12(settings.p12, passphrase)
        if settings.certificate is not None:
            return cls.from_pem(settings.certificate, settings.key, passphrase)
        raise ConfigurationError(
            "no client certificate is configured",
            hint="Set p12 (or certificate and key) in the table [identity], or ROR_SANTE_IDENTITY_P12.",
        )

    def with_intermediates(self, *certificates: Source | x509.Certificate) -> Self:
        """Give the same identity with more certificates to build its chain from.

        Args:
            certificates: paths, bytes (PEM, DER or PKCS#7, several in one allowed) or certificates.

        Raises:
            ConfigurationError: a file is missing or unreadable.
            Pkcs12Error: one holds no certificate.
        """
        if not certificates:
            return self
        more = tuple(found for source in certificates for found in _certificates_of(source))
        return self._replaced(pool=self._pool + more)

    def _noting(self, notes: tuple[Finding, ...]) -> Self:
        return self._replaced(notes=self._notes + notes) if notes else self

    def _replaced(
        self, *, pool: tuple[x509.Certificate, ...] | None = None, notes: tuple[Finding, ...] | None = None
    ) -> Self:
        certificates = (self.certificate, *(self._pool if pool is None else pool))
        store = KeyStore(key=self._key, certificates=certificates, notes=self._notes if notes is None else notes)
        return type(self)(store, source=self._source)

    # ------------------------------------------------------------------ what it holds

    @property
    def certificate(self) -> x509.Certificate:
        """Give our own certificate, the leaf."""
        return self._chain.certificates[0]

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Give what is pushed to the server: the leaf, then its authorities in order, the root left out."""
        return self._chain.certificates

    @property
    def supplied(self) -> tuple[x509.Certificate, ...]:
        """Give the authorities in the chain that came from the package's own copy."""
        return self._chain.supplied

    @property
    def root(self) -> x509.Certificate | None:
        """Give the root that the chain ends at, trusted or not; None when the chain is cut."""
        return self._chain.root

    @property
    def notes(self) -> tuple[Finding, ...]:
        """Give the warnings about the file the identity came from."""
        return self._notes

    @property
    def validity(self) -> Validity:
        """Give the first and last instant of the certificate."""
        return self._validity

    @property
    def subject_dn(self) -> str:
        """Give the subject as ANS wants it declared: RFC 4514, the CN first, C last."""
        return self.certificate.subject.rfc4514_string()

    @property
    def thumbprint(self) -> str:
        """Give the SHA-256 of the certificate, in lower-case hexadecimal."""
        return self._thumbprint

    @property
    def source(self) -> str:
        """Give the path of the file, or say that it came as bytes."""
        return self._source

    @property
    def private_key(self) -> ClientKey:
        """Give the private key. It lives in this process's memory, which Python cannot wipe."""
        return self._key

    # ------------------------------------------------------------------ what is wrong with it

    def verify(
        self,
        anchor: TrustAnchor | Iterable[TrustAnchor],
        *,
        at: datetime,
        service: ApplicationService | None = None,
        test: bool | None = None,
    ) -> tuple[Finding, ...]:
        """Gather everything that is wrong or odd with the identity; a bad certificate raises nothing.

        Args:
            anchor: the root, or the roots, that the server trusts.
            at: the time to judge at, with its time zone.
            service: compare the CN with the one recommended for this service.
            test: the environment expects TEST certificates (True), production ones (False), or does not say.

        Returns:
            The findings, the gravest first; none at all when the identity is good.

        Raises:
            ConfigurationError: `at` has no time zone, or there is no anchor.
        """
        anchors = (anchor,) if isinstance(anchor, TrustAnchor) else tuple(anchor)
        if not anchors:
            raise ConfigurationError("no anchor is given: nothing could be trusted")
        return judge(self._chain, anchors, at=at, service=service, test=test, notes=self._notes)

    # ------------------------------------------------------------------ keeping it to itself

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a ClientIdentity does not change: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a ClientIdentity does not change: {name} cannot be deleted")

    def __repr__(self) -> str:
        return (
            f"<ClientIdentity {common_name(self.certificate)!r} issued by "
            f"{describe_name(self.certificate.issuer)!r}, until {self._validity.not_after:%Y-%m-%d}, "
            f"sha256 {self.thumbprint[:16]}…>"
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ClientIdentity cannot be pickled: it holds a private key; load it again where it is needed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a ClientIdentity cannot be pickled: it holds a private key; load it again where it is needed")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a ClientIdentity gives no state away: it holds a private key")


def _certificates_of(source: Source | x509.Certificate) -> tuple[x509.Certificate, ...]:
    from ror_sante.pki.pem import read_certificates  # as above

    if isinstance(source, x509.Certificate):
        source = source.public_bytes(Encoding.DER)
    return read_certificates(read_source(source, what="the intermediate"), name=label(source))


def _configured_passphrase(settings: IdentitySettings) -> tuple[Secret | None, tuple[Finding, ...]]:
    """Give the passphrase of the settings, and a note when it came by the environment, which other processes read."""
    if settings.passphrase_file is not None:
        return Secret(read_secret(settings.passphrase_file)), ()
    if settings.passphrase is None:
        return None, ()
    note = Finding(
        "passphrase-variable",
        "the passphrase came from an environment variable, which other programs of this account can read",
        "Put it into a file of its own and set passphrase_file.",
        Severity.WARNING,
    )
    return settings.passphrase, (note,)


def _further_passphrase(
    settings: IdentitySettings, ask: Callable[[str], str] | None, needed: PassphraseNeededError
) -> Secret:
    """Give the passphrase that the keyring remembers, else the one that somebody types."""
    assert settings.locked is not None  # noqa: S101  for the type checker: a file that is named was found locked
    remembered, why = recall(settings.locked)
    if remembered is not None:
        return remembered
    if ask is None:
        needed.hint = f"{needed.hint} {why}".rstrip()
        raise needed
    return Secret(ask(label(settings.locked)))
