"""Open a P12: exactly one private key with its certificate, or an error that says what the file is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import pkcs12

from ror_sante.errors import Finding, Pkcs12Error, Severity
from ror_sante.pki.bags import Outline, outline
from ror_sante.pki.chain import is_ca
from ror_sante.pki.files import SIZE_LIMIT
from ror_sante.pki.formats import recognise
from ror_sante.pki.hidden import Hidden, hide
from ror_sante.pki.keystore import ClientKey, KeyStore
from ror_sante.pki.listening import READER_ERRORS, heard
from ror_sante.pki.names import common_name
from ror_sante.pki.passphrase import PassphraseNeededError, candidates, doubt
from ror_sante.pki.soundness import is_sound, sound_ones

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509

    from ror_sante.pki.hidden import Passphrase
    from ror_sante.settings import Secret

# The platform uses 2048, OpenSSL 3 2048, common advice 600 000 (0.3 s); beyond this a file only wastes our time.
_MAX_ROUNDS: Final = 10_000_000
_EXPORT_AGAIN: Final = "Export the P12 again with the one key and certificate of the product ORG AUTH_CLI."


def read_pkcs12(data: bytes, passphrase: Passphrase | None) -> KeyStore:
    """Open a P12.

    Args:
        data: the content of the file.
        passphrase: text (or its UTF-8 bytes); None when there is none.

    Raises:
        Pkcs12Error: the passphrase is wrong, the file is damaged or something else, or it does not hold exactly one
            RSA or EC key with its certificate.
        ConfigurationError: no passphrase was given and one is needed, or it can be none (NUL, not UTF-8).
    """
    passphrase, data = hide(passphrase), Hidden(data)
    shape = _checked_outline(data)
    bundle, warned = _load(data, passphrase)
    if not isinstance(bundle.key, ClientKey):
        raise _no_usable_key(bundle.key)
    if bundle.cert is None:
        raise Pkcs12Error("the P12 holds a private key and no certificate that belongs to it", hint=_EXPORT_AGAIN)
    leaf = bundle.cert.certificate
    if not is_sound(leaf):
        raise Pkcs12Error("the certificate in the P12 is damaged", hint=_EXPORT_AGAIN)
    found, damaged = sound_ones((extra.certificate for extra in bundle.additional_certs), where="the P12")
    others = tuple(other for other in found if other != leaf)
    _refuse_second_identity(leaf, others, shape)
    return KeyStore(
        key=bundle.key,
        certificates=(leaf, *others),
        notes=(*_notes(shape, warned, empty_passphrase=not passphrase), *damaged),
    )


def _checked_outline(data: bytes) -> Outline | None:
    if len(data) > SIZE_LIMIT:
        raise Pkcs12Error(f"the P12 is over {SIZE_LIMIT // 1024} KiB", hint="A P12 weighs a few kilobytes.")
    shape = outline(data)
    if shape and (shape.mac_rounds or 0) > _MAX_ROUNDS:
        raise Pkcs12Error(f"the P12 asks for {shape.mac_rounds} rounds of its integrity check", hint=_EXPORT_AGAIN)
    return shape


def _load(data: Hidden, passphrase: Secret | Hidden | None) -> tuple[pkcs12.PKCS12KeyAndCertificates, tuple[str, ...]]:
    cause: Exception | None = None
    for form in candidates(passphrase):
        try:
            return heard(pkcs12.load_pkcs12, data, form)
        except READER_ERRORS as error:
            cause = error
    raise _not_opened(data, passphrase, cause) from cause


def _not_opened(
    data: Hidden, passphrase: Secret | Hidden | None, cause: Exception | None
) -> Pkcs12Error | PassphraseNeededError:
    what, hint = recognise(data)
    if what:
        return Pkcs12Error(f"this is not a P12: it is {what}", hint=hint)
    if not data.startswith(b"\x30"):
        return Pkcs12Error("this is not a P12, nor any key or certificate file that we know", hint=_EXPORT_AGAIN)
    if outline(data) is None and "deserialize" in str(cause):  # a P12 in BER has no outline, and is read
        return Pkcs12Error(
            "the P12 is damaged or cut short", hint="Copy it again, in binary mode, and compare the sizes."
        )
    if passphrase is None:
        return PassphraseNeededError(
            "the P12 needs a passphrase and none was given",
            hint="Give it with passphrase_file, ROR_SANTE_IDENTITY_PASSPHRASE or at the prompt.",
        )
    return Pkcs12Error(
        "the passphrase is wrong, or the P12 is damaged: the two cannot be told apart." + doubt(passphrase, cause),
        hint="Type it again (capitals, keyboard layout); if it is right, copy the P12 again.",
    )


def _no_usable_key(key: object) -> Pkcs12Error:
    if key is None:
        return Pkcs12Error(
            "the P12 holds certificates and no private key",
            hint="It is a trust store, or the export left the key out. " + _EXPORT_AGAIN,
        )
    kind = type(key).__name__.removesuffix("PrivateKey")
    return Pkcs12Error(f"the private key is of a kind that TLS clients do not use here: {kind}", hint=_EXPORT_AGAIN)


def _refuse_second_identity(leaf: x509.Certificate, others: Iterable[x509.Certificate], shape: Outline | None) -> None:
    """Refuse a file with two identities: the library reads the first key and silently drops the second."""
    strangers = [other for other in others if not is_ca(other)]
    if strangers:
        raise Pkcs12Error(
            f"the P12 holds two identities, {common_name(leaf)} and {common_name(strangers[0])}: "
            "which one to present cannot be told",
            hint=_EXPORT_AGAIN,
        )
    if shape and shape.keys > 1:
        raise Pkcs12Error(f"the P12 holds {shape.keys} private keys", hint=_EXPORT_AGAIN)


def _notes(shape: Outline | None, warned: Iterable[str], *, empty_passphrase: bool) -> Iterable[Finding]:
    if shape and shape.clear_keys and shape.mac_rounds is None:
        yield Finding(
            "any-passphrase",
            "the P12 opens with any passphrase, or none: it has neither encryption nor an integrity check",
            "Whoever copies the file holds the key: export it again with a passphrase.",
            Severity.WARNING,
        )
    if shape and shape.clear_keys:
        yield unencrypted_key("the P12")
    elif empty_passphrase:
        yield Finding(
            "unencrypted-key",
            "the P12 is encrypted with an empty passphrase, which protects nothing",
            "Export it again with a passphrase.",
            Severity.WARNING,
        )
    if any("BER" in text for text in warned):
        yield Finding(
            "ber-fallback",
            "the P12 is not in strict DER (bytes after its end, or an encoder of its own): a later release of the "
            "cryptographic library may refuse it",
            "Export it again, or copy it without the line break at its end.",
            Severity.WARNING,
        )


def unencrypted_key(where: str) -> Finding:
    """Make the note about a private key that lies in clear."""
    return Finding(
        "unencrypted-key",
        f"the private key in {where} is not encrypted: whoever copies the file holds it",
        "Keep it readable by its account alone (chmod 600), or encrypt it with a passphrase.",
        Severity.WARNING,
    )
