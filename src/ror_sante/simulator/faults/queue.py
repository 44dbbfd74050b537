"""The faults that the simulator was told to show, and has not yet shown as often as asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, get_args

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.faults.catalogue import fault_named
from ror_sante.simulator.faults.fault import At

if TYPE_CHECKING:
    from ror_sante.simulator.faults.fault import Fault, Place, Scene
    from ror_sante.simulator.messages import Reply

_CHOSEN: Final = (None, *get_args(At))
_PAGES: Final = ("page", "next", "gateway-page", "gateway-next", "gateway-further")
_SERVICES: Final = ("token", "fhir", "extraction", "gateway")  # a fault of one may be told to strike another


@dataclass
class _Ordered:
    fault: Fault
    at: Place
    left: int | None
    seconds: float | None


class FaultQueue:
    """The faults that were asked for and have not yet struck as often as asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[_Ordered] = []

    def add(self, name: str, times: int | None, *, at: Place | None, seconds: float | None) -> None:
        """Ask for a fault.

        Raises:
            ConfigurationError: an unknown name or place, or a number that is not positive.
        """
        fault = fault_named(name)
        if times is not None and times < 1:
            raise ConfigurationError("a fault strikes once or more often", hint="Give times=None for every time.")
        if at not in _CHOSEN:
            raise ConfigurationError(f"a fault strikes at {', '.join(map(str, _CHOSEN[1:]))}")
        if fault.place not in _SERVICES and at is not None:
            what = "pages of search results" if fault.place in _PAGES else "one step of an export or a download"
            raise ConfigurationError(f"the fault {name} strikes {what} and nothing else")
        with self._lock:
            self._orders.append(_Ordered(fault, at or fault.place, times, seconds))

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._orders.clear()

    def strike(self, place: Place, scene: Scene) -> Reply:
        """Let the oldest fault that fits strike, if there is one; give the good reply otherwise."""
        order = self._due(place, scene.reply)
        if order is None:
            return scene.reply
        return order.fault.effect(replace(scene, seconds=order.seconds))

    def _due(self, place: Place, reply: Reply) -> _Ordered | None:
        with self._lock:
            for order in self._orders:
                if order.fault.strikes(place, reply, at=order.at):
                    if order.left is not None:
                        order.left -= 1
                    self._orders = [other for other in self._orders if other.left != 0]
                    return order
        return None
