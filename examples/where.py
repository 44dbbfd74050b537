"""Where an example goes: to the place that your settings describe, else to a simulator of its own."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ror_sante import Simulator, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante import Settings


@contextmanager
def settings() -> Iterator[Settings]:
    """Give the settings of ROR_SANTE_CONFIG, or those of a simulator that runs as long as the block."""
    if "ROR_SANTE_CONFIG" in os.environ:
        yield load_settings()
        return
    with tempfile.TemporaryDirectory() as folder, Simulator() as simulator:
        yield load_settings(simulator.write_config(Path(folder)))
