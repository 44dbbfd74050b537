"""A delta: the care services that changed since a time of the server's, with what hangs on them.

The search is the documented ``_filter`` form, which also sees the changes of a service's organizations. Where its
result would be cut at 10 000, it is asked again for windows of the services' own ``lastUpdated``: each service lies in
one of them, whatever its organizations did, so that the windows together are the whole.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from ror_sante._version import __version__
from ror_sante.api.query import HealthcareServiceQuery
from ror_sante.errors import ConfigurationError, NotFoundError, SyncError, TruncatedResultError
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.sync.export import Selection
from ror_sante.sync.files import private_folder
from ror_sante.sync.gather import Gathered
from ror_sante.sync.job import REGION
from ror_sante.sync.lock import locked
from ror_sante.sync.progress import Silent
from ror_sante.sync.snapshot import current
from ror_sante.sync.state import (
    CANNOT_SEE,
    FULL_WEEK,
    State,
    full_of,
    moment,
    read_state,
    server_time,
    write_state,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ror_sante.api.national import NationalRorClient
    from ror_sante.http.clock import Clock
    from ror_sante.sync.progress import Watcher

DELTAS: Final = "deltas"
ABOUT: Final = "delta.json"
OVERLAP: Final = 600.0  # seconds: a change may be seen by searches some time after the date that it bears
_TYPE: Final = "HealthcareService"
_FLOOR: Final = datetime(2015, 1, 1, tzinfo=UTC)  # nothing in the national ROR is older
_FINEST: Final = timedelta(minutes=1)  # the documented form has minutes and no seconds


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a delta is about.

    Attributes:
        out: a folder that gets one folder a run, or a file (its name ends with ``.ndjson``) that is not there yet.
        since: where to start, when the state does not say it.
        state: the file that remembers how far the deltas came.
        regions: codes of source regions (TRE_R30); empty for those of the copy in the folder, or for the whole nation.
        overlap: seconds before the start that are asked again.
    """

    out: Path
    since: datetime | None = None
    state: Path | None = None
    regions: tuple[str, ...] = ()
    overlap: float = OVERLAP

    def __post_init__(self) -> None:
        Selection(self.regions)  # codes of regions, each once
        if self.since is None and self.state is None:
            raise ConfigurationError("a delta needs a start", hint="Give --since TIME, or --state FILE.")
        if not 0 <= self.overlap <= FULL_WEEK:
            raise ConfigurationError("the overlap is between no seconds and a week")

    @property
    def into_file(self) -> bool:
        """Whether all goes into one file."""
        return self.out.suffix == ".ndjson"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a delta brought.

    Attributes:
        where: the folder or file with the resources; None when nothing changed.
        counts: resources by type.
        since: where it started, the overlap not counted.
        cursor: the server's time when it began: the start of the next one.
        last_full: the time of the last full export in the folder; None when there is none.
        full_is_old: there is none, or it is more than seven days old.
    """

    where: Path | None
    counts: dict[str, int]
    since: datetime
    cursor: datetime
    last_full: datetime | None
    full_is_old: bool


def delta(
    client: NationalRorClient, plan: Plan, *, watcher: Watcher | None = None, clock: Clock = SYSTEM_CLOCK
) -> Outcome:
    """Fetch what changed, write it, and only then remember how far that is.

    A run that stops, in whatever way, leaves the state as it was: the next run starts at the same time again.

    Args:
        client: how the service is reached.
        plan: what to fetch, and where it goes.
        watcher: told of each step.
        clock: names the folder of the run; what counts is the server's time.

    Raises:
        LockedError: another run works in the folder.
        ConfigurationError: no start, a state of something else, an output file that is there already.
        SyncError: the service cannot be asked in pieces small enough, or does not say its time.
        RorError: the service could not be reached, or refused.
        OSError: the disk.
    """
    folder = plan.out.with_name(f".{plan.out.name}.lock") if plan.into_file else plan.out
    if plan.into_file and plan.out.exists():
        raise ConfigurationError(f"{plan.out} is there already", hint="Move it away, or name another file.")
    with locked(folder):
        return _Run(client, _like_the_copy(plan), watcher or Silent(), clock).result()


def _like_the_copy(plan: Plan) -> Plan:
    """Ask for the regions of the copy in the folder: others do not belong to it.

    Raises:
        ConfigurationError: a region was asked for that the copy does not hold.
    """
    found = None if plan.into_file else current(plan.out)
    held = () if found is None else tuple(found[1].regions)
    if not held or set(plan.regions) <= set(held):
        return replace(plan, regions=plan.regions or held)
    raise ConfigurationError(
        f"the copy in {plan.out} is of the regions {', '.join(held)}, and the delta is asked for others",
        hint="Take a folder for each choice of regions.",
    )


@dataclass(frozen=True)
class _Window:
    """From and to the services' own ``lastUpdated``; None is open, both ends are inside."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def params(self) -> list[tuple[str, str]]:
        """The documented range: a repeated parameter means AND."""
        ends = (("ge", self.start), ("le", self.end))
        return [("_lastUpdated", f"{prefix}{_minute(end)}") for prefix, end in ends if end is not None]

    def halves(self, now: datetime, first: datetime) -> tuple[_Window, _Window] | None:
        """Cut in two: the whole at the start of the delta, then in the middle; None when it is too short."""
        start, end = self.start or min(_FLOOR, self.end or _FLOOR), self.end or now
        middle = first if self == _Window() else start + (end - start) / 2
        middle = middle.replace(second=0, microsecond=0)
        if not start < middle < end or end - start <= _FINEST:
            return None
        return _Window(middle, self.end), _Window(self.start, middle)


