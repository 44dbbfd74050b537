"""The synthetic directory: whole, consistent, the same for the same seed, and searched as documented."""

from __future__ import annotations

import json
import re
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.simulator import vocabulary as words
from ror_sante.simulator.data import FIRST_ID, Directory
from ror_sante.simulator.geography import distance
from ror_sante.simulator.records import TYPES, Record
from ror_sante.simulator.refusals import BadSearchError
from ror_sante.simulator.search import REVINCLUDES, parse
from ror_sante.simulator.search_parameters import parameter_names, parameter_type
from ror_sante.simulator.sequences import Glimpse

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def directory() -> Directory:
    """A directory of 400 offers."""
    return Directory(400)


def found(directory: Directory, resource_type: str, *params: tuple[str, str]) -> list[Record]:
    """The matches of a query."""
    return list(parse(directory, resource_type, params).matches(directory))


def brought(directory: Directory, resource_type: str, *params: tuple[str, str]) -> tuple[list[Record], list[Record]]:
    """The matches of a query, and what they bring along."""
    search = parse(directory, resource_type, params)
    matches = list(search.matches(directory))
    return matches, search.included(directory, matches)


def resource(directory: Directory, record: Record) -> dict[str, Any]:
    """The decoded payload."""
    content: dict[str, Any] = json.loads(directory.body(record))
    return content


# ------------------------------------------------------------------ making


@pytest.mark.parametrize("size", [0, 1, 2, 9, 25, 5000])
def test_every_reference_leads_to_a_record(size: int) -> None:
    """Whatever the size, no reference of any record leads nowhere."""
    directory = Directory(size)
    assert len(directory.records("HealthcareService")) == size
    for resource_type in TYPES:
        for number, record in enumerate(directory.records(resource_type)):
            assert record.number == number
            assert directory.get(record.reference) is record
            for targets in record.links.values():
                assert all(directory.get(target) is not None for target in targets), record


def test_a_negative_size_is_refused() -> None:
    """A directory cannot have fewer than no records."""
    with pytest.raises(ConfigurationError, match="negative"):
        Directory(-1)


def test_one_seed_gives_one_directory() -> None:
    """The same seed gives the same bytes, another seed others; the order of asking changes nothing."""
    one, same, other = Directory(60, 7), Directory(60, 7), Directory(60, 8)
    same.records("PractitionerRole")
    bodies = [
        [directory.body(record) for name in TYPES for record in directory.records(name)]
        for directory in (one, same, other)
    ]
    assert bodies[0] == bodies[1]
    assert bodies[0] != bodies[2]
    assert repr(one) == "Directory(size=60, seed=7)"


def test_units_stand_in_sites_and_sites_in_legal_entities(directory: Directory) -> None:
    """An OI's partOf leads to its EG and from there to an EJ, which is part of nothing."""
    above = {"OI": "EG", "EG": "EJ"}
    for record in directory.records("Organization"):
        parents = [directory.get(target) for target in record.links.get("partof", ())]
        assert [parent.kind for parent in parents if parent] == ([above[record.kind]] if record.kind in above else [])


def test_an_offer_its_place_and_its_provider_are_in_one_region(directory: Directory) -> None:
    """What belongs together carries the same source region, as it does in the ROR."""
    for offer in directory.records("HealthcareService"):
        for target in (*offer.links["location"], *offer.links["organization"]):
            other = directory.get(target)
            assert other is not None
            assert other.city.region == offer.city.region


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("Location/1", "an id before the first"),
        ("Location/999999999", "an id after the last"),
        ("Location/0252001", "another spelling of an id"),
        ("Location/٢٥٢٠٠١", "digits of another script"),
        ("Location/" + "9" * 5000, "digits without end"),
        ("Location/abc", "no digits"),
        ("Location", "no id"),
        ("Patient/252001", "a type that is not in the directory"),
    ],
)
def test_what_is_no_reference_finds_nothing(directory: Directory, reference: str, reason: str) -> None:
    """Only the exact reference of a record finds it."""
    assert directory.get(reference) is None, reason


