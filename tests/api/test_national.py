"""The client of the national ROR: its addresses, its headers, its trust, host by host."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from ror_sante.api import sides
from ror_sante.api.fhir.outcome import judge
from ror_sante.api.national import NationalRorClient
from ror_sante.api.query import HealthcareServiceQuery, LocationQuery
from ror_sante.environments import Coding, Environment
from ror_sante.errors import (
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    TruncatedResultError,
    UnexpectedResponseError,
    UntrustedChainError,
)
from ror_sante.http.exchange import Answer
from ror_sante.http.session import SessionFactory, hold
from ror_sante.pki.identity import ClientIdentity
from ror_sante.settings import load_settings
from ror_sante.simulator.pki import SimulatorPki
from tests.api.answers import BASE, FakeExchange, answer, entry, numbered, offer, outcome, page

API = "https://api.example:8443"
TOKEN = "https://auth.example/auth/realms/ror/protocol/openid-connect/token"
PROFILE = Coding("CU22", "1.2.250.1.213.1.6.1.66")
ROLE = Coding("AUTOMATE", "1.2.250.1.213.1.1.4.6")
ROR_HEADERS = {
    "Ror-Profil-Utilisateur-Code": "CU22",
    "Ror-Profil-Utilisateur-System": "1.2.250.1.213.1.6.1.66",
    "Ror-Role-Metier-Code": "AUTOMATE",
    "Ror-Role-Metier-System": "1.2.250.1.213.1.1.4.6",
}


def bench(**more: Any) -> Environment:
    return Environment(name="bench", token_url=TOKEN, api_url=API, **({"anchors": ("igc-sante-test",)} | more))


def client(environment: Environment | None = None, identity: Any = None, **more: Any) -> NationalRorClient:
    account = {"client_id": "essai", "profile": PROFILE, "role": ROLE} | more
    if identity is None:
        account.setdefault("client_secret", "chut")
    return NationalRorClient(environment or bench(), identity, **account)


def asking(service: Any, **more: Any) -> tuple[NationalRorClient, FakeExchange]:
    """Give a client whose exchange is a stand-in, and the stand-in."""
    ror, exchange = client(**more), FakeExchange(service)
    ror._exchange = exchange  # type: ignore[assignment]  the seam: what lies below has its own tests
    return ror, exchange


def always(body: Any, status: int = 200) -> Any:
    return lambda url: answer(body, status, url)


# ------------------------------------------------------------------ search


def test_search_gives_the_resources_of_all_pages() -> None:
    """Every match of every page, one by one; the address and the headers are those of the documentation."""
    ror, exchange = asking(numbered(5, 2))
    found = list(ror.search("HealthcareService", [("_tag", "a|52"), ("_tag", "b c")]))
    assert [resource.id for resource in found] == ["0", "1", "2", "3", "4"]
    assert exchange.seen[0].url == f"{BASE}/HealthcareService?_tag=a%7C52&_tag=b%20c"
    assert [request.method for request in exchange.seen] == ["GET"] * 3
    for request in exchange.seen:
        assert dict(request.headers) == {"Accept": "application/json"} | ROR_HEADERS


def test_nothing_is_sent_before_the_first_resource_is_wanted() -> None:
    """Making the iterator asks nothing, but a mistake in it is told at once."""
    ror, exchange = asking(numbered(5, 2))
    ror.search("Location")
    ror.pages("Location")
    assert exchange.seen == []
    with pytest.raises(ConfigurationError, match="'Patient' is no resource type"):
        ror.search("Patient")
    with pytest.raises(ConfigurationError, match="Task"):
        ror.pages("location")
    with pytest.raises(ConfigurationError, match="name is empty"):
        ror.search("Location", {"name": ""})
    with pytest.raises(ConfigurationError, match="negative"):
        ror.search("Location", max_results=-1)


@pytest.mark.parametrize("resource_type", ["Task", "Questionnaire", "PractitionerRole"])
def test_the_other_resource_types_are_searched_too(resource_type: str) -> None:
    """Task and Questionnaire stand beside the five of the directory."""
    ror, exchange = asking(always(page([entry(offer(1, resource_type))])))
    assert [resource.type for resource in ror.search(resource_type)] == [resource_type]
    assert exchange.seen[0].url == f"{BASE}/{resource_type}"


@pytest.mark.parametrize(("wanted", "requests"), [(0, 0), (1, 1), (2, 1), (3, 2), (9, 3)])
def test_max_results_stops_early(wanted: int, requests: int) -> None:
    """No more than that number comes, and no page is fetched beyond the need."""
    ror, exchange = asking(numbered(5, 2))
    assert len(list(ror.search("HealthcareService", max_results=wanted))) == min(wanted, 5)
    assert len(exchange.seen) == requests


def test_included_resources_come_on_demand_after_the_matches_of_their_page() -> None:
    """They are left out unless asked for, and do not count in max_results."""
    entries = [entry(offer(9, "Organization"), "include"), entry(offer(1)), entry(offer(2))]
    ror, _ = asking(always(page(entries)))
    assert [r.id for r in ror.search("HealthcareService")] == ["1", "2"]
    assert [r.id for r in ror.search("HealthcareService", included=True)] == ["1", "2", "9"]
    assert [r.id for r in ror.search("HealthcareService", included=True, max_results=1)] == ["1", "9"]


def test_a_result_beyond_the_cap_is_an_error_unless_told_otherwise() -> None:
    """From 10 000 on search() and pages() raise before the first resource; with a limit or a word they do not."""
    ror, _ = asking(numbered(4, 2, total=12_000))
    for walking in (ror.search("HealthcareService"), ror.pages("HealthcareService")):
        with pytest.raises(TruncatedResultError):
            next(iter(walking))
    assert len(list(ror.search("HealthcareService", max_results=10_000))) == 4
    assert len(list(ror.search("HealthcareService", allow_truncated=True))) == 4
    assert len(list(ror.pages("HealthcareService", allow_truncated=True))) == 2


@pytest.mark.parametrize(
    ("params", "cut"),
    [({"_count": 2}, True), ((), False), ({"_count": "many"}, False), ([("_count", "1"), ("_count", "500")], False)],
)
def test_a_page_counts_as_full_by_the_count_that_was_asked(params: Any, cut: bool) -> None:
    """Two of 500 without a next link is a cut when two were asked a page, and not when the page could hold 200."""
    ror, _ = asking(numbered(2, 2, total=500))
    walking = ror.pages("HealthcareService", params)
    if cut:
        with pytest.raises(TruncatedResultError):
            list(walking)
    else:
        assert len(list(walking)) == 1


def test_a_count_of_nothing_is_no_cut() -> None:
    """`_count=0` asks for the total alone."""
    ror, _ = asking(always(page([], total=500)))
    assert [bundle.total for bundle in ror.pages("Location", {"_count": 0})] == [500]


def test_leaving_a_search_leaves_no_thread() -> None:
    """A loop that breaks off, then the end of the with block: no page is on its way."""
    ror, exchange = asking(numbered(50, 1))
    with ror:
        assert len(list(itertools.islice(ror.search("HealthcareService"), 2))) == 2
    assert not [thread for thread in threading.enumerate() if thread.name == "ror-sante-next-page"]
    assert len(exchange.seen) <= 3


def test_closing_waits_a_little_for_a_page_on_its_way() -> None:
    """The connections are closed after the page has come, not under it."""
    service, came, begun = numbered(50, 1), threading.Event(), threading.Event()

    def slow(url: str) -> Answer:
        if "_page" in url:
            begun.set()
            time.sleep(0.1)
            came.set()
        return service(url)

    ror, _ = asking(slow)
    with ror:
        next(ror.search("HealthcareService"))
        assert begun.wait(2)
    assert came.is_set()


def test_answers_are_judged_as_fhir() -> None:
    """The exchange of the API reads OperationOutcomes; the one of the tokens has no tokens of its own."""
    ror = client()
    assert ror._exchange.judge is judge
    assert ror._exchange.tokens is not None


def test_pages_without_prefetch_ask_one_at_a_time() -> None:
    """prefetch=False fetches a page when it is wanted."""
    ror, exchange = asking(numbered(5, 2))
    walking = ror.pages("HealthcareService", prefetch=False)
    next(walking)
    assert len(exchange.seen) == 1


def test_a_foreign_link_is_refused_when_the_client_says_so() -> None:
    """links="refuse" does not rebase what another host names; the default does."""
    link = "https://inner.example/ws-diffusion-fhir?_page=1"

    def service(url: str) -> Answer:
        return answer(page([entry(offer(1))], following=None if "_page" in url else link), url=url)

    ror, exchange = asking(service)
    assert len(list(ror.search("HealthcareService"))) == 2
    assert exchange.seen[1].url == f"{BASE}?_page=1"
    assert exchange.seen[1].headers["Ror-Profil-Utilisateur-Code"] == "CU22"
    ror, exchange = asking(service, links="refuse")
    with pytest.raises(UnexpectedResponseError, match=r"inner\.example"):
        list(ror.search("HealthcareService"))
    assert len(exchange.seen) == 1


# ------------------------------------------------------------------ read, metadata


def test_read_gives_one_resource() -> None:
    """By type and technical id, with the Ror headers."""
    ror, exchange = asking(always(offer(12, "Location")))
    resource = ror.read("Location", "12")
    assert resource["name"] == "Offre 12"
    assert exchange.seen[0].url == f"{BASE}/Location/12"
    assert dict(exchange.seen[0].headers) == {"Accept": "application/json"} | ROR_HEADERS


@pytest.mark.parametrize("name", ["52/192675", "", "..", ".", "a" * 65, "1?x=1", "é", "1\n"])
def test_what_is_no_technical_id_is_refused(name: str) -> None:
    """A functional id holds a slash: the hint says to search by identifier, and nothing is sent."""
    ror, exchange = asking(always(offer(1, "Location")))
    with pytest.raises(ConfigurationError, match="not a technical id") as caught:
        ror.read("Location", name)
    assert '{"identifier": "52/192675"}' in caught.value.hint
    assert exchange.seen == []


def test_a_read_that_fails_carries_the_outcome() -> None:
    """404 with an OperationOutcome is a NotFoundError with the server's words."""
    ror, _ = asking(always(outcome("not-found", "lieu inconnu"), 404))
    with pytest.raises(NotFoundError, match="lieu inconnu") as caught:
        ror.read("Location", "12")
    assert caught.value.outcome.codes == {"not-found"}
    with pytest.raises(ConfigurationError, match="no resource type"):
        ror.read("Patient", "12")


