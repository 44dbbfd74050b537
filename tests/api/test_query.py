"""Queries that are built, and what they become on the wire."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from ror_sante.api import fields
from ror_sante.api.fhir.search import encode
from ror_sante.api.filters import Condition
from ror_sante.api.parameters import PARAMETERS
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
from ror_sante.errors import ConfigurationError

OFFERS, PLACES, ORGANIZATIONS = HealthcareServiceQuery(), LocationQuery(), OrganizationQuery()
QUERIES = (
    HealthcareServiceQuery,
    LocationQuery,
    OrganizationQuery,
    PractitionerQuery,
    PractitionerRoleQuery,
    TaskQuery,
    QuestionnaireQuery,
)
NOS = "https://mos.esante.gouv.fr/NOS"
ACTIVITY = f"{NOS}/TRE_R211-ActiviteOperationnelle/FHIR/TRE-R211-ActiviteOperationnelle"
REGION = f"{NOS}/TRE_R30-RegionOM/FHIR/TRE-R30-RegionOM"


def declared(kind: type) -> dict[str, str]:
    """Give the names and kinds of the fields of a class."""
    return {
        field.name: field.kind
        for each in kind.__mro__
        for field in vars(each).values()
        if isinstance(field, fields.Field)
    }


@pytest.mark.parametrize("query", QUERIES)
def test_every_documented_parameter_has_its_attribute(query: type[Query]) -> None:
    """Names and kinds of the attributes are those of the table, chains and filters aside."""
    table = {
        name: parameter.kind
        for name, parameter in PARAMETERS[query.resource_type].items()
        if not name.startswith(("_has:", "location.", "organization.", "_filter", "_content"))
    }
    assert declared(query) == table


def test_every_documented_chain_has_its_attribute() -> None:
    """Through the chains every parameter of the table is reached, and none beyond it."""
    reached = {f"location.{name}" for name in declared(fields.LocationFields)} | {
        f"organization.{name}:above" for name in declared(fields.OrganizationFields)
    }
    reached |= {f"_has:PractitionerRole:service:{name}" for name in declared(fields.RoleOfOfferFields)}
    table = {
        name for name in PARAMETERS["HealthcareService"] if name.startswith(("_has:", "location.", "organization."))
    }
    assert table == reached | {"organization.type"}
    has = {f"_has:HealthcareService:location:{name}" for name in declared(fields.OfferFields)}
    assert has == {name for name in PARAMETERS["Location"] if name.startswith("_has:")}


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        (OFFERS.specialty("R211|013"), "specialty", f"{ACTIVITY}|013"),
        (OFFERS.specialty("R211|013", "356"), "specialty", f"{ACTIVITY}|013,356"),
        (OFFERS.specialty.not_("013"), "specialty:not", "013"),
        (OFFERS.name("Urgences, \\ | $"), "name", "Urgences\\, \\\\ \\| \\$"),
        (OFFERS.name.contains("chu", "ch"), "name:contains", "chu,ch"),
        (OFFERS.name.exact("CHU"), "name:exact", "CHU"),
        (OFFERS.id("140", "141"), "_id", "140,141"),
        (OFFERS.region("Bretagne", "01"), "_tag", f"{REGION}|53,{REGION}|01"),
        (OFFERS.tag("52"), "_tag", "52"),
        (OFFERS.age_range_low.le(35, "a"), "age-range-low", "le35|https://unitsofmeasure.org|a"),
        (OFFERS.age_range_high(18, "a"), "age-range-high", "18|https://unitsofmeasure.org|a"),
        (OFFERS.location_reference("Location/1"), "location", "Location/1"),
        (OFFERS.practitioner_identifier("1"), "practitioner.identifier", "1"),
        (OFFERS.organization.identifier("1290004324"), "organization.identifier:above", "1290004324"),
        (OFFERS.location.address_postalcode("71"), "location.address-postalcode", "71"),
        (OFFERS.location.nb_capacity.gt(0), "location.nb-capacity", "gt0"),
        (OFFERS.location.near_insee_code("44162", 15), "location.near-insee-code", "44162|15|km"),
        (OFFERS.location.near_insee_code("2A004", 1.5, unit="m"), "location.near-insee-code", "2A004|1.5|m"),
        (OFFERS.location.near(47.218, -1.636, 15), "location.near", "47.218|-1.636|15|km"),
        (OFFERS.has_role.practitioner_identifier("1"), "_has:PractitionerRole:service:practitioner.identifier", "1"),
        (PLACES.has_offer.specialty("013"), "_has:HealthcareService:location:specialty", "013"),
        (PLACES.identifier("52/192675"), "identifier", "52/192675"),
        (
            PLACES.identifier.of_type("R354", "25", "52/192675"),
            "identifier:of-type",
            f"{NOS}/TRE_R354-TypeIdentifiantLieu/FHIR/TRE-R354-TypeIdentifiantLieu|25|52/192675",
        ),
        (PLACES.limit_value.ge(200, "kg"), "limit-value", "ge200|http://unitsofmeasure.org|kg"),
        (PLACES.limit_value.gt(200, "kg"), "limit-value", "gt200|http://unitsofmeasure.org|kg"),
        (PLACES.limit_value.lt(200, "kg"), "limit-value", "lt200|http://unitsofmeasure.org|kg"),
        (PLACES.nb_capacity(3), "nb-capacity", "3"),
        (PLACES.nb_capacity.ge(3), "nb-capacity", "ge3"),
        (PLACES.nb_capacity.le(3), "nb-capacity", "le3"),
        (PLACES.nb_capacity.lt(Decimal("3.50")), "nb-capacity", "lt3.50"),
        (PLACES.near(1e-7, 0, 1e3), "near", "0.0000001|0|1000.0|km"),
        (PLACES.last_updated("2026-06"), "_lastUpdated", "2026-06"),
        (PLACES.last_updated.ge("2022-11-06T15:00"), "_lastUpdated", "ge2022-11-06T15:00"),
        (PLACES.last_updated.gt(date(2026, 6, 1)), "_lastUpdated", "gt2026-06-01"),
        (PLACES.last_updated.le(datetime(2026, 6, 1, tzinfo=UTC)), "_lastUpdated", "le2026-06-01T00:00:00+00:00"),
        (
            PLACES.last_updated.lt(datetime(2026, 6, 1, 0, 0, 0, 5, UTC)),
            "_lastUpdated",
            "lt2026-06-01T00:00:00.000005+00:00",
        ),
        (PLACES.last_updated.sa("2026"), "_lastUpdated", "sa2026"),
        (PLACES.last_updated.eb("2026"), "_lastUpdated", "eb2026"),
        (ORGANIZATIONS.price_amount_value.ge(10), "price-amount-value", "ge10"),
        (OFFERS.param("location.address-city:contains", "a", "b"), "location.address-city:contains", "a,b"),
        (OFFERS.raw("anything:at-all", "x"), "anything:at-all", "x"),
        (OFFERS.filter("(a eq b or c)"), "_filter", "(a eq b or c)"),
        (OFFERS.count(50), "_count", "50"),
        (OFFERS.sort("-_lastUpdated", "name"), "_sort", "-_lastUpdated,name"),
        (PLACES.include("Location:organization"), "_include", "Location:organization"),
        (PLACES.include("Organization:partof", iterate=True), "_include:iterate", "Organization:partof"),
        (PLACES.revinclude("HealthcareService:location"), "_revinclude", "HealthcareService:location"),
        (PractitionerQuery().identifier("urn:oid:1.2|1"), "identifier", "urn:oid:1.2|1"),
        (PractitionerRoleQuery().identifier("1"), "identifier", "1"),
        (TaskQuery().id("687"), "_id", "687"),
        (TaskQuery().focus("HealthcareService/5"), "focus", "HealthcareService/5"),
        (TaskQuery().business_status.not_("03"), "business-status:not", "03"),
        (TaskQuery().authored_on.ge("2026-06"), "authored-on", "ge2026-06"),
        (QuestionnaireQuery().title.contains("lits"), "title:contains", "lits"),
        (QuestionnaireQuery().date.le("2026-06"), "date", "le2026-06"),
    ],
)
def test_a_call_is_a_parameter(query: Query, name: str, value: str) -> None:
    """Each way to ask gives one documented pair."""
    assert query.params == ((name, value),)


def test_a_query_is_never_changed() -> None:
    """Each call gives a new query of the same class, with the pairs in the order of the calls."""
    first = OFFERS.specialty("013")
    second = first.location.nb_capacity.gt(0).characteristic("46").characteristic("24")
    assert OFFERS.params == ()
    assert [name for name, _ in first] == ["specialty"]
    assert [name for name, _ in second] == ["specialty", "location.nb-capacity", "characteristic", "characteristic"]
    assert type(second) is HealthcareServiceQuery
    assert (len(first), len(second)) == (1, 4)
    assert OFFERS  # an empty query is a query
    assert first == OFFERS.specialty("013") != second
    assert hash(first) == hash(OFFERS.specialty("013"))
    assert PractitionerQuery() != PractitionerRoleQuery()
    assert PractitionerQuery() != ()


def test_the_representation_shows_no_value() -> None:
    """An RPPS number may stand in a query: names are shown, values are not; so with filters and half-made terms."""
    query = OFFERS.has_role.practitioner_identifier("10001234567")
    assert repr(query) == "HealthcareServiceQuery(_has:PractitionerRole:service:practitioner.identifier)"
    assert "10001234567" not in repr(OFFERS.where.identifier("10001234567"))
    assert repr(OFFERS.where.identifier) == "<IdentifierTerm identifier>"


def test_the_full_offer_is_the_documented_five() -> None:
    """One word for the rules of every published example, in their order."""
    assert encode(OFFERS.full_offer()) == (
        "_include=HealthcareService%3Aorganization&_include%3Aiterate=Organization%3Apartof"
        "&_include=HealthcareService%3Alocation&_revinclude=PractitionerRole%3Aservice"
        "&_include=PractitionerRole%3Apractitioner"
    )


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: OFFERS.param("speciality", "x"), "no documented search parameter speciality"),
        (lambda: OFFERS.param("specialty:contains", "x"), "modifier :contains"),
        (lambda: OFFERS.param("_count", "5"), "method of its own"),
        (lambda: OFFERS.param("specialty"), "no value"),
        (lambda: OFFERS.specialty(), "no value"),
        (lambda: OFFERS.specialty("R211|013,356"), "comma"),
        (lambda: OFFERS.specialty("R999|013"), "no code system"),
        (lambda: OFFERS.organization.name.contains("chu"), "modifier :contains"),
        (lambda: OFFERS.organization.identifier.not_("1"), "modifier :not"),
        (lambda: OFFERS.count(0), "from 1"),
        (lambda: OFFERS.count(True), "from 1"),
        (lambda: OFFERS.sort(), "no name"),
        (lambda: OFFERS.sort("-nonsense"), "no documented"),
        (lambda: OFFERS.include("Location:organization"), "not documented"),
        (lambda: PLACES.revinclude("PractitionerRole:service"), "not documented"),
        (lambda: PLACES.near(-1.636, 4700, 15), "out of range"),
        (lambda: PLACES.near(1, 1, -1), "radius"),
        (lambda: PLACES.near(1, 1, float("nan")), "radius"),
        (lambda: PLACES.near(1, 1, float("inf")), "finite"),
        (lambda: PLACES.near(1, 1, 1, unit="miles"), "radius"),
        (lambda: PLACES.near_insee_code("4416", 1), "five characters"),
        (lambda: PLACES.nb_capacity(True), "finite"),
        (lambda: PLACES.last_updated("yesterday"), "as in FHIR"),
        (lambda: PLACES.last_updated(datetime(2026, 6, 1)), "time zone"),  # noqa: DTZ001  what is refused
        (lambda: PLACES.region("Brtagn"), "no region"),
        (lambda: TaskQuery().param("_tag", "52"), "no documented search parameter _tag"),
        (lambda: QuestionnaireQuery().include("Location:organization"), "not documented"),
        (lambda: QuestionnaireQuery().filter("(name eq x)"), "no documented search parameter _filter"),
    ],
)
def test_a_slip_is_found_before_the_call(ask: Any, said: str) -> None:
    """What the ROR would refuse, or would answer with everything, is refused here."""
    with pytest.raises(ConfigurationError, match=said):
        ask()


# ------------------------------------------------------------------ filters

WHERE, PLACE = HealthcareServiceQuery.where, LocationQuery.where


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        (PLACE.status("active"), "(status eq active)"),
        (PLACE.address_postalcode("60000", "76620"), '(address-postalcode eq "60000" or "76620")'),
        (
            PLACE.address_postalcode("60000") | PLACE.address_postalcode("76620"),
            '(address-postalcode eq "60000" or "76620")',
        ),
        (
            WHERE.last_updated.ge("2022-11-06T15:00") | WHERE.organization.last_updated.ge("2022-11-06T15:00"),
            "(_lastUpdated ge 2022-11-06T15:00 or organization._lastUpdated:above ge 2022-11-06T15:00)",
        ),
        (WHERE.age_range_low.le(35, "a"), "(age-range-low le 35|https://unitsofmeasure.org|a)"),
        (
            (WHERE.location.commune_cog("R13|18033", "R13|18000") & WHERE.name("Urgences, nuit")) | WHERE.tag("52"),
            '(((location.commune-cog eq {0}|18033 or {0}|18000) and name eq "Urgences, nuit") or _tag eq 52)'.format(
                f"{NOS}/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
            ),
        ),
        (PLACE.identifier("a b"), '(identifier eq "a b")'),
        (TaskQuery.where.authored_on.ge("2026-06"), "(authored-on ge 2026-06)"),
        (PLACE.nb_capacity.ge(1) & PLACE.nb_capacity.le(5), "(nb-capacity ge 1 and nb-capacity le 5)"),
    ],
)
def test_a_filter_is_written_in_the_rors_dialect(condition: Condition, written: str) -> None:
    """Second values come without the name, texts in quotes, compositions in parentheses."""
    assert str(condition) == written
    assert PLACES.filter(condition).params == (("_filter", written),)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: PLACE.status.not_("active"),
        lambda: PLACE.address_city.contains("x"),
        lambda: PLACE.last_updated.gt("2026"),
        lambda: PLACE.near(1, 1, 1),
        lambda: PLACE.has_offer.specialty("013"),
        lambda: WHERE.name('a "b"'),
    ],
)
def test_what_the_dialect_is_not_known_to_have_is_refused(ask: Any) -> None:
    """Modifiers, other operators, circles, who refers, quotes: a text may still say them."""
    with pytest.raises(ConfigurationError, match="_filter"):
        ask()


def test_a_filter_is_encoded_once() -> None:
    """Blanks, quotes and parentheses are escaped in the address, and only there."""
    expression = PLACE.address_postalcode("60000", "76620")
    assert encode(PLACES.filter(expression)) == f"_filter={quote(str(expression), safe='')}"
