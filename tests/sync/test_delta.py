"""A delta: what it brings, how it is cut into windows, and when its state moves on."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from ror_sante.api import completeness
from ror_sante.api.fhir.bundle import Bundle, Resource
from ror_sante.errors import ConfigurationError, NotFoundError, RorError, SyncError
from ror_sante.http.exchange import Answer
from ror_sante.simulator import fhir
from ror_sante.sync import delta as module
from ror_sante.sync.delta import Outcome, Plan, delta, runs
from ror_sante.sync.export import Selection, export
from ror_sante.sync.gather import Gathered
from ror_sante.sync.job import REGION
from ror_sante.sync.lock import LockedError, locked
from ror_sante.sync.state import State, full_of, read_state, since, write_state

DAY = 86_400


@pytest.fixture
def now(copier: Any) -> Any:
    """A copier whose simulator stands a day after its last change."""
    made = copier()
    made.simulator.clock.advance(DAY)
    return made


def ran(copier: Any, **plan: Any) -> Outcome:
    asked = {"out": copier.folder, "state": copier.folder / "delta-state.json", **plan}
    return delta(copier.client, Plan(**asked), watcher=plan.pop("watcher", None))


def read(where: Path) -> dict[str, list[dict[str, Any]]]:
    return {path.stem: [json.loads(line) for line in path.read_bytes().splitlines()] for path in where.glob("*.ndjson")}


def sent(copier: Any) -> list[dict[str, list[str]]]:
    """The parameters of the searches, without the one that asks for the time and the further pages."""
    found = []
    for seen in copier.simulator.requests:
        if seen.path.endswith("/HealthcareService") and ("_count", "1") not in seen.params:
            grouped: dict[str, list[str]] = {}
            for name, value in seen.params:
                grouped.setdefault(name, []).append(value)
            found.append(grouped)
    return found


def long_ago(copier: Any, **ago: float) -> datetime:
    moment: datetime = copier.simulator.clock.now() - timedelta(**ago)
    return moment


# ------------------------------------------------------------------ what comes


def test_a_delta_of_a_regional_copy_is_regional(now: Any) -> None:
    """Without regions it asks for those of the copy in its folder, and never for one that the copy does not hold."""
    now.copy(Selection(("11", "84")))
    ran(now)
    assert sent(now)[-1]["_tag"] == [f"{REGION}|11,{REGION}|84"]
    with pytest.raises(ConfigurationError, match="is of the regions 11, 84"):
        ran(now, regions=("53",), state=now.folder / "other.json")
    ran(now, regions=("84",), state=now.folder / "other.json")
    assert sent(now)[-1]["_tag"] == [f"{REGION}|84"]


def test_what_changed_comes_with_what_hangs_on_it(now: Any) -> None:
    """Two edited services, each in its file by type; the state remembers the server's time, not ours."""
    now.simulator.evolve({"HealthcareService": 2})
    found = ran(now, since=long_ago(now, minutes=1), overlap=0)
    assert found.counts["HealthcareService"] == 2
    assert found.where is not None
    files = read(found.where)
    assert {one["name"][-6:] for one in files["HealthcareService"]} == {"(revu)"}
    assert {"Organization", "Location"} <= set(files)
    state = read_state(now.folder / "delta-state.json")
    assert state is not None
    assert abs(since(state.cursor) - now.simulator.clock.now()) < timedelta(seconds=10)
    assert since(state.cursor) > datetime.now(UTC) + timedelta(hours=12)
    assert state.last_counts == found.counts
    assert "deletions" in state.cannot_see
    about = json.loads((found.where / "delta.json").read_bytes())
    assert about["until"] == state.cursor
    assert list(runs(now.folder)) == [found.where]


def test_a_change_of_an_organization_is_seen(now: Any) -> None:
    """The service's own date stands still; the documented form finds it all the same, and is sent as documented."""
    now.simulator.evolve({"Organization": 1})
    start = long_ago(now, minutes=1)
    found = ran(now, since=start, overlap=0)
    assert found.counts["HealthcareService"] > 0
    (search,) = [each for each in sent(now) if "_filter" in each]
    at = f"{start:%Y-%m-%dT%H:%M}"
    assert search["_filter"] == [f"(_lastUpdated ge {at} or organization._lastUpdated:above ge {at})"]


