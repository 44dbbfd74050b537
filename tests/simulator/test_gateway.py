"""The simulated FHIR gateway of the Annuaire Santé answers as the published server writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.identifiers import Identifier, flaws
from ror_sante.simulator.annuaire import TYPES, Annuaire, finess, rpps, siret
from ror_sante.simulator.gateway import API_KEY, GATEWAY_PATH, GatewayService
from ror_sante.simulator.messages import Call

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def gateway() -> GatewayService:
    """A gateway with 120 people whose clock stands still."""
    return GatewayService(Annuaire(120), now=lambda: NOW, origin=lambda: "https://localhost:1", life=300)


def ask(gateway: GatewayService, path: str, params: Any = (), method: str = "GET", **more: Any) -> tuple[int, Any]:
    headers = {"esante-api-key": API_KEY} | more.pop("headers", {})
    call = Call(method, f"{GATEWAY_PATH}/{path}", urlencode(params), headers, **more)
    reply = gateway.answer(call)
    return reply.status, json.loads(reply.payload)


def found(gateway: GatewayService, path: str, params: Any = ()) -> list[str]:
    status, bundle = ask(gateway, path, params)
    assert status == 200
    return [entry["resource"]["id"] for entry in bundle["entry"]]


# ------------------------------------------------------------------ the data


@pytest.mark.parametrize("number", [0, 1, 77, 4999])
def test_numbers_are_well_made_and_nobodys(number: int) -> None:
    """Check digits are right, and the beginnings are ones that no register gives."""
    assert not flaws(Identifier.RPPS, rpps(number))
    assert not flaws(Identifier.FINESS, finess(number))
    assert not flaws(Identifier.SIRET, siret(number))
    assert (rpps(number)[:3], finess(number)[:3], siret(number)[:3]) == ("999", "990", "999")


def test_the_same_seed_gives_the_same_records() -> None:
    """Another seed gives others under the same ids."""
    one, same, other = (Annuaire(50, seed).payload("Practitioner/003-100007") for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("reference", ["Practitioner/003-100050", "Practitioner/001-100001", "Location/1", "Device/x"])
def test_other_references_are_nobody(reference: str) -> None:
    """Beyond the last, of another type, or no id at all."""
    assert Annuaire(50).payload(reference) is None


def test_every_type_has_records() -> None:
    """Each resource names its type and id; the version is a text for some and a number for others."""
    annuaire = Annuaire(50)
    for resource_type in TYPES:
        references = annuaire.references(resource_type)
        assert len(references) == annuaire.count(resource_type) > 0
        first = annuaire.payload(references[0]) or {}
        assert f"{first['resourceType']}/{first['id']}" == references[0]
    versions = {type((annuaire.payload(one) or {})["meta"]["versionId"]) for one in annuaire.references("Practitioner")}
    assert versions == {int, str}


def test_what_was_deactivated_says_little() -> None:
    """A person keeps id and identifiers, a structure its name too, a device another status; an edit moves the date."""
    at = int(NOW.timestamp())
    annuaire = Annuaire(50).changed({"Practitioner": 1}, {"Practitioner": 2, "Organization": 1, "Device": 1}, at=at)
    for reference in annuaire.deactivated:
        resource = annuaire.payload(reference) or {}
        named = {"name"} if reference.startswith("Organization") else set()
        state = {"status"} if reference.startswith("Device") else {"active"}
        assert set(resource) == {"resourceType", "id", "meta", "identifier"} | named | state
        assert resource.get("active", False) is False
        assert resource["meta"]["lastUpdated"] == "2026-11-25T05:00:00.000+01:00"
    (edited,) = annuaire.edited
    assert (annuaire.payload(edited) or {})["active"] is True
    assert annuaire.updated(edited) == at
    assert edited not in annuaire.deactivated


@pytest.mark.parametrize("wanted", [{"Location": 1}, {"Device": 99}, {"Device": -1}])
def test_what_cannot_change_is_refused(wanted: dict[str, int]) -> None:
    """Another type, or more records than there are."""
    with pytest.raises(ConfigurationError):
        Annuaire(50).changed(wanted, {}, at=0)


# ------------------------------------------------------------------ searches


def test_searches_find_by_each_parameter(gateway: GatewayService) -> None:
    """Tokens with and without their system, texts by their beginning, whole or in part, references, lists, dates."""
    person = gateway.annuaire.payload("Practitioner/003-100005") or {}
    family, number = person["name"][0]["family"], person["identifier"][1]["value"]
    cases: list[tuple[str, dict[str, str], bool]] = [
        ("Practitioner", {"identifier": number}, True),
        ("Practitioner", {"identifier": f"8{number}"}, True),
        ("Practitioner", {"identifier": f"https://rpps.esante.gouv.fr|{number}"}, True),
        ("Practitioner", {"identifier": f"http://rpps.fr|{number}"}, False),
        ("Practitioner", {"family": family.lower()[:4]}, True),
        ("Practitioner", {"family:exact": family}, True),
        ("Practitioner", {"family:exact": family.lower()}, False),
        ("Practitioner", {"name:contains": family[1:].lower()}, True),
        ("Practitioner", {"mailbox-mss": "personne.5@simulateur.mssante.invalid"}, True),
        ("Practitioner", {"active": "true"}, True),
        ("Practitioner", {"_id": "003-1,003-100005"}, True),
        ("Practitioner", {"_lastUpdated": "ge2023-01-01"}, True),
        ("Practitioner", {"_lastUpdated": "lt2023-01-01T00:00:00Z"}, False),
        ("Practitioner", {"_lastUpdated": person["meta"]["lastUpdated"]}, True),
        ("Practitioner", {"_lastUpdated": f"gt{person['meta']['lastUpdated']}"}, False),
        ("Practitioner", {"_lastUpdated": f"le{person['meta']['lastUpdated']}"}, True),
    ]
    for path, params, there in cases:
        assert ("003-100005" in found(gateway, path, {**params, "_count": 200})) is there, params
    assert found(gateway, "PractitionerRole", {"practitioner": "003-100005"}) == ["005-100005"]
    assert "001-100004" not in found(gateway, "Organization", {"partof": "Organization/001-100004"})
    assert "001-100005" in found(gateway, "Organization", {"partof": "Organization/001-100004"})
    assert found(gateway, "Device", {"organization": "001-100001"}) == ["002-100001"]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("Practitioner", {"nope": "x"}),
        ("Practitioner", {"family:text": "x"}),
        ("Practitioner", {"organization": "x"}),
        ("Practitioner", {"_lastUpdated": "yesterday"}),
        ("Practitioner", {"_lastUpdated": "ap2026-01-01"}),
        ("Practitioner", {"_revinclude": "Device:organization"}),
    ],
)
def test_a_parameter_that_it_does_not_know_is_an_error_500(
    gateway: GatewayService, path: str, params: dict[str, str]
) -> None:
    """With an OperationOutcome, as the parser of the published server."""
    status, body = ask(gateway, path, params)
    assert (status, body["resourceType"]) == (500, "OperationOutcome")
    assert "not found for resource" in body["issue"][0]["diagnostics"]


def test_a_page_ends_with_its_links(gateway: GatewayService) -> None:
    """Header, entries, links: in this order, without search.mode, with another next address at each call."""
    first, again = (ask(gateway, "Practitioner", {"_count": 50})[1] for _ in range(2))
    assert list(first) == ["resourceType", "type", "id", "total", "entry", "link"]
    assert set(first["entry"][0]) == {"fullUrl", "resource"}
    links = [bundle["link"][0]["url"] for bundle in (first, again)]
    assert links[0] != links[1]
    assert links[0].startswith("https://localhost:1/fhir/v2/_page?id=d")
    assert "total" not in ask(gateway, "Practitioner", {"_total": "none"})[1]
    assert ask(gateway, "Practitioner", {"_count": "x"})[1]["total"] == 120
    assert ask(gateway, "Practitioner", {"family": "PERSONNE"})[1]["entry"] == []


def test_pages_show_the_data_of_the_first(gateway: GatewayService) -> None:
    """A record that changes meanwhile comes as it was."""
    link = urlsplit(ask(gateway, "Device")[1]["link"][0]["url"])
    assert link.path.endswith("/Device")
    bundle = ask(gateway, "Practitioner", {"_count": 60})[1]
    gateway.change({}, {"Practitioner": 120})
    key = urlsplit(bundle["link"][0]["url"]).query.partition("=")[2]
    entries = ask(gateway, "_page", {"id": key})[1]["entry"]
    assert len(entries) == 60
    assert all(entry["resource"]["active"] for entry in entries)
    gateway.reset()
    assert ask(gateway, "_page", {"id": key})[0] == 500


def test_links_are_kept_in_number(gateway: GatewayService) -> None:
    """The oldest of more than 512 next links is forgotten."""
    key = urlsplit(ask(gateway, "Practitioner")[1]["link"][0]["url"]).query.partition("=")[2]
    for _ in range(512):
        ask(gateway, "Device", {"_count": 1})
    status, body = ask(gateway, "_page", {"id": key})
    assert (status, "too old or corrupted" in body["issue"][0]["diagnostics"]) == (500, True)


def test_includes_come_along_unmarked(gateway: GatewayService) -> None:
    """What matches refer to, and what refers to them; `*` is every rule."""
    one = {"_id": "005-100003"}
    both = found(gateway, "PractitionerRole", {**one, "_include": "*"})
    assert [key[:3] for key in both] == ["005", "001", "003"]
    assert len(found(gateway, "PractitionerRole", {**one, "_include": "PractitionerRole:practitioner"})) == 2
    back = found(gateway, "Practitioner", {"_id": "003-100003", "_revinclude": "PractitionerRole:practitioner"})
    assert back == ["003-100003", "005-100003"]


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("metadata", "GET", {}, 200),
        ("metadata", "GET", {"esante-api-key": "another"}, 401),
        ("Practitioner/003-100001", "GET", {}, 200),
        ("Practitioner/003-999999", "GET", {}, 404),
        ("Location", "GET", {}, 404),
        ("Practitioner//x", "GET", {}, 404),
        ("Practitioner", "DELETE", {}, 405),
        ("Practitioner", "POST", {"content-type": FORM}, 405),
        ("Location/_search", "POST", {"content-type": FORM}, 405),
        ("Practitioner/_search", "POST", {"content-type": FORM}, 200),
        ("Practitioner/_search", "POST", {"content-type": f"{FORM}; charset=UTF-8"}, 500),
    ],
)
def test_what_it_takes(gateway: GatewayService, path: str, method: str, headers: dict[str, str], status: int) -> None:
    """Reads and searches with the right key, and a form with exactly its content type."""
    assert ask(gateway, path, method=method, headers=headers, body=b"_id=003-100001")[0] == status


def test_another_path_is_no_fhir_server(gateway: GatewayService) -> None:
    """Without the version in the path the gateway knows nothing."""
    reply = gateway.answer(Call("GET", "/fhir/metadata", headers={"esante-api-key": API_KEY}))
    assert (reply.status, b"context-path" in reply.payload) == (404, True)
