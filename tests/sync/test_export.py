"""A full copy end to end against the simulator: what it holds, how it goes on, and what never replaces a good one."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from ror_sante.errors import (
    AccessDeniedError,
    ConfigurationError,
    ServerFaultError,
    SyncError,
    UnexpectedResponseError,
    UnreachableError,
)
from ror_sante.sync.export import Options, Selection, ShrunkError
from ror_sante.sync.lock import LockedError, locked

Make = Callable[..., Any]
REGION = "https://mos.esante.gouv.fr/NOS/TRE_R30-RegionOM/FHIR/TRE-R30-RegionOM"


class Stop(Exception):  # noqa: N818  no error: the test's own word
    """A test stops a run."""


def stopping(watched: Any, after: str, times: int = 1) -> Any:
    """Let a watcher stop the run, from the outside, at the n-th step of a name."""
    left = [times]

    def then(name: str) -> None:
        left[0] -= name == after
        if not left[0]:
            left[0] = -1
            raise Stop

    watched.then = then
    return watched


# ------------------------------------------------------------------ what a copy holds


def test_a_copy_holds_every_record_once(copier: Make, good: Make, watched: Any) -> None:
    """NDJSON files with each resource of the directory that is linked to an offer, once, in the service's words."""
    made = copier()
    where = made.copy(watched=watched)
    directory = made.simulator.directory
    lines = (where / "HealthcareService.ndjson").read_bytes().splitlines()
    assert lines == [directory.body(record) for record in directory.HealthcareService]
    for name in ("Location", "PractitionerRole"):
        written = sorted((where / f"{name}.ndjson").read_bytes().splitlines())
        assert written == sorted(directory.body(record) for record in directory.records(name))
    assert good(made.folder)
    assert watched.names[:2] == ["begun", "job"]
    assert watched.names[-2:] == ["assembling", "published"]
    assert watched.about("ready") == {"region": "", "files": 6, "whole": 0}
    assert watched.about("published")["HealthcareService"] == 60
    assert watched.bytes == sum(about["bytes"] for name, about in watched.steps if name == "file")


def test_the_manifest_tells_what_there_is(copier: Make) -> None:
    """Counts by type, by region and type, the time of the data, and how it was got."""
    made = copier()
    manifest = json.loads((made.copy() / "manifest.json").read_bytes())
    directory = made.simulator.directory
    assert manifest["types"]["HealthcareService"]["count"] == 60
    regions = {record.city.region for record in directory.HealthcareService}
    counts = {(one["region"], one["type"]): one for one in manifest["counts"]}
    assert {region for region, name in counts if name == "HealthcareService"} == regions
    assert sum(one["count"] for (_, name), one in counts.items() if name == "HealthcareService") == 60
    assert all(one["with_telecom"] == one["count"] for (_, name), one in counts.items() if name == "HealthcareService")
    assert all(one["with_telecom"] == 0 for (_, name), one in counts.items() if name == "Location")
    assert manifest["jobs"][0]["transaction_time"].startswith("20")
    assert (manifest["regions"], manifest["jobs"][0]["files"], manifest["method"]) == ([], 6, "$export")
    assert manifest["service"].endswith("/ws-diffusion-fhir")
    assert manifest["repeated"] > 0


@pytest.mark.parametrize(
    "switches",
    [
        {"export_files": "ndjson"},
        {"manifest": "bare"},
        {"gzip": True},
        {"link_origin": "https://api-interne.ror.invalid"},
        {"export_cancel": False},
        {"export_polls": 0},
        {"bound_tokens": True},
    ],
)
def test_every_form_of_the_service_gives_the_same_copy(
    simulate: Make, copier: Make, content_of: Make, switches: dict[str, Any]
) -> None:
    """The wrapper, a manifest without counts, gzip and internal host names leave no trace in the files."""
    plain = content_of(copier(simulate(size=30), out="plain").copy())
    other = content_of(copier(simulate(size=30, **switches), out="other").copy())
    for one in (plain, other):
        del one["manifest"]["service"]
    assert other == plain


