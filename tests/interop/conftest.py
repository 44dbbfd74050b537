"""Front ends that trust the root only and require a client certificate, and identities to try on them."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ror_sante.http.generation import Generations
from ror_sante.http.holder import FixedIdentity
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import RorSession, SessionFactory, Timeouts
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.tls.adapter import Origin, PinnedAdapter
from ror_sante.tls.context import build_context
from tests.interop.frontends import FRONT_ENDS, KEYTOOL, OPENSSL, PLACES, pem, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.simulator.pki import Issued
    from tests.interop.frontends import Program, Running, Seen

REQUIRED = os.environ.get("REQUIRE_INTEROP") == "1"
DAY = timedelta(days=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server of the machine."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.interop)


# ------------------------------------------------------------------ certificates


@dataclass(frozen=True)
class Presented:
    """A key and a chain to send as they are: what `ClientIdentity` or `SessionFactory` would refuse to hold."""

    private_key: Any
    chain: tuple[x509.Certificate, ...]


class Identities:
    """The clients of these tests, by the flaw that each has."""

    def __init__(self, pki: SimulatorPki) -> None:
        self.pki = pki
        self.now = datetime.now(UTC)

    @cached_property
    def good(self) -> Issued:
        return self.pki.client()

    @cached_property
    def revoked(self) -> Issued:
        return self.pki.client()

    def flawed(self, flaw: str) -> Presented | None:
        """Give the identity with one flaw; None is the one that has no certificate."""
        if flaw == "none":
            return None
        issued = self._issued(flaw)
        return Presented(issued.key, issued.chain[:1] if flaw == "no-intermediate" else issued.chain)

    def _issued(self, flaw: str) -> Issued:
        match flaw:
            case "no-intermediate":
                return self.good
            case "expired":
                return self.pki.client(not_before=self.now - 30 * DAY, not_after=self.now - 2 * DAY)
            case "not-yet-valid":
                return self.pki.client(not_before=self.now + 10 * DAY, not_after=self.now + 30 * DAY)
            case "wrong-usage":
                return self.pki.client(usages=(x509.ExtendedKeyUsageOID.SERVER_AUTH,))
            case "other-authority":
                return self.pki.foreign.client()
            case "revoked":
                return self.revoked
        raise KeyError(flaw)


@pytest.fixture(scope="session")
def pki() -> SimulatorPki:
    """One throw-away PKI for all front ends."""
    return SimulatorPki.create()


@pytest.fixture(scope="session")
def identities(pki: SimulatorPki) -> Identities:
    """Good and bad clients."""
    return Identities(pki)


@pytest.fixture(scope="session")
def folder(pki: SimulatorPki, identities: Identities) -> Iterator[Path]:
    """A folder that a server's worker can cross, with every certificate of the configurations."""
    now = datetime.now(UTC)
    servers = {
        "server": pki.server(),
        "other-root": pki.foreign.server(),
        "wrong-host": pki.server("elsewhere.test"),
        "expired": pki.server(not_before=now - 30 * DAY, not_after=now - 2 * DAY),
    }
    with tempfile.TemporaryDirectory(prefix="ror-sante-interop-") as name:
        path = Path(name)
        path.chmod(0o755)  # pytest's own folders are closed to the user that a server works as
        (path / "root.pem").write_bytes(pki.root_pem())
        (path / "crl.pem").write_bytes(pki.crl(revoked=[identities.revoked]))
        for kind, issued in servers.items():
            _write(path / f"{kind}.pem", issued.pem_chain() + issued.key_pem())
        _write(path / "leaf-only.pem", pem([servers["server"].certificate]) + servers["server"].key_pem())
        _write(path / "box.pem", box_pem())
        yield path


def box_pem() -> bytes:
    """Make what a box that opens TLS shows: the host's name, signed by the box's own authority, and the key."""
    now, names = datetime.now(UTC), ("Zscaler Intermediate Root CA (zscalerthree.net)", "localhost")
    key, own = (rsa.generate_private_key(65537, 2048) for _ in names)
    issuer, subject = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in names)
    shown = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return pem([shown]) + own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(data)


# ------------------------------------------------------------------ servers


class _Echo(BaseHTTPRequestHandler):
    """Answers a GET with /echo/N bytes, and a POST with its own body."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"x" * int(self.path.rpartition("/")[2]))

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def upstream() -> Iterator[int]:
    """The port of the plain HTTP server behind the front ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(5)