def test_what_a_delta_cannot_see_does_not_come(now: Any) -> None:
    """A Location that changed alone and a service that vanished are not in it: nothing is found."""
    now.simulator.evolve({"Location": 1}, {"HealthcareService": 1})
    found = ran(now, since=long_ago(now, minutes=1), overlap=0)
    assert (found.where, found.counts) == (None, {})
    assert read_state(now.folder / "delta-state.json") is not None
    assert list(runs(now.folder)) == []


def test_the_next_run_starts_where_the_last_one_began_less_the_overlap(now: Any) -> None:
    """The second run asks from the first one's time, ten minutes earlier."""
    first = ran(now, since=long_ago(now, minutes=1))
    now.simulator.clock.advance(3600)
    second = ran(now)
    assert second.since == first.cursor
    at = f"{first.cursor - timedelta(minutes=10):%Y-%m-%dT%H:%M}"
    assert at in sent(now)[-1]["_filter"][0]


def test_regions_are_one_parameter(now: Any) -> None:
    """Two regions are two values of ``_tag``, and their services alone come."""
    found = ran(now, since=datetime(2020, 1, 1, tzinfo=UTC), regions=("11", "84"))
    assert sent(now)[0]["_tag"][0].count("|") == 2
    assert found.where is not None
    offers = read(found.where)["HealthcareService"]
    assert offers
    assert {one["meta"]["tag"][0]["code"] for one in offers} <= {"11", "84"}


def test_all_may_go_into_one_file(now: Any, tmp_path: Path) -> None:
    """The file is for its owner alone, and one that is there is not replaced."""
    now.simulator.evolve({"HealthcareService": 1})
    path = tmp_path / "changes.ndjson"
    found = ran(now, out=path, state=None, since=long_ago(now, minutes=1), overlap=0)
    assert found.where == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    types = [json.loads(line)["resourceType"] for line in path.read_bytes().splitlines()]
    assert types.count("HealthcareService") == 1
    with pytest.raises(ConfigurationError, match="is there already"):
        ran(now, out=path, since=long_ago(now, minutes=1))


def test_everything_is_private(now: Any) -> None:
    """Folders 0700, files 0600."""
    now.simulator.evolve({"HealthcareService": 1})
    ran(now, since=long_ago(now, minutes=1))
    for path in now.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


# ------------------------------------------------------------------ windows


