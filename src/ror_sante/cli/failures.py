"""Say in one sentence what went wrong, what to do about it, and end with the right code."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from ror_sante.cli.known import Known, spoken_by
from ror_sante.cli.streams import silence
from ror_sante.cli.verb import BROKEN_PIPE, INTERNAL
from ror_sante.diagnosis import diagnose
from ror_sante.diagnosis.causes import UNKNOWN
from ror_sante.diagnosis.report import BAD_ANSWER, BAD_IDENTITY, BAD_SETTINGS, NO_CONNECTION, exit_code_of
from ror_sante.errors import IdentityError, RorError, ServerNotTrustedError, Severity, printable
from ror_sante.pki.anchor import load_anchors

if TYPE_CHECKING:
    from ror_sante.diagnosis.causes import Cause
    from ror_sante.environments import Environment
    from ror_sante.pki.anchor import TrustAnchor

INTERRUPTED: Final = 130
_LONG: Final = 4000
# What to do about an error that brings no hint of its own, by its family.
_NEXT: Final = {
    BAD_SETTINGS: "`ror-sante config check` looks at every key and file of the settings.",
    BAD_IDENTITY: "`ror-sante identity show` tells what is in the file.",
    NO_CONNECTION: "`ror-sante smoke-test` shows each step of the way.",
    BAD_ANSWER: "`ror-sante smoke-test` shows each step of the way.",
}


def report(error: BaseException, known: Known | None = None) -> int:
    """Print an error on stderr and give its exit code.

    Args:
        error: what ended the command.
        known: what the run knew of itself.

    Returns:
        2 to 5 for an error of ours, 2 for wrong usage or a file, 130 for Ctrl-C, 70 for a fault of this package.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else INTERNAL
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        silence(sys.stdout)
        return BROKEN_PIPE
    if isinstance(error, RorError):
        code = exit_code_of(error)
        tell(error.message, error.hint or _NEXT[code], also=_others(error))
        _tell_cause(error, known or Known())
        return code
    if isinstance(error, click.ClickException):
        tell(error.format_message(), _usage_hint(error))
        return BAD_SETTINGS
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        tell(f"{name}{error.strerror or error}", "Check the path, its permissions and the room on the disk.")
        return BAD_SETTINGS
    if isinstance(error, ImportError):
        tell(f"this installation is incomplete: {error}", "Install it again: pip install --force-reinstall ror-sante")
        return BAD_SETTINGS
    tell(f"a fault of ror-sante itself: {type(error).__name__}{_place(error)}", "Run it again with -vv, and report it.")
    return INTERNAL


def tell(message: str, hint: str = "", *, also: tuple[str, ...] = ()) -> None:
    """Print ``error: message``, further findings, and ``hint: ...`` on stderr."""
    _line("error", message, "red")
    for more in also:
        _line(" also", more, "red")
    if hint:
        _line(" hint", hint, "cyan")


def _tell_cause(error: RorError, known: Known) -> None:
    """Print the likeliest cause in the language of the run, and in French its next step: hints are in English."""
    first = likeliest(error, known)
    if first is None:
        return
    _line("cause", first.title, "cyan")
    if spoken_by(known) == "fr":
        _line("suite", first.next_step, "cyan")


def likeliest(error: RorError, known: Known) -> Cause | None:
    """Give the likeliest cause of an error, judged now.

    Args:
        error: what failed.
        known: the language, and where it went with which certificate.

    Returns:
        The cause, or None when nothing fits.
    """
    first = diagnose(
        error,
        identity=known.identity,
        anchor=_anchors(error, known.environment),
        environment=known.environment,
        at=datetime.now(UTC),
        lang=spoken_by(known),
    )[0]
    return None if first.code == UNKNOWN else first


def _anchors(error: RorError, place: Environment | None) -> tuple[TrustAnchor, ...]:
    """Give the roots that judged what failed: the server's own where its receipt tells which server, else ours."""
    if place is None:
        return ()
    receipt = getattr(error, "receipt", None)
    host = receipt.host if receipt is not None and isinstance(error, ServerNotTrustedError) else None
    others = ((place.token_url, place.token_anchors), (place.api_url, place.api_anchors))
    words = next((own for url, own in others if own and urlsplit(url).hostname == host), place.anchors)
    with contextlib.suppress(RorError):
        return load_anchors(words)
    return ()


def _line(word: str, text: str, colour: str) -> None:
    lit = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    label = click.style(f"{word}:", fg=colour, bold=True) if lit else f"{word}:"
    with contextlib.suppress(OSError, ValueError):  # the exit code remains when stderr is full or gone
        sys.stderr.write(f"{label} {printable(text, _LONG)}\n")


def _others(error: RorError) -> tuple[str, ...]:
    if not isinstance(error, IdentityError):
        return ()
    errors = [finding.message for finding in error.findings if finding.severity is Severity.ERROR]
    return tuple(message for message in errors if not error.message.startswith(message))


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"See {context.command_path} --help." if context is not None else "See ror-sante --help."


def _place(error: BaseException) -> str:
    """Name the line of this package; the error's own text may hold anything, so it stays in the log of -vv."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "ror_sante" in frame.filename]
    return f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