# ------------------------------------------------------------------ payloads


def test_a_payload_has_what_every_profile_asks_for(directory: Directory) -> None:
    """Each resource carries id, lastUpdated, profile, region tag and creation date."""
    for resource_type in TYPES:
        for record in directory.records(resource_type)[:50]:
            content = resource(directory, record)
            assert content["resourceType"] == resource_type
            assert content["id"] == record.id
            meta = content["meta"]
            assert datetime.fromisoformat(meta["lastUpdated"]) == datetime.fromtimestamp(record.updated, UTC)
            assert meta["profile"] == [f"{words.PROFILES}/ror-{resource_type.lower()}"]
            assert meta["tag"] == [{"system": words.REGION, "code": record.city.region}]
            assert content["extension"][0]["url"].endswith("/ror-meta-creation-date")


def test_an_offer_looks_like_the_published_example(directory: Directory) -> None:
    """A HealthcareService refers relatively to provider and places, and carries its codes where the profile says."""
    offer = resource(directory, directory.records("HealthcareService")[3])
    assert re.fullmatch(r"Organization/\d+", offer["providedBy"]["reference"])
    assert all(re.fullmatch(r"Location/\d+", place["reference"]) for place in offer["location"])
    assert re.fullmatch(r"\d\d/\d+", offer["identifier"][0]["value"])
    systems = {key: offer[key][0]["coding"][0]["system"] for key in ("category", "type", "specialty", "characteristic")}
    assert systems == {
        "category": words.CATEGORY,
        "type": words.FIELD,
        "specialty": words.ACTIVITY,
        "characteristic": words.CARE_MODE,
    }
    assert words.ACTIVITY == (
        "https://mos.esante.gouv.fr/NOS/TRE_R211-ActiviteOperationnelle/FHIR/TRE-R211-ActiviteOperationnelle"
    )


def test_a_location_has_an_address_a_commune_and_a_position_in_its_town(directory: Directory) -> None:
    """Every Location lies within 10 km of the middle of its town; beds are counted where people stay."""
    counted = 0
    for record in directory.records("Location"):
        content = resource(directory, record)
        position = (content["position"]["latitude"], content["position"]["longitude"])
        assert position == record.position
        assert distance(position, (record.city.latitude, record.city.longitude)) < 10
        assert content["address"]["postalCode"] == record.city.postal_code
        assert [item["type"]["coding"][0]["code"] for item in content["identifier"]] == ["25", "26"]
        urls = [extension["url"].rpartition("/")[2] for extension in content["extension"]]
        assert "ror-commune-cog" in urls
        assert ("ror-location-supported-capacity" in urls) == (record.capacity is not None)
        counted += record.capacity is not None
    assert 0 < counted < len(directory.records("Location"))


def test_organizations_carry_the_identifiers_of_their_kind(directory: Directory) -> None:
    """EJ have a SIREN, EG a SIRET, both a FINESS and the national id made from it; OI have their own."""
    codes = {}
    for record in directory.records("Organization"):
        identifiers = resource(directory, record)["identifier"]
        codes[record.kind] = [item["type"]["coding"][0]["code"] for item in identifiers]
        if record.kind != "OI":
            assert identifiers[0]["value"] == "1" + identifiers[1]["value"]
    assert codes == {"EJ": ["40", "1", "2"], "EG": ["40", "1", "3"], "OI": ["42"]}


def test_no_number_can_belong_to_anybody(directory: Directory) -> None:
    """FINESS numbers are of department 99, RPPS and SIREN numbers start with 999, mailboxes end in .invalid."""
    for record in directory.records("Organization"):
        for system, value in record.identifiers:
            if system == words.FINESS:
                assert re.fullmatch(r"99\d{7}", value)
            if system == words.SIRENE:
                assert re.fullmatch(r"999\d{6}(\d{5})?", value)
    for record in directory.records("Practitioner"):
        assert re.fullmatch(r"999\d{8}", record.identifiers[0][1])
        assert resource(directory, record)["telecom"][0]["value"].endswith(".invalid")


