"""A request and its answer, as values."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante.errors import ConfigurationError, masked_url, printable
from ror_sante.http.retry import retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# RFC 9110 section 9.2.2: the server's state is the same after one such request and after two.
_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_WORD: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2, "token"
_VALUE: Final = re.compile(r"([!-~]([ -~]*[!-~])?)?")  # visible ASCII, with blanks inside only
_ADDRESS: Final = re.compile(r"[!-~]+")


class Request(msgspec.Struct, frozen=True):
    """What is to be sent.

    Attributes:
        method: the HTTP method, in capitals.
        url: the whole address, percent-encoded.
        headers: sent as they are; the exchange adds its own ``User-Agent``, ``Accept-Encoding`` and token.
        body: sent as it is.
        repeatable: whether the request may reach the server twice without harm; None decides by the method.
    """

    method: str
    url: str
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes | None = None
    repeatable: bool | None = None

    def __post_init__(self) -> None:
        if not _WORD.fullmatch(self.method):
            raise ConfigurationError(f"not an HTTP method: {printable(self.method, 40)!r}")
        if not _ADDRESS.fullmatch(self.url):
            raise ConfigurationError(
                f"an address holds a blank, an accent or a control character: {masked_url(self.url)}",
                hint="Percent-encode it.",
            )
        for name, value in self.headers.items():
            if not (_WORD.fullmatch(name) and _VALUE.fullmatch(value)):
                raise ConfigurationError(f"the header {printable(name, 60)!r} holds what no header can")

    @property
    def may_repeat(self) -> bool:
        """Whether the request may reach the server twice without harm."""
        return self.method in _REPEATABLE if self.repeatable is None else self.repeatable

    def __repr__(self) -> str:
        return f"<Request {self.method} {masked_url(self.url)}>"


class Answer(msgspec.Struct, frozen=True):
    """What came back, whole.

    Attributes:
        method: the method of the request.
        url: the address that was asked.
        status: the HTTP status.
        headers: by name, whatever the case.
        body: decompressed.
        seconds: from the sending of the request to the last byte.
        received: when it came, by our clock; None in an answer made by hand.
    """

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    received: datetime | None = None

    @property
    def request_id(self) -> str:
        """The server's own id of the request, for its support; empty when it sent none."""
        found = self.headers.get("X-Request-Id") or self.headers.get("X-Correlation-Id") or ""
        return printable(found, 80)

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters; empty when the server named none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_html(self) -> bool:
        """Whether the body is a page for people, as gateways send, whatever its header says."""
        start = self.body[:200].lstrip().lower()
        return "html" in self.media_type or start.startswith((b"<!doctype html", b"<html"))

    @property
    def page_title(self) -> str:
        """The title of an HTML page, made safe to show."""
        found = re.search(rb"<title[^>]*>(.{0,2000}?)</title", self.body[:20_000], re.IGNORECASE | re.DOTALL)
        if not found:
            return ""
        import html  # the names of two thousand characters, which only such a page needs

        return printable(html.unescape(found[1].decode("utf-8", "replace")), 100)

    @property
    def moment(self) -> datetime | None:
        """When the server made it, by the server's own clock; else when it came."""
        try:
            then = parsedate_to_datetime(self.headers.get("Date", ""))
        except (ValueError, TypeError, IndexError, OverflowError):
            return self.received
        return then if then.tzinfo else then.replace(tzinfo=UTC)

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before another try, as the server asks; None when it does not, or in nonsense."""
        return retry_after_seconds(self.headers.get("Retry-After"), now=self.moment)

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.method} {masked_url(self.url)} {len(self.body)} bytes>"
