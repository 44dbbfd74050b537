"""The extraction downloads of the Annuaire Santé, as the simulator plays them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.simulator.messages import HTML, Reply

if TYPE_CHECKING:
    from ror_sante.simulator.messages import Call

EXTRACTION_PATH: Final = "/annuaire-sante-webservices/V300/services/extraction"
RESTRICTED: Final = frozenset({"Extraction_ProSanteConnect"})


class ExtractionService:
    """Answers on the port where some paths ask for a certificate."""

    def asks(self, path: str) -> bool:
        """Tell whether a path is for holders of a certificate alone."""
        return path.removeprefix(f"{EXTRACTION_PATH}/") in RESTRICTED

    def answer(self, call: Call) -> Reply:
        """Answer one request."""
        if self.asks(call.path) and not call.peer.subject_dn:
            return _page(403)
        return _page(404)

    def reset(self) -> None:
        """Forget what was asked."""


def _page(status: int) -> Reply:
    return Reply(status, f"<html><body><h1>{status}</h1></body></html>".encode(), HTML)
