"""Read the body of an answer, whole or piece by piece, within a size, a ratio of compression and a deadline."""

from __future__ import annotations

import io
import socket
import zlib
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from urllib3.exceptions import HTTPError

from ror_sante.errors import (
    ConfigurationError,
    RorError,
    TimedOutError,
    UnexpectedResponseError,
    UnreachableError,
    masked_url,
    printable,
)
from ror_sante.tls.faults import translate
from ror_sante.tls.sockets import CheckedSocket

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

    from ror_sante.http.answer import Request
    from ror_sante.http.clock import Clock

ACCEPT_ENCODING: Final = "gzip"

_PIECE: Final = 64 * 1024
_LARGE_PIECE: Final = 128 * 1024  # eight records of TLS
_UNPACKED: Final = 1024 * 1024  # bytes that one step of decompression gives at most
_RATIO_FLOOR: Final = 1024 * 1024  # small bodies may repeat themselves as they like
_GZIP_OR_ZLIB: Final = 15 + 32  # zlib's window bits: the largest window, the header told apart by itself
_PLAIN: Final = frozenset({"", "identity"})
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


class Limits(msgspec.Struct, frozen=True):
    """How large an answer may be.

    Attributes:
        body: bytes after decompression.
        ratio: how many times larger a body may become by decompression, once it is over 1 MiB. FHIR pages reach 10
            to 30; deflate can reach 1030, which only a bomb does.
    """

    body: int = 64 * 1024 * 1024
    ratio: float = 200

    def __post_init__(self) -> None:
        if not (self.body > 0 and self.ratio >= 1):
            raise ConfigurationError("limits of a body: a positive size and a ratio of at least 1")


class Writable(Protocol):
    """Where the pieces of a body go."""

    def write(self, data: bytes, /) -> object:
        """Take one piece."""
        ...


def read_body(
    response: BaseHTTPResponse, request: Request, *, limits: Limits, until: float, patience: float, clock: Clock
) -> bytes:
    """Read all of a body that nobody has touched yet, and leave the connection to the next request.

    A body whose length is known is read in one go where the socket keeps the deadline itself. Else it reads what has
    arrived, piece by piece, and looks at the clock between. Either way a server that drips bytes does not hold us.

    Args:
        response: an unread answer of urllib3; the caller closes it.
        request: what was asked, for messages.
        limits: how large the body may be.
        until: when to give up, on `clock`'s monotonic scale.
        patience: seconds that the socket waits for one piece, as it is set now.
        clock: what tells the time.

    Returns:
        The decompressed body.

    Raises:
        UnexpectedResponseError: larger than the limits, or a compression that is broken or was not asked for.
        UnreachableError: the connection broke before the end.
        TimedOutError: the deadline passed, or the server fell silent.
    """
    body = _Gathered()
    reading = _Reading(response, request, limits, body)
    if not reading.at_once(until, clock):
        reading.piecewise(until, patience, clock)
    return body.value()


def pour_body(
    response: BaseHTTPResponse,
    request: Request,
    target: Writable,
    *,
    limits: Limits,
    until: float,
    patience: float,
    clock: Clock,
) -> None:
    """Read a body piece by piece, as `read_body` can, but hand its decompressed pieces on as they come.

    Pieces of a body whose length is known are filled first, where the socket keeps the deadline itself: what came last
    before a connection broke may be lost with it.

    Args:
        response: an unread answer of urllib3; the caller closes it.
        request: what was asked, for messages.
        target: takes the pieces, each of a megabyte at most.
        limits: how large the body may be.
        until: when to give up, on `clock`'s monotonic scale.
        patience: seconds that the socket waits for one piece, as it is set now.
        clock: what tells the time.

    Raises:
        UnexpectedResponseError: as `read_body`, and likewise the others; some pieces were handed on before.
        UnreachableError: the connection broke before the end.
        TimedOutError: the deadline passed, or the server fell silent.
    """
    reading = _Reading(response, request, limits, target)
    if not reading.in_large_pieces(until, clock):
        reading.piecewise(until, patience, clock)


class _Gathered:
    """A body in memory: the one piece itself, or a buffer that grows in place (joining a list costs twice the time)."""

    def __init__(self) -> None:
        self._only = b""
        self._many: io.BytesIO | None = None

    def write(self, data: bytes, /) -> None:
        if self._many is not None:
            self._many.write(data)
        elif self._only:
            self._many = io.BytesIO(self._only)
            self._many.seek(0, io.SEEK_END)
            self._many.write(data)
        else:
            self._only = data

    def value(self) -> bytes:
        return self._only if self._many is None else self._many.getvalue()


