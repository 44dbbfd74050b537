"""An HTTPS server on loopback that keeps connections alive and lets no broken client disturb another."""

from __future__ import annotations

import contextlib
import errno
import logging
import secrets
import select
import socket
import socketserver
import ssl
import struct
import threading
from email.utils import format_datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.messages import HTML, Call, Delivery, Peer, Reply, outcome
from ror_sante.simulator.peers import ask_for_certificate, peer_of

try:
    from pytest_httpserver.httpserver import HTTPServerBase
    from werkzeug import Request, Response
    from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
except ModuleNotFoundError as missing:
    raise ConfigurationError(
        "the simulator needs the extra 'testing', which is not installed", hint="pip install 'ror-sante[testing]'"
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
PATIENCE: Final = 30.0  # seconds that a silent client keeps its thread
_POLL: Final = 0.02  # seconds until a stop is noticed
_LINGER: Final = 0.2  # seconds that a refused client has to read why
_BODY_LIMIT: Final = 1 << 20  # bytes of a request; no client of the ROR sends more than a form or a small patch
_JOIN: Final = 0.05  # seconds that a stop waits for each answer under way
_PEER: Final = "ror_sante.peer"
_DELIVERY: Final = "ror_sante.delivery"
_PLAIN_HTTP: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain;charset=UTF-8\r\nConnection: close\r\n"
    b"Content-Length: 56\r\n\r\nThis port speaks https: write https:// in the address.\r\n"
)