def test_a_person_has_several_roles(directory: Directory) -> None:
    """One practitioner stands behind several roles, each at one offer."""
    roles = directory.records("PractitionerRole")
    people = {role.links["practitioner"] for role in roles}
    assert len(people) < len(roles)
    assert resource(directory, roles[0])["practitioner"]["reference"] in {person for (person,) in people}
    assert len({role.links["service"] for role in roles}) == len(roles)


# ------------------------------------------------------------------ searching


def test_no_parameter_finds_everything(directory: Directory) -> None:
    """A search without parameters, or with empty and formal ones, finds all, as FHIR servers do."""
    assert len(found(directory, "Practitioner")) == len(directory.records("Practitioner"))
    everything = found(directory, "Practitioner", ("identifier", ""), ("_format", "json"), ("_count", "3"))
    assert len(everything) == len(directory.records("Practitioner"))


@pytest.mark.parametrize(
    ("resource_type", "name", "value", "expected"),
    [
        ("Location", "_id", "252001", lambda r: r.id == "252001"),
        ("Location", "_id", "252001,252003", lambda r: r.id in ("252001", "252003")),
        ("HealthcareService", "_tag", "52", lambda r: r.city.region == "52"),
        ("HealthcareService", "_tag", f"{words.REGION}|52", lambda r: r.city.region == "52"),
        ("HealthcareService", "_tag", f"{words.REGION}|52,84", lambda r: r.city.region in ("52", "84")),
        ("HealthcareService", "_tag", "other|52", lambda r: False),
        ("HealthcareService", "_tag", f"{words.REGION}|", lambda r: True),
        ("HealthcareService", "_tag:not", "52", lambda r: r.city.region != "52"),
        ("HealthcareService", "specialty", f"{words.ACTIVITY}|013", lambda r: "urgences" in r.name),
        ("HealthcareService", "service-category", "21", lambda r: r.codes["service-category"][0][1] == "21"),
        ("HealthcareService", "service-type", "01", lambda r: r.codes["service-type"][0][1] == "01"),
        ("HealthcareService", "name", "accueil", lambda r: r.name.startswith("Accueil")),
        ("HealthcareService", "name", "urgences", lambda r: False),
        ("HealthcareService", "name:contains", "REANIMATION", lambda r: "Réanimation" in r.name),
        ("HealthcareService", "name:exact", "accueil des urgences adultes - Consultation", lambda r: False),
        (
            "HealthcareService",
            "name:exact",
            "Accueil des urgences adultes - Consultation",
            lambda r: r.name == "Accueil des urgences adultes - Consultation",
        ),
        ("HealthcareService", "name:contains", "a\\,b", lambda r: False),
        ("Organization", "name:contains", "chu", lambda r: "CHU" in r.name),
        ("Organization", "identifier", "990000001", lambda r: (words.FINESS, "990000001") in r.identifiers),
        ("Organization", "identifier", "1990000001", lambda r: r.kind == "EJ" and r.number == 1),
        (
            "Organization",
            "type",
            f"{words.ESTABLISHMENT}|355",
            lambda r: r.displays["type"] == "Centre Hospitalier (C.H.)",
        ),
        ("Location", "identifier", "|x", lambda r: False),
        ("HealthcareService", "identifier", "|11/300001", lambda r: ("", "11/300001") in r.identifiers),
        ("Practitioner", "identifier", "urn:oid:1.2.250.1.71.4.2.1|99900000003", lambda r: r.number == 3),
        ("PractitionerRole", "identifier", "99800000003", lambda r: r.number == 3),
        ("Location", "status", "inactive", lambda r: not r.active),
        ("Location", "status", "active", lambda r: r.active),
        ("Location", "address-city", "saint", lambda r: r.city.name.startswith("Saint-")),
        ("Location", "address-city", "creteil", lambda r: r.city.name == "Créteil"),
        ("Location", "address-postalcode", "71", lambda r: r.city.postal_code.startswith("71")),
        (
            "Location",
            "commune-cog",
            f"{words.COMMUNE_SEARCH}|18033,44109",
            lambda r: r.city.name in ("Bourges", "Nantes"),
        ),
        ("Location", "commune-cog", f"{words.COMMUNE}|18033", lambda r: r.city.insee == "18033"),
        ("Location", "type", "001", lambda r: r.codes["type"][0][1] == "001"),
        ("Location", "capacity-type", "01", lambda r: r.capacity is not None),
        ("Location", "capacity-status", f"{words.CAPACITY_STATUS}|02", lambda r: r.capacity is not None),
        ("Location", "nb-capacity", "gt10", lambda r: (r.capacity or 0) > 10),
        ("Location", "nb-capacity", "7", lambda r: r.capacity == 7),
        ("Location", "nb-capacity", "gt6.5", lambda r: (r.capacity or 0) >= 7),
        ("Location", "nb-capacity", "le6.5", lambda r: r.capacity is not None and r.capacity <= 6),
        ("Location", "nb-capacity", "6.5", lambda r: False),
        ("Location", "near", "47.218|-1.553|20|km", lambda r: distance(r.position, (47.218, -1.553)) <= 20),
        ("Location", "near", "47.218|-1.553|20000|m", lambda r: distance(r.position, (47.218, -1.553)) <= 20),
        ("Location", "near", "47.218|-1.553|20", lambda r: distance(r.position, (47.218, -1.553)) <= 20),
        ("Location", "near-insee-code", "44109|20|km", lambda r: distance(r.position, (47.2184, -1.5536)) <= 20),
        ("Location", "capacity-update-date", "ge2000", lambda r: r.capacity is not None),
        (
            "Location",
            "identifier:of-type",
            f"{words.LOCATION_ID}|25|11/190000",
            lambda r: r.identifiers[0][1] == "11/190000",
        ),
        ("Location", "identifier:of-type", f"{words.LOCATION_ID}|26|11/190000", lambda r: False),
        ("Location", "operational-status", "x", lambda r: False),
        ("Location", "limit-value", "ge200|http://unitsofmeasure.org|kg", lambda r: False),
        ("Organization", "period-end", "ge2000", lambda r: False),
        ("HealthcareService", "location", "Location/252002", lambda r: "Location/252002" in r.links["location"]),
        ("HealthcareService", "location", "252002", lambda r: "Location/252002" in r.links["location"]),
        ("Organization", "extension.typeActivity", "x", lambda r: False),
        ("HealthcareService", "age-range-low", "le35|https://unitsofmeasure.org|a", lambda r: True),
        ("HealthcareService", "age-range-high", "le35|https://unitsofmeasure.org|a", lambda r: False),
    ],
)
def test_a_parameter_finds_what_it_says(
    directory: Directory, resource_type: str, name: str, value: str, expected: Any
) -> None:
    """Each documented form of a parameter finds exactly the records that it describes."""
    wanted = [record for record in directory.records(resource_type) if expected(record)]
    assert found(directory, resource_type, (name, value)) == wanted


