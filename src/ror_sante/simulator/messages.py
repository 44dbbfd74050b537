"""What goes in and out of a simulated service, as plain values: a call, a reply, and how the reply is delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, Protocol
from urllib.parse import parse_qsl

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

FHIR_JSON: Final = "application/fhir+json;charset=UTF-8"
JSON: Final = "application/json"
HTML: Final = "text/html;charset=UTF-8"

Service = Literal["ror", "extraction", "gateway"]  # the ports of the simulator


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of a connection.

    Attributes:
        subject_dn: subject of the client certificate, CN first, as ANS wants it declared; empty without one.
        thumbprint: SHA-256 of the certificate, in lower-case hexadecimal; empty without one.
        pushed: the CNs of the certificates that the client sent, its own first; empty when the handshake took up
            an earlier session.
    """

    subject_dn: str = ""
    thumbprint: str = ""
    pushed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        method: the HTTP method.
        path: the path, percent-decoded.
        query: the query as it was sent.
        headers: header names in lower case.
        body: whole.
        peer: who asks.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    peer: Peer = Peer()

    @cached_property
    def params(self) -> tuple[tuple[str, str], ...]:
        """The parameters of the query, decoded, in order; a repeated one comes several times."""
        return tuple(parse_qsl(self.query, keep_blank_values=True))

    @property
    def bearer(self) -> str:
        """The access token, or an empty text."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


class Body(Protocol):
    """A body that is written late, so that a fault can still change its parts."""

    def render(self) -> bytes:
        """Give the bytes."""
        ...


@dataclass(frozen=True)
class Delivery:
    """What happens to the bytes of a reply.

    Attributes:
        wait: seconds before the first byte.
        pause: seconds after every byte of the body.
        cut: ``""`` for a whole reply, ``silence`` to close without one, ``reset`` to break the connection off
            without one, ``half`` to close in the middle of the body.
    """

    wait: float = 0.0
    pause: float = 0.0
    cut: Literal["", "silence", "reset", "half"] = ""


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        status: the HTTP status.
        body: its bytes, or what will write them.
        media_type: value of ``Content-Type``.
        headers: further headers.
        delivery: how it is sent.
    """

    status: int = 200
    body: bytes | Body = b""
    media_type: str = FHIR_JSON
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery = Delivery()

    @property
    def payload(self) -> bytes:
        """The bytes of the body."""
        return self.body if isinstance(self.body, bytes) else self.body.render()


@dataclass(frozen=True)
class RequestSeen:
    """One request that was answered.

    Attributes:
        method: the HTTP method.
        path: the path, percent-decoded.
        query: the query as it was sent.
        headers: names in lower case; the bearer token is among them.
        status: what was answered; 0 when a fault left it without an answer.
        subject_dn: subject of the client certificate, CN first.
        service: the port that it came to: ``ror``, ``extraction`` or ``gateway``.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    status: int
    subject_dn: str
    service: Service = "ror"

    @property
    def params(self) -> list[tuple[str, str]]:
        """The parameters of the query, decoded, in order."""
        return parse_qsl(self.query, keep_blank_values=True)


def json_reply(status: int, content: object, *headers: tuple[str, str]) -> Reply:
    """Give a plain JSON reply, as an OAuth 2 server does."""
    return Reply(status, msgspec.json.encode(content), JSON, headers)


ExpressionShape = Literal["list", "text"]


def outcome(
    status: int,
    code: str,
    diagnostics: str,
    *headers: tuple[str, str],
    expression: str = "",
    shape: ExpressionShape = "list",
) -> Reply:
    """Give an OperationOutcome, as the ROR writes them: diagnostics in French, no ``details``.

    Args:
        status: the HTTP status.
        code: the FHIR issue type.
        diagnostics: the sentence.
        *headers: further headers.
        expression: the FHIRPath of what is wrong, if anything in particular is.
        shape: write the expression as a list, or as the bare text that the ROR is seen to send too
            (ROR-fhir-documentation, page "patch-capacitaire").
    """
    issue: dict[str, object] = {"severity": "error", "code": code, "diagnostics": diagnostics}
    if expression:
        issue["expression"] = [expression] if shape == "list" else expression
    content = {"resourceType": "OperationOutcome", "issue": [issue]}
    return Reply(status, msgspec.json.encode(content), headers=headers)