class Listener(HTTPServerBase):
    """One port with its TLS context; what is answered there is a function.

    Built on pytest-httpserver's base, with its own start: the stock server shakes hands while it accepts, so that
    one stalled client stops everybody, closes every connection after one answer, and keeps every request.

    Args:
        context: TLS of this port.
        answer: gives the reply to a call; called in one thread a connection.
        now: the time for the ``Date`` header.
        port: 0 takes a free one.
        patience: seconds that a client may be silent, in the handshake or between two requests.
        asks: tells whether a path asks for a certificate after the handshake; its TLS must allow that.
        away: tells how many seconds a path is away: its answer is made after that time.
        met: called with the peer after each handshake.
        refused: called with OpenSSL's reason after each handshake that failed.
    """

    server: _Server | None
    server_thread: threading.Thread | None

    def __init__(
        self,
        context: ssl.SSLContext,
        answer: Callable[[Call], Reply],
        *,
        now: Callable[[], datetime],
        port: int = 0,
        patience: float = PATIENCE,
        asks: Callable[[str], bool] = lambda _: False,
        away: Callable[[str], float] = lambda _: 0.0,
        met: Callable[[Peer], None] = lambda _: None,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        context.sslsocket_class = _Connection
        super().__init__(LOOPBACK, port, context, threaded=True)
        self.answer = answer
        self.now = now
        self.patience = patience
        self.asks = asks
        self.away = away
        self.met = met
        self.refused = refused

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port is taken, or not ours to take.
        """
        self.server = _Server(self)
        self.port = self.server.port
        self.server_thread = threading.Thread(
            target=self.thread_target, name=f"ror-sante-simulator-{self.port}", daemon=True
        )
        self.server_thread.start()

    def thread_target(self) -> None:
        """Serve until told to stop."""
        assert self.server is not None  # noqa: S101  for the type checker: start() has just set it
        self.server.serve_forever(poll_interval=_POLL)

    def stop(self) -> None:
        """Close the port and every connection."""
        server = self.server
        assert server is not None  # noqa: S101  for the type checker: only a running listener is stopped
        server.stopping.set()
        super().stop()
        server.close_connections()

    def application(self, request: Request) -> Response:
        """Answer without keeping the request, as the parent does for ever."""
        return self.dispatch(request)

    def dispatch(self, request: Request) -> Response:
        """Turn Werkzeug's request into a `Call`, and the `Reply` into Werkzeug's response."""
        call = Call(
            method=request.method,
            path=request.path,
            query=request.query_string.decode("latin-1"),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.get_data(),
            peer=request.environ[_PEER],
        )
        try:
            reply = self.answer(call)
            payload = reply.payload
        except Exception:
            if self.is_running():  # who is overtaken by stop() gets no answer, and that is no failure
                log.exception("the simulator failed on %s %s", call.method, call.path)
            reply = outcome(500, "exception", "Le simulateur a échoué : voir le journal du processus.")
            payload = reply.payload
        request.environ[_DELIVERY](reply.delivery)
        return Response(payload, reply.status, [("Content-Type", reply.media_type), *reply.headers])


class _Connection(ssl.SSLSocket):
    """A TLS socket that can be made even when the client is already gone."""

    def getpeername(self) -> Any:
        """Give the client's address, or a blank: the parent's constructor asks, and leaks the socket if this raises."""
        try:
            return super().getpeername()
        except OSError:
            return ("", 0)


class _Server(ThreadedWSGIServer):
    """Werkzeug's server, except that each connection shakes hands in a thread of its own."""

    allow_reuse_port = False
    ssl_context: ssl.SSLContext | None

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.stopping = threading.Event()
        self._open: dict[ssl.SSLSocket, threading.Thread] = {}
        self._lock = threading.Lock()
        application = Request.application(listener.application)
        super().__init__(listener.host, listener.port, application, _Handler)
        self.ssl_context = listener.ssl_context

    def server_bind(self) -> None:
        """Bind, without the look-up of our own name in the DNS that the parent does."""
        with self._port_errors():
            socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.socket.getsockname()[1]

    def server_activate(self) -> None:
        """Listen."""
        with self._port_errors():
            super().server_activate()

    @contextlib.contextmanager
    def _port_errors(self) -> Any:
        try:
            yield
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "is already taken by another program" if taken else f"cannot be used ({error.strerror})"
            raise ConfigurationError(
                f"port {self.port} of {self.host} {why}",
                hint="Name another port, or 0 for one that is free; `ss -ltnp` or `lsof -i` shows who holds it.",
            ) from error

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then serve the connection until one side closes it."""
        request.settimeout(self.listener.patience)
        context = self.listener.ssl_context
        assert context is not None  # noqa: S101  for the type checker: every listener has one
        with contextlib.suppress(OSError):  # a client that left in the middle of something
            secure = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
            with self._registered(secure):
                if not self.stopping.is_set() and self._shaken(secure):
                    _Handler(secure, client_address, self)

    @contextlib.contextmanager
    def _registered(self, connection: ssl.SSLSocket) -> Any:
        """Know the connection while it is open, so that a stop ends it."""
        with self._lock:
            self._open[connection] = threading.current_thread()
        try:
            yield
        finally:
            with self._lock:
                del self._open[connection]
            _hang_up(connection)

    def _shaken(self, secure: ssl.SSLSocket) -> bool:
        try:
            secure.do_handshake()
        except OSError as error:  # ssl.SSLError is one
            reason = getattr(error, "reason", None) or type(error).__name__
            self.listener.refused(str(reason))
            _explain(secure, plain_http=reason == "HTTP_REQUEST")
            return False
        return True

    def close_connections(self) -> None:
        """End every open connection, and wait a moment for their threads."""
        with self._lock:
            still_open = dict(self._open)
        for connection, thread in still_open.items():
            with contextlib.suppress(OSError):
                socket.socket.shutdown(
                    connection, socket.SHUT_RDWR
                )  # ssl's own would drop the TLS state under a reader
            thread.join(_JOIN)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what a broken client did off the terminal."""
        log.debug("a connection of the simulator ended badly", exc_info=True)  # noqa: LOG014  called in an except clause


def _explain(secure: ssl.SSLSocket, *, plain_http: bool) -> None:
    """Leave a refused client time to read why: to close at once would overtake the alert with a reset."""
    with contextlib.suppress(OSError):
        if plain_http:
            socket.socket.sendall(secure, _PLAIN_HTTP)
        socket.socket.shutdown(secure, socket.SHUT_WR)
        secure.settimeout(_LINGER)
        for _ in range(16):
            if not socket.socket.recv(secure, 65536):
                break


def _hang_up(connection: ssl.SSLSocket) -> None:
    with contextlib.suppress(OSError, ValueError):
        connection.settimeout(0)
        connection.unwrap()  # says close_notify, and does not wait for the other side's
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_WR)
    connection.close()


