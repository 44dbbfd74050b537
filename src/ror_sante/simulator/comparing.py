"""Compare what a record has for a search parameter with the value that a query gives."""

from __future__ import annotations

import calendar
import math
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from ror_sante.simulator.geography import circle, distance
from ror_sante.simulator.refusals import BadSearchError, bad_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ror_sante.simulator.records import Record, Token

    Test = Callable[[Record], bool]

Kind = Literal["token", "string", "date", "number", "quantity", "reference", "special"]

_MODIFIERS: Final = {"token": ("", "not"), "string": ("", "contains", "exact")}
ORDERED: Final = ("date", "number", "quantity")


@dataclass(frozen=True)
class Parameter:
    """A search parameter.

    Attributes:
        kind: how its values are compared.
        read: gives what a record has for it.
        description: what it finds, in one phrase.
    """

    kind: Kind
    read: Callable[[Record], Any] = field(repr=False)
    description: str


@dataclass(frozen=True)
class _Given:
    """One alternative of one parameter of a query."""

    name: str
    modifier: str
    value: str


def build(parameter: Parameter, name: str, modifier: str, value: str) -> Test:
    """Make the test of one parameter of a query.

    Args:
        parameter: what is compared.
        name: as the query writes it, for a refusal.
        modifier: such as ``contains``, or empty.
        value: one alternative, or several with commas between them.

    Raises:
        BadSearchError: a modifier that the kind does not take, or a value that makes no sense.
    """
    if modifier not in _MODIFIERS.get(parameter.kind, ("",)):
        raise BadSearchError("not-supported", f"Modificateur inconnu dans le paramètre « {name[:80]} ».")
    compare = _COMPARERS[parameter.kind]
    tests = [compare(_Given(name, modifier, alternative)) for alternative in _alternatives(value)]
    read = parameter.read
    if modifier == "not":
        return lambda record: not any(test(read(record)) for test in tests)
    return lambda record: any(test(read(record)) for test in tests)


def _alternatives(value: str) -> list[str]:
    """Divide a value at its commas, those left out that a backslash stands before."""
    return re.findall(r"(?:[^\\,]|\\.?)+", value, re.DOTALL)


def escaped(text: str) -> str:
    """Write a text so that it is one alternative, and means itself."""
    return re.sub(r"([\\,])", r"\\\1", text)


def _plain(text: str) -> str:
    """Take the escapes away (FHIR R4, "escaping search parameters")."""
    return re.sub(r"\\([\\,$|])", r"\1", text)


def _token(given: _Given) -> Callable[[Any], bool]:
    *before, last = re.split(r"(?<!\\)\|", given.value)
    system, code = "|".join(before), _plain(last)

    def test(tokens: Sequence[Token]) -> bool:
        return any((not code or code == own) and (not before or system == of) for of, own in tokens)

    return test


@lru_cache(maxsize=8192)
def _folded(text: str) -> str:
    """Drop case and accents, as FHIR string searches do."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(character for character in plain if not unicodedata.combining(character)).casefold()


def _string(given: _Given) -> Callable[[Any], bool]:
    if given.modifier == "exact":
        exact = _plain(given.value)
        return lambda text: text == exact
    wanted = _folded(_plain(given.value))
    if given.modifier == "contains":
        return lambda text: wanted in _folded(text)
    return lambda text: _folded(text).startswith(wanted)


_PREFIXED: Final = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb)?(.*)", re.DOTALL)
_Span = tuple[float, float]  # the first second that belongs to it, and the first that does not
_COMPARISONS: Final[dict[str, Callable[[float, _Span], bool]]] = {
    "eq": lambda own, span: span[0] <= own < span[1],
    "ne": lambda own, span: not span[0] <= own < span[1],
    "gt": lambda own, span: own >= span[1],
    "sa": lambda own, span: own >= span[1],
    "lt": lambda own, span: own < span[0],
    "eb": lambda own, span: own < span[0],
    "ge": lambda own, span: own >= span[0],
    "le": lambda own, span: own < span[1],
}


def _prefixed(value: str) -> tuple[str, str]:
    prefix, text = _PREFIXED.fullmatch(value).groups()  # type: ignore[union-attr]  # it matches every text
    return prefix or "eq", text


def _date(given: _Given) -> Callable[[Any], bool]:
    prefix, text = _prefixed(given.value)
    try:
        span = _span(text)
    except (ValueError, OverflowError):
        why = "une date FHIR est attendue, avec un préfixe gt, lt, ge, le, sa ou eb"
        raise bad_value(given.name, why) from None
    compare = _COMPARISONS[prefix]
    return lambda own: own is not None and compare(own, span)


def _number(given: _Given) -> Callable[[Any], bool]:
    prefix, text = _prefixed(given.value)
    if not re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", text, re.ASCII):
        raise bad_value(given.name, "un nombre est attendu")
    number = float(text)
    # The numbers of the records are whole: one that is not stands between two of them.
    span = (math.ceil(number), math.floor(number) + 1)
    compare = _COMPARISONS[prefix]
    return lambda own: own is not None and compare(own, span)


_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:(?P<minute>\d\d)(:(?P<second>\d\d)(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)


def _span(text: str) -> _Span:
    """Give the first second of a FHIR date and the first one after it; without a time zone it is UTC."""
    if re.fullmatch(r"\d{4}(-\d\d)?", text, re.ASCII):
        year, month = int(text[:4]), int(text[5:] or 1)
        start = datetime(year, month, 1, tzinfo=UTC)
        days = calendar.monthrange(year, month)[1] if text[5:] else 365 + calendar.isleap(year)
        return start.timestamp(), (start + timedelta(days=days)).timestamp()
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    start = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = 1 if found["second"] else 60 if found["minute"] else 86_400
    return start.timestamp(), start.timestamp() + seconds


def _quantity(given: _Given) -> Callable[[Any], bool]:
    """Compare the numbers alone: a unit must be there, but each parameter knows only one."""
    number, *unit = given.value.split("|")
    if len(unit) != 2:
        raise bad_value(given.name, "la forme attendue est nombre|système|unité")
    return _number(_Given(given.name, given.modifier, number))


def _reference(given: _Given) -> Callable[[Any], bool]:
    return lambda references: given.value in references


def _near(given: _Given) -> Callable[[Any], bool]:
    latitude, longitude, within = circle(given.name, given.value)
    return lambda position: position is not None and distance(position, (latitude, longitude)) <= within


_COMPARERS: Final = {
    "token": _token,
    "string": _string,
    "date": _date,
    "number": _number,
    "quantity": _quantity,
    "reference": _reference,
    "special": _near,
}