def test_metadata_is_a_capability_statement() -> None:
    """It is asked with the Ror headers, as the official sample does."""
    ror, exchange = asking(always({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}))
    assert ror.metadata()["fhirVersion"] == "4.0.1"
    assert exchange.seen[0].url == f"{BASE}/metadata"
    assert "Ror-Role-Metier-Code" in exchange.seen[0].headers


# ------------------------------------------------------------------ the raw way


@pytest.mark.parametrize(
    ("method", "path", "with_headers"),
    [
        ("GET", "/ws-diffusion-fhir/Location/12", True),
        ("GET", "/ws-diffusion-fhir/$export", True),
        ("GET", f"{API}/ws-diffusion-fhir/$export-poll-status?_jobId=1", True),
        ("GET", "/ws-diffusion-fhir?_getpages=1", True),
        ("PATCH", "/ws-synchro-dispo-lits-fhir/Location", False),
        ("PATCH", "/ws-diffusion-fhir/Location/12", False),
        ("GET", "/ws-synchro-dispo-lits-fhir/Location", False),
        ("POST", "/anomalies/Task", False),
    ],
)
def test_a_raw_request_carries_the_headers_of_its_operation(method: str, path: str, with_headers: bool) -> None:
    """The capacity PATCH goes without the Ror headers, the reads of the directory with them."""
    ror, exchange = asking(always({}))
    ror.request(method, path)
    headers = dict(exchange.seen[0].headers)
    assert headers == {"Accept": "application/json"} | (ROR_HEADERS if with_headers else {})


