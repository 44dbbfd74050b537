"""The ``$export`` of the simulated ROR: jobs that take their time, manifests, and files of linked resources."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from ror_sante.simulator.messages import FHIR_JSON, JSON, Reply, outcome
from ror_sante.simulator.refusals import BadSearchError
from ror_sante.simulator.search import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from ror_sante.simulator.data import Directory
    from ror_sante.simulator.messages import Call
    from ror_sante.simulator.records import Record
    from ror_sante.simulator.search import Search
    from ror_sante.simulator.variants import Variants

# CapabilityStatement of the production (IG, ror-serveur-prod): the three operations.
KICK_OFF: Final = "$export"
POLL: Final = "$export-poll-status"
FILE: Final = "$export-get-file"
OPERATIONS: Final = (KICK_OFF, POLL, FILE)

ERRORS: Final = "errors.json"  # the file of errors of any job

_JOBS: Final = 32  # that are kept; an older one is lost
_COUNTED: Final = 50_000  # offers of a job up to which the manifest counts the resources of each file
_NDJSON: Final = "application/fhir+ndjson"
# Page "export": NDJSON is not supported. A raw "+" in the address of its samples decodes to a blank.
_FORMATS: Final = ("application/json", "application/fhir+json", "application/fhir json")
_KNOWN: Final = ("_outputFormat", "_type", "_typeFilter", "includeAssociatedData")
# Page "export": an export always holds the offers and everything that is linked to them.
_LINKED: Final = (
    ("_include", "HealthcareService:organization"),
    ("_include", "HealthcareService:location"),
    ("_include:iterate", "Organization:partof"),
    ("_revinclude", "PractitionerRole:service"),
    ("_include", "PractitionerRole:practitioner"),
)
_REPORT: Final = (
    b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"OperationOutcome","issue":'
    b'[{"severity":"error","code":"exception","diagnostics":"Une tranche est en erreur."}]}}]}'
)


@dataclass(frozen=True)
class Started:
    """Body of the answer to a kick-off."""

    def render(self) -> bytes:
        """Say that the job has begun."""
        return b'{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational"}]}'


@dataclass(frozen=True)
class Pending:
    """Body of a poll while the job runs."""

    def render(self) -> bytes:
        """Say nothing."""
        return b""


@dataclass(frozen=True)
class Listed:
    """One file in a manifest.

    Attributes:
        url: where it is.
        count: resources in it, or None when nobody counted.
    """

    url: str
    count: int | None


@dataclass(frozen=True)
class Manifest:
    """Body of the poll that ends a job.

    Attributes:
        started: the time of the kick-off, in ISO 8601.
        request: the address of the kick-off.
        output: the files.
        error: files of OperationOutcome.
        bare: only the addresses, as the published sample reads them.
        extra: further keys.
    """

    started: str
    request: str
    output: tuple[Listed, ...]
    error: tuple[Listed, ...] = ()
    bare: bool = False
    extra: tuple[tuple[str, Any], ...] = ()

    def render(self) -> bytes:
        """Give the JSON."""
        if self.bare:
            return msgspec.json.encode({"output": [{"url": file.url} for file in self.output]})
        content = {
            "transactionTime": self.started,
            "request": self.request,
            "requiresAccessToken": True,
            "output": [_listed("Bundle", file) for file in self.output],
            "error": [_listed("OperationOutcome", file) for file in self.error],
        }
        return msgspec.json.encode(content | dict(self.extra))


def _listed(kind: str, file: Listed) -> dict[str, Any]:
    counted = {} if file.count is None else {"count": file.count}
    return {"type": kind, "url": file.url} | counted


@dataclass(frozen=True)
class ExportFile:
    """Body of one file.

    Attributes:
        base: address of the service, which starts every ``fullUrl``.
        records: what is in it.
        directory: writes the records.
        ndjson: one resource a line in place of a Bundle.
    """

    base: str
    records: tuple[Record, ...]
    directory: Directory = field(repr=False)
    ndjson: bool = False

    def render(self) -> bytes:
        """Give the bytes."""
        if self.ndjson:
            return b"".join(self.directory.body(record) + b"\n" for record in self.records)
        entries = b",".join(self._entries())
        return b'{"resourceType":"Bundle","type":"collection","entry":[%s]}' % entries

    def _entries(self) -> Iterator[bytes]:
        base = self.base.encode()
        for record in self.records:
            body = self.directory.body(record)
            yield b'{"fullUrl":"%s/%s","resource":%s}' % (base, record.reference.encode(), body)


@dataclass
class _Job:
    """One export, with the data as it was at its start."""

    directory: Directory
    search: Search
    slice_size: int
    request: str
    started: str
    expires: float
    polls: int

    @cached_property
    def matches(self) -> Sequence[Record]:
        return self.search.matches(self.directory)

    @property
    def files(self) -> int:
        return -(-len(self.matches) // self.slice_size)

    def part(self, number: int) -> tuple[Record, ...]:
        """Give the records of one file, made when it is asked for."""
        matches = self.matches[number * self.slice_size : (number + 1) * self.slice_size]
        return (*matches, *self.search.included(self.directory, matches))

    def count(self, number: int) -> int | None:
        """Count the records of one file; None for a job so large that counting alone would take minutes."""
        return len(self.part(number)) if len(self.matches) <= _COUNTED else None


class ExportService:
    """Answers the three operations.

    Args:
        variants: what the documents leave open.
        now: the simulator's time.
        base: gives the FHIR base, as it is written in links.
    """

    def __init__(self, variants: Variants, *, now: Callable[[], datetime], base: Callable[[], str]) -> None:
        self._variants = variants
        self._now = now
        self._base = base
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, _Job] = OrderedDict()

    def reset(self) -> None:
        """Lose every job."""
        with self._lock:
            self._jobs.clear()

    def answer(self, call: Call, segments: list[str], directory: Directory) -> Reply:
        """Answer a call whose first segment is one of `OPERATIONS`.

        Args:
            call: the request.
            segments: of the path below the service.
            directory: the records of now.

        Raises:
            BadSearchError: a parameter that is not served.
        """
        match segments:
            case [operation] if operation == KICK_OFF:
                return self._kick_off(call, directory)
            case [operation] if operation == POLL:
                return self._cancel(call) if call.method == "DELETE" else self._poll(call)
            case [operation, key, name] if operation == FILE:
                return self._file(key, name)
        return outcome(404, "not-found", "Il n'y a rien à cette adresse.")

    # -------------------------------------------------------------- the three steps

    def _kick_off(self, call: Call, directory: Directory) -> Reply:
        now = self._now()
        job = _Job(
            directory,
            parse(directory, "HealthcareService", (*_wanted(call), *_LINKED)),
            self._variants.export_slice,
            f"{self._base()}/{KICK_OFF}?{call.query}",
            now.isoformat(timespec="milliseconds"),
            now.timestamp() + self._variants.export_life,
            self._variants.export_polls,
        )
        key = str(uuid.uuid4())
        with self._lock:
            self._jobs[key] = job
            while len(self._jobs) > _JOBS:
                self._jobs.popitem(last=False)
        return Reply(202, Started(), headers=(("Content-Location", f"{self._base()}/{POLL}?_jobId={key}"),))

    def _poll(self, call: Call) -> Reply:
        key = dict(call.params).get("_jobId", "")
        job = self._job(key)
        if job is None:
            return lost_job(key)
        if job.polls:
            done, job.polls = self._variants.export_polls - job.polls, job.polls - 1
            percent = 100 * done // self._variants.export_polls
            wait = ("Retry-After", str(self._variants.export_wait))
            return Reply(202, Pending(), JSON, (("X-Progress", f"En cours : {percent} %"), wait))
        where = f"{self._base()}/{FILE}/{key}"
        files = tuple(Listed(f"{where}/{number}.json", job.count(number)) for number in range(job.files))
        bare = self._variants.manifest == "bare"
        return Reply(200, Manifest(job.started, job.request, files, bare=bare), JSON)

    def _cancel(self, call: Call) -> Reply:
        if not self._variants.export_cancel:
            return outcome(405, "not-supported", "L'annulation n'est pas prise en charge.", ("Allow", "GET, HEAD"))
        with self._lock:
            known = self._jobs.pop(dict(call.params).get("_jobId", ""), None)
        return Reply(202 if known is not None else 404, Pending(), JSON)

    def _file(self, key: str, name: str) -> Reply:
        job = self._job(key)
        number = name.removesuffix(".json")
        if job is None:
            return lost_job(key)
        if name == ERRORS:
            return Reply(200, _REPORT)
        if not (number.isascii() and number.isdecimal() and int(number[:9]) < job.files):
            return outcome(404, "not-found", "Ce fichier n'existe pas.")
        ndjson = self._variants.export_files == "ndjson"
        body = ExportFile(self._base(), job.part(int(number[:9])), job.directory, ndjson)
        return Reply(200, body, _NDJSON if ndjson else FHIR_JSON)

    def _job(self, key: str) -> _Job | None:
        with self._lock:
            job = self._jobs.get(key)
        return job if job is not None and self._now().timestamp() < job.expires else None


def _wanted(call: Call) -> list[tuple[str, str]]:
    """Read the parameters of a kick-off, and give those of the search inside ``_typeFilter``."""
    for name, value in call.params:
        if name not in _KNOWN:
            raise BadSearchError("not-supported", f"Paramètre inconnu « {name[:80]} » de l'opération {KICK_OFF}.")
        if name == "_outputFormat" and value not in _FORMATS:
            raise BadSearchError("not-supported", "Format de sortie inconnu ; connus : application/json.")
        if name == "_type" and value != "HealthcareService":
            raise BadSearchError("not-supported", "Seul le type HealthcareService peut être extrait.")
    filters = [value for name, value in call.params if name == "_typeFilter"]
    return [pair for value in filters for pair in _filter(value)]


def _filter(value: str) -> list[tuple[str, str]]:
    resource_type, question, query = value.partition("?")
    if resource_type != "HealthcareService" or not question:
        raise BadSearchError("invalid", "_typeFilter attend HealthcareService?..., encodé une seule fois.")
    return parse_qsl(query, keep_blank_values=True)


def lost_job(key: str) -> Reply:
    """Say that there is no such job, or no more."""
    return outcome(404, "not-found", f"L'extraction « {key[:40]} » n'existe pas ou a expiré.")
