"""The FHIR service of the simulated ROR: metadata, read, search, pages that expire, and the way to ``$export``."""

from __future__ import annotations

import re
import secrets
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante.simulator.export import OPERATIONS, POLL, ExportService
from ror_sante.simulator.geography import distance
from ror_sante.simulator.messages import Reply, outcome
from ror_sante.simulator.records import BESIDE, TYPES
from ror_sante.simulator.refusals import BadSearchError
from ror_sante.simulator.search import Search, parse
from ror_sante.simulator.search_parameters import parameter_names, parameter_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from typing import Any

    from ror_sante.simulator.data import Directory
    from ror_sante.simulator.messages import Call
    from ror_sante.simulator.records import Record
    from ror_sante.simulator.tokens import TokenService
    from ror_sante.simulator.variants import Variants

DIFFUSION_PATH: Final = "/ws-diffusion-fhir"
CAPACITY_PATH: Final = "/ws-synchro-dispo-lits-fhir"
ROR_HEADERS: Final = (
    "Ror-Profil-Utilisateur-Code",
    "Ror-Profil-Utilisateur-System",
    "Ror-Role-Metier-Code",
    "Ror-Role-Metier-System",
)

# Rule RG_RECH_52 of the implementation guide, and the warning boxes of the search pages.
PAGE_SIZE: Final = 200
RESULT_CAP: Final = 10_000

_SEARCHES: Final = 64  # whose next pages are kept; an older search loses its link
_DISTANCE: Final = "http://hl7.org/fhir/StructureDefinition/location-distance"
_PAGE_SEGMENT: Final = "_page"


@dataclass(frozen=True)
class Entry:
    """One entry of a page.

    Attributes:
        reference: relative, ``Location/252001`` for instance.
        resource: its JSON.
        mode: ``match`` or ``include``; None leaves it out.
        distance: kilometres from the point of a ``near`` search, or None.
    """

    reference: str
    resource: bytes
    mode: str | None
    distance: float | None = None

    def render(self, base: bytes) -> bytes:
        """Give the JSON of the entry."""
        search: dict[str, Any] = {} if self.mode is None else {"mode": self.mode}
        if self.distance is not None:
            measure = {"value": round(self.distance, 3), "unit": "km"}
            search["extension"] = [{"url": _DISTANCE, "valueDistance": measure}]
        written = b',"search":' + msgspec.json.encode(search) if search else b""
        return b'{"fullUrl":"%s/%s","resource":%s%s}' % (base, self.reference.encode(), self.resource, written)


@dataclass(frozen=True)
class Page:
    """One page of a search; the body of a reply, written when nothing can change it any more.

    Attributes:
        base: address of the service, which starts every ``fullUrl``.
        total: matches over all pages, as told.
        self_link: address of this page.
        next_link: address of the next one, or None on the last.
        entries: matches, then what they bring along.
    """

    base: str
    total: int
    self_link: str
    next_link: str | None
    entries: tuple[Entry, ...]

    def render(self) -> bytes:
        """Give the Bundle; without entries it has no ``entry``."""
        links = [{"relation": "self", "url": self.self_link}]
        if self.next_link is not None:
            links.append({"relation": "next", "url": self.next_link})
        head = {
            "resourceType": "Bundle",
            "id": str(uuid.uuid4()),
            "type": "searchset",
            "total": self.total,
            "link": links,
        }
        base = self.base.encode()
        entries = b",".join(entry.render(base) for entry in self.entries)
        return msgspec.json.encode(head)[:-1] + (b',"entry":[%s]}' % entries if entries else b"}")


@dataclass(frozen=True)
class _Found:
    """A search whose next pages may be asked for."""

    search: Search
    records: Sequence[Record]
    expires: float


