"""The client of the Annuaire Santé's FHIR gateway against the simulator: keys, pages, and each trap with its pair."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ror_sante.api.annuaire.client import AnnuaireSanteClient
from ror_sante.errors import (
    AccessDeniedError,
    ClientRejectedError,
    ConfigurationError,
    NotFoundError,
    ServerFaultError,
    ServerNotTrustedError,
    TruncatedResultError,
    UnexpectedResponseError,
)
from ror_sante.http.retry import RetryPolicy
from ror_sante.settings import load_settings
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator

SIZE = 500  # people: three pages


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(SimulatorPki.create(), size=SIZE) as simulator:
        yield simulator


def connect(simulator: Simulator, **more: Any) -> AnnuaireSanteClient:
    """Make a client that neither waits long between two tries nor between two calls."""
    options: dict[str, Any] = {
        "api_key": simulator.api_key,
        "retry": RetryPolicy(first_wait=0.01, max_wait=0.02, deadline=10),
        "calls_per_second": 1000,
    }
    return AnnuaireSanteClient(more.pop("environment", simulator.environment), **(options | more))


@pytest.fixture
def annuaire(simulator: Simulator) -> Iterator[AnnuaireSanteClient]:
    with connect(simulator) as client:
        yield client


def ids(resources: Any) -> list[str]:
    return [resource.id for resource in resources]


# ------------------------------------------------------------------ both halves


def test_one_client_has_both_halves(simulator: Simulator) -> None:
    """The extractions see the certificate and no key, the gateway the key and no certificate; both end together."""
    with connect(simulator, identity=simulator.identity) as annuaire:
        assert annuaire.extractions.offer("Extraction_ProSanteConnect").available
        assert annuaire.metadata()["fhirVersion"] == "4.0.1"
        assert annuaire.extractions is annuaire.extractions
    extraction, gateway = simulator.requests
    assert (extraction.service, bool(extraction.subject_dn)) == ("extraction", True)
    assert (gateway.service, gateway.subject_dn) == ("gateway", "")
    assert "esante-api-key" in gateway.headers
    assert "esante-api-key" not in extraction.headers


def test_without_a_certificate_the_open_half_is_there(simulator: Simulator, tmp_path: Path) -> None:
    """A restricted name is a clear sentence; with the settings' own certificate it is offered."""
    with connect(simulator) as annuaire:
        assert annuaire.extractions.offer("PS_LibreAcces").available
        with pytest.raises(ConfigurationError, match="is for holders of a certificate, and there is none"):
            annuaire.extractions.offer("Extraction_ProSanteConnect")
    settings = load_settings(simulator.write_config(tmp_path / "config"), environ={})
    with AnnuaireSanteClient.from_settings(settings) as annuaire:
        assert annuaire.extractions.offer("Extraction_ProSanteConnect").available


def test_an_intermediate_is_lent_to_both_halves() -> None:
    """Servers that forget to send theirs are trusted with it, and are not without."""
    pki = SimulatorPki.create()
    issued = pki.server()
    with Simulator(pki, size=1, server=replace(issued, chain=issued.chain[:1])) as simulator:
        # The gateway's port has a chain of its own: its client is sent to one that forgets.
        environment = replace(
            simulator.environment,
            annuaire_fhir_url=f"{simulator.extraction_url}/fhir/v2",
            annuaire_fhir_anchors=simulator.environment.anchors,
        )
        lent = (pki.intermediate.certificate,)
        with connect(simulator, environment=environment, lend=lent) as annuaire:
            assert annuaire.extractions.offer("PS_LibreAcces").available
            with pytest.raises(NotFoundError):
                annuaire.metadata()
        with connect(simulator, environment=environment) as annuaire:
            for call in (annuaire.metadata, lambda: annuaire.extractions.offer("PS_LibreAcces")):
                with pytest.raises(ServerNotTrustedError):
                    call()


