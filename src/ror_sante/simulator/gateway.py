"""The FHIR gateway of the Annuaire Santé, as the simulator plays it: streamed pages, opaque links, snapshots."""

from __future__ import annotations

import secrets
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from ror_sante.simulator.annuaire import TYPES, Annuaire, encoded
from ror_sante.simulator.gateway_search import INCLUDES, RESULT_PARAMETERS, REVINCLUDES, BadParameterError, matches
from ror_sante.simulator.messages import Reply, json_reply, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from ror_sante.simulator.annuaire import Json
    from ror_sante.simulator.messages import Call

GATEWAY_PATH: Final = "/fhir/v2"
API_KEY: Final = "simulateur-cle-api"

_KEY: Final = "esante-api-key"
_FORM: Final = "application/x-www-form-urlencoded"  # compared whole, as FhirResourceServlet does
_LINKS: Final = 512  # next links that are kept; the oldest go first
_DEFAULT: Final = 50
_STALE: Final = "The url can't be processed. Maybe it is too old or corrupted."


@dataclass(frozen=True)
class GatewayPage:
    """One page; the body of a reply, written when nothing can change it any more.

    Attributes:
        total: matches over all pages; None leaves it out.
        entries: reference and JSON of matches, then of what they bring along.
        next_link: address of the next page, or None on the last.
        self_link: address of this one; None leaves all links out.
        further: whether a next link led here.
    """

    total: int | None
    entries: tuple[tuple[str, bytes], ...]
    next_link: str | None
    self_link: str | None
    further: bool = False

    def render(self) -> bytes:
        """Write header, entries, and the links last, as the server's stream does."""
        head: Json = {"resourceType": "Bundle", "type": "searchset", "id": str(uuid.uuid4())}
        if self.total is not None:
            head["total"] = self.total
        entries = b",".join(
            b'\n{"fullUrl":"/%s","resource":%s}' % (reference.encode(), resource)
            for reference, resource in self.entries
        )
        written = msgspec.json.encode(head)[:-1] + b',"entry":[%s]' % entries
        if self.self_link is None:
            return written + b"}"
        links = [{"relation": "self", "url": self.self_link}]
        if self.next_link is not None:
            links.insert(0, {"relation": "next", "url": self.next_link})
        return written + b',"link":%s}' % msgspec.json.encode(links)


@dataclass(frozen=True)
class _Found:
    """A search as of its first page.

    Attributes:
        resource_type: of the search.
        references: of the matches.
        annuaire: the records as they were.
        params: what was asked.
        size: matches a page.
        chained: it went through another resource.
    """

    resource_type: str
    references: Sequence[str]
    annuaire: Annuaire
    params: tuple[tuple[str, str], ...]
    size: int
    chained: bool = field(default=False)


