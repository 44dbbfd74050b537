"""The faults of the Annuaire Santé's FHIR gateway: each trap of the real one."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from ror_sante.simulator.faults.fault import ELSEWHERE, Fault, half, inside
from ror_sante.simulator.gateway import GATEWAY_PATH, GatewayPage, stale, unauthorized_key
from ror_sante.simulator.messages import JSON, Reply, outcome

if TYPE_CHECKING:
    from ror_sante.simulator.faults.fault import Scene


def _next_of(scene: Scene) -> str:
    assert isinstance(scene.reply.body, GatewayPage)  # noqa: S101  for the type checker: see Fault.strikes
    return scene.reply.body.next_link or ""


GATEWAY: Final = (
    Fault(
        "gateway-wrong-key",
        "Status 401: the API key is not known, or not subscribed.",
        "gateway",
        lambda _: unauthorized_key(),
    ),
    Fault(
        "gateway-bad-parameter",
        "Status 500 with an OperationOutcome: a parameter is not known.",
        "gateway",
        lambda _: outcome(500, "exception", "Parameter nope not found for resource Practitioner"),
    ),
    Fault(
        "gateway-502",
        "Status 502 without a body.",
        "gateway",
        lambda _: Reply(502, b"", JSON),
    ),
    Fault(
        "gateway-truncated-json",
        "Status 200, and the JSON of a page breaks off; Content-Length agrees with what came.",
        "gateway-page",
        half,
    ),
    Fault(
        "gateway-no-link",
        "A page ends without its links, as a stream that broke off between two writes.",
        "gateway-page",
        lambda scene: scene.repaged(self_link=None),
    ),
    Fault(
        "gateway-no-total",
        "A page does not say how many matches there are.",
        "gateway-page",
        lambda scene: scene.repaged(total=None),
    ),
    Fault(
        "gateway-low-total",
        "A page says that there is one match in all.",
        "gateway-page",
        lambda scene: scene.repaged(total=1),
    ),
    Fault(
        "gateway-no-next",
        "A page lacks its next link.",
        "gateway-next",
        lambda scene: scene.repaged(next_link=None),
    ),
    Fault(
        "gateway-stale-next",
        "A next link is too old when it is used: status 500 with an OperationOutcome.",
        "gateway-further",
        lambda _: stale(),
    ),
    Fault(
        "gateway-empty-next",
        "A next link leads to a page without entries.",
        "gateway-further",
        lambda scene: scene.repaged(entries=(), next_link=None),
    ),
    Fault(
        "gateway-internal-host",
        "The next link names another host of the service, with the right path.",
        "gateway-next",
        lambda scene: scene.repaged(next_link=inside(_next_of(scene))),
    ),
    Fault(
        "gateway-next-elsewhere",
        "The next link leads to another service of another host.",
        "gateway-next",
        lambda scene: scene.repaged(next_link=f"{ELSEWHERE}/pages?id=2"),
    ),
    Fault(
        "gateway-next-loop",
        "The next link leads back to the first page, under an address of its own.",
        "gateway-next",
        lambda scene: scene.repaged(next_link=f"{scene.origin}{GATEWAY_PATH}/Practitioner?_elements=id{uuid.uuid4()}"),
    ),
)