class FhirService:
    """Answers the calls under the diffusion and the capacity service.

    Args:
        directory: the records.
        tokens: checks the bearer token.
        variants: what the documents leave open.
        now: the simulator's time.
        origin: gives scheme, host and port of the service.
    """

    def __init__(
        self,
        directory: Directory,
        tokens: TokenService,
        variants: Variants,
        *,
        now: Callable[[], datetime],
        origin: Callable[[], str],
    ) -> None:
        self.directory = directory
        self._tokens = tokens
        self._variants = variants
        self._now = now
        self._origin = origin
        self._lock = threading.Lock()
        self._found: OrderedDict[str, _Found] = OrderedDict()
        self._export = ExportService(variants, now=now, base=lambda: self.base)

    @property
    def base(self) -> str:
        """The FHIR base, as the service writes it in links."""
        return (self._variants.link_origin or self._origin()) + DIFFUSION_PATH

    def reset(self) -> None:
        """Let every next link expire, and lose every export."""
        with self._lock:
            self._found.clear()
        self._export.reset()

    def answer(self, call: Call) -> Reply:
        """Answer a call."""
        refused = self._unauthorized(call)
        if refused is not None:
            return refused
        service, _, path = call.path.removeprefix("/").partition("/")
        if f"/{service}" == CAPACITY_PATH:
            return self._capacity(call)
        if call.method not in ("GET", "HEAD") and (call.method, path) != ("DELETE", POLL):
            text = f"La méthode {call.method[:20]} n'est pas prise en charge ici."
            return outcome(405, "not-supported", text, ("Allow", "GET, HEAD"))
        return self._diffusion(call, path.strip("/").split("/"))

    def _unauthorized(self, call: Call) -> Reply | None:
        if not call.bearer:
            challenge = ("WWW-Authenticate", 'Bearer realm="ror"')
            return outcome(401, "login", "Aucun jeton d'accès n'est présenté.", challenge)
        why = self._tokens.refusal(call)
        return unauthorized(why) if why else None

    def _capacity(self, call: Call) -> Reply:
        # Page "patch-capacitaire": a capacity PATCH must come without the four headers.
        surplus = [name for name in ROR_HEADERS if name.lower() in call.headers]
        if surplus:
            return outcome(400, "invalid", f"En-têtes superflus pour cette opération : {', '.join(surplus)}.")
        return outcome(501, "not-supported", "Le simulateur ne tient pas à jour les capacités en lits.")

    def _diffusion(self, call: Call, segments: list[str]) -> Reply:
        if segments == ["metadata"]:
            return Reply(body=msgspec.json.encode(self._capability()))
        paged = segments == [""] and any(name == "_getpages" for name, _ in call.params)
        if not paged and segments[0] not in (*TYPES, *BESIDE, *OPERATIONS):
            known = ", ".join((*TYPES, *BESIDE))
            return outcome(404, "not-supported", f"Ressource inconnue « {segments[0][:80]} ». Connues : {known}.")
        bare = call.method == "DELETE" or segments[0] in BESIDE
        missing = None if bare else _header_fault(call)
        if missing is not None:
            return missing
        try:
            return self._served(call, segments)
        except BadSearchError as error:
            return outcome(400, error.code, error.diagnostics)

    def _served(self, call: Call, segments: list[str]) -> Reply:
        match segments:
            case [operation, *_] if operation in OPERATIONS:
                return self._export.answer(call, segments, self.directory)
            case [""]:
                return self._page_by_query(call)
            case [resource_type]:
                return self._search(call, resource_type)
            case [resource_type, resource_id]:
                return self._read(resource_type, resource_id)
            case [_, name, key] if name == _PAGE_SEGMENT:
                found, _, where = key.partition(".")
                offset, _, count = where.partition(".")
                return self._next_page(found, offset, count)
        return outcome(404, "not-found", "Il n'y a rien à cette adresse.")

    # -------------------------------------------------------------- read

    def _read(self, resource_type: str, resource_id: str) -> Reply:
        record = self.directory.get(f"{resource_type}/{resource_id}")
        if record is not None:
            return Reply(body=self.directory.body(record))
        text = f"La ressource {resource_type}/{resource_id[:80]} n'existe pas."
        return outcome(404, "not-found", text, expression=resource_type, shape=self._variants.expression)

    # -------------------------------------------------------------- search

    def _search(self, call: Call, resource_type: str) -> Reply:
        search = parse(self.directory, resource_type, call.params)
        found = _Found(search, search.matches(self.directory), self._now().timestamp() + self._variants.page_life)
        query = f"?{call.query}" if call.query else ""
        size = PAGE_SIZE if search.count is None else min(search.count, PAGE_SIZE)
        return self._page(found, f"{self.base}/{resource_type}{query}", offset=0, size=size, key="")

    def _page(self, found: _Found, self_link: str, *, offset: int, size: int, key: str) -> Reply:
        reachable = min(len(found.records), RESULT_CAP)
        matches = found.records[offset : min(offset + size, reachable)]
        next_link = None
        if size and offset + size < reachable:
            next_link = self._next_link(found, offset=offset + size, size=size, key=key)
        total = reachable if self._variants.total == "capped" else len(found.records)
        entries = tuple(self._entries(found.search, matches))
        return Reply(body=Page(self.base, total, self_link, next_link, entries))

    def _entries(self, search: Search, matches: Sequence[Record]) -> Iterator[Entry]:
        for record in matches:
            yield self._entry(record, "match", search)
        for record in search.included(self.directory, matches):
            yield self._entry(record, "include", search)

    def _entry(self, record: Record, mode: str, search: Search) -> Entry:
        far = distance(record.position, search.near) if record.position and search.near else None
        return Entry(record.reference, self.directory.body(record), mode, far)

    # -------------------------------------------------------------- further pages

    def _next_link(self, found: _Found, *, offset: int, size: int, key: str) -> str:
        key = key or self._kept(found)
        if self._variants.next_links == "opaque":
            return f"{self.base}/{found.search.resource_type}/{_PAGE_SEGMENT}/{key}.{offset}.{size}"
        return f"{self.base}?_getpages={key}&_getpagesoffset={offset}&_count={size}&_bundletype=searchset"

    def _kept(self, found: _Found) -> str:
        key = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        with self._lock:
            self._found[key] = found
            while len(self._found) > _SEARCHES:
                self._found.popitem(last=False)
        return key

    def _page_by_query(self, call: Call) -> Reply:
        params = dict(call.params)
        return self._next_page(params["_getpages"], params.get("_getpagesoffset", ""), params.get("_count", ""))

    def _next_page(self, key: str, offset: str, size: str) -> Reply:
        with self._lock:
            found = self._found.get(key)
        if found is None or self._now().timestamp() >= found.expires:
            return expired_page(key)
        if not (re.fullmatch("[0-9]{1,6}", offset) and re.fullmatch("[0-9]{1,6}", size)):
            raise BadSearchError("invalid", "Le lien vers cette page n'est pas celui qui a été donné.")
        start, count = int(offset), min(int(size), PAGE_SIZE)
        here = self._next_link(found, offset=start, size=count, key=key)
        return self._page(found, here, offset=start, size=count, key=key)

    # -------------------------------------------------------------- metadata

    def _capability(self) -> dict[str, Any]:
        """Say what this service can do, in the shape of the production's own statement (IG, ror-serveur-prod)."""
        return {
            "resourceType": "CapabilityStatement",
            "name": "RestServer",
            "status": "active",
            "date": self._now().isoformat(timespec="milliseconds"),
            "publisher": "ror-sante",
            "kind": "instance",
            "software": {"name": "ror-sante simulator", "version": "1"},
            "implementation": {"description": "Simulateur, données synthétiques", "url": self.base},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "json"],
            "rest": [{"mode": "server", "resource": [_capability_of(resource_type) for resource_type in TYPES]}],
        }


