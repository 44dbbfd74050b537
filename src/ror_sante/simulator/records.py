"""One record of the synthetic directory: what can be searched in it, and what its payload is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ror_sante.simulator.vocabulary import City

Token = tuple[str, str]  # system and code

TYPES: Final = ("HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole")
BESIDE: Final = ("Task", "Questionnaire")  # which no export holds


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        type: the FHIR resource type.
        id: the technical id.
        number: its place among the records of its type.
        updated: seconds since the epoch.
        city: where it is, and whose region tags it.
        name: its name, or a person's family name.
        given: a person's first name, else empty.
        kind: of an organization: ``EJ``, ``EG`` or ``OI``; of a person: the gender.
        identifiers: business identifiers.
        codes: coded values, by the search parameter that finds them.
        displays: the words for some of the codes.
        links: references, by the search parameter that follows them.
        active: false for a Location that is closed.
        position: latitude and longitude of a Location.
        capacity: free beds of a Location, or None where nobody counts them.
    """

    type: str
    id: str
    number: int
    updated: int
    city: City
    name: str = ""
    given: str = ""
    kind: str = ""
    identifiers: tuple[Token, ...] = ()
    codes: Mapping[str, tuple[Token, ...]] = field(default_factory=dict)
    displays: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    active: bool = True
    position: tuple[float, float] | None = None
    capacity: int | None = None

    @property
    def reference(self) -> str:
        """The relative reference, ``Location/252001`` for instance."""
        return f"{self.type}/{self.id}"
