"""The five resource types as views, joined by what a search brought along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from ror_sante.api.models import to_model
from ror_sante.api.views.lenient import (
    extended,
    extensions,
    first,
    number,
    reference,
    references,
    text,
    texts,
    value_of,
)
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
    capacities,
    closures,
    concept,
    concepts,
    contacts,
    identifiers,
    opening_times,
    telecoms,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ror_sante.api.fhir.bundle import Bundle
    from ror_sante.api.fhir.resource import Distance, Resource

V = TypeVar("V", bound="View")

# What only one kind of organization has: type of identifier (TRE_G07, TRE_R345), or code system of its type.
_KIND_BY_IDENTIFIER: Final = {"42": "OI", "3": "EG", "2": "EJ"}
_KIND_BY_TABLE: Final = {"R66": "EG", "R72": "EJ", "R213": "OI"}


class Pool:
    """What is at hand to resolve references: the resources of one or several pages.

    The client leaves an included resource out of a page when an earlier page brought it, so a pool must see all
    pages of a search; `views` does that.
    """

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._held: dict[str, Resource] = {}
        self._unsorted: list[Resource] = []
        self._roles: dict[str, list[Resource]] = {}
        self.add(resources)

    def add(self, resources: Iterable[Resource]) -> None:
        """Hold further resources; nothing is decoded yet."""
        for resource in resources:
            key = f"{resource.type}/{resource.id}"
            if resource.type == "PractitionerRole" and key not in self._held:
                self._unsorted.append(resource)
            self._held[key] = resource

    def view(self, resource: Resource) -> View:
        """Give the view of a resource: of its type, or a plain `View`."""
        return _VIEWS.get(resource.type, View)(resource, self)

    def find(self, name: str, kind: type[V]) -> V | None:
        """Resolve a reference, such as ``Organization/5958``.

        Returns:
            Its view, or None when no page brought it along, or when it is of another type.
        """
        resource = self._held.get(name)
        view = None if resource is None else self.view(resource)
        return view if isinstance(view, kind) else None

    def roles_of(self, name: str) -> tuple[PractitionerRoleView, ...]:
        """Give the roles that refer to an offer."""
        for role in self._unsorted:
            for offer in references(role.get("healthcareService")):
                self._roles.setdefault(offer, []).append(role)
        self._unsorted.clear()
        return tuple(PractitionerRoleView(role, self) for role in self._roles.get(name, ()))


class View:
    """A resource with the fields of all five types; the subclasses add theirs.

    A field that is missing is empty or None: less right means fewer fields, and published payloads are not clean.

    Attributes:
        raw: the resource as the server sent it.
    """

    def __init__(self, raw: Resource, pool: Pool | None = None) -> None:
        self.raw = raw
        self._pool = pool or Pool((raw,))

    @property
    def resource_type(self) -> str:
        """The resource type."""
        return self.raw.type

    @property
    def id(self) -> str:
        """The technical id."""
        return self.raw.id

    @property
    def reference(self) -> str:
        """How others refer to it: ``Type/id``."""
        return f"{self.raw.type}/{self.raw.id}"

    @property
    def name(self) -> str:
        """Its name."""
        return text(self.raw.get("name"))

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """Its business identifiers."""
        return identifiers(self.raw.get("identifier"))

    @property
    def updated(self) -> str:
        """When it last changed, as the server wrote it."""
        return text(first(self.raw.get("meta")).get("lastUpdated"))

    @property
    def region(self) -> str:
        """Code of the source region (TRE_R30), such as ``01``; empty when not said."""
        tags = concepts(first(self.raw.get("meta")).get("tag"))
        return next((tag.code for tag in tags if tag.of("R30")), "")

    @property
    def telecoms(self) -> tuple[Telecom, ...]:
        """How to reach it directly."""
        return telecoms(self.raw.get("telecom"))

    @property
    def phone(self) -> str:
        """The first telephone number that leads to it or to whom it belongs; empty when the account sees none."""
        return next((each.value for each in self._all_telecoms() if each.system == "phone"), "")

    def to_model(self) -> Any:
        """Give the model of fhir.resources (R4B): `ror_sante.api.models.to_model`."""
        return to_model(self.raw)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.raw!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and self.raw.raw == other.raw.raw

    def __hash__(self) -> int:
        return hash(self.raw.raw)

    def _all_telecoms(self) -> Iterator[Telecom]:
        yield from self.telecoms

    def _concepts(self, name: str, *tables: str) -> tuple[Concept, ...]:
        found = concepts(self.raw.get(name))
        return tuple(each for each in found if each.of(*tables)) if tables else found

    def _found(self, name: str, kind: type[V]) -> tuple[V, ...]:
        found = (self._pool.find(each, kind) for each in references(self.raw.get(name)))
        return tuple(each for each in found if each is not None)


class OrganizationView(View):
    """A legal entity (EJ), a site of one (EG) or a unit (OI)."""

    @property
    def kind(self) -> str:
        """``EJ``, ``EG`` or ``OI``; empty where neither identifiers nor types tell."""
        by_identifier = (_KIND_BY_IDENTIFIER.get(each.type, "") for each in self.identifiers)
        by_type = (kind for each in self.types for table, kind in _KIND_BY_TABLE.items() if each.of(table))
        return next(filter(None, (*by_identifier, *by_type)), "")

    @property
    def types(self) -> tuple[Concept, ...]:
        """Category (R66), legal status (R72) or type of unit."""
        return self._concepts("type")

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names."""
        return texts(self.raw.get("alias"))

    @property
    def address(self) -> Address | None:
        """Its first address."""
        return Address.read(self.raw.get("address"))

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Its contact points."""
        return contacts(self.raw)

    @property
    def parent_reference(self) -> str:
        """The organization above it, whether it came along or not."""
        return reference(self.raw.get("partOf"))

    @property
    def parent(self) -> OrganizationView | None:
        """The organization above it, when it came along."""
        return self._pool.find(self.parent_reference, OrganizationView)

    @property
    def chain(self) -> tuple[OrganizationView, ...]:
        """It and those above it, as far as they came along: OI, EG, EJ."""
        found: dict[str, OrganizationView] = {}
        here: OrganizationView | None = self
        while here is not None and here.reference not in found:
            found[here.reference] = here
            here = here.parent
        return tuple(found.values())

    def _all_telecoms(self) -> Iterator[Telecom]:
        for each in self.chain:
            yield from each.telecoms
            for contact in each.contacts:
                yield from contact.telecoms


class LocationView(View):
    """A place."""

    @property
    def status(self) -> str:
        """``active``, ``suspended`` or ``inactive``: a search gives them all."""
        return text(self.raw.get("status"))

    @property
    def functions(self) -> tuple[Concept, ...]:
        """What it serves for (R343)."""
        return self._concepts("type")

    @property
    def address(self) -> Address | None:
        """Its address."""
        return Address.read(self.raw.get("address"))

    @property
    def commune(self) -> Concept | None:
        """The commune with its INSEE code, a text."""
        return concept(extended(self.raw, "ror-commune-cog"))

    @property
    def position(self) -> Position | None:
        """Where it is."""
        return Position.read(self.raw.get("position"))

    @property
    def distance(self) -> Distance | None:
        """How far it is from the point of a ``near`` search."""
        return self.raw.distance

    @property
    def capacities(self) -> tuple[Capacity, ...]:
        """Beds and places that are counted."""
        return capacities(self.raw)

    @property
    def organization(self) -> OrganizationView | None:
        """Who manages it, when it came along."""
        return next(iter(self._found("managingOrganization", OrganizationView)), None)

    def _all_telecoms(self) -> Iterator[Telecom]:
        yield from self.telecoms
        if self.organization is not None:
            yield from self.organization._all_telecoms()


class PractitionerView(View):
    """A person."""

    @property
    def person(self) -> PersonName:
        """The name in its parts."""
        return PersonName.read(self.raw.get("name"))

    @property
    def name(self) -> str:
        """The name in one line."""
        return str(self.person)

    @property
    def gender(self) -> str:
        """As FHIR writes it."""
        return text(self.raw.get("gender"))

    @property
    def rpps(self) -> str:
        """The RPPS number; empty when not said."""
        # The Annuaire Santé gives the IDNPS under the OID that the ROR uses for RPPS, and RPPS under an address.
        systems = ("https://rpps.esante.gouv.fr", "urn:oid:1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.1")
        found = {each.system: each.value for each in reversed(self.identifiers)}
        return next((found[system] for system in systems if system in found), "")


class PractitionerRoleView(View):
    """What a person does somewhere; a person has one for each place and activity."""

    @property
    def practitioner(self) -> PractitionerView | None:
        """The person, when they came along."""
        return next(iter(self._found("practitioner", PractitionerView)), None)

    @property
    def organization(self) -> OrganizationView | None:
        """Where, when it came along."""
        return next(iter(self._found("organization", OrganizationView)), None)

    @property
    def offers(self) -> tuple[HealthcareServiceView, ...]:
        """The offers it belongs to, as far as they came along."""
        return self._found("healthcareService", HealthcareServiceView)

    @property
    def professions(self) -> tuple[Concept, ...]:
        """Profession (TRE_G15)."""
        return self._concepts("code")

    @property
    def specialties(self) -> tuple[Concept, ...]:
        """Expertise."""
        return self._concepts("specialty")

    @property
    def opening_times(self) -> tuple[OpeningTime, ...]:
        """When they are there."""
        return opening_times(self.raw.get("availableTime"))

    @property
    def person(self) -> PersonName:
        """The name borne in this role, else the person's own."""
        for extension in extensions(self.raw, "ror-practitionerrole-name", "RORPractitionerRoleName"):
            given = text(extended(extension, "exerciseFirstName"))
            found = PersonName(text(extended(extension, "exerciseLastName")), (given,) if given else ())
            if found != PersonName():
                return found
        return self.practitioner.person if self.practitioner is not None else PersonName()

    @property
    def name(self) -> str:
        """That name in one line."""
        return str(self.person)

    def _all_telecoms(self) -> Iterator[Telecom]:
        yield from self.telecoms
        if self.practitioner is not None:
            yield from self.practitioner.telecoms
        if self.organization is not None:
            yield from self.organization._all_telecoms()


