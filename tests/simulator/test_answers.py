"""What the simulator answers to the builder's queries, counted by hand from the JSON that it serves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ror_sante.api.nos import system
from ror_sante.api.parameters import PARAMETERS, modifiers
from ror_sante.api.query import (
    HealthcareServiceQuery,
    LocationQuery,
    OrganizationQuery,
    PractitionerQuery,
    PractitionerRoleQuery,
    Query,
    QuestionnaireQuery,
    TaskQuery,
)
from ror_sante.simulator.comparing import Parameter, build
from ror_sante.simulator.data import Directory
from ror_sante.simulator.records import BESIDE, TYPES
from ror_sante.simulator.refusals import BadSearchError
from ror_sante.simulator.search import parse

OFFERS, PLACES, ORGANIZATIONS = HealthcareServiceQuery(), LocationQuery(), OrganizationQuery()
Json = dict[str, Any]
PROFILES = "https://interop.esante.gouv.fr/ig/fhir/ror/StructureDefinition"


class Book:
    """All resources of a directory, as decoded JSON."""

    def __init__(self, directory: Directory) -> None:
        self.pages: dict[str, Json] = {
            record.reference: json.loads(directory.body(record))
            for kind in (*TYPES, *BESIDE)
            for record in directory.records(kind)
        }

    def all(self, kind: str) -> Iterator[Json]:
        return (page for page in self.pages.values() if page["resourceType"] == kind)

    def above(self, offer: Json) -> list[Json]:
        """The organization that offers it, and all above."""
        found = [self.pages[offer["providedBy"]["reference"]]]
        while "partOf" in found[-1]:
            found.append(self.pages[found[-1]["partOf"]["reference"]])
        return found

    def places(self, offer: Json) -> list[Json]:
        return [self.pages[each["reference"]] for each in offer["location"]]

    def roles(self, offer: Json) -> list[Json]:
        address = {"reference": f"HealthcareService/{offer['id']}"}
        return [role for role in self.all("PractitionerRole") if address in role["healthcareService"]]

    def person(self, role: Json) -> Json:
        return self.pages[role["practitioner"]["reference"]]


def values(page: Json) -> set[str]:
    return {each["value"] for each in page["identifier"]}


def typed(page: Json, code: str, value: str) -> bool:
    return any(
        each["value"] == value and each["type"]["coding"][0]["code"] == code
        for each in page["identifier"]
        if "type" in each
    )


def codes(page: Json, field: str) -> set[str]:
    concepts = page[field] if isinstance(page[field], list) else [page[field]]
    return {coding["code"] for concept in concepts for coding in concept["coding"]}


def region(page: Json) -> str:
    code: str = page["meta"]["tag"][0]["code"]
    return code


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def beds(place: Json) -> int | None:
    for extension in place["extension"]:
        if extension["url"] == f"{PROFILES}/ror-location-supported-capacity":
            parts = {each["url"]: each for each in extension["extension"]}
            return int(parts["nbCapacity"]["valueInteger"])
    return None


def kilometres(place: Json, latitude: float, longitude: float) -> float:
    """The spherical law of cosines: another formula than the simulator's."""
    a, b = math.radians(place["position"]["latitude"]), math.radians(latitude)
    turn = math.radians(place["position"]["longitude"] - longitude)
    return 6371 * math.acos(min(1.0, math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(turn)))