@pytest.fixture
def cap(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let service and client cut at another number than 10 000."""

    def to(number: int) -> None:
        monkeypatch.setattr(completeness, "RESULT_CAP", number)
        monkeypatch.setattr(fhir, "RESULT_CAP", number)

    return to


@pytest.mark.parametrize("total", ["true", "capped"])
def test_a_result_that_would_be_cut_is_asked_in_windows(copier: Any, cap: Any, total: str, watched: Any) -> None:
    """With a cap of 25, 60 services come all the same, each once, and all windows carry the documented form."""
    made = copier(total=total)
    cap(25)
    plan = Plan(out=made.folder, since=datetime(2024, 6, 1, tzinfo=UTC), state=made.folder / "s.json")
    made.simulator.evolve({"Organization": 3})
    found = delta(made.client, plan, watcher=watched)
    cap(10_000)
    whole = delta(made.client, Plan(out=made.folder, since=datetime(2024, 6, 1, tzinfo=UTC)))
    assert found.counts == whole.counts
    assert found.counts["HealthcareService"] > 25
    assert watched.names.count("split") >= 2
    assert {each["_filter"][0] for each in sent(made)} == {sent(made)[0]["_filter"][0]}
    assert found.where is not None
    assert whole.where is not None
    names = {kind: {one["id"] for one in each} for kind, each in read(found.where).items()}
    assert names == {kind: {one["id"] for one in each} for kind, each in read(whole.where).items()}


def test_a_minute_too_full_is_an_error_and_the_state_stays(now: Any, cap: Any) -> None:
    """Thirty services edited in one second, with a cap of 10: no window is small enough."""
    now.simulator.evolve({"HealthcareService": 30})
    cap(10)
    with pytest.raises(SyncError, match="the same minute"):
        ran(now, since=long_ago(now, minutes=5))
    assert read_state(now.folder / "delta-state.json") is None
    assert [path.name for path in (now.folder / "deltas").iterdir()] == []


# ------------------------------------------------------------------ when it stops


class StoppedError(Exception):
    """What a signal would raise."""


@pytest.mark.parametrize("at", ["delta", "window"])
def test_a_run_that_stops_leaves_the_state_and_no_half(now: Any, watched: Any, at: str) -> None:
    """Whatever stops it and wherever: the old state, nothing beside, and the next run brings the same."""
    now.simulator.evolve({"HealthcareService": 2})
    ran(now, since=long_ago(now, days=2))
    before = (now.folder / "delta-state.json").read_bytes()
    now.simulator.evolve({"HealthcareService": 2})

    def stop(step: str) -> None:
        if step == at:
            raise StoppedError

    watched.then = stop
    with pytest.raises(StoppedError):
        delta(now.client, Plan(out=now.folder, state=now.folder / "delta-state.json"), watcher=watched)
    assert (now.folder / "delta-state.json").read_bytes() == before
    assert len(list((now.folder / "deltas").iterdir())) == 1
    assert ran(now).counts["HealthcareService"] >= 2


def test_what_a_killed_run_left_is_cleared(now: Any) -> None:
    """A folder of a gathering that never ended does not get into the next."""
    left = now.folder / "deltas" / ".coming"
    left.mkdir(parents=True)
    (left / "HealthcareService.spool").write_bytes(b"half")
    ran(now, since=long_ago(now, minutes=1))
    assert not left.exists()


def test_a_locked_folder_is_left_alone(now: Any) -> None:
    """An export, or another delta, at work in the folder."""
    with locked(now.folder), pytest.raises(LockedError):
        ran(now, since=long_ago(now, minutes=1))


class Expiring:
    """A client whose next link is gone the first times."""

    def __init__(self, client: Any, times: int) -> None:
        self._client = client
        self._left = times
        self.environment = client.environment
        self.request = client.request

    def pages(self, kind: str, params: Any) -> Any:
        for page in self._client.pages(kind, params):
            yield page
            if self._left:
                self._left -= 1
                raise NotFoundError("gone", status=410, method="GET", url="https://here.invalid")


def test_an_expired_link_is_survived_once(now: Any) -> None:
    """The window is asked again, and what comes twice counts once; a second time is an error."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    once: Any = Expiring(now.client, 1)
    assert delta(once, Plan(out=now.folder, since=start)).counts["HealthcareService"] == 60
    twice: Any = Expiring(now.client, 2)
    with pytest.raises(NotFoundError):
        delta(twice, Plan(out=now.folder, since=start))


# ------------------------------------------------------------------ the server's time


class Dated:
    """A client that finds nothing, with a server that tells the time in its own way."""

    def __init__(self, client: Any, headers: dict[str, str]) -> None:
        self.environment = client.environment
        self._headers = headers

    def request(self, method: str, path: str, **_: Any) -> Answer:
        return Answer(method, path, 200, CaseInsensitiveDict(self._headers), b"", 0.0, datetime.now(UTC))

    def pages(self, *_: Any) -> Any:
        yield Bundle()


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
def test_a_server_without_a_clock_is_an_error(now: Any, headers: dict[str, str]) -> None:
    """Our own clock never takes its place."""
    client: Any = Dated(now.client, headers)
    with pytest.raises(SyncError, match="does not say its time"):
        delta(client, Plan(out=now.folder, since=datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
def test_a_date_is_utc(now: Any, zone: str) -> None:
    """With its zone and without."""
    client: Any = Dated(now.client, {"Date": f"Sat, 03 Jan 2026 10:00:00 {zone}"})
    found = delta(client, Plan(out=now.folder, since=datetime(2026, 1, 1, tzinfo=UTC)))
    assert found.cursor == datetime(2026, 1, 3, 10, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="after the server's time"):
        delta(client, Plan(out=now.folder, since=datetime(2026, 2, 1, tzinfo=UTC)))


# ------------------------------------------------------------------ the start, the state, the full export


def test_the_first_run_starts_at_the_full_export_of_the_folder(now: Any) -> None:
    """Its time is the server's; over seven days later the age is a warning."""
    export(now.client, now.folder, Selection())
    theirs, _ = full_of(now.folder)
    first = ran(now)
    assert first.since == theirs
    assert not first.full_is_old
    now.simulator.clock.advance(7 * DAY + 60)
    late = ran(now)
    assert late.full_is_old
    state = read_state(now.folder / "delta-state.json")
    assert state is not None
    assert state.last_full_age_days == pytest.approx(7, abs=0.1)


def test_a_full_export_without_the_servers_time_is_no_start(copier: Any) -> None:
    """A bare manifest tells no time: its age is known by our clock, but a delta does not go by that."""
    made = copier(manifest="bare")
    export(made.client, made.folder, Selection())
    theirs, age = full_of(made.folder)
    assert (theirs is None, age is None) == (True, False)
    with pytest.raises(ConfigurationError, match="nothing says where"):
        ran(made)
    manifest = made.folder / "current" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"created": "20', b'"created": "x'))
    assert full_of(made.folder) == (None, None)


def test_a_folder_without_a_full_export_is_told(now: Any) -> None:
    """Nothing is known of its age: that counts as old."""
    assert ran(now, since=long_ago(now, minutes=1)).full_is_old


def test_a_state_of_other_regions_or_another_service_is_refused(now: Any) -> None:
    """One state, one choice."""
    ran(now, since=long_ago(now, minutes=1))
    with pytest.raises(ConfigurationError, match="another service or other regions"):
        ran(now, regions=("11",))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"service":"","regions":[],"cursor":"soon"}', b"\xff"])
def test_a_damaged_state_is_refused(tmp_path: Path, content: bytes) -> None:
    """It is never taken for a new one: that would leave a gap."""
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not the state"):
        read_state(path)


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    """All of it."""
    state = State(service="s", regions=("11",), cursor="2026-01-01T00:00:00+00:00", last_full_age_days=1.5)
    write_state(tmp_path / "s.json", state)
    assert read_state(tmp_path / "s.json") == state
    assert stat.S_IMODE((tmp_path / "s.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "plan", [{}, {"since": "x"}, {"overlap": -1}, {"overlap": float("nan")}, {"regions": ("1/2",)}]
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, plan: dict[str, Any]) -> None:
    """No start, no time, no overlap, no region."""
    given: dict[str, Any] = dict(plan)
    if plan.keys() & {"overlap", "regions"}:
        given["state"] = tmp_path / "state.json"
    with pytest.raises(ConfigurationError):
        Plan(out=tmp_path, **({**given, "since": since(given["since"])} if "since" in given else given))


# ------------------------------------------------------------------ gathering


def resource(updated: object, name: str, kind: str = "Location") -> Resource:
    return Resource(json.dumps({"resourceType": kind, "id": "1", "meta": {"lastUpdated": updated}, "n": name}).encode())


def test_of_two_versions_the_newer_stays(tmp_path: Path) -> None:
    """By time and not by text; of two alike the later; one without a time is older than all."""
    with Gathered(tmp_path / "beside") as gathered:
        for each in (
            resource("2026-01-01T10:00:00+02:00", "older"),
            resource("2026-01-01T09:00:00Z", "newest"),
            resource("2026-01-01T08:30:00", "old, without a zone"),
            resource("lately", "undated"),
            resource(7, "odd"),
        ):
            gathered.put(each)
        gathered.put(resource("2026-01-01T09:00:00Z", "other", "Patient"))
        assert (gathered.counts, gathered.repeated) == ({"Location": 1, "Other": 1}, 4)
        gathered.into_folder(tmp_path / "made", {})
    assert [one["n"] for one in read(tmp_path / "made")["Location"]] == ["newest"]
    assert [one["n"] for one in read(tmp_path / "made")["Other"]] == ["other"]
    assert not (tmp_path / "beside").exists()


def test_the_documented_overlap() -> None:
    """Ten minutes."""
    assert module.OVERLAP == 600
    assert issubclass(SyncError, RorError)