@dataclass(frozen=True)
class _Run:
    """What the steps of a run share."""

    client: NationalRorClient
    plan: Plan
    watcher: Watcher
    clock: Clock

    def result(self) -> Outcome:
        state = None if self.plan.state is None else self._state(self.plan.state)
        theirs, full = (None, None) if self.plan.into_file else full_of(self.plan.out)
        since = self._start(state, theirs)
        first = since - timedelta(seconds=self.plan.overlap)
        cursor = self._server_time(first)
        if since > cursor + _FINEST:  # a Date has whole seconds: a time just taken may lie behind it
            raise ConfigurationError(
                f"the delta would start at {written(since)}, which is after the server's time {written(cursor)}",
                hint="Give a time in the past, as the server counts; a time without a zone is UTC.",
            )
        self.watcher.step("delta", since=written(since), until=written(cursor), regions=list(self.plan.regions))
        with Gathered(self._beside()) as gathered:
            self._gather(gathered, first, cursor)
            where = self._placed(gathered, since, cursor)
            counts = gathered.counts
        age = None if full is None else max(0.0, (cursor - full).total_seconds())
        self._remember(cursor, where, counts, full=full, age=age)
        self.watcher.step("published", **counts)
        old = age is None or age > FULL_WEEK
        return Outcome(where=where, counts=counts, since=since, cursor=cursor, last_full=full, full_is_old=old)

    # -------------------------------------------------------------- where to start

    def _state(self, path: Path) -> State | None:
        state = read_state(path)
        asked = (self.client.environment.fhir_base, self.plan.regions)
        if state is not None and (state.service, state.regions) != asked:
            raise ConfigurationError(
                f"{path} belongs to another service or other regions",
                hint="Take a state file for each place and each choice of regions.",
            )
        return state

    def _start(self, state: State | None, full: datetime | None) -> datetime:
        """Take ``--since``, else the state, else the time of the full copy that lies in the folder."""
        start = self.plan.since or (None if state is None else moment(state.cursor)) or full
        if start is None:
            raise ConfigurationError(
                "nothing says where the first delta starts: the state is new, and the folder has no full export "
                "that knows the server's time",
                hint="Give --since once, with --state: a time before the last full export began.",
            )
        return start

    def _server_time(self, first: datetime) -> datetime:
        """Ask the server what time it is: the delta goes by its clock, never by ours."""
        path = f"{urlsplit(self.client.environment.fhir_base).path}/{_TYPE}"
        answer = self.client.request("GET", path, params=[*self._params(first), ("_count", "1")])
        return server_time(answer)

    # -------------------------------------------------------------- asking

    def _params(self, first: datetime) -> list[tuple[str, str]]:
        at = _minute(first)
        # Page "exemples" (reference 4.5), letter for letter.
        params = [("_filter", f"(_lastUpdated ge {at} or organization._lastUpdated:above ge {at})")]
        if self.plan.regions:
            params.append(("_tag", ",".join(f"{REGION}|{region}" for region in self.plan.regions)))
        return params

    def _gather(self, gathered: Gathered, first: datetime, now: datetime) -> None:
        params = [*self._params(first), *HealthcareServiceQuery().full_offer().params]
        windows = [_Window()]
        while windows:
            window = windows.pop()
            try:
                self._take(gathered, [*params, *window.params])
            except TruncatedResultError as error:
                halves = window.halves(now, first)
                if halves is None:
                    raise self._too_many() from error
                self.watcher.step("split", start=_told(window.start), end=_told(window.end))
                windows += halves
            else:
                self.watcher.step("window", start=_told(window.start), end=_told(window.end), **gathered.counts)

    def _take(self, gathered: Gathered, params: list[tuple[str, str]]) -> None:
        """Take one window, again when its next link expired on the way: what comes twice counts once."""
        try:
            self._read(gathered, params)
        except NotFoundError:
            self._read(gathered, params)

    def _read(self, gathered: Gathered, params: list[tuple[str, str]]) -> None:
        with contextlib.closing(self.client.pages(_TYPE, params)) as pages:
            for page in pages:
                for resource in (*page.matches, *page.included):
                    gathered.put(resource)

    def _too_many(self) -> SyncError:
        return SyncError(
            "more than 10 000 care services bear the same minute as their last change, or came in one minute's window",
            hint="Take a full export (rorn export), or deltas region by region (--region).",
        )

    # -------------------------------------------------------------- writing

    def _beside(self) -> Path:
        if self.plan.into_file:
            return self.plan.out.with_name(f".{self.plan.out.name}.lock") / "coming"
        return private_folder(self.plan.out / DELTAS) / ".coming"

    def _placed(self, gathered: Gathered, since: datetime, cursor: datetime) -> Path | None:
        counts = gathered.counts
        if not counts:
            return None
        if self.plan.into_file:
            gathered.into_file(self.plan.out)
            return self.plan.out
        about = {
            "format": 1,
            "since": written(since),
            "until": written(cursor),
            "overlap": self.plan.overlap,
            "service": self.client.environment.fhir_base,
            "regions": self.plan.regions,
            "created": written(self.clock.now()),
            "counts": counts,
            "repeated": gathered.repeated,
            "cannot_see": CANNOT_SEE,
            "software": f"ror-sante/{__version__}",
        }
        where = self.plan.out / DELTAS / f"{cursor.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        gathered.into_folder(where, {ABOUT: msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n"})
        return where

    def _remember(
        self, cursor: datetime, where: Path | None, counts: dict[str, int], *, full: datetime | None, age: float | None
    ) -> None:
        if self.plan.state is None:
            return
        state = State(
            service=self.client.environment.fhir_base,
            regions=self.plan.regions,
            cursor=written(cursor),
            last_run=written(cursor),
            last_folder=where.name if where else "",
            last_counts=counts,
            last_full=written(full) if full else "",
            last_full_age_days=None if age is None else round(age / 86_400, 2),
        )
        write_state(self.plan.state, state)


def _minute(at: datetime) -> str:
    """Write a time as the documented examples do, to the minute and without a zone.

    Where the server reads that as French time it means an hour or two earlier than UTC: a delta then brings a little
    more than it must, never less, and the windows move together.
    """
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}"


def _told(at: datetime | None) -> str:
    return "" if at is None else _minute(at)


def runs(folder: Path) -> Iterator[Path]:
    """Give the folders of the deltas in an output folder, oldest first."""
    yield from sorted(path.parent for path in (folder / DELTAS).glob(f"[0-9]*/{ABOUT}"))
