"""Walk to a server step by step, name, connection, handshake, and tell how far one gets."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.errors import RorError, TimedOutError, TransportError, UnreachableError, printable
from ror_sante.tls.connecting import first_of, resolve
from ror_sante.tls.context import build_context
from ror_sante.tls.faults import known, refused_by_proxy, rejected, translate
from ror_sante.tls.sighting import Sighting
from ror_sante.tls.sockets import DestinedSocket
from ror_sante.tls.wire import common_names

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterable

    from cryptography import x509

    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.tls.adapter import Origin
    from ror_sante.tls.context import SealedContext
    from ror_sante.tls.receipt import HandshakeReceipt, Step

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
    context = build_context(identity, anchors, lend=lend, wide_tls12=wide_tls12)
    loaded = tuple(one.public_bytes(Encoding.DER) for one in identity.chain) if identity else ()
    return _told(_walked(origin, context, via, timeout), common_names(loaded))


def read_first(origin: Origin, context: SealedContext, *, via: Via | None, timeout: float) -> HandshakeReceipt:
    """Make one more connection to a server that failed, and listen before any request is sent.

    Args:
        origin: the server.
        context: how it was spoken to.
        via: the proxy to go through.
        timeout: limit of each step, in seconds.

    Returns:
        What was seen of it.
    """
    walk = _walked(origin, context, via, timeout)
    return walk.sighting.receipt(failed=walk.error is not None, probe=True)


def _walked(origin: Origin, context: SealedContext, via: Via | None, timeout: float) -> _Walk:
    walk = _Walk(origin, via, timeout)
    with contextlib.suppress(_StoppedError), contextlib.ExitStack() as stack:
        plain = stack.enter_context(walk.connect(walk.resolve()))
        walk.tunnel(plain)
        walk.shake(stack, plain, context)
    return walk


class _StoppedError(Exception):
    """A step failed; the probe already holds why."""


class _Walk:
    """One probe on its way."""

    def __init__(self, origin: Origin, via: Via | None, timeout: float) -> None:
        self.origin = origin
        self.via = via
        self.timeout = timeout
        self.sighting = Sighting(origin.host, origin.port, proxy=f"{via.host}:{via.port}" if via else "")
        self.addresses: tuple[str, ...] = ()
        self.error: RorError | None = None

    @property
    def next_hop(self) -> tuple[str, int]:
        return (self.via.host, self.via.port) if self.via else (self.origin.host, self.origin.port)

    def stop(self, error: RorError) -> _StoppedError:
        self.error = error
        return _StoppedError()

    def resolve(self) -> list[Any]:
        host, port = self.next_hop
        try:
            found = resolve(host, port, self.sighting)
        except (OSError, UnicodeError) as error:
            raise self.stop(_unresolved(host, error)) from error
        self.addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        return found

    def connect(self, found: list[Any]) -> socket.socket:
        try:
            return first_of(found, self.sighting, timeout=self.timeout)
        except OSError as error:
            raise self.stop(_unconnected(*self.next_hop, error)) from error

    def tunnel(self, plain: socket.socket) -> None:
        if self.via is None:
            return
        try:
            _open_tunnel(plain, self.origin, self.via)
        except RorError as error:
            raise self.stop(error) from error
        except OSError as error:
            proxy = f"http://{self.via.host}:{self.via.port}"
            raise self.stop(translate(error, url=proxy)) from error

    def shake(self, stack: contextlib.ExitStack, plain: socket.socket, context: SealedContext) -> None:
        destined = DestinedSocket.taking(plain, self.origin.port, self.sighting)
        try:
            _listen(stack.enter_context(context.wrap_socket(destined, server_hostname=self.origin.host)))
        except OSError as error:
            alert = self.sighting.transcript.alert
            fault = rejected(alert, str(self.origin)) if alert else translate(error, url=str(self.origin))
            raise self.stop(fault) from error


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


def _told(walk: _Walk, loaded: tuple[str, ...]) -> Probe:
    """Tell how far it got, and give the receipt to the error too; where no message was seen, tell what was loaded."""
    receipt = walk.sighting.receipt(failed=walk.error is not None, probe=True)
    if isinstance(walk.error, TransportError):
        walk.error.receipt = receipt
    read = receipt.source == "probe"
    return Probe(
        addresses=walk.addresses,
        peer=receipt.peer,
        dns_seconds=receipt.dns_seconds,
        tcp_seconds=receipt.tcp_seconds,
        tls_seconds=receipt.tls_seconds,
        version=receipt.protocol,
        cipher=receipt.cipher,
        received=receipt.received_names,
        requested=receipt.requested,
        pushed=receipt.sent_names if read else loaded,
        source="wire" if read else "loaded",
        failed=receipt.failed or None,
        error=walk.error,
        receipt=receipt,
    )
