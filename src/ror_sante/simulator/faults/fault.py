"""What a fault is: its name, one sentence, which answers it strikes, and what it makes of a good one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from ror_sante.simulator.export import ExportFile, Manifest, Pending, Started
from ror_sante.simulator.extraction import Zipped
from ror_sante.simulator.fhir import Page
from ror_sante.simulator.gateway import GatewayPage
from ror_sante.simulator.messages import HTML, Delivery, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ror_sante.simulator.messages import Call

Place = Literal[
    "token",
    "fhir",
    "page",
    "next",
    "kickoff",
    "poll",
    "manifest",
    "file",
    "extraction",
    "zip",
    "gateway",
    "gateway-page",
    "gateway-next",
    "gateway-further",
]
At = Literal["token", "fhir", "kickoff", "poll", "file", "extraction", "gateway"]  # what a caller may say in at=

# The places that are known by what the good reply holds.
_HELD: Final[dict[Place, Callable[[Any], bool]]] = {
    "page": lambda body: isinstance(body, Page),
    "next": lambda body: isinstance(body, Page) and body.next_link is not None,
    "kickoff": lambda body: isinstance(body, Started),
    "poll": lambda body: isinstance(body, Pending | Manifest),
    "manifest": lambda body: isinstance(body, Manifest),
    "file": lambda body: isinstance(body, ExportFile),
    "zip": lambda body: isinstance(body, Zipped),
    "gateway-page": lambda body: isinstance(body, GatewayPage),
    "gateway-next": lambda body: isinstance(body, GatewayPage) and body.next_link is not None,
    "gateway-further": lambda body: isinstance(body, GatewayPage) and body.further,
}

# ".invalid" names nobody (RFC 6761).
ELSEWHERE: Final = "https://autre-hote.invalid"
_GATEWAY: Final = (
    b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Service indisponible</body></html>"
)


@dataclass(frozen=True)
class Scene:
    """What an effect may use.

    Attributes:
        reply: the good reply.
        call: the request.
        now: the simulator's time.
        origin: scheme, host and port of the service.
        revoke: takes an access token out of force.
        seconds: the length that the caller of `Simulator.fault` gave, or None.
    """

    reply: Reply
    call: Call
    now: datetime
    origin: str
    revoke: Callable[[str], None]
    seconds: float | None = None

    @property
    def page(self) -> Page:
        """The page of search results that the reply holds."""
        assert isinstance(self.reply.body, Page)  # noqa: S101  for the type checker: see Fault.strikes
        return self.reply.body

    def repaged(self, **changes: Any) -> Reply:
        """Give the page of the Annuaire Santé with other parts."""
        assert isinstance(self.reply.body, GatewayPage)  # noqa: S101  likewise
        return replace(self.reply, body=replace(self.reply.body, **changes))

    def delivered(self, **how: Any) -> Reply:
        """Give the good reply, delivered in another way (`Delivery`)."""
        return replace(self.reply, delivery=Delivery(**how))

    def linked(self, address: str) -> Reply:
        """Give the page with another next link."""
        return replace(self.reply, body=replace(self.page, next_link=address))


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: what it is called by.
        sentence: what the client meets.
        place: which answers it strikes: of the ``token`` endpoint, of the ``fhir`` service, a ``page`` of search
            results, a page with a ``next`` link; of an export the ``kickoff``, a ``poll``, the ``manifest``, a
            ``file``; of the Annuaire Santé the ``extraction`` downloads, the bytes of a ``zip``,
            the ``gateway``, there a ``gateway-page`` of
            search results, one with a next link (``gateway-next``), one that such a link led to (``gateway-further``).
        effect: makes the bad reply of the good one.
    """

    name: str
    sentence: str
    place: Place
    effect: Callable[[Scene], Reply] = field(repr=False)

    def strikes(self, place: Place, reply: Reply, *, at: Place) -> bool:
        """Tell whether it strikes a reply.

        Args:
            place: the service that the reply comes from: ``token``, ``fhir``, ``extraction`` or ``gateway``.
            reply: the good reply.
            at: where it was told to strike.
        """
        held = _HELD.get(at)
        return at == place if held is None else held(reply.body)


# ------------------------------------------------------------------ what several of them do


def maintenance() -> Reply:
    """Give the HTML page of a gateway."""
    return Reply(200, _GATEWAY, HTML)


def half(scene: Scene) -> Reply:
    """Give the first half of the body as if it were all."""
    whole = scene.reply.payload
    return replace(scene.reply, body=whole[: len(whole) // 2])


def inside(url: str) -> str:
    """Give the same address on an internal host of the service."""
    parts = urlsplit(url)
    return urlunsplit(("https", "api-interne.ror.invalid", parts.path, parts.query, ""))
