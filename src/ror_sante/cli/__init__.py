"""The command ``ror-sante``: `main` runs one verb and gives its exit code."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from ror_sante.cli.known import Known
from ror_sante.cli.streams import settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

__all__ = ["main"]

INTERRUPTED = 130
TERMINATED = 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; whatever goes wrong is one sentence on stderr and an exit code.

    Args:
        argv: the words after ``ror-sante``; None takes those of the process.

    Returns:
        The exit code.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a narrow encoding shows what it lacks, and does not fail
    known = Known()
    try:
        with _sigterm_ends_us():
            # Imported here: `--version` needs neither the verbs nor the libraries that they stand on.
            from ror_sante.cli.root import root

            code = root.main(args=words, prog_name="ror-sante", standalone_mode=False, obj=known)
            sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001  the outermost call: nothing may reach the user as a trace
        code = _code_of(error, known)
    settle(sys.stderr)
    return int(code or 0)


def _code_of(error: BaseException, known: Known) -> int:
    """Report an error; an interruption says nothing, and may have left a library half imported."""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
        return INTERRUPTED
    from ror_sante.cli.failures import report

    return report(error, known)


def _open_what_is_closed() -> None:
    """Put the null device where the caller closed a stream (``>&-``): else a socket of ours would take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  stays open to the end


@contextlib.contextmanager
def _sigterm_ends_us() -> Iterator[None]:
    """Turn SIGTERM into an exit that runs every ``finally``; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)
