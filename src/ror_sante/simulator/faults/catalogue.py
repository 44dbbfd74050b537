"""Every fault that the simulator can be told to show, by name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError, printable
from ror_sante.simulator.faults.export import EXPORTS
from ror_sante.simulator.faults.extraction import EXTRACTIONS
from ror_sante.simulator.faults.gateway import GATEWAY
from ror_sante.simulator.faults.ror import ANSWERS, PAGES
from ror_sante.simulator.faults.token import TOKENS

if TYPE_CHECKING:
    from ror_sante.simulator.faults.fault import Fault

FAULTS: Final = {
    fault.name: fault for table in (ANSWERS, PAGES, EXPORTS, GATEWAY, EXTRACTIONS, TOKENS) for fault in table
}


def fault_named(name: str) -> Fault:
    """Find a fault.

    Raises:
        ConfigurationError: there is none of that name; the hint lists them, the nearest first.
    """
    if name in FAULTS:
        return FAULTS[name]
    near = difflib.get_close_matches(name, FAULTS, n=3, cutoff=0.4)
    rest = [other for other in FAULTS if other not in near]
    raise ConfigurationError(
        f"the simulator has no fault {printable(name, 60)!r}", hint=f"There are {', '.join([*near, *rest])}."
    )
