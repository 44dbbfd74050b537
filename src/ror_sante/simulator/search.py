"""Read a query, find the records that it asks for, and what they bring along."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ror_sante.simulator import filters
from ror_sante.simulator.comparing import ORDERED, build, escaped
from ror_sante.simulator.geography import circle
from ror_sante.simulator.refusals import BadSearchError, bad_value
from ror_sante.simulator.search_parameters import (
    ABOVE,
    CHAINS,
    CODE_REGION,
    DIRECT,
    NOT_CHAINED,
    PARAMETERS,
    PERSON,
    PERSON_NUMBER,
    REFERRERS,
    SORTED,
    TYPED_IDENTIFIER,
    unknown,
)
from ror_sante.simulator.sequences import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ror_sante.simulator.comparing import Test
    from ror_sante.simulator.data import Directory
    from ror_sante.simulator.records import Record

    Order = tuple[Callable[[Record], Any], bool]

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
_IGNORED: Final = frozenset({"_format", "_pretty"})


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
            raise bad_value("_filter", str(error)) from None

    def _condition(self, name: str, operator: str, value: str) -> Test:
        """Make the test of one condition of a ``_filter``: its operator is the prefix of the value, but for codes."""
        parameter = name.removesuffix(ABOVE).rpartition(".")[2]
        compared = any(own.get(parameter) and own[parameter].kind in ORDERED for own in PARAMETERS.values())
        if not compared and operator not in ("eq", "ne"):
            raise bad_value("_filter", f"« {name[:40]} » ne se compare pas avec {operator}")
        test = self._test(self.resource_type, name, (operator if compared else "") + escaped(value))
        return test if compared or operator == "eq" else lambda record: not test(record)

    def _test(self, resource_type: str, name: str, value: str) -> Test:
        if name.startswith("_has:"):
            return self._had(resource_type, name, value)
        if name.partition(":")[0] == f"{PERSON}identifier" and resource_type == "HealthcareService":
            return self._had(resource_type, f"_has:PractitionerRole:service:{name}", value)
        if name == CODE_REGION.get(resource_type):
            codes = {part.rpartition("|")[2] for part in value.split(",")}
            return lambda record: record.city.region in codes
        for prefix, target in CHAINS.get(resource_type, {}).items():
            if name.startswith(prefix):
                return self._chained(name, value, prefix=prefix, target=target)
        base, _, modifier = name.partition(":")
        parameter = PARAMETERS[resource_type].get(base)
        if parameter is None:
            raise unknown(resource_type, name)
        if modifier == "of-type" and base == "identifier":
            if value.count("|") < 2:
                raise bad_value(name, "la forme attendue est système|type|valeur")
            parameter, modifier = TYPED_IDENTIFIER, ""
        if parameter.kind == "special":
            self.near = circle(base, value)[:2]
        return build(parameter, name, modifier, value)

    def _had(self, resource_type: str, name: str, value: str) -> Test:
        """Make the test of ``_has``: some record that refers to this one passes."""
        key, _, inner = name.removeprefix("_has:").partition(":")[2].partition(":")
        key = f"{name.split(':')[1]}:{key}"
        if key not in REFERRERS.get(resource_type, ()):
            raise unknown(resource_type, name)
        referrer, _, link = key.partition(":")
        if referrer == "PractitionerRole" and inner.startswith(PERSON):
            person = self._person(inner.removeprefix(PERSON), value)
            people = {record.reference for record in self.directory.scan("Practitioner") if person(record)}
            test: Test = lambda record: not people.isdisjoint(record.links["practitioner"])  # noqa: E731  as the other
        else:
            test = self._test(referrer, inner, value)
        wanted = {at for record in self.directory.scan(referrer) if test(record) for at in record.links[link]}
        return lambda record: record.reference in wanted

    def _person(self, name: str, value: str) -> Test:
        """Make the test of a person that a role leads to: META calls the identifier a string there."""
        base, _, modifier = name.partition(":")
        if base == "identifier" and modifier in ("contains", "exact"):
            return build(PERSON_NUMBER, name, modifier, value)
        return self._test("Practitioner", name, value)

    def _chained(self, name: str, value: str, *, prefix: str, target: str) -> Test:
        inner = name.removeprefix(prefix)
        if inner.partition(":")[0] in NOT_CHAINED[target]:
            raise unknown(self.resource_type, name)
        above = inner.endswith(ABOVE) and target == "Organization"
        if target == "Organization" and not above and inner.partition(":")[0] not in DIRECT:
            raise unknown(self.resource_type, name)
        test = self._test(target, inner.removesuffix(ABOVE), value)
        wanted = {record.reference for record in self.directory.scan(target) if test(record)}
        link = prefix.rstrip(".")
        if above:
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


def _whole(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise bad_value(name, "un nombre entier est attendu")
    return int(value[:9])


def _order(resource_type: str, part: str) -> Order:
    name = part.removeprefix("-")
    parameter = PARAMETERS[resource_type].get(name)
    if parameter is None or name not in SORTED:
        raise BadSearchError("not-supported", f"Le tri par « {name[:40]} » n'est pas possible.")
    return parameter.read, part.startswith("-")


def _rule(name: str, value: str) -> Rule:
    base, _, modifier = name.partition(":")
    key = ":".join(value.split(":")[:2])
    back = base == "_revinclude"
    if modifier not in ("", "iterate") or key not in (REVINCLUDES if back else INCLUDES):
        raise BadSearchError("not-supported", f"Inclusion inconnue « {name[:40]}={value[:80]} ».")
    return Rule(key, back, iterate=modifier == "iterate" or key == _ALWAYS_ITERATED)
