"""The FHIR gateway of the Annuaire Santé, as the simulator plays it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.simulator.messages import outcome

if TYPE_CHECKING:
    from ror_sante.simulator.messages import Call, Reply

GATEWAY_PATH: Final = "/fhir/v2"


class GatewayService:
    """Answers on the port that stands under the public web authorities."""

    def answer(self, call: Call) -> Reply:
        """Answer one request."""
        return outcome(404, "not-found", f"Il n'y a rien à l'adresse {call.path}.")

    def reset(self) -> None:
        """Forget what was asked."""
