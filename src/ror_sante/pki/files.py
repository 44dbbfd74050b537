"""Read small files that a caller names, with errors that say what is wrong with the path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ror_sante.errors import ConfigurationError, printable
from ror_sante.pki.hidden import Hidden, Source, conceal

# A P12 of the IGC-Santé platform weighs 6 to 7 KiB; a bundle of every CA of the country stays under 1 MiB.
SIZE_LIMIT: Final = 1024 * 1024


def read_source(source: Source, *, what: str) -> Hidden:
    """Give the bytes of a file, or the bytes that were given in its place.

    Args:
        source: the path, or the content itself.
        what: how the messages call it, such as ``the P12``.

    Raises:
        ConfigurationError: the file is missing, a folder, unreadable, or over 1 MiB.
    """
    source = conceal(source)
    data = source if isinstance(source, Hidden) else Hidden(_read(source, what=what))
    if len(data) > SIZE_LIMIT:
        raise ConfigurationError(
            f"{what} is over {SIZE_LIMIT // 1024} KiB: {label(source)}",
            hint="A P12 or a certificate weighs a few kilobytes: check that this is the right file.",
        )
    return data


def _read(path: str | os.PathLike[str], *, what: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{what} does not exist: {label(path)}",
            hint="Check the path; in a settings file it starts at that file's folder.",
        ) from error
    except IsADirectoryError as error:
        raise ConfigurationError(
            f"{what} is a folder, not a file: {label(path)}", hint="Name the file inside it."
        ) from error
    except PermissionError as error:
        raise ConfigurationError(
            f"{what} may not be read by this user: {label(path)}",
            hint="Give the file to the account that runs the program; keep it closed to others (chmod 600).",
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"{what} cannot be read: {label(path)} ({printable(reason)})") from error


def label(source: Source) -> str:
    """Name a source in a message: its path, or that it came as bytes."""
    return printable(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "bytes in memory"
