"""Each connection leaves a receipt: what was agreed on, shown and refused, and how long it took."""

from __future__ import annotations

import contextlib
import pickle
import socket
import ssl
import struct
import threading
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from ror_sante.errors import (
    ClientRejectedError,
    ConfigurationError,
    ServerNotTrustedError,
    TimedOutError,
    TransportError,
    UnreachableError,
)
from ror_sante.http.session import SessionFactory, Timeouts
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.names import describe_name
from ror_sante.tls import adapter as adapters
from ror_sante.tls import context as contexts
from ror_sante.tls.adapter import Origin, PinnedAdapter
from ror_sante.tls.context import build_context
from ror_sante.tls.outgoing import Outgoing
from ror_sante.tls.receipt import HandshakeReceipt, Receipts
from ror_sante.tls.wire import Transcript
from tests.support.tls_servers import OK, TlsServer
from tests.support.waiting import until

CLOSING = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
NAMES = {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}


@pytest.fixture
def session(pki):
    """Make a session with one server, by the good identity."""

    def session(server, **how):
        how = {"timeout": Timeouts(connect=5, read=20), **how}
        return SessionFactory(pki.identity(), pki.anchor, **how).session(server.url)

    return session


@pytest.fixture
def adapter(pki):
    """Send as our clients do, past requests, whatever the identity is worth."""

    def adapter(server, identity=None):
        kept = Receipts()
        made = PinnedAdapter(build_context(identity or pki.identity(), pki.anchor), [server.origin], receipts=kept)

        def send(method="GET", body=None, proxy="", read=20.0, connect=5.0):
            return made.open(Outgoing(method, f"{server.url}/", {}, body), timeout=(connect, read), proxy=proxy)

        return SimpleNamespace(send=send, receipts=kept.all)

    return adapter


@pytest.fixture
def leaf_only(pki) -> ClientIdentity:
    """An identity whose file lacks the intermediate."""
    issued = pki.client()
    return ClientIdentity.from_pem(issued.certificate.public_bytes(Encoding.PEM), issued.key_pem())


def test_a_connection_leaves_one_receipt_of_all_that_it_showed(session, serve, pki, version) -> None:
    """Both chains, the authority that the server accepts, the pinned root, a full handshake, and four times."""
    server = serve(version=version)
    with session(server) as calls:
        calls.get(server.url)
        calls.get(server.url)
        (receipt,) = calls.receipts

    assert (receipt.protocol, receipt.resumed, receipt.failed, receipt.source) == (
        NAMES[version],
        False,
        "",
        "connection",
    )
    assert (receipt.host, receipt.port, receipt.peer) == ("localhost", server.port, receipt.tried[-1].address)
    assert receipt.requested
    assert receipt.sent_names == ("CLIENT_WS_RORN", *receipt.sent_names[1:2])
    assert (len(receipt.sent), receipt.root_sent) == (2, False)
    assert (receipt.received_names[0], receipt.chain_end, receipt.root) == (
        "localhost",
        pki.anchor.subject,
        pki.anchor.der,
    )
    assert [name for name, _ in receipt.steps()] == ["DNS", "TCP", "TLS", "first byte"]
    assert (receipt.alert, receipt.alert_sent, receipt.alert_moment) == ("", "", "")