def test_the_examples_above_do_find_something(directory: Directory) -> None:
    """The directory is wide enough for the usual searches to have results."""
    for resource_type, name, value in [
        ("HealthcareService", "_tag", "52"),
        ("HealthcareService", "name:contains", "REANIMATION"),
        ("Organization", "name:contains", "chu"),
        ("Location", "nb-capacity", "gt10"),
        ("Location", "near", "47.218|-1.553|20|km"),
        ("Location", "status", "inactive"),
    ]:
        assert found(directory, resource_type, (name, value)), (name, value)


def test_a_repeated_parameter_means_and(directory: Directory) -> None:
    """Two values of one parameter both apply, and so do two parameters."""
    both = found(directory, "HealthcareService", ("_tag", "52"), ("name:contains", "urgences"))
    assert both == [
        record for record in found(directory, "HealthcareService", ("_tag", "52")) if "urgences" in record.name
    ]
    assert found(directory, "HealthcareService", ("_tag", "52"), ("_tag", "84")) == []


INSTANT = datetime(2024, 5, 17, 12, 30, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        # seconds from the instant at which a record was changed: found, or not
        ("ge2024-05-17T12:30:00Z", {-1: False, 0: True, 1: True}),
        ("gt2024-05-17T12:30:00Z", {-1: False, 0: False, 1: True}),
        ("sa2024-05-17T12:30:00Z", {-1: False, 0: False, 1: True}),
        ("le2024-05-17T12:30:00Z", {-1: True, 0: True, 1: False}),
        ("lt2024-05-17T12:30:00Z", {-1: True, 0: False, 1: False}),
        ("eb2024-05-17T12:30:00Z", {-1: True, 0: False, 1: False}),
        ("eq2024-05-17T12:30:00Z", {-1: False, 0: True, 1: False}),
        ("2024-05-17T12:30:00.000+00:00", {-1: False, 0: True, 1: False}),
        ("2024-05-17T14:30:00+02:00", {-1: False, 0: True, 1: False}),
        ("ne2024-05-17T12:30:00Z", {-1: True, 0: False, 1: True}),
        ("2024-05-17T12:30", {-1: False, 0: True, 59: True, 60: False}),
        ("2024-05-17", {-45001: False, -45000: True, 41399: True, 41400: False}),
        ("gt2024-05-17", {41399: False, 41400: True}),
        ("2024-05", {0: True, 86400 * 20: False}),
        ("2024", {0: True, 86400 * 300: False}),
        ("2024-12", {0: False}),
    ],
)
def test_dates_compare_by_their_precision(value: str, seconds: dict[int, bool]) -> None:
    """A FHIR date is a span as long as its precision, and the prefixes compare with its ends."""
    (parameter,) = parse(Directory(1), "Location", [("_lastUpdated", value)]).tests
    for offset, expected in seconds.items():
        updated = int(INSTANT.timestamp()) + offset
        record = Record("Location", "1", 0, updated, words.CITIES[0])
        assert parameter(record) is expected, offset


