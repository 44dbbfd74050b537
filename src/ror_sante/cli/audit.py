"""Leave one line a run in an append-only file: who did what, where, with which certificate, and how it ended."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ror_sante.environments import Environment

INTERNAL: Final = 70
_INTERRUPTED: Final = 130
_ABOUT: Final = "ror_sante.about"


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
def audited(path: Path | None, context: click.Context, *, run: str) -> Iterator[None]:
    """Write the line when the run ends, in whatever way.

    Args:
        path: the file, of mode 0600; None writes nothing.
        context: of the verb.
        run: the id of the run.

    Raises:
        OSError: the file cannot be written; told before the run begins.
    """
    if path is None:
        yield
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        os.fchmod(descriptor, 0o600)
        begun, code = time.monotonic(), 0
        try:
            yield
        except BaseException as error:
            code = code_of(error)
            raise
        finally:
            line = {
                "run": run,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "user": _user(),
                "operation": context.command_path,
                "host": None,
                "certificate": None,
                "counts": {},
                **context.meta.get(_ABOUT, {}),
                "code": code,
                "seconds": round(time.monotonic() - begun, 3),
            }
            # One write of one line: lines of runs at the same time do not mix.
            file.write(json.dumps(line, ensure_ascii=True).encode() + b"\n")
            os.fsync(descriptor)


def code_of(error: BaseException) -> int:
    """Tell the exit code that an error ends the command with, as `ror_sante.cli.failures.report` does."""
    # Imported here: `--version` needs none of the libraries that these stand on.
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
