"""Typed views: what consumers use most, from clean and from odd resources."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ror_sante.api.fhir.bundle import Bundle, Distance
from ror_sante.api.fhir.resource import Resource
from ror_sante.api.models import to_model
from ror_sante.api.parameters import REVINCLUDES
from ror_sante.api.views import (
    Address,
    Capacity,
    Closure,
    Concept,
    HealthcareServiceView,
    Identifier,
    LocationView,
    OpeningTime,
    OrganizationView,
    PersonName,
    Pool,
    Position,
    PractitionerRoleView,
    Telecom,
    View,
    lenient,
    views,
)
from ror_sante.errors import ConfigurationError, UnexpectedResponseError
from ror_sante.simulator.data import Directory
from ror_sante.simulator.search import parse

SD = "https://interop.esante.gouv.fr/ig/fhir/ror/StructureDefinition"
NOS = "https://mos.esante.gouv.fr/NOS"
RULES = [
    ("_include", "HealthcareService:organization"),
    ("_include:iterate", "Organization:partof"),
    ("_include", "HealthcareService:location"),
    ("_revinclude", REVINCLUDES["HealthcareService"][0]),
    ("_include", "PractitionerRole:practitioner"),
]


def coded(code: str, display: str = "", system: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def resource(kind: str, number: Any = "1", **content: Any) -> Resource:
    return Resource(json.dumps({"resourceType": kind, "id": number} | content).encode(), mode="match")


def view(kind: str, **content: Any) -> Any:
    """Give the view of one resource that came alone."""
    return Pool().view(resource(kind, **content))


def page(directory: Directory, *params: tuple[str, str], kind: str = "HealthcareService") -> Bundle:
    """Give a page as the simulator would."""
    search = parse(directory, kind, params)
    matches = list(search.matches(directory))[:5]
    found = [Resource(directory.body(record), mode="match") for record in matches]
    brought = [Resource(directory.body(record), mode="include") for record in search.included(directory, matches)]
    return Bundle(type="searchset", entries=(*found, *brought))


@pytest.fixture(scope="module")
def directory() -> Directory:
    return Directory(60)


@pytest.fixture
def offers(directory: Directory) -> Iterator[HealthcareServiceView]:
    return views([page(directory, *RULES)], HealthcareServiceView)


# ------------------------------------------------------------------ joined


def test_an_offer_comes_with_everything_around_it(offers: Iterator[HealthcareServiceView]) -> None:
    """Organizations up to the legal entity, places, roles and people, from one page."""
    for offer in offers:
        assert offer.organization is not None
        assert [each.kind for each in offer.organization_chain][-2:] == ["EG", "EJ"]
        assert offer.establishment is not None
        assert offer.legal_entity is not None
        assert offer.establishment.parent == offer.legal_entity
        assert offer.legal_entity.parent is None
        assert offer.locations
        assert offer.address == offer.locations[0].address
        assert offer.phone.startswith("01 99 00")
        assert offer.activities[0].words in offer.name
        for role in offer.roles:
            assert role.practitioner is not None
            assert role.name == role.practitioner.name
            assert role.offers == (offer,)
            assert len(role.practitioner.rpps) == 11


def test_without_includes_the_references_stay_open(directory: Directory) -> None:
    """The same offer without the five rules: nothing is joined, and nothing fails."""
    offer = next(views([page(directory)], HealthcareServiceView))
    assert offer.organization is None
    assert offer.organization_chain == offer.locations == offer.roles == ()
    assert (offer.establishment, offer.legal_entity, offer.address, offer.phone) == (None, None, None, "")


def test_what_an_earlier_page_brought_is_still_at_hand(directory: Directory) -> None:
    """The client leaves repeats out of later pages: the views remember them."""
    whole = page(directory, *RULES)
    first = Bundle(entries=(whole.matches[0], *whole.included))
    second = Bundle(entries=whole.matches[1:])
    assert all(offer.legal_entity is not None for offer in views([first, second], HealthcareServiceView))


def test_views_of_another_type_are_left_out(directory: Directory) -> None:
    """Of a page of places nothing is an offer."""
    assert list(views([page(directory, kind="Location")], HealthcareServiceView)) == []
    assert len(list(views([page(directory, kind="Location")], View))) == 5


def test_a_reference_resolves_to_its_own_type_only(directory: Directory) -> None:
    """A pool gives what is asked for, or nothing."""
    pool = Pool(page(directory, *RULES).entries)
    assert pool.find("HealthcareService/100001", OrganizationView) is None
    assert pool.find("HealthcareService/100001", HealthcareServiceView) is not None
    assert pool.find("HealthcareService/0", HealthcareServiceView) is None


def test_a_role_that_comes_twice_counts_once() -> None:
    """The same role on two pages is one role; a later page adds to the earlier ones."""
    offer, role = (
        resource("HealthcareService"),
        resource("PractitionerRole", healthcareService={"reference": "HealthcareService/1"}),
    )
    pool = Pool((offer, role, role))
    seen = pool.view(offer)
    assert isinstance(seen, HealthcareServiceView)
    assert len(seen.roles) == 1
    pool.add(
        [
            role,
            resource(
                "PractitionerRole",
                "2",
                healthcareService=[{"reference": "https://h/fhir/HealthcareService/1/_history/3"}],
            ),
        ]
    )
    assert [each.id for each in seen.roles] == ["1", "2"]


def test_a_circle_of_organizations_ends() -> None:
    """A.partOf = B and B.partOf = A: each is met once."""
    first = resource("Organization", "1", partOf={"reference": "Organization/2"})
    second = resource("Organization", "2", partOf={"reference": "Organization/1"})
    start = Pool((first, second)).view(first)
    assert isinstance(start, OrganizationView)
    assert [each.id for each in start.chain] == ["1", "2"]


# ------------------------------------------------------------------ the fields


def test_a_location_has_its_place_and_its_beds(directory: Directory) -> None:
    """Address, commune, position, function, capacity, who manages it."""
    places = list(views([page(directory, ("_include", "Location:organization"), kind="Location")], LocationView))
    place = next(each for each in places if each.capacities)
    assert place.address is not None
    assert place.commune is not None
    assert place.address.city == place.commune.words
    assert place.position is not None
    assert 40 < place.position.latitude < 52
    assert place.functions[0].of("R343")
    assert place.status in ("active", "inactive")
    assert place.organization is not None
    assert place.phone == place.organization.phone != ""
    assert place.distance is None
    (beds,) = place.capacities
    assert beds.number is not None
    assert [each.code for each in (beds.type, beds.status, beds.source) if each is not None] == ["01", "02", "02"]
    assert beds.updated
    assert beds.gender is None
    assert [each.type for each in place.identifiers] == ["25", "26"]
    assert place.region == place.identifiers[0].value.partition("/")[0]
    assert place.updated.endswith("+00:00")
    assert place.resource_type == "Location"
    assert repr(place).startswith("<LocationView of <Resource Location/")


def test_a_place_far_away_says_how_far() -> None:
    """The distance of a near search is at hand."""
    found = Resource(b'{"resourceType":"Location","id":"1"}', distance=Distance(3.5, "km"))
    assert LocationView(found).distance == Distance(3.5, "km")


def test_an_offer_tells_its_fields(directory: Directory) -> None:
    """Codes by table, ages, times, contacts, confidentiality."""
    offer = next(views([page(directory)], HealthcareServiceView))
    assert offer.categories[0].of("R244")
    assert offer.fields[0].of("R227")
    assert [each.of("R213", "R245") for each in offer.characteristics] == [True, True]
    assert offer.sensitive is True
    assert offer.ages == (18, 120)
    assert offer.opening_times == (OpeningTime(start="08:30:00", end="18:00:00"),)
    assert offer.closures == ()
    assert offer.contacts[0].purpose == Concept(
        "06", f"{NOS}/TRE_R287-NatureContact/FHIR/TRE-R287-NatureContact", "Standard"
    )
    assert offer.contacts[0].confidentiality == "1"
    (mail,) = offer.telecoms
    assert (mail.system, mail.confidentiality, mail.open) == ("email", "2", False)


def test_an_open_telecom_is_said_to_be_open() -> None:
    """Level 1 is open; no level is not."""
    assert Telecom("phone", "1", "1").open
    assert not Telecom("phone", "1").open


def test_the_telecom_of_a_contact_takes_the_level_of_the_whole() -> None:
    """A contact's level holds for those of its numbers that have none; a number's own wins."""
    level = {"url": f"{SD}/ror-contact-confidentiality-level", "valueCodeableConcept": coded("3")}
    own = {"url": f"{SD}/ror-telecom-confidentiality-level", "valueCode": "1"}
    contact = {"extension": level, "telecom": [{"value": "1"}, {"value": "2", "extension": [own]}, {"system": "phone"}]}
    (found,) = view("Organization", contact=contact).contacts
    assert [each.confidentiality for each in found.telecoms] == ["3", "1"]


def test_the_contact_of_an_offer_may_hold_a_number() -> None:
    """It is the first number of the offer; its usage and channel are told."""
    point = {
        "system": "phone",
        "value": "01 99 00 00 00",
        "extension": [
            {"url": f"{SD}/ror-telecom-usage", "valueCodeableConcept": coded("U", "Rendez-vous")},
            {"url": f"{SD}/ror-telecom-communication-channel", "valueCodeableConcept": coded("2")},
        ],
    }
    extension = {
        "url": f"{SD}/ror-healthcareservice-contact",
        "extension": [{"url": "telecom", "valueContactPoint": point}],
    }
    offer = view("HealthcareService", extension=[extension])
    assert offer.phone == "01 99 00 00 00"
    assert offer.contacts[0].telecoms[0].usage.words == "Rendez-vous"
    assert offer.contacts[0].telecoms[0].channel.words == "2"
    assert offer.contacts[0].purpose is None


def test_hours_with_days_and_kinds() -> None:
    """Days by name or by number, round the clock, the kind of time."""
    hours = [
        {"daysOfWeek": ["mon", "tue"], "allDay": True},
        {
            "availableStartTime": "08:00:00",
            "extension": [
                {"url": f"{SD}/ror-available-time-number-days-of-week", "valueInteger": 3},
                {"url": f"{SD}/ror-available-time-number-days-of-week", "valueInteger": "x"},
                {"url": f"{SD}/ror-available-time-type-of-time", "valueCodeableConcept": coded("02", "Accueil")},
            ],
        },
    ]
    first, second = view("PractitionerRole", availableTime=hours).opening_times
    assert first == OpeningTime(days=("mon", "tue"), all_day=True)
    assert (second.day_numbers, second.start, second.end, second.kind) == (
        (3,),
        "08:00:00",
        "",
        Concept("02", "", "Accueil"),
    )


def test_closures() -> None:
    """A closing date with its end and reason; what says nothing is left out."""
    offer = view(
        "HealthcareService", notAvailable=[{"description": "Travaux", "during": {"start": "2026-08-01"}}, {"id": "x"}]
    )
    assert offer.closures == (Closure("2026-08-01", "", "Travaux"),)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"identifier": [{"value": "1", "type": coded("42")}]}, "OI"),
        ({"identifier": {"value": "1", "type": coded("3")}}, "EG"),
        ({"identifier": [{"value": "0", "type": coded("1")}, {"value": "1", "type": coded("2")}]}, "EJ"),
        (
            {"type": coded("355", system=f"{NOS}/TRE_R66-CategorieEtablissement/FHIR/TRE-R66-CategorieEtablissement")},
            "EG",
        ),
        ({"type": coded("1", system="x")}, ""),
        ({}, ""),
    ],
)
def test_the_kind_of_an_organization(content: dict[str, Any], kind: str) -> None:
    """Its identifiers tell, else its types; an object where a list is due is read as well."""
    assert view("Organization", **content).kind == kind


def test_an_organization_tells_its_fields() -> None:
    """Other names, address from the parts of a line, whom it belongs to."""
    parts = [
        {"url": "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-houseNumber", "valueString": "3"},
        {"url": "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-streetNameBase", "valueString": "du Pré"},
        {"url": "http://other", "valueString": "no"},
    ]
    found = view(
        "Organization",
        alias="CH",
        partOf={"reference": "Organization/9"},
        address=[{"_line": [{"extension": parts}, None], "postalCode": "01000"}],
    )
    assert found.aliases == ("CH",)
    assert found.address == Address(("3 du Pré",), "01000")
    assert found.parent_reference == "Organization/9"
    assert found.parent is None
    assert found.types == ()


def test_names_of_people() -> None:
    """The name borne in a role wins over the person's; a text stands in for missing parts."""
    person = view("Practitioner", name={"prefix": "Dr", "given": "Zoé", "family": "Petit"}, gender="female")
    assert (person.name, person.person, person.gender, person.rpps) == (
        "Dr Zoé Petit",
        PersonName("Petit", ("Zoé",), "Dr"),
        "female",
        "",
    )
    assert view("Practitioner", name=[{"text": "Zoé Petit"}]).name == "Zoé Petit"
    role = view(
        "PractitionerRole",
        extension={
            "url": f"{SD}/RORPractitionerRoleName",
            "extension": [{"url": "exerciseLastName", "valueString": "Grand"}],
        },
    )
    assert role.name == "Grand"
    assert view("PractitionerRole").name == ""
    bare = resource(
        "PractitionerRole",
        extension=[{"url": "ror-practitionerrole-name"}],
        practitioner={"reference": "Practitioner/1"},
    )
    joined = Pool(
        (bare, resource("Practitioner", name={"family": "Petit"}, telecom={"system": "phone", "value": "5"}))
    ).view(bare)
    assert (joined.name, joined.phone) == ("Petit", "5")


