"""The three ports of the simulator: who is asked for a certificate, when, and whom each stands under."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.extraction import EXTRACTION_PATH
from ror_sante.simulator.server import Simulator
from tests.support.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.simulator.pki import SimulatorPki

RESTRICTED = f"{EXTRACTION_PATH}/Extraction_ProSanteConnect"
OPEN = f"{EXTRACTION_PATH}/Nothing_Of_The_Kind"
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.fixture
def extraction(ror_simulator: Simulator, tls: Any) -> Iterator[Any]:
    """Ask for paths of the extraction port on one connection, whose context is `tls`'s; give the statuses."""
    opened = []

    def ask(*paths: str, post_handshake_auth: bool = True, **how: Any) -> list[int]:
        context: ssl.SSLContext = tls(**how)
        context.post_handshake_auth = post_handshake_auth
        port = urlsplit(ror_simulator.extraction_url).port
        opened.append(http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5))
        statuses = []
        for path in paths:
            opened[-1].request("GET", path)
            answer = opened[-1].getresponse()
            answer.read()
            statuses.append(answer.status)
        return statuses

    yield ask
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_restricted_path_is_for_holders_of_a_certificate(
    ror_simulator: Simulator, extraction: Any, version: ssl.TLSVersion
) -> None:
    """With a certificate it is given; without one it is forbidden; what is not there is so for both."""
    assert extraction(OPEN, RESTRICTED, OPEN, version=version) == [404, 200, 404]
    assert extraction(OPEN, RESTRICTED, OPEN, issued=None, version=version) == [404, 403, 404]
    assert {seen.service for seen in ror_simulator.requests} == {"extraction"}


def test_the_certificate_is_asked_for_in_the_middle_of_a_connection(ror_simulator: Simulator, extraction: Any) -> None:
    """Under TLS 1.3 the client is nobody on the open path, and known from the restricted one on."""
    extraction(OPEN, RESTRICTED, OPEN, version=ssl.TLSVersion.TLSv1_3)
    assert [bool(seen.subject_dn) for seen in ror_simulator.requests] == [False, True, True]
    assert ror_simulator.received_chain == ("CLIENT_WS_RORN", "SIMULATEUR AC ELEMENTAIRE ORGANISATIONS")


def test_before_tls_1_3_it_is_asked_for_in_the_handshake(ror_simulator: Simulator, extraction: Any) -> None:
    """TLS 1.2 has no such thing as a later question here: who has a certificate shows it at once."""
    extraction(OPEN, version=ssl.TLSVersion.TLSv1_2)
    assert [bool(seen.subject_dn) for seen in ror_simulator.requests] == [True]


def test_a_client_that_does_not_offer_it_stays_nobody(extraction: Any) -> None:
    """Without the extension of TLS 1.3 there is no way to ask: 403, certificate or not."""
    assert extraction(RESTRICTED, version=ssl.TLSVersion.TLSv1_3, post_handshake_auth=False) == [403]


def test_a_client_that_talks_in_place_of_answering_stays_nobody(ror_simulator: Simulator, tls: Any) -> None:
    """Bytes that are no answer end the question: 403, as for anybody without a certificate."""
    port = urlsplit(ror_simulator.extraction_url).port
    context: ssl.SSLContext = tls()
    context.post_handshake_auth = True
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(f"GET {RESTRICTED} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(0.1)
        client.sendall(b"x")
        assert client.recv(20).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("path", [OPEN, RESTRICTED])
def test_a_foreign_certificate_is_refused_where_it_is_asked_for(
    ror_simulator: Simulator, ror_pki: SimulatorPki, extraction: Any, path: str
) -> None:
    """The open path serves its holder; the restricted one ends the connection with an alert."""
    foreign = ror_pki.foreign.client()
    if path == OPEN:
        assert extraction(path, issued=foreign, version=ssl.TLSVersion.TLSv1_3) == [404]
        assert ror_simulator.refused == []
    else:
        with pytest.raises((ssl.SSLError, OSError)):
            extraction(path, issued=foreign, version=ssl.TLSVersion.TLSv1_3)
        until(lambda: ror_simulator.refused == ["CERTIFICATE_VERIFY_FAILED"])  # it is noted after the alert


def test_the_gateway_stands_under_a_root_of_its_own(ror_simulator: Simulator, ror_pki: SimulatorPki, tls: Any) -> None:
    """Its certificate ends at the web root; the root of the others does not vouch for it."""
    port = urlsplit(ror_simulator.gateway_url).port
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=tls(None, root=ror_pki.web), timeout=5)
    connection.request("GET", "/fhir/v2/nothing")
    assert connection.getresponse().status == 401
    connection.close()
    strange = http.client.HTTPSConnection("127.0.0.1", port, context=tls(None), timeout=5)
    with pytest.raises(ssl.SSLCertVerificationError):
        strange.request("GET", "/fhir/v2/nothing")
    strange.close()
    assert [(seen.service, seen.status, seen.subject_dn) for seen in ror_simulator.requests] == [("gateway", 401, "")]


def test_the_environment_knows_all_three(ror_simulator: Simulator) -> None:
    """Addresses and anchors of the Annuaire Santé are there, the gateway's apart."""
    environment = ror_simulator.environment
    assert environment.annuaire_download_url == ror_simulator.extraction_url + EXTRACTION_PATH
    assert environment.annuaire_fhir_url == f"{ror_simulator.gateway_url}/fhir/v2"
    assert environment.annuaire_fhir_anchors != environment.anchors


def test_a_port_takes_the_next_two(ror_pki: SimulatorPki, run: Any) -> None:
    """N is the ROR, N+1 the extractions, N+2 the gateway; when one is taken, none is kept."""
    port = free_port(3)
    simulator = run(port=port)
    urls = (simulator.url, simulator.extraction_url, simulator.gateway_url)
    assert [urlsplit(url).port for url in urls] == [port, port + 1, port + 2]
    simulator.stop()
    with socket.create_server(("127.0.0.1", port + 2)):
        second = Simulator(ror_pki, port=port, size=1)
        with pytest.raises(ConfigurationError, match=f"port {port + 2} "):
            second.start()
        assert not second.running
    assert simulator.start().url == urls[0]
