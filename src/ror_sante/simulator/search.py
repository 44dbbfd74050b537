"""Find records by the documented search parameters, or by a fair part of them, and what they bring along."""

from __future__ import annotations

import calendar
import math
import re
import unicodedata
from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from ror_sante.simulator import filters
from ror_sante.simulator.payloads import payload
from ror_sante.simulator.sequences import Records
from ror_sante.simulator.vocabulary import CITIES, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ror_sante.simulator.data import Directory
    from ror_sante.simulator.records import Record, Token

    Test = Callable[[Record], bool]
    Order = tuple[Callable[[Record], Any], bool]

Kind = Literal["token", "string", "date", "number", "quantity", "reference", "special"]

# ROR-fhir-documentation, search pages: what each search may bring along. META says "*".
INCLUDES: Final = (
    "HealthcareService:organization",
    "HealthcareService:location",
    "Location:organization",
    "Organization:partof",
    "PractitionerRole:practitioner",
    "PractitionerRole:organization",
)
REVINCLUDES: Final = (
    "PractitionerRole:service",
    "PractitionerRole:organization",
    "HealthcareService:location",
    "HealthcareService:organization",
)
# Given without :iterate in every published example, although the role itself arrives by _revinclude.
_ALWAYS_ITERATED: Final = "PractitionerRole:practitioner"

_EARTH: Final = 6371.0  # km


class BadSearchError(Exception):
    """A search that a FHIR server refuses.

    Attributes:
        code: the FHIR issue type.
        diagnostics: why, in French.
    """

    def __init__(self, code: str, diagnostics: str) -> None:
        super().__init__(diagnostics)
        self.code = code
        self.diagnostics = diagnostics


@dataclass(frozen=True)
class Rule:
    """One ``_include`` or ``_revinclude``.

    Attributes:
        key: resource type and search parameter, such as ``HealthcareService:location``.
        back: it is a ``_revinclude``.
        iterate: apply it to what other rules brought, too.
    """

    key: str
    back: bool
    iterate: bool


@dataclass(frozen=True)
class Search:
    """What a query asks for.

    Attributes:
        resource_type: the type searched.
        tests: what a record must all pass.
        rules: what is brought along.
        count: matches a page, or None when the query does not say.
        near: the point of a ``near`` parameter, which makes distances appear.
        order: keys to sort by, the first one first, each with whether it is reversed; without any, by id.
    """

    resource_type: str
    tests: tuple[Test, ...] = ()
    rules: tuple[Rule, ...] = ()
    count: int | None = None
    near: tuple[float, float] | None = None
    order: tuple[Order, ...] = ()

    def matches(self, directory: Directory) -> Sequence[Record]:
        """Give the records that pass every test."""
        records = directory.records(self.resource_type)
        if not self.tests and not self.order:
            return records
        seen = enumerate(directory.scan(self.resource_type))
        found: Iterable[tuple[int, Record]] = (pair for pair in seen if all(test(pair[1]) for test in self.tests))
        for key, backwards in reversed(self.order):
            found = sorted(found, key=_second(key), reverse=backwards)
        return Records(records.__getitem__, array("Q", (place for place, _ in found)))

    def included(self, directory: Directory, matches: Iterable[Record]) -> list[Record]:
        """Give what the matches bring along, each record once and no match among them."""
        found = {record.reference: record for record in matches}
        first = set(found)
        frontier = list(found.values())
        rules = self.rules
        while frontier:
            brought = [target for record in frontier for rule in rules for target in _follow(rule, record, directory)]
            frontier = [
                found.setdefault(record.reference, record) for record in brought if record.reference not in found
            ]
            frontier = list({record.reference: record for record in frontier}.values())
            rules = tuple(rule for rule in self.rules if rule.iterate)
        return [record for reference, record in found.items() if reference not in first]


def _second(key: Callable[[Record], Any]) -> Callable[[tuple[int, Record]], Any]:
    return lambda pair: key(pair[1])


def _follow(rule: Rule, record: Record, directory: Directory) -> Iterator[Record]:
    resource_type, _, parameter = rule.key.partition(":")
    if rule.back:
        yield from directory.referrers(rule.key, record.reference)
    elif record.type == resource_type:
        yield from filter(None, map(directory.get, record.links.get(parameter, ())))