def test_the_kick_off_speaks_the_dialect_of_the_ror(copier: Make) -> None:
    """JSON, a filter that one decoding makes whole, Prefer, the four headers, and no NDJSON."""
    made = copier()
    made.copy(Selection(("11", "84"), types=("HealthcareService",), output_format="application/fhir+json"))
    kicks = [seen for seen in made.simulator.requests if seen.path.endswith("/$export")]
    assert [dict(parse_qsl(seen.query)) for seen in kicks] == [
        {
            "_outputFormat": "application/fhir+json",
            "_type": "HealthcareService",
            "_typeFilter": f"HealthcareService?_tag={REGION}|{region}",
        }
        for region in ("11", "84")
    ]
    assert all(seen.headers["prefer"] == "respond-async" for seen in kicks)
    assert all("ror-role-metier-code" in seen.headers for seen in kicks)
    files = [seen for seen in made.simulator.requests if "$export-get-file" in seen.path]
    assert all("ror-role-metier-code" in seen.headers for seen in files)


def test_regions_are_jobs_of_their_own_and_one_copy(copier: Make) -> None:
    """Two regions: two jobs, one file a type, and nothing of a third region."""
    made = copier(size=400, export_slice=100)
    where = made.copy(Selection(("11", "84")))
    manifest = json.loads((where / "manifest.json").read_bytes())
    assert [job["region"] for job in manifest["jobs"]] == ["11", "84"]
    offers = [json.loads(line) for line in (where / "HealthcareService.ndjson").read_bytes().splitlines()]
    assert {offer["meta"]["tag"][0]["code"] for offer in offers} == {"11", "84"}


def test_files_and_folders_are_for_their_owner_alone(copier: Make, watched: Any) -> None:
    """0600 in 0700 while it works and afterwards, whatever the umask."""
    made = copier()
    before = os.umask(0)
    try:
        with pytest.raises(Stop):
            made.copy(watched=stopping(watched, "assembling"))
        half = list(made.folder.rglob("*"))
        made.copy(None)
    finally:
        os.umask(before)
    for path in [made.folder, *half, *made.folder.rglob("*")]:
        if path.exists() and not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_job_is_deleted_at_the_end(copier: Make) -> None:
    """DELETE goes to the address that was polled, after the copy is in place."""
    made = copier()
    made.copy()
    last = made.simulator.requests[-1]
    assert (last.method, last.status) == ("DELETE", 202)


def test_a_second_copy_takes_the_place_of_the_first(copier: Make, good: Make) -> None:
    """The pointer moves, the one before stays readable, older ones go, and nothing of the work is left."""
    made = copier(size=20)
    first, second = made.copy(), made.copy()
    assert (made.folder / "current").resolve() == second
    assert first.is_dir()
    third = made.copy()
    assert not first.exists()
    assert sorted((made.folder / "snapshots").iterdir()) == sorted([second, third])
    assert list((made.folder / "work").iterdir()) == []
    assert good(made.folder)


# ------------------------------------------------------------------ polls and jobs


def test_polls_wait_as_the_service_asks_within_limits(copier: Make, watched: Any) -> None:
    """A Retry-After of nothing waits a little, one of an hour a minute; the progress is shown."""
    made = copier(size=10, export_polls=2)
    made.copy(watched=watched)
    assert made.clock.slept == [0.2, 0.2]
    assert [about["progress"] for name, about in watched.steps if name == "waiting"] == [
        "En cours : 0 %",
        "En cours : 50 %",
    ]
    made = copier(size=10, export_polls=1, export_wait=3600)
    made.copy()
    assert made.clock.slept == [60.0]


def test_a_job_that_takes_too_long_can_be_taken_up(copier: Make) -> None:
    """The time limit ends the run, and --resume polls the same job."""
    made = copier(export_polls=3, export_wait=50)
    with pytest.raises(SyncError, match="not ready after 120 s") as caught:
        made.copy(patience=120)
    assert "export-poll-status" in str(caught.value.cursor)
    made.copy(None)
    assert made.kick_offs() == 1


