"""The final answer to a request: a head without peculiarities is taken in one go, any other is left to http.client."""

from __future__ import annotations

import http.client
import re
from typing import Final

# What http.client and its parser of mail headers read without a second thought; a copy of it is cheaper by far.
_PLAIN: Final = re.compile(
    rb"HTTP/1\.1 200 ([ -~]*)\r\n"
    rb"((?:[A-Za-z0-9-]+: ?(?:[!-~](?:[ -~]*[!-~])?)?\r\n){1,90})"
    rb"\r\n"
)
_FIELD: Final = re.compile(r"([^:\r]+): ?([^\r]*)\r\n")
_MULTIPLE: Final = ("multipart", "message")  # the parser looks for parts below such a head, and tells what it misses


class _PlainMessage(http.client.HTTPMessage):
    """The fields of a plain head: all ASCII, so that none need be searched for broken characters each time."""

    def items(self) -> list[tuple[str, str]]:
        return list(self.raw_items())


class FinalResponse(http.client.HTTPResponse):
    """The final answer to a request; what a server sends before it (103 Early Hints) is read and dropped.

    http.client drops 100 alone. It takes any other 1xx for the answer, and the true answer, still on its way, would
    then be given to the next request on the same connection.
    """

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]  # private; CPython 3.11 to 3.13 have it
        while 100 < status < 200 and status != http.client.SWITCHING_PROTOCOLS:
            http.client.parse_headers(self.fp)
            version, status, reason = super()._read_status()  # type: ignore[misc]  # likewise
        return version, status, reason

    def begin(self) -> None:
        """Read the head; after a change of protocol, which nobody asked for, the connection is of no more use."""
        if self._took_plain():
            return
        super().begin()
        if self.status == http.client.SWITCHING_PROTOCOLS:
            self.will_close = True

    def _took_plain(self) -> bool:
        """Take the head if it has come whole and is plain; else nothing of it is consumed.

        A third of a small answer's cost was http.client's reading of its head, line by line, as that of a mail.
        """
        method: str = self._method  # type: ignore[attr-defined]  # private; likewise
        head = None if self.debuglevel or method == "HEAD" else _PLAIN.match(self.fp.peek())
        fields = _FIELD.findall(head[2].decode("ascii")) if head else []
        named = {name.lower(): value for name, value in fields}
        if not head or len(named) < len(fields) or not _is_framed(named):
            return False
        self.fp.read(head.end())
        self._settle(head[1].decode("ascii").strip(), fields, named.get("content-length"))
        return True

    def _settle(self, reason: str, fields: list[tuple[str, str]], length: str | None) -> None:
        """Set what http.client sets for such a head."""
        self.headers = self.msg = _PlainMessage()
        for name, value in fields:
            self.headers.set_raw(name, value)
        self.headers.set_payload("")
        self.version, self.reason = 11, reason
        self.code = self.status = 200
        self.chunked = length is None
        if length is None:
            self.length = self.chunk_left = None
        else:
            self.length = int(length)
        self.will_close = False


def _is_framed(named: dict[str, str]) -> bool:
    """Tell whether the end of the body, and what comes of the connection, is as clear as it mostly is."""
    length, coding = named.get("content-length"), named.get("transfer-encoding")
    if named.get("connection", "keep-alive").lower() != "keep-alive" or (length is None) == (coding is None):
        return False
    if named.get("content-type", "").lower().startswith(_MULTIPLE):
        return False
    return coding == "chunked" if length is None else length.isdecimal() and len(length) < 20
