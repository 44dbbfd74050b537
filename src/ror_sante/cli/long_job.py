"""What the verbs with long jobs share: the signals that stop them, the codes of their ends, their progress."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ror_sante.cli.console import console
from ror_sante.cli.failures import tell
from ror_sante.cli.verb import run_id
from ror_sante.errors import ConfigurationError, RorError
from ror_sante.sync.lock import LockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import ProgressColumn

    from ror_sante.sync.progress import Watcher

LOCKED = 7


@contextlib.contextmanager
def signals_reach_us() -> Iterator[None]:
    """Take SIGINT even when the shell that started us in the background set it aside."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def told(goes_on: str = "") -> Iterator[None]:
    """Give a lock that is held its exit code, and say after any other stop how the run is taken up again.

    Args:
        goes_on: the sentence after "Stopped; "; empty says nothing. A wrong call has nothing to be taken up.
    """
    try:
        yield
    except LockedError as error:
        tell(error.message, error.hint)
        raise click.exceptions.Exit(LOCKED) from error
    except (RorError, OSError, KeyboardInterrupt, SystemExit) as error:
        if goes_on and not isinstance(error, ConfigurationError):
            sys.stderr.write(f"Stopped; {goes_on}\n")
        raise


@contextlib.contextmanager
def watching(bar: Callable[[Progress], Watcher], *columns: ProgressColumn) -> Iterator[Watcher]:
    """Show progress: a bar on a terminal, else one JSON line a step.

    Args:
        bar: makes what moves the bar.
        columns: stand between the bar and the time that remains.
    """
    if not sys.stderr.isatty():
        yield StepLines(run_id())
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console(sys.stderr),
    ) as progress:
        yield bar(progress)


class StepLines:
    """One JSON line a step, with the id of the run."""

    def __init__(self, run: str) -> None:
        self._run = run

    def step(self, name: str, /, **about: object) -> None:
        """Write a step."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        sys.stderr.write(json.dumps({"time": now, "run": self._run, "step": name, **about}, ensure_ascii=False) + "\n")
        sys.stderr.flush()

    def received(self, size: int, /) -> None:
        """Say nothing: a step is a line, a piece is not."""
