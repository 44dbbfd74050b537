"""Read the body of an answer, whole or piece by piece, within a size, a ratio of compression and a deadline."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from urllib3.exceptions import HTTPError

from ror_sante.errors import (
    ConfigurationError,
    TimedOutError,
    UnexpectedResponseError,
    UnreachableError,
    masked_url,
    printable,
)
from ror_sante.tls.faults import translate

if TYPE_CHECKING:
    import requests

    from ror_sante.http.clock import Clock

ACCEPT_ENCODING: Final = "gzip"

_PIECE: Final = 64 * 1024
_UNPACKED: Final = 1024 * 1024  # bytes that one step of decompression gives at most
_RATIO_FLOOR: Final = 1024 * 1024  # small bodies may repeat themselves as they like
_GZIP_OR_ZLIB: Final = 15 + 32  # zlib's window bits: the largest window, the header told apart by itself
_PLAIN: Final = frozenset({"", "identity"})
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


@dataclass(frozen=True, slots=True)
class Limits:
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
    response: requests.Response, *, method: str, limits: Limits, until: float, patience: float, clock: Clock
) -> bytes:
    """Read all of a body that nobody has touched yet, and leave the connection to the next request.

    It reads what has arrived, piece by piece, and looks at the clock between: a server that drips bytes without end
    does not hold us.

    Args:
        response: a streamed answer; the caller closes it.
        method: the method of the request, for messages.
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
    body = io.BytesIO()  # grows in place; a list of pieces costs twice the time of a 2 MB body
    _Reading(response, method, limits, body).whole(until, patience, clock)
    return body.getvalue()


def pour_body(
    response: requests.Response,
    target: Writable,
    *,
    method: str,
    limits: Limits,
    until: float,
    patience: float,
    clock: Clock,
) -> None:
    """Read a body as `read_body` does, but hand its decompressed pieces on as they come.

    Args:
        response: a streamed answer; the caller closes it.
        target: takes the pieces, each of a megabyte at most.
        method: the method of the request, for messages.
        limits: how large the body may be.
        until: when to give up, on `clock`'s monotonic scale.
        patience: seconds that the socket waits for one piece, as it is set now.
        clock: what tells the time.

    Raises:
        UnexpectedResponseError: as `read_body`, and likewise the others; some pieces were handed on before.
        UnreachableError: the connection broke before the end.
        TimedOutError: the deadline passed, or the server fell silent.
    """
    _Reading(response, method, limits, target).whole(until, patience, clock)


class _Reading:
    """One body on its way in; a class so that no half-read body shows as a local of a traceback."""

    def __init__(self, response: requests.Response, method: str, limits: Limits, target: Writable) -> None:
        self._response = response
        self._method = method
        self._limits = limits
        self._target = target
        self._size = 0
        self._received = 0
        self._packed = self._encoding()

    def whole(self, until: float, patience: float, clock: Clock) -> None:
        self._check_announced()
        while True:
            left = until - clock.monotonic()
            if left <= 0:
                raise TimedOutError(
                    f"{self._address}: the time for the call passed while its answer was still arriving",
                    hint="Ask for less in one page (_count), or raise the deadline.",
                )
            if left < patience:
                self._hurry(left)
            piece = self._piece()
            if not piece:
                break
            self._received += len(piece)
            self._take(piece)
        if self._packed is not None and self._received and not self._packed.eof:
            raise self._broken_off()

    def _encoding(self) -> zlib._Decompress | None:
        encoding = self._response.headers.get("Content-Encoding", "").strip().lower()
        if encoding in _PLAIN:
            return None
        if encoding in _PACKED:
            return zlib.decompressobj(_GZIP_OR_ZLIB)
        raise self._unexpected(f"is encoded as {printable(encoding, 40)!r}, which was not asked for")

    def _check_announced(self) -> None:
        announced = self._response.headers.get("Content-Length", "")
        if (
            self._method != "HEAD"
            and announced.isdecimal()
            and len(announced) < 20
            and int(announced) > self._limits.body
        ):
            raise self._too_large()

    def _piece(self) -> bytes:
        try:
            # read1 gives what is there; read would wait until the piece is full.
            return self._response.raw.read1(_PIECE, decode_content=False) or b""
        except (HTTPError, OSError) as error:
            fault = translate(error, url=self._response.url)
            raise (self._broken_off() if isinstance(fault, UnreachableError) else fault) from error

    def _hurry(self, left: float) -> None:
        """Let the socket wait no longer than there is time; a connection that ends with this answer is out of reach."""
        sock = getattr(getattr(self._response.raw, "connection", None), "sock", None)
        if sock is not None:
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
        return masked_url(self._response.url)

    def _too_large(self) -> UnexpectedResponseError:
        return self._unexpected(f"is larger than {self._limits.body / 1024 / 1024:.3g} MiB")

    def _unexpected(self, what: str) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"the answer of {self._address} {what}; it was not read to its end",
            hint="Ask for less in one page (_count); if the service is meant to answer so, tell its support.",
            status=self._response.status_code,
            method=self._method,
            url=self._address,
        )

    def _broken_off(self) -> UnreachableError:
        return UnreachableError(
            f"{self._address} broke off its answer after {self._received} bytes",
            hint="Try again; if it goes on, a proxy or firewall on the way may cut long answers.",
        )