def test_a_raw_request_sends_what_it_is_given() -> None:
    """Parameters are encoded and added to the query; headers of the caller win; the body passes as it is."""
    ror, exchange = asking(always({}))
    given = ror.request(
        "PATCH",
        "/ws-synchro-dispo-lits-fhir/Location?a=1",
        params={"identifier": "1350054680/SSR38888"},
        headers={"Content-Type": "application/fhir+json", "accept": "application/fhir+json"},
        body=b"{}",
        repeatable=True,
    )
    (request,) = exchange.seen
    assert given.status == 200
    assert request.url == f"{API}/ws-synchro-dispo-lits-fhir/Location?a=1&identifier=1350054680%2FSSR38888"
    assert dict(request.headers) == {"Content-Type": "application/fhir+json", "accept": "application/fhir+json"}
    assert (request.body, request.repeatable) == (b"{}", True)
    ror.request("GET", "/x", params={"a": "b"})
    assert parse_qsl(urlsplit(exchange.seen[1].url).query) == [("a", "b")]
    assert exchange.seen[1].repeatable is None


@pytest.mark.parametrize(
    ("method", "path", "headers", "said"),
    [
        ("get", "/x", {}, "unknown HTTP method"),
        ("CONNECT", "/x", {}, "unknown HTTP method"),
        ("GET", "https://evil.example/x", {}, "neither absolute nor on"),
        ("GET", "/x", {"Authorization": "Bearer x"}, "set by the client itself"),
        ("GET", "/x", {"HOST": "evil"}, "set by the client itself"),
        ("GET", "/x", {"X": "a\r\nb"}, "holds what no header can"),
        ("GET", "/x", {"X Y": "a"}, "holds what no header can"),
    ],
)
def test_a_raw_request_that_cannot_be_sent_is_refused(
    method: str, path: str, headers: dict[str, str], said: str
) -> None:
    """Another host, a header of ours, a line end: refused before anything is sent."""
    ror, exchange = asking(always({}))
    with pytest.raises(ConfigurationError, match=said):
        ror.request(method, path, headers=headers)
    assert exchange.seen == []