def test_the_phone_of_a_role_is_the_first_that_is_found() -> None:
    """Its own, the person's, the organization's."""
    role = resource(
        "PractitionerRole", organization={"reference": "Organization/1"}, telecom=[{"system": "fax", "value": "0"}]
    )
    organization = resource("Organization", telecom=[{"system": "phone", "value": "7"}])
    assert Pool((role, organization)).view(role).phone == "7"
    assert PractitionerRoleView(role).phone == ""
    assert PractitionerRoleView(role).specialties == PractitionerRoleView(role).professions == ()


@pytest.mark.parametrize("kind", ["HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole"])
@pytest.mark.parametrize(
    "odd", [None, 7, True, "x", [], {}, [None, 3, "x", [], {}], {"coding": "x", "extension": 5, "reference": 3}]
)
def test_no_oddity_is_an_error(kind: str, odd: Any) -> None:
    """Every field of every view reads whatever stands in its place."""
    names = (
        "name identifier meta telecom extension type partOf alias address contact status position "
        "managingOrganization gender practitioner organization healthcareService code specialty availableTime "
        "category characteristic notAvailable providedBy location"
    )
    found = view(kind, **dict.fromkeys(names.split(), odd))
    for name in dir(type(found)):
        if not name.startswith("_") and name != "to_model":
            getattr(found, name)