@pytest.mark.parametrize(
    ("resource_type", "name", "value", "code", "word"),
    [
        ("Location", "wheelchair", "true", "not-supported", "wheelchair"),
        ("Practitioner", "name", "x", "not-supported", "name"),
        ("Location", "name:exact:exact", "x", "not-supported", "name"),
        ("HealthcareService", "name:missing", "true", "not-supported", "name:missing"),
        ("Location", "near:contains", "1|1|1", "not-supported", "near"),
        ("HealthcareService", "location.wheelchair", "x", "not-supported", "wheelchair"),
        ("HealthcareService", "location.identifier:of-type", "x", "invalid", "of-type"),
        ("HealthcareService", "location.operational-status", "x", "not-supported", "operational-status"),
        ("HealthcareService", "_has:PractitionerRole:organization:identifier", "x", "not-supported", "_has"),
        ("HealthcareService", "_has:PractitionerRole:service:wheelchair", "x", "not-supported", "wheelchair"),
        ("Practitioner", "_has:PractitionerRole:service:identifier", "x", "not-supported", "_has"),
        ("HealthcareService", "organization.identifier", "1990000001", "not-supported", "organization.identifier"),
        ("HealthcareService", "_filter", "name like x", "invalid", "_filter"),
        ("HealthcareService", "_filter", "wheelchair eq x", "not-supported", "wheelchair"),
        ("HealthcareService", "_filter", "name ge x", "invalid", "name"),
        ("HealthcareService", "age-range-low", "le35", "invalid", "age-range-low"),
        ("Location", "near-insee-code", "00000|15|km", "invalid", "near-insee-code"),
        ("Location", "_sort", "nb-capacity", "not-supported", "nb-capacity"),
        ("Location", "_count", "-1", "invalid", "_count"),
        ("Location", "_count", "many", "invalid", "_count"),
        ("Location", "nb-capacity", "gt1,5e3", "invalid", "nb-capacity"),
        ("Location", "_lastUpdated", "yesterday", "invalid", "_lastUpdated"),
        ("Location", "_lastUpdated", "ge2024-13-01", "invalid", "_lastUpdated"),
        ("Location", "_lastUpdated", "ge2024-02-30", "invalid", "_lastUpdated"),
        ("Location", "_lastUpdated", "ge2024-02-01T10", "invalid", "_lastUpdated"),
        ("Location", "_lastUpdated", "2024-00", "invalid", "_lastUpdated"),
        ("Location", "_lastUpdated", "9999", "invalid", "_lastUpdated"),
        ("Location", "near", "47.2", "invalid", "near"),
        ("Location", "near", "95|0|1|km", "invalid", "near"),
        ("Location", "near", "0|181|1|km", "invalid", "near"),
        ("Location", "near", "0|0|-1|km", "invalid", "near"),
        ("Location", "near", "0|0|1|miles", "invalid", "near"),
        ("Location", "near", "0|0|nan|km", "invalid", "near"),
        ("Location", "_include", "Location:partof", "not-supported", "Location:partof"),
        ("Location", "_include:recurse", "Location:organization", "not-supported", "_include:recurse"),
        ("Location", "_revinclude", "Location:organization", "not-supported", "Location:organization"),
    ],
)
def test_what_the_service_does_not_know_is_refused(
    directory: Directory, resource_type: str, name: str, value: str, code: str, word: str
) -> None:
    """An unknown parameter, modifier or value is an error that names it, not a search of everything."""
    with pytest.raises(BadSearchError) as caught:
        parse(directory, resource_type, [(name, value)])
    assert caught.value.code == code
    assert word in caught.value.diagnostics


