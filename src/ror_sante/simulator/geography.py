"""Circles on the globe, as the search parameters ``near`` and ``near-insee-code`` write them."""

from __future__ import annotations

import math
from typing import Final

from ror_sante.simulator.refusals import bad_value
from ror_sante.simulator.vocabulary import CITIES

_EARTH: Final = 6371.0  # km


def circle(name: str, value: str) -> tuple[float, float, float]:
    """Read latitude, longitude and distance in km; a commune stands for its position."""
    if not name.endswith("near-insee-code"):
        return _point(value)
    insee, _, radius = value.partition("|")
    city = next((city for city in CITIES if city.insee == insee), None)
    if city is None:
        raise bad_value(name, "la commune est inconnue du simulateur")
    return _point(f"{city.latitude}|{city.longitude}|{radius}")


def _point(value: str) -> tuple[float, float, float]:
    """Read latitude, longitude and distance; the unit is km unless it says m."""
    parts = value.split("|")
    try:
        latitude, longitude, within = (float(part) for part in parts[:3])
        unit = {"km": 1.0, "m": 0.001}[parts[3] if len(parts) > 3 else "km"]
    except (ValueError, KeyError):
        latitude = longitude = within = math.nan
        unit = 1.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and within >= 0):
        raise bad_value("near", "la forme attendue est latitude|longitude|distance|km")
    return latitude, longitude, within * unit


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Give the distance of two points on the globe in kilometres (haversine)."""
    (a, b), (c, d) = ((math.radians(x), math.radians(y)) for x, y in (one, other))
    half = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 2 * _EARTH * math.asin(math.sqrt(half))
