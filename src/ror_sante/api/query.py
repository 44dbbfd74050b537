"""Build a search of the national ROR: immutable, chained, and checked against the documented parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from ror_sante.api.fields import (
    HealthcareServiceFields,
    PlaceFields,
    PractitionerFields,
    QuestionnaireFields,
    TaskFields,
    WholeOrganizationFields,
)
from ror_sante.api.filters import Condition
from ror_sante.api.parameters import CONTROLS, check_include, look_up
from ror_sante.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from ror_sante.api.terms import Criterion

Include = Literal[
    "HealthcareService:organization",
    "HealthcareService:location",
    "Location:organization",
    "Organization:partof",
    "PractitionerRole:practitioner",
    "PractitionerRole:organization",
]
RevInclude = Literal[
    "PractitionerRole:service",
    "PractitionerRole:organization",
    "HealthcareService:location",
    "HealthcareService:organization",
]


class Query:
    """A search of one resource type: an immutable list of parameters.

    Each method gives a new query. The parameters come as `params`; a query is also an iterable of them.
    """

    resource_type: ClassVar[str]

    def __init__(self, params: Iterable[tuple[str, str]] = ()) -> None:
        self._params = tuple(params)

    @property
    def params(self) -> tuple[tuple[str, str], ...]:
        """Pairs of name and value, in the order of the calls."""
        return self._params

    def param(self, name: str, *values: str) -> Self:
        """Add a parameter by its name.

        Args:
            name: as in a query, chain and modifier included: ``location.address-city:contains``.
            values: one of them suffices (OR); as FHIR writes them, prefix included. ``R211|013`` is not completed.

        Raises:
            ConfigurationError: it is not in the documented set; the hint names what is close to it.
        """
        if name in CONTROLS:
            raise ConfigurationError(f"{name} has a method of its own")
        if not values:
            raise ConfigurationError(f"{printable(name, 80)} is given no value")
        look_up(self.resource_type, name)
        return self.raw(name, ",".join(values))

    def raw(self, name: str, value: str) -> Self:
        """Add any parameter, without a check: for what is not documented."""
        return type(self)((*self._params, (name, value)))

    def filter(self, expression: Condition | str) -> Self:
        """Add a ``_filter``.

        Args:
            expression: composed from `where`, or a text that is passed on as it is: it is the ROR's own dialect.

        Raises:
            ConfigurationError: this type has no ``_filter``.
        """
        look_up(self.resource_type, "_filter")
        return self.raw("_filter", str(expression))

    def include(self, key: Include, *, iterate: bool = False) -> Self:
        """Bring along what the results refer to.

        Args:
            key: resource type and reference.
            iterate: also from what other rules brought.

        Raises:
            ConfigurationError: it is not documented for this type.
        """
        return self._rule("_include", key, iterate=iterate)

    def revinclude(self, key: RevInclude, *, iterate: bool = False) -> Self:
        """Bring along what refers to the results.

        Args:
            key: resource type and reference.
            iterate: also to what other rules brought.

        Raises:
            ConfigurationError: it is not documented for this type.
        """
        return self._rule("_revinclude", key, iterate=iterate)

    def count(self, size: int) -> Self:
        """Set the size of a page; 200 is what the service gives by default and, as far as is known, at most."""
        if isinstance(size, bool) or size < 1:
            raise ConfigurationError("_count is a whole number from 1")
        return self.raw("_count", str(size))

    def sort(self, *names: str) -> Self:
        """Order the results by these parameters; ``-`` before a name reverses.

        Raises:
            ConfigurationError: a name that is not in the documented set.
        """
        if not names:
            raise ConfigurationError("_sort is given no name")
        for name in names:
            look_up(self.resource_type, name.removeprefix("-"))
        return self.raw("_sort", ",".join(names))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Query) and type(self) is type(other) and self._params == other._params

    def __hash__(self) -> int:
        return hash((type(self), self._params))

    def __repr__(self) -> str:
        # Names alone: a value may be an RPPS number or somebody's whereabouts.
        return f"{type(self).__name__}({', '.join(printable(name, 80) for name, _ in self._params)})"

    def _rule(self, control: str, key: str, *, iterate: bool) -> Self:
        name = f"{control}:iterate" if iterate else control
        check_include(self.resource_type, name, key)
        return self.raw(name, key)

    def _with(self, criterion: Criterion) -> Self:
        name = f"{criterion.name}:{criterion.modifier}" if criterion.modifier else criterion.name
        look_up(self.resource_type, name)
        prefix = "" if criterion.comparison == "eq" else criterion.comparison
        return self.raw(name, ",".join(f"{prefix}{value}" for value in criterion.values))


class HealthcareServiceQuery(HealthcareServiceFields["HealthcareServiceQuery"], Query):
    """A search of offers of care, the pivot of the ROR.

    Example::

        query = HealthcareServiceQuery().specialty("R211|013").location.near_insee_code("44162", 15).full_offer()
        for offer in ror.search(query):
            print(offer["name"])
    """

    resource_type = "HealthcareService"
    where: ClassVar[HealthcareServiceFields[Condition]] = HealthcareServiceFields(Condition.of)

    def __init__(self, params: Iterable[tuple[str, str]] = ()) -> None:
        Query.__init__(self, params)
        HealthcareServiceFields.__init__(self, self._with)

    def full_offer(self) -> Self:
        """Bring along the organizations up to the legal entity, the places, the roles and the people.

        These are the five rules of every published example; the last goes without ``:iterate``, as there.
        """
        return (
            self.include("HealthcareService:organization")
            .include("Organization:partof", iterate=True)
            .include("HealthcareService:location")
            .revinclude("PractitionerRole:service")
            .include("PractitionerRole:practitioner")
        )


class LocationQuery(PlaceFields["LocationQuery"], Query):
    """A search of places."""

    resource_type = "Location"
    where: ClassVar[PlaceFields[Condition]] = PlaceFields(Condition.of)

    def __init__(self, params: Iterable[tuple[str, str]] = ()) -> None:
        Query.__init__(self, params)
        PlaceFields.__init__(self, self._with)


class OrganizationQuery(WholeOrganizationFields["OrganizationQuery"], Query):
    """A search of legal entities (EJ), their sites (EG) and units (OI)."""

    resource_type = "Organization"
    where: ClassVar[WholeOrganizationFields[Condition]] = WholeOrganizationFields(Condition.of)

    def __init__(self, params: Iterable[tuple[str, str]] = ()) -> None:
        Query.__init__(self, params)
        WholeOrganizationFields.__init__(self, self._with)


class PractitionerQuery(PractitionerFields["PractitionerQuery"], Query):
    """A search of people."""

    resource_type = "Practitioner"
    where: ClassVar[PractitionerFields[Condition]] = PractitionerFields(Condition.of)

    def __init__(self, params: Iterable[tuple[str, str]] = ()) -> None:
        Query.__init__(self, params)
        PractitionerFields.__init__(self, self._with)


class PractitionerRoleQuery(PractitionerFields["PractitionerRoleQuery"], Query):
    """A search of what people do, and where."""

    resource_type = "PractitionerRole"
    where: ClassVar[PractitionerFields[Condition]] = PractitionerFields(Condition.of)

    def __init__(self, params: Iterable[tuple[str, str]] = ()) -> None:
        Query.__init__(self, params)
        PractitionerFields.__init__(self, self._with)


class TaskQuery(TaskFields["TaskQuery"], Query):
    """A search of anomaly reports; the documents call this search a draft, and reading one by its id none."""

    resource_type = "Task"
    where: ClassVar[TaskFields[Condition]] = TaskFields(Condition.of)

    def __init__(self, params: Iterable[tuple[str, str]] = ()) -> None:
        Query.__init__(self, params)
        TaskFields.__init__(self, self._with)


class QuestionnaireQuery(QuestionnaireFields["QuestionnaireQuery"], Query):
    """A search of entry templates; the documents call it a draft. It has no ``_filter``, and so no `where`."""

    resource_type = "Questionnaire"

    def __init__(self, params: Iterable[tuple[str, str]] = ()) -> None:
        Query.__init__(self, params)
        QuestionnaireFields.__init__(self, self._with)