class HealthcareServiceView(View):
    """An offer of care with its organizations, places and people."""

    @property
    def categories(self) -> tuple[Concept, ...]:
        """Category of the offer (R244)."""
        return self._concepts("category")

    @property
    def fields(self) -> tuple[Concept, ...]:
        """Field of activity (R227)."""
        return self._concepts("type")

    @property
    def activities(self) -> tuple[Concept, ...]:
        """Operational activities (R211); where no code system is told, all that stands there."""
        return self._concepts("specialty", "R211") or self._concepts("specialty")

    @property
    def characteristics(self) -> tuple[Concept, ...]:
        """Mode of care (R213), specialisation (R245), acts (R210) and so on: see `Concept.of`."""
        return self._concepts("characteristic")

    @property
    def sensitive(self) -> bool:
        """Whether it is a sensitive unit, which only access profile 1 sees."""
        return extended(self.raw, "ror-healthcareservice-sensitive-unit") is True

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Its contact points."""
        return contacts(self.raw)

    @property
    def opening_times(self) -> tuple[OpeningTime, ...]:
        """When it is open."""
        return opening_times(self.raw.get("availableTime"))

    @property
    def closures(self) -> tuple[Closure, ...]:
        """When it closes and opens again."""
        return closures(self.raw.get("notAvailable"))

    @property
    def ages(self) -> tuple[float | None, float | None]:
        """Youngest and greatest age of those it is for, in years; None where it is not said."""
        for extension in extensions(self.raw, "ror-healthcareservice-patient-type"):
            limits = first(next(map(value_of, extensions(extension, "ageRange")), None))
            return _quantity(limits.get("low")), _quantity(limits.get("high"))
        return None, None

    @property
    def organization(self) -> OrganizationView | None:
        """Who offers it, when it came along."""
        return next(iter(self._found("providedBy", OrganizationView)), None)

    @property
    def organization_chain(self) -> tuple[OrganizationView, ...]:
        """Who offers it and those above: OI, EG, EJ, as far as they came along."""
        return self.organization.chain if self.organization is not None else ()

    @property
    def establishment(self) -> OrganizationView | None:
        """The site (EG) of the chain."""
        return next((each for each in self.organization_chain if each.kind == "EG"), None)

    @property
    def legal_entity(self) -> OrganizationView | None:
        """The legal entity (EJ) of the chain."""
        return next((each for each in self.organization_chain if each.kind == "EJ"), None)

    @property
    def locations(self) -> tuple[LocationView, ...]:
        """Where it is offered, as far as they came along."""
        return self._found("location", LocationView)

    @property
    def address(self) -> Address | None:
        """The first address of its places, else of its organizations."""
        places = [place.address for place in self.locations]
        owners = [owner.address for owner in self.organization_chain]
        return next((address for address in (*places, *owners) if address is not None), None)

    @property
    def roles(self) -> tuple[PractitionerRoleView, ...]:
        """Who works there, as far as the roles came along."""
        return self._pool.roles_of(self.reference)

    def _all_telecoms(self) -> Iterator[Telecom]:
        yield from self.telecoms
        for contact in self.contacts:
            yield from contact.telecoms
        if self.organization is not None:
            yield from self.organization._all_telecoms()


_VIEWS: Final[dict[str, type[View]]] = {
    "HealthcareService": HealthcareServiceView,
    "Location": LocationView,
    "Organization": OrganizationView,
    "Practitioner": PractitionerView,
    "PractitionerRole": PractitionerRoleView,
}


def _quantity(value: object) -> float | None:

    return number(first(value).get("value"))


def views(pages: Iterable[Bundle], kind: type[V]) -> Iterator[V]:
    """Give the matches of a search as views, each resolved from all that the pages so far brought along.

    What came along stays in memory until the search and its views are done with; a search gives 10 000 results at
    most.

    Args:
        pages: of `NationalRorClient.pages`.
        kind: the view that belongs to the resource type of the search, `HealthcareServiceView` for instance.
    """
    pool = Pool()
    for page in pages:
        pool.add(page.entries)
        for match in page.matches:
            view = pool.view(match)
            if isinstance(view, kind):
                yield view
