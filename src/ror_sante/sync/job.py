"""One job of the national ROR's ``$export``: kick it off, wait for it, read its manifest, delete it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from ror_sante.api.fhir.document import decode
from ror_sante.errors import InvalidRequestError, NotFoundError, RorError, ServerFaultError, SyncError, printable
from ror_sante.sync.journal import Job, Part, Ready

if TYPE_CHECKING:
    from ror_sante.api.national import NationalRorClient
    from ror_sante.http.clock import Clock
    from ror_sante.http.exchange import Answer
    from ror_sante.sync.journal import Begun
    from ror_sante.sync.progress import Watcher

# ROR-fhir-documentation, page "export": JSON, whatever Bulk Data says, and the region as a token of TRE_R30.
OUTPUT_FORMAT: Final = "application/json"
REGION: Final = "https://mos.esante.gouv.fr/NOS/TRE_R30-RegionOM/FHIR/TRE-R30-RegionOM"

_FIRST_WAIT: Final = 1.0  # seconds between polls when the service does not say; doubled each time
_SHORTEST_WAIT: Final = 0.2  # whatever it says
_LONGEST_WAIT: Final = 60.0  # however long the service asks
_MOST_FILES: Final = 1_000_000
_PENDING: Final = 202
_INTERNAL: Final = 500
_PASSING: Final = frozenset({"transient", "timeout", "throttled", "lock-error", "incomplete"})  # issue types


class JobLostError(SyncError):
    """The service does not know the job any more: it has expired, or a file of it is gone."""


class JobFailedError(SyncError):
    """The job has failed, or made nothing that can be used: asking for it again brings nothing else."""


class _File(msgspec.Struct):
    url: str
    count: Any = None


class _Manifest(msgspec.Struct, rename="camel"):
    output: list[_File]
    error: list[_File] | None = None
    transaction_time: Any = ""


_MANIFEST: Final = msgspec.json.Decoder(_Manifest)


def kick_off(client: NationalRorClient, begun: Begun, region: str) -> Job:
    """Ask for an export.

    Args:
        client: how the service is reached.
        begun: what the run is about.
        region: the code of a source region, or an empty text for the nation.

    Raises:
        SyncError: the service named no address to poll.
        RorError: it refused, or could not be reached.
    """
    params = [("_outputFormat", begun.output_format or OUTPUT_FORMAT)]
    if begun.types:
        params.append(("_type", ",".join(begun.types)))
    if region:
        params.append(("_typeFilter", f"HealthcareService?_tag={REGION}|{region}"))
    path = urlsplit(begun.service).path
    answer = client.request("GET", f"{path}/$export", params=params, headers={"Prefer": "respond-async"})
    location = answer.headers.get("Content-Location", "")
    if not location:
        raise SyncError(
            f"the service took the export (status {answer.status}) but named no address to poll",
            hint="Its answer lacks Content-Location; tell its support.",
        )
    client.follow(location, at=begun.service)
    return Job(region, location)


def wait(client: NationalRorClient, begun: Begun, job: Job, *, limit: float, clock: Clock, watcher: Watcher) -> Ready:
    """Poll until the job has ended, and give its files.

    Args:
        client: how the service is reached.
        begun: what the run is about.
        job: the job.
        limit: seconds to wait at most.
        clock: what tells the time and waits.
        watcher: told how far the job is.

    Raises:
        JobLostError: the service does not know it any more.
        JobFailedError: the service says that it failed.
        SyncError: it is not ready in time.
        UnexpectedResponseError: the manifest cannot be read, or names a file elsewhere.
        RorError: the service could not be reached, or refused.
    """
    url = client.follow(job.poll, at=begun.service)
    end = clock.monotonic() + limit
    wish = _FIRST_WAIT / 2
    while True:
        answer = _polled(client, url)
        if answer.status != _PENDING:
            return _ready(client, url, answer, job)
        wish = min(_LONGEST_WAIT, 2 * wish)
        asked = wish if answer.retry_after is None else answer.retry_after
        pause = min(_LONGEST_WAIT, max(_SHORTEST_WAIT, asked))
        watcher.step("waiting", region=job.region, progress=_progress(answer), seconds=pause)
        if clock.monotonic() + pause > end:
            raise SyncError(
                f"the export was not ready after {limit:.0f} s ({_progress(answer) or 'no word of its progress'})",
                hint="The job goes on at the service: try again later with --resume.",
                cursor=job.poll,
            )
        clock.sleep(pause)


def delete(client: NationalRorClient, begun: Begun, job: Job) -> None:
    """Tell the service that the job is no longer needed, where it knows such a thing."""
    with contextlib.suppress(RorError):
        client.request("DELETE", client.follow(job.poll, at=begun.service))


def lost(error: NotFoundError) -> JobLostError:
    """Make the error for a job that has gone."""
    return JobLostError(f"the export has expired at the service: {error.message}", hint="Start it again.")


def failed(message: str, request_id: str = "") -> JobFailedError:
    """Make the error for a job that is of no use."""
    named = f" and name the request {request_id}" if request_id else ""
    return JobFailedError(
        message, hint=f"--resume starts again with a new job. If that fails too, tell its support{named}."
    )


def _polled(client: NationalRorClient, url: str) -> Answer:
    try:
        return client.request("GET", url)
    except NotFoundError as error:
        raise lost(error) from error
    except (InvalidRequestError, ServerFaultError) as error:
        # FHIR R4, "asynchronous patterns": a job that fails answers 4xx or 5xx with an OperationOutcome, whose code
        # "transient" says that the poll alone failed. A gateway's page is no word about the job.
        if error.outcome is None or error.status > _INTERNAL or not _PASSING.isdisjoint(error.outcome.codes):
            raise
        raise failed(f"the export failed at the service: {error.outcome.summary}", error.request_id) from error


def _progress(answer: Answer) -> str:
    return printable(answer.headers.get("X-Progress", ""), 100)


def _ready(client: NationalRorClient, url: str, answer: Answer, job: Job) -> Ready:
    manifest = decode(answer, _MANIFEST)
    files = [(file, False) for file in manifest.output] + [(file, True) for file in manifest.error or ()]
    if len(files) > _MOST_FILES:
        raise SyncError(f"the manifest of the export names {len(files)} files")
    for file, _ in files:
        client.follow(file.url, at=url)  # refused here, before anything is fetched
    parts = tuple(Part(file.url, _count(file.count), errors) for file, errors in files)
    time = manifest.transaction_time
    return Ready(job.region, parts, printable(time, 60) if isinstance(time, str) else "")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
