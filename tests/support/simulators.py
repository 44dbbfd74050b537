"""A simulator that the tests of one module or folder share: each of them finds it as if it had just started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ror_sante.simulator.server import Simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    """The shared simulator, as if it had just started; `running`, which starts it, is the folder's own."""
    running.reset()
    return running
