"""Walk to a server step by step, name, connection, handshake, and tell how far one gets."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.errors import RorError, TimedOutError, TransportError, UnreachableError, printable
from ror_sante.tls.context import build_context
from ror_sante.tls.faults import known, refused_by_proxy, rejected, translate
from ror_sante.tls.receipt import HandshakeReceipt
from ror_sante.tls.wire import Transcript, common_names

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from cryptography import x509

    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.tls.adapter import Origin
    from ror_sante.tls.context import SealedContext

Step = Literal["dns", "tcp", "proxy", "tls", "read"]

# How long to listen for a late refusal: TLS 1.3 servers judge our certificate after the handshake.
_LISTEN: Final = 0.3
_PROXY_HEAD: Final = 65536


@dataclass(frozen=True)
class Via:
    """The proxy on the way of a probe.

    Attributes:
        host: its name.
        port: its port.
        authorization: the ``Proxy-Authorization`` value, or nothing; never shown.
    """

    host: str
    port: int
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True)
class Probe:
    """How far a connection got. Times are in seconds; None means that the step was not reached.

    Attributes:
        addresses: what the name resolved to (the proxy's name, when there is one).
        peer: the address that was connected to.
        dns_seconds: time to resolve.
        tcp_seconds: time to connect.
        tls_seconds: time of the handshake.
        version: ``TLSv1.2`` or ``TLSv1.3``.
        cipher: the cipher suite.
        received: CNs of the certificates the server sent, leaf first.
        requested: whether the server asked for a client certificate; None when that could not be seen.
        pushed: CNs of the certificates we sent, or, when the wire could not be read, of those that were loaded.
        source: where `pushed` comes from.
        failed: the step that failed, or None.
        error: why.
        receipt: what was seen of the handshake, the certificates themselves among it.
    """

    addresses: tuple[str, ...] = ()
    peer: str = ""
    dns_seconds: float | None = None
    tcp_seconds: float | None = None
    tls_seconds: float | None = None
    version: str = ""
    cipher: str = ""
    received: tuple[str, ...] = ()
    requested: bool | None = None
    pushed: tuple[str, ...] = ()
    source: Literal["wire", "loaded"] = "wire"
    failed: Step | None = None
    error: RorError | None = None
    receipt: HandshakeReceipt | None = None


def probe(
    origin: Origin,
    identity: ClientIdentity | None,
    anchors: Iterable[TrustAnchor],
    *,
    via: Via | None = None,
    timeout: float = 5.0,
    lend: Iterable[x509.Certificate] = (),
    wide_tls12: bool = False,
) -> Probe:
    """Resolve, connect, shake hands, and listen for a refusal; send no request.

    Args:
        origin: the server.
        identity: what we present, or None.
        anchors: the roots the server's chain must end at.
        via: the proxy to go through, by CONNECT.
        timeout: limit of each step, in seconds.
        lend: see `build_context`.
        wide_tls12: see `build_context`.

    Returns:
        How far it got; nothing is raised for a server that fails.
    """
    walk = _Walk(origin, via, timeout)
    transcript = Transcript()
    context = build_context(identity, anchors, lend=lend, wide_tls12=wide_tls12, watch=transcript.watch)
    with contextlib.suppress(_StoppedError), contextlib.ExitStack() as stack:
        plain = stack.enter_context(walk.connect(walk.resolve()))
        walk.tunnel(plain)
        walk.shake(stack, plain, context, transcript)
    return _with_receipt(_told(walk.seen, identity, transcript), origin, transcript)


class _StoppedError(Exception):
    """A step failed; the probe already holds why."""


class _Walk:
    """One probe on its way."""

    def __init__(self, origin: Origin, via: Via | None, timeout: float) -> None:
        self.origin = origin
        self.via = via
        self.timeout = timeout
        self.seen = Probe()

    @property
    def next_hop(self) -> tuple[str, int]:
        return (self.via.host, self.via.port) if self.via else (self.origin.host, self.origin.port)

    def stop(self, step: Step, error: RorError) -> _StoppedError:
        self.seen = replace(self.seen, failed=step, error=error)
        return _StoppedError()

    def resolve(self) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
        host, port = self.next_hop
        start = time.perf_counter()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self.stop("dns", _unresolved(host, error)) from error
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        self.seen = replace(self.seen, addresses=addresses, dns_seconds=time.perf_counter() - start)
        return [(entry[0], entry[4]) for entry in found]

    def connect(self, found: list[tuple[socket.AddressFamily, tuple[object, ...]]]) -> socket.socket:
        start = time.perf_counter()
        last: OSError = OSError("no address")
        for family, address in found:
            plain = socket.socket(family, socket.SOCK_STREAM)
            plain.settimeout(self.timeout)
            try:
                plain.connect(address)
            except OSError as error:
                plain.close()
                last = error
                continue
            self.seen = replace(self.seen, peer=str(address[0]), tcp_seconds=time.perf_counter() - start)
            return plain
        raise self.stop("tcp", _unconnected(*self.next_hop, last)) from last

    def tunnel(self, plain: socket.socket) -> None:
        if self.via is None:
            return
        try:
            _open_tunnel(plain, self.origin, self.via)
        except RorError as error:
            raise self.stop("proxy", error) from error
        except OSError as error:
            proxy = f"http://{self.via.host}:{self.via.port}"
            raise self.stop("proxy", translate(error, url=proxy)) from error

    def shake(
        self, stack: contextlib.ExitStack, plain: socket.socket, context: SealedContext, seen: Transcript
    ) -> None:
        start = time.perf_counter()
        step: Step = "tls"
        try:
            secure = stack.enter_context(context.wrap_socket(plain, server_hostname=self.origin.host))
            cipher = secure.cipher() or ("", "", 0)
            self.seen = replace(
                self.seen,
                tls_seconds=time.perf_counter() - start,
                version=secure.version() or "",
                cipher=cipher[0],
            )
            step = "read"
            _listen(secure)
        except OSError as error:
            fault = rejected(seen.alert, str(self.origin)) if seen.alert else translate(error, url=str(self.origin))
            raise self.stop(step, fault) from error


def _listen(secure: ssl.SSLSocket) -> None:
    """Read once: a refusal under TLS 1.3 arrives after the handshake; a server that accepts us stays silent."""
    secure.settimeout(_LISTEN)
    with contextlib.suppress(TimeoutError):
        if not secure.recv(1):
            raise ConnectionResetError(104, "closed right after the handshake")


def _open_tunnel(plain: socket.socket, origin: Origin, via: Via) -> None:
    target = str(origin).removeprefix("https://")
    target = target if target.rpartition(":")[2].isdigit() else f"{target}:{origin.port}"
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    if via.authorization:
        head += f"Proxy-Authorization: {via.authorization}\r\n"
    plain.sendall(head.encode("ascii") + b"\r\n")
    status = _status_line(plain)
    if " 200" not in status[:16]:
        proxy = f"http://{via.host}:{via.port}"
        raise refused_by_proxy(printable(status[9:], 60), host=str(origin), proxy=proxy)


def _status_line(plain: socket.socket) -> str:
    """Read the proxy's answer head, byte by byte so that nothing of the TLS that follows is taken."""
    head, until = b"", time.monotonic() + (plain.gettimeout() or 0.0)
    while not head.endswith(b"\r\n\r\n"):
        if time.monotonic() > until:  # the socket's own time-out begins anew with each byte
            raise TimeoutError("the proxy's answer did not come within the time limit")
        piece = plain.recv(1)
        if not piece or len(head) > _PROXY_HEAD:
            raise ConnectionResetError(104, "the proxy's answer ends too early or never")
        head += piece
    return head.split(b"\r\n", 1)[0].decode("latin-1")


def _unresolved(host: str, error: Exception) -> RorError:
    reason = printable(getattr(error, "strerror", None) or error, 100)
    unresolved = UnreachableError(
        f"the name {printable(host)} cannot be resolved: {reason}",
        hint="Check the spelling and this machine's DNS; some networks resolve outside names only by their proxy.",
    )
    return known("dns", unresolved)


def _unconnected(host: str, port: int, error: OSError) -> RorError:
    where = f"{printable(host)}:{port}"
    if isinstance(error, TimeoutError):
        late = TimedOutError(
            f"no connection to {where} within the time limit",
            hint="A firewall drops it without a word, or the service is down.",
        )
        return known("connect-time", late)
    refused = UnreachableError(
        f"no connection to {where}: {printable(error.strerror or error, 100)}",
        hint="Check host and port, the route and the firewall; a proxy is used only when it is named.",
    )
    return known("refused" if isinstance(error, ConnectionRefusedError) else "no-route", refused)


def _told(seen: Probe, identity: ClientIdentity | None, transcript: Transcript) -> Probe:
    """Add what the wire showed; where it could not be read, what was loaded."""
    loaded = (
        common_names(tuple(certificate.public_bytes(Encoding.DER) for certificate in identity.chain))
        if identity
        else ()
    )
    blind = transcript.broken or (bool(seen.version) and not transcript.received)
    if blind:
        return replace(seen, pushed=loaded, source="loaded")
    return replace(
        seen,
        received=common_names(transcript.received),
        requested=transcript.requested if seen.version or transcript.received else None,
        pushed=common_names(transcript.sent or ()),
    )


def _with_receipt(seen: Probe, origin: Origin, transcript: Transcript) -> Probe:
    """Write the receipt, and give it to the error too."""
    receipt = HandshakeReceipt(
        host=origin.host,
        port=origin.port,
        peer=seen.peer,
        protocol=seen.version,
        cipher=seen.cipher,
        requested=seen.requested,
        sent=transcript.sent,
        received=transcript.received,
        alert=transcript.alert,
        failed=seen.failed or "",
        source="probe" if seen.source == "wire" else "loaded",
        dns_seconds=seen.dns_seconds,
        tcp_seconds=seen.tcp_seconds,
        tls_seconds=seen.tls_seconds,
    )
    if isinstance(seen.error, TransportError):
        seen.error.receipt = receipt
    return replace(seen, receipt=receipt)
