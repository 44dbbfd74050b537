"""Every example query of the ROR's documents, run through the client against the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest

from ror_sante.api.national import NationalRorClient
from ror_sante.api.nos import system
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
from ror_sante.simulator.server import Simulator

INC = (
    "&_include=HealthcareService:organization&_include:iterate=Organization:partof"
    "&_include=HealthcareService:location&_revinclude=PractitionerRole:service"
    "&_include=PractitionerRole:practitioner"
)
OFFERS, PLACES, ORGANIZATIONS = HealthcareServiceQuery(), LocationQuery(), OrganizationQuery()
WHERE = HealthcareServiceQuery.where


@dataclass(frozen=True)
class Documented:
    """An example: as it is published, and as it is built.

    Attributes:
        text: the published query, unescaped.
        query: the same from the builder.
        brings: resource types that must come along when anything is found.
        empty: the synthetic records have nothing for it; the answer is a page with a total of 0.
    """

    text: str
    query: Query
    brings: tuple[str, ...] = ()
    empty: bool = False


ALL = ("Organization", "Location", "PractitionerRole", "Practitioner")
EXAMPLES = [
    # the smoke query of the cURL page, its identifier replaced by one that the simulator has
    Documented(
        f"HealthcareService?organization.identifier:above=1990000001{INC}",
        OFFERS.organization.identifier("1990000001").full_offer(),
        ALL,
    ),
    Documented(
        f"HealthcareService?organization.identifier:above=1290004324{INC}",
        OFFERS.organization.identifier("1290004324").full_offer(),
        empty=True,
    ),
    Documented(f"HealthcareService?identifier=XXX{INC}", OFFERS.identifier("XXX").full_offer(), empty=True),
    Documented(
        f"HealthcareService?_lastUpdated=ge2022-11-06T15:00{INC}",
        OFFERS.last_updated.ge("2022-11-06T15:00").full_offer(),
        ALL,
    ),
    Documented(
        "HealthcareService?_filter=(_lastUpdated ge 2022-11-06T15:00 or "
        f"organization._lastUpdated:above ge 2022-11-06T15:00){INC}",
        OFFERS.filter(
            WHERE.last_updated.ge("2022-11-06T15:00") | WHERE.organization.last_updated.ge("2022-11-06T15:00")
        ).full_offer(),
        ALL,
    ),
    Documented(
        f"HealthcareService?specialty={system('R211')}|013&location.near-insee-code=44162|15|km{INC}",
        OFFERS.specialty("R211|013").location.near_insee_code("44162", 15).full_offer(),
        ALL,
    ),
    Documented(
        f"HealthcareService?location.address-postalcode=71&service-category={system('R244')}|21"
        f"&characteristic={system('R213')}|46&characteristic={system('R245')}|24",
        OFFERS.location.address_postalcode("71")
        .service_category("R244|21")
        .characteristic("R213|46")
        .characteristic("R245|24"),
    ),
    Documented(
        f"HealthcareService?location.commune-cog={system('R13')}|18033,33063",
        OFFERS.location.commune_cog("R13|18033", "33063"),
    ),
    Documented(
        f"HealthcareService?location.commune-cog={system('R13')}|18000,13013",
        OFFERS.location.commune_cog("R13|18000", "13013"),
        empty=True,
    ),
    Documented(
        "HealthcareService?_has:PractitionerRole:service:practitioner.identifier=99900000003",
        OFFERS.has_role.practitioner_identifier("99900000003"),
    ),
    Documented(
        f"HealthcareService?specialty={system('R211')}|356&location.capacity-type={system('R329')}|01"
        f"&location.capacity-status={system('R330')}|02&location.nb-capacity=gt0"
        "&_include=HealthcareService:location",
        OFFERS.specialty("R211|356")
        .location.capacity_type("R329|01")
        .location.capacity_status("R330|02")
        .location.nb_capacity.gt(0)
        .include("HealthcareService:location"),
        ("Location",),
    ),
    Documented(
        "Location?_tag=52&_revinclude=HealthcareService:location",
        PLACES.tag("52").revinclude("HealthcareService:location"),
        ("HealthcareService",),
    ),
    Documented(
        "Location?identifier=75/190001&_revinclude=HealthcareService:location",
        PLACES.identifier("75/190001").revinclude("HealthcareService:location"),
    ),
    Documented(
        "Location?_lastUpdated=ge2023-08-02&_revinclude=HealthcareService:location",
        PLACES.last_updated.ge("2023-08-02").revinclude("HealthcareService:location"),
        ("HealthcareService",),
    ),
    Documented(
        'Location?_filter=(address-postalcode eq "60000" or "76000")',
        PLACES.filter(LocationQuery.where.address_postalcode("60000", "76000")),
    ),
    Documented("Organization?identifier=990000001", ORGANIZATIONS.identifier("990000001")),
    Documented("Organization?name:contains=chu", ORGANIZATIONS.name.contains("chu")),
    Documented("Organization?_count=10", ORGANIZATIONS.count(10)),
    Documented(
        "Organization?_lastUpdated=ge2025-06-01&_lastUpdated=le2025-06-30",
        ORGANIZATIONS.last_updated.ge("2025-06-01").last_updated.le("2025-06-30"),
    ),
    Documented(
        "PractitionerRole?identifier=99800000003&_include=PractitionerRole:practitioner"
        "&_include=PractitionerRole:organization",
        PractitionerRoleQuery()
        .identifier("99800000003")
        .include("PractitionerRole:practitioner")
        .include("PractitionerRole:organization"),
        ("Practitioner", "Organization"),
    ),
    Documented(
        "Practitioner?identifier=urn:oid:1.2.250.1.71.4.2.1|99900000003",
        PractitionerQuery().identifier("urn:oid:1.2.250.1.71.4.2.1|99900000003"),
    ),
    Documented("Task?business-status=02&authored-on=ge2023", TaskQuery().business_status("02").authored_on.ge("2023")),
    Documented("Task?focus=HealthcareService/100003", TaskQuery().focus("HealthcareService/100003")),
    Documented(
        "Questionnaire?status=active&title:contains=saisie",
        QuestionnaireQuery().status("active").title.contains("saisie"),
    ),
    Documented(f"Practitioner?_tag={system('R30')}|84", PractitionerQuery().region("Auvergne-Rhône-Alpes")),
]


@pytest.fixture
def ror(national_ror: NationalRorClient) -> Iterator[NationalRorClient]:
    with national_ror:
        yield national_ror


def first_page(ror: NationalRorClient, *arguments: Any) -> Any:
    return next(ror.pages(*arguments, prefetch=False))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.text[:60])
def test_a_documented_query_gives_the_documented_kind_of_answer(
    ror_simulator: Simulator, ror: NationalRorClient, caplog: pytest.LogCaptureFixture, example: Documented
) -> None:
    """A searchset with a total, matches of the searched type and what they bring; built, it is the published one."""
    resource_type, _, text = example.text.partition("?")
    plain = first_page(ror, resource_type, parse_qsl(text))
    built = first_page(ror, example.query)
    sent = [seen.params for seen in ror_simulator.requests if seen.path.endswith(resource_type)]
    assert sent[0] == sent[1] == parse_qsl(text)
    assert [r.id for r in plain.entries] == [r.id for r in built.entries]
    assert plain.type == "searchset"
    assert {match.type for match in plain.matches} <= {resource_type}
    assert {each.type for each in plain.included} >= set(example.brings)
    assert (plain.total == 0) is (example.empty)
    assert len(plain.matches) <= 200
    assert not caplog.records  # what is documented is no doubt


@pytest.mark.parametrize("address", ["PractitionerRole/753", "Task/687"])
def test_a_documented_read_gives_its_resource(ror: NationalRorClient, address: str) -> None:
    """By technical id."""
    resource = ror.read(*address.split("/"))
    assert f"{resource.type}/{resource.id}" == address


def test_the_statement_is_served(ror: NationalRorClient) -> None:
    """`/metadata`, the last of the examples."""
    assert ror.metadata().type == "CapabilityStatement"


def test_a_task_that_is_not_there_is_not_found(ror: NationalRorClient) -> None:
    """Tasks are a hundred; the next one is a 404 as for any resource."""
    from ror_sante.errors import NotFoundError

    for absent in ("701", "600", "x"):
        with pytest.raises(NotFoundError):
            ror.read("Task", absent)