# ------------------------------------------------------------------ the parameters


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


def _codes(name: str, description: str) -> Parameter:
    return Parameter("token", lambda record: record.codes.get(name, ()), description)


def _nothing(kind: Kind, names: str, value: Any = None) -> dict[str, Parameter]:
    """Give documented parameters that the synthetic records have no values for: they are taken, and find nothing."""
    return {name: Parameter(kind, lambda _: value, "no synthetic record has it") for name in names.split()}


def _missing_codes(names: str) -> dict[str, Parameter]:
    return _nothing("token", names, ())


_IDENTIFIER: Final = Parameter("token", lambda record: record.identifiers, "business identifier")
_COMMON: Final = {
    "_id": Parameter("token", lambda record: (("", record.id),), "technical id"),
    "_lastUpdated": Parameter("date", lambda record: record.updated, "when the record last changed"),
    "_tag": Parameter("token", lambda record: ((REGION, record.city.region),), "region that the record comes from"),
    "identifier": _IDENTIFIER,
}
_NAME: Final = {"name": Parameter("string", lambda record: record.name, "name")}

PARAMETERS: Final[dict[str, dict[str, Parameter]]] = {
    "HealthcareService": _COMMON
    | _NAME
    | {
        "service-category": _codes("service-category", "category of offer"),
        "service-type": _codes("service-type", "field of activity"),
        "specialty": _codes("specialty", "operational activity"),
        "characteristic": _codes("characteristic", "mode of care"),
        "location": Parameter("reference", lambda record: record.links["location"], "place of the offer"),
        "age-range-low": Parameter("quantity", lambda _: 18, "youngest age, in years"),
        "age-range-high": Parameter("quantity", lambda _: 120, "greatest age, in years"),
    }
    | _missing_codes("specific-competence intervention-zone patient-type")
    | _nothing("string", "psychiatric-sector", "")
    | _nothing("date", "notavailable-closing-reopeningdate"),
    "Location": _COMMON
    | {
        "type": _codes("type", "function of the place"),
        "status": Parameter(
            "token",
            lambda record: (("http://hl7.org/fhir/location-status", "active" if record.active else "inactive"),),
            "active or inactive",
        ),
        "address-city": Parameter("string", lambda record: record.city.name, "town"),
        "address-postalcode": Parameter("string", lambda record: record.city.postal_code, "postal code, or its start"),
        "commune-cog": _codes("commune-cog", "code of the commune"),
        "near": Parameter("special", lambda record: record.position, "latitude|longitude|distance|km"),
        "near-insee-code": Parameter("special", lambda record: record.position, "INSEE code|distance|km"),
        "capacity-type": _codes("capacity-type", "kind of capacity"),
        "capacity-status": _codes("capacity-status", "state of the capacity"),
        "nb-capacity": Parameter("number", lambda record: record.capacity, "number of beds"),
        "capacity-update-date": Parameter(
            "date", lambda record: None if record.capacity is None else record.updated, "when beds were counted"
        ),
    }
    | _missing_codes("operational-status temporality-capacity gender-capacity-available capacity-closing-type")
    | _missing_codes("additional-bed-type crisis-type temporary-assignement equipment-type equipment-feature")
    | _missing_codes("residential-type")
    | _nothing("number", "residential-number")
    | _nothing("quantity", "limit-value"),
    "Organization": _COMMON
    | _NAME
    | {"type": _codes("type", "category")}
    | _missing_codes("closing-type drop-zone price-type price-unit price-residential-type price-dependency-level")
    | _missing_codes("price-welcome-type special-price")
    | _nothing("number", "price-amount-value")
    | _nothing("date", "period-end price-validity-start-date"),
    "Practitioner": _COMMON,
    "PractitionerRole": _COMMON,
}