def test_a_job_that_failed_is_not_asked_for_again(copier: Make, good: Make) -> None:
    """--resume starts again with new ones."""
    made = copier()
    made.simulator.fault("export-failed", times=1)
    with pytest.raises(SyncError, match="failed at the service") as caught:
        made.copy(Selection(("11", "84")))
    assert "--resume starts again" in caught.value.hint
    assert made.kick_offs() == 1
    manifest = json.loads((made.copy(None) / "manifest.json").read_bytes())
    assert made.kick_offs() == 3
    assert [job["region"] for job in manifest["jobs"]] == ["11", "84"]
    assert good(made.folder)


@pytest.mark.parametrize("fault", ["export-error-file", "export-wrong-count"])
def test_a_job_that_made_nothing_of_use_is_not_asked_for_again(copier: Make, good: Make, fault: str) -> None:
    """Errors in its manifest, or files that are broken twice: --resume starts again with a new one."""
    made = copier()
    made.simulator.fault(fault)
    with pytest.raises(SyncError) as caught:
        made.copy()
    assert "--resume starts again" in caught.value.hint
    made.copy(None)
    assert made.kick_offs() == 2
    assert good(made.folder)


def test_a_poll_that_failed_is_no_job_that_failed(copier: Make) -> None:
    """What a busy server says is no word about the job: --resume asks for it again."""
    made = copier()
    made.simulator.fault("http-503-retry-after", times=4, at="poll")
    with pytest.raises(ServerFaultError):
        made.copy()
    made.copy(None)
    assert made.kick_offs() == 1


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("export-no-location", SyncError, "no address to poll"),
        ("export-poll-elsewhere", UnexpectedResponseError, "not followed"),
        ("export-failed", SyncError, "the export failed at the service: L'extraction a échoué"),
        ("export-foreign-file", UnexpectedResponseError, "not followed"),
        ("export-error-file", SyncError, "reports errors"),
        ("export-empty-manifest", ShrunkError, "0 now; and more"),
        ("export-wrong-count", SyncError, "announces"),
    ],
)
def test_what_the_service_does_wrong_ends_the_run(
    copier: Make, fault: str, error: type[Exception], words: str, good: Make
) -> None:
    """Each is an error of its own, sends nothing elsewhere, and leaves the good copy as it was."""
    made = copier()
    first = made.copy()
    made.simulator.fault(fault, times=None)
    with pytest.raises(error, match=words):
        made.copy()
    assert (made.folder / "current").resolve() == first
    assert good(made.folder)


@pytest.mark.parametrize("fault", ["export-unknown-keys", "export-internal-host"])
def test_what_is_strange_and_harmless_passes(copier: Make, fault: str, good: Make) -> None:
    """Unknown keys are ignored; an internal host is asked at the configured one."""
    made = copier()
    made.simulator.fault(fault)
    made.copy()
    assert good(made.folder)


def test_a_first_copy_of_nothing_is_a_verdict_too(copier: Make) -> None:
    """There is nothing to compare with, and still an empty copy is not a good one, unless it is accepted."""
    made = copier(size=0)
    with pytest.raises(ShrunkError, match="nothing at all"):
        made.copy()
    assert not (made.folder / "current").exists()
    made.copy(None, accept_shrink=True)
    assert [path.name for path in (made.folder / "current").iterdir()] == ["manifest.json"]


def test_no_file_is_asked_for_when_one_is_elsewhere(copier: Make) -> None:
    """The manifest is judged whole before the first file."""
    made = copier()
    made.simulator.fault("export-foreign-file")
    with pytest.raises(UnexpectedResponseError):
        made.copy()
    assert made.fetched() == []


@pytest.mark.parametrize(("fault", "at"), [("export-lost", None), ("export-file-gone", None), ("export-lost", "later")])
def test_a_lost_job_starts_again(copier: Make, watched: Any, good: Make, fault: str, at: str | None) -> None:
    """A job or a file that is gone costs a new job; what was fetched of the old one is thrown away."""
    made = copier()
    made.simulator.fault(fault)
    made.copy(watched=watched)
    assert watched.names.count("restarted") == 1
    assert watched.names.count("begun") == 2
    assert good(made.folder)


