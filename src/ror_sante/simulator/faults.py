"""Every fault that the simulator can be told to show: its name, one sentence, and what it does to a good reply."""

from __future__ import annotations

import difflib
import gzip
import threading
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ror_sante.errors import ConfigurationError, printable
from ror_sante.simulator import extraction
from ror_sante.simulator.export import ERRORS, ExportFile, Listed, Manifest, Pending, Started, lost_job
from ror_sante.simulator.fhir import DIFFUSION_PATH, Page, unauthorized
from ror_sante.simulator.gateway import GATEWAY_PATH, GatewayPage, stale, unauthorized_key
from ror_sante.simulator.messages import HTML, JSON, Delivery, Reply, json_reply, outcome
from ror_sante.simulator.tokens import oauth_error, unknown_client

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
    "zip": lambda body: isinstance(body, extraction.Zipped),
    "gateway-page": lambda body: isinstance(body, GatewayPage),
    "gateway-next": lambda body: isinstance(body, GatewayPage) and body.next_link is not None,
    "gateway-further": lambda body: isinstance(body, GatewayPage) and body.further,
}
_CHOSEN: Final = (None, *get_args(At))
_PAGES: Final = ("page", "next", "gateway-page", "gateway-next", "gateway-further")
_SERVICES: Final = ("token", "fhir", "extraction", "gateway")  # a fault of one may be told to strike another

DEPTH: Final = 200_000  # of the nested arrays: enough to make msgspec raise RecursionError
BOMB: Final = 256 << 20  # bytes, once unpacked
SKEW: Final = timedelta(hours=1)
RETRY_AFTER: Final = 1  # seconds
SLOW: Final = 10.0  # seconds
DRIP: Final = 0.05  # seconds between two bytes

# ".invalid" names nobody (RFC 6761).
_ELSEWHERE: Final = "https://autre-hote.invalid"
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


# ------------------------------------------------------------------ effects


def _gateway() -> Reply:
    return Reply(200, _GATEWAY, HTML)


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