class _Handler(WSGIRequestHandler):
    """Werkzeug's handler, except that it keeps the connection: it reads what was announced and no byte more."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together
    server: _Server
    peer: Peer

    def setup(self) -> None:
        """See who is there."""
        super().setup()
        self.peer = peer_of(self.connection)
        self.server.listener.met(self.peer)

    def version_string(self) -> str:
        """Name the server as what it is."""
        return "ror-sante-simulator"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  the parent's name
        """Write no access log: the simulator keeps its own list."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Write the simulator's time."""
        return format_datetime(self.server.listener.now(), usegmt=True)

    def handle_expect_100(self) -> bool:
        """Say "go on" at once: the buffer would keep it."""
        good = super().handle_expect_100()
        self.wfile.flush()
        return good

    def run_wsgi(self) -> None:
        """Answer one request."""
        try:
            environ = self.make_environ()
            body = self._body()
        except ValueError:  # an address or a length that nobody can read
            return self._refuse(400)
        if isinstance(body, int):
            return self._refuse(body)
        if self.server.listener.asks(environ["PATH_INFO"]) and not self.peer.subject_dn:
            self._ask_for_certificate()
        if not self._waited(self.server.listener.away(environ["PATH_INFO"])):
            self.close_connection = True
            return None
        environ["wsgi.input"] = BytesIO(body)
        environ[_PEER] = self.peer
        deliveries: list[Delivery] = []
        environ[_DELIVERY] = deliveries.append
        response = Response.from_app(self.server.app, environ, buffered=True)
        return self._deliver(response, deliveries[0])

    def _waited(self, seconds: float) -> bool:
        """Wait before anything is made, as for a server that is far; tell whether the client is still there."""
        if not seconds:
            return True
        # A client that waits for its answer sends nothing: what can be read is its good-bye.
        return not self.server.stopping.wait(seconds) and not select.select([self.connection], [], [], 0)[0]

    def _body(self) -> bytes | int:
        """Read the body that was announced, or give the status that refuses it."""
        if "Transfer-Encoding" in self.headers:
            return 411
        length = int(self.headers.get("Content-Length") or "0")
        if not 0 <= length <= _BODY_LIMIT:
            return 413 if length > 0 else 400
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the client left in the middle of its request")
        return body

    def _ask_for_certificate(self) -> None:
        listener = self.server.listener
        try:
            self.peer = ask_for_certificate(self.connection, listener.patience)
        except OSError as error:
            listener.refused(str(getattr(error, "reason", None) or type(error).__name__))
            raise
        listener.met(self.peer)

    def _refuse(self, status: int) -> None:
        self.close_connection = True  # what follows on this connection cannot be told apart from the body
        page = f"<html><body><h1>{status}</h1></body></html>".encode()
        headers = [("Content-Type", HTML), ("Content-Length", str(len(page)))]
        self._deliver(Response(page, status, headers), Delivery())

    def _deliver(self, response: Response, delivery: Delivery) -> None:
        stopping = self.server.stopping
        if delivery.wait and stopping.wait(delivery.wait):
            self.close_connection = True
            return
        if delivery.cut in ("silence", "reset"):
            self._break_off(reset=delivery.cut == "reset")
            return
        body = b"" if self.command == "HEAD" else response.get_data()
        if delivery.cut == "half":
            body = body[: len(body) // 2]
            self.close_connection = True
        self._head(response)
        if not delivery.pause:
            self.wfile.write(body)
            return
        for position in range(len(body)):
            self.wfile.write(body[position : position + 1])
            self.wfile.flush()
            if stopping.wait(delivery.pause):
                self.close_connection = True
                return

    def _head(self, response: Response) -> None:
        self.send_response_only(response.status_code)
        self.send_header("Server", self.version_string())
        if "Date" not in response.headers:
            self.send_header("Date", self.date_time_string())
        self.send_header("X-Request-ID", secrets.token_hex(8))
        for name, value in response.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _break_off(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # Linger on, for no time: the kernel sends RST in place of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
