"""Every failure of ssl, urllib3 and requests has its place in our tree."""

from __future__ import annotations

import inspect
import pickle
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3

from ror_sante.errors import (
    ClientRejectedError,
    ConfigurationError,
    RorError,
    ServerNotTrustedError,
    TimedOutError,
    TransportError,
    UnexpectedResponseError,
    UnreachableError,
)
from ror_sante.tls import faults
from ror_sante.tls.adapter import Origin, PinnedAdapter
from ror_sante.tls.context import build_context
from ror_sante.tls.faults import translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = "https://host.test:8443/x?identifier=10001234567"
LIBRARIES = (requests.exceptions, urllib3.exceptions, ssl)


def classes() -> list[type[BaseException]]:
    """Every exception class that the three libraries define, warnings left out: those are never raised here."""
    found = {
        kind
        for module in LIBRARIES
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, BaseException)
        and not issubclass(kind, Warning)
        and kind.__module__ == module.__name__
    }
    return sorted(found, key=lambda kind: (kind.__module__, kind.__qualname__))


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_each_class_of_the_three_libraries_has_a_row(kind) -> None:
    """A class that a new release adds fails here until somebody has decided what it means."""
    assert f"{kind.__module__}.{kind.__qualname__}" in faults._ROWS


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__qualname__)
def test_each_class_becomes_an_error_with_advice(kind) -> None:
    """Whatever the class, one of ours comes out, with a hint, and it can be pickled."""
    error = kind.__new__(kind)
    fault = translate(error, url=URL)

    assert isinstance(fault, RorError)
    assert fault.hint
    assert "10001234567" not in str(fault)
    assert str(fault) == str(pickle.loads(pickle.dumps(fault)))


def test_an_error_of_ours_inside_comes_back_as_it_is() -> None:
    """What the socket said in our words is not translated a second time."""
    ours = ServerNotTrustedError("pinned")

    assert ours is translate(urllib3.exceptions.ProtocolError("x", ours), url=URL)


def test_causes_that_hold_one_another_do_not_loop() -> None:
    """A cycle of causes ends."""
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first

    assert isinstance(translate(first, url=URL), UnreachableError)


def test_each_error_is_also_the_matching_one_of_requests() -> None:
    """Code that catches requests' exceptions keeps working."""
    assert issubclass(ServerNotTrustedError, requests.exceptions.SSLError)
    assert issubclass(ClientRejectedError, requests.exceptions.SSLError)
    assert issubclass(UnreachableError, requests.exceptions.ConnectionError)
    assert issubclass(TimedOutError, requests.exceptions.Timeout)


@pytest.mark.parametrize("alert", sorted(faults.ALERTS))
def test_each_alert_keeps_its_name_and_has_advice(alert) -> None:
    """The alert stands in the message, for people, and in the attribute, for programs."""
    error = ssl.SSLError(1, "x")
    error.reason = f"SSLV3_ALERT_{alert.upper()}"
    fault = translate(error, url=URL)

    assert isinstance(fault, ClientRejectedError)
    assert (alert, False) == (fault.alert, fault.retryable)
    assert alert in str(fault)
    assert fault.hint


@pytest.mark.parametrize(
    ("reason", "kind", "retryable"),
    [
        ("TLSV1_ALERT_INTERNAL_ERROR", ClientRejectedError, False),
        ("DH_KEY_TOO_SMALL", ServerNotTrustedError, False),
        ("WRONG_VERSION_NUMBER", UnreachableError, False),
        ("SOMETHING_NEW", UnreachableError, True),
    ],
)
def test_other_reasons_of_openssl_have_a_place(reason, kind, retryable) -> None:
    """Refusals are final; what says nothing counts as a broken connection."""
    error = ssl.SSLError(1, "x")
    error.reason = reason
    fault = translate(error, url=URL)

    assert (kind, retryable) == (type(fault), fault.retryable)


def test_a_new_verify_code_is_told_in_openssls_words() -> None:
    """A code without a row of its own shows OpenSSL's text."""
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = 999, "some new trouble"

    assert "some new trouble" in str(translate(error, url=URL))


