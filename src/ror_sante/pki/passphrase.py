"""Turn a passphrase into the bytes that the cryptographic libraries expect."""

from __future__ import annotations

import unicodedata

from ror_sante.errors import ConfigurationError

Passphrase = str | bytes | bytearray | memoryview


class PassphraseNeededError(ConfigurationError):
    """The file is encrypted and no passphrase was given; whoever can ask for one may try again."""


def candidates(passphrase: Passphrase | None) -> tuple[bytes | None, ...]:
    """Give the forms under which a passphrase is to be tried, the usual one first.

    Accents have two forms in Unicode. PKCS#12 files are made with the composed one (NFC), yet a terminal or a
    file name may hand over the other (NFD), so NFC comes first and then the text as it was given.

    Raises:
        ConfigurationError: it is no text, or holds a NUL, which makes the library abort instead of failing.
    """
    if passphrase is None:
        return (None,)
    text = _text(passphrase)
    if "\0" in text:
        raise ConfigurationError(
            "the passphrase holds a NUL character",
            hint="Was it read from a binary or UTF-16 file? Write it as one line of UTF-8.",
        )
    try:
        return tuple(dict.fromkeys(form.encode("utf-8") for form in (unicodedata.normalize("NFC", text), text)))
    except UnicodeEncodeError:
        raise _not_utf8() from None  # the error would quote the passphrase


def _text(passphrase: object) -> str:
    if isinstance(passphrase, str):
        return passphrase
    if not isinstance(passphrase, (bytes, bytearray, memoryview)):
        raise ConfigurationError(
            f"the passphrase is of type {type(passphrase).__name__}, not text",
            hint="Give it as a str; in a settings file, in quotes.",
        )
    try:
        return bytes(passphrase).decode("utf-8")
    except UnicodeDecodeError:
        raise _not_utf8() from None  # the error would quote the passphrase


def _not_utf8() -> ConfigurationError:
    return ConfigurationError(
        "the passphrase is not valid UTF-8",
        hint="An accent saved as Latin-1 does this: save the passphrase file as UTF-8, or give a str.",
    )


def doubt(passphrase: Passphrase | None) -> str:
    """Say what looks accidental in a passphrase that did not work, without quoting it; empty when nothing does."""
    if passphrase is None:
        return ""
    text = _text(passphrase)
    if text == "":
        return " The passphrase given is empty."
    return " The passphrase given starts or ends with a blank or a line break." if text != text.strip() else ""
