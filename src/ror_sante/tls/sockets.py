"""The sockets of our connections: one that knows where it leads, and one that checks, waits and takes down."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

from ror_sante.tls.cancel import current
from ror_sante.tls.sighting import Sighting, attach

if TYPE_CHECKING:
    from ror_sante.tls.resumption import Place, Warrant

_RECORD: Final = 16 * 1024  # bytes of content that one record holds at most (RFC 8446 section 5.1)

_MOMENT: Final = 0.01  # seconds that a reading may end late


class DestinedSocket(socket.socket):
    """A connected socket that knows its sighting, and the port it leads to; behind a proxy its peer does not tell."""

    __slots__ = ("port", "sighting")
    port: int
    sighting: Sighting

    @classmethod
    def taking(cls, plain: socket.socket, port: int, sighting: Sighting) -> DestinedSocket:
        """Take a connected socket over."""
        patience = plain.gettimeout()
        taken = cls(plain.family, plain.type, plain.proto, plain.detach())
        taken.settimeout(patience)
        taken.port = port
        taken.sighting = sighting
        return taken


class CheckedSocket(ssl.SSLSocket):
    """A TLS socket that checks the pin after each handshake, does not lose a late alert, and has a patience.

    Attributes:
        until: the moment (`time.monotonic`) after which reading ends in a `TimeoutError`, or None. The socket's own
            time-out begins anew with each byte, so that a server which drips them would hold us for ever.
        place: where its session may be offered again; None when nobody said where the socket leads.
        warrant: how long the verification holds that the connection stands on.
        sighting: takes down what is seen of it; None when nobody asked.
    """

    until: float | None = None
    place: Place | None = None
    warrant: Warrant | None = None
    sighting: Sighting | None = None
    _remembered: bool = False

    def remember(self) -> None:
        """Keep the session for the next connection to the same place.

        To be called when an answer has come: under TLS 1.3 the server's tickets arrive with it.
        """
        if self.place is not None and self.warrant is not None and not self._remembered:
            self._remembered = True
            context: Any = self.context
            if self._has_news():
                context.remember(self.place, self.session, self.warrant)

    def _has_news(self) -> bool:
        """Tell whether there is a session here that is not kept yet; Python copies it, a sixth of a resumed connection.

        A resumed connection without a new ticket has the session that was offered to it.
        """
        seen = self.sighting.transcript if self.sighting is not None else None
        return not self.session_reused or seen is None or not seen.heard or seen.ticket

    def hush(self) -> None:
        """Let no TLS message of this connection be watched any more: that costs a tenth of the throughput.

        To be called after `remember`: a session is good for the context that it was taken from.
        """
        context: Any = self.context
        if self._sslobj is not None:  # type: ignore[attr-defined]  # private; None once it is closed
            self.context = context.quiet()

    def give_up_in(self, seconds: float) -> None:
        """Let every reading from now on end in a `TimeoutError` once so much time has passed."""
        self.until = time.monotonic() + seconds

    def makefile(self, mode: Any = "r", buffering: int | None = None, **kwargs: Any) -> Any:
        """Buffer a whole record of TLS where nobody says otherwise: half of one costs a second reading of it."""
        return super().makefile(mode, _RECORD if buffering is None else buffering, **kwargs)

    def settimeout(self, value: float | None) -> None:
        """Set the patience where it is another: a call of the system each time, and a chance for another thread."""
        if value != self.gettimeout():
            super().settimeout(value)

    def getpeername(self) -> Any:
        """Give the server's address, or a blank when it has hung up: the constructor asks, and leaks us if this raises.

        The handshake, which comes next, then meets the true failure.
        """
        try:
            return super().getpeername()
        except OSError:
            return ("", 0)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Read, and wait no longer than there is time.

        `SSLSocket` does the same by two calls more; a body of 2 MB is 128 readings. It would also take an end of file
        without TLS's goodbye for the end, which our context never lets it.
        """
        if self.until is not None:
            self._hurry(self.until - time.monotonic())
        secure = self._sslobj  # type: ignore[attr-defined]  # private; None once it is closed
        try:
            if secure is None or flags:
                return super().recv_into(buffer, nbytes, flags)
            size: int = secure.read(len(buffer) if nbytes is None else nbytes, buffer)
        except OSError as error:
            attach(error, self.sighting)
            raise
        return size

    def _hurry(self, left: float) -> None:
        if left <= 0:
            raise TimeoutError("the answer did not come within the time limit")
        patience = self.gettimeout()
        if patience is None or left < patience - _MOMENT:
            self.settimeout(left)

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, then check before the first byte of a request that the chain ends at a pinned root."""
        cancel = current()
        if cancel is not None:
            cancel.take(self)
        sighting = self.sighting or Sighting(str(self.server_hostname), 0)
        sighting.shakes()
        try:
            super().do_handshake(block)
            context = self._context  # type: ignore[attr-defined]  # private, and the same in CPython 3.11 to 3.13
            context.check_pin(self._sslobj)  # type: ignore[attr-defined]  # likewise
        except OSError as error:
            attach(error, sighting)
            raise
        cipher = self.cipher() or ("", "", 0)
        sighting.shaken(self._sslobj, cipher[0], self.version() or "")  # type: ignore[attr-defined]  # likewise

    def send(self, data: Any, flags: int = 0) -> int:
        """Send, and leave the refusal readable when the peer has closed.

        TLS 1.3: the server judges our certificate after the handshake, so a request may be written to a socket that
        it has already closed, with the alert still unread. On a broken pipe urllib3 goes on to read the answer, and
        with it the alert; on an EOF it would not.
        """
        try:
            return super().send(data, flags)
        except ssl.SSLEOFError as error:
            raise BrokenPipeError(32, "the peer closed the connection while we were writing") from error
