"""What was seen on the way to one host: a receipt of the connection that the probe made, and of its chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_YES_OR_NO: Final = {True: "yes", False: "no", None: ""}
_NAMED: Final = 5  # authorities that a line names; some servers list hundreds


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way to one host, as far as it was gone.

    Attributes:
        label: how the report names the host.
        origin: its address.
        name: the server name that was sent (SNI).
        peer: the IP address that was connected to.
        proxy: ``host:port`` of the proxy on the way, or nothing.
        version: ``TLSv1.2`` or ``TLSv1.3``; empty when no handshake ended well.
        cipher: the cipher suite.
        resumed: how many of the connections that this test made resumed a TLS session, the probe's own apart.
        asked: whether the server asked for a certificate; None when that was not seen.
        late: it asked after the handshake, for what was requested of it.
        accepted: the authorities whose certificates it says that it accepts.
        ours: CNs of what we sent, leaf first.
        read: what we sent was read on the wire; else it is what was loaded.
        our_root: the root that our chain leads to; it is never sent.
        theirs: CNs of what the server sent, leaf first.
        their_root: the pinned root at which its chain ended; empty when it was not trusted, or not judged.
        refused: which side's certificate was refused: ``ours``, ``theirs``, or nothing.
        alert: the TLS alert that refused us, by name; empty when there was none.
        alert_sent: the TLS alert by which we refused the server; empty when there was none.
        alert_late: the alert came after the handshake.
        ended: the step at which it broke (``dns``, ``tcp``, ``proxy``, ``tls``, ``read``), or nothing.
        steps: names of the steps and the seconds that each took; ``first byte`` is that of the first request.
    """

    label: str
    origin: str
    name: str = ""
    peer: str = ""
    proxy: str = ""
    version: str = ""
    cipher: str = ""
    resumed: int = 0
    asked: bool | None = None
    late: bool = False
    accepted: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()
    read: bool = True
    our_root: str = ""
    theirs: tuple[str, ...] = ()
    their_root: str = ""
    refused: str = ""
    alert: str = ""
    alert_sent: str = ""
    alert_late: bool = False
    ended: str = ""
    steps: tuple[tuple[str, float], ...] = ()

    def receipt(self) -> tuple[tuple[str, str], ...]:
        """Give the lines of the receipt, names and values; what was not seen has no line."""
        return tuple((name, value) for name, value in self._lines() if value)

    def to_dict(self) -> dict[str, Any]:
        """Give what the JSON report holds under ``receipts``."""
        about = {
            "host": self.label,
            "origin": self.origin,
            "server_name": self.name,
            "peer": self.peer,
            "proxy": self.proxy,
            "protocol": self.version,
            "cipher": self.cipher,
            "handshake": self._handshake(),
            "certificate_asked": self.asked,
            "asked_after_the_handshake": self.late,
            "authorities_accepted": list(self.accepted),
            "certificates_sent": list(self.ours),
            "sent_read_on_the_wire": self.read,
            "server_chain": list(self.theirs),
            "server_root": self.their_root,
            "refused": self.refused,
            "alert": self.alert,
            "alert_sent": self.alert_sent,
            "alert_after_the_handshake": self.alert_late,
            "ended_at": self.ended,
        }
        return about | {"seconds": {name.lower(): round(seconds, 3) for name, seconds in self.steps}}

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "address", " ".join(filter(None, [self.origin, f"({self.peer})" if self.peer else ""]))
        yield "proxy", self.proxy
        yield "server name sent", self.name if self.theirs or self.version else ""
        yield "protocol", " ".join(filter(None, [self.version, self.cipher]))
        yield "handshake", self._handshake()
        yield "certificate asked for", "yes, after the handshake" if self.late else _YES_OR_NO[self.asked]
        yield "authorities accepted", self._accepted()
        yield "we sent", self._sent()
        yield "the server sent", self._chain(self.theirs)
        yield "its chain ends at", self.their_root or ("no pinned root" if self.refused == "theirs" else "")
        yield "alert received", self._alert(self.alert)
        yield "alert sent", self._alert(self.alert_sent)
        yield "it broke at", self.ended
        yield "times", ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in self.steps)

    def _handshake(self) -> str:
        later = f", then resumed {self.resumed} time{'' if self.resumed == 1 else 's'}" if self.resumed else ""
        return f"full{later}" if self.version else ""

    def _accepted(self) -> str:
        more = len(self.accepted) - _NAMED
        named = ", ".join(self.accepted[:_NAMED])
        return f"{named} and {more} more" if more > 0 else named

    def _alert(self, name: str) -> str:
        return f"{name} ({'after' if self.alert_late else 'in'} the handshake)" if name else ""

    def _sent(self) -> str:
        if not self.ours:
            return "no certificate" if self.theirs or self.version else ""
        root = f", and not the root {self.our_root}" if self.our_root else ""
        return f"{self._chain(self.ours)}{root}{'' if self.read else ' (as it was loaded)'}"

    def _chain(self, names: tuple[str, ...]) -> str:
        many = f"{len(names)} certificate{'' if len(names) == 1 else 's'}"
        return f"{many}: {' ← '.join(names)}" if names else ""