class GatewayService:
    """Answers on the port that stands under the public web authorities.

    Args:
        annuaire: the records.
        now: the simulator's time.
        origin: gives scheme, host and port of the gateway.
        life: seconds that a next link is good for.
    """

    def __init__(
        self, annuaire: Annuaire, *, now: Callable[[], datetime], origin: Callable[[], str], life: float
    ) -> None:
        self.annuaire = annuaire
        self._first = annuaire
        self._now = now
        self._origin = origin
        self._life = life
        self._lock = threading.Lock()
        self._links: OrderedDict[str, tuple[_Found, int, float]] = OrderedDict()

    @property
    def base(self) -> str:
        """The FHIR base, as the gateway writes it in links."""
        return self._origin() + GATEWAY_PATH

    def reset(self) -> None:
        """Let every next link expire, and take the records back as they were."""
        with self._lock:
            self._links.clear()
        self.annuaire = self._first

    def change(self, edited: dict[str, int], deactivated: dict[str, int]) -> None:
        """Let records be edited or deactivated now."""
        self.annuaire = self.annuaire.changed(edited, deactivated, at=int(self._now().timestamp()))

    def answer(self, call: Call) -> Reply:
        """Answer one request."""
        if call.headers.get(_KEY) != API_KEY:
            return unauthorized_key()
        path = call.path.removeprefix(f"{GATEWAY_PATH}/")
        segments = path.split("/")
        if path == call.path or not all(segments):
            return json_reply(404, {"message": "No context-path matches the request URI.", "http_status_code": 404})
        if call.method not in ("GET", "HEAD", "POST"):
            return _error(405, "not-supported", f"Method {call.method[:20]} not allowed")
        try:
            return self._posted(call, segments) if call.method == "POST" else self._got(call, segments)
        except BadParameterError as error:
            return _error(500, "exception", str(error))

    def _posted(self, call: Call, segments: list[str]) -> Reply:
        if segments[1:] != ["_search"] or segments[0] not in TYPES:
            return _error(405, "not-supported", "Writing is not allowed")
        if call.headers.get("content-type") != _FORM:
            return _error(500, "exception", "Error parsing the resource to write")
        form = parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True)
        return self._search(segments[0], (*call.params, *form), f"{self.base}/{segments[0]}/_search")

    def _got(self, call: Call, segments: list[str]) -> Reply:
        match segments:
            case ["metadata"]:
                return Reply(body=encoded(_capability(self.base)))
            case ["_page"]:
                return self._next(dict(call.params).get("id", ""), f"{self.base}/_page?{call.query}")
            case [resource_type] if resource_type in TYPES:
                query = f"?{call.query}" if call.query else ""
                return self._search(resource_type, call.params, f"{self.base}/{resource_type}{query}")
            case [resource_type, key] if resource_type in TYPES:
                found = self.annuaire.payload(f"{resource_type}/{key}")
                return Reply(body=encoded(found)) if found else _error(404, "not-found", "Resource not found")
        return _error(404, "not-supported", f"Unknown resource {segments[0][:60]}")

    # -------------------------------------------------------------- pages

    def _search(self, resource_type: str, params: tuple[tuple[str, str], ...], here: str) -> Reply:
        asked = dict(params)
        size = asked.get("_count", "")
        criteria = [(name, value) for name, value in params if name not in RESULT_PARAMETERS]
        found = _Found(
            resource_type,
            matches(self.annuaire, resource_type, criteria),
            self.annuaire,
            params,
            int(size) if size.isdecimal() and int(size[:9]) > 0 else _DEFAULT,
            chained=any("." in name for name, _ in criteria),
        )
        return Reply(body=self._page(found, 0, here))

    def _next(self, key: str, here: str) -> Reply:
        with self._lock:
            found, offset, expires = self._links.get(key, (None, 0, 0.0))
        if found is None or self._now().timestamp() >= expires:
            return stale()
        if found.chained:  # issue 414 of the documentation: the page is there, and nothing in it
            return Reply(body=GatewayPage(self._total(found), (), None, here, further=True))
        return Reply(body=self._page(found, offset, here))

    def _page(self, found: _Found, offset: int, here: str) -> GatewayPage:
        end = offset + found.size
        references = found.references[offset:end]
        following = self._link(found, end) if end < len(found.references) else None
        entries = tuple(self._entries(found, references))
        return GatewayPage(self._total(found), entries, following, here, further=offset > 0)

    def _total(self, found: _Found) -> int | None:
        return None if dict(found.params).get("_total") == "none" else len(found.references)

    def _entries(self, found: _Found, references: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        brought: dict[str, None] = {}
        for reference in references:
            resource = found.annuaire.payload(reference) or {}
            yield reference, encoded(resource)
            brought.update(dict.fromkeys(_included(found, resource)))
        for reference in (*brought, *_referring(found, references)):
            yield reference, encoded(found.annuaire.payload(reference) or {})

    def _link(self, found: _Found, offset: int) -> str:
        """Give an address that is another at each call, and says nothing."""
        key = f"d{secrets.token_urlsafe(24)}"
        with self._lock:
            self._links[key] = (found, offset, self._now().timestamp() + self._life)
            while len(self._links) > _LINKS:
                self._links.popitem(last=False)
        return f"{self.base}/_page?id={key}"


def _included(found: _Found, resource: Json) -> list[str]:
    """Name what a resource refers to, as far as ``_include`` wants it."""
    wanted = [value for name, value in found.params if name == "_include"]
    rules = INCLUDES.get(found.resource_type, {})
    fields = {rules[rule] for rule in wanted if rule in rules} | (set(rules.values()) if "*" in wanted else set())
    return [resource[name]["reference"] for name in sorted(fields) if name in resource]


def _referring(found: _Found, references: Sequence[str]) -> Iterator[str]:
    """Name what refers to the matches, as far as ``_revinclude`` wants it."""
    wanted, here = [value for name, value in found.params if name == "_revinclude"], set(references)
    for rule in wanted:
        other, link = rule.partition(":")[0], REVINCLUDES.get(found.resource_type, {}).get(rule)
        if link is None:
            raise BadParameterError(rule, found.resource_type)
        for reference in found.annuaire.references(other):
            resource = found.annuaire.payload(reference) or {}
            if resource.get(link, {}).get("reference") in here:
                yield reference


# ------------------------------------------------------------------ answers


def unauthorized_key() -> Reply:
    """Refuse a key, as the gateway in front of the server does."""
    return json_reply(401, {"message": "Unauthorized", "http_status_code": 401})


def stale() -> Reply:
    """Say that a next link is no longer good."""
    return _error(500, "exception", _STALE)


def _error(status: int, code: str, text: str) -> Reply:
    return outcome(status, code, text)


def _capability(base: str) -> dict[str, Any]:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "kind": "instance",
        "software": {"name": "ror-sante simulator", "version": "1"},
        "implementation": {"description": "Simulateur, données synthétiques", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": [{"type": resource_type} for resource_type in TYPES]}],
    }
