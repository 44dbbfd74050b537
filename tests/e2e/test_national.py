"""The client of the national ROR against the simulator: real handshakes, tokens, pages and faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from ror_sante.api.fhir.bundle import to_ndjson
from ror_sante.api.national import NationalRorClient
from ror_sante.errors import (
    AccessDeniedError,
    ClientRejectedError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    ServerFaultError,
    ServerNotTrustedError,
    TokenError,
    TruncatedResultError,
    UnexpectedResponseError,
)
from ror_sante.http.retry import RetryPolicy
from ror_sante.settings import load_settings
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator, Variants
from tests.support.waiting import until

STANDARD = [
    ("_include", "HealthcareService:organization"),
    ("_include:iterate", "Organization:partof"),
    ("_include", "HealthcareService:location"),
    ("_revinclude", "PractitionerRole:service"),
    ("_include", "PractitionerRole:practitioner"),
]


def connect(simulator: Simulator, **more: Any) -> NationalRorClient:
    """Make a client that does not wait long between two tries."""
    options: dict[str, Any] = {
        "client_id": simulator.client_id,
        "profile": simulator.profile,
        "role": simulator.role,
        "retry": RetryPolicy(first_wait=0.01, max_wait=0.02, deadline=10),
    }
    environment = more.pop("environment", simulator.environment)
    return NationalRorClient(environment, more.pop("identity", simulator.identity), **(options | more))


@pytest.fixture
def ror(ror_simulator: Simulator) -> Iterator[NationalRorClient]:
    with connect(ror_simulator) as client:
        yield client


@pytest.fixture(scope="module")
def variant(ror_pki: SimulatorPki) -> Iterator[Callable[..., Simulator]]:
    """Start simulators of other forms; all are stopped at the end."""
    started: list[Simulator] = []

    def start(size: int = 30, **switches: Any) -> Simulator:
        started.append(Simulator(ror_pki, size=size, variants=Variants(**switches)).start())
        return started[-1]

    yield start
    for simulator in started:
        simulator.stop()


def paths(simulator: Simulator) -> list[str]:
    return [seen.path for seen in simulator.requests]


# ------------------------------------------------------------------ the good way


def test_a_search_is_a_token_then_pages(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """One token, then each page with the bearer, the four headers and our chain; every match comes once."""
    found = [resource.id for resource in ror.search("HealthcareService", {"_count": 50}, max_results=120)]
    assert len(found) == len(set(found)) == 120
    assert [path.rpartition("/")[2] for path in paths(ror_simulator)] == [
        "token",
        "HealthcareService",
        "ws-diffusion-fhir",
        "ws-diffusion-fhir",
    ]
    for seen in ror_simulator.requests[1:]:
        assert seen.headers["authorization"].startswith("Bearer ")
        assert seen.headers["accept"] == "application/json"
        assert seen.headers["ror-profil-utilisateur-code"] == ror_simulator.profile.code
        assert seen.headers["ror-role-metier-system"] == ror_simulator.role.system
        assert seen.subject_dn.startswith("CN=CLIENT_WS_RORN")
    assert ror_simulator.received_chain[0] == "CLIENT_WS_RORN"
    assert len(ror_simulator.received_chain) == 2


def test_all_five_thousand_offers_come_over_all_pages(ror: NationalRorClient) -> None:
    """Twenty-five pages of 200, total and count agree."""
    bundles = list(ror.pages("HealthcareService"))
    assert [len(bundle.matches) for bundle in bundles] == [200] * 25
    assert bundles[0].total == 5000
    assert len({resource.id for bundle in bundles for resource in bundle.matches}) == 5000


def test_the_query_arrives_as_it_was_meant(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """Bars, colons, blanks, accents and repetitions survive the wire, encoded once."""
    params = [*STANDARD, ("name:contains", "é à&b=c+d%20"), ("_tag", "https://mos.esante.gouv.fr/x|52")]
    list(ror.search("HealthcareService", params))
    seen = ror_simulator.requests[1]
    assert seen.params == params
    assert seen.query.startswith("_include=HealthcareService%3Aorganization&_include%3Aiterate=Organization%3Apartof")
    assert "%7C52" in seen.query


def test_a_filter_passes_untouched(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """The ROR's own dialect reaches the server as it was written; what the server says of it hides the values."""
    dialect = '(address-postalcode eq "60000" or "76620"'
    with pytest.raises(InvalidRequestError, match="_filter") as caught:
        list(ror.search("Location", {"_filter": dialect}))
    assert ror_simulator.requests[1].params == [("_filter", dialect)]
    assert ror_simulator.requests[1].query == "_filter=%28address-postalcode%20eq%20%2260000%22%20or%20%2276620%22"
    assert "60000" not in str(caught.value)


