"""Leave one line a run in an append-only file: who did what, where, with which certificate, and how it ended."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import os
import stat
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ror_sante.environments import Environment
    from ror_sante.errors import ConfigurationError

INTERNAL: Final = 70
_INTERRUPTED: Final = 130
_ABOUT: Final = "ror_sante.about"
_PRIVATE: Final = 0o600
_LOG: Final = logging.getLogger("ror_sante.cli")


def note(**about: Any) -> None:
    """Add to the line of the run that is going on; no content, no query value, no secret.

    Args:
        about: ``host``, ``certificate`` (a thumbprint), ``counts``.
    """
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(_ABOUT, {}).update(about)


def note_place(environment: Environment) -> None:
    """Add the host of the service."""
    note(host=urlsplit(environment.api_url).hostname)


@contextlib.contextmanager
def audited(path: Path | None, context: click.Context, *, run: str) -> Iterator[dict[str, Any]]:
    """Write the line when the run ends, in whatever way but ``kill -9``.

    Args:
        path: the file, of mode 0600; None writes nothing.
        context: of the verb.
        run: the id of the run.

    Returns:
        The line, which takes the ``code`` of a run that ends by itself.

    Raises:
        ConfigurationError: the file cannot be written: told before the run begins, or after a good one.
    """
    line: dict[str, Any] = {
        "run": run,
        "time": "",
        "user": _user(),
        "operation": context.command_path,
        "host": None,
        "certificate": None,
        "counts": {},
    }
    if path is None:
        yield line
        return
    begun = time.monotonic()
    with _opened(path) as descriptor:
        try:
            yield line
        except BaseException as error:
            line["code"] = code_of(error)
            raise
        finally:
            line["time"] = datetime.now(UTC).isoformat(timespec="seconds")
            line |= context.meta.get(_ABOUT, {})
            line["seconds"] = round(time.monotonic() - begun, 3)
            _add(descriptor, line, path)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open the file at its end; a pipe or a device is taken as it is, a file is closed to others."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, _PRIVATE)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    try:
        _close_to_others(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _close_to_others(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor).st_mode
    # Not without need: a file that may only grow (chattr +a) lets nobody change its mode.
    if stat.S_ISREG(found) and stat.S_IMODE(found) != _PRIVATE:
        try:
            os.fchmod(descriptor, _PRIVATE)
        except OSError as error:
            raise _unwritable(path, error) from error


def _add(descriptor: int, line: dict[str, Any], path: Path) -> None:
    """Add the line; when that fails, a run that ended badly keeps its own error."""
    try:
        # One write of one line: lines of runs at the same time do not mix.
        rest = _left_open(descriptor) + json.dumps(line, ensure_ascii=True).encode() + b"\n"
        while rest:  # a full disk takes a part, and tells at the next try
            rest = rest[os.write(descriptor, rest) :]
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)
    except OSError as error:
        lost = _unwritable(path, error)
        if not line["code"]:
            raise lost from error
        _LOG.error("%s", lost.message)


def _left_open(descriptor: int) -> bytes:
    """Give what ends the last line, if a full disk cut it short."""
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or not about.st_size:
        return b""
    return b"" if os.pread(descriptor, 1, about.st_size - 1) == b"\n" else b"\n"


def _unwritable(path: Path, error: Exception) -> ConfigurationError:
    # Imported here, as below: `--version` needs none of the libraries that these stand on.
    from ror_sante.errors import ConfigurationError, printable

    return ConfigurationError(
        f"the audit file {printable(path)} cannot be written: {getattr(error, 'strerror', None) or 'no such name'}",
        hint="It is the one of --audit, ROR_SANTE_AUDIT or `audit` in the settings. Its folder must be there, and it "
        "belongs to the user of the run.",
    )


def code_of(error: BaseException) -> int:
    """Tell the exit code that an error ends the command with, as `ror_sante.cli.failures.report` does."""
    from ror_sante.diagnosis.report import BAD_SETTINGS, exit_code_of
    from ror_sante.errors import RorError

    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else INTERNAL
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return _INTERRUPTED
        case RorError():
            return exit_code_of(error)
        case click.ClickException() | OSError() | ImportError():
            return BAD_SETTINGS
    return INTERNAL


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return str(os.getuid())
