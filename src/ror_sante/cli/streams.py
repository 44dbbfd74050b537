"""End the standard streams so that the interpreter's own last flush cannot change the exit code."""

from __future__ import annotations

import contextlib
import os
from typing import TextIO


def silence(stream: TextIO) -> None:
    """Let the interpreter's last flush of a stream go nowhere: its reader has gone, or its disk is full."""
    with contextlib.suppress(OSError, ValueError):  # a stream that is no file has nothing left to flush
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def settle(stream: TextIO) -> None:
    """Flush a stream, or silence it: what is still in its buffer would end the process with 120."""
    try:
        stream.flush()
    except (OSError, ValueError):
        silence(stream)