def test_included_resources_come_once(ror: NationalRorClient) -> None:
    """Offers of one establishment share their organization: over all pages it comes once."""
    params = [*STANDARD, ("_count", 5)]
    offers = list(islice(ror.search("HealthcareService", params, included=True, max_results=40), 2000))
    references = [f"{resource.type}/{resource.id}" for resource in offers]
    assert len(references) == len(set(references))
    assert {resource.type for resource in offers if resource.mode == "include"} >= {"Organization", "Location"}
    assert sum(resource.mode == "match" for resource in offers) == 40


def test_without_modes_matches_and_includes_are_still_told_apart(
    ror_simulator: Simulator, ror: NationalRorClient
) -> None:
    """A server that leaves `search.mode` out changes nothing."""
    params = [*STANDARD, ("_count", 5)]
    usual = next(ror.pages("HealthcareService", params, prefetch=False))
    ror_simulator.fault("missing-mode")
    bare = next(ror.pages("HealthcareService", params, prefetch=False))
    assert [resource.id for resource in bare.matches] == [resource.id for resource in usual.matches]
    assert len(bare.included) == len(usual.included) > 0


def test_a_near_search_tells_distances(ror: NationalRorClient) -> None:
    """The distance of each place comes with it."""
    place = next(ror.search("Location", max_results=1))["position"]
    near = f"{place['latitude']}|{place['longitude']}|30|km"
    distances = [resource.distance for resource in ror.search("Location", {"near": near}, max_results=5)]
    assert distances
    assert all(distance is not None and distance.unit == "km" and distance.value <= 30 for distance in distances)


def test_a_page_becomes_ndjson_as_it_came(ror: NationalRorClient) -> None:
    """Each line is the resource as the server wrote it."""
    page = next(ror.pages("Organization", {"_count": 20}, prefetch=False))
    lines = b"".join(to_ndjson(page.matches)).splitlines()
    assert lines == [resource.raw for resource in page.matches]
    assert lines[0] == ror.read("Organization", page.matches[0].id).raw


def test_read_and_metadata(ror: NationalRorClient) -> None:
    """One resource by its technical id; what the server can do."""
    offer = next(ror.search("HealthcareService", max_results=1))
    assert ror.read("HealthcareService", offer.id) == offer
    assert ror.metadata()["fhirVersion"] == "4.0.1"
    with pytest.raises(NotFoundError) as caught:
        ror.read("HealthcareService", "1")
    assert caught.value.outcome.codes == {"not-found"}


