"""Take down what is seen of a connection while it is made, for its receipt."""

from __future__ import annotations

import _ssl
import time
from typing import TYPE_CHECKING, Any

from ror_sante.tls.receipt import Attempt, HandshakeReceipt
from ror_sante.tls.wire import Transcript

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ror_sante.tls.receipt import Step


class Sighting:
    """One connection on its way, as its own thread takes it down.

    Args:
        host: the server's name.
        port: its port.
        proxy: ``host:port`` of the proxy on the way, or nothing.

    Attributes:
        step: the step that is under way; what fails now fails there.
        transcript: the TLS messages.
    """

    def __init__(self, host: str, port: int, *, proxy: str = "") -> None:
        self.step: Step = "dns"
        self.transcript = Transcript()
        self._about: dict[str, Any] = {"host": host, "port": port, "proxy": proxy}
        self._tried: list[Attempt] = []
        self._began = time.perf_counter()

    @property
    def tried(self) -> tuple[Attempt, ...]:
        """The addresses that were tried, in order."""
        return tuple(self._tried)

    def resolved(self) -> None:
        """Take down that the name has its addresses."""
        self._about["dns_seconds"] = self._lap()
        self.step = "tcp"

    def tries(self, address: str, began: float, error: OSError | None) -> None:
        """Take down how one address answered; without an error, the connection stands."""
        seconds = time.perf_counter() - began
        if error is None:
            self._tried.append(Attempt(address, "connected", seconds))
            self._about |= {"peer": address, "tcp_seconds": self._lap()}
            self.step = "proxy" if self._about["proxy"] else "tls"
        else:
            self._tried.append(Attempt(address, _outcome(error), seconds))

    def shakes(self) -> None:
        """Take down that the handshake begins."""
        self._lap()
        self.step = "tls"

    def shaken(self, connection: Any, cipher: str, protocol: str) -> None:
        """Take down a handshake that ended well.

        Args:
            connection: the `_ssl` object beneath the socket.
            cipher: the cipher suite.
            protocol: the version of TLS.
        """
        resumed = bool(connection.session_reused)
        self.transcript.finished = True
        self._about |= {"tls_seconds": self._lap(), "protocol": protocol, "cipher": cipher, "resumed": resumed}
        verified = () if resumed else connection.get_verified_chain() or ()
        if verified:
            self._about["root"] = verified[-1].public_bytes(_ssl.ENCODING_DER)
        if not self.transcript.heard and not resumed:
            self.transcript.received = tuple(
                one.public_bytes(_ssl.ENCODING_DER) for one in connection.get_unverified_chain() or ()
            )
        self.step = "read"

    def answered(self, seconds: float) -> None:
        """Take down that the first answer has begun to come."""
        self._about["first_byte_seconds"] = seconds

    def receipt(self, *, failed: bool, probe: bool = False) -> HandshakeReceipt:
        """Write the receipt of what was seen until now.

        Args:
            failed: the step that is under way has failed.
            probe: the connection was made to look, and sends no request.
        """
        seen = self.transcript
        blind = seen.broken or ("protocol" in self._about and not seen.heard)
        # A handshake that broke may have been about to ask; one that was resumed does not.
        asked = seen.requested or (False if seen.finished and seen.received and not blind else None)
        alert = seen.alert or seen.alert_sent
        return HandshakeReceipt(
            **self._about,
            tried=self.tried,
            requested=asked,
            late_request=seen.late_request,
            authorities=seen.authorities,
            sent=seen.sent,
            received=seen.received,
            alert=seen.alert,
            alert_sent=seen.alert_sent,
            alert_moment=("after" if seen.alert_finished else "handshake") if alert else "",
            failed=self.step if failed else "",
            source="loaded" if blind else "probe" if probe else "connection",
        )

    def _lap(self) -> float:
        now = time.perf_counter()
        seconds, self._began = now - self._began, now
        return seconds


def attach(error: BaseException, sighting: Sighting | None) -> None:
    """Let an exception bring the receipt of the connection that it broke; `translate` hands it on."""
    if sighting is not None and attached([error]) is None:
        error.receipt = sighting.receipt(failed=True)  # type: ignore[attr-defined]  # any exception takes attributes


def attached(errors: Iterable[BaseException]) -> HandshakeReceipt | None:
    """Give the first receipt that one of some exceptions brings."""
    found = (getattr(error, "receipt", None) for error in errors)
    return next((receipt for receipt in found if isinstance(receipt, HandshakeReceipt)), None)


def _outcome(error: OSError) -> Any:
    if isinstance(error, TimeoutError):
        return "timeout"
    return "refused" if isinstance(error, ConnectionRefusedError) else "failed"