def need(program: Program, *, required: bool = REQUIRED) -> str:
    """Give the path of a server program; without it skip the test, or fail it where the servers are required."""
    found = program.find()
    if found is not None:
        return found
    message = f"{program.name} is not installed (Debian: apt-get install {program.package})"
    if required:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def openssl() -> str:
    """The openssl program."""
    return need(OPENSSL)


@pytest.fixture(scope="session")
def keytool() -> str:
    """The program of Java that reads key stores."""
    return need(KEYTOOL)


class _FrontEnds:
    """Starts each front end when a test first wants it."""

    def __init__(self, folder: Path, upstream: int, stack: contextlib.ExitStack) -> None:
        self._where = (folder, upstream)
        self._stack = stack
        self._running: dict[str, Running] = {}

    def __getitem__(self, kind: str) -> Running:
        if kind not in self._running:
            need(FRONT_ENDS[kind].program)
            self._running[kind] = self._stack.enter_context(running(kind, *self._where))
        return self._running[kind]


@pytest.fixture(scope="session")
def front_ends(folder: Path, upstream: int) -> Iterator[_FrontEnds]:
    """The running front ends by name."""
    with contextlib.ExitStack() as stack:
        yield _FrontEnds(folder, upstream, stack)


@pytest.fixture(scope="session")
def nginx(front_ends: _FrontEnds) -> Running:
    """Real nginx, with flawed listeners as well."""
    return front_ends["nginx"]


@pytest.fixture(scope="session")
def apache(front_ends: _FrontEnds) -> Running:
    """Real Apache httpd, which asks for the certificate at the handshake or per path."""
    return front_ends["apache"]


@dataclass(frozen=True)
class Place:
    """One sound listener of one front end."""

    kind: str
    listener: str
    running: Running

    @property
    def url(self) -> str:
        return self.running.url(self.listener)

    @property
    def tls(self) -> str:
        return next(one.tls for one in self.running.front_end.listeners if one.name == self.listener)

    def seen(self, answer: requests.Response) -> Seen:
        return self.running.front_end.seen(answer)


@pytest.fixture(params=PLACES, ids="-".join)
def place(request: pytest.FixtureRequest, front_ends: _FrontEnds) -> Place:
    """Each front end, under each version of TLS."""
    kind, listener = request.param
    return Place(kind, listener, front_ends[kind])


# ------------------------------------------------------------------ clients


@pytest.fixture(scope="session")
def identity(pki: SimulatorPki, identities: Identities) -> ClientIdentity:
    """The good identity, opened once."""
    return pki.identity(identities.good)


@pytest.fixture
def factory(pki: SimulatorPki, identity: ClientIdentity) -> SessionFactory:
    """What an application would make: a good identity, the root as the only anchor; it has met no server yet."""
    return SessionFactory(identity, pki.anchor)


class Unjudged:
    """Makes sessions that present whatever they are told to, through our own context and adapter."""

    def __init__(self, pki: SimulatorPki, stack: contextlib.ExitStack) -> None:
        self._pki = pki
        self._stack = stack

    def __call__(self, identity: Presented | None, url: str, proxies: dict[str, str] | None = None) -> RorSession:
        context = build_context(identity, self._pki.anchor)  # type: ignore[arg-type]  # a stand-in that no judge has seen
        adapter = PinnedAdapter(context, [Origin.of(url)])
        connections = Generations(FixedIdentity(None), lambda _: adapter)
        session = RorSession(connections, retry=RetryPolicy(), timeout=Timeouts(), proxies=proxies or {})
        return self._stack.enter_context(session)


@pytest.fixture
def unjudged(pki: SimulatorPki) -> Iterator[Unjudged]:
    """Sessions whose identity nobody judged: only so can a flawed certificate reach a server."""
    with contextlib.ExitStack() as stack:
        yield Unjudged(pki, stack)


# ------------------------------------------------------------------ a proxy


class ConnectProxy:
    """A plain HTTP proxy that opens tunnels and remembers where to."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        target = head.split()[1].decode()
        self.targets.append(target)
        host, _, port = target.rpartition(":")
        with client, socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pour, args=(server, client), daemon=True)
            back.start()
            _pour(client, server)
            back.join(5)

    def close(self) -> None:
        self._listener.close()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other direction ended first
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def connect_proxy() -> Iterator[ConnectProxy]:
    """A CONNECT proxy on loopback."""
    proxy = ConnectProxy()
    yield proxy
    proxy.close()