def test_the_capacity_patch_goes_without_the_headers(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """With the Ror headers the service answers 400; without them it gets as far as its own limits."""
    where, body = "/ws-synchro-dispo-lits-fhir/Location", b"{}"
    params, headers = {"identifier": "1350054680/SSR38888"}, {"Content-Type": "application/fhir+json"}
    with pytest.raises(ServerFaultError) as caught:
        ror.request("PATCH", where, params=params, headers=headers, body=body)
    assert caught.value.status == 501
    assert not caught.value.retryable
    seen = ror_simulator.requests[-1]
    assert not [name for name in seen.headers if name.startswith("ror-")]
    assert (seen.query, seen.headers["content-type"]) == (
        "identifier=1350054680%2FSSR38888",
        "application/fhir+json",
    )
    surplus = headers | {"Ror-Role-Metier-Code": "AUTOMATE"}
    with pytest.raises(InvalidRequestError, match="superflus"):
        ror.request("PATCH", where, params=params, headers=surplus, body=body)


def test_a_client_is_made_from_the_simulators_settings(ror_simulator: Simulator, tmp_path: Any) -> None:
    """The folder that the simulator writes is enough: P12, passphrase, hosts, root, account."""
    settings = load_settings(ror_simulator.write_config(tmp_path / "config"), environ={})
    with NationalRorClient.from_settings(settings) as client:
        assert len(list(client.search("Location", {"_count": 1}, max_results=1))) == 1


@pytest.mark.parametrize(
    "switches",
    [
        {"next_links": "opaque"},
        {"link_origin": "https://api-interne.ror.invalid"},
        {"link_origin": "http://10.1.2.3:8080", "next_links": "opaque"},
        {"bound_tokens": True},
        {"expires_in": False},
        {"expression": "text"},
        {"gzip": True},
    ],
    ids=str,
)
def test_every_plausible_form_of_the_service_is_served(variant: Any, switches: dict[str, Any]) -> None:
    """Links of other shapes and hosts, bound tokens, tokens without expires_in, texts for lists, compression."""
    with connect(variant(**switches)) as client:
        assert len(list(client.search("HealthcareService", {"_count": 7}))) == 30
        with pytest.raises(NotFoundError) as caught:
            client.read("Location", "1")
        assert caught.value.outcome.issues[0].expressions == ("Location",)


# ------------------------------------------------------------------ the cut


@pytest.mark.parametrize("total", ["true", "capped"])
def test_a_result_beyond_ten_thousand_is_refused_before_anything_is_given(variant: Any, total: str) -> None:
    """Whether the server shows the true total or stops at 10 000; a word or a limit takes what there is."""
    with connect(variant(10_200, total=total)) as client:
        with pytest.raises(TruncatedResultError, match="10000 at most") as caught:
            next(client.search("HealthcareService"))
        assert "$export" in caught.value.hint
        assert len(list(client.search("HealthcareService", max_results=3))) == 3
        assert sum(1 for _ in client.search("HealthcareService", allow_truncated=True)) == 10_000
    with connect(variant(9_999, total=total)) as client:
        assert next(client.pages("HealthcareService", prefetch=False)).total == 9_999


# ------------------------------------------------------------------ links


def test_an_expired_page_says_what_was_delivered(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """The caller works too long on a page: the next link is gone."""
    walking = ror.pages("Location", {"_count": 10}, prefetch=False)
    assert len(next(walking).matches) == len(next(walking).matches) == 10
    ror_simulator.clock.advance(3600)
    with pytest.raises(NotFoundError, match="expired after 20 results were delivered") as caught:
        next(walking)
    assert caught.value.status == 410
    assert "ont expiré" in caught.value.outcome.summary


def test_a_link_of_an_inner_host_is_followed_on_ours(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """The default rebases it; a client that refuses it sends nothing anywhere."""
    ror_simulator.fault("next-foreign-host", times=None)
    assert len(list(ror.search("Location", {"_count": 100}, max_results=250))) == 250
    with connect(ror_simulator, links="refuse") as strict:
        walking = strict.pages("Location", {"_count": 100})
        next(walking)
        with pytest.raises(UnexpectedResponseError, match=r"api-interne\.ror\.invalid"):
            next(walking)


@pytest.mark.parametrize(("fault", "said"), [("next-elsewhere", "leads outside"), ("next-loop", "back to a page")])
def test_links_that_lead_nowhere_end_the_walk(
    ror_simulator: Simulator, ror: NationalRorClient, fault: str, said: str
) -> None:
    """A link to a foreign service or to its own page: the page that holds it is given, then the error."""
    ror_simulator.fault(fault, times=None)
    walking = ror.pages("Location", {"_count": 10})
    assert len(next(walking).matches) == 10
    with pytest.raises(UnexpectedResponseError, match=said):
        next(walking)


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("html-200", UnexpectedResponseError, "text/html"),
        ("truncated-json", UnexpectedResponseError, "truncated"),
        ("empty-body", UnexpectedResponseError, "empty body"),
        ("deep-json", UnexpectedResponseError, "is not the JSON"),
        ("gzip-bomb", UnexpectedResponseError, "decompress|unpack|larger|ratio"),
        ("outcome-200", UnexpectedResponseError, "La recherche a échoué"),
        ("403", AccessDeniedError, "pas ce droit"),
        ("redirect-other-host", UnexpectedResponseError, "redirect"),
        ("redirect-http", UnexpectedResponseError, "redirect"),
        ("http-500-bad-request-outcome", ServerFaultError, "incorrecte"),
    ],
)
def test_a_wrong_answer_is_one_error_of_ours_and_is_not_repeated(
    ror_simulator: Simulator, ror: NationalRorClient, fault: str, kind: type[Exception], said: str
) -> None:
    """Each is named, and asked for once."""
    ror_simulator.fault(fault)
    with pytest.raises(kind, match=said) as caught:
        list(ror.search("Practitioner", {"identifier": "10001234567"}))
    assert "10001234567" not in str(caught.value)
    assert len(ror_simulator.requests) == 2


def test_a_passing_fault_is_repeated(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """A 500 of the server's own, a broken connection and a token gone early are overcome."""
    for fault in ("http-500", "close-before-answer", "cut-body", "token-expired-early"):
        ror_simulator.fault(fault)
        assert len(list(ror.search("Location", {"_count": 1}, max_results=1))) == 1


def test_a_refused_account_is_a_token_error(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """The authorization server knows no such certificate."""
    ror_simulator.fault("unknown-dn", times=None)
    with pytest.raises(TokenError) as caught:
        ror.metadata()
    assert caught.value.error == "invalid_client"


# ------------------------------------------------------------------ trust, host by host


def test_a_certificate_kept_from_the_api_is_missing_there(ror_simulator: Simulator) -> None:
    """The switch works: the token is had with the certificate, and this API, which wants one, is shown none."""
    with connect(ror_simulator, present_certificate_to_api=False) as client, pytest.raises(ClientRejectedError):
        client.metadata()
    assert [path.rpartition("/")[2] for path in paths(ror_simulator)] == ["token"]


def test_the_api_host_is_trusted_by_its_own_anchors(ror_simulator: Simulator) -> None:
    """With other anchors for the API alone the token comes, and the API's server is refused before any request."""
    elsewhere = replace(ror_simulator.environment, api_anchors=("igc-sante",))
    with connect(ror_simulator, environment=elsewhere) as client, pytest.raises(ServerNotTrustedError):
        client.metadata()
    assert [path.rpartition("/")[2] for path in paths(ror_simulator)] == ["token"]
    with (
        connect(
            ror_simulator,
            environment=replace(ror_simulator.environment, token_anchors=("igc-sante",)),
        ) as client,
        pytest.raises(ServerNotTrustedError),
    ):
        client.metadata()
    assert len(ror_simulator.requests) == 1


def test_a_host_under_the_public_authorities_gets_no_certificate(ror_simulator: Simulator) -> None:
    """api_anchors = web-pki: our private root is not among them, and the connection ends there."""
    public = replace(ror_simulator.environment, api_anchors=("web-pki",))
    with connect(ror_simulator, environment=public) as client, pytest.raises(ServerNotTrustedError):
        client.metadata()


# ------------------------------------------------------------------ ahead


def page_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ror-sante-next-page"]


def test_the_next_page_comes_while_the_caller_works(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """One page ahead and never two; a closed iterator asks for nothing more and leaves no thread."""
    with closing(ror.pages("Location", {"_count": 10})) as walking:
        next(walking)
        until(lambda: len(ror_simulator.requests) >= 3)
        time.sleep(0.05)
        assert len(ror_simulator.requests) == 3
    ror.close()
    assert not page_threads()
    assert len(ror_simulator.requests) == 3


def test_threads_share_one_client(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """Eight threads search at once: all get everything, with one token."""
    counts: list[int] = []

    def search(region: int) -> None:
        counts.append(sum(1 for _ in ror.search("Location", {"_count": 40}, max_results=100)))

    threads = [threading.Thread(target=search, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert counts == [100] * 8
    assert paths(ror_simulator).count(ror_simulator.environment.token_url.removeprefix(ror_simulator.url)) == 1


def test_a_closed_client_opens_no_connection(ror_simulator: Simulator, ror: NationalRorClient) -> None:
    """After the with block nothing is sent."""
    with ror:
        ror.metadata()
    before = len(ror_simulator.requests)
    with pytest.raises(ConfigurationError, match="closed"):
        ror.metadata()
    assert len(ror_simulator.requests) == before
