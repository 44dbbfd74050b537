"""The receipt of the probe's connection, against real servers that take and refuse what they are shown."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from ror_sante.diagnosis.page.words import FRENCH
from ror_sante.diagnosis.route import Route
from ror_sante.diagnosis.smoke import SmokeTest
from ror_sante.settings import RornSettings
from ror_sante.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.pki import SimulatorPki

ROOT = "SIMULATEUR AC RACINE ELEMENTAIRE"
ACI = "SIMULATEUR AC ELEMENTAIRE ORGANISATIONS"


def routes(simulator: Simulator, **changes: str) -> tuple[Route, ...]:
    account = RornSettings(client_id=simulator.client_id, profile=simulator.profile, role=simulator.role)
    place = dataclasses.replace(simulator.environment, **changes)  # type: ignore[arg-type]  # its texts
    return SmokeTest(place, lambda: simulator.identity, rorn=account).run().routes


def test_a_good_connection_has_both_chains(simulator: Simulator) -> None:
    """What was asked, sent, received and trusted, with times; no root was sent, nothing was refused."""
    (route,) = routes(simulator)
    assert (route.origin, route.name, route.peer) == (simulator.url, "localhost", "127.0.0.1")
    assert (route.asked, route.read, route.ours, route.our_root) == (True, True, ("CLIENT_WS_RORN", ACI), ROOT)
    assert (route.theirs, route.their_root) == (("localhost", ACI), ROOT)
    assert (route.refused, route.alert, route.ended) == ("", "", "")
    assert [name for name, _ in route.steps] == ["DNS", "TCP", "TLS", "first byte"]
    told = dict(route.receipt())
    assert told["we sent"] == f"2 certificates: CLIENT_WS_RORN ← {ACI}, and not the root {ROOT}"
    assert set(told) <= set(FRENCH)


def test_an_address_is_not_sent_as_a_name(simulator: Simulator) -> None:
    """RFC 6066: a server name is a name."""
    token, api = routes(simulator, api_url=simulator.url.replace("localhost", "127.0.0.1"))
    assert (token.name, api.name) == ("localhost", "")
    assert (token.label, api.label) == ("token host localhost", "API host 127.0.0.1")


def test_a_refusal_by_the_server_has_its_alert(pki: SimulatorPki) -> None:
    """A revoked certificate: the alert and the step where it came."""
    revoked = pki.client()
    with Simulator(pki, size=1, crl=pki.crl([revoked])) as strict:
        account = RornSettings(client_id=strict.client_id, profile=strict.profile, role=strict.role)
        (route,) = SmokeTest(strict.environment, lambda: pki.identity(revoked), rorn=account).run().routes
    assert (route.refused, route.alert, route.ended) == ("ours", "certificate_revoked", "read")
    assert dict(route.receipt())["alert received"] == "certificate_revoked (after the handshake)"
    assert route.to_dict()["alert_after_the_handshake"] is True
    assert route.to_dict()["alert"] == "certificate_revoked"


def test_a_server_that_we_refuse_gets_nothing(pki: SimulatorPki) -> None:
    """Its chain is told, and that it ends at no pinned root."""
    with Simulator(pki, size=1, server=pki.foreign.server()) as foreign:
        (route,) = routes(foreign)
    assert (route.refused, route.ours, route.our_root, route.ended) == ("theirs", (), "", "tls")
    told = dict(route.receipt())
    assert told["its chain ends at"] == "no pinned root"
    assert told["we sent"] == "no certificate"


def test_a_port_without_tls_has_a_short_receipt(simulator: Simulator, listening: Callable[..., int]) -> None:
    """The address, the step, the times; no chain is invented."""
    port = listening(lambda client: (client.recv(100), client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
    url = f"https://127.0.0.1:{port}"
    (route,) = routes(simulator, api_url=url, token_url=f"{url}/token")
    assert set(dict(route.receipt())) == {"address", "it broke at", "times"}


@pytest.mark.parametrize(
    ("read", "words"), [(True, "1 certificate: leaf"), (False, "1 certificate: leaf (as it was loaded)")]
)
def test_what_could_not_be_read_is_told_as_loaded(read: bool, words: str) -> None:
    """The receipt never claims more than was seen."""
    assert (
        dict(Route(label="h", origin="o", version="TLSv1.3", ours=("leaf",), read=read).receipt())["we sent"] == words
    )