def test_the_authorities_that_a_server_accepts_are_named(adapter, pki, tmp_path, version) -> None:
    """As pyOpenSSL's server lists them, which Python's own cannot: both versions have a place of their own for it."""
    issued, method = pki.server(), SSL.Context(SSL.TLS_SERVER_METHOD)
    (tmp_path / "chain.pem").write_bytes(issued.pem_chain())
    (tmp_path / "key.pem").write_bytes(issued.key_pem())
    method.use_certificate_chain_file(str(tmp_path / "chain.pem"))
    method.use_privatekey_file(str(tmp_path / "key.pem"))
    method.set_min_proto_version(version)
    method.set_max_proto_version(version)
    accepted = [pki.anchor.certificate, pki.foreign.anchor.certificate]
    for one in accepted:
        method.add_client_ca(one)
    method.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve() -> None:
        plain, _ = listener.accept()
        secure = SSL.Connection(method, plain)
        secure.set_accept_state()
        secure.do_handshake()
        secure.recv(65536)
        secure.sendall(OK)
        plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    calls = adapter(SimpleNamespace(origin=Origin("localhost", port), url=f"https://localhost:{port}"))
    calls.send().close()
    thread.join(60)
    listener.close()

    (receipt,) = calls.receipts()
    assert receipt.authority_names == tuple(describe_name(one.subject) for one in accepted)
    assert f"authorities accepted: {pki.anchor.subject}, " in str(receipt)


def test_a_receipt_prints_and_pickles(session, serve) -> None:
    """One line for each thing that was seen, and a short repr: errors and logs hold receipts."""
    server = serve()
    with session(server) as calls:
        calls.get(server.url)
        (receipt,) = calls.receipts

    assert pickle.loads(pickle.dumps(receipt)) == receipt
    assert "we sent: 2 certificates: CLIENT_WS_RORN ← " in str(receipt)
    assert "no root among them" in str(receipt)
    assert "handshake: full" in str(receipt)
    assert "server name sent: localhost" in str(receipt)
    assert repr(receipt) == f"<HandshakeReceipt localhost:{server.port} TLSv1.3>"


def test_a_resumed_connection_says_so_and_shows_no_certificates(session, serve, version) -> None:
    """It stands on the handshake that it resumes: nothing was sent, and nothing asked for."""
    server = serve(version=version, answer=lambda _: CLOSING)
    with session(server) as calls:
        calls.get(server.url)
        calls.get(server.url)
        first, second = calls.receipts

    assert (first.resumed, second.resumed) == (False, True)
    assert (second.sent, second.received, second.requested, second.root) == (None, (), None, b"")
    assert second.source == "connection"


@pytest.mark.parametrize("body", [None, bytes(300_000)], ids=["get", "post"])
def test_a_refusal_brings_its_receipt_with_the_alert_and_its_moment(adapter, serve, leaf_only, version, body) -> None:
    """TLS 1.2 refuses in the handshake; TLS 1.3 after it, when the request may already be on its way."""
    calls = adapter(serve(version=version), leaf_only)

    with pytest.raises(ClientRejectedError) as refused:
        calls.send("POST" if body else "GET", body)

    receipt = refused.value.receipt
    assert receipt.alert == "unknown_ca"
    assert (receipt.alert_moment, receipt.failed) == (
        ("after", "read") if version == ssl.TLSVersion.TLSv1_3 else ("handshake", "tls")
    )
    assert (receipt.sent_names, receipt.requested) == (("CLIENT_WS_RORN",), True)
    assert calls.receipts() == (receipt,)


def test_a_server_that_we_refuse_is_told_with_the_alert_that_we_sent(session, serve, foreign) -> None:
    """Its chain is shown, no root of ours stands at its end, and our certificate did not go out."""
    server = serve(foreign.server(), required=False)
    with session(server) as calls, pytest.raises(ServerNotTrustedError) as refused:
        calls.get(server.url)

    receipt = refused.value.receipt
    assert (receipt.failed, receipt.alert_sent, receipt.alert_moment) == ("tls", "unknown_ca", "handshake")
    assert (len(receipt.received), receipt.root, receipt.sent) == (2, b"", None)
    assert "no pinned root (the last one names" in str(receipt)