def test_every_listed_parameter_is_taken(directory: Directory) -> None:
    """What /metadata lists can be asked."""
    values = {"_include": "Location:organization", "_revinclude": "PractitionerRole:service"}
    values |= {"_filter": "(_id eq 1)", "_sort": "_id", "near": "0|0|1|km", "near-insee-code": "44162|1|km"}
    kinds = {"date": "2024", "number": "1", "quantity": "1|http://unitsofmeasure.org|a"}
    for resource_type in TYPES:
        names = parameter_names(resource_type)
        assert "_include:iterate" in names
        for name in names:
            last = name.partition(":")[0].removeprefix("location.")
            value = values.get(last) or kinds.get(parameter_type(resource_type, name), "x")
            parse(directory, resource_type, [(name, value)])


def test_results_are_sorted_when_asked(directory: Directory) -> None:
    """Several keys, the first one first; a dash reverses."""
    by_name = found(directory, "Organization", ("_sort", "name,-_lastUpdated"))
    assert [(r.name, -r.updated) for r in by_name] == sorted(
        (r.name, -r.updated) for r in directory.records("Organization")
    )


# ------------------------------------------------------------------ filters


@pytest.mark.parametrize(
    ("resource_type", "expression", "expected"),
    [
        ("Location", '(address-postalcode eq "71000" or "76000")', lambda r: r.city.postal_code in ("71000", "76000")),
        ("Location", "address-postalcode eq 71", lambda r: r.city.postal_code.startswith("71")),
        ("Location", "(_tag ne 52)", lambda r: r.city.region != "52"),
        (
            "Location",
            "_tag eq 52 or _tag eq 84 and status eq active",
            lambda r: r.city.region == "52" or (r.city.region == "84" and r.active),
        ),
        ("Location", "((_tag eq 52 or 84) and status eq active)", lambda r: r.city.region in ("52", "84") and r.active),
        (
            "Location",
            "(nb-capacity ge 5 and nb-capacity le 9)",
            lambda r: r.capacity is not None and 5 <= r.capacity <= 9,
        ),
        ("Location", '(address-city eq "a, b")', lambda r: False),
        (
            "HealthcareService",
            "(_lastUpdated ge 2024-01-01 and _lastUpdated lt 2025)",
            lambda r: 1704067200 <= r.updated < 1735689600,
        ),
        (
            "HealthcareService",
            f"(location.commune-cog eq {words.COMMUNE_SEARCH}|33063)",
            lambda r: r.city.insee == "33063",
        ),
        ("HealthcareService", "(age-range-low le 35|https://unitsofmeasure.org|a)", lambda r: True),
    ],
)
def test_a_filter_finds_what_it_says(directory: Directory, resource_type: str, expression: str, expected: Any) -> None:
    """The dialect of the published examples: values without their parameter, `and` before `or`, chains."""
    wanted = [record for record in directory.records(resource_type) if expected(record)]
    assert found(directory, resource_type, ("_filter", expression)) == wanted


