"""Turn a passphrase into the bytes that the cryptographic libraries expect."""

from __future__ import annotations

import unicodedata

from ror_sante.errors import ConfigurationError, printable
from ror_sante.pki.hidden import Hidden, Passphrase, hide
from ror_sante.settings import Remembered, Secret


class PassphraseNeededError(ConfigurationError):
    """The file is encrypted and no passphrase was given; whoever can ask for one may try again."""


def candidates(passphrase: Secret | Hidden | None) -> tuple[Hidden | None, ...]:
    """Give the forms under which a passphrase is to be tried, the usual one first.

    Accents have two forms in Unicode. PKCS#12 files are made with the composed one (NFC), yet a terminal or a
    file name may hand over the other (NFD), so NFC comes first and then the text as it was given.

    Raises:
        ConfigurationError: it is no UTF-8, or holds a NUL, which makes the library abort instead of failing.
    """
    if passphrase is None:
        return (None,)
    text = _text(passphrase)
    forms = () if text is None else (_encoded(unicodedata.normalize("NFC", text)), _encoded(text))
    # Raised here and not where the codec fails: its error would carry the passphrase along.
    if text is None or None in forms:
        raise ConfigurationError(
            "the passphrase is not valid UTF-8",
            hint="An accent saved as Latin-1 does this: save the passphrase file as UTF-8, or give a str.",
        )
    if "\0" in text:
        raise ConfigurationError(
            "the passphrase holds a NUL character",
            hint="Was it read from a binary or UTF-16 file? Write it as one line of UTF-8.",
        )
    return tuple(dict.fromkeys(forms))


def _text(passphrase: Secret | Hidden) -> Secret | None:
    if isinstance(passphrase, Secret):
        return passphrase
    try:
        return Secret(passphrase.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _encoded(text: str) -> Hidden | None:
    try:
        return Hidden(text.encode("utf-8"))
    except UnicodeEncodeError:  # half of a surrogate pair
        return None


def doubt(passphrase: Secret | Hidden | None, cause: Exception | None) -> str:
    """Say what looks accidental in a passphrase that did not work, without quoting it, and why else it may be.

    Args:
        passphrase: what was given.
        cause: the library's error; shown when it speaks of something else than a password.
    """
    text = _text(passphrase) if passphrase is not None else None
    said = "" if cause is None or "password" in str(cause) else f" The library says: {printable(cause)}"
    if isinstance(passphrase, Remembered):
        return " It came from the keyring: `ror-sante identity remember` puts another in its place." + said
    if text == "":
        return " The passphrase given is empty." + said
    blank = " The passphrase given starts or ends with a blank or a line break."
    return (blank if text and text != text.strip() else "") + said


def new_passphrase(passphrase: Passphrase | None) -> Secret:
    """Give the form of a passphrase with which a new file is made: NFC, which any tool on any system types.

    Raises:
        ConfigurationError: it is empty, or can be none (NUL, not UTF-8).
    """
    form = candidates(hide(passphrase))[0]
    if not form:
        raise ConfigurationError(
            "a new key is never written without a passphrase",
            hint="Give it with --passphrase-file, ROR_SANTE_IDENTITY_PASSPHRASE or at the prompt.",
        )
    return Secret(form.decode("utf-8"))
