"""What an authority publishes is fetched from known hosts, over http, with no redirect, and never without an end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ror_sante.errors import (
    ConfigurationError,
    TimedOutError,
    UnexpectedResponseError,
    UnreachableError,
)
from ror_sante.http import publication
from ror_sante.http.proxy import Proxy
from ror_sante.http.publication import Publication, _check_public
from tests.support.authority import Publisher


@pytest.fixture
def publish() -> Iterator[Callable[..., Publisher]]:
    """Start a publisher that answers by a function."""
    started: list[Publisher] = []

    def start(answer: Any) -> Publisher:
        started.append(Publisher(answer))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_a_named_address_is_asked_wherever_it_lies(publish: Any) -> None:
    """A mirror of our own, on a private network: path, query, body and type arrive."""
    there = publish(lambda path, body: (200, path.encode() + body))
    get, post = f"{there.url}/CRL/a.crl?x=1", f"{there.url}/ocsp"
    way = Publication(named=frozenset([get, post]))
    assert way.fetch(get) == b"/CRL/a.crl?x=1"
    assert way.fetch(post, body=b"!", media_type="application/ocsp-request") == b"/ocsp!"
    assert there.asked == ["GET /CRL/a.crl?x=1", "POST /ocsp"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://elsewhere.example/a.crl", "its host is not one of"),
        ("http://127.0.0.1/a.crl", "its host is not one of"),
        ("http://igc-sante.esante.gouv.fr:8080/a.crl", "its host is not one of"),
        ("https://igc-sante.esante.gouv.fr/a.crl", "not a plain http"),
        ("ldap://annuaire-igc.esante.gouv.fr/x", "not a plain http"),
        ("file:///etc/passwd", "not a plain http"),
        ("http://me:pw@igc-sante.esante.gouv.fr/a.crl", "not a plain http"),
        ("http://[broken/a.crl", "not a plain http"),
    ],
)
def test_other_addresses_are_not_asked(url: str, why: str) -> None:
    """Nothing is sent: a certificate may name whatever it likes."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        Publication().fetch(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "224.0.0.1"],
)
def test_a_known_name_with_a_private_address_is_not_asked(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """A resolver that was tampered with leads to a neighbour, or to the metadata of a cloud."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(ConfigurationError, match="not a public one"):
        Publication().fetch("http://igc-sante.esante.gouv.fr/CRL/ACR-EL.crl")


def test_a_public_address_is_fine() -> None:
    """The pair to the one above."""
    _check_public("198.35.26.96", "host")
    _check_public("2a00:1450:4007::1", "host")


@pytest.mark.parametrize(("status", "hint"), [(302, "not followed"), (403, "leave it in peace"), (404, "later")])
def test_another_status_is_an_error_and_a_redirect_is_not_followed(publish: Any, status: int, hint: str) -> None:
    """One request goes out, whatever the answer asks for."""
    there = publish(lambda path, _: (status, b"http://127.0.0.1:1/other"))
    url = f"{there.url}/a.crl"
    with pytest.raises(UnexpectedResponseError) as caught:
        Publication(named=frozenset([url])).fetch(url)
    assert caught.value.status == status
    assert hint in caught.value.hint
    assert len(there.asked) == 1


def test_fifty_megabytes_are_refused(publish: Any) -> None:
    """The cap is 20 MiB."""
    there = publish(lambda path, _: (200, bytes(50_000_000)))
    url = f"{there.url}/a.crl"
    with pytest.raises(UnexpectedResponseError, match=r"larger|over|bytes"):
        Publication(named=frozenset([url])).fetch(url)


def test_nobody_there_and_no_name_are_transport_errors() -> None:
    """Refused, or unknown."""
    for url, words in (
        ("http://127.0.0.1:1/a.crl", "no connection to 127"),
        ("http://nowhere.invalid/a.crl", "resolved"),
    ):
        with pytest.raises(UnreachableError, match=words) as caught:
            Publication(named=frozenset([url])).fetch(url)
        assert "certificate" not in caught.value.hint


@pytest.mark.parametrize("dripping", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_a_server_that_drips_does_not_hold_us(listening: Any, dripping: bytes) -> None:
    """A byte every twentieth of a second, in the head or in the body: it ends at the deadline."""

    def drip(client: socket.socket) -> None:
        client.recv(1000)
        client.sendall(dripping)
        for _ in range(400):
            client.sendall(b"x")
            time.sleep(0.05)

    url = f"http://127.0.0.1:{listening(drip)}/a.crl"
    start = time.monotonic()
    with pytest.raises(TimedOutError):
        Publication(named=frozenset([url]), deadline=0.3).fetch(url)
    assert time.monotonic() - start < 15


def test_an_answer_that_is_no_http_is_an_error(listening: Any) -> None:
    """Some other service stands there."""
    url = f"http://127.0.0.1:{listening(lambda client: (client.recv(1000), client.sendall(b'220 smtp ready')))}/a.crl"
    with pytest.raises(UnexpectedResponseError, match="cannot be read"):
        Publication(named=frozenset([url])).fetch(url)


def test_through_a_proxy_the_whole_address_and_the_login_go_out(listening: Any) -> None:
    """The proxy resolves the name; known hosts alone are asked there too."""
    heads: list[bytes] = []
    done = threading.Event()

    def serve(client: socket.socket) -> None:
        heads.append(client.recv(4000))
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        done.set()

    port = listening(serve)
    way = Publication(proxy=Proxy(f"http://127.0.0.1:{port}", user="moi", password="chut"))
    assert way.fetch("http://igc-sante.esante.gouv.fr/CRL/ACR-EL.crl") == b"ok"
    assert heads[0].startswith(b"GET http://igc-sante.esante.gouv.fr/CRL/ACR-EL.crl HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bW9pOmNodXQ=" in heads[0]
    assert b"Host: igc-sante.esante.gouv.fr\r\n" in heads[0]
    with pytest.raises(ConfigurationError):
        way.fetch("http://elsewhere.example/a.crl")
    assert {"ocsp.esante.gouv.fr", "igc-sante.esante.gouv.fr"} == publication.KNOWN_HOSTS