def test_the_delta_filter_sees_changes_of_organizations(directory: Directory) -> None:
    """The documented form finds offers that changed, and offers whose organization or one above it did."""
    since = "2025-09-01T00:00"
    own = {r.id for r in found(directory, "HealthcareService", ("_lastUpdated", f"ge{since}"))}
    above = {r.id for r in found(directory, "HealthcareService", ("organization._lastUpdated:above", f"ge{since}"))}
    expression = f"(_lastUpdated ge {since} or organization._lastUpdated:above ge {since})"
    both = {r.id for r in found(directory, "HealthcareService", ("_filter", expression))}
    assert both == own | above
    assert own - above
    assert above - own


@pytest.mark.parametrize(
    "expression",
    [
        "(",
        "()",
        "a",
        "(a eq)",
        "(_tag eq 52",
        "_tag eq 52)",
        "_tag eq 52 53",
        '_tag eq "52',
        "and",
        "_tag eq (52)",
        "(" * 60 + "_tag eq 1" + ")" * 60,
        "_tag eq 52 or " * 400 + "53",
        ")",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(directory: Directory, expression: str) -> None:
    """Unclosed, empty, too deep, too long: an error that names the parameter."""
    with pytest.raises(BadSearchError, match="_filter") as caught:
        found(directory, "Location", ("_filter", expression))
    assert caught.value.code == "invalid"


# ------------------------------------------------------------------ chains and includes


def test_has_finds_who_is_referred_to(directory: Directory) -> None:
    """By the role, or by the person who has the role; META's short form is the same."""
    role = directory.records("PractitionerRole")[2]
    service, person = role.links["service"][0], directory.get(role.links["practitioner"][0])
    assert person is not None
    (by_role,) = found(
        directory, "HealthcareService", ("_has:PractitionerRole:service:identifier", role.identifiers[0][1])
    )
    assert by_role.reference == service
    rpps = person.identifiers[0][1]
    by_person = found(directory, "HealthcareService", ("_has:PractitionerRole:service:practitioner.identifier", rpps))
    assert by_role in by_person
    assert found(directory, "HealthcareService", ("practitioner.identifier", rpps)) == by_person
    places = found(directory, "Location", ("_has:HealthcareService:location:identifier", by_role.identifiers[0][1]))
    assert {place.reference for place in places} == set(by_role.links["location"])


def test_metadata_names_the_type_of_each_parameter() -> None:
    """As META does: controls are strings, chains have the type of their end."""
    assert parameter_type("HealthcareService", "location.near") == "special"
    assert parameter_type("HealthcareService", "organization.name:above") == "string"
    assert parameter_type("HealthcareService", "practitioner.identifier") == "string"
    assert parameter_type("Location", "_include:iterate") == "string"
    assert parameter_type("Location", "_count") == "number"
    assert parameter_type("Location", "limit-value") == "quantity"


def test_a_chain_to_the_place_finds_the_offers_there(directory: Directory) -> None:
    """location.<parameter> finds the offers of the places that the parameter finds."""
    places = {record.reference for record in found(directory, "Location", ("address-postalcode", "44"))}
    offers = found(directory, "HealthcareService", ("location.address-postalcode", "44"))
    assert offers
    assert offers == [
        offer for offer in directory.records("HealthcareService") if not places.isdisjoint(offer.links["location"])
    ]


def test_above_finds_the_offers_of_a_whole_legal_entity(directory: Directory) -> None:
    """organization.identifier:above finds offers of the entity itself and of everything below it."""
    legal = next(record for record in directory.records("Organization") if record.kind == "EJ")
    offers = found(directory, "HealthcareService", ("organization.identifier:above", legal.identifiers[0][1]))
    kinds = {directory.get(offer.links["organization"][0]).kind for offer in offers}  # type: ignore[union-attr]  # they exist
    assert kinds == {"EG", "OI"}
    assert len(offers) == 24
    one = found(directory, "HealthcareService", ("organization._id:above", offers[0].links["organization"][0][13:]))
    assert 0 < len(one) < 24
    assert found(directory, "HealthcareService", ("organization.identifier:above", "1290004324")) == []


STANDARD = (
    ("_include", "HealthcareService:organization"),
    ("_include:iterate", "Organization:partof"),
    ("_include", "HealthcareService:location"),
    ("_revinclude", "PractitionerRole:service"),
    ("_include", "PractitionerRole:practitioner"),
)


def test_the_standard_query_brings_the_whole_offer(directory: Directory) -> None:
    """The published query brings provider, all entities above, places, roles and people, each once and no match."""
    matches, included = brought(directory, "HealthcareService", ("_id", "100001"), *STANDARD)
    assert [record.id for record in matches] == ["100001"]
    references = [record.reference for record in included]
    assert len(set(references)) == len(references)
    assert {record.type for record in included} == {"Organization", "Location", "PractitionerRole", "Practitioner"}
    assert {record.kind for record in included if record.type == "Organization"} >= {"EG", "EJ"}


def test_partof_goes_up_all_the_way_only_when_iterated(directory: Directory) -> None:
    """_include=Organization:partof takes one step, _include:iterate every step."""
    unit = next(record for record in directory.records("Organization") if record.kind == "OI")
    one = brought(directory, "Organization", ("_id", unit.id), ("_include", "Organization:partof"))[1]
    every = brought(directory, "Organization", ("_id", unit.id), ("_include:iterate", "Organization:partof"))[1]
    assert [record.kind for record in one] == ["EG"]
    assert [record.kind for record in every] == ["EG", "EJ"]


def test_revinclude_brings_who_refers(directory: Directory) -> None:
    """Location with _revinclude=HealthcareService:location brings the offers of that place, and only them."""
    matches, included = brought(directory, "Location", ("_id", "252001"), ("_revinclude", "HealthcareService:location"))
    assert included
    assert all(matches[0].reference in record.links["location"] for record in included)


# ------------------------------------------------------------------ any size


@pytest.mark.parametrize("region", ["", "11"])
def test_a_look_at_a_part_of_a_record_sees_what_the_record_holds(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of many records draws of each what it compares, and no more."""
    monkeypatch.setattr("ror_sante.simulator.data.KEPT", 10)
    directory = Directory(130, 3, region=region, shared=5)
    for name in TYPES:
        seen = [*directory.scan(name)]
        assert all(isinstance(one, Glimpse) for one in seen)
        assert len(seen) == len(directory.records(name))
        for one, record in zip(seen, directory.records(name), strict=True):
            for field in (*Record.__dataclass_fields__, "reference"):
                assert getattr(one, field) == getattr(record, field)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 130])
def test_who_refers_to_a_record_is_found_without_a_look_at_all(size: int) -> None:
    """The same records in the same order as a look at every one gives."""
    directory = Directory(size, 3)
    for key in (*REVINCLUDES, "Organization:partof"):
        referrer, _, link = key.partition(":")
        for target in (record.reference for name in TYPES for record in directory.records(name)):
            every = [one for one in directory.records(referrer) if target in one.links.get(link, ())]
            assert directory.referrers(key, target) == every
        assert directory.referrers(key, "HealthcareService/7") == ()  # there is no such offer


def test_a_million_offers_are_there_at_once_and_take_no_memory() -> None:
    """A record is made when it is asked for: the first page, the last offer, the file of an export."""
    large = Directory(1_000_000)
    tracemalloc.start()
    try:
        matches = parse(large, "HealthcareService", [("_revinclude", "PractitionerRole:service")]).matches(large)
        assert len(matches) == 1_000_000
        assert matches[-1].id == str(FIRST_ID["HealthcareService"] + 999_999)
        assert large.get(f"Organization/{FIRST_ID['Organization'] + 600_000}") is not None
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