def test_a_name_without_address_and_a_closed_port_tell_their_step(session) -> None:
    """No connection was had, and the receipt says how far it got."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host, step, tried in (("no-such-host.invalid", "dns", 0), ("127.0.0.1", "tcp", 1)):
        target = SimpleNamespace(url=f"https://{host}:{port}")
        with session(target) as calls, pytest.raises(UnreachableError) as failed:
            calls.get(target.url)
        receipt = failed.value.receipt
        assert (receipt.failed, len(receipt.tried), receipt.protocol) == (step, tried, "")
    assert receipt.tried[0].outcome == "refused"


class Reading(TlsServer):
    """Reads the first byte of a request and no more."""

    done = threading.Event()

    def _talk(self, secure, visit) -> None:
        secure.recv(1)
        self.done.wait(60)


class Resetting(TlsServer):
    """Resets a connection as soon as the request begins to come."""

    def _talk(self, secure, visit) -> None:
        secure.recv(1)
        secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_request_that_nobody_reads_brings_the_receipt_of_its_connection(adapter, server_context) -> None:
    """The time-out comes while we write: no answer was waited for."""
    server = Reading(server_context())
    calls = adapter(server)
    try:
        with pytest.raises(TimedOutError, match="did not take the whole of our request") as late:
            calls.send("POST", bytes(16_000_000), connect=2.0)
    finally:
        server.done.set()
        server.close()

    assert (late.value.receipt.failed, len(late.value.receipt.sent)) == ("read", 2)
    assert calls.receipts() == (late.value.receipt,)


def test_a_request_that_is_reset_while_it_is_sent_brings_its_receipt(adapter, server_context) -> None:
    """Whether the reset is met in writing or in reading, which is a matter of chance, the answer is looked for."""
    server = Resetting(server_context())
    try:
        calls = adapter(server)
        for number in range(10):
            with pytest.raises(UnreachableError) as broken:
                calls.send("POST", bytes(4_000_000))
            assert broken.value.receipt.failed == "read"
            assert len(broken.value.receipt.sent) == 2
            assert calls.receipts()[number] == broken.value.receipt
    finally:
        server.close()


def test_what_cannot_be_a_name_is_a_fault_of_the_call(session) -> None:
    """A label of more than 63 characters: no resolver is asked, and nothing is repeated."""
    target = SimpleNamespace(url=f"https://{'a' * 64}.test")
    with session(target) as calls, pytest.raises(ConfigurationError, match="cannot be sent"):
        calls.get(target.url)


def test_a_connection_that_is_closed_already_needs_no_quiet(pki, serve) -> None:
    """A server may close with its answer, before the connection could move to the context that watches nothing."""
    server = serve()
    context = build_context(pki.identity(), pki.anchor)
    secure = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="localhost")
    secure.close()
    secure.hush()

    assert secure.context is context


def test_an_answer_that_does_not_come_brings_the_receipt_of_its_connection(adapter, serve) -> None:
    """The handshake was good, and the receipt says that the failure came after it."""
    waiting = threading.Event()
    calls = adapter(serve(answer=lambda _: waiting.wait(60) and OK))

    with pytest.raises(TimedOutError) as late:
        calls.send(read=0.2)
    waiting.set()

    assert (late.value.receipt.failed, late.value.receipt.protocol) == ("read", "TLSv1.3")


def test_through_a_proxy_the_receipt_names_both(adapter, serve, proxy) -> None:
    """The address is the proxy's; a proxy that opens no tunnel is where it broke."""
    server = serve()
    opening, refusing = proxy(), proxy("403 Forbidden")
    calls = adapter(server)

    calls.send(proxy=opening.url).close()
    with pytest.raises(TransportError) as refused:
        calls.send(proxy=refusing.url)

    good, bad = calls.receipts()
    assert (good.host, good.port, good.proxy) == ("localhost", server.port, f"127.0.0.1:{opening.port}")
    assert (bad.failed, bad.proxy, refused.value.receipt) == ("proxy", f"127.0.0.1:{refusing.port}", bad)


class AskingLater(TlsServer):
    """Asks for the certificate after the handshake, at the n-th request, and tells whether it came."""

    asks_at = 1

    def _talk(self, secure, visit) -> None:
        while secure.recv(65536):  # a small request comes in one piece
            visit.requests.append(b"")
            if len(visit.requests) == self.asks_at:
                secure.verify_client_post_handshake()
                secure.do_handshake()
                secure.settimeout(0.01)
                until(lambda: _has_certificate(secure))
                secure.settimeout(60)
                visit.chain.append("came")
            secure.sendall(OK)


