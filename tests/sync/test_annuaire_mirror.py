"""Copies of the Annuaire Santé: a scan and what changed since, each record once, taken up where a run stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ror_sante.api.annuaire.client import AnnuaireSanteClient
from ror_sante.api.annuaire.records import is_deactivated
from ror_sante.errors import (
    ConfigurationError,
    NotFoundError,
    ServerFaultError,
    SyncError,
    TruncatedResultError,
)
from ror_sante.http.retry import RetryPolicy
from ror_sante.simulator.annuaire import encoded
from ror_sante.simulator.server import Simulator
from ror_sante.sync.annuaire.copies import copy_of
from ror_sante.sync.annuaire.mirror import OVERLAP, WINDOW, Mirrored, mirror
from ror_sante.sync.annuaire.spool import Spool
from ror_sante.sync.lock import LockedError, locked

SIZE = 500  # people: three pages
TYPE = "Practitioner"
DAY = 86_400.0


@pytest.fixture(scope="module")
def running(sync_pki: Any) -> Iterator[Simulator]:
    with Simulator(sync_pki, size=SIZE) as simulator:
        yield simulator


@pytest.fixture
def annuaire(simulator: Simulator) -> Iterator[AnnuaireSanteClient]:
    with AnnuaireSanteClient(
        simulator.environment,
        api_key=simulator.api_key,
        retry=RetryPolicy(attempts=2, first_wait=0.01, max_wait=0.02, deadline=10),
        calls_per_second=1000,
    ) as client:
        yield client


@pytest.fixture
def run(annuaire: AnnuaireSanteClient, tmp_path: Path) -> Callable[..., Mirrored]:
    """Bring the copy of one type up to date."""

    def _run(resource_type: str = TYPE, **more: Any) -> Mirrored:
        (found,) = mirror(annuaire, [resource_type], tmp_path / "out", **more)
        return found

    return _run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def truth(simulator: Simulator, resource_type: str = TYPE) -> dict[str, Any]:
    """Give what the simulator has, by id."""
    records = simulator.annuaire
    payloads = [json.loads(encoded(records.payload(one) or {})) for one in records.references(resource_type)]
    return {one["id"]: one for one in payloads}


def content(found: Mirrored) -> dict[str, Any]:
    """Give what a copy holds by id, once it is sure that each record is there once, in the file where it belongs."""
    copy = found.copy
    every = {}
    for file, state in ((copy.active, True), (copy.deactivated, False)):
        raw = (found.where / file.file).read_bytes()
        assert (len(raw), sha256(raw).hexdigest()) == (file.bytes, file.sha256)
        records = lines(found.where / file.file)
        assert len(records) == file.count
        assert all((one.get("active", one.get("status") == "active")) is state for one in records)
        every |= {one["id"]: one for one in records}
    assert len(every) == copy.active.count + copy.deactivated.count
    return every


def pages(simulator: Simulator) -> int:
    """How many pages were asked for, the question for the time not counted."""
    return sum("_total=none" not in seen.query for seen in simulator.requests)


# ------------------------------------------------------------------ scan and changes


@pytest.mark.parametrize("resource_type", ["Practitioner", "Organization", "Device"])
def test_the_first_run_copies_everything(run: Any, simulator: Simulator, resource_type: str, tmp_path: Path) -> None:
    """Records in force in one file, deactivated ones in another; nothing else is left in the folder."""
    simulator.change_annuaire(deactivated={resource_type: 3})
    found = run(resource_type)
    assert content(found) == truth(simulator, resource_type)
    assert (found.full, found.copy.deactivated.count, found.changes) == (True, 3, None)
    assert (tmp_path / "out" / resource_type / "current").resolve() == found.where.resolve()
    assert {path.name for path in (tmp_path / "out" / resource_type).iterdir()} == {"current", "snapshots"}
    assert {path.stat().st_mode & 0o777 for path in found.where.iterdir()} == {0o600}


def test_the_next_run_brings_what_changed(run: Any, simulator: Simulator) -> None:
    """What is new or edited in one file, what should be let go in the other; both are folded into the copy."""
    run()
    simulator.clock.advance(DAY)
    simulator.change_annuaire({TYPE: 7}, {TYPE: 2})
    found = run()
    assert content(found) == truth(simulator)
    assert (found.full, found.changed, found.deactivated, found.copy.deactivated.count) == (False, 7, 2, 2)
    assert len(lines(found.changes / f"{TYPE}.ndjson")) == 7
    gone = lines(found.changes / f"{TYPE}.deactivated.ndjson")
    assert {one["id"] for one in gone} == {one["id"] for one in lines(found.where / f"{TYPE}.deactivated.ndjson")}
    about = json.loads((found.changes / "changes.json").read_bytes())
    assert about["since"] == found.since.isoformat().replace("+00:00", "Z")
    assert about["until"] == json.loads((found.where / "manifest.json").read_bytes())["cursor"]


def test_a_run_in_which_nothing_changed_moves_on(run: Any, simulator: Simulator) -> None:
    """No folder of changes, the same files; the next changes start at this run."""
    first = run()
    simulator.clock.advance(DAY)
    second = run()
    assert (second.changes, second.where, second.copy.active) == (None, first.where, first.copy.active)
    assert second.copy.cursor - first.copy.cursor >= timedelta(seconds=DAY)
    assert second.copy.scanned == first.copy.scanned


def test_what_is_changed_while_the_scan_runs_is_in_the_copy(run: Any, simulator: Simulator, watched: Any) -> None:
    """The pages of the scan show the records as of the first page; the changes since its start bring the rest."""
    simulator.clock.advance(DAY)
    taken: list[dict[str, Any]] = []

    def change(step: str) -> None:
        if step == "page" and not taken:  # the scan is over, the changes are not asked yet
            taken.append(truth(simulator))
            simulator.change_annuaire({TYPE: 4}, {TYPE: 1})

    watched.then = change
    found = run(watcher=watched)
    assert content(found) == truth(simulator) != taken[0]
    assert (found.changed, found.deactivated) == (4, 1)


@pytest.mark.parametrize(("seconds", "again"), [(OVERLAP - 120, 2), (OVERLAP + 120, 0)])
def test_the_changes_start_before_the_last_run(run: Any, simulator: Simulator, seconds: float, again: int) -> None:
    """What was changed within the overlap before the last run comes again; what was changed before that does not."""
    simulator.change_annuaire({TYPE: 2})
    simulator.clock.advance(seconds)
    run()
    assert run().changed == again


def test_a_run_that_stops_before_the_last_step_does_it_the_next_time(
    run: Any, simulator: Simulator, tmp_path: Path, monkeypatch: Any
) -> None:
    """The copy is in its folder and its pointer is not moved: no page is fetched again, the changes are there once."""
    run()
    simulator.clock.advance(DAY)
    simulator.change_annuaire({TYPE: 3})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ror_sante.sync.annuaire.mirror.publish", full)
        with pytest.raises(OSError, match="No space"):
            run()
    asked = pages(simulator)
    assert content(run()) == truth(simulator)
    assert pages(simulator) == asked
    assert len(list((tmp_path / "out" / TYPE / "changes").iterdir())) == 1


def test_a_full_scan_anew_takes_the_place_of_the_copy(run: Any, simulator: Simulator) -> None:
    """All pages are asked for; the copy before stays beside it."""
    first = run()
    simulator.clock.advance(DAY)
    asked = pages(simulator)
    again = run(full=True)
    assert pages(simulator) - asked == 3 + 1
    assert (again.full, content(again)) == (True, truth(simulator))
    assert again.copy.scanned > first.copy.scanned
    assert first.where.is_dir()


@pytest.mark.parametrize("days", [1, 3])
def test_a_scan_that_stopped_outlives_the_runs_between(
    run: Any, simulator: Simulator, watched: Any, tmp_path: Path, days: int
) -> None:
    """The nightly run brings what changed and leaves the scan to the next full one; after two days it is let go."""
    run()
    simulator.fault("gateway-empty-next")
    with pytest.raises(TruncatedResultError):
        run(full=True)
    simulator.clock.advance(days * DAY)
    assert content(run()) == truth(simulator)
    left = tmp_path / "out" / TYPE / ".work"
    assert [path.name for path in left.glob("*")] == (["scan"] if days < 2 else [])
    simulator.fault("gateway-stale-next")
    assert content(run(full=True, watcher=watched)) == truth(simulator)
    assert ("resumed" in watched.names) is (days < 2)
    assert not left.exists()


# ------------------------------------------------------------------ the window


@pytest.mark.parametrize("days", [29, 31])
def test_a_copy_older_than_the_window_is_refused(run: Any, simulator: Simulator, days: int) -> None:
    """On day 29 the changes come; on day 31 they are not asked for, the copy stays, and a full scan helps."""
    first = run()
    simulator.clock.advance(days * DAY)
    simulator.change_annuaire({TYPE: 1})
    if days < WINDOW.days:
        assert run().changed == 1
        return
    asked = pages(simulator)
    with pytest.raises(SyncError, match="31 days ago, and the service keeps changes for 30 days") as caught:
        run()
    assert "--full" in caught.value.hint
    assert (pages(simulator), copy_of(first.where.parent.parent)) == (asked, (first.where, first.copy))
    assert content(run(full=True)) == truth(simulator)


def test_every_type_is_looked_at_before_the_first_is_fetched(
    annuaire: AnnuaireSanteClient, run: Any, simulator: Simulator, tmp_path: Path
) -> None:
    """One copy that is too old stops the run before another type is scanned."""
    run()
    simulator.clock.advance(31 * DAY)
    with pytest.raises(SyncError, match="of Practitioner"):
        next(mirror(annuaire, ["Device", TYPE], tmp_path / "out"))
    assert not (tmp_path / "out" / "Device").exists()


# ------------------------------------------------------------------ what goes wrong on the way


def test_a_stale_link_begins_the_scan_anew(run: Any, simulator: Simulator, watched: Any, monkeypatch: Any) -> None:
    """Each record is there once; three times in a row is an error, and the copy of before stays."""
    monkeypatch.setattr("ror_sante.sync.annuaire.spool.PAGES", 1)
    monkeypatch.setattr("ror_sante.sync.annuaire.mirror._TOLD", 1)
    simulator.fault("gateway-stale-next")
    found = run(watcher=watched)
    assert content(found) == truth(simulator)
    assert watched.names.count("restarted") == 1
    assert [about["found"] for step, about in watched.steps if step == "page"] == [200, 200, 400, 500, 0]
    simulator.fault("gateway-stale-next", times=None)
    with pytest.raises(SyncError, match="lost the pages of Practitioner 3 times"):
        run(full=True)
    assert copy_of(found.where.parent.parent) == (found.where, found.copy)


def test_an_empty_page_is_an_error_and_what_came_stays(run: Any, simulator: Simulator, watched: Any) -> None:
    """The next run asks that page once more, and no page before it."""
    simulator.fault("gateway-empty-next")
    with pytest.raises(TruncatedResultError, match="holds no entry after 200 results"):
        run()
    asked = pages(simulator)
    found = run(watcher=watched)
    assert content(found) == truth(simulator)
    assert watched.about("resumed")["found"] == 200
    assert pages(simulator) - asked == 2 + 1


def test_a_page_that_stays_empty_begins_the_scan_anew(run: Any, simulator: Simulator, watched: Any) -> None:
    """A link that leads nowhere in the next run too is given up, so that no run is stuck at it for ever."""
    simulator.fault("gateway-empty-next", times=2)
    with pytest.raises(TruncatedResultError):
        run()
    assert content(run(watcher=watched)) == truth(simulator)
    assert watched.names.count("restarted") == 1


def test_a_result_that_ends_too_early_is_no_copy(run: Any, simulator: Simulator, tmp_path: Path, watched: Any) -> None:
    """The service counts more than it gave: nothing is put in place, and the next run asks that page again."""
    watched.then = lambda step: simulator.fault("gateway-no-next") if step == "begun" else None
    with pytest.raises(TruncatedResultError, match="counts 500 results, gave 200"):
        run(watcher=watched)
    assert copy_of(tmp_path / "out" / TYPE) is None
    assert content(run()) == truth(simulator)


def test_a_bad_time_of_the_service_is_waited_out(run: Any, simulator: Simulator, watched: Any, clock: Any) -> None:
    """A long run of 502 in the middle costs a wait; at the first page, where nothing can be lost, it is an error."""
    simulator.fault("gateway-502", times=2)
    with pytest.raises(ServerFaultError):
        run("Device", clock=clock)
    assert clock.slept == []
    watched.then = lambda step: simulator.fault("gateway-502", times=5) if step == "resumed" else None
    simulator.fault("gateway-empty-next")
    with pytest.raises(TruncatedResultError):
        run()
    assert content(run(watcher=watched, clock=clock)) == truth(simulator)
    assert clock.slept == [30.0, 60.0]


def test_a_service_that_stays_down_ends_the_run(run: Any, simulator: Simulator, clock: Any, watched: Any) -> None:
    """After a quarter of an hour without a page; what had come stays for the next run."""
    simulator.fault("gateway-empty-next")
    with pytest.raises(TruncatedResultError):
        run()
    watched.then = lambda step: simulator.fault("gateway-502", times=None) if step == "resumed" else None
    with pytest.raises(ServerFaultError):
        run(watcher=watched, clock=clock)
    assert sum(clock.slept) == 930
    simulator._faults.clear()
    asked = pages(simulator)
    assert content(run()) == truth(simulator)
    assert pages(simulator) - asked == 2 + 1


def test_a_circle_of_links_ends(run: Any, simulator: Simulator, watched: Any) -> None:
    """Links that all differ and lead to the same page again are an error after the first repetition."""
    simulator.fault("gateway-next-loop", times=None)
    with pytest.raises(SyncError, match="do not end"):
        run()
    simulator._faults.clear()
    assert content(run(watcher=watched)) == truth(simulator)
    assert "resumed" not in watched.names  # what a circle gave is not counted with the rest


def test_a_wrong_address_is_not_tried_again(annuaire: AnnuaireSanteClient, tmp_path: Path, monkeypatch: Any) -> None:
    """A first page that is not there is no stale link."""

    def scan(*_: object, **__: object) -> Iterator[Any]:
        raise NotFoundError("no such page", status=404)
        yield

    monkeypatch.setattr(annuaire, "scan", scan)
    with pytest.raises(NotFoundError):
        next(mirror(annuaire, [TYPE], tmp_path / "out"))


def test_work_of_two_days_ago_is_begun_anew(run: Any, simulator: Simulator, watched: Any) -> None:
    """Its links are long dead, and its records old; work of yesterday is taken up."""
    simulator.fault("gateway-empty-next")
    with pytest.raises(TruncatedResultError):
        run()
    simulator.clock.advance(2 * DAY + 1)
    assert content(run(watcher=watched)) == truth(simulator)
    assert "resumed" not in watched.names


def test_damaged_work_is_begun_anew_and_a_damaged_copy_is_told(run: Any, simulator: Simulator, tmp_path: Path) -> None:
    """Work can be had again; a copy that cannot be read is never taken for none."""
    simulator.fault("gateway-empty-next")
    with pytest.raises(TruncatedResultError):
        run()
    (tmp_path / "out" / TYPE / ".work" / "scan" / "lines.ndjson").write_bytes(b"")
    assert Spool.left(tmp_path / "out" / TYPE / ".work" / "scan") is None
    found = run()
    assert content(found) == truth(simulator)
    (found.where / f"{TYPE}.ndjson").write_bytes(b"{}\n")
    simulator.clock.advance(DAY)
    simulator.change_annuaire({TYPE: 1})
    with pytest.raises(SyncError, match=r"line 1 of .* is no record"):
        run()
    (found.where / "manifest.json").write_bytes(b"{")
    with pytest.raises(SyncError, match="missing or damaged") as caught:
        run()
    assert "--full" in caught.value.hint
    assert content(run(full=True)) == truth(simulator)


def test_a_record_without_an_id_is_an_error(run: Any, simulator: Simulator, monkeypatch: Any) -> None:
    """Without it nobody can tell whether it has changed."""
    monkeypatch.setattr("ror_sante.sync.annuaire.spool.head_of", lambda _: None)
    with pytest.raises(SyncError, match="has no id"):
        run()


# ------------------------------------------------------------------ usage


def test_wrong_calls(annuaire: AnnuaireSanteClient, run: Any, tmp_path: Path) -> None:
    """No such type, an overlap beyond the window, a copy of another service, a lock that is held."""
    with pytest.raises(ConfigurationError, match="no resource type"):
        mirror(annuaire, ["Location"], tmp_path / "out")
    with pytest.raises(ConfigurationError, match="overlap"):
        mirror(annuaire, [TYPE], tmp_path / "out", overlap=-1)
    found = run("Device")
    about = json.loads((found.where / "manifest.json").read_bytes())
    (found.where / "manifest.json").write_text(json.dumps(about | {"service": "https://elsewhere.invalid/fhir/v2"}))
    with pytest.raises(ConfigurationError, match="another service"):
        run("Device")
    with locked(tmp_path / "out"), pytest.raises(LockedError):
        run()


def test_a_disk_without_room_is_told_before_the_copy_is_written(
    run: Any, simulator: Simulator, monkeypatch: Any
) -> None:
    """What has come stays: with room the next run asks for no page of it again."""
    usage = shutil.disk_usage
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=1000))
        with pytest.raises(ConfigurationError, match="MiB are free"):
            run()
    asked = pages(simulator)
    assert content(run()) == truth(simulator)
    assert pages(simulator) == asked


def test_a_copy_that_goes_away_meanwhile_is_told(run: Any, monkeypatch: Any) -> None:
    """Somebody removed the pointer."""
    monkeypatch.setattr("ror_sante.sync.annuaire.mirror.publish", lambda *_: None)
    with pytest.raises(SyncError, match="has gone"):
        run("Device")


def test_a_deactivated_record_is_told_from_one_in_force(annuaire: AnnuaireSanteClient, simulator: Simulator) -> None:
    """By ``active``, and by ``status`` for a Device."""
    simulator.change_annuaire(deactivated={TYPE: 1, "Device": 1})
    for resource_type in (TYPE, "Device"):
        assert sum(map(is_deactivated, annuaire.search(resource_type))) == 1