def test_an_unknown_type_has_the_plain_view() -> None:
    """What the views do not know is still a resource with its id and name."""
    found = view("Questionnaire", name="Saisie", identifier={"value": 5, "system": "s"})
    assert type(found) is View
    assert (found.reference, found.name, found.identifiers) == ("Questionnaire/1", "Saisie", (Identifier("5", "s"),))
    assert found == Pool().view(found.raw)
    assert len({found, Pool().view(found.raw)}) == 1
    assert found != "Questionnaire/1"
    assert found.phone == found.region == ""


# ------------------------------------------------------------------ lenient


@pytest.mark.parametrize(
    ("value", "found"),
    [(1, 1.0), ("2.5", 2.5), (True, None), ("x", None), (None, None), ("nan", None), (10**400, None), ([], None)],
)
def test_numbers(value: Any, found: float | None) -> None:
    """Also where they were written as texts; never infinite."""
    assert lenient.number(value) == found


@pytest.mark.parametrize(("value", "found"), [(3, 3), ("3", 3), (3.0, 3), (3.5, None), (None, None)])
def test_whole_numbers(value: Any, found: int | None) -> None:
    """A half bed is none."""
    assert lenient.whole(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"reference": "Organization/1"}, "Organization/1"),
        ("https://host/fhir/Organization/1/_history/2", "Organization/1"),
        ("Organization/", ""),
        ("#contained", ""),
        ({"identifier": {"value": "1"}}, ""),
    ],
)
def test_references(value: Any, found: str) -> None:
    """Relative, absolute, with a version; what leads nowhere is empty."""
    assert lenient.reference(value) == found