def _capability_of(resource_type: str) -> dict[str, Any]:
    return {
        "type": resource_type,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{resource_type}",
        "interaction": [{"code": "search-type"}, {"code": "read"}],
        "searchInclude": ["*"],
        "searchParam": [
            {"name": name, "type": parameter_type(resource_type, name)} for name in parameter_names(resource_type)
        ],
    }


def _header_fault(call: Call) -> Reply | None:
    """Check the four headers, which every GET on the five types must carry (page "consommation-api")."""
    missing = [name for name in ROR_HEADERS if not call.headers.get(name.lower(), "").strip()]
    if missing:
        return outcome(400, "required", f"En-têtes obligatoires absents : {', '.join(missing)}.")
    for name in ROR_HEADERS:
        if name.endswith("System") and not re.fullmatch(r"\d+(\.\d+)+", call.headers[name.lower()]):
            return outcome(400, "code-invalid", f"L'en-tête {name} attend un OID seul, sans urn:oid: devant.")
    return None


def unauthorized(why: str) -> Reply:
    """Refuse a token (RFC 6750 section 3.1)."""
    challenge = ("WWW-Authenticate", 'Bearer realm="ror", error="invalid_token"')
    return outcome(401, "login", why, challenge)


def expired_page(key: str) -> Reply:
    """Say that a search is no longer kept, as HAPI FHIR does with 410."""
    return outcome(410, "expired", f"La recherche « {key[:40]} » n'existe plus : ses pages ont expiré.")
