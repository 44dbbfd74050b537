"""Bare TLS servers and CONNECT proxies that tell what they received, as fixtures for every test."""

from __future__ import annotations

import _ssl
import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.simulator.pki import SimulatorPki
from ror_sante.tls.adapter import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ror_sante.simulator.pki import Issued

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def names(chain: list[bytes]) -> list[str]:
    """CNs of DER certificates."""
    found = []
    for der in chain:
        subject = x509.load_der_x509_certificate(der).subject
        found.append(str(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value))
    return found


@dataclass
class Visit:
    """One connection, as the server saw it."""

    version: str = ""
    chain: list[str] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    error: str = ""
    resumed: bool = False


class TlsServer:
    """A threaded server on loopback; `answer` maps a request to the bytes sent back."""

    def __init__(self, context: ssl.SSLContext | None, answer: Callable[[bytes], bytes] = lambda _: OK) -> None:
        self.context = context
        self.answer = answer
        self.visits: list[Visit] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.origin = Origin("localhost", self.port)
        self.url = f"https://localhost:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        visit = Visit()
        self.visits.append(visit)
        plain.settimeout(10)
        with contextlib.closing(plain):
            try:
                secure = self.context.wrap_socket(plain, server_side=True) if self.context else plain
            except OSError as error:
                visit.error = str(error)
                return
            with contextlib.closing(secure), contextlib.suppress(OSError):
                self._talk(secure, visit)

    def _talk(self, secure: socket.socket, visit: Visit) -> None:
        if isinstance(secure, ssl.SSLSocket):
            visit.version = secure.version() or ""
            chain = [item.public_bytes(_ssl.ENCODING_DER) for item in secure._sslobj.get_unverified_chain() or ()]
            leaf = secure.getpeercert(binary_form=True)  # all that a resumed session knows of the client
            visit.chain = names(chain or [leaf] if leaf else [])
            visit.resumed = bool(secure.session_reused)
        while request := _request(secure):
            visit.requests.append(request)
            secure.sendall(self.answer(request))

    def received(self) -> list[bytes]:
        """Every request, whatever the connection."""
        return [request for visit in self.visits for request in visit.requests]

    def close(self) -> None:
        """Stop listening, at once: a thread that waits in accept() would take one connection more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _request(secure: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = secure.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


class ConnectProxy:
    """A CONNECT proxy on loopback; `status` is what it answers, `heads` what it was asked."""

    def __init__(self, status: str = "200 Connection established") -> None:
        self.status = status
        self.heads: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.closing(client), contextlib.suppress(OSError):
            head = _request(client).decode("latin-1")
            self.heads.append(head)
            client.sendall(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
            if not self.status.startswith("200"):
                return
            port = int(head.split(" ")[1].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as upstream:
                back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
                back.start()
                _pump(client, upstream)
                back.join(5)

    def close(self) -> None:
        """Stop listening, at once: a thread that waits in accept() would take one connection more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="session")
def pki() -> SimulatorPki:
    """A throw-away PKI shaped like IGC-Santé."""
    return SimulatorPki.create()


@pytest.fixture(scope="session")
def foreign(pki: SimulatorPki) -> SimulatorPki:
    """Another PKI, with the same names and other keys."""
    return pki.twin


@pytest.fixture(scope="session")
def server_context(tmp_path_factory: pytest.TempPathFactory, pki: SimulatorPki) -> Callable[..., ssl.SSLContext]:
    """Make a server context: which certificate, which client root, which TLS version, which CRL."""

    def make(
        issued: Issued | None = None,
        *,
        chain: bool = True,
        root: SimulatorPki | None = pki,
        required: bool = True,
        version: ssl.TLSVersion | None = None,
        crl: bytes = b"",
    ) -> ssl.SSLContext:
        issued = issued or pki.server()
        folder: Path = tmp_path_factory.mktemp("server")
        pem = issued.pem_chain() if chain else issued.certificate.public_bytes(Encoding.PEM)
        (folder / "chain.pem").write_bytes(pem)
        (folder / "key.pem").write_bytes(issued.key_pem())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if root is not None:
            context.load_verify_locations(cadata=root.anchor.der)
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        if crl:
            (folder / "crl.pem").write_bytes(crl)
            context.load_verify_locations(cafile=folder / "crl.pem")
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        return context

    return make


@pytest.fixture
def serve(server_context: Callable[..., ssl.SSLContext]) -> Iterator[Callable[..., TlsServer]]:
    """Start a server; the arguments are those of `server_context`, plus the answer it gives."""
    started: list[TlsServer] = []

    def start(
        issued: Issued | None = None, *, answer: Callable[[bytes], bytes] = lambda _: OK, **how: object
    ) -> TlsServer:
        started.append(TlsServer(server_context(issued, **how), answer))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def plain_server() -> Iterator[Callable[[Callable[[bytes], bytes]], TlsServer]]:
    """Start a server that speaks no TLS."""
    started: list[TlsServer] = []

    def start(answer: Callable[[bytes], bytes] = lambda _: OK) -> TlsServer:
        started.append(TlsServer(None, answer))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def proxy() -> Iterator[Callable[..., ConnectProxy]]:
    """Start a CONNECT proxy."""
    started: list[ConnectProxy] = []

    def start(status: str = "200 Connection established") -> ConnectProxy:
        started.append(ConnectProxy(status))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls12", "tls13"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    """Each of the two TLS versions in turn."""
    chosen: ssl.TLSVersion = request.param
    return chosen