def test_an_error_of_the_service_is_raised_by_the_raw_way_too() -> None:
    """400 with an OperationOutcome is an InvalidRequestError."""
    ror, _ = asking(always(outcome(), 400))
    with pytest.raises(InvalidRequestError):
        ror.request("GET", "/ws-diffusion-fhir/Location")


# ------------------------------------------------------------------ account and trust


@pytest.fixture(scope="module")
def pki() -> SimulatorPki:
    return SimulatorPki.create()


@pytest.fixture(scope="module")
def identity(pki: SimulatorPki) -> ClientIdentity:
    return pki.identity()


@pytest.fixture(scope="module")
def root(pki: SimulatorPki, tmp_path_factory: pytest.TempPathFactory) -> str:
    return _written(pki, tmp_path_factory.mktemp("pki") / "root.pem")


def _written(pki: SimulatorPki, path: Path) -> str:
    path.write_bytes(pki.anchor.der)
    return str(path)


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The session factories that a client makes: identity shown, their anchors, the roots of our own chain."""
    made: list[tuple[Any, ...]] = []
    own: list[list[str]] = []

    def held(identity: Any, anchors: Any, **more: Any) -> Any:
        own.append([one.subject for one in anchors])
        return hold(identity, anchors, **more)

    class Recorded(SessionFactory):
        def __init__(self, holder: Any, anchor: Any, *, present: bool, **more: Any) -> None:
            super().__init__(holder, anchor, present=present, **more)
            shown = holder.newest() if present else None
            made.append((shown, sorted(one.subject for one in anchor), own[0]))

    monkeypatch.setattr(sides, "hold", held)
    monkeypatch.setattr(sides, "SessionFactory", Recorded)
    return made


def test_hosts_with_one_trust_share_one_factory(factories: Any, pki: Any, identity: Any, root: str) -> None:
    """Same anchors, same certificate: one context; still each session speaks with its own host alone."""
    with client(bench(anchors=(root,)), identity) as ror:
        subject = pki.anchor.subject
        assert factories == [(identity, [subject], [subject])]
        assert [[origin.host for origin in session.origins] for session in ror._sessions] == [
            ["auth.example"],
            ["api.example"],
        ]


def test_a_host_with_its_own_anchors_has_its_own_factory(factories: Any, identity: Any, root: str) -> None:
    """The API stands under another root: two contexts, the certificate on both, our chain judged by `anchors`."""
    with client(bench(anchors=(root,), api_anchors=("igc-sante-test",)), identity):
        (token, api) = factories
        assert token[0] is api[0] is identity
        assert token[1] != api[1]
        assert token[2] == api[2] == token[1]


def test_a_token_host_may_have_its_own_anchors(factories: Any, identity: Any, root: str) -> None:
    """token_anchors count for the token host alone."""
    with client(bench(anchors=(root,), token_anchors=("igc-sante-test",)), identity):
        (token, api) = factories
        assert token[1] != api[1]
        assert api[2] == api[1]


def test_a_host_under_the_public_authorities_never_sees_the_certificate(
    factories: Any, identity: Any, root: str
) -> None:
    """With api_anchors = web-pki the API session has no certificate, whatever the switch says."""
    with client(bench(anchors=(root,), api_anchors=("web-pki",)), identity, present_certificate_to_api=True):
        (token, api) = factories
        assert token[0] is identity
        assert api[0] is None
        assert len(api[1]) > 20


def test_the_certificate_may_be_kept_from_the_api(factories: Any, identity: Any, root: str) -> None:
    """present_certificate_to_api=False shows it to the token host alone, though the anchors are the same."""
    with client(bench(anchors=(root,)), identity, present_certificate_to_api=False):
        assert [made[0] for made in factories] == [identity, None]


def test_a_token_host_under_the_public_authorities_cannot_take_a_certificate(identity: Any, root: str) -> None:
    """It would have to be shown our certificate to give a token: refused with the reason; a secret may go there."""
    with pytest.raises(ConfigurationError, match="token host is trusted by web-pki"):
        client(bench(anchors=("web-pki",)), identity)
    client(bench(anchors=("web-pki",))).close()


def test_our_chain_is_never_judged_by_the_public_authorities(
    factories: Any, pki: SimulatorPki, identity: Any, root: str
) -> None:
    """When `anchors` is web-pki our chain is judged by the anchors of the token host."""
    with client(bench(anchors=("web-pki",), token_anchors=(root,)), identity):
        assert [made[0] for made in factories] == [identity, None]
        assert [made[2] for made in factories] == [[pki.anchor.subject]] * 2


def test_a_certificate_of_another_tree_is_refused_at_once(pki: SimulatorPki, root: str) -> None:
    """Nothing is sent: the chain ends at another root than `anchors`."""
    with pytest.raises(UntrustedChainError):
        client(bench(anchors=(root,)), pki.foreign.identity())


def test_profile_0_has_a_secret_and_no_certificate(factories: Any, identity: Any, root: str) -> None:
    """One of the two, never both, never none."""
    client().close()
    assert [made[0] for made in factories] == [None]
    with pytest.raises(ConfigurationError, match="not both"):
        client(bench(anchors=(root,)), identity, client_secret="chut")
    with pytest.raises(ConfigurationError, match=r"either a certificate or a client_secret$"):
        client(client_secret=None)
    with pytest.raises(ConfigurationError, match="client_id is empty"):
        client(client_id="")


def test_a_bad_header_value_or_rule_is_refused_when_the_client_is_made() -> None:
    """Not in the third request."""
    with pytest.raises(ConfigurationError, match=r"role\.code"):
        client(role=Coding("", "1.2"))
    with pytest.raises(ConfigurationError, match="links"):
        client(links="always")


def test_its_repr_shows_no_secret() -> None:
    """Environment and host, nothing else."""
    assert repr(client()) == f"<NationalRorClient bench {API}>"


def test_a_closed_client_sends_nothing() -> None:
    """After the with block every call says that the client is closed, and closing twice is no harm."""
    ror, exchange = asking(numbered(5, 2))
    walking = ror.pages("HealthcareService", prefetch=False)
    with ror:
        next(walking)
    ror.close()
    for call in (lambda: next(walking), lambda: ror.read("Location", "1"), lambda: ror.request("GET", "/x")):
        with pytest.raises(ConfigurationError, match="closed"):
            call()
    assert len(exchange.seen) == 1


def test_a_service_below_a_path_of_the_host_keeps_that_path() -> None:
    """An api_url with a path, as behind a reverse proxy, stands before the service path."""
    behind = Environment(name="behind", token_url=TOKEN, api_url=f"{API}/ror/", anchors=("igc-sante-test",))
    ror, exchange = asking(always(page([])), environment=behind)
    assert list(ror.search("Location")) == []
    ror.request("GET", "/ror/ws-diffusion-fhir/Location")
    assert exchange.seen[1].headers["Ror-Role-Metier-Code"] == "AUTOMATE"
    assert exchange.seen[0].url == f"{API}/ror/ws-diffusion-fhir/Location"


# ------------------------------------------------------------------ settings

TOML = """
environment = "bench"
[rorn]
client_id = "essai"
profile = { code = "CU22", system = "1.2.250.1.213.1.6.1.66" }
role = { code = "AUTOMATE", system = "1.2.250.1.213.1.1.4.6" }
%s
[environments.bench]
token_url = "https://auth.example/token"
api_url = "https://api.example:8443"
anchors = ["root.pem"]
"""


@pytest.fixture
def written(tmp_path: Path, pki: SimulatorPki) -> Any:
    """Write a settings file with the given lines in [rorn], then in other tables."""

    def write(rorn: str = "", rest: str = "", *, without: str = "") -> Any:
        _written(pki, tmp_path / "root.pem")
        (tmp_path / "secret").write_text("chut\n")
        (tmp_path / "client.p12").write_bytes(pki.p12(pki.client(), "phrase"))
        (tmp_path / "client.pass").write_text("phrase\n")
        lines = [line for line in (TOML % rorn + rest).splitlines() if not without or not line.startswith(without)]
        path = tmp_path / "ror-sante.toml"
        path.write_text("\n".join(lines))
        path.chmod(0o600)
        return load_settings(path, environ={})

    return write


IDENTITY = '[identity]\np12 = "client.p12"\npassphrase_file = "client.pass"\n'


def test_a_client_is_made_from_settings(written: Any, factories: Any, pki: SimulatorPki) -> None:
    """The configured P12, account and environment; limits and proxy come along."""
    network = (
        '[network]\nproxy = "http://proxy.example:3128"\nproxy_user = "moi"\nproxy_password_file = "secret"\n'
        'no_proxy = ["autre.example"]\n'
    )
    with NationalRorClient.from_settings(written(rest=IDENTITY + network)) as ror:
        assert ror.environment.name == "bench"
        assert factories[0][0].subject_dn.startswith("CN=CLIENT_WS_RORN")
        assert ror._sessions[0].proxies == {"https://auth.example": "http://proxy.example:3128"}


def test_an_identity_or_environment_at_hand_replaces_the_configured_one(
    written: Any, factories: Any, identity: Any, root: str
) -> None:
    """The simulator brings its own environment; an open certificate need not be opened again."""
    settings = written("present_certificate_to_api = false")
    with NationalRorClient.from_settings(settings, identity=identity, environment=bench(anchors=(root,))) as ror:
        assert ror.environment.api_url == API
        assert [made[0] for made in factories] == [identity, None]


@pytest.mark.parametrize("links", ["rebase", "refuse"])
def test_the_rule_for_foreign_links_comes_from_the_settings(written: Any, links: str) -> None:
    """`links` in [rorn] is "rebase" or "refuse"."""
    settings = written(f'client_secret_file = "secret"\nlinks = "{links}"')
    with NationalRorClient.from_settings(settings) as ror:
        assert ror._rule.links == links


def test_older_suites_are_for_the_named_host_alone(identity: Any, root: str) -> None:
    """Two contexts although the trust is one: the API host keeps the narrow list."""
    with client(bench(anchors=(root,)), identity, wide_tls12_hosts=["Auth.example"]) as ror:
        suites = [{cipher["name"] for cipher in session._pinned._context.get_ciphers()} for session in ror._sessions]
    assert ["AES128-GCM-SHA256" in names for names in suites] == [True, False]


def test_profile_0_is_made_from_settings(written: Any, factories: Any) -> None:
    """With a client_secret_file no certificate is opened."""
    NationalRorClient.from_settings(written('client_secret_file = "secret"', IDENTITY)).close()
    assert [made[0] for made in factories] == [None]


@pytest.mark.parametrize("key", ["client_id", "profile", "role"])
def test_a_missing_key_is_named(written: Any, key: str) -> None:
    """Each of the three that ANS gives is asked for by its name."""
    with pytest.raises(ConfigurationError, match=rf"rorn\.{key} is missing"):
        NationalRorClient.from_settings(written(rest=IDENTITY, without=key))


@pytest.mark.parametrize(
    ("url", "proxies"), [("", {}), ("http://p.example:1", {"https://auth.example": "http://p.example:1"})]
)
def test_the_proxy_of_the_environment_counts_when_it_is_named(
    written: Any, monkeypatch: pytest.MonkeyPatch, url: str, proxies: Any
) -> None:
    """The word "environment" reads HTTPS_PROXY, and goes direct when there is none."""
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    if url:
        monkeypatch.setenv("HTTPS_PROXY", url)
    settings = written('client_secret_file = "secret"', '[network]\nproxy = "environment"\n')
    with NationalRorClient.from_settings(settings) as ror:
        assert dict(ror._sessions[0].proxies) == proxies


# ------------------------------------------------------------------ queries


def test_a_query_is_a_search_by_itself() -> None:
    """It brings its type and its parameters; with the type beside it, or as parameters, it is the same search."""
    query = HealthcareServiceQuery().specialty("013").count(5)
    ror, exchange = asking(lambda url: answer(page([]), url=url))
    for arguments in ((query,), ("HealthcareService", query), (query, query)):
        assert list(ror.search(*arguments)) == []
        assert next(ror.pages(*arguments)).entries == ()
    assert {request.url for request in exchange.seen} == {f"{BASE}/HealthcareService?specialty=013&_count=5"}


def test_a_query_that_contradicts_the_call_is_refused() -> None:
    """Another type, or further parameters beside the query: nothing is sent."""
    ror, exchange = asking(lambda url: answer(page([])))
    with pytest.raises(ConfigurationError, match="LocationQuery cannot search HealthcareService"):
        ror.search("HealthcareService", LocationQuery())
    with pytest.raises(ConfigurationError, match="holds its parameters already"):
        ror.search(LocationQuery(), {"_count": 5})
    with pytest.raises(ConfigurationError, match="holds its parameters"):
        ror.search(LocationQuery(), HealthcareServiceQuery())
    assert not exchange.seen


def test_an_undocumented_parameter_is_a_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    """A plain pair that is not documented is sent all the same, and logged once, without its value."""
    ror, exchange = asking(lambda url: answer(page([])))
    for _ in range(3):
        list(ror.search("HealthcareService", {"speciality": "10001234567", "name": "x"}))
    assert len(exchange.seen) == 3
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "speciality" in record.getMessage()
    assert "specialty" in record.getMessage()
    assert "10001234567" not in caplog.text


def test_the_raw_way_out_of_a_query_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    """Who writes raw() knows."""
    ror, _ = asking(lambda url: answer(page([])))
    list(ror.search(HealthcareServiceQuery().raw("speciality", "x")))
    assert not caplog.records
