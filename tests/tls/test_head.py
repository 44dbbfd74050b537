"""Plain heads of answers are taken in one go, and read as http.client reads them; all others are left to it."""

from __future__ import annotations

import http.client
import io
import random

import pytest

from ror_sante.tls.head import FinalResponse

LENGTH = b"Content-Length: 4"
PLAIN = (
    b"Server: nginx/1.22.1",
    b"Content-Type: application/fhir+json; charset=utf-8",
    b"Content-Type:application/zip",
    b"Connection: keep-alive",
    b"Connection: Keep-Alive",
    b'ETag: W/"1: 2"',
    b"X-Empty:",
    b"X-Blank: ",
    b"Content-Encoding: gzip",
)
ODD = (
    b"Connection: close",
    b"Connection: upgrade",
    b"Content-Length: 5",
    b"Content-Length: +4",
    b"Content-Length: 4, 4",
    b"Content-Length: " + b"1" * 20,
    b"Content-Length: -1",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: Chunked",
    b"Content-Type: multipart/mixed; boundary=x",
    b"Content-Type: Message/RFC822",
    b"Content-Type: message/delivery-status",
    b"X-Folded: one\r\n two",
    b"X-Tab:\tvalue",
    b"X-Many:   blanks  ",
    b"X-Accent: caf\xe9",
    b"X-Nul: a\x00b",
    b"X-Return: a\rb",
    b"X-Bare: a\nX-Other: b",
    b"X Blank: name",
    b": no name",
    b"no colon",
    b" folded first",
    b"X-Long: " + b"x" * 20_000,
)
STATUS = b"HTTP/1.1 200 OK"
STATUSES = (
    STATUS,
    b"HTTP/1.1 200",
    b"HTTP/1.1 200 ",
    b"HTTP/1.1 200  fine ",
    b"HTTP/1.1 200 caf\xe9",
    b"HTTP/1.0 200 OK",
    b"HTTP/2 200 OK",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 404 Not Found",
    b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
    b"http/1.1 200 OK",
)
ATTRIBUTES = ("version", "status", "code", "reason", "chunked", "chunk_left", "length", "will_close")


class Wire:
    """A socket from which a whole answer can be read."""

    def __init__(self, data: bytes, piece: int = 1 << 20) -> None:
        self._data, self._piece = data, piece

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Pieces(self._data, self._piece), 16 * 1024)


class _Pieces(io.RawIOBase):
    def __init__(self, data: bytes, piece: int) -> None:
        self._left, self._piece = io.BytesIO(data), piece

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._left.readinto(memoryview(buffer)[: self._piece])


def answer_of(*lines: bytes, status: bytes = STATUS) -> bytes:
    return b"\r\n".join((status, *lines, b"", b"body and more"))


def read(kind: type[http.client.HTTPResponse], data: bytes, *, method: str = "GET", piece: int = 1 << 20) -> object:
    """Tell all that is known of an answer, or the kind of error that it is."""
    response = kind(Wire(data, piece), method=method)
    try:
        response.begin()
    except (http.client.HTTPException, ValueError) as error:
        return type(error)
    head = {name: getattr(response, name) for name in ATTRIBUTES}
    below = "parts" if response.msg.is_multipart() else response.msg.get_payload()
    told = response.msg.items(), below, len(response.msg.defects)
    return head, told, None if response.fp is None else response.fp.read()


def takes(data: bytes, *, method: str = "GET", piece: int = 1 << 20) -> bool:
    return FinalResponse(Wire(data, piece), method=method)._took_plain()


@pytest.mark.parametrize("line", PLAIN)
def test_a_plain_head_is_taken_in_one_go(line) -> None:
    """With a length or in chunks, and in whatever order."""
    for framed in (LENGTH, b"Transfer-Encoding: chunked"):
        assert takes(answer_of(line, framed))
        assert takes(answer_of(framed, line))


@pytest.mark.parametrize("line", ODD)
def test_a_head_with_one_peculiarity_is_left_to_http_client(line) -> None:
    """Nothing of it is consumed: http.client has the last word on whatever is unclear."""
    assert not takes(answer_of(LENGTH, line))
    assert not takes(answer_of(line, LENGTH))


@pytest.mark.parametrize("status", STATUSES[4:])
def test_only_an_answer_of_200_is_plain(status) -> None:
    """Those without a body, and other versions of HTTP, are http.client's."""
    assert not takes(answer_of(LENGTH, status=status))


def test_a_head_without_a_length_that_has_not_come_whole_or_of_a_head_request_is_not_plain() -> None:
    """The end of the body is not clear, or is none."""
    assert not takes(answer_of())
    assert not takes(answer_of(b"Server: nginx"))
    assert not takes(answer_of(LENGTH), piece=20)
    assert not takes(answer_of(LENGTH), method="HEAD")
    assert not takes(answer_of(LENGTH, *(b"X: y",) * 2))
    assert not takes(answer_of(LENGTH, *(b"X%d: y" % number for number in range(90))))
    assert not takes(b"")


@pytest.mark.parametrize("line", [*PLAIN, *ODD])
def test_every_line_is_read_as_http_client_reads_it(line) -> None:
    """Alone, after a length, before it, and arriving in pieces."""
    for lines in ((line,), (LENGTH, line), (line, LENGTH), (b"Transfer-Encoding: chunked", line)):
        for status in STATUSES:
            data = answer_of(*lines, status=status)
            for method, piece in (("GET", 1 << 20), ("GET", 37), ("HEAD", 1 << 20)):
                theirs = read(http.client.HTTPResponse, data, method=method, piece=piece)
                assert read(FinalResponse, data, method=method, piece=piece) == theirs


def test_a_head_of_random_bytes_is_read_as_http_client_reads_it() -> None:
    """Two thousand seeded heads: lines drawn together, and one byte of each changed."""
    chance = random.Random(8)
    taken = 0
    for _ in range(2000):
        lines = chance.sample(PLAIN + ODD, chance.randrange(4))
        data = bytearray(answer_of(*lines, LENGTH))
        if chance.random() < 0.7:
            data[chance.randrange(len(data) - 13)] = chance.choice(b"\r\n\t :,\x00\x7f\xe90aZ")
        found = read(FinalResponse, bytes(data))
        taken += takes(bytes(data))
        assert found == read(http.client.HTTPResponse, bytes(data)), bytes(data)
    assert taken > 100