def _has_certificate(secure: ssl.SSLSocket) -> bool:
    """Read what the client sends meanwhile, which is no request."""
    with contextlib.suppress(TimeoutError):
        secure.recv(1)
    return bool(secure.getpeercert())


@pytest.mark.parametrize("asks_at", [1, 2])
def test_a_certificate_that_is_asked_for_after_the_handshake_is_sent_and_noted(
    session, server_context, asks_at
) -> None:
    """Seen when the first request asks; a later one finds the certificate too, though nobody watches any more."""
    context = server_context(version=ssl.TLSVersion.TLSv1_3)
    context.post_handshake_auth = True
    server = AskingLater(context)
    server.asks_at = asks_at
    try:
        with session(server) as calls:
            for _ in range(asks_at):
                calls.get(server.url)
            (receipt,) = calls.receipts
    finally:
        server.close()

    assert server.visits[0].chain == ["came"]
    assert receipt.late_request is (asks_at == 1)
    assert len(receipt.sent or ()) == (2 if asks_at == 1 else 0)


def test_nothing_is_watched_any_more_once_the_first_answer_has_come(session, serve, monkeypatch) -> None:
    """Watching each message of long bodies costs a tenth of the throughput."""
    server = serve()
    heard: list[str] = []
    true_watch = Transcript.watch

    def counting(self, *message) -> None:
        heard.append("message")
        true_watch(self, *message)

    monkeypatch.setattr(Transcript, "watch", counting)
    with session(server) as calls:
        calls.get(server.url)
        after_first = len(heard)
        calls.get(server.url)

    assert 0 < after_first == len(heard)


def test_threads_that_share_a_context_get_their_own_receipts(pki, serve, foreign) -> None:
    """Good and bad servers at once: each receipt holds what its own connection showed."""
    good, bad = serve(), serve(foreign.server(), required=False)
    calls = SessionFactory(pki.identity(), pki.anchor).session(good.url, bad.url)
    odd: list[HandshakeReceipt | None] = []

    def ask(server) -> None:
        for _ in range(10):
            try:
                calls.get(server.url, headers={"Connection": "close"})
            except ServerNotTrustedError as error:
                if error.receipt is None or error.receipt.root or error.receipt.alert_sent != "unknown_ca":
                    odd.append(error.receipt)

    threads = [threading.Thread(target=ask, args=(server,)) for server in (good, bad) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert odd == []
    assert all(one.alert_sent == "" for one in calls.receipts if one.port == good.port)
    assert sum(one.port == bad.port for one in calls.receipts) == 20
    calls.close()


def test_receipts_are_bounded() -> None:
    """A session that connects for months keeps the last 64."""
    kept = Receipts()
    for port in range(100):
        kept.add(HandshakeReceipt(host="h", port=port))

    assert [one.port for one in kept.all()] == list(range(36, 100))


def test_where_messages_cannot_be_seen_a_connection_that_reads_first_stands_in(
    adapter, serve, leaf_only, monkeypatch
) -> None:
    """`_msg_callback` is private: without it a receipt says so, and holds what Python tells publicly."""
    monkeypatch.setattr(contexts, "HEARS", False)
    monkeypatch.setattr(adapters, "HEARS", False)
    server = serve()
    good = adapter(server)
    good.send().close()
    with pytest.raises(ClientRejectedError) as refused:
        adapter(server, leaf_only).send()

    (receipt,) = good.receipts()
    assert (receipt.source, receipt.protocol, receipt.sent, len(receipt.received)) == ("loaded", "TLSv1.3", None, 2)
    assert (refused.value.receipt.source, refused.value.receipt.failed) == ("loaded", "read")
    assert "could not be read" in str(receipt)
