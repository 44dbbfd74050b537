"""The probe tells how far a connection gets, and what was really pushed."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time

import pytest

from ror_sante.errors import ClientRejectedError, ServerNotTrustedError, TimedOutError, UnreachableError
from ror_sante.pki.identity import ClientIdentity
from ror_sante.tls.adapter import Origin
from ror_sante.tls.probe import Probe, Via, probe


@pytest.fixture
def walk(pki):
    """Probe a server with the good identity."""

    def walk(origin: Origin, identity=..., **how) -> Probe:
        return probe(origin, pki.identity() if identity is ... else identity, [pki.anchor], **how)

    return walk


def test_a_good_server_is_reached_and_the_wire_shows_what_was_pushed(walk, serve, version) -> None:
    """Every step has a time, and leaf and intermediate were seen on the wire."""
    seen = walk(serve(version=version).origin)

    assert (seen.failed, seen.error) == (None, None)
    assert None not in (seen.dns_seconds, seen.tcp_seconds, seen.tls_seconds)
    assert (seen.source, seen.requested, len(seen.pushed), seen.pushed[0]) == ("wire", True, 2, "CLIENT_WS_RORN")
    assert (seen.received[0], len(seen.received)) == ("localhost", 2)
    assert {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version] == seen.version


def test_a_server_that_asks_for_no_certificate_is_told_apart(walk, serve) -> None:
    """Nothing is pushed when nothing is asked for."""
    seen = walk(serve(root=None).origin)

    assert (seen.requested, seen.pushed) == (False, ())


def test_a_refusal_of_our_certificate_names_its_alert(walk, serve, pki, version) -> None:
    """The probe reads before it would write, so the alert is never lost."""
    from cryptography.hazmat.primitives.serialization import Encoding

    issued = pki.client()
    alone = ClientIdentity.from_pem(issued.certificate.public_bytes(Encoding.PEM), issued.key_pem())
    seen = walk(serve(version=version).origin, identity=alone)

    assert isinstance(seen.error, ClientRejectedError)
    assert seen.error.alert == "unknown_ca"
    assert ("read" if version == ssl.TLSVersion.TLSv1_3 else "tls") == seen.failed
    assert seen.pushed == ("CLIENT_WS_RORN",)


def test_a_foreign_server_is_refused_and_its_chain_is_shown(walk, serve, foreign) -> None:
    """What the server sent is told even though it is not trusted."""
    seen = walk(serve(foreign.server(), required=False).origin)

    assert (seen.failed, len(seen.received)) == ("tls", 2)
    assert isinstance(seen.error, ServerNotTrustedError)


def test_a_name_that_does_not_resolve_fails_at_dns(walk) -> None:
    """The name is in the message; no connection is tried."""
    seen = walk(Origin("no-such-host.invalid"))

    assert (seen.failed, seen.tcp_seconds) == ("dns", None)
    assert "no-such-host.invalid" in str(seen.error)


def test_a_closed_port_fails_at_tcp(walk) -> None:
    """Host and port are in the message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    seen = walk(Origin("127.0.0.1", port))

    assert seen.failed == "tcp"
    assert f"127.0.0.1:{port}" in str(seen.error)


def test_a_port_that_answers_nothing_fails_within_the_limit(walk) -> None:
    """A full backlog stands for a firewall that drops packets; a silent peer times out in the handshake."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        seen = walk(Origin("127.0.0.1", port), timeout=0.3)
        for one in held:
            one.close()

    assert isinstance(seen.error, TimedOutError)
    assert seen.failed in ("tcp", "tls")


def test_a_plain_port_fails_at_tls(walk) -> None:
    """What answers is not TLS, and the message says so."""

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, daemon=True).start()
        seen = walk(Origin("127.0.0.1", listener.getsockname()[1]))

    assert seen.failed == "tls"
    assert "is not TLS" in str(seen.error)


@pytest.mark.parametrize("goodbye", [True, False], ids=["with-close-notify", "without"])
def test_a_server_that_closes_right_after_the_handshake_fails_at_read(walk, serve, goodbye) -> None:
    """An ending without an alert is told as such, polite or not."""

    def leave(secure, visit) -> None:
        secure.settimeout(0.2)
        with contextlib.suppress(OSError):
            if goodbye:
                secure.unwrap()

    server = serve(root=None)
    server._talk = leave
    seen = walk(server.origin)

    assert seen.failed == "read"
    assert isinstance(seen.error, UnreachableError)


def test_through_a_proxy_the_proxy_is_what_gets_resolved_and_connected(walk, serve, proxy) -> None:
    """The tunnel is opened with the password, and TLS ends at the server."""
    relay, server = proxy(), serve()
    seen = walk(server.origin, via=Via("127.0.0.1", relay.port, "Basic abc"))

    assert (seen.failed, seen.addresses, len(seen.pushed)) == (None, ("127.0.0.1",), 2)
    assert "Proxy-Authorization: Basic abc" in relay.heads[0]


@pytest.mark.parametrize(
    ("status", "says"),
    [("407 Proxy Authentication Required", "asks for a password"), ("403 Forbidden", "opens no tunnel")],
)
def test_a_proxy_that_refuses_is_named(walk, serve, proxy, status, says) -> None:
    """A 407 is told apart from a proxy that forbids the target."""
    relay = proxy(status)
    seen = walk(serve().origin, via=Via("127.0.0.1", relay.port))

    assert seen.failed == "proxy"
    assert says in str(seen.error)
    assert f"127.0.0.1:{relay.port}" in str(seen.error)


def test_a_proxy_that_answers_nothing_is_named(walk, serve) -> None:
    """A proxy that hangs up is told as the proxy's fault."""

    def hang_up() -> None:
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hang_up, daemon=True).start()
        seen = walk(serve().origin, via=Via("127.0.0.1", listener.getsockname()[1]))

    assert seen.failed == "proxy"


def test_what_was_loaded_is_told_when_the_wire_cannot_be_read(walk, serve, monkeypatch) -> None:
    """CPython's callback is private: should it break, the probe says that it tells what was loaded."""
    import ror_sante.tls.wire as wire

    monkeypatch.setattr(wire, "certificates_of", None)
    seen = walk(serve().origin)

    assert (seen.source, len(seen.pushed)) == ("loaded", 2)


def test_without_an_identity_nothing_is_said_to_be_pushed(walk, serve) -> None:
    """A server that requires one refuses; the list of what was pushed is empty."""
    seen = walk(serve().origin, identity=None)

    assert (seen.pushed, seen.requested) == ((), True)
    assert isinstance(seen.error, ClientRejectedError)


def test_a_proxy_that_drips_its_answer_is_given_up(pki) -> None:
    """Each byte restarts the socket's time-out; the limit of the step is another."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            client, _ = listener.accept()
            with contextlib.closing(client), contextlib.suppress(OSError):
                for _ in range(400):
                    client.sendall(b"x")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        begun = time.monotonic()
        seen = probe(
            Origin("localhost", 1), None, [pki.anchor], via=Via("127.0.0.1", listener.getsockname()[1]), timeout=0.2
        )

    assert seen.failed == "proxy"
    assert isinstance(seen.error, TimedOutError)
    assert time.monotonic() - begun < 15
