"""Read certificates and keys from PEM, DER or PKCS#7 files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs7,
)

from ror_sante.errors import Pkcs12Error
from ror_sante.pki.formats import pem_labels, recognise
from ror_sante.pki.listening import heard
from ror_sante.pki.names import common_name
from ror_sante.pki.passphrase import PassphraseNeededError, candidates, doubt
from ror_sante.pki.pkcs12 import ClientKey, KeyStore, unencrypted_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    from ror_sante.errors import Finding
    from ror_sante.pki.passphrase import Passphrase


def read_certificates(data: bytes, *, name: str) -> tuple[x509.Certificate, ...]:
    """Read every certificate of a file, in its order, each once.

    Args:
        data: PEM (with other blocks and text between), DER, or a PKCS#7 bundle (``.p7b``) in either.
        name: how messages call the file.

    Raises:
        Pkcs12Error: there is no certificate in it, or one that cannot be read.
    """
    labels = pem_labels(data)
    if {"CERTIFICATE", "X509 CERTIFICATE"} & set(labels):
        readers = [x509.load_pem_x509_certificates]
    elif "PKCS7" in labels:
        readers = [pkcs7.load_pem_pkcs7_certificates]
    else:
        readers = [_load_der_certificate, pkcs7.load_der_pkcs7_certificates]
    for reader in readers:
        try:
            certificates, _ = heard(reader, data)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        if certificates:
            return tuple(dict.fromkeys(certificates))
    what, hint = recognise(data)
    reason = f"it is {what}" if what else "it is damaged, or of a kind that we do not know"
    raise Pkcs12Error(f"no certificate can be read from {name}: {reason}", hint=hint)


def _load_der_certificate(data: bytes) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(data)]


def read_pem(
    certificate: bytes, key: bytes, passphrase: Passphrase | None, *, certificate_name: str, key_name: str
) -> KeyStore:
    """Put a key and the certificates of another (or the same) file together; the leaf is the one that has the key.

    Raises:
        Pkcs12Error: a file cannot be read, the key is in none of the certificates, or in two of them.
        ConfigurationError: the key is encrypted and no passphrase was given.
    """
    certificates = read_certificates(certificate, name=certificate_name)
    private_key, notes = _read_key(key, passphrase, name=key_name)
    public = _public_bytes(private_key.public_key())
    leaves = [found for found in certificates if _public_bytes(found.public_key()) == public]
    if len(leaves) != 1:
        listed = ", ".join(common_name(found) for found in (leaves or certificates)[:4])
        raise Pkcs12Error(
            f"the key in {key_name} fits {'several' if leaves else 'no'} certificates of {certificate_name}: {listed}",
            hint="Give the key that was made with the request (CSR) of this certificate, and that certificate once.",
        )
    others = tuple(found for found in certificates if found != leaves[0])
    return KeyStore(key=private_key, certificates=(leaves[0], *others), notes=notes)


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read_key(data: bytes, passphrase: Passphrase | None, *, name: str) -> tuple[ClientKey, tuple[Finding, ...]]:
    forms = candidates(passphrase)
    found = sum(label.endswith("PRIVATE KEY") for label in pem_labels(data))
    if found > 1:
        raise Pkcs12Error(f"{name} holds {found} private keys", hint="Keep the one that belongs to the certificate.")
    key = _load_key(data, None, name=name)
    notes = (unencrypted_key(name),) if key else ()
    for form in () if key else forms:
        if form is not None:
            key = key or _load_key(data, form, name=name)
    if key is None and passphrase is None:
        raise PassphraseNeededError(
            f"the private key in {name} is encrypted and no passphrase was given",
            hint="Give it with passphrase_file, ROR_SANTE_IDENTITY_PASSPHRASE or at the prompt.",
        )
    if not isinstance(key, ClientKey):
        raise _no_key(key, passphrase, name=name)
    return key, notes


def _no_key(key: PrivateKeyTypes | None, passphrase: Passphrase | None, *, name: str) -> Pkcs12Error:
    if key is None:
        return Pkcs12Error(
            f"the passphrase of the private key in {name} is wrong, or the file is damaged: "
            "the two cannot be told apart." + doubt(passphrase),
            hint="Type it again (capitals, keyboard layout); if it is right, copy the file again.",
        )
    kind = type(key).__name__.removesuffix("PrivateKey")
    return Pkcs12Error(
        f"the private key in {name} is of a kind that TLS clients do not use here: {kind}",
        hint="IGC-Santé certifies RSA keys of 2048 bits.",
    )


def _load_key(data: bytes, passphrase: bytes | None, *, name: str) -> PrivateKeyTypes | None:
    """Read a key; None when the passphrase is missing or wrong."""
    load = load_pem_private_key if pem_labels(data) else load_der_private_key
    try:
        return load(data, passphrase)
    except TypeError:  # "Password was not given but private key is encrypted"
        return None
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is not None:
            return None
        what, hint = recognise(data)
        reason = f"it is {what}" if what else "it is damaged, or of a kind that we do not know"
        raise Pkcs12Error(f"no private key can be read from {name}: {reason}", hint=hint) from error
