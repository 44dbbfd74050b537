"""The simulator as its clients meet it: TLS, tokens, FHIR, pages, and bad manners of others."""

from __future__ import annotations

import gc
import gzip
import http.client
import json
import logging
import os
import shlex
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from base64 import urlsafe_b64decode
from contextlib import ExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from ror_sante.api.national import NationalRorClient
from ror_sante.errors import ConfigurationError
from ror_sante.settings import load_settings
from ror_sante.simulator.listener import Listener
from ror_sante.simulator.messages import Call, Peer, Reply
from ror_sante.simulator.server import Account, Simulator, Variants
from tests.support.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ror_sante.simulator.pki import SimulatorPki

TOKEN_PATH = "/auth/realms/ror/protocol/openid-connect/token"
BASE = "/ws-diffusion-fhir"


def port_of(simulator: Simulator) -> int:
    """The port that it listens on."""
    port = urlsplit(simulator.url).port
    assert port is not None
    return port


@pytest.fixture(autouse=True)
def silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a client does, nothing is written on the terminal."""
    yield
    written = capfd.readouterr()
    assert written.err == ""
    assert written.out == ""


# ------------------------------------------------------------------ life


def test_it_is_ready_in_less_than_two_seconds(call: Any) -> None:
    """From nothing to the first page: certificates, port, 5 000 offers; in CPU time, which is ours alone."""

    def first_page() -> float:
        start = time.process_time()
        with Simulator() as simulator:
            client = call(simulator, simulator.pki.client(), root=simulator.pki)
            assert client.get("HealthcareService", ("_count", "1")).json["total"] == 5000
            return time.process_time() - start

    assert quickest(first_page) < 2


def quickest(act: Callable[[], float]) -> float:
    """The best of three: a busy machine is not our slowness."""
    return min(act() for _ in range(3))


def test_it_stops_at_once_whoever_is_connected(run: Any, call: Any) -> None:
    """Stopping takes less than a tenth of a second and closes kept connections."""

    def stop() -> float:
        simulator = run()
        client = call(simulator)
        assert client.get("metadata").status == 200
        with socket.create_connection(("127.0.0.1", port_of(simulator))):
            start = time.monotonic()
            simulator.stop()
            seconds = time.monotonic() - start
        with pytest.raises((OSError, http.client.HTTPException)):
            client.get("metadata")
        return seconds

    assert quickest(stop) < 0.1


def test_it_can_be_stopped_twice_and_started_again(run: Any, call: Any) -> None:
    """A second stop does nothing; a start after it serves again."""
    simulator = run()
    simulator.stop()
    simulator.stop()
    assert repr(simulator) == "<Simulator, not running>"
    simulator.start()
    assert repr(simulator) == f"<Simulator {simulator.url}>"
    assert call(simulator).get("metadata").status == 200


def test_it_stops_in_the_middle_of_a_slow_answer(run: Any, call: Any) -> None:
    """An answer that is being held back does not hold the stop back."""
    for fault in ("slow", "drip"):
        simulator = run()
        client = call(simulator)
        headers = client.headers
        simulator.fault(fault, seconds=30)
        client.connection.request("GET", f"{BASE}/metadata", headers=headers)
        until(lambda simulator=simulator: len(simulator.requests) == 2)
        start = time.monotonic()
        simulator.stop()
        assert time.monotonic() - start < 5


def test_a_request_that_is_overtaken_by_the_stop_is_no_failure(
    run: Any, call: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that was still being made when the ports closed goes nowhere, and nothing is told of it."""
    simulator, begun, ended = run(), threading.Event(), threading.Event()
    listener = simulator._ports.listeners["ror"]
    client, answer, dispatch = call(simulator), simulator._fhir.answer, listener.dispatch

    def late(asked: Any) -> Any:
        begun.set()
        until(lambda: not simulator.running)
        return answer(asked)

    def watched(request: Any) -> Any:
        try:
            return dispatch(request)
        finally:
            ended.set()

    headers = client.headers
    monkeypatch.setattr(simulator._fhir, "answer", late)
    monkeypatch.setattr(listener, "dispatch", watched)
    client.connection.request("GET", f"{BASE}/metadata", headers=headers)
    assert begun.wait(60)
    simulator.stop()
    assert ended.wait(60)
    assert not caplog.records


def test_a_simulator_that_does_not_run_has_no_address(run: Any) -> None:
    """The address exists while it runs; to start twice is an error."""
    simulator = run()
    with pytest.raises(ConfigurationError, match="already runs"):
        simulator.start()
    simulator.stop()
    with pytest.raises(ConfigurationError, match="does not run"):
        simulator.url  # noqa: B018  reading it is the act


def test_a_taken_port_is_named_with_the_way_out(run: Any, ror_pki: SimulatorPki) -> None:
    """A port that another program holds is a ConfigurationError with the number, and what to do."""
    port = port_of(run())
    with pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1 is already taken") as caught:
        Simulator(ror_pki, port=port).start()
    assert "another port" in caught.value.hint