def test_a_job_that_is_always_lost_is_an_error(copier: Make) -> None:
    """Three times, no more."""
    made = copier()
    made.simulator.fault("export-lost", times=None)
    with pytest.raises(SyncError, match="lost the job 3 times"):
        made.copy()


# ------------------------------------------------------------------ files


@pytest.mark.parametrize(
    "fault", ["http-500", "cut-body", "reset", "token-expired-early", "truncated-json", "html-200"]
)
def test_a_file_that_fails_once_is_fetched_again(copier: Make, fault: str, content_of: Make, good: Make) -> None:
    """A fault of the server, a break, a token that is revoked, half a file: the copy is the same."""
    made = copier()
    expected = content_of(made.copy())
    made.simulator.fault(fault, at="file")
    assert content_of(made.copy()) == expected
    assert good(made.folder)


@pytest.mark.parametrize(
    ("fault", "error"), [("403", AccessDeniedError), ("html-200", UnexpectedResponseError), ("reset", UnreachableError)]
)
def test_a_file_that_always_fails_ends_the_run(copier: Make, fault: str, error: type[Exception]) -> None:
    """The error is the file's; when the fault is over, --resume fetches what is missing and nothing else."""
    made = copier(export_polls=0)
    made.simulator.fault(fault, times=None, at="file")
    with pytest.raises(error):
        made.copy()
    made.simulator._faults.clear()
    before = made.fetched()
    made.copy(None)
    assert sorted(set(made.fetched()[len(before) :])) == [f"{number}.json" for number in range(6)]


def test_a_broken_file_is_found_when_it_is_split_and_fetched_once_more(copier: Make, good: Make, watched: Any) -> None:
    """A file that ends well and is no Bundle in its middle."""
    made = copier()
    broken: list[Path] = []

    def then(name: str) -> None:
        path = next(made.folder.rglob("all-000002.json"), None)
        if name == "file" and path is not None and not broken:
            broken.append(path)
            path.write_bytes(b'{"resourceType":"Bundle","entry":[{"resource":{"id":]}')

    watched.then = then
    made.copy(watched=watched)
    assert made.fetched().count("2.json") == 2
    assert good(made.folder)


# ------------------------------------------------------------------ to be taken up


@pytest.mark.parametrize(("step", "times"), [("begun", 1), ("job", 1), ("waiting", 1), ("ready", 1), ("assembling", 1)])
def test_a_run_goes_on_where_it_stopped(
    copier: Make, watched: Any, content_of: Make, good: Make, step: str, times: int
) -> None:
    """The selection comes from the journal, one job serves both runs, and the copy is that of an undisturbed run."""
    made = copier()
    expected = content_of(made.copy())
    made.simulator.reset()
    with pytest.raises(Stop):
        made.copy(watched=stopping(watched, step, times))
    assert good(made.folder)
    assert content_of(made.copy(None)) == expected
    assert made.kick_offs() == 1
    assert len(made.fetched()) == len(set(made.fetched())) == 6


def test_what_is_whole_is_not_fetched_again(copier: Make, good: Make) -> None:
    """Stopped by an error at one file: the next run fetches the files that are missing."""
    made = copier(export_polls=0)
    made.simulator.fault("403", at="file")
    with pytest.raises(AccessDeniedError):
        made.copy(parallel=1)
    made.copy(None)
    assert sorted(made.fetched()) == [f"{number}.json" for number in range(6)]
    assert good(made.folder)


def test_a_run_that_had_published_only_clears_up(copier: Make, watched: Any) -> None:
    """Stopped after the pointer moved: nothing is asked, and the copy is the one that was published."""
    made = copier()
    with pytest.raises(Stop):
        made.copy(watched=stopping(watched, "published"))
    count = len(made.simulator.requests)
    made.copy(None)
    assert len(made.simulator.requests) == count
    assert list((made.folder / "work").iterdir()) == []