# META lists the chain to the organization in its :above form alone: the match may stand anywhere up the tree.
_CHAINS: Final = {"HealthcareService": {"location.": "Location", "organization.": "Organization"}}
_ABOVE: Final = ":above"
# The FHIR guide of exposure model 2.4 (me24) has these; the statement of model 3.0 lists them no more.
_CODE_REGION: Final = {"Location": "code-region", "HealthcareService": "location:code-region"}
_IGNORED: Final = frozenset({"_format", "_pretty"})
_CONTROLS: Final = ("_count", "_filter", "_include", "_include:iterate", "_revinclude", "_revinclude:iterate", "_sort")
# META: the chains leave these out.
_NOT_CHAINED: Final = {"Location": {"operational-status"}, "Organization": {"period-end"}}
# Who refers to a type, and by what: ``_has:PractitionerRole:service:identifier``.
_REFERRERS: Final = {
    "HealthcareService": ("PractitionerRole:service",),
    "Location": ("HealthcareService:location",),
}
_PERSON: Final = "practitioner."
_SORTED: Final = ("_id", "_lastUpdated", "name", "address-city", "address-postalcode")


def parameter_names(resource_type: str) -> list[str]:
    """Name every parameter of a type, as ``/metadata`` lists them."""
    own = list(PARAMETERS[resource_type])
    for prefix, target in _CHAINS.get(resource_type, {}).items():
        suffix = _ABOVE if target == "Organization" else ""
        own += [f"{prefix}{name}{suffix}" for name in PARAMETERS[target] if name not in _NOT_CHAINED[target]]
    own += [f"{_PERSON}identifier"] if resource_type == "HealthcareService" else []
    return sorted([*own, *_CONTROLS])


def parameter_type(resource_type: str, name: str) -> str:
    """Name the FHIR type of a parameter as ``/metadata`` lists it: the controls are strings there, as in META."""
    own = {"_count": "number", "_filter": "special"}.get(name)
    if own or name in _CONTROLS:
        return own or "string"
    chained = next((each for each in _CHAINS.get(resource_type, {}).items() if name.startswith(each[0])), None)
    if chained is not None:
        return parameter_type(chained[1], name.removeprefix(chained[0]).removesuffix(_ABOVE))
    return "string" if name.startswith(_PERSON) else PARAMETERS[resource_type][name].kind


def parse(directory: Directory, resource_type: str, params: Iterable[tuple[str, str]]) -> Search:
    """Read a query.

    Args:
        directory: where chained parameters look.
        resource_type: one of `ror_sante.simulator.records.TYPES`.
        params: pairs of name and value; a repeated name means AND, a comma in a value OR. An empty value is
            ignored, as FHIR servers do.

    Raises:
        BadSearchError: an unknown parameter or modifier, or a value that makes no sense.
    """
    reader = _Reader(directory, resource_type)
    for name, value in params:
        if value and name not in _IGNORED:
            reader.take(name, value)
    return Search(
        resource_type, tuple(reader.tests), tuple(reader.rules), reader.count, reader.near, tuple(reader.order)
    )


