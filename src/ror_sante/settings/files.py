"""Read a small file whole, and the settings file only when nobody else can have written it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final

from ror_sante.errors import ConfigurationError, printable

_LIMIT: Final = 1_048_576


def expanded(path: str | Path) -> Path:
    """Put the home folder in place of a ``~``.

    Raises:
        ConfigurationError: nobody of that name has one.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            f"{printable(path)} begins with the home folder of nobody", hint="Write the whole path."
        ) from error


def read_file(path: Path, *, what: str, limit: int, private: bool = False) -> bytes:
    """Read a file of at most `limit` bytes.

    Args:
        path: the file.
        what: how the messages call it, such as ``the secret file``.
        limit: in bytes.
        private: refuse a file that others may write.

    Raises:
        ConfigurationError: the file cannot be read, is too big, or others may write it.
    """
    try:
        data = _bytes(path, limit, private=private)
    except ConfigurationError:
        raise  # a ValueError too, and told already
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name cannot be used"
        raise ConfigurationError(
            f"{what} {path} cannot be read: {reason}", hint="Check the path and its permissions."
        ) from error
    if len(data) > limit:
        raise ConfigurationError(
            f"{what} {path} is larger than {limit} bytes", hint="Check that the path names the right file."
        )
    return data


def read_toml(path: Path) -> dict[str, Any]:
    """Read the settings file.

    Raises:
        ConfigurationError: as `read_file`, or it is not TOML.
    """
    import tomllib  # here: a program without a settings file does not pay for it

    data = read_file(path, what="the settings file", limit=_LIMIT, private=True)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the settings file {path} is not UTF-8 text", hint="Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"the settings file {path} is not TOML: {printable(error)}",
            hint="Mend that line; see ror-sante config init.",
        ) from error


def _bytes(path: Path, limit: int, *, private: bool) -> bytes:
    with path.open("rb") as file:
        if private:
            _check_owner(path, os.fstat(file.fileno()))
        return file.read(limit + 1)


def _check_owner(path: Path, about: os.stat_result) -> None:
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"the settings file {path} may be written by others (mode {stat.S_IMODE(about.st_mode):04o})",
            hint=f"Whoever writes it chooses the servers that get our certificate: chmod go-w {path}",
        )
    if about.st_uid not in (0, os.getuid()):
        raise ConfigurationError(
            f"the settings file {path} belongs to another user (uid {about.st_uid})",
            hint="It must belong to you or to root.",
        )
