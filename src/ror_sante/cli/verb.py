"""What every verb has in common: the options of any place, the log, the exit codes in its help."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import shlex
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ror_sante.cli.audit import audited
from ror_sante.cli.known import remember
from ror_sante.cli.streams import silence

if TYPE_CHECKING:
    from collections.abc import Iterator

CODES: Final = {
    0: "good",
    1: "a verdict is bad: warnings under --strict, a copy that shrank",
    2: "usage or settings: an unknown option or key, a missing file",
    3: "our certificate: wrong passphrase, expired, not AUTH_CLI, no chain",
    4: "no trusted connection, or our certificate is refused by the server",
    5: "the service says no: no token, refused, not found, unreadable, cut",
    6: "a partial result: some regions did not answer whole",
    7: "another run works on the same folder",
    70: "a fault of ror-sante itself; please report it",
    130: "interrupted by Ctrl-C",
    141: "the reader of our output went away",
    143: "ended by SIGTERM",
}

# Python's own names for the exit of a program that could not do its work (sysexits.h: EX_SOFTWARE).
INTERNAL: Final = 70
BROKEN_PIPE: Final = 141
_LONG: Final = 4000

_CONFIG: Final = "ror_sante.config"
_VERBOSE: Final = "ror_sante.verbose"
_LOG_FORMAT: Final = "ror_sante.log_format"
_AUDIT: Final = "ror_sante.audit"
_RUN: Final = "ror_sante.run"

F = TypeVar("F", bound=Callable[..., Any])


def listed(title: str, lines: Iterable[str]) -> str:
    """Write a section for the end of a help text, kept line by line."""
    return "\b\n" + "\n".join([f"{title}:", *(f"  {line}" for line in lines)])


def ending(codes: Iterable[int], *examples: str) -> str:
    """Write the end of a verb's help: its exit codes and examples."""
    return (
        listed("Exit codes", [f"{code:>3}  {CODES[code]}" for code in codes])
        + "\n\n"
        + listed("Example" if len(examples) == 1 else "Examples", examples)
    )


# ------------------------------------------------------------------ options of any place


def config_path() -> Path | None:
    """Give the file of ``--config``, wherever it stood."""
    found: Path | None = click.get_current_context().meta.get(_CONFIG)
    return found


def again(*words: str, **flags: object) -> str:
    """Write a command that works at the same place as this one: with its ``--config`` and such flags as it had.

    Args:
        *words: after ``ror-sante``.
        **flags: options by name; None leaves one out.
    """
    from ror_sante.errors import printable  # here: `--version` needs none of the libraries that it stands on

    given = {"config": config_path(), **flags}
    for name, value in given.items():
        words += () if value is None else (f"--{name.replace('_', '-')}", str(value))
    return printable(shlex.join(["ror-sante", *words]), _LONG)


def run_id() -> str:
    """Give the id of the run that is going on; its log lines and its audit line bear it too."""
    found: str = click.get_current_context().meta[_RUN]
    return found


def _keep(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            ctx.meta[key] = value

    return callback


def _speak(_ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
    if value is not None:
        remember(lang=value)


def _count(ctx: click.Context, _parameter: click.Parameter, value: int) -> None:
    ctx.meta[_VERBOSE] = ctx.meta.get(_VERBOSE, 0) + value


def _options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Settings file; without it the usual places are looked at.",
            expose_value=False,
            callback=_keep(_CONFIG),
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            help="Say more on stderr; -vv says everything.",
            expose_value=False,
            callback=_count,
        ),
        click.Option(
            ["--log-format"],
            type=click.Choice(["text", "json"]),
            help="How log lines are written on stderr.",
            expose_value=False,
            callback=_keep(_LOG_FORMAT),
        ),
        click.Option(
            ["--lang"],
            type=click.Choice(["en", "fr"]),
            help="Language of causes, warnings and headings; else that of the locale.",
            expose_value=False,
            callback=_speak,
        ),
        click.Option(
            ["--audit"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Add one JSON line about this run to a file; it wins over `audit` of the settings.",
            expose_value=False,
            callback=_keep(_AUDIT),
        ),
    ]


class Verb(click.Command):
    """A verb: it takes the options of any place, and logs as they say."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb with its log on stderr; a trace is written there under ``-vv`` alone."""
        run = ctx.meta[_RUN] = secrets.token_hex(8)
        with (
            _log_on_stderr(ctx.meta.get(_VERBOSE, 0), ctx.meta.get(_LOG_FORMAT, "text"), run=run),
            audited(ctx.meta.get(_AUDIT) or _configured_audit(), ctx, run=run) as line,
        ):
            try:
                code = super().invoke(ctx)
            except BrokenPipeError as error:
                silence(sys.stdout)
                raise click.exceptions.Exit(BROKEN_PIPE) from error
            except Exception:
                logging.getLogger("ror_sante.cli").debug("this ended the command:", exc_info=True)
                raise
            line["code"] = int(code or 0)
            return code


def _configured_audit() -> Path | None:
    # Imported here: `--version` needs none of the libraries that the settings stand on.
    from ror_sante.settings import audit_file

    return audit_file(config_path())


class VerbGroup(click.Group):
    """A group of verbs, with the options of any place."""

    command_class = Verb

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_options())


# ------------------------------------------------------------------ the log


class _Lines(logging.Formatter):
    """``warning: text``, one line a record but for a trace."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname.lower()}: {_one_line(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    """One JSON object a record, with the id of the run that all of its lines share."""

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def format(self, record: logging.LogRecord) -> str:
        about = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "run": self._run,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _one_line(record.getMessage()),
        }
        if record.exc_info:
            about["trace"] = self.formatException(record.exc_info)
        return json.dumps(about, ensure_ascii=False)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " if c in "\r\n\t" else f"\\x{ord(c):02x}" for c in text)


@contextlib.contextmanager
def _log_on_stderr(verbose: int, style: str, *, run: str) -> Iterator[None]:
    """Log this package on stderr, and nothing of the libraries below: they write addresses with their queries."""
    logger = logging.getLogger("ror_sante")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(run) if style == "json" else _Lines())
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel({0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