class _Reader:
    """Reads the parameters of one query, one by one."""

    def __init__(self, directory: Directory, resource_type: str) -> None:
        self.directory = directory
        self.resource_type = resource_type
        self.tests: list[Test] = []
        self.rules: list[Rule] = []
        self.count: int | None = None
        self.near: tuple[float, float] | None = None
        self.order: list[Order] = []

    def take(self, name: str, value: str) -> None:
        base = name.partition(":")[0]
        if name == "_count":
            self.count = _whole(name, value)
        elif base in ("_include", "_revinclude"):
            self.rules.append(_rule(name, value))
        elif name == "_sort":
            self.order += [_order(self.resource_type, part) for part in value.split(",")]
        elif name == "_filter":
            self.tests.append(self._filtered(value))
        else:
            self.tests.append(self._test(self.resource_type, name, value))

    def _filtered(self, expression: str) -> Test:
        try:
            return filters.read(expression, self._condition)
        except filters.FilterError as error:
            raise _bad_value("_filter", str(error)) from None

    def _condition(self, name: str, operator: str, value: str) -> Test:
        """Make the test of one condition of a ``_filter``: its operator is the prefix of the value, but for codes."""
        parameter = name.removesuffix(_ABOVE).rpartition(".")[2]
        compared = any(own.get(parameter) and own[parameter].kind in _ORDERED for own in PARAMETERS.values())
        if not compared and operator not in ("eq", "ne"):
            raise _bad_value("_filter", f"« {name[:40]} » ne se compare pas avec {operator}")
        test = self._test(self.resource_type, name, (operator if compared else "") + value.replace(",", "\\,"))
        return test if compared or operator == "eq" else lambda record: not test(record)

    def _test(self, resource_type: str, name: str, value: str) -> Test:
        if name.startswith("_has:"):
            return self._had(resource_type, name, value)
        if name == f"{_PERSON}identifier" and resource_type == "HealthcareService":
            return self._had(resource_type, f"_has:PractitionerRole:service:{name}", value)
        if name == _CODE_REGION.get(resource_type):
            codes = {part.rpartition("|")[2] for part in value.split(",")}
            return lambda record: record.city.region in codes
        for prefix, target in _CHAINS.get(resource_type, {}).items():
            if name.startswith(prefix):
                return self._chained(name, value, prefix=prefix, target=target)
        base, _, modifier = name.partition(":")
        parameter = PARAMETERS[resource_type].get(base)
        if parameter is None:
            raise _unknown(resource_type, name)
        if modifier == "of-type" and base == "identifier":
            if value.count("|") < 2:
                raise _bad_value(name, "la forme attendue est système|type|valeur")
            parameter, modifier = _TYPED_IDENTIFIER, ""
        if parameter.kind == "special":
            self.near = _circle(base, value)[:2]
        return _build(parameter, name, modifier, value)

    def _had(self, resource_type: str, name: str, value: str) -> Test:
        """Make the test of ``_has``: some record that refers to this one passes."""
        key, _, inner = name.removeprefix("_has:").partition(":")[2].partition(":")
        key = f"{name.split(':')[1]}:{key}"
        if key not in _REFERRERS.get(resource_type, ()):
            raise _unknown(resource_type, name)
        referrer, _, link = key.partition(":")
        if referrer == "PractitionerRole" and inner.startswith(_PERSON):
            person = self._test("Practitioner", inner.removeprefix(_PERSON), value)
            people = {record.reference for record in self.directory.scan("Practitioner") if person(record)}
            test: Test = lambda record: not people.isdisjoint(record.links["practitioner"])  # noqa: E731  as the other
        else:
            test = self._test(referrer, inner, value)
        wanted = {at for record in self.directory.scan(referrer) if test(record) for at in record.links[link]}
        return lambda record: record.reference in wanted

    def _chained(self, name: str, value: str, *, prefix: str, target: str) -> Test:
        inner = name.removeprefix(prefix)
        if inner.partition(":")[0] in _NOT_CHAINED[target]:
            raise _unknown(self.resource_type, name)
        if target == "Organization":
            if not inner.endswith(_ABOVE):
                raise _unknown(self.resource_type, name)
            inner = inner.removesuffix(_ABOVE)
        test = self._test(target, inner, value)
        wanted = {record.reference for record in self.directory.scan(target) if test(record)}
        link = prefix.rstrip(".")
        if target == "Organization":
            wanted = _below(self.directory, wanted)
        return lambda record: not wanted.isdisjoint(record.links[link])


def _below(directory: Directory, wanted: set[str]) -> set[str]:
    """Add every organization that stands below one of those wanted."""
    found = set(wanted)
    frontier = wanted
    while frontier:
        frontier = {
            record.reference
            for parent in frontier
            for record in directory.referrers("Organization:partof", parent)
            if record.reference not in found
        }
        found |= frontier
    return found


def _unknown(resource_type: str, name: str) -> BadSearchError:
    known = ", ".join(parameter_names(resource_type))
    return BadSearchError(
        "not-supported",
        f"Paramètre de recherche inconnu « {name[:80]} » pour la ressource {resource_type}. Connus : {known}.",
    )


def _bad_value(name: str, why: str) -> BadSearchError:
    return BadSearchError("invalid", f"Valeur incorrecte du paramètre « {name[:80]} » : {why}.")


