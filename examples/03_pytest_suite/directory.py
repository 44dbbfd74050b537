"""The application under test: it shows the names of care services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ror_sante.errors import RorError

if TYPE_CHECKING:
    from ror_sante import NationalRorClient


def names(ror: NationalRorClient, number: int) -> list[str]:
    """Give the names of some services, or an empty list when the ROR cannot be asked."""
    try:
        return [str(service["name"]) for service in ror.search("HealthcareService", max_results=number)]
    except RorError:
        return []
