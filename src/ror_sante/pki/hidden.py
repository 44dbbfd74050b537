"""Carry passphrases and file contents that do not show themselves in a repr, and so in no traceback with locals."""

from __future__ import annotations

import os

from ror_sante.errors import ConfigurationError
from ror_sante.settings import Secret

Source = str | os.PathLike[str] | bytes | bytearray | memoryview
"""A path, or the content itself as bytes."""

Passphrase = str | bytes | bytearray | memoryview


class Hidden(bytes):
    """Bytes whose repr tells their number alone."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"

    __str__ = __repr__


def conceal(source: Source) -> str | os.PathLike[str] | Hidden:
    """Wrap a file's content that was given as bytes: a key in clear may be in it. A path is given back."""
    return source if isinstance(source, (str, os.PathLike)) else Hidden(source)


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
