"""A sound identity is let in by every front end, which receives our leaf and its intermediate, and no root."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from ror_sante.http.session import SessionFactory
from tests.interop.frontends import SHOWING_THE_CHAIN, pem

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki
    from tests.interop.conftest import ConnectProxy, Identities, Place
    from tests.interop.frontends import Running

LARGE = 5_000_000  # many times what a socket buffers, and what nginx keeps in memory


def test_the_server_knows_us_by_our_subject(
    place: Place, factory: SessionFactory, pki: SimulatorPki, identities: Identities
) -> None:
    """Each front end verifies us against the root alone, under the version of TLS that it speaks."""
    with factory.session(place.url) as session:
        answer = session.get(place.url + "/index.txt")

    assert answer.status_code == 200
    seen = place.seen(answer)
    assert seen.verified
    assert seen.tls == place.tls
    assert seen.leaf == identities.good.certificate
    assert seen.subject == pki.identity(identities.good).subject_dn


@pytest.mark.parametrize("place", SHOWING_THE_CHAIN, indirect=True, ids="-".join)
def test_leaf_and_intermediate_are_pushed_in_order(
    place: Place, factory: SessionFactory, pki: SimulatorPki, identities: Identities
) -> None:
    """The front ends that show what they received show our leaf, then the intermediate, and nothing more."""
    with factory.session(place.url) as session:
        pushed = place.seen(session.get(place.url + "/index.txt")).pushed

    assert pushed == (identities.good.certificate, pki.intermediate.certificate)


def test_the_openssl_program_agrees_on_what_was_pushed(
    openssl: str, place: Place, factory: SessionFactory, pki: SimulatorPki, tmp_path: Path
) -> None:
    """What a front end received verifies up to the root for a TLS client, in the eyes of another program."""
    with factory.session(place.url) as session:
        seen = place.seen(session.get(place.url + "/index.txt"))
    leaf, *others = seen.pushed or (seen.leaf, pki.intermediate.certificate)
    (tmp_path / "leaf.pem").write_bytes(pem([leaf]))
    (tmp_path / "others.pem").write_bytes(pem(others))
    (tmp_path / "root.pem").write_bytes(pem([pki.root.certificate]))
    command = [openssl, "verify", "-x509_strict", "-purpose", "sslclient", "-no-CApath", "-no-CAstore"]
    files = ["-CAfile", "root.pem", "-untrusted", "others.pem", "leaf.pem"]

    told = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert told.stdout == "leaf.pem: OK\n", told.stderr


def test_requests_share_one_connection(place: Place, factory: SessionFactory) -> None:
    """Ten requests one after another travel on one connection, and so on one handshake."""
    with factory.session(place.url) as session:
        connections = {place.seen(session.get(place.url + "/index.txt")).connection for _ in range(10)}

    assert len(connections) == 1


def test_another_session_has_its_own_connection(place: Place, factory: SessionFactory) -> None:
    """The count of connections above is able to tell two from one."""
    connections = set()
    for _ in range(2):
        with factory.session(place.url) as session:
            connections.add(place.seen(session.get(place.url + "/index.txt")).connection)

    assert len(connections) == 2


def test_a_large_body_arrives_whole(place: Place, factory: SessionFactory) -> None:
    """Five megabytes come down unchanged, and the connection serves again."""
    with factory.session(place.url) as session:
        first = session.get(f"{place.url}/echo/{LARGE}")
        second = session.get(f"{place.url}/echo/1")

    assert first.content == b"x" * LARGE
    assert place.seen(first).connection == place.seen(second).connection


def test_a_large_body_is_sent_whole(place: Place, factory: SessionFactory) -> None:
    """Five megabytes go up, come back unchanged, and the connection serves again."""
    body = random.Random(5).randbytes(LARGE)

    with factory.session(place.url) as session:
        first = session.post(place.url + "/echo", data=body)
        second = session.get(f"{place.url}/echo/1")

    assert first.content == body
    assert place.seen(first).connection == place.seen(second).connection


@pytest.mark.parametrize("listener", ["tls12", "tls13"])
def test_mutual_tls_runs_through_a_connect_proxy(
    nginx: Running, connect_proxy: ConnectProxy, pki: SimulatorPki, identities: Identities, listener: str
) -> None:
    """A proxy opens a tunnel once; our certificate passes through it to the server, and requests share it."""
    url = nginx.url(listener)
    through = SessionFactory(pki.identity(identities.good), pki.anchor, proxy=connect_proxy.url)

    with through.session(url) as session:
        answers = [session.get(url) for _ in range(3)]

    seen = [nginx.front_end.seen(answer) for answer in answers]
    assert connect_proxy.targets == [url.removeprefix("https://")]
    assert {one.connection for one in seen} == {seen[0].connection}
    assert all(one.verified and one.leaf == identities.good.certificate for one in seen)


def test_a_new_connection_resumes_the_last_session(
    place: Place, factory: SessionFactory, identities: Identities
) -> None:
    """Each front end takes the session up again, and still knows us by it."""
    resumed = []
    for _ in range(3):
        with factory.session(place.url) as session, session.get(place.url + "/index.txt", stream=True) as answer:
            resumed.append(answer.raw.connection.sock.session_reused)
            seen = place.seen(answer)
            assert seen.verified
            assert seen.leaf == identities.good.certificate

    assert resumed[1:] == [True, True]