def _half(scene: Scene) -> Reply:
    whole = scene.reply.payload
    return replace(scene.reply, body=whole[: len(whole) // 2])


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
    return scene.linked(_inside(scene.page.next_link or ""))


def _dead_link(scene: Scene) -> Reply:
    return scene.linked(f"{scene.origin}{DIFFUSION_PATH}?_getpages={uuid.uuid4()}&_getpagesoffset=200&_count=200")


def _next_of(scene: Scene) -> str:
    assert isinstance(scene.reply.body, GatewayPage)  # noqa: S101  for the type checker: see Fault.strikes
    return scene.reply.body.next_link or ""


def _manifest(scene: Scene) -> Manifest:
    assert isinstance(scene.reply.body, Manifest)  # noqa: S101  for the type checker: see Fault.strikes
    return scene.reply.body


def _refiled(scene: Scene, change: Callable[[Listed], Listed]) -> Reply:
    manifest = _manifest(scene)
    return replace(scene.reply, body=replace(manifest, output=tuple(map(change, manifest.output))))


def _errors_of(manifest: Manifest) -> Listed:
    return Listed(manifest.output[0].url.rpartition("/")[0] + f"/{ERRORS}", 1)


def _inside(url: str) -> str:
    """Give the same address on an internal host of the service."""
    parts = urlsplit(url)
    return urlunsplit(("https", "api-interne.ror.invalid", parts.path, parts.query, ""))


def _rezipped(scene: Scene, change: Callable[[bytes], bytes]) -> Reply:
    """Put another zip in the place of the good one; an answer to HEAD tells its size."""
    body = scene.reply.body
    if isinstance(body, extraction.Zipped):
        return replace(scene.reply, body=replace(body, data=change(body.data)))
    return replace(scene.reply, body=change(scene.reply.payload))


def _next(reply: Reply) -> int:
    return int(dict(reply.headers)["Content-Disposition"].rpartition("_")[2].removesuffix(".zip")) + 1


_NO_EXPIRY: Final = {"access_token": "jeton-sans-date", "token_type": "Bearer"}

# ------------------------------------------------------------------ the table

_TABLE: Final = (
    # ---- any answer of the FHIR service
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
        lambda scene: _redirected(_ELSEWHERE + scene.call.path),
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
        lambda _: _gateway(),
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
        _half,
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
    # ---- pages of search results
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
        lambda scene: scene.linked(f"{_ELSEWHERE}/pages?suite=2"),
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
    # ---- exports
    Fault(
        "export-no-location",
        "The answer to the kick-off names no address to poll.",
        "kickoff",
        lambda scene: replace(scene.reply, headers=()),
    ),
    Fault(
        "export-poll-elsewhere",
        "The address to poll is on another host.",
        "kickoff",
        lambda scene: replace(scene.reply, headers=(("Content-Location", f"{_ELSEWHERE}/suivi?_jobId=1"),)),
    ),
    Fault(
        "export-pending",
        "The job says once more that it still runs.",
        "poll",
        lambda _: Reply(202, Pending(), JSON, (("X-Progress", "En attente"), ("Retry-After", "1"))),
    ),
    Fault(
        "export-failed",
        "The job ends with status 500 and an OperationOutcome that says it will not work.",
        "poll",
        lambda _: outcome(500, "business-rule", "L'extraction a échoué."),
    ),
    Fault(
        "export-lost",
        "The job is not known any more: 404.",
        "poll",
        lambda scene: lost_job(dict(scene.call.params).get("_jobId", "")),
    ),
    Fault(
        "export-foreign-file",
        "The manifest names a file on another host.",
        "manifest",
        lambda scene: _refiled(scene, lambda file: replace(file, url=f"{_ELSEWHERE}/fichiers/1.json")),
    ),
    Fault(
        "export-internal-host",
        "The manifest names the files by an internal host of the service, with the right paths.",
        "manifest",
        lambda scene: _refiled(scene, lambda file: replace(file, url=_inside(file.url))),
    ),
    Fault(
        "export-wrong-count",
        "The manifest announces one resource more in each file than there is.",
        "manifest",
        lambda scene: _refiled(scene, lambda file: replace(file, count=(file.count or 0) + 1)),
    ),
    Fault(
        "export-unknown-keys",
        "The manifest holds keys that nobody has described.",
        "manifest",
        lambda scene: replace(
            scene.reply, body=replace(_manifest(scene), extra=(("extension", {"lot": 1}), ("deleted", [])))
        ),
    ),
    Fault(
        "export-error-file",
        "The manifest names a file of errors beside the others.",
        "manifest",
        lambda scene: replace(scene.reply, body=replace(_manifest(scene), error=(_errors_of(_manifest(scene)),))),
    ),
    Fault(
        "export-empty-manifest",
        "The manifest names no file.",
        "manifest",
        lambda scene: replace(scene.reply, body=replace(_manifest(scene), output=())),
    ),
    Fault(
        "export-file-gone",
        "A file is not there any more: 410.",
        "file",
        lambda _: outcome(410, "expired", "Ce fichier a été supprimé."),
    ),
    # ---- the FHIR gateway of the Annuaire Santé
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
        _half,
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
        lambda scene: scene.repaged(next_link=_inside(_next_of(scene))),
    ),
    Fault(
        "gateway-next-elsewhere",
        "The next link leads to another service of another host.",
        "gateway-next",
        lambda scene: scene.repaged(next_link=f"{_ELSEWHERE}/pages?id=2"),
    ),
    Fault(
        "gateway-next-loop",
        "The next link leads back to the first page, under an address of its own.",
        "gateway-next",
        lambda scene: scene.repaged(next_link=f"{scene.origin}{GATEWAY_PATH}/Practitioner?_elements=id{uuid.uuid4()}"),
    ),
    # ---- extractions of the Annuaire Santé
    Fault(
        "extraction-none",
        "There is no new file: 503.",
        "extraction",
        lambda _: extraction.page(503),
    ),
    Fault(
        "extraction-too-soon",
        "The last download is too close: 429, and no word of how long to wait.",
        "extraction",
        lambda _: extraction.page(429),
    ),
    Fault(
        "extraction-502",
        "A gateway on the way has no answer: 502.",
        "extraction",
        lambda _: extraction.page(502),
    ),
    Fault(
        "extraction-no-name",
        "The answer does not name the file, so that its version is not known.",
        "extraction",
        lambda scene: extraction.renamed(scene.reply, ""),
    ),
    Fault(
        "extraction-evil-name",
        "The answer names the file by a path out of the folder.",
        "extraction",
        lambda scene: extraction.renamed(scene.reply, "attachment; filename=../../../tmp/evil_202611250310.zip"),
    ),
    Fault(
        "extraction-newer",
        "The answer names a version that is a minute newer than the one before.",
        "extraction",
        lambda scene: extraction.renamed(
            scene.reply, f"attachment; filename={scene.call.path.rpartition('/')[2]}_{_next(scene.reply)}.zip"
        ),
    ),
    Fault(
        "extraction-damaged",
        "A byte in the middle of the zip is wrong.",
        "zip",
        lambda scene: _rezipped(scene, extraction.damaged),
    ),
    Fault(
        "extraction-slip",
        "The zip holds a member that would be unpacked above its folder.",
        "extraction",
        lambda scene: _rezipped(scene, extraction.slipped),
    ),
    Fault(
        "extraction-bomb",
        "A small zip that unpacks to 64 MiB.",
        "extraction",
        lambda scene: _rezipped(scene, extraction.bomb),
    ),
    # ---- the token endpoint
    Fault(
        "unknown-dn",
        "Status 401 with the OAuth error invalid_client: no client has this certificate's DN.",
        "token",
        lambda _: unknown_client(),
    ),
    Fault(
        "token-error",
        "Status 400 with the OAuth error unauthorized_client.",
        "token",
        lambda _: oauth_error(400, "unauthorized_client", "Client not enabled to retrieve service account"),
    ),
    Fault(
        "token-html",
        "Status 200 with the HTML page of a gateway in place of a token.",
        "token",
        lambda _: _gateway(),
    ),
    Fault(
        "token-no-expiry",
        "A token that is no JWT, and no expires_in.",
        "token",
        lambda _: json_reply(200, _NO_EXPIRY),
    ),
)

FAULTS: Final = {fault.name: fault for fault in _TABLE}


def fault_named(name: str) -> Fault:
    """Find a fault.

    Raises:
        ConfigurationError: there is none of that name; the hint lists them, the nearest first.
    """
    if name in FAULTS:
        return FAULTS[name]
    near = difflib.get_close_matches(name, FAULTS, n=3, cutoff=0.4)
    rest = [other for other in FAULTS if other not in near]
    raise ConfigurationError(
        f"the simulator has no fault {printable(name, 60)!r}", hint=f"There are {', '.join([*near, *rest])}."
    )


# ------------------------------------------------------------------ the ones in force


@dataclass
class _Ordered:
    fault: Fault
    at: Place
    left: int | None
    seconds: float | None


class FaultQueue:
    """The faults that were asked for and have not yet struck as often as asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[_Ordered] = []

    def add(self, name: str, times: int | None, *, at: Place | None, seconds: float | None) -> None:
        """Ask for a fault.

        Raises:
            ConfigurationError: an unknown name or place, or a number that is not positive.
        """
        fault = fault_named(name)
        if times is not None and times < 1:
            raise ConfigurationError("a fault strikes once or more often", hint="Give times=None for every time.")
        if at not in _CHOSEN:
            raise ConfigurationError(f"a fault strikes at {', '.join(map(str, _CHOSEN[1:]))}")
        if fault.place not in _SERVICES and at is not None:
            what = "pages of search results" if fault.place in _PAGES else "one step of an export or a download"
            raise ConfigurationError(f"the fault {name} strikes {what} and nothing else")
        with self._lock:
            self._orders.append(_Ordered(fault, at or fault.place, times, seconds))

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._orders.clear()

    def strike(self, place: Place, scene: Scene) -> Reply:
        """Let the oldest fault that fits strike, if there is one; give the good reply otherwise."""
        order = self._due(place, scene.reply)
        if order is None:
            return scene.reply
        return order.fault.effect(replace(scene, seconds=order.seconds))

    def _due(self, place: Place, reply: Reply) -> _Ordered | None:
        with self._lock:
            for order in self._orders:
                if order.fault.strikes(place, reply, at=order.at):
                    if order.left is not None:
                        order.left -= 1
                    self._orders = [other for other in self._orders if other.left != 0]
                    return order
        return None