def test_a_port_that_cannot_be_bound_is_told(ror_pki: SimulatorPki) -> None:
    """Any other refusal of the system is told in its own words."""
    simulator = Simulator(ror_pki)
    simulator._ports.listeners["extraction"].host = "192.0.2.1"  # TEST-NET-1, nobody's own address
    with pytest.raises(ConfigurationError, match="cannot be used"):
        simulator.start()


@pytest.mark.parametrize("port", [-1, 65534, 70000])
def test_a_port_must_leave_room_for_two_more(ror_pki: SimulatorPki, port: int) -> None:
    """PORT+1 and PORT+2 are kept for the further services."""
    with pytest.raises(ConfigurationError, match="65533"):
        Simulator(ror_pki, port=port)


def test_a_fixed_port_is_taken(ror_pki: SimulatorPki, run: Any) -> None:
    """A port of one's choice is the one listened on, also a second time."""
    port = free_port(3)
    simulator = run(port=port)
    assert simulator.url == f"https://localhost:{port}"
    simulator.stop()
    assert simulator.start().url == f"https://localhost:{port}"


# ------------------------------------------------------------------ TLS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_chain_that_was_pushed_can_be_read(ror_simulator: Simulator, call: Any, version: ssl.TLSVersion) -> None:
    """Under both TLS versions the server tells which certificates came over the wire."""
    assert call(ror_simulator, version=version).get("metadata").status == 200
    assert ror_simulator.received_chain == ("CLIENT_WS_RORN", "SIMULATEUR AC ELEMENTAIRE ORGANISATIONS")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("flaw", "alert", "reason"),
    [
        ("none", "CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE", "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        ("leaf alone", "UNKNOWN_CA", "CERTIFICATE_VERIFY_FAILED"),
        ("foreign", "UNKNOWN_CA", "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_a_client_outside_the_tree_is_refused_with_an_alert(
    ror_simulator: Simulator,
    ror_pki: SimulatorPki,
    tls: Any,
    version: ssl.TLSVersion,
    flaw: str,
    alert: str,
    reason: str,
) -> None:
    """No certificate, no intermediate, another root: the handshake fails, and the client can read why."""
    issued = {"none": None, "leaf alone": ror_pki.client(), "foreign": ror_pki.foreign.client()}[flaw]
    context = tls(issued, chain=flaw != "leaf alone", version=version)
    with (
        pytest.raises(ssl.SSLError, match=f"(?i){alert}".replace("_", "[_ ]")),
        socket.create_connection(("127.0.0.1", port_of(ror_simulator)), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        secure.recv(100)  # TLS 1.3: the verdict arrives here
    until(lambda: ror_simulator.refused == [reason])  # the alert is on its way before it is noted
    assert ror_simulator.requests == []
    assert ror_simulator.received_chain == ()


def test_a_revoked_client_is_refused_and_its_neighbour_is_not(run: Any, call: Any, ror_pki: SimulatorPki) -> None:
    """With a CRL, the certificate that it names is refused and any other is served."""
    revoked, good = ror_pki.client(), ror_pki.client()
    simulator = run(crl=ror_pki.crl([revoked]))
    assert call(simulator, good).get("metadata").status == 200
    with pytest.raises(ssl.SSLError, match=r"(?i)revoked"):
        call(simulator, revoked).get("metadata")


def test_a_loaded_tree_brings_its_crl(ror_pki: SimulatorPki, tmp_path: Path, run: Any, call: Any) -> None:
    """The CRL that stands beside a saved tree is in force without being named."""
    revoked = ror_pki.client()
    ror_pki.save(tmp_path, crl=ror_pki.crl([revoked]))
    simulator = run(type(ror_pki).load(tmp_path))
    with pytest.raises(ssl.SSLError, match=r"(?i)revoked"):
        call(simulator, revoked).get("metadata")


def test_another_server_certificate_can_be_shown(run: Any, call: Any, ror_pki: SimulatorPki) -> None:
    """The certificate given is the one that clients see, good or not."""
    simulator = run(server=ror_pki.server("elsewhere.invalid"))
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        call(simulator).get("metadata")


def test_every_connection_is_a_whole_handshake(ror_simulator: Simulator, tls: Any) -> None:
    """No session ticket is given, so that each connection shows its chain and is checked against the CRL."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context, session = tls(version=version), None
        for _ in range(2):
            with (
                socket.create_connection(("127.0.0.1", port_of(ror_simulator)), 5) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
            ):
                secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert secure.recv(100)
                assert not secure.session_reused or len(ror_simulator.received_chain) == 2
                session = secure.session
            assert len(ror_simulator.received_chain) == 2


# ------------------------------------------------------------------ the token endpoint


def test_a_known_client_gets_a_token(caller: Any, ror_simulator: Simulator) -> None:
    """client_credentials with the certificate alone gives a JWT whose life is told twice."""
    answer = caller.ask_token()
    content = answer.json
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert content["token_type"] == "Bearer"
    assert content["expires_in"] == 300
    header, claims = (json.loads(b64_open(part)) for part in content["access_token"].split(".")[:2])
    assert header["alg"] == "HS256"
    assert claims["exp"] - claims["iat"] == 300
    assert abs(claims["iat"] - time.time()) < 5
    assert claims["azp"] == ror_simulator.client_id
    assert claims["iss"] == f"{ror_simulator.url}/auth/realms/ror"
    assert "cnf" not in claims


def b64_open(text: str) -> bytes:
    """Base64 of a JWT, without its padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"client_id": "other-dn"}, 401, "invalid_client"),
        ({"client_id": "profile-0"}, 401, "invalid_client"),
        ({"client_id": "profile-0", "client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "disabled"}, 401, "unauthorized_client"),
    ],
)
def test_the_token_endpoint_refuses_as_keycloak_does(
    run: Any, call: Any, form: dict[str, str], status: int, error: str
) -> None:
    """Each refusal is JSON with an OAuth code and a description."""
    dn = "CN=CLIENT_WS_RORN,OU=33333333333,O=GIP - TEST3012,ST=Paris (75),C=FR"
    accounts = [
        Account("other-dn", subject_dn="CN=SOMEBODY,C=FR"),
        Account("profile-0", client_secret="s3cret"),
        Account("disabled", subject_dn=dn, enabled=False),
    ]
    answer = call(run(accounts=accounts)).ask_token(**form)
    assert answer.status == status
    assert answer.json["error"] == error
    assert answer.json["error_description"]


def test_another_certificate_asks_for_tokens_once_it_is_registered(run: Any, call: Any) -> None:
    """A DN that nobody was told of is refused; registered, it takes the place of the one before."""
    simulator = run()
    issued = simulator.pki.client("CLIENT_WS_ROR")
    stranger = call(simulator, issued)
    assert stranger.ask_token().status == 401
    simulator.register(simulator.pki.identity(issued))
    assert stranger.ask_token().status == 200
    assert call(simulator).ask_token().status == 401


def test_profile_0_shows_its_secret(run: Any, call: Any) -> None:
    """An account with a secret gets its token by the secret; the account's repr does not show it."""
    account = Account("profile-0", client_secret="s3cret")
    client = call(run(accounts=[account]))
    assert client.ask_token(client_id="profile-0", client_secret="s3cret").status == 200
    assert "s3cret" not in repr(account)


def test_the_token_endpoint_takes_one_form(caller: Any) -> None:
    """A GET, another content type and a repeated field are refused."""
    assert caller.send("GET", TOKEN_PATH).status == 405
    assert caller.send("POST", TOKEN_PATH, {"Content-Type": "application/json"}, b"{}").status == 415
    repeated = caller.post_form([("grant_type", "client_credentials"), ("client_id", "a"), ("client_id", "b")])
    assert repeated.json["error_description"] == "duplicated parameter"


def test_expires_in_may_be_missing(run: Any, call: Any) -> None:
    """The variant without expires_in leaves the end of the token to the JWT."""
    content = call(run(variants=Variants(expires_in=False))).ask_token().json
    assert "expires_in" not in content
    assert "exp" in json.loads(b64_open(content["access_token"].split(".")[1]))


# ------------------------------------------------------------------ who may ask


def test_without_a_token_there_is_a_challenge(caller: Any) -> None:
    """No token, or another scheme: 401 with WWW-Authenticate and an OperationOutcome in French."""
    for headers in ({}, {"Authorization": "Basic eA=="}):
        answer = caller.send("GET", f"{BASE}/metadata", headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ror"'
        assert answer.issue["code"] == "login"
        assert "jeton" in answer.issue["diagnostics"]


def test_a_token_is_good_until_its_second(caller: Any, ror_simulator: Simulator) -> None:
    """One second before its end a token is taken, one second after it is refused as invalid_token."""
    assert caller.get("metadata").status == 200
    ror_simulator.clock.advance(299 - 5)
    assert caller.get("metadata").status == 200
    ror_simulator.clock.advance(6)
    answer = caller.get("metadata")
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("token", ["x", "a.b.c", ".", "..", "é", "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9."])
def test_a_token_of_somebody_else_is_refused(caller: Any, token: str) -> None:
    """What was not signed here is 401."""
    headers = caller.headers | {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    assert caller.send("GET", f"{BASE}/metadata", headers).status == 401


def test_a_bound_token_is_good_with_its_certificate_only(run: Any, call: Any, ror_pki: SimulatorPki) -> None:
    """With bound tokens the certificate of the token call must come with it; otherwise any will do."""
    for bound, status in ((True, 401), (False, 200)):
        simulator = run(variants=Variants(bound_tokens=bound))
        owner, other = call(simulator), call(simulator, ror_pki.client())
        headers = owner.headers
        assert owner.send("GET", f"{BASE}/metadata", headers).status == 200
        assert other.send("GET", f"{BASE}/metadata", headers).status == status


def test_reset_forgets_everything_but_the_records(caller: Any, ror_simulator: Simulator) -> None:
    """After a reset no token, fault, request, search, refusal or hour is left."""
    first = caller.get("HealthcareService", ("_count", "5"))
    ror_simulator.fault("http-500", times=9)
    ror_simulator.clock.advance(3600)
    ror_simulator.reset()
    assert ror_simulator.requests == []
    assert ror_simulator.refused == []
    assert ror_simulator.received_chain == ()
    assert abs((ror_simulator.clock.now() - datetime.now(UTC)).total_seconds()) < 1
    assert caller.get("metadata").status == 401
    caller._token = ""
    assert caller.follow(first.next).status == 410
    assert caller.get("HealthcareService", ("_count", "5")).ids == first.ids


@pytest.mark.parametrize(
    "name",
    ["Ror-Profil-Utilisateur-Code", "Ror-Profil-Utilisateur-System", "Ror-Role-Metier-Code", "Ror-Role-Metier-System"],
)
def test_each_of_the_four_headers_is_needed(caller: Any, name: str) -> None:
    """A search, a read and a next page without one of them is 400 and names it; metadata does without all."""
    paths = ("HealthcareService?_count=1", "Location/252001", "?_getpages=x&_getpagesoffset=1&_count=1")
    headers = {key: value for key, value in caller.headers.items() if key != name}
    for path in paths:
        answer = caller.send("GET", f"{BASE}{'' if path.startswith('?') else '/'}{path}", headers)
        assert answer.status == 400
        assert answer.issue["code"] == "required"
        assert name in answer.issue["diagnostics"]
    assert caller.send("GET", f"{BASE}/metadata", {"Authorization": headers["Authorization"]}).status == 200


def test_the_code_system_is_a_bare_oid(caller: Any) -> None:
    """An OID written as a URN is refused."""
    headers = caller.headers | {"Ror-Role-Metier-System": "urn:oid:1.2.250.1.213.1.1.4.6"}
    answer = caller.send("GET", f"{BASE}/Location/252001", headers)
    assert (answer.status, answer.issue["code"]) == (400, "code-invalid")


def test_the_capacity_patch_wants_the_headers_absent(caller: Any) -> None:
    """A PATCH of capacities with a Ror header is 400; without, the simulator says that it does not write."""
    path = "/ws-synchro-dispo-lits-fhir/Location?identifier=1%2Fx"
    with_headers = caller.send("PATCH", path, caller.headers, b"{}")
    assert (with_headers.status, with_headers.issue["code"]) == (400, "invalid")
    without = caller.send("PATCH", path, {"Authorization": caller.headers["Authorization"]}, b"{}")
    assert (without.status, without.issue["code"]) == (501, "not-supported")


# ------------------------------------------------------------------ FHIR


def test_metadata_has_the_shape_of_the_productions(caller: Any) -> None:
    """The CapabilityStatement lists five types, each with search, read and its parameters."""
    content = caller.get("metadata").json
    assert content["resourceType"] == "CapabilityStatement"
    assert content["fhirVersion"] == "4.0.1"
    resources = {item["type"]: item for item in content["rest"][0]["resource"]}
    assert set(resources) == {"HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole"}
    params = {item["name"]: item["type"] for item in resources["HealthcareService"]["searchParam"]}
    assert params["organization.identifier:above"] == "token"
    assert params["location.near"] == "special"
    assert params["location.address-postalcode"] == "string"
    assert params["_lastUpdated"] == "date"
    assert params["_include:iterate"] == "string"


def test_a_read_gives_what_the_search_gave(caller: Any) -> None:
    """Read by id gives the same resource as a search by _id."""
    (entry,) = caller.get("Location", ("_id", "252002")).json["entry"]
    answer = caller.get("Location/252002")
    assert answer.json == entry["resource"]
    assert answer.headers["Content-Type"] == "application/fhir+json;charset=UTF-8"
    assert answer.headers["Server"] == "ror-sante-simulator"
    assert answer.headers["X-Request-ID"]
    assert entry["search"] == {"mode": "match"}
    assert entry["fullUrl"].startswith("https://localhost:")


@pytest.mark.parametrize(("shape", "expression"), [("list", ["Location"]), ("text", "Location")])
def test_an_unknown_id_is_404_with_an_outcome(run: Any, call: Any, shape: Any, expression: Any) -> None:
    """The expression of the outcome is a list, or the bare text that the ROR also sends."""
    answer = call(run(variants=Variants(expression=shape))).get("Location/1")
    assert answer.status == 404
    assert answer.issue["code"] == "not-found"
    assert answer.issue["expression"] == expression


@pytest.mark.parametrize(
    "path", ["Patient", "Patient/1", "$import", "$export/x", "", "Location/252001/_history", "Location/_page/x/y"]
)
def test_an_address_that_is_not_there_is_404(caller: Any, path: str) -> None:
    """Unknown types, operations and paths get an OperationOutcome."""
    answer = caller.get(path)
    assert answer.status == 404
    assert answer.issue["severity"] == "error"


def test_outside_of_the_services_there_is_html(caller: Any) -> None:
    """Another service path is answered by a gateway, not by FHIR."""
    for path in ("/", "/elsewhere"):
        answer = caller.send("GET", path, caller.headers)
        assert answer.status == 404
        assert answer.headers["Content-Type"].startswith("text/html")


def test_other_methods_are_405(caller: Any) -> None:
    """The diffusion service is for reading."""
    for method in ("POST", "DELETE", "BREW"):
        answer = caller.send(method, f"{BASE}/Location", caller.headers, b"{}")
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"


def test_an_unknown_parameter_is_400_and_lists_the_known_ones(caller: Any) -> None:
    """A search that the service does not understand is not a search of everything."""
    answer = caller.get("Location", ("wheelchair", "yes"))
    assert (answer.status, answer.issue["code"]) == (400, "not-supported")
    assert "wheelchair" in answer.issue["diagnostics"]
    assert "address-postalcode" in answer.issue["diagnostics"]


def test_no_match_is_200_without_entry(caller: Any) -> None:
    """An empty result is a Bundle with total 0 and no entry."""
    content = caller.get("Location", ("_id", "1")).json
    assert content["total"] == 0
    assert "entry" not in content
    assert content["type"] == "searchset"


def test_a_near_search_tells_distances(caller: Any) -> None:
    """The distance stands at the included places of an offer search, and at the matches of a place search."""
    near = "47.2184|-1.5536|6|km"
    offers = caller.get(
        "HealthcareService", ("location.near", near), ("_include", "HealthcareService:location"), ("_count", "5")
    ).json["entry"]
    for entry in offers + caller.get("Location", ("near", near)).json["entry"]:
        is_place = entry["resource"]["resourceType"] == "Location"
        assert ("extension" in entry["search"]) == is_place
        if is_place:
            (extension,) = entry["search"]["extension"]
            assert extension["url"] == "http://hl7.org/fhir/StructureDefinition/location-distance"
            assert extension["valueDistance"]["unit"] == "km"
    assert {entry["search"]["mode"] for entry in offers} == {"match", "include"}


# ------------------------------------------------------------------ pages


@pytest.mark.parametrize("form", ["getpages", "opaque"])
def test_the_pages_give_everything_once(run: Any, call: Any, form: Any) -> None:
    """Both forms of the next link lead through all matches, 200 a page unless fewer are asked."""
    client = call(run(size=450, variants=Variants(next_links=form)))
    answer = client.get("HealthcareService", ("_count", "1000"))
    sizes, ids = [], []
    while True:
        assert answer.json["total"] == 450
        sizes.append(len(answer.ids))
        ids += answer.ids
        if answer.next is None:
            break
        assert ("_getpages=" in answer.next) == (form == "getpages")
        answer = client.follow(answer.next)
    assert sizes == [200, 200, 50]
    assert len(set(ids)) == 450


def test_count_sets_the_page_size(caller: Any) -> None:
    """_count=7 gives pages of seven, the next link keeps it; _count=0 gives the total alone."""
    first = caller.get("Organization", ("_count", "7"))
    assert len(first.ids) == 7
    assert len(caller.follow(first.next).ids) == 7
    none = caller.get("Organization", ("_count", "0"))
    assert (none.json["total"], none.ids, none.next) == (3334, [], None)


def test_a_last_page_that_is_exactly_full_has_no_next(run: Any, call: Any) -> None:
    """200 of 200 is the end, 200 of 201 is not."""
    for size, more in ((200, False), (201, True)):
        assert (call(run(size=size)).get("HealthcareService").next is not None) == more


def test_a_next_link_expires(run: Any, call: Any) -> None:
    """One second before its end a next link leads on, one second after it is 410 with an outcome."""
    simulator = run(variants=Variants(page_life=60, token_life=3600))
    client = call(simulator)
    link = client.get("Organization", ("_count", "2")).next
    simulator.clock.advance(59 - 2)
    assert client.follow(link).status == 200
    simulator.clock.advance(3)
    answer = client.follow(link)
    assert (answer.status, answer.issue["code"]) == (410, "expired")


def test_only_so_many_searches_are_kept(caller: Any) -> None:
    """The oldest next link gives way to new ones, so that memory does not grow."""
    links = [caller.get("Organization", ("_count", "1")).next for _ in range(66)]
    assert caller.follow(links[0]).status == 410
    assert caller.follow(links[-1]).status == 200


def test_a_next_link_that_was_tampered_with_is_refused(caller: Any) -> None:
    """Offset and count must be numbers."""
    link = caller.get("Organization", ("_count", "2")).next
    for bad in (link.replace("_getpagesoffset=2", "_getpagesoffset=x"), link.replace("&_count=2", "")):
        assert caller.follow(bad).status == 400
    beyond = caller.follow(link.replace("_getpagesoffset=2", "_getpagesoffset=99999"))
    assert (beyond.status, beyond.ids, beyond.next) == (200, [], None)


@pytest.mark.parametrize(("total", "shown"), [("true", 10_001), ("capped", 10_000)])
def test_a_result_is_cut_at_ten_thousand(run: Any, call: Any, total: Any, shown: int) -> None:
    """The next links end at 10 000, silently; the total tells the truth, or stops too."""
    client = call(run(size=10_001, variants=Variants(total=total)))
    answer = client.get("HealthcareService", ("_count", "200"))
    assert answer.json["total"] == shown
    last = client.follow(answer.next.replace("_getpagesoffset=200", "_getpagesoffset=9900"))
    assert (len(last.ids), last.next) == (100, None)


def test_links_may_name_another_host(run: Any, call: Any) -> None:
    """The variant with a link origin writes it into fullUrl, self and next."""
    client = call(run(variants=Variants(link_origin="https://api.rordev.invalid")))
    content = client.get("Organization", ("_count", "1"))
    assert content.next.startswith("https://api.rordev.invalid/ws-diffusion-fhir?")
    assert content.json["entry"][0]["fullUrl"].startswith("https://api.rordev.invalid/ws-diffusion-fhir/Organization/")
    assert client.follow(content.next).status == 200


def test_answers_are_compressed_for_who_asks(run: Any, call: Any) -> None:
    """The gzip variant compresses long answers for clients that accept it, and nothing else."""
    for on in (True, False):
        client = call(run(variants=Variants(gzip=on)))
        headers = client.headers | {"Accept-Encoding": "gzip"}
        page = client.send("GET", f"{BASE}/Organization", headers)
        assert page.headers["Content-Encoding"] == ("gzip" if on else None)
        assert json.loads(gzip.decompress(page.body) if on else page.body)["total"]
        assert client.send("GET", f"{BASE}/Location/1", headers).headers["Content-Encoding"] is None
        assert client.send("GET", f"{BASE}/Organization", client.headers).headers["Content-Encoding"] is None


# ------------------------------------------------------------------ what a test sees


def test_requests_are_remembered_with_what_matters(caller: Any, ror_simulator: Simulator) -> None:
    """Method, path, query, headers, status and the client's DN; a repr shows no header."""
    caller.get("Location", ("identifier", "52/1"), ("_count", "1"))
    token, search = ror_simulator.requests
    assert (token.method, token.path, token.status) == ("POST", TOKEN_PATH, 200)
    assert (search.path, search.query, search.status) == (f"{BASE}/Location", "identifier=52%2F1&_count=1", 200)
    assert search.params == [("identifier", "52/1"), ("_count", "1")]
    assert search.headers["ror-role-metier-code"] == "AUTOMATE"
    assert search.subject_dn == ror_simulator.identity.subject_dn
    assert ror_simulator.identity is ror_simulator.identity
    assert ror_simulator.identity.verify(ror_simulator.anchor, at=datetime.now(UTC)) == ()
    assert caller.token not in repr(search)


def test_the_clock_moves_what_goes_by_it(caller: Any, ror_simulator: Simulator) -> None:
    """The Date header goes by the simulator's clock, which only goes forward."""
    ror_simulator.clock.advance(100_000)
    date = parsedate_to_datetime(caller.send("GET", "/").headers["Date"])
    assert 99_990 < (date - datetime.now(UTC)).total_seconds() < 100_010
    assert repr(ror_simulator.clock) == "<SimulatorClock +100000 s>"
    for wrong in (-1, float("nan"), float("inf"), 1e18, 3e11):
        with pytest.raises(ConfigurationError, match="only goes forward"):
            ror_simulator.clock.advance(wrong)


def test_a_failure_of_the_simulator_itself_is_a_500_and_logged(
    caller: Any, ror_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of ours ends one answer, not the connection, and stands in the log."""
    headers = caller.headers
    with monkeypatch.context() as patch:
        patch.setattr(ror_simulator.directory, "get", lambda reference: 1 / 0)
        answer = caller.send("GET", f"{BASE}/Location/1", headers)
    assert (answer.status, answer.issue["code"]) == (500, "exception")
    assert "ZeroDivisionError" in caplog.text
    assert caller.get("metadata").status == 200


# ------------------------------------------------------------------ bad manners


def stalled(simulator: Simulator, stack: ExitStack, count: int) -> list[socket.socket]:
    """Connections that say nothing, and some that stop in the middle of a ClientHello."""
    made = []
    for number in range(count):
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(simulator)), 5))
        if number % 2:
            plain.sendall(b"\x16\x03\x01\x02\x00\x01")
        made.append(plain)
    return made


def test_twenty_stalled_clients_delay_nobody(ror_simulator: Simulator, call: Any) -> None:
    """While twenty clients hang in their handshakes, another is served at once."""
    with ExitStack() as stack:
        stalled(ror_simulator, stack, 20)
        start = time.monotonic()
        assert call(ror_simulator).get("metadata").status == 200
        assert time.monotonic() - start < 5  # they hang for thirty


def test_a_silent_client_is_dropped_in_the_end(run: Any, call: Any) -> None:
    """Patience ends, in the handshake and between two requests, and the threads with it."""
    before = threading.active_count()
    simulator = run(patience=0.15)
    idle = call(simulator)
    assert idle.get("metadata").status == 200
    with ExitStack() as stack:
        for plain in stalled(simulator, stack, 6):
            plain.settimeout(2)
            assert plain.recv(100) == b""
    assert idle.connection.sock.recv(100) == b""
    until(lambda: simulator.refused == ["TimeoutError"] * 6)
    until(lambda: threading.active_count() <= before + 3)


def test_aborted_handshakes_disturb_nobody(ror_simulator: Simulator, call: Any) -> None:
    """Clients that hang up, politely or with a reset, before or within the handshake, leave no trace."""
    for number in range(20):
        with socket.create_connection(("127.0.0.1", port_of(ror_simulator)), 5) as plain:
            if number % 2:
                plain.sendall(b"\x16\x03\x01\x02\x00\x01")
            if number % 3:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert call(ror_simulator).get("metadata").status == 200


def test_plain_http_is_told_to_use_https(ror_simulator: Simulator, call: Any) -> None:
    """A client that forgot the s reads so in plain words; garbage is just dropped."""
    with socket.create_connection(("127.0.0.1", port_of(ror_simulator)), 5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        told = b"".join(iter(lambda: plain.recv(4096), b""))
    assert told.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"write https:// in the address" in told
    with socket.create_connection(("127.0.0.1", port_of(ror_simulator)), 5) as plain:
        plain.sendall(b"\x00\xff" * 50)
        assert b"HTTP" not in b"".join(iter(lambda: plain.recv(4096), b""))
    assert ror_simulator.refused[0] == "HTTP_REQUEST"
    assert call(ror_simulator).get("metadata").status == 200


def test_a_refused_client_that_goes_on_talking_is_cut_off(ror_simulator: Simulator, call: Any) -> None:
    """Nobody listens for ever to a client whose handshake has failed."""
    with (
        socket.create_connection(("127.0.0.1", port_of(ror_simulator)), 5) as plain,
        pytest.raises(ConnectionError),
    ):
        plain.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(1000):
            plain.sendall(b"x" * 100_000)
    assert call(ror_simulator).get("metadata").status == 200


def test_a_listener_may_do_without_client_certificates(ror_pki: SimulatorPki, tls: Any, tmp_path: Path) -> None:
    """The same listener serves other ports: there the peer is nobody, and the answer another function."""
    issued = ror_pki.server()
    (tmp_path / "server.pem").write_bytes(issued.pem_chain() + issued.key_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    calls: list[Call] = []

    def answer(call: Call) -> Reply:
        calls.append(call)
        return Reply(body=b"open", media_type="text/plain")

    listener = Listener(context, answer, now=lambda: datetime.now(UTC))
    with listener:
        connection = http.client.HTTPSConnection("127.0.0.1", listener.port, context=tls(None), timeout=5)
        connection.request("GET", "/a%20b?c=d", headers={"X-Name": "é"})
        assert connection.getresponse().read() == b"open"
        connection.close()
    (call,) = calls
    assert call.peer == Peer("", "", ())
    assert (call.path, call.params, call.headers["x-name"]) == ("/a b", (("c", "d"),), "é")


def test_a_connection_is_kept(caller: Any) -> None:
    """Small and large answers, good ones and refusals, all come over one connection."""
    caller.get("metadata")
    kept = caller.connection.sock
    for path in ("Location/252001", "HealthcareService", "Location/1", "Patient", "Organization?_count=0"):
        caller.get(path)
        assert caller.connection.sock is kept
    assert caller.send("HEAD", f"{BASE}/metadata", caller.headers).body == b""
    assert caller.get("metadata").status == 200
    assert caller.connection.sock is kept


def exchange(simulator: Simulator, context: ssl.SSLContext, *pieces: bytes) -> bytes:
    """Send bytes over TLS, and read until the server closes."""
    with (
        socket.create_connection(("127.0.0.1", port_of(simulator)), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        for piece in pieces:
            secure.sendall(piece)
        return b"".join(iter(lambda: secure.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused(
    ror_simulator: Simulator, tls: Any, request_bytes: bytes, status: bytes
) -> None:
    """A malformed request gets its status and the end of the connection; the next client is served."""
    answer = exchange(ror_simulator, tls(), request_bytes)
    assert status in answer
    assert b"Traceback" not in answer
    assert exchange(ror_simulator, tls(), b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404")


def test_a_client_that_leaves_in_its_request_is_forgotten(ror_simulator: Simulator, tls: Any, call: Any) -> None:
    """Half a body, then silence or the end: nothing is answered and nothing is remembered."""
    with (
        socket.create_connection(("127.0.0.1", port_of(ror_simulator)), 5) as plain,
        tls().wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        secure.unwrap().close()  # a polite end: close_notify from both sides
    assert call(ror_simulator).get("metadata").status == 200
    assert [seen.path for seen in ror_simulator.requests] == [TOKEN_PATH, f"{BASE}/metadata"]


def test_a_client_that_waits_for_a_go_gets_one(ror_simulator: Simulator, tls: Any) -> None:
    """Expect: 100-continue is answered before the body, once."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    answer = exchange(ror_simulator, tls(), head, b"{}")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404")
    assert answer.count(b"100 Continue") == 1


def test_a_handler_that_fails_says_nothing_on_the_terminal(
    ror_simulator: Simulator, tls: Any, call: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes wrong outside of an answer is for the debug log alone."""

    def broken(peer: Any) -> None:
        raise LookupError("in the middle of a connection")

    with monkeypatch.context() as patch, caplog.at_level(logging.DEBUG, "ror_sante.simulator"):
        patch.setattr(ror_simulator._ports.listeners["ror"], "met", broken)
        assert exchange(ror_simulator, tls(), b"") == b""
        until(lambda: "LookupError" in caplog.text)
    assert call(ror_simulator).get("metadata").status == 200


def test_memory_does_not_grow_with_requests(caller: Any, ror_simulator: Simulator) -> None:
    """Once the list of requests is full, a thousand requests more leave less than 100 kB behind."""

    def memory_after(count: int) -> int:
        headers = caller.headers
        for number in range(count):
            caller.send("GET", f"{BASE}/Organization?_count={number % 3}", headers)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    grown = -memory_after(1000) + memory_after(1000)
    tracemalloc.stop()
    assert len(ror_simulator.requests) == 1000
    assert grown < 100_000


def test_many_clients_at_once_are_served(ror_simulator: Simulator, call: Any) -> None:
    """Eight clients in parallel get their answers, each its own."""
    wrong: list[Any] = []

    def work(caller: Any, number: int) -> None:
        for step in range(10):
            wanted = f"Organization/{5001 + number * 10 + step}"
            if caller.get(wanted).json["id"] != wanted.partition("/")[2]:
                wrong.append(wanted)

    threads = [threading.Thread(target=work, args=(call(ror_simulator), number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert wrong == []
    assert len(ror_simulator.requests) == 88


# ------------------------------------------------------------------ the folder


def test_the_folder_points_a_client_here(ror_simulator: Simulator, tmp_path: Path) -> None:
    """The settings that are written lead the national client to its first answer."""
    path = ror_simulator.write_config(tmp_path / "new" / "sim")
    settings = load_settings(path)
    assert settings.environment == "bench"
    with NationalRorClient.from_settings(settings) as client:
        assert len(list(client.search("HealthcareService", max_results=3))) == 3


def test_the_folder_is_closed_to_others(ror_simulator: Simulator, tmp_path: Path) -> None:
    """The folder is 0700 and every file 0600, whatever the umask; a second time replaces them."""
    folder = tmp_path / "sim"
    umask = os.umask(0)
    try:
        ror_simulator.write_config(folder)
        ror_simulator.write_config(str(folder))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(files) == {
        "api.key", "client.key", "client.p12", "client.pass", "client.pem", "root.pem", "ror-sante.toml",
        "simulator.env", "web-root.pem",
    }  # fmt: skip
    assert set(files.values()) == {0o600}


def test_the_variables_are_for_a_shell(ror_simulator: Simulator, tmp_path: Path) -> None:
    """simulator.env can be sourced, and its PEM files make a handshake for somebody else's client."""
    folder = tmp_path / "a folder"
    ror_simulator.write_config(folder)
    script = f"set -a; . {shlex.quote(str(folder / 'simulator.env'))}; env -0"
    output = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env={}).stdout.decode()
    variables = dict(line.split("=", 1) for line in output.split("\0") if line.startswith("ROR_"))
    assert variables["ROR_SANTE_CONFIG"] == str(folder / "ror-sante.toml")
    assert variables["ROR_SIMULATOR_FHIR_BASE"] == ror_simulator.url + BASE
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(variables["ROR_SIMULATOR_ROOT"])
    passphrase = (folder / "client.pass").read_text().strip()
    context.load_cert_chain(variables["ROR_SIMULATOR_CERTIFICATE"], variables["ROR_SIMULATOR_KEY"], passphrase)
    assert exchange(ror_simulator, context, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404")


def test_a_folder_that_cannot_be_written_is_told(ror_simulator: Simulator, tmp_path: Path) -> None:
    """A file in the place of the folder is a ConfigurationError."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        ror_simulator.write_config(tmp_path / "file")


def test_the_root_file_lives_as_long_as_the_simulator(ror_pki: SimulatorPki) -> None:
    """The environment names a root on disk; when the simulator is forgotten, so is the file."""
    simulator = Simulator(ror_pki, size=1).start()
    anchor = Path(simulator.environment.anchors[0])
    assert anchor.read_bytes() == ror_pki.root_pem()
    simulator.stop()
    del simulator
    gc.collect()
    assert not anchor.exists()


def test_without_the_extra_the_way_to_it_is_named() -> None:
    """Without pytest-httpserver the import is a ConfigurationError with the pip command."""
    program = (
        "import sys\n"
        "sys.modules['pytest_httpserver'] = sys.modules['pytest_httpserver.httpserver'] = None\n"
        "from ror_sante.errors import ConfigurationError\n"
        "try:\n"
        "    import ror_sante.simulator.server\n"
        "except ConfigurationError as error:\n"
        "    print(error, '/', error.hint)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told == (
        "the simulator needs the extra 'testing', which is not installed / pip install 'ror-sante[testing]'\n"
    )


def test_the_values_are_plain() -> None:
    """A call without a query has no parameters; a body of bytes is its own payload."""
    assert Call("GET", "/").params == ()
    assert Call("GET", "/").bearer == ""
    assert Reply(body=b"x").payload == b"x"
