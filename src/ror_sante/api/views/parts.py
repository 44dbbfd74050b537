"""The parts of resources that consumers use most, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ror_sante.api.views.lenient import (
    extended,
    extensions,
    first,
    listed,
    number,
    objects,
    text,
    texts,
    value_of,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_ADXP: Final = "iso21090-adxp-"
# TRE_R283: that 2 and 3 are "restricted" and "very restricted" is inferred from the access profiles.
_OPEN: Final = "1"


@dataclass(frozen=True, slots=True)
class Concept:
    """A coded value.

    Attributes:
        code: the code, a text.
        system: address of its code system.
        display: its words, where the server gives them.
    """

    code: str = ""
    system: str = ""
    display: str = ""

    @property
    def words(self) -> str:
        """The words, or the code where there are none."""
        return self.display or self.code

    def of(self, *tables: str) -> bool:
        """Tell whether it belongs to one of these tables, ``R211`` for instance."""
        return any(f"_{table}-" in self.system or f"-{table}-" in self.system for table in tables)


def concepts(value: object) -> tuple[Concept, ...]:
    """Read one or several CodeableConcept or Coding."""
    found = []
    for item in objects(value):
        codings = list(objects(item.get("coding"))) or [item]
        for coding in codings:
            words = text(coding.get("display")) or text(item.get("text"))
            concept = Concept(text(coding.get("code")), text(coding.get("system")), words)
            if concept.words:
                found.append(concept)
    return tuple(found)


def concept(value: object) -> Concept | None:
    """Read the first concept, or None."""
    return next(iter(concepts(value)), None)


@dataclass(frozen=True, slots=True)
class Identifier:
    """A business identifier.

    Attributes:
        value: the identifier; it may hold a slash.
        system: who gives it.
        type: code of its type, such as ``40`` for a national structure id.
    """

    value: str
    system: str = ""
    type: str = ""


def identifiers(value: object) -> tuple[Identifier, ...]:
    """Read one or several identifiers."""
    return tuple(
        Identifier(text(item.get("value")), text(item.get("system")), getattr(concept(item.get("type")), "code", ""))
        for item in objects(value)
        if text(item.get("value"))
    )


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address.

    Attributes:
        lines: street lines.
        postal_code: a text.
        city: name of the commune.
        insee_code: code of the commune, where the address holds it.
    """

    lines: tuple[str, ...] = ()
    postal_code: str = ""
    city: str = ""
    insee_code: str = ""

    @classmethod
    def read(cls, value: object) -> Self | None:
        """Read the first address, or give None when it says nothing."""
        item = first(value)
        lines = texts(item.get("line")) or tuple(filter(None, map(_line, objects(item.get("_line")))))
        insee = text(extended(item, "ror-address-insee-code", "insee-code", "inseeCode"))
        found = cls(lines, text(item.get("postalCode")), text(item.get("city")), insee)
        return found if found != cls() else None


def _line(parts: Mapping[str, Any]) -> str:
    """Write a street line from its parts, as the ROR gives them beside it or in its place."""
    found = (
        text(value_of(extension))
        for extension in objects(parts.get("extension"))
        if _ADXP in text(extension.get("url")).lower()
    )
    return " ".join(filter(None, found))


@dataclass(frozen=True, slots=True)
class Position:
    """A point, WGS84.

    Attributes:
        latitude: degrees.
        longitude: degrees.
    """

    latitude: float
    longitude: float

    @classmethod
    def read(cls, value: object) -> Self | None:
        """Read a position, or give None where it is not whole."""
        item = first(value)
        latitude, longitude = number(item.get("latitude")), number(item.get("longitude"))
        return None if latitude is None or longitude is None else cls(latitude, longitude)


@dataclass(frozen=True, slots=True)
class Telecom:
    """A way to reach somebody. Which of them are there depends on the account's access profile.

    Attributes:
        system: ``phone``, ``email`` and so on.
        value: the number or address.
        confidentiality: level of TRE_R283: ``1`` open, ``2`` restricted, ``3`` very restricted; empty when not said.
        channel: what it is, in the ROR's words.
        usage: what it is for.
    """

    system: str
    value: str
    confidentiality: str = ""
    channel: Concept | None = None
    usage: Concept | None = None

    @property
    def open(self) -> bool:
        """Whether it is said to be open to the public; one without a level is not."""
        return self.confidentiality == _OPEN


def telecoms(value: object, *, level: str = "") -> tuple[Telecom, ...]:
    """Read one or several ContactPoint.

    Args:
        value: what stands there.
        level: confidentiality of the whole, for those that have none of their own.
    """
    return tuple(
        Telecom(
            text(item.get("system")),
            text(item.get("value")),
            _code(extended(item, "ror-telecom-confidentiality-level")) or level,
            concept(extended(item, "ror-telecom-communication-channel")),
            concept(extended(item, "ror-telecom-usage")),
        )
        for item in objects(value)
        if text(item.get("value"))
    )