def test_a_position_needs_both_numbers() -> None:
    """Half a position is none."""
    assert Position.read({"latitude": 1, "longitude": "2"}) == Position(1, 2)
    assert Position.read({"latitude": 1}) is None


def test_a_capacity_may_say_nothing() -> None:
    """An empty extension is a capacity without a number."""
    assert view("Location", extension=[{"url": f"{SD}/ror-location-supported-capacity"}]).capacities == (Capacity(),)


# ------------------------------------------------------------------ models


@pytest.mark.parametrize("kind", ["HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole"])
def test_a_model_is_the_same_resource(directory: Directory, kind: str) -> None:
    """Each of the five types becomes a model of fhir.resources with the same content."""
    pytest.importorskip("fhir.resources")
    found = next(views([page(directory, kind=kind)], View))
    model = found.to_model()
    assert type(model).__module__ == f"fhir.resources.R4B.{kind.lower()}"
    assert model.id == found.id
    assert model.meta.tag[0].code == found.region


def test_a_resource_that_is_not_clean_is_refused_without_its_values() -> None:
    """The elements are named, five at most; what stands in them is not shown."""
    pytest.importorskip("fhir.resources")
    odd = {f"odd{n}": "secret" for n in range(7)}
    with pytest.raises(UnexpectedResponseError, match="is not a clean Practitioner") as caught:
        to_model(resource("Practitioner", identifier={"value": "10001234567"}, **odd))
    assert "identifier" in str(caught.value)
    assert "and 3 more" in str(caught.value)
    assert "10001234567" not in str(caught.value) + repr(caught.value.__cause__)
    assert "secret" not in str(caught.value)
    with pytest.raises(UnexpectedResponseError, match="no type that FHIR knows"):
        to_model(resource("Nonsense"))


def test_without_the_extra_the_hint_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is a matter of the installation."""
    monkeypatch.setitem(sys.modules, "fhir.resources.R4B", None)
    with pytest.raises(ConfigurationError, match="not installed") as caught:
        view("Practitioner").to_model()
    assert caught.value.hint == "pip install 'ror-sante[fhir]'"
