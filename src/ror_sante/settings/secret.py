"""Hold a secret as a text that does not show itself, and read one from a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError
from ror_sante.settings.files import read_file

if TYPE_CHECKING:
    from pathlib import Path

# A passphrase is a line, a key file a page; a bigger "secret" is the wrong file.
_LIMIT: Final = 65_536


class Secret(str):
    """A text that does not show itself: ``repr`` gives dots, everything else is an ordinary `str`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


def read_secret(path: Path) -> str:
    """Read a file that holds one secret; one trailing newline is dropped.

    Raises:
        ConfigurationError: the file is missing, unreadable, a directory, too big or not UTF-8.
    """
    data = read_file(path, what="the secret file", limit=_LIMIT)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # The cause is dropped: its repr would hold the bytes of the secret.
        raise ConfigurationError(
            f"the secret file {path} is not UTF-8 text", hint="Save it as UTF-8, the secret alone on one line."
        ) from None
    return text.removesuffix("\n").removesuffix("\r")