def since(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


COMMUNE = f"{PROFILES}/ror-commune-cog"
Wanted = Callable[[Book, Json], bool]
CASES: list[tuple[Query, Wanted]] = [
    (OFFERS.id("100001", "100007"), lambda _, r: r["id"] in ("100001", "100007")),
    (OFFERS.region("Bretagne"), lambda _, r: region(r) == "53"),
    (OFFERS.tag.not_("53", "11"), lambda _, r: region(r) not in ("53", "11")),
    (OFFERS.specialty("R211|013"), lambda _, r: "013" in codes(r, "specialty")),
    (OFFERS.specialty.not_("R211|013"), lambda _, r: "013" not in codes(r, "specialty")),
    (
        OFFERS.characteristic("R213|46").characteristic("R245|24"),
        lambda _, r: {"46", "24"} <= codes(r, "characteristic"),
    ),
    (OFFERS.name.contains("URGENCES"), lambda _, r: "urgences" in r["name"].lower()),
    (OFFERS.last_updated.ge("2024").last_updated.lt("2025"), lambda _, r: at(r["meta"]["lastUpdated"]).year == 2024),
    (OFFERS.location_reference("Location/252005"), lambda b, r: "252005" in {p["id"] for p in b.places(r)}),
    (OFFERS.location.address_city("Rennes"), lambda b, r: any(p["address"]["city"] == "Rennes" for p in b.places(r))),
    (OFFERS.location.status("inactive"), lambda b, r: any(p["status"] == "inactive" for p in b.places(r))),
    (OFFERS.location.nb_capacity.gt(20), lambda b, r: any((beds(p) or 0) > 20 for p in b.places(r))),
    (
        OFFERS.location.identifier.of_type("R354", "25", "75/190000"),
        lambda b, r: any(typed(p, "25", "75/190000") for p in b.places(r)),
    ),
    (
        OFFERS.location.near(48.1173, -1.6778, 20),
        lambda b, r: any(kilometres(p, 48.1173, -1.6778) <= 20 for p in b.places(r)),
    ),
    (
        OFFERS.organization.identifier("1990000001"),
        lambda b, r: any("1990000001" in values(o) for o in b.above(r)),
    ),
    (OFFERS.organization.name("CHU"), lambda b, r: any(o["name"].upper().startswith("CHU") for o in b.above(r))),
    (OFFERS.organization.type("R66|355"), lambda b, r: any("355" in codes(o, "type") for o in b.above(r))),
    (
        OFFERS.param("organization.type", f"{system('R66')}|355"),  # a draft scenario; the others all walk up
        lambda b, r: "355" in codes(b.above(r)[0], "type"),
    ),
    (OFFERS.organization.tag("84"), lambda b, r: any(region(o) == "84" for o in b.above(r))),
    (
        OFFERS.organization.last_updated.ge("2025-06"),
        lambda b, r: any(at(o["meta"]["lastUpdated"]) >= datetime(2025, 6, 1, tzinfo=UTC) for o in b.above(r)),
    ),
    (OFFERS.has_role.identifier("99800000003"), lambda b, r: any("99800000003" in values(x) for x in b.roles(r))),
    (
        OFFERS.has_role.practitioner_identifier("99900000003"),
        lambda b, r: any("99900000003" in values(p) for p in map(b.person, b.roles(r))),
    ),
    (
        OFFERS.practitioner_identifier.contains("0000001"),
        lambda b, r: any("0000001" in min(values(p)) for p in map(b.person, b.roles(r))),
    ),
    (
        OFFERS.practitioner_identifier.exact("99900000003"),
        lambda b, r: any("99900000003" in values(p) for p in map(b.person, b.roles(r))),
    ),
    (
        OFFERS.filter(
            HealthcareServiceQuery.where.last_updated.ge("2025")
            | HealthcareServiceQuery.where.organization.last_updated.ge("2025")
        ),
        lambda b, r: any(at(x["meta"]["lastUpdated"]) >= since(2025) for x in (r, *b.above(r))),
    ),
    (
        OFFERS.filter(HealthcareServiceQuery.where.location.address_postalcode("35", "44")),
        lambda b, r: any(p["address"]["postalCode"][:2] in ("35", "44") for p in b.places(r)),
    ),
    (PLACES.identifier("75/190001"), lambda _, r: "75/190001" in values(r)),
    (PLACES.identifier.of_type("R354", "25", "75/190001"), lambda _, r: typed(r, "25", "75/190001")),
    (
        PLACES.identifier.of_type("R354", "26", "1991000000/SIM00001"),
        lambda _, r: typed(r, "26", "1991000000/SIM00001"),
    ),
    (PLACES.address_postalcode("35"), lambda _, r: r["address"]["postalCode"].startswith("35")),
    (
        PLACES.commune_cog("R13|35238"),
        lambda _, r: any(
            each["valueCodeableConcept"]["coding"][0]["code"] == "35238"
            for each in r["extension"]
            if each["url"] == COMMUNE
        ),
    ),
    (PLACES.near(48.1173, -1.6778, 3), lambda _, r: kilometres(r, 48.1173, -1.6778) <= 3),
    (PLACES.near(48.1173, -1.6778, 3000, unit="m"), lambda _, r: kilometres(r, 48.1173, -1.6778) <= 3),
    (PLACES.near_insee_code("35238", 400), lambda _, r: kilometres(r, 48.1173, -1.6778) <= 400),
    (PLACES.nb_capacity.le(3), lambda _, r: beds(r) in range(4)),
    (PLACES.type.not_("R343|001"), lambda _, r: "001" not in codes(r, "type")),
    (
        PLACES.has_offer.specialty("R211|013"),
        lambda b, r: any("013" in codes(o, "specialty") and r in b.places(o) for o in b.all("HealthcareService")),
    ),
    (
        PLACES.has_offer.identifier("75/300000"),
        lambda b, r: any("75/300000" in values(o) and r in b.places(o) for o in b.all("HealthcareService")),
    ),
    (ORGANIZATIONS.identifier("990000001"), lambda _, r: "990000001" in values(r)),
    (ORGANIZATIONS.identifier.of_type("G07", "1", "990000001"), lambda _, r: typed(r, "1", "990000001")),
    (ORGANIZATIONS.identifier.of_type("G07", "40", "1990000001"), lambda _, r: typed(r, "40", "1990000001")),
    (ORGANIZATIONS.name.contains("érables"), lambda _, r: "Érables" in r["name"]),
    (ORGANIZATIONS.type.not_("R66|355"), lambda _, r: "355" not in codes(r, "type")),
    (PractitionerQuery().identifier("99900000003"), lambda _, r: "99900000003" in values(r)),
    (PractitionerQuery().tag("84"), lambda _, r: region(r) == "84"),
    (
        PractitionerRoleQuery().identifier("99800000003", "99800000004"),
        lambda _, r: values(r) <= {"99800000003", "99800000004"},
    ),
    (TaskQuery().id("601", "687"), lambda _, r: r["id"] in ("601", "687")),
    (TaskQuery().identifier("SIM-0007"), lambda _, r: "SIM-0007" in values(r)),
    (TaskQuery().business_status("02"), lambda _, r: codes(r, "businessStatus") == {"02"}),
    (TaskQuery().business_status.not_("02", "03"), lambda _, r: codes(r, "businessStatus") == {"08"}),
    (TaskQuery().authored_on.ge("2025"), lambda _, r: at(r["authoredOn"]) >= since(2025)),
    (TaskQuery().last_updated.lt("2024"), lambda _, r: at(r["meta"]["lastUpdated"]) < since(2024)),
    (TaskQuery().focus("HealthcareService/100003"), lambda b, r: focused(b, r) == "100003"),
    (TaskQuery().focus("100003"), lambda b, r: focused(b, r) == "100003"),
    (
        TaskQuery().filter(TaskQuery.where.business_status("02") & TaskQuery.where.authored_on.ge("2025")),
        lambda _, r: codes(r, "businessStatus") == {"02"} and at(r["authoredOn"]) >= since(2025),
    ),
    (QuestionnaireQuery().title.contains("médecine"), lambda _, r: "Médecine" in r["title"]),
    (QuestionnaireQuery().description.contains("psychiatrie"), lambda _, r: "Psychiatrie" in r["description"]),
    (QuestionnaireQuery().name("gabarit2"), lambda _, r: r["name"] == "Gabarit2"),
    (QuestionnaireQuery().status("active"), lambda _, r: r["status"] == "active"),
    (QuestionnaireQuery().status.not_("active"), lambda _, r: r["status"] == "retired"),
    (QuestionnaireQuery().version("2.0"), lambda _, r: r["version"] == "2.0"),
    (QuestionnaireQuery().date.ge("2023"), lambda _, r: at(r["date"]) >= since(2023)),
    (
        QuestionnaireQuery().context("R227|92"),
        lambda _, r: "92" in codes(r["useContext"][0], "valueCodeableConcept"),
    ),
]


def focused(book: Book, task: Json) -> str:
    (offer,) = (o for o in book.all("HealthcareService") if task["focus"]["identifier"]["value"] in values(o))
    identifier: str = offer["id"]
    return identifier


@pytest.fixture(scope="module")
def directory() -> Directory:
    """A directory of 400 offers."""
    return Directory(400)


@pytest.fixture(scope="module")
def book(directory: Directory) -> Book:
    return Book(directory)


@pytest.mark.parametrize(("query", "wanted"), CASES, ids=[str(query)[:70] for query, _ in CASES])
def test_an_answer_is_what_one_counts_by_hand(directory: Directory, book: Book, query: Query, wanted: Wanted) -> None:
    """Found are all resources whose JSON says what the query asks for, and no other; there are some."""
    expected = [page["id"] for page in book.all(query.resource_type) if wanted(book, page)]
    found = [record.id for record in parse(directory, query.resource_type, query.params).matches(directory)]
    assert found == expected
    assert len(found) > 0


def brought(directory: Directory, query: Query) -> set[str]:
    search = parse(directory, query.resource_type, query.params)
    return {record.reference for record in search.included(directory, search.matches(directory))}


def test_a_place_by_its_identifier_brings_its_offers(directory: Directory, book: Book) -> None:
    """The documented Location query: _revinclude brings every offer whose JSON names the place."""
    (place,) = (each for each in book.all("Location") if "75/190000" in values(each))
    wanted = {f"HealthcareService/{o['id']}" for o in book.all("HealthcareService") if place in book.places(o)}
    assert brought(directory, PLACES.identifier("75/190000").revinclude("HealthcareService:location")) == wanted
    assert wanted


@pytest.mark.parametrize("wide", [False, True])
def test_iterate_takes_every_step_and_its_absence_one(directory: Directory, book: Book, *, wide: bool) -> None:
    """Offers bring their organization; with _include:iterate=Organization:partof all above it, and nothing else."""
    query = OFFERS.id("100001", "100002", "100090").include("HealthcareService:organization")
    query = query.include("Organization:partof", iterate=True) if wide else query
    offers = [book.pages[f"HealthcareService/{each}"] for each in ("100001", "100002", "100090")]
    chains = [book.above(offer)[: None if wide else 1] for offer in offers]
    assert brought(directory, query) == {f"Organization/{each['id']}" for chain in chains for each in chain}


def test_a_full_offer_brings_what_its_json_leads_to(directory: Directory, book: Book) -> None:
    """Organizations up to the top, places, the roles that name the offer, and their people."""
    offer = book.pages["HealthcareService/100001"]
    roles = book.roles(offer)
    people = {role["practitioner"]["reference"] for role in roles}
    around = [*book.above(offer), *book.places(offer), *roles]
    wanted = {f"{each['resourceType']}/{each['id']}" for each in around} | people
    assert brought(directory, OFFERS.id("100001").full_offer()) == wanted


def test_every_parameter_of_the_builder_is_taken(directory: Directory) -> None:
    """Each documented parameter with each of its modifiers; but _content, which the documents call not implemented."""
    by_name = {"_filter": "(_id eq 1)", "near": "0|0|1|km", "near-insee-code": "44162|1|km"}
    by_kind = {"date": "2024", "number": "1", "quantity": "1|http://unitsofmeasure.org|a"}
    refused = set()
    for kind, parameters in PARAMETERS.items():
        for name, parameter in parameters.items():
            last = name.removesuffix(":above").rpartition(".")[2].rpartition(":")[2]
            value = by_name.get(last) or by_kind.get(parameter.kind, "x")
            for modifier in ("", *modifiers(parameter)):
                asked = f"{name}:{modifier}".rstrip(":")
                try:
                    parse(directory, kind, [(asked, "s|t|v" if modifier == "of-type" else value)])
                except BadSearchError:
                    refused.add(asked)
    assert refused == {"_content"}


def test_a_documented_address_of_a_code_is_the_one_in_the_data(book: Book) -> None:
    """The short names of the builder lead to the code systems of the JSON."""
    offer = book.pages["HealthcareService/100001"]
    assert offer["specialty"][0]["coding"][0]["system"] == system("R211")
    assert offer["type"][0]["coding"][0]["system"] == system("R227")


def test_an_escaped_sign_is_a_sign() -> None:
    """A comma, a bar and a backslash of a value are written behind a backslash; other commas divide alternatives."""
    text: Any = build(Parameter("string", lambda own: own, ""), "name", "exact", "a\\,b,c\\|d,e\\\\,f\\")
    wanted = ["a,b", "c|d", "e\\", "f\\"]
    assert [each for each in (*wanted, "a", "b", "a\\") if text(each)] == wanted
    coded: Any = build(Parameter("token", lambda own: (("s", own),), ""), "identifier", "", "s|x\\|y")
    assert coded("x|y")
    assert not coded("y")
