"""What was seen of one handshake, as a plain value that prints, compares and pickles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ror_sante.tls.wire import common_names


@dataclass(frozen=True, kw_only=True)
class HandshakeReceipt:
    """One connection's handshake. Times are in seconds; None means that the step was not reached.

    Attributes:
        host: the server's name, which is also the SNI that was sent.
        port: its port.
        peer: the address that was connected to; empty when there was none.
        protocol: ``TLSv1.2`` or ``TLSv1.3``; empty when none was agreed on.
        cipher: the cipher suite.
        requested: whether the server asked for a client certificate; None when that could not be seen.
        sent: the certificates that we sent, as DER, leaf first; None when no Certificate message of ours was seen.
        received: the certificates that the server sent, as DER, leaf first.
        alert: the last TLS alert received, by its RFC 8446 name; empty when there was none.
        failed: the step that failed: ``dns``, ``tcp``, ``proxy``, ``tls``, ``read``; empty when none did.
        source: ``probe`` when a connection that reads before it writes saw the messages; ``loaded`` when the messages
            could not be read, so that certificates are missing here.
        dns_seconds: time to resolve the name.
        tcp_seconds: time to connect.
        tls_seconds: time of the handshake.
    """

    host: str
    port: int
    peer: str = ""
    protocol: str = ""
    cipher: str = ""
    requested: bool | None = None
    sent: tuple[bytes, ...] | None = None
    received: tuple[bytes, ...] = ()
    alert: str = ""
    failed: str = ""
    source: Literal["probe", "loaded"] = "probe"
    dns_seconds: float | None = None
    tcp_seconds: float | None = None
    tls_seconds: float | None = None

    @property
    def sent_names(self) -> tuple[str, ...]:
        """The CNs of what we sent, leaf first."""
        return common_names(self.sent or ())

    @property
    def received_names(self) -> tuple[str, ...]:
        """The CNs of what the server sent, leaf first."""
        return common_names(self.received)
