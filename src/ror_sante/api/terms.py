"""Values of search parameters, typed by the kind of the parameter."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

import msgspec

from ror_sante.api import nos
from ror_sante.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.api.parameters import Kind

R = TypeVar("R")

Moment: TypeAlias = str | date  # a datetime is a date
Number: TypeAlias = int | float | Decimal

# FHIR R4, "date" and "dateTime" in searches; the ROR's own examples leave the time zone out.
_MOMENT: Final = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII)
_SPECIAL: Final = re.compile(r"([\\,$|])")
_UNITS: Final = ("km", "m")


class Criterion(msgspec.Struct, frozen=True):
    """One condition of a search, neither written as a parameter nor as a filter yet.

    Attributes:
        name: the parameter, with its chain.
        kind: its FHIR type.
        values: what it may be; one of them suffices.
        modifier: such as ``contains``, or empty.
        comparison: ``eq``, or one of ``gt lt ge le sa eb``.
    """

    name: str
    kind: Kind
    values: tuple[str, ...]
    modifier: str = ""
    comparison: str = "eq"


@dataclass(frozen=True, slots=True, repr=False)
class Term(Generic[R]):
    """A parameter that waits for its value."""

    name: str
    kind: Kind
    take: Callable[[Criterion], R]

    def _give(self, *values: str, modifier: str = "", comparison: str = "eq") -> R:
        if not values:
            raise ConfigurationError(f"{self.name} is given no value")
        return self.take(Criterion(self.name, self.kind, values, modifier, comparison))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class TokenTerm(Term[R]):
    """A coded value: ``R211|013``, a whole address and code, or a bare code."""

    __slots__ = ()

    def __call__(self, *codes: str) -> R:
        """Ask for one of these codes."""
        return self._give(*map(self._token, codes))

    def not_(self, *codes: str) -> R:
        """Ask for none of these codes (since ROR 3.3)."""
        return self._give(*map(self._token, codes), modifier="not")

    def _token(self, code: str) -> str:
        if "," in code:
            raise ConfigurationError(
                f"{self.name}: a comma stands in a code", hint="Give several codes as several arguments."
            )
        return nos.token(code)


class IdentifierTerm(TokenTerm[R]):
    """A business identifier, bare or with its system before a bar."""

    __slots__ = ()

    def of_type(self, system: str, code: str, value: str) -> R:
        """Ask for an identifier of a type.

        Args:
            system: code system of the type, such as ``R354``.
            code: the type, such as ``25``.
            value: the identifier.
        """
        return self._give(f"{nos.system(system)}|{code}|{_escaped(value)}", modifier="of-type")


class StringTerm(Term[R]):
    """A text; the plain call finds what starts with it, case and accents aside."""

    __slots__ = ()

    def __call__(self, *texts: str) -> R:
        """Ask for one of these beginnings."""
        return self._give(*map(_escaped, texts))

    def contains(self, *texts: str) -> R:
        """Ask for one of these anywhere in the value."""
        return self._give(*map(_escaped, texts), modifier="contains")

    def exact(self, *texts: str) -> R:
        """Ask for one of these as they are written."""
        return self._give(*map(_escaped, texts), modifier="exact")


class _Compared(Term[R]):
    __slots__ = ()

    def _against(self, comparison: str, value: str) -> R:
        return self._give(value, comparison=comparison)


class DateTerm(_Compared[R]):
    """A moment: a date, a datetime with its time zone, or a text as FHIR writes it (``2026-06``)."""

    __slots__ = ()

    def __call__(self, at: Moment) -> R:
        """Ask for what lies in this day, month, minute."""
        return self._against("eq", _moment(at))

    def ge(self, at: Moment) -> R:
        """Ask for this moment or later."""
        return self._against("ge", _moment(at))

    def gt(self, at: Moment) -> R:
        """Ask for later."""
        return self._against("gt", _moment(at))

    def le(self, at: Moment) -> R:
        """Ask for this moment or earlier."""
        return self._against("le", _moment(at))

    def lt(self, at: Moment) -> R:
        """Ask for earlier."""
        return self._against("lt", _moment(at))

    def sa(self, at: Moment) -> R:
        """Ask for what starts after."""
        return self._against("sa", _moment(at))

    def eb(self, at: Moment) -> R:
        """Ask for what ends before."""
        return self._against("eb", _moment(at))


class NumberTerm(_Compared[R]):
    """A number."""

    __slots__ = ()

    def __call__(self, number: Number) -> R:
        """Ask for this number."""
        return self._against("eq", _number(number))

    def ge(self, number: Number) -> R:
        """Ask for this number or more."""
        return self._against("ge", _number(number))

    def gt(self, number: Number) -> R:
        """Ask for more."""
        return self._against("gt", _number(number))

    def le(self, number: Number) -> R:
        """Ask for this number or less."""
        return self._against("le", _number(number))

    def lt(self, number: Number) -> R:
        """Ask for less."""
        return self._against("lt", _number(number))


@dataclass(frozen=True, slots=True, repr=False)
class QuantityTerm(_Compared[R]):
    """A number with its unit, in UCUM (``kg``, ``a`` for years)."""

    system: str

    def __call__(self, number: Number, unit: str) -> R:
        """Ask for this quantity."""
        return self._against("eq", self._quantity(number, unit))

    def ge(self, number: Number, unit: str) -> R:
        """Ask for this quantity or more."""
        return self._against("ge", self._quantity(number, unit))

    def gt(self, number: Number, unit: str) -> R:
        """Ask for more."""
        return self._against("gt", self._quantity(number, unit))

    def le(self, number: Number, unit: str) -> R:
        """Ask for this quantity or less."""
        return self._against("le", self._quantity(number, unit))

    def lt(self, number: Number, unit: str) -> R:
        """Ask for less."""
        return self._against("lt", self._quantity(number, unit))

    def _quantity(self, number: Number, unit: str) -> str:
        return f"{_number(number)}|{self.system}|{_escaped(unit)}"


class ReferenceTerm(Term[R]):
    """A reference by technical id, such as ``Location/252467``."""

    __slots__ = ()

    def __call__(self, *references: str) -> R:
        """Ask for one of these references."""
        return self._give(*map(_escaped, references))


class NearTerm(Term[R]):
    """A circle around a point (WGS84)."""

    __slots__ = ()

    def __call__(self, latitude: float, longitude: float, distance: float, *, unit: str = "km") -> R:
        """Ask for what lies in a circle.

        Args:
            latitude: degrees, -90 to 90.
            longitude: degrees, -180 to 180.
            distance: radius.
            unit: of the radius, ``km`` or ``m``.
        """
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise ConfigurationError(
                f"{self.name}: latitude or longitude is out of range",
                hint="The latitude comes first: 47.218, -1.636 is Nantes.",
            )
        return self._give(f"{_number(latitude)}|{_number(longitude)}|{_radius(self.name, distance, unit)}")


class NearCommuneTerm(Term[R]):
    """A circle around a commune."""

    __slots__ = ()

    def __call__(self, insee: str, distance: float, *, unit: str = "km") -> R:
        """Ask for what lies around a commune.

        Args:
            insee: its code in the code officiel géographique, a text: ``"01053"``, ``"2A004"``.
            distance: radius.
            unit: of the radius, ``km`` or ``m``.
        """
        if not re.fullmatch(r"\d[\dAB]\d{3}", str(insee), re.ASCII):
            raise ConfigurationError(
                f"{self.name}: an INSEE code is a text of five characters",
                hint='Such as "44162", "01053" or "2A004"; it is not the postal code.',
            )
        return self._give(f"{insee}|{_radius(self.name, distance, unit)}")


def _radius(name: str, distance: float, unit: str) -> str:
    if unit not in _UNITS or math.isnan(distance) or distance < 0:
        raise ConfigurationError(f"{name}: a radius is a number of km or m, not below 0")
    return f"{_number(distance)}|{unit}"


def _escaped(text: str) -> str:
    r"""Escape what FHIR gives a meaning inside a value: ``\ , $ |`` (R4, search, "escaping search parameters")."""
    return _SPECIAL.sub(r"\\\1", text)


def unescaped(value: str) -> str:
    """Take the escapes away again: the filter dialect has none of them."""
    return re.sub(r"\\([\\,$|])", r"\1", value)


def _moment(at: Moment) -> str:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ConfigurationError("a datetime of a search needs a time zone", hint="Use datetime.now(UTC).")
        return at.isoformat(timespec="microseconds" if at.microsecond else "seconds")
    if isinstance(at, date):
        return at.isoformat()
    if not _MOMENT.fullmatch(at):
        raise ConfigurationError(
            "a moment of a search is written as in FHIR", hint="2026, 2026-06, 2026-06-30 or 2026-06-30T15:00."
        )
    return at


def _number(number: Number) -> str:
    if isinstance(number, bool) or not Decimal(str(number)).is_finite():
        raise ConfigurationError("a number of a search is a finite number")
    return format(Decimal(str(number)), "f")
