"""Read the settings: flags, then ``ROR_SANTE_*`` variables, then one TOML file, then defaults."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError
from ror_sante.settings.decoding import decode
from ror_sante.settings.files import expanded, read_toml
from ror_sante.settings.flags import lay_flags
from ror_sante.settings.places import find_file
from ror_sante.settings.variables import lay_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ror_sante.settings.whole import Settings

_AUDIT: Final = "ROR_SANTE_AUDIT"


def load_settings(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    environment: str | None = None,
    p12: Path | None = None,
    passphrase_file: Path | None = None,
    timeout: float | None = None,
) -> Settings:
    """Read the settings: flags, then variables, then one file, then defaults.

    The file is `path`, else the one that ``ROR_SANTE_CONFIG`` names, else ``ror-sante.toml`` in the user's, then
    in the system's configuration folder; never one of the current folder.

    Args:
        path: the file of ``--config``; it must exist.
        environ: the variables, ``os.environ`` when None.
        environment: the flag ``--env``.
        p12: the flag ``--p12``: replaces the certificate of ``[identity]``, its passphrase file included.
        passphrase_file: the flag ``--passphrase-file``.
        timeout: the flag ``--timeout``, in seconds: connect, read and the whole call.

    Raises:
        ConfigurationError: a file that is missing or that others may write, TOML that does not parse, an unknown
            key or variable, a wrong type, a table that would change a built-in environment.
    """
    environ = os.environ if environ is None else environ
    source = find_file(path, environ=environ)
    raw = {} if source is None else read_toml(source)
    lay_variables(raw, environ)
    lay_flags(raw, environment=environment, p12=p12, passphrase_file=passphrase_file, timeout=timeout)
    folder = Path.cwd() if source is None else source.parent
    return decode(raw, folder=folder, source=source)


def audit_file(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path | None:
    """Give the value of ``audit`` alone, whatever is wrong with the other settings: a run that they stop counts too.

    Args:
        path: as in `load_settings`.
        environ: as in `load_settings`.

    Returns:
        The file, or None: there is no such setting, or no settings file that can be trusted.

    Raises:
        ConfigurationError: it begins with the home folder of nobody.
    """
    environ = os.environ if environ is None else environ
    if environ.get(_AUDIT):
        return expanded(environ[_AUDIT]).absolute()
    source, named = find_file(path, environ=environ), None
    if source is not None:
        with contextlib.suppress(ConfigurationError):  # told by whoever needs the settings
            named = read_toml(source).get("audit")
    return source.parent / expanded(named) if source and named and isinstance(named, str) else None
