"""The faults of the national ROR's FHIR service: of any answer, and of pages of search results."""

from __future__ import annotations

import gzip
import uuid
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante.simulator.faults.fault import ELSEWHERE, Fault, half, inside, maintenance
from ror_sante.simulator.fhir import DIFFUSION_PATH, unauthorized
from ror_sante.simulator.messages import HTML, Reply, outcome

if TYPE_CHECKING:
    from ror_sante.simulator.faults.fault import Scene

DEPTH: Final = 200_000  # of the nested arrays: enough to make msgspec raise RecursionError
BOMB: Final = 256 << 20  # bytes, once unpacked
SKEW: Final = timedelta(hours=1)
RETRY_AFTER: Final = 1  # seconds
SLOW: Final = 10.0  # seconds
DRIP: Final = 0.05  # seconds between two bytes


def _wait(status: int, code: str, text: str) -> Reply:
    return outcome(status, code, text, ("Retry-After", str(RETRY_AFTER)))


def _redirected(where: str) -> Reply:
    return Reply(302, b"", HTML, (("Location", where),))


def _revoked(scene: Scene) -> Reply:
    scene.revoke(scene.call.bearer)
    return unauthorized("Le jeton a expiré.")


def _skewed(scene: Scene) -> Reply:
    date = format_datetime(scene.now + SKEW, usegmt=True)
    return replace(scene.reply, headers=(*scene.reply.headers, ("Date", date)))


def _unpacks(scene: Scene) -> Reply:
    return replace(scene.reply, body=_bomb(), headers=(*scene.reply.headers, ("Content-Encoding", "gzip")))


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """Members of a megabyte of blanks, one after the other: a gzip file may have many (RFC 1952 section 2.2)."""
    return gzip.compress(b" " * (1 << 20), mtime=0) * (BOMB >> 20)


def _deep(scene: Scene) -> Reply:
    return replace(scene.reply, body=b'{"resourceType":"Bundle","entry":' + b"[" * DEPTH + b"]" * DEPTH + b"}")


def _without_mode(scene: Scene) -> Reply:
    entries = tuple(replace(entry, mode=None) for entry in scene.page.entries)
    return replace(scene.reply, body=replace(scene.page, entries=entries))


def _with_less_right(scene: Scene) -> Reply:
    """Leave out what the mappings of the ROR's profiles give to few: restricted telecoms and sensitive units."""
    entries = tuple(replace(entry, resource=_poorer(entry.resource)) for entry in scene.page.entries)
    return replace(scene.reply, body=replace(scene.page, entries=entries))


def _poorer(resource: bytes) -> bytes:
    content = msgspec.json.decode(resource)
    content.pop("telecom", None)
    content["extension"] = [one for one in content["extension"] if not one["url"].endswith("-sensitive-unit")]
    return msgspec.json.encode(content)


def _internal_host(scene: Scene) -> Reply:
    return scene.linked(inside(scene.page.next_link or ""))


def _dead_link(scene: Scene) -> Reply:
    return scene.linked(f"{scene.origin}{DIFFUSION_PATH}?_getpages={uuid.uuid4()}&_getpagesoffset=200&_count=200")


ANSWERS: Final = (
    Fault(
        "http-500",
        "Status 500 with an OperationOutcome.",
        "fhir",
        lambda _: outcome(500, "exception", "Erreur interne du serveur."),
    ),
    Fault(
        "http-500-bad-request-outcome",
        "Status 500, and an OperationOutcome that says the request itself is wrong.",
        "fhir",
        lambda _: outcome(500, "invalid", "La requête est incorrecte."),
    ),
    Fault(
        "http-503-retry-after",
        "Status 503 with Retry-After: 1.",
        "fhir",
        lambda _: _wait(503, "transient", "Service momentanément indisponible."),
    ),
    Fault(
        "http-429",
        "Status 429 with Retry-After: 1.",
        "fhir",
        lambda _: _wait(429, "throttled", "Trop de requêtes."),
    ),
    Fault(
        "403",
        "Status 403: the account has no right to this.",
        "fhir",
        lambda _: outcome(403, "forbidden", "Le compte n'a pas ce droit."),
    ),
    Fault(
        "token-expired-early",
        "Status 401: the token is no longer good, well before its end.",
        "fhir",
        _revoked,
    ),
    Fault(
        "redirect-other-host",
        "Status 302 to another host.",
        "fhir",
        lambda scene: _redirected(ELSEWHERE + scene.call.path),
    ),
    Fault(
        "redirect-http",
        "Status 302 to the same host without TLS.",
        "fhir",
        lambda scene: _redirected(scene.origin.replace("https:", "http:") + scene.call.path),
    ),
    Fault(
        "html-200",
        "Status 200 with the HTML page of a gateway.",
        "fhir",
        lambda _: maintenance(),
    ),
    Fault(
        "outcome-200",
        "Status 200 with an OperationOutcome in place of what was asked.",
        "fhir",
        lambda _: outcome(200, "processing", "La recherche a échoué."),
    ),
    Fault(
        "truncated-json",
        "The first half of the JSON, as if it were all.",
        "fhir",
        half,
    ),
    Fault(
        "empty-body",
        "Status 200 and no body.",
        "fhir",
        lambda scene: replace(scene.reply, body=b""),
    ),
    Fault(
        "deep-json",
        "A Bundle with 200 000 arrays inside each other.",
        "fhir",
        _deep,
    ),
    Fault(
        "gzip-bomb",
        "A small compressed body that unpacks to 256 MiB.",
        "fhir",
        _unpacks,
    ),
    Fault(
        "clock-skew",
        "The Date header is an hour ahead.",
        "fhir",
        _skewed,
    ),
    Fault(
        "slow",
        "The answer comes after 10 seconds, or after the given ones.",
        "fhir",
        lambda scene: scene.delivered(wait=SLOW if scene.seconds is None else scene.seconds),
    ),
    Fault(
        "drip",
        "The body comes byte by byte, 0.05 seconds apart or the given ones.",
        "fhir",
        lambda scene: scene.delivered(pause=DRIP if scene.seconds is None else scene.seconds),
    ),
    Fault(
        "cut-body",
        "The connection ends in the middle of the body.",
        "fhir",
        lambda scene: scene.delivered(cut="half"),
    ),
    Fault(
        "close-before-answer",
        "The connection is closed without an answer.",
        "fhir",
        lambda scene: scene.delivered(cut="silence"),
    ),
    Fault(
        "reset",
        "The connection is reset without an answer.",
        "fhir",
        lambda scene: scene.delivered(cut="reset"),
    ),
)

PAGES: Final = (
    Fault(
        "missing-mode",
        "The entries of a page do not say whether they are matches.",
        "page",
        _without_mode,
    ),
    Fault(
        "less-right",
        "The account may see less: the resources of a page lack fields, and nothing says so.",
        "page",
        _with_less_right,
    ),
    Fault(
        "next-foreign-host",
        "The next link names an internal host of the service, with the right path.",
        "next",
        _internal_host,
    ),
    Fault(
        "next-elsewhere",
        "The next link leads to another service of another host.",
        "next",
        lambda scene: scene.linked(f"{ELSEWHERE}/pages?suite=2"),
    ),
    Fault(
        "next-loop",
        "The next link leads back to the page that holds it.",
        "next",
        lambda scene: scene.linked(scene.page.self_link),
    ),
    Fault(
        "next-expired",
        "The next link has already expired when it is given: 410.",
        "next",
        _dead_link,
    ),
)
