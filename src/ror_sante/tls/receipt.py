"""What was seen of one connection and its handshake, as a plain value that prints, compares and pickles."""

from __future__ import annotations

import ipaddress
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from ror_sante.tls.wire import authority_names, common_names, is_self_issued, issuer_names

if TYPE_CHECKING:
    from collections.abc import Iterator

Step = Literal["dns", "tcp", "proxy", "tls", "read"]

_KEPT: Final = 64
_NAMED: Final = 5  # authorities that a line names; some servers list hundreds


class Attempt(NamedTuple):
    """One address that a connection was tried to.

    Attributes:
        address: the IP address.
        outcome: ``connected``, ``refused``, ``timeout``, or ``failed`` (no route, for instance).
        seconds: how long it took.
    """

    address: str
    outcome: Literal["connected", "refused", "timeout", "failed"]
    seconds: float

    @property
    def lost_ipv6(self) -> bool:
        """Whether it is an IPv6 address that did not answer at all."""
        return self.outcome == "timeout" and ":" in self.address


class HandshakeReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """One connection, from the name to the first answer. Times are in seconds; None means that it was not reached.

    A resumed connection shows no certificates: those of the handshake that it resumes were checked.

    Attributes:
        host: the server's name; unless it is an IP address, it is also the SNI that is sent.
        port: its port.
        peer: the address that was connected to (the proxy's, when there is one); empty when there was none.
        proxy: ``host:port`` of the proxy on the way; empty for a direct connection.
        tried: every address that was tried, in order.
        protocol: ``TLSv1.2`` or ``TLSv1.3``; empty when none was agreed on.
        cipher: the cipher suite.
        resumed: whether an earlier handshake was resumed; None when no handshake ended well.
        requested: whether the server asked for a client certificate; None when that could not be seen.
        late_request: it asked after the handshake, for what was requested of it (TLS 1.3, RFC 8446 section 4.6.2).
        authorities: the names of the authorities whose certificates it accepts, as DER; empty when it named none.
        sent: the certificates that we sent, as DER, leaf first; None when no Certificate message of ours was seen.
        received: the certificates that the server sent, as DER, leaf first.
        root: the pinned root at which the server's chain was found to end, as DER; empty when it was not.
        alert: the last TLS alert received, by its RFC 8446 name; empty when there was none.
        alert_sent: the last TLS alert that we sent; empty when there was none.
        alert_moment: when the last alert came or went: ``handshake``, ``after`` it, or empty when there was none.
        failed: the step that failed: ``dns``, ``tcp``, ``proxy``, ``tls``, ``read``; empty when none did.
        source: ``connection`` when the TLS messages of the very connection were seen; ``probe`` when those of one that
            reads before it writes; ``loaded`` when none could be read on this Python, so that certificates, names and
            alerts may be missing here.
        dns_seconds: time to resolve the name.
        tcp_seconds: time to connect, addresses that failed included.
        tls_seconds: time of the handshake.
        first_byte_seconds: time from the first request to the head of its answer.
    """

    host: str
    port: int
    peer: str = ""
    proxy: str = ""
    tried: tuple[Attempt, ...] = ()
    protocol: str = ""
    cipher: str = ""
    resumed: bool | None = None
    requested: bool | None = None
    late_request: bool = False
    authorities: tuple[bytes, ...] = ()
    sent: tuple[bytes, ...] | None = None
    received: tuple[bytes, ...] = ()
    root: bytes = b""
    alert: str = ""
    alert_sent: str = ""
    alert_moment: Literal["", "handshake", "after"] = ""
    failed: Step | Literal[""] = ""
    source: Literal["connection", "probe", "loaded"] = "connection"
    dns_seconds: float | None = None
    tcp_seconds: float | None = None
    tls_seconds: float | None = None
    first_byte_seconds: float | None = None

    @property
    def server_name(self) -> str:
        """The SNI that was sent; empty for an address (RFC 6066 section 3), and where no handshake was begun."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return "" if self.failed in ("dns", "tcp", "proxy") else self.host
        return ""

    @property
    def sent_names(self) -> tuple[str, ...]:
        """The CNs of what we sent, leaf first."""
        return common_names(self.sent or ())

    @property
    def received_names(self) -> tuple[str, ...]:
        """The CNs of what the server sent, leaf first."""
        return common_names(self.received)

    @property
    def authority_names(self) -> tuple[str, ...]:
        """The names of the authorities that the server accepts."""
        return authority_names(self.authorities)

    @property
    def root_sent(self) -> bool:
        """Whether a root went out with our certificate, which a server has no use for."""
        return any(map(is_self_issued, (self.sent or ())[1:]))

    @property
    def chain_end(self) -> str:
        """The authority that the server's last certificate names as its issuer; empty when it sent none."""
        return issuer_names(self.received[-1:])[0] if self.received else ""

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Give names and values for people; what was not seen has no line."""
        return tuple((name, value) for name, value in self._lines() if value)

    def __str__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.lines())

    def __repr__(self) -> str:
        how = self.failed and f"failed at {self.failed}"
        return f"<HandshakeReceipt {' '.join(filter(None, [f'{self.host}:{self.port}', self.protocol, how]))}>"

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "address", f"{self.host}:{self.port}" + (f" ({self.peer})" if self.peer else "")
        yield "proxy", self.proxy
        yield "server name sent", self.server_name
        yield "addresses tried", ", ".join(f"{one.address} {one.outcome}" for one in self.tried[:-1] and self.tried)
        yield "protocol", " ".join(filter(None, [self.protocol, self.cipher]))
        yield "handshake", {True: "resumed", False: "full", None: ""}[self.resumed]
        yield "certificate asked for", self._request()
        yield "authorities accepted", self._accepted()
        yield "we sent", self._sent()
        yield "the server sent", _chain(self.received_names)
        yield "its chain ends at", common_names((self.root,))[0] if self.root else self._end()
        yield "alert received", self._alert(self.alert)
        yield "alert sent", self._alert(self.alert_sent)
        yield "it broke at", self.failed
        yield "times", ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in self.steps())
        yield "seen by", _SEEN_BY[self.source]

    def steps(self) -> tuple[tuple[str, float], ...]:
        """Give the steps that were reached, by their names, with the seconds that each took."""
        times = (
            ("DNS", self.dns_seconds),
            ("TCP", self.tcp_seconds),
            ("TLS", self.tls_seconds),
            ("first byte", self.first_byte_seconds),
        )
        return tuple((name, seconds) for name, seconds in times if seconds is not None)

    def _request(self) -> str:
        if self.requested is None:
            return ""
        return "yes, after the handshake" if self.late_request else "yes" if self.requested else "no"

    def _accepted(self) -> str:
        more = len(self.authorities) - _NAMED
        named = ", ".join(authority_names(self.authorities[:_NAMED]))
        return f"{named} and {more} more" if more > 0 else named

    def _sent(self) -> str:
        if self.sent_names:
            return f"{_chain(self.sent_names)}{'' if self.root_sent else ', no root among them'}"
        return "no certificate" if self.requested is not None else ""

    def _end(self) -> str:
        return f"no pinned root (the last one names {self.chain_end})" if self.received else ""

    def _alert(self, name: str) -> str:
        return f"{name} ({'in' if self.alert_moment == 'handshake' else 'after'} the handshake)" if name else ""


_SEEN_BY: Final = {
    "connection": "",
    "probe": "a probe, which sends no request",
    "loaded": "what Python tells; its TLS messages could not be read",
}


def _chain(names: tuple[str, ...]) -> str:
    many = f"{len(names)} certificate{'' if len(names) == 1 else 's'}"
    return f"{many}: {' ← '.join(names)}" if names else ""


class Receipts:
    """The receipts of the last connections, the newest last. Safe among threads."""

    def __init__(self) -> None:
        self._kept: deque[HandshakeReceipt] = deque(maxlen=_KEPT)

    def add(self, receipt: HandshakeReceipt) -> None:
        """Keep one; the oldest makes room."""
        self._kept.append(receipt)

    def all(self) -> tuple[HandshakeReceipt, ...]:
        """Give what is kept."""
        return tuple(self._kept)