class _Reading:
    """One body on its way in; a class so that no half-read body shows as a local of a traceback."""

    def __init__(self, response: BaseHTTPResponse, request: Request, limits: Limits, target: Writable) -> None:
        self._response = response
        self._request = request
        self._limits = limits
        self._target = target
        self._size = 0
        self._received = 0
        self._packed = self._encoding()
        self._announced = self._length()
        self._check_announced()

    def at_once(self, until: float, clock: Clock) -> bool:
        """Read a body of known length, if the socket can be told when to give up; tell whether that was done."""
        if not self._bounded(until, clock):
            return False
        self._take_in(self._read(None, until, clock))
        self._check_end()
        return True

    def in_large_pieces(self, until: float, clock: Clock) -> bool:
        """Read a body of known length likewise, a full piece at a time; tell whether that was done."""
        if not self._bounded(until, clock):
            return False
        while piece := self._read(_LARGE_PIECE, until, clock):
            self._take_in(piece)
        self._check_end()
        return True

    def _bounded(self, until: float, clock: Clock) -> bool:
        """Tell the socket when to give up; False when it cannot be told, or the length of the body is unknown."""
        sock = self._socket()
        if self._announced is None or not isinstance(sock, CheckedSocket):
            return False
        sock.give_up_in(self._left(until, clock))
        return True

    def _read(self, size: int | None, until: float, clock: Clock) -> bytes:
        try:
            return self._response.read(size, decode_content=False)
        except (HTTPError, OSError) as error:
            self._left(until, clock)
            raise self._fault(error) from error

    def piecewise(self, until: float, patience: float, clock: Clock) -> None:
        """Read what has arrived, again and again, until nothing more comes."""
        while True:
            left = self._left(until, clock)
            if left < patience:
                self._hurry(left)
            piece = self._piece()
            if not piece:
                break
            self._take_in(piece)
        self._check_end()

    def _left(self, until: float, clock: Clock) -> float:
        left = until - clock.monotonic()
        if left <= 0:
            raise TimedOutError(
                f"{self._address}: the time for the call passed while its answer was still arriving",
                hint="Ask for less in one page (_count), or raise the deadline.",
            )
        return left

    def _take_in(self, piece: bytes) -> None:
        self._received += len(piece)
        self._take(piece)

    def _check_end(self) -> None:
        if self._packed is not None and self._received and not self._packed.eof:
            raise self._broken_off()

    def _encoding(self) -> zlib._Decompress | None:
        encoding = self._response.headers.get("Content-Encoding", "").strip().lower()
        if encoding in _PLAIN:
            return None
        if encoding in _PACKED:
            return zlib.decompressobj(_GZIP_OR_ZLIB)
        raise self._unexpected(f"is encoded as {printable(encoding, 40)!r}, which was not asked for")

    def _length(self) -> int | None:
        """Give the length that the header names, if it is a number that makes sense."""
        announced = self._response.headers.get("Content-Length", "")
        return int(announced) if announced.isdecimal() and len(announced) < 20 else None

    def _check_announced(self) -> None:
        if self._request.method != "HEAD" and (self._announced or 0) > self._limits.body:
            raise self._too_large()

    def _piece(self) -> bytes:
        try:
            # read1 gives what is there; read would wait until the piece is full.
            return self._response.read1(_PIECE, decode_content=False) or b""
        except (HTTPError, OSError) as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> RorError:
        fault = translate(error, url=self._request.url)
        return self._broken_off() if isinstance(fault, UnreachableError) else fault

    def _socket(self) -> object:
        """Give the socket; that of a connection which ends with this answer is out of reach."""
        return getattr(self._response.connection, "sock", None)

    def _hurry(self, left: float) -> None:
        """Let the socket wait no longer than there is time."""
        sock = self._socket()
        if isinstance(sock, socket.socket):
            sock.settimeout(left)

    def _take(self, piece: bytes) -> None:
        if self._packed is None:
            self._keep(piece)
            return
        try:
            self._unpack(piece)
        except zlib.error as error:
            raise self._unexpected("is not the gzip that its header announces") from error

    def _unpack(self, packed: bytes) -> None:
        assert self._packed is not None  # noqa: S101  for the type checker: the caller has looked
        full = False  # what fills its room may have left more behind, inside zlib
        while packed or full:
            if self._packed.eof:  # gzip may come in several members
                self._packed = zlib.decompressobj(_GZIP_OR_ZLIB)
            room = min(_UNPACKED, self._limits.body - self._size + 1)
            piece = self._packed.decompress(packed, room)
            self._keep(piece)
            full = len(piece) == room and not self._packed.eof
            packed = self._packed.unused_data if self._packed.eof else self._packed.unconsumed_tail

    def _keep(self, piece: bytes) -> None:
        self._target.write(piece)
        self._size += len(piece)
        size = self._size
        if size > self._limits.body:
            raise self._too_large()
        if size > _RATIO_FLOOR and size > self._limits.ratio * self._received:
            raise self._unexpected(f"grew more than {self._limits.ratio:g} times by decompression")

    @property
    def _address(self) -> str:
        return masked_url(self._request.url)

    def _too_large(self) -> UnexpectedResponseError:
        return self._unexpected(f"is larger than {self._limits.body / 1024 / 1024:.3g} MiB")

    def _unexpected(self, what: str) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"the answer of {self._address} {what}; it was not read to its end",
            hint="Ask for less in one page (_count); if the service is meant to answer so, tell its support.",
            status=self._response.status,
            method=self._request.method,
            url=self._address,
        )

    def _broken_off(self) -> UnreachableError:
        return UnreachableError(
            f"{self._address} broke off its answer after {self._received} bytes",
            hint="Try again; if it goes on, a proxy or firewall on the way may cut long answers.",
        )
