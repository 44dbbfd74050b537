"""Typed views of the five resource types, resolved from what a search brought along."""

from __future__ import annotations

from ror_sante.api.views.parts import (
    Address,
    Capacity,
    Closure,
    Concept,
    Contact,
    Identifier,
    OpeningTime,
    PersonName,
    Position,
    Telecom,
)
from ror_sante.api.views.resources import (
    HealthcareServiceView,
    LocationView,
    OrganizationView,
    Pool,
    PractitionerRoleView,
    PractitionerView,
    View,
    views,
)

__all__ = [
    "Address",
    "Capacity",
    "Closure",
    "Concept",
    "Contact",
    "HealthcareServiceView",
    "Identifier",
    "LocationView",
    "OpeningTime",
    "OrganizationView",
    "PersonName",
    "Pool",
    "Position",
    "PractitionerRoleView",
    "PractitionerView",
    "Telecom",
    "View",
    "views",
]