@pytest.mark.parametrize(("hosts", "wide"), [(["LOCALHOST"], True), (["other.example"], False)])
def test_older_suites_are_for_the_named_host_alone(simulator: Simulator, hosts: list[str], wide: bool) -> None:
    """The gateway's host is named, or another one."""
    with connect(simulator, wide_tls12_hosts=hosts) as annuaire:
        annuaire.metadata()
        (session,) = annuaire._gateway._sessions
        assert ("AES128-GCM-SHA256" in {one["name"] for one in session._pinned._context.get_ciphers()}) is wide


# ------------------------------------------------------------------ the key and the certificate


def test_the_key_goes_out_and_no_certificate_does(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """Each call carries the key in its header; the gateway sees no certificate, and no token."""
    assert len(ids(annuaire.search("Practitioner"))) == SIZE
    seen = simulator.requests
    assert {(one.service, one.subject_dn, one.headers["esante-api-key"]) for one in seen} == {
        ("gateway", "", simulator.api_key)
    }
    assert not any("authorization" in one.headers for one in seen)
    assert simulator.received_chain == ()


def test_a_wrong_key_is_a_clear_sentence(simulator: Simulator) -> None:
    """The right key reads; another one is told by name, asked once, and not shown."""
    with (
        connect(simulator, api_key="cle-fausse-0123") as annuaire,
        pytest.raises(AccessDeniedError, match="refuses our API key") as caught,
    ):
        annuaire.metadata()
    assert "cle-fausse" not in f"{caught.value}{caught.value.hint}"
    assert len(simulator.requests) == 1
    with connect(simulator) as annuaire:
        assert annuaire.metadata()["fhirVersion"] == "4.0.1"


def test_the_key_never_reaches_the_other_services(simulator: Simulator) -> None:
    """The other two ports stand under IGC-Santé: with the gateway's trust no byte of a request leaves."""
    for wrong in (simulator.url, simulator.extraction_url):
        environment = replace(simulator.environment, annuaire_fhir_url=f"{wrong}/fhir/v2")
        with connect(simulator, environment=environment) as annuaire, pytest.raises(ServerNotTrustedError):
            annuaire.metadata()
    assert simulator.requests == []


def test_a_gateway_that_wants_a_certificate_gets_none(simulator: Simulator) -> None:
    """Pointed at the ROR with the ROR's own root, the client still shows no certificate, and is refused."""
    environment = replace(
        simulator.environment,
        annuaire_fhir_url=f"{simulator.url}/fhir/v2",
        annuaire_fhir_anchors=simulator.environment.anchors,
    )
    with connect(simulator, environment=environment) as annuaire, pytest.raises(ClientRejectedError):
        annuaire.metadata()
    assert simulator.requests == []


def test_a_key_at_the_wrong_address_of_the_host_is_said(simulator: Simulator) -> None:
    """Without the right path no FHIR server answers; the hint names the key of the settings."""
    environment = replace(simulator.environment, annuaire_fhir_url=f"{simulator.gateway_url}/fhir")
    with connect(simulator, environment=environment) as annuaire, pytest.raises(NotFoundError) as caught:
        annuaire.metadata()
    assert "annuaire_fhir_url" in caught.value.hint


def test_a_redirect_does_not_take_the_key_along(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """A redirect is an error, not a way."""
    simulator.fault("redirect-other-host", at="gateway")
    with pytest.raises(UnexpectedResponseError, match="redirect"):
        annuaire.metadata()
    assert len(simulator.requests) == 1


def test_settings_of_the_simulator_reach_it(simulator: Simulator, tmp_path: Any) -> None:
    """The folder that the simulator writes holds the key too."""
    settings = load_settings(simulator.write_config(tmp_path / "bench"), environ={})
    with AnnuaireSanteClient.from_settings(settings) as annuaire:
        assert annuaire.read("Device", "002-100001")["status"] == "active"


# ------------------------------------------------------------------ paging, and each trap


def test_pages_have_two_hundred_and_opaque_links(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """`_count` is 200 unless it is given; next links are taken as they are."""
    assert [len(page.matches) for page in annuaire.pages("Practitioner")] == [200, 200, 100]
    first, second, third = simulator.requests
    assert first.params == [("_count", "200")]
    assert (second.path, third.path) == ("/fhir/v2/_page", "/fhir/v2/_page")
    simulator.reset()
    assert len(next(iter(annuaire.pages("Practitioner", {"_count": 3}, prefetch=False))).matches) == 3


def test_no_match_is_an_empty_page(annuaire: AnnuaireSanteClient) -> None:
    """`entry: []` is no error."""
    assert ids(annuaire.search("Practitioner", {"family": "PERSONNE"})) == []


def test_no_entry_says_that_it_is_a_match(annuaire: AnnuaireSanteClient) -> None:
    """The service writes no search.mode; matches and includes are told apart by their type."""
    found = list(annuaire.search("PractitionerRole", {"_include": "PractitionerRole:practitioner"}, included=True))
    assert sum(one.mode == "match" for one in found) == SIZE
    assert {one.type for one in found if one.mode == "include"} == {"Practitioner"}


def test_includes_come_once(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """The server repeats an organization on page after page; the caller gets it once."""
    params = {"_include": "PractitionerRole:organization"}
    found = list(annuaire.search("PractitionerRole", params, included=True))
    brought = [one.id for one in found if one.mode == "include"]
    assert len(brought) == len(set(brought))
    pages = list(annuaire.pages("PractitionerRole", params))
    assert sum(len(page.included) for page in pages) == len(brought)
    assert len(simulator.requests) == 6


def test_parents_that_look_like_matches_come_once(annuaire: AnnuaireSanteClient) -> None:
    """Organization:partof brings the searched type itself, unmarked: nothing comes twice all the same."""
    found = ids(annuaire.search("Organization", {"_include": "Organization:partof", "_count": "20"}))
    assert len(found) == len(set(found)) == 125


def test_a_truncated_page_is_asked_again(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """JSON that breaks off under status 200 costs a repetition of the same address, and no row."""
    simulator.fault("gateway-truncated-json")
    assert len(ids(annuaire.search("Practitioner"))) == SIZE
    first, second, *_ = simulator.requests
    assert (first.path, first.query) == (second.path, second.query)


def test_a_page_without_its_links_is_asked_again(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """A page whose last part is missing is not the last page."""
    simulator.fault("gateway-no-link")
    assert len(ids(annuaire.search("Practitioner"))) == SIZE


@pytest.mark.parametrize("name", ["gateway-truncated-json", "gateway-no-link"])
def test_a_page_that_always_breaks_off_is_an_error(
    annuaire: AnnuaireSanteClient, simulator: Simulator, name: str
) -> None:
    """It is never taken for an empty page; the hint says what helps."""
    simulator.fault(name, times=None)
    with pytest.raises(UnexpectedResponseError, match="breaks off") as caught:
        ids(annuaire.search("Practitioner"))
    assert "_count" in caught.value.hint
    assert len(simulator.requests) == 4


def test_a_missing_total_is_no_error(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """The service leaves the total out when it takes too long to count."""
    simulator.fault("gateway-no-total", times=None)
    assert len(ids(annuaire.search("Practitioner"))) == SIZE


def test_a_total_below_the_truth_is_only_a_hint(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """More matches than the service counted are given; fewer would be an error."""
    simulator.fault("gateway-low-total", times=None)
    assert len(ids(annuaire.search("Practitioner"))) == SIZE


def test_a_last_page_before_the_total_is_a_loss(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """Without a next link and with fewer matches than counted something is missing."""
    simulator.fault("gateway-no-next")
    with pytest.raises(TruncatedResultError, match="counts 500 results, gave 200 and no next link"):
        ids(annuaire.search("Practitioner"))


def test_an_unknown_parameter_is_asked_once(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """Status 500 with an OperationOutcome is not repeated; 502 without a body is."""
    with pytest.raises(ServerFaultError, match="Parameter familly not found") as caught:
        ids(annuaire.search("Practitioner", {"familly": "X"}))
    assert not caught.value.retryable
    assert len(simulator.requests) == 1
    simulator.fault("gateway-502")
    assert ids(annuaire.search("Practitioner", {"_count": 1}, max_results=1)) == ["003-100000"]
    assert len(simulator.requests) == 3


def test_an_old_link_begins_the_search_anew(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """After a stale link every match still comes, and none twice."""
    simulator.fault("gateway-stale-next")
    found = ids(annuaire.search("Practitioner"))
    assert len(found) == len(set(found)) == SIZE
    assert sum(one.path == "/fhir/v2/Practitioner" for one in simulator.requests) == 2


def test_links_that_expire_by_the_clock_do_so_too(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """A caller who pauses longer than a link lives loses nothing."""
    found = []
    for number, page in enumerate(annuaire.pages("Practitioner", prefetch=False)):
        found += ids(page.matches)
        if number == 0:
            simulator.clock.advance(10_000)
    assert len(found) == len(set(found)) == SIZE


def test_links_that_are_always_too_old_end_the_search(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """It begins anew three times, then says how many results were delivered."""
    simulator.fault("gateway-stale-next", times=None)
    with pytest.raises(NotFoundError, match="after 200 results"):
        ids(annuaire.search("Practitioner"))
    assert len(simulator.requests) == 8


@pytest.mark.parametrize("counted", [True, False])
def test_a_next_page_without_entries_is_a_loss(
    annuaire: AnnuaireSanteClient, simulator: Simulator, counted: bool
) -> None:
    """A next link that leads to nothing is an error, whether the service counts or not; what came stays good."""
    simulator.fault("gateway-empty-next")
    params = {} if counted else {"_total": "none"}
    found: list[str] = []
    with pytest.raises(TruncatedResultError, match="holds no entry after 200 results"):
        found.extend(one.id for one in annuaire.search("Practitioner", params))
    simulator.fault("gateway-empty-next")
    assert len(ids(annuaire.search("Practitioner", params, allow_truncated=True))) == 200


def test_a_chained_search_shows_the_known_bug(
    annuaire: AnnuaireSanteClient, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 414: its second page is empty. A warning comes before, an error after; one page alone is good."""
    finess = simulator.annuaire.payload("Organization/001-100001")["identifier"][1]["value"]  # type: ignore[index]  # it is there
    chained = {"organization.identifier": finess, "_count": "1"}
    with caplog.at_level(logging.WARNING), pytest.raises(TruncatedResultError, match=r"after 1 results.*counts \d"):
        ids(annuaire.search("PractitionerRole", chained))
    assert "next pages may come empty" in caplog.text
    whole = ids(annuaire.search("PractitionerRole", {"organization.identifier": finess}))
    assert len(whole) > 1


def test_links_in_a_circle_end_the_search(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """The links of a circle have another address each time: it shows by a page that holds nothing new."""
    simulator.fault("gateway-next-loop", times=None)
    with pytest.raises(UnexpectedResponseError, match="the pages do not end"):
        ids(annuaire.search("Practitioner"))
    assert len(simulator.requests) < 20


def test_links_of_another_host_are_asked_on_ours(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """The preproduction's name in a link does not get the key: the path is asked on the configured host."""
    simulator.fault("gateway-internal-host", times=None)
    assert len(ids(annuaire.search("Practitioner"))) == SIZE


def test_links_of_another_host_may_be_refused(simulator: Simulator) -> None:
    """With links="refuse" the same link is an error; a link to another service always is."""
    simulator.fault("gateway-internal-host")
    with connect(simulator, links="refuse") as annuaire, pytest.raises(UnexpectedResponseError, match="refuse"):
        ids(annuaire.search("Practitioner"))
    simulator.fault("gateway-next-elsewhere")
    with (
        connect(simulator) as annuaire,
        pytest.raises(UnexpectedResponseError, match="leads outside"),
    ):
        ids(annuaire.search("Practitioner"))


def test_a_search_may_stop_early(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """max_results needs no further page, and close() leaves none behind."""
    assert len(ids(annuaire.search("Practitioner", max_results=200))) == 200
    assert len(simulator.requests) == 1
    with closing(annuaire.search("Practitioner")) as found:
        assert next(found).id == "003-100000"


# ------------------------------------------------------------------ long queries


def test_a_long_search_is_posted(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """Beyond 2 000 characters the parameters go in a form, with the one content type that the server takes."""
    few, many = (",".join(f"003-{100_000 + number}" for number in range(count)) for count in (10, 300))
    assert len(ids(annuaire.search("Practitioner", {"_id": few}))) == 10
    assert len(ids(annuaire.search("Practitioner", {"_id": many}))) == 300
    short, long, following = simulator.requests
    assert (short.method, short.path) == ("GET", "/fhir/v2/Practitioner")
    assert (long.method, long.path, long.query) == ("POST", "/fhir/v2/Practitioner/_search", "")
    assert long.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (following.method, following.path) == ("GET", "/fhir/v2/_page")


def test_a_posted_search_is_repeated_as_well(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """It changes nothing at the server, so that a broken stream is asked again."""
    simulator.fault("gateway-truncated-json")
    many = ",".join(f"003-{100_000 + number}" for number in range(150))
    assert len(ids(annuaire.search("Practitioner", {"_id": many}))) == 150
    assert [one.method for one in simulator.requests] == ["POST", "POST"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/x-www-form-urlencoded", 200), ("application/x-www-form-urlencoded; charset=utf-8", 500)],
)
def test_the_content_type_is_compared_whole(
    annuaire: AnnuaireSanteClient, simulator: Simulator, kind: str, status: int
) -> None:
    """With "; charset=" the server takes a search for a write; the raw way shows it."""
    path, body, headers = "/fhir/v2/Practitioner/_search", b"_id=003-100000", {"Content-Type": kind}
    if status == 200:
        assert annuaire.request("POST", path, headers=headers, body=body).status == status
        return
    with pytest.raises(ServerFaultError) as caught:
        annuaire.request("POST", path, headers=headers, body=body)
    assert caught.value.status == status


# ------------------------------------------------------------------ pace and reading


def test_no_second_sees_more_than_the_quota(simulator: Simulator) -> None:
    """The default is 17 calls a second without a burst: ten calls take half a second."""
    with connect(simulator, calls_per_second=17) as annuaire:
        start = time.monotonic()
        for _ in range(10):
            annuaire.metadata()
    assert time.monotonic() - start > 9 / 17 - 0.05


def test_read_takes_a_technical_id(annuaire: AnnuaireSanteClient) -> None:
    """A resource is read by its id; another id is not found."""
    assert annuaire.read("Practitioner", "003-100001")["resourceType"] == "Practitioner"
    with pytest.raises(NotFoundError):
        annuaire.read("Practitioner", "003-999999")
    with pytest.raises(ConfigurationError, match="technical id"):
        annuaire.read("Practitioner", "../metadata")


def test_request_is_the_raw_way(annuaire: AnnuaireSanteClient) -> None:
    """Any path of the host, with parameters encoded here."""
    answer = annuaire.request("GET", "/fhir/v2/Practitioner?_total=none", params={"_count": 2})
    assert b'"total"' not in answer.body
    assert answer.media_type == "application/fhir+json"


def test_warnings_come_once(annuaire: AnnuaireSanteClient, caplog: pytest.LogCaptureFixture) -> None:
    """A doubt is logged for the first search of a client, and not again."""
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            ids(annuaire.search("Practitioner", {"_count": "300"}, max_results=1))
    assert caplog.text.count("_count above 200") == 1