# ------------------------------------------------------------------ the real thing


@pytest.fixture
def call(pki) -> Iterator[Callable[..., RorError]]:
    """Send one request to a port and give the error it ends in."""
    adapters: list[PinnedAdapter] = []

    def call(port: int, host: str = "127.0.0.1", method: str = "GET", body: bytes = b"", **how) -> RorError:
        url = f"https://{host}:{port}/x"
        adapters.append(PinnedAdapter(build_context(pki.identity(), pki.anchor), [Origin.of(url)]))
        with pytest.raises(RorError) as caught:
            adapters[-1].send(requests.Request(method, url, data=body).prepare(), timeout=0.5, **how)
        return caught.value

    yield call
    for adapter in adapters:
        adapter.close()


@pytest.fixture
def listener() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Listen on a port and hand each connection to a function."""
    open_sockets: list[socket.socket] = []

    def start(serve: Callable[[socket.socket], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                open_sockets.append(connection)
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for one in open_sockets:
        one.close()


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset."""
    connection.recv(1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer_plain(connection: socket.socket) -> None:
    """Speak HTTP to whoever connects."""
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    connection.close()


def test_a_closed_port_was_never_sent_anything(call) -> None:
    """Connection refused: even a POST may be repeated."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = call(port)

    assert isinstance(error, UnreachableError)
    assert (error.unsent, error.retryable) == (True, True)
    assert f"127.0.0.1:{port}" in str(error)
    assert "onnection refused" in str(error)


def test_an_unknown_name_is_told_as_dns(call) -> None:
    """The name is in the message."""
    error = call(443, host="no-such-host.invalid")

    assert isinstance(error, TransportError)
    assert error.unsent
    assert "no-such-host.invalid" in str(error)
    assert "cannot be resolved" in str(error)


def test_a_silent_server_times_out_in_the_handshake(call, listener) -> None:
    """TCP accepted, TLS never answered: not a read time-out of the answer."""
    error = call(listener(lambda connection: None))

    assert isinstance(error, TimedOutError)
    assert error.unsent
    assert "during the TLS handshake" in str(error)


def test_a_server_that_never_answers_times_out_after_the_request(call, serve) -> None:
    """The request was sent, so a POST is not repeated."""
    server = serve(answer=lambda _: threading.Event().wait(2) or b"")
    error = call(server.port, host="localhost")

    assert isinstance(error, TimedOutError)
    assert not error.unsent
    assert "while we waited" in str(error)


def test_a_server_that_does_not_read_the_request_times_out_while_we_write(call, serve) -> None:
    """Its answer was never waited for; a body that fits what the kernels hold is sent, and the answer is waited for."""
    done = threading.Event()
    server = serve(answer=lambda _: bytes(not done.wait(60)))
    large, small = (call(server.port, host="localhost", method="POST", body=bytes(size)) for size in (64 << 20, 10))
    done.set()

    assert isinstance(large, TimedOutError)
    assert (large.fault, large.unsent, large.retryable) == ("write-time", False, True)
    assert "did not take the whole of our request" in str(large)
    assert "read_timeout" in large.hint
    assert (small.fault, small.unsent) == ("read-time", False)


def test_a_port_that_speaks_http_is_told(call, listener) -> None:
    """Not TLS; repeating changes nothing."""
    error = call(listener(answer_plain))

    assert isinstance(error, UnreachableError)
    assert not error.retryable
    assert "is not TLS" in str(error)


@pytest.mark.parametrize("how", [lambda c: c.close(), reset], ids=["closed", "reset"])
def test_a_peer_that_hangs_up_is_told_with_what_it_may_mean(call, listener, how) -> None:
    """No alert was seen: the hint names both causes."""
    error = call(listener(how))

    assert isinstance(error, UnreachableError)
    assert error.retryable
    assert "refuses our certificate" in error.hint


@pytest.mark.parametrize(
    "answer",
    [b"hello\r\n\r\n", b"HTTP/9.9 what\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"],
    ids=["no-http", "bad-status", "too-many-headers"],
)
def test_an_answer_that_is_no_http_is_told_as_such(call, serve, answer) -> None:
    """It was not the connection that failed: asking again would bring the same."""
    error = call(serve(answer=lambda _: answer).port, host="localhost")

    assert isinstance(error, UnexpectedResponseError)
    assert not error.retryable


READERS = [lambda response: response.content, lambda response: list(response.iter_content(10))]


@pytest.mark.parametrize("read", READERS, ids=["whole", "streamed"])
def test_a_body_that_breaks_off_is_told(serve, pki, read) -> None:
    """A response shorter than its Content-Length raises one of ours, streamed or not."""
    server = serve()
    server._talk = lambda secure, visit: (
        secure.recv(1000),
        secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    )
    adapter = PinnedAdapter(build_context(pki.identity(), pki.anchor), [server.origin])
    response = adapter.send(requests.Request("GET", server.url).prepare(), stream=True)
    with pytest.raises(UnreachableError, match="closed the connection"):
        read(response)
    adapter.close()


def test_a_body_that_cannot_be_decoded_is_told(serve, pki) -> None:
    """Gzip announced and not sent is an answer that cannot be read."""
    server = serve(answer=lambda _: b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")
    adapter = PinnedAdapter(build_context(pki.identity(), pki.anchor), [server.origin])
    response = adapter.send(requests.Request("GET", server.url).prepare(), stream=True)
    with pytest.raises(UnexpectedResponseError, match="cannot be read"):
        _ = response.content
    adapter.close()


@pytest.mark.parametrize(
    ("status", "says", "retryable"),
    [("407 Proxy Authentication Required", "asks for a password", False), ("502 Bad Gateway", "opens no tunnel", True)],
)
def test_a_proxy_that_refuses_is_named(call, serve, proxy, status, says, retryable) -> None:
    """The proxy is named, without credentials, and told apart from the server."""
    relay = proxy(status)
    error = call(serve().port, host="localhost", proxies={"https": relay.url})

    assert says in str(error)
    assert relay.url in str(error)
    assert (True, retryable) == (error.unsent, error.retryable)


def test_a_proxy_that_is_not_there_is_named(call, serve) -> None:
    """A wrong proxy address is not blamed on the server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    error = call(serve().port, host="localhost", proxies={"https": url})

    assert isinstance(error, UnreachableError)
    assert f"the proxy {url} cannot be used" in str(error)


def test_a_full_pool_is_told_after_the_read_limit(serve, pki) -> None:
    """A streamed response that is never closed holds its connection: the next caller is told, not hung."""
    server = serve()
    adapter = PinnedAdapter(build_context(pki.identity(), pki.anchor), [server.origin], pool_size=1)
    request = requests.Request("GET", server.url).prepare()
    held = adapter.send(request, stream=True)
    with pytest.raises(TimedOutError, match=r"every connection to .* is in use"):
        adapter.send(request, timeout=(1, 0.2))
    held.close()
    adapter.close()


@pytest.mark.parametrize(
    "url", ["http://host/", "https://", "https://a:b@host/", "https://host:99999/", "ftp://host/", "https://[::1", ""]
)
def test_what_is_no_origin_is_refused(url) -> None:
    """https, a host, no user name, a port that exists."""
    with pytest.raises(ConfigurationError):
        Origin.of(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://Host.Test/path?x=1", "https://host.test"),
        ("https://host:443/", "https://host"),
        ("https://host:8443", "https://host:8443"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_an_origin_is_shown_in_its_shortest_form(url, shown) -> None:
    """Case, the default port and the path do not matter."""
    assert shown == str(Origin.of(url))


def test_a_header_that_the_server_got_wrong_is_its_answer_and_not_our_call(call, serve) -> None:
    """Two lengths that differ; requests calls that InvalidHeader, as it calls a header of ours that cannot be sent."""
    server = serve()
    server.answer = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok"
    assert isinstance(call(server.port, host="localhost"), UnexpectedResponseError)