def _whole(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise _bad_value(name, "un nombre entier est attendu")
    return int(value[:9])


def _order(resource_type: str, part: str) -> Order:
    name = part.removeprefix("-")
    parameter = PARAMETERS[resource_type].get(name)
    if parameter is None or name not in _SORTED:
        raise BadSearchError("not-supported", f"Le tri par « {name[:40]} » n'est pas possible.")
    return parameter.read, part.startswith("-")


def _rule(name: str, value: str) -> Rule:
    base, _, modifier = name.partition(":")
    key = ":".join(value.split(":")[:2])
    back = base == "_revinclude"
    if modifier not in ("", "iterate") or key not in (REVINCLUDES if back else INCLUDES):
        raise BadSearchError("not-supported", f"Inclusion inconnue « {name[:40]}={value[:80]} ».")
    return Rule(key, back, iterate=modifier == "iterate" or key == _ALWAYS_ITERATED)


# ------------------------------------------------------------------ how values are compared

_MODIFIERS: Final = {"token": ("", "not"), "string": ("", "contains", "exact")}
_ORDERED: Final = ("date", "number", "quantity")


def _typed_identifiers(record: Record) -> tuple[Token, ...]:
    """Give each identifier as its type's system, and its type's code and value: what ``:of-type`` compares."""
    found = []
    for identifier in payload(record)["identifier"]:
        for coding in identifier.get("type", {}).get("coding", ()):
            found.append((f"{coding['system']}|{coding['code']}", identifier["value"]))
    return tuple(found)


_TYPED_IDENTIFIER: Final = Parameter("token", _typed_identifiers, "identifier of a type")


@dataclass(frozen=True)
class _Given:
    """One alternative of one parameter of a query."""

    name: str
    modifier: str
    value: str


def _build(parameter: Parameter, name: str, modifier: str, value: str) -> Test:
    if modifier not in _MODIFIERS.get(parameter.kind, ("",)):
        raise BadSearchError("not-supported", f"Modificateur inconnu dans le paramètre « {name[:80]} ».")
    alternatives = [part.replace("\\,", ",") for part in re.split(r"(?<!\\),", value)]
    compare = _COMPARERS[parameter.kind]
    tests = [compare(_Given(name, modifier, alternative)) for alternative in alternatives]
    read = parameter.read
    if modifier == "not":
        return lambda record: not any(test(read(record)) for test in tests)
    return lambda record: any(test(read(record)) for test in tests)


def _token(given: _Given) -> Callable[[Any], bool]:
    system, bar, code = given.value.rpartition("|")

    def test(tokens: Sequence[Token]) -> bool:
        return any((not code or code == own) and (not bar or system == of) for of, own in tokens)

    return test


@lru_cache(maxsize=8192)
def _folded(text: str) -> str:
    """Drop case and accents, as FHIR string searches do."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(character for character in plain if not unicodedata.combining(character)).casefold()


def _string(given: _Given) -> Callable[[Any], bool]:
    if given.modifier == "exact":
        return lambda text: text == given.value
    wanted = _folded(given.value)
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
        raise _bad_value(given.name, why) from None
    compare = _COMPARISONS[prefix]
    return lambda own: own is not None and compare(own, span)


def _number(given: _Given) -> Callable[[Any], bool]:
    prefix, text = _prefixed(given.value)
    number = _whole(given.name, text)
    compare = _COMPARISONS[prefix]
    return lambda own: own is not None and compare(own, (number, number + 1))


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
        raise _bad_value(given.name, "la forme attendue est nombre|système|unité")
    return _number(_Given(given.name, given.modifier, number))


def _reference(given: _Given) -> Callable[[Any], bool]:
    return lambda references: given.value in references


def _near(given: _Given) -> Callable[[Any], bool]:
    latitude, longitude, within = _circle(given.name, given.value)
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


def _circle(name: str, value: str) -> tuple[float, float, float]:
    """Read latitude, longitude and distance in km; a commune stands for its position."""
    if not name.endswith("near-insee-code"):
        return _point(value)
    insee, _, radius = value.partition("|")
    city = next((city for city in CITIES if city.insee == insee), None)
    if city is None:
        raise _bad_value(name, "la commune est inconnue du simulateur")
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
        raise _bad_value("near", "la forme attendue est latitude|longitude|distance|km")
    return latitude, longitude, within * unit


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Give the distance of two points on the globe in kilometres (haversine)."""
    (a, b), (c, d) = ((math.radians(x), math.radians(y)) for x, y in (one, other))
    half = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 2 * _EARTH * math.asin(math.sqrt(half))
