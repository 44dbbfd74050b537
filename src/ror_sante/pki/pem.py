"""Read certificates and keys from PEM, DER or PKCS#7 files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from ror_sante.errors import Pkcs12Error
from ror_sante.pki.bags import outline
from ror_sante.pki.chain import is_ca
from ror_sante.pki.formats import is_der_key, pem_labels, recognise
from ror_sante.pki.hidden import Hidden, hide
from ror_sante.pki.keystore import ClientKey, KeyStore
from ror_sante.pki.listening import READER_ERRORS, heard
from ror_sante.pki.names import common_name
from ror_sante.pki.passphrase import PassphraseNeededError, candidates, doubt
from ror_sante.pki.pkcs12 import unencrypted_key
from ror_sante.pki.soundness import sound_ones

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    from ror_sante.errors import Finding
    from ror_sante.pki.hidden import Passphrase
    from ror_sante.settings import Secret

_CERTIFICATE_LABELS: Final = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})


def read_certificates(data: bytes, *, name: str) -> tuple[x509.Certificate, ...]:
    """Read every certificate of a file, in its order, each once.

    Args:
        data: PEM (with other blocks and text between), DER, or a PKCS#7 bundle (``.p7b``) in either.
        name: how messages call the file.

    Raises:
        Pkcs12Error: there is no certificate in it, or one that cannot be read.
    """
    for reader in _readers(pem_labels(data)):
        try:
            certificates, _ = heard(reader, data)
        except READER_ERRORS:
            continue
        sound, damaged = sound_ones(certificates, where=name)
        if sound and not damaged:
            return sound
    raise Pkcs12Error(
        f"no certificate can be read from {name}: {_reason(data)}",
        hint=_advice(data),
    )


def _advice(data: bytes) -> str:
    """Say what to do with a file that holds no certificate, by what it is."""
    known = pem_labels(data) or outline(data)
    advice = "" if known else recognise(data)[1]
    return advice or (
        "Give certificates in PEM or DER (.pem, .crt, .cer), or a PKCS#7 bundle (.p7b)."
        if known
        else "Copy it again, in binary mode, and compare the sizes. Certificates come in PEM, DER, PKCS#7 or a P12."
    )


def _readers(labels: tuple[str, ...]) -> tuple[Callable[[bytes], list[x509.Certificate]], ...]:
    if _CERTIFICATE_LABELS.intersection(labels):
        return (x509.load_pem_x509_certificates,)
    from cryptography.hazmat.primitives.serialization import pkcs7  # which brings the standard library's mail along

    if "PKCS7" in labels:
        return (pkcs7.load_pem_pkcs7_certificates,)
    return (_load_der_certificate, pkcs7.load_der_pkcs7_certificates)


def _load_der_certificate(data: bytes) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(data)]


def _reason(data: bytes) -> str:
    what = "a P12" if outline(data) else recognise(data)[0]
    return f"it is {what}" if what else "it is damaged, or of a kind that we do not know"


def read_pem(
    certificate: bytes, key: bytes, passphrase: Passphrase | None, *, certificate_name: str, key_name: str
) -> KeyStore:
    """Put a key and the certificates of another (or the same) file together; the leaf is the one that has the key.

    Raises:
        Pkcs12Error: a file cannot be read, or the key fits none of the certificates, or several.
        ConfigurationError: the key is encrypted and no passphrase was given.
    """
    passphrase, key = hide(passphrase), Hidden(key)
    certificates = read_certificates(certificate, name=certificate_name)
    private_key, notes = read_private_key(key, passphrase, name=key_name)
    public = _public_bytes(private_key.public_key())
    leaves = [found for found in certificates if _public_bytes(found.public_key()) == public]
    if not leaves and all(map(is_ca, certificates)):
        raise Pkcs12Error(
            f"{certificate_name} holds certificates of authorities alone: yours is missing",
            hint="Download your own certificate from the platform; it is named after the service.",
        )
    if len(leaves) != 1:
        listed = ", ".join(common_name(found) for found in (leaves or certificates)[:4])
        raise Pkcs12Error(
            f"the key in {key_name} fits {'several' if leaves else 'none'} of the certificates in "
            f"{certificate_name}: {listed}",
            hint="Give the key that was made with the request (CSR) of this certificate, and that certificate once.",
        )
    others = tuple(found for found in certificates if found != leaves[0])
    return KeyStore(key=private_key, certificates=(leaves[0], *others), notes=notes)


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def holds_private_key(data: bytes) -> bool:
    """Tell whether a file is a private key in PEM or DER, encrypted or not."""
    labels = pem_labels(data)
    return any(label.endswith("PRIVATE KEY") for label in labels) if labels else is_der_key(data)


def read_private_key(
    data: Hidden, passphrase: Secret | Hidden | None, *, name: str
) -> tuple[ClientKey, tuple[Finding, ...]]:
    """Read a private key in PEM or DER, and say what is odd about it.

    Args:
        data: the content of the file.
        passphrase: the key's, or None.
        name: how messages call the file.

    Raises:
        Pkcs12Error: it cannot be read, is of a kind that is not used here, or the passphrase is wrong.
        ConfigurationError: it is encrypted and no passphrase was given.
    """
    found = sum(label.endswith("PRIVATE KEY") for label in pem_labels(data))
    if found > 1:
        raise Pkcs12Error(f"{name} holds {found} private keys", hint="Keep the one that belongs to the certificate.")
    key = _load_clear(data, name=name)
    notes = () if key is None else (unencrypted_key(name),)
    if key is None:
        key = _load_encrypted(data, passphrase, name=name)
    if not isinstance(key, ClientKey):
        kind = type(key).__name__.removesuffix("PrivateKey")
        raise Pkcs12Error(
            f"the private key in {name} is of a kind that TLS clients do not use here: {kind}",
            hint="IGC-Santé certifies RSA keys of 2048 bits.",
        )
    return key, notes


def _load_clear(data: Hidden, *, name: str) -> PrivateKeyTypes | None:
    """Read a key that is not encrypted; None when it is."""
    try:
        return _loader(data)(data, None)
    except TypeError:  # "Password was not given but private key is encrypted"
        return None
    except READER_ERRORS as error:
        raise Pkcs12Error(
            f"no private key can be read from {name}: {_reason(data)}",
            hint="Give the key in PEM or DER (.key, .pem); a P12 is opened with from_p12 or the setting p12.",
        ) from error


def _load_encrypted(data: Hidden, passphrase: Secret | Hidden | None, *, name: str) -> PrivateKeyTypes:
    cause: Exception | None = None
    for form in candidates(passphrase):
        if form is None:
            raise PassphraseNeededError(
                f"the private key in {name} is encrypted and no passphrase was given",
                hint="Give it with passphrase_file, ROR_SANTE_IDENTITY_PASSPHRASE or at the prompt.",
            )
        try:
            return _loader(data)(data, form)
        except READER_ERRORS as error:
            cause = error
    raise Pkcs12Error(
        f"the passphrase of the private key in {name} is wrong, or the file is damaged: the two cannot be told apart."
        + doubt(passphrase, cause),
        hint="Type it again (capitals, keyboard layout); if it is right, copy the file again.",
    ) from cause


def _loader(data: bytes) -> Callable[[bytes, bytes | None], PrivateKeyTypes]:
    return load_pem_private_key if pem_labels(data) else load_der_private_key
