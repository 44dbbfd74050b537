"""Carry passphrases and file contents that do not show themselves in a repr, and so in no traceback with locals."""

from __future__ import annotations

from ror_sante.errors import ConfigurationError
from ror_sante.settings import Secret

Passphrase = str | bytes | bytearray | memoryview


class Hidden(bytes):
    """Bytes whose repr tells their number alone."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"

    __str__ = __repr__


def hide(passphrase: Passphrase | None) -> Secret | Hidden | None:
    """Wrap a passphrase, so that the variables it goes through do not show it.

    Raises:
        ConfigurationError: it is neither text nor bytes, such as a number from a settings file.
    """
    if passphrase is None or isinstance(passphrase, (Secret, Hidden)):
        return passphrase
    if isinstance(passphrase, str):
        return Secret(passphrase)
    if isinstance(passphrase, (bytes, bytearray, memoryview)):
        return Hidden(passphrase)
    raise ConfigurationError(
        f"the passphrase is of type {type(passphrase).__name__}, not text",
        hint="Give it as a str; in a settings file, in quotes.",
    )