def _code(value: object) -> str:
    found = concept(value)
    return found.code if found else text(value)


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact point of an organization or an offer.

    Attributes:
        purpose: what it is for (TRE_R287).
        telecoms: how to reach it.
        confidentiality: level of the whole.
    """

    purpose: Concept | None = None
    telecoms: tuple[Telecom, ...] = ()
    confidentiality: str = ""


def contacts(resource: Mapping[str, Any]) -> tuple[Contact, ...]:
    """Read the contacts of an organization (``contact``) and those of an offer (an extension)."""
    found = []
    for item in objects(resource.get("contact")):
        level = _code(extended(item, "ror-contact-confidentiality-level"))
        found.append(Contact(concept(item.get("purpose")), telecoms(item.get("telecom"), level=level), level))
    for item in extensions(resource, "ror-healthcareservice-contact"):
        level = _code(extended(item, "ror-telecom-confidentiality-level", "ror-contact-confidentiality-level"))
        points = [value_of(each) for each in extensions(item, "telecom")]
        found.append(Contact(concept(extended(item, "purposeContact")), telecoms(points, level=level), level))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class OpeningTime:
    """When something is open.

    Attributes:
        days: ``mon`` to ``sun`` as FHIR writes them; empty for every day, or where the ROR gives numbers alone.
        day_numbers: days of the week by number, Monday is 1.
        start: time of day, such as ``08:30:00``; empty when not said.
        end: time of day.
        all_day: open round the clock.
        kind: what sort of time it is.
    """

    days: tuple[str, ...] = ()
    day_numbers: tuple[int, ...] = ()
    start: str = ""
    end: str = ""
    all_day: bool = False
    kind: Concept | None = None


def opening_times(value: object) -> tuple[OpeningTime, ...]:
    """Read one or several ``availableTime``."""
    return tuple(
        OpeningTime(
            texts(item.get("daysOfWeek")),
            tuple(
                day
                for each in extensions(item, "ror-available-time-number-days-of-week", "number-days-of-week")
                for day in map(whole, listed(value_of(each)))
                if day is not None
            ),
            text(item.get("availableStartTime")),
            text(item.get("availableEndTime")),
            item.get("allDay") is True,
            concept(extended(item, "ror-available-time-type-of-time", "type-of-time")),
        )
        for item in objects(value)
    )


@dataclass(frozen=True, slots=True)
class Closure:
    """When something is closed.

    Attributes:
        start: closing date, as the server wrote it.
        end: reopening date; empty when not known.
        reason: in the server's words.
    """

    start: str = ""
    end: str = ""
    reason: str = ""


def closures(value: object) -> tuple[Closure, ...]:
    """Read one or several ``notAvailable``."""
    found = (
        Closure(
            text(first(item.get("during")).get("start")),
            text(first(item.get("during")).get("end")),
            text(item.get("description")),
        )
        for item in objects(value)
    )
    return tuple(closure for closure in found if closure != Closure())


@dataclass(frozen=True, slots=True)
class Capacity:
    """One count of beds or places.

    Attributes:
        number: how many, or None when not said.
        type: what is counted (TRE_R329).
        status: in which state (TRE_R330).
        temporality: for when (TRE_R331).
        gender: for whom (TRE_R332).
        source: who counted (TRE_R335).
        updated: when it was counted, as the server wrote it.
    """

    number: int | None = None
    type: Concept | None = None
    status: Concept | None = None
    temporality: Concept | None = None
    gender: Concept | None = None
    source: Concept | None = None
    updated: str = ""


def capacities(location: Mapping[str, Any]) -> tuple[Capacity, ...]:
    """Read the capacities of a Location."""
    return tuple(
        Capacity(
            whole(extended(item, "nbCapacity")),
            concept(extended(item, "capacityType")),
            concept(extended(item, "capacityStatus")),
            concept(extended(item, "temporalityCapacity")),
            concept(extended(item, "genderCapacityAvailable")),
            concept(extended(item, "capacitySourceType")),
            text(extended(item, "capacityUpdateDate")),
        )
        for item in extensions(location, "ror-location-supported-capacity")
    )


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person's name.

    Attributes:
        family: family name.
        given: first names.
        prefix: title.
    """

    family: str = ""
    given: tuple[str, ...] = ()
    prefix: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.prefix, *self.given, self.family)))

    @classmethod
    def read(cls, value: object) -> Self:
        """Read the first name; where its parts are missing, its text stands for the family name."""
        item = first(value)
        return cls(
            text(item.get("family")) or text(item.get("text")),
            texts(item.get("given")),
            " ".join(texts(item.get("prefix"))),
        )