def test_a_run_that_stopped_before_the_pointer_moved_only_moves_it(
    copier: Make, content_of: Make, good: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is in its place and nothing points to it: no file is asked for, and its job is deleted."""
    made = copier()
    expected = content_of(made.copy())

    def stop(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patched, pytest.raises(Stop):
        patched.setattr("ror_sante.sync.export.publish", stop)
        made.copy()
    count = len(made.simulator.requests)
    assert content_of(made.copy(None)) == expected
    assert [seen.method for seen in made.simulator.requests[count:]] == ["DELETE"]
    assert good(made.folder)


def test_a_run_that_had_published_a_copy_that_is_gone_says_so(copier: Make, watched: Any) -> None:
    """The journal says that it is there, and it is not."""
    made = copier(size=10)
    with pytest.raises(Stop):
        made.copy(watched=stopping(watched, "published"))
    (made.folder / "current").unlink()
    (journal,) = made.folder.rglob("journal.jsonl")
    with journal.open("a") as file:
        file.write('{"type":"published","snapshot":"20260101T000000Z-00000000"}\n')
    with pytest.raises(SyncError, match="has gone"):
        made.copy(None)


def test_what_a_dead_run_left_beside_is_cleared_away(copier: Make, watched: Any) -> None:
    """Half files, a pointer that was not yet in place, a snapshot that nobody points to."""
    made = copier(size=20)
    with pytest.raises(Stop):
        made.copy(watched=stopping(watched, "job"))
    (attempt,) = (made.folder / "work").iterdir()
    (attempt / "all-000000.json.abc.coming").write_bytes(b"half")
    (made.folder / ".current.abc").symlink_to("snapshots/x")
    (made.folder / "snapshots" / "20250101T000000Z-00000000").mkdir(parents=True)
    where = made.copy(None)
    assert sorted(path.name for path in made.folder.iterdir()) == ["current", "lock", "snapshots", "work"]
    assert list((made.folder / "snapshots").iterdir()) == [where]


def test_a_manifest_of_too_many_files_is_refused(copier: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than the cap."""
    monkeypatch.setattr("ror_sante.sync.job._MOST_FILES", 5)
    with pytest.raises(SyncError, match="names 6 files"):
        copier().copy()


def test_a_job_that_expired_meanwhile_is_not_mixed_with_a_new_one(copier: Make, content_of: Make, good: Make) -> None:
    """The data change and the job ends between two runs: the copy is wholly of the new data."""
    made = copier(export_polls=0)
    made.simulator.fault("403", at="file")
    with pytest.raises(AccessDeniedError):
        made.copy(parallel=1)
    made.simulator.renew(seed=2)
    made.simulator.clock.advance(4000)
    mixed = content_of(made.copy(None))
    fresh = content_of(copier(made.simulator, out="fresh").copy())
    assert mixed == fresh
    assert good(made.folder)


def test_without_a_run_there_is_nothing_to_resume(copier: Make, watched: Any) -> None:
    """Neither in a new folder nor after a run that ended well."""
    made = copier(size=10)
    with pytest.raises(ConfigurationError, match="nothing to resume"):
        made.copy(None)
    made.copy()
    with pytest.raises(ConfigurationError, match="nothing to resume"):
        made.copy(None)


def test_a_run_of_another_service_is_not_resumed(copier: Make, simulate: Make, watched: Any) -> None:
    """The journal's addresses belong to the service that wrote them."""
    made = copier(size=10)
    with pytest.raises(Stop):
        made.copy(watched=stopping(watched, "job"))
    with pytest.raises(ConfigurationError, match="another service"):
        copier(simulate(size=10)).copy(None)


def test_a_new_run_throws_an_unfinished_one_away(copier: Make, watched: Any, good: Make) -> None:
    """Without --resume, a new job is started and nothing of the old one is used."""
    made = copier(size=20)
    with pytest.raises(Stop):
        made.copy(watched=stopping(watched, "assembling"))
    made.copy()
    assert made.kick_offs() == 2
    assert list((made.folder / "work").iterdir()) == []


def test_a_journal_is_judged_like_any_other_file(copier: Make, watched: Any) -> None:
    """An address on another host, a region that is a path, and a line that is no step: none is followed."""
    made = copier(size=10)
    with pytest.raises(Stop):
        made.copy(watched=stopping(watched, "ready"))
    (journal,) = made.folder.rglob("journal.jsonl")
    good = journal.read_text()
    assert "eyJ" not in good
    assert "Bearer" not in good
    journal.write_text(good.replace(made.simulator.url + "/ws-diffusion-fhir/$export-get", "https://x.invalid/a"))
    with pytest.raises(UnexpectedResponseError, match="not followed"):
        made.copy(None)
    journal.write_text(good.replace('"regions":[]', '"regions":["../../x"]'))
    with pytest.raises(ConfigurationError, match="not the code of a region"):
        made.copy(None)
    journal.write_text(good + "{}\n")
    with pytest.raises(SyncError, match="is damaged"):
        made.copy(None)


# ------------------------------------------------------------------ a copy that never lies


def test_a_copy_that_shrank_does_not_replace_the_good_one(copier: Make, good: Make) -> None:
    """Fewer rows are a verdict; accepted, the same run ends without fetching anything again."""
    made = copier()
    first = made.copy()
    made.simulator.renew(size=30)
    with pytest.raises(ShrunkError, match="has shrunk") as caught:
        made.copy()
    assert {fall.what for fall in caught.value.falls} == {"count"}
    assert (made.folder / "current").resolve() == first
    count = len(made.fetched())
    second = made.copy(None, accept_shrink=True)
    assert len(made.fetched()) == count
    assert (made.folder / "current").resolve() == second
    assert good(made.folder)


def test_a_copy_may_shrink_within_the_limit(copier: Make) -> None:
    """Everything may halve when the limit says so."""
    made = copier()
    made.copy()
    made.simulator.renew(size=59)
    with pytest.raises(ShrunkError):
        made.copy(shrink_limit=0.0)
    made.copy(shrink_limit=1.0)


def test_a_damaged_good_copy_is_not_compared_with(copier: Make) -> None:
    """Its manifest is gone: the run says so before it asks for anything."""
    made = copier(size=10)
    (made.copy() / "manifest.json").unlink()
    made.simulator.reset()
    with pytest.raises(SyncError, match="cannot be read"):
        made.copy()
    assert made.simulator.requests == []


def test_a_full_disk_is_noticed_first(copier: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room: nothing is asked."""
    made = copier(size=10)
    monkeypatch.setattr("ror_sante.sync.export.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(ConfigurationError, match="free on the disk"):
        made.copy()
    assert made.simulator.requests == []


def test_one_run_at_a_time(copier: Make) -> None:
    """While the lock is held, a run is refused and asks for nothing; afterwards it works."""
    made = copier(size=10)
    with locked(made.folder), pytest.raises(LockedError, match="another run"):
        made.copy()
    assert made.simulator.requests == []
    made.copy()


def test_readers_never_see_a_half(copier: Make, good: Make) -> None:
    """A reader that looks all the time finds a whole copy each time."""
    made = copier(size=20)
    made.copy()
    ended = threading.Event()
    looks: list[bool] = []

    def look() -> None:
        while not ended.is_set():
            looks.append((made.folder / "current" / "manifest.json").is_file())

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for _ in range(3):
            made.copy()
    finally:
        ended.set()
        reader.join()
    assert len(looks) > 10
    assert all(looks)
    assert good(made.folder)


# ------------------------------------------------------------------ arguments


@pytest.mark.parametrize("regions", [("../x",), ("",), ("11", "11"), ("1 1",)])
def test_a_region_is_a_code(regions: tuple[str, ...]) -> None:
    """What is no code, and a code that comes twice, are refused."""
    with pytest.raises(ConfigurationError):
        Selection(regions)


@pytest.mark.parametrize("how", [{"parallel": 0}, {"parallel": 33}, {"shrink_limit": -0.1}, {"shrink_limit": 1.1}])
def test_options_within_reason(how: dict[str, Any]) -> None:
    """Numbers beyond their range are refused."""
    with pytest.raises(ConfigurationError):
        Options(**how)


def test_a_folder_that_is_a_file(copier: Make) -> None:
    """The system's own error comes through."""
    made = copier(size=1)
    made.folder.write_bytes(b"")
    with pytest.raises(OSError, match="exists"):
        made.copy()
    assert isinstance(made.folder, Path)
