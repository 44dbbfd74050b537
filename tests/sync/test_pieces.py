"""The pieces of a copy: files, journal, pointer, verdict, downloads."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ror_sante.errors import SyncError
from ror_sante.sync import journal as journal_module
from ror_sante.sync.fetch import Fetching, Wanted
from ror_sante.sync.files import Download, private_folder, write_private
from ror_sante.sync.journal import Begun, Job, Journal, Part, Published, Ready
from ror_sante.sync.lock import LockedError, locked
from ror_sante.sync.progress import Silent
from ror_sante.sync.snapshot import current, current_name
from ror_sante.sync.store import Count
from ror_sante.sync.verdict import falls
from tests.support.waiting import until

ENTRIES = [
    Begun("https://x", ("11",), ("HealthcareService",), "application/json"),
    Job("11", "https://x/poll"),
    Ready("11", (Part("https://x/1", 5), Part("https://x/2", errors=True)), "2026"),
    Published("20260101T000000Z-00000000"),
]


# ------------------------------------------------------------------ the journal


def test_a_journal_gives_back_what_was_noted(tmp_path: Path) -> None:
    """Every step, in order; a folder without a journal has none."""
    journal = Journal(tmp_path)
    assert journal.read() == []
    for entry in ENTRIES:
        journal.append(entry)
    assert Journal(tmp_path).read() == ENTRIES
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    """At every byte of the last line: the steps before it are there, and the next one takes its place."""
    journal = Journal(tmp_path)
    for entry in ENTRIES[:2]:
        journal.append(entry)
    whole = journal.path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        journal.path.write_bytes(whole[:length])
        assert journal.read() == ENTRIES[:1]
        journal.append(ENTRIES[1])
        assert journal.read() == ENTRIES[:2]


@pytest.mark.parametrize("content", [b"x\n", b'{"type":"strange"}\n', b"\xff\n", b"[" * 100_000 + b"\n"])
def test_a_journal_that_is_damaged_is_refused(tmp_path: Path, content: bytes) -> None:
    """A line that is whole and no step of ours."""
    Journal(tmp_path).path.write_bytes(content)
    with pytest.raises(SyncError, match="damaged"):
        Journal(tmp_path).read()


def test_a_journal_beyond_any_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read."""
    journal = Journal(tmp_path)
    journal.append(ENTRIES[0])
    monkeypatch.setattr(journal_module, "_LARGEST", 10)
    with pytest.raises(SyncError, match="damaged"):
        journal.read()


# ------------------------------------------------------------------ files


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full leaves the old content and nothing beside it."""
    path = tmp_path / "file"
    write_private(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ror_sante.disk.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private(path, b"new")
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_download_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    """Started again it is empty; discarded it leaves nothing; finished it stays."""
    told: list[int] = []
    first = Download(tmp_path / "a", received=told.append)
    first.begin(None)
    first.write(b"half")
    first.begin(None)
    assert sum(told) == 0
    first.write(b"whole} \n")
    first.write(b"  ")
    assert (first.size, first.last, (tmp_path / "a").exists()) == (10, b"}", False)
    first.finish()
    first.discard()
    second = Download(tmp_path / "b")
    second.write(b"half")
    second.discard()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"whole} \n  "}


def test_a_folder_is_closed_to_others(tmp_path: Path) -> None:
    """One that was open before, too."""
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("open", "new"):
        assert private_folder(tmp_path / name).stat().st_mode & 0o777 == 0o700


# ------------------------------------------------------------------ fetching


class Server:
    """A client whose files come from a function."""

    def __init__(self, give: Callable[[str, Any], None]) -> None:
        self.give = give

    def pour(self, url: str, sink: Any, **_: Any) -> None:
        sink.begin(None)
        self.give(url, sink)


def test_a_full_disk_ends_the_fetching_and_leaves_no_half(tmp_path: Path) -> None:
    """The error of one file is that of all; the others stop at their next piece."""
    begun, ended = threading.Event(), threading.Event()

    def give(url: str, sink: Any) -> None:
        if url == "full":
            begun.wait(5)
            raise OSError(errno.ENOSPC, "No space left on device")
        begun.set()
        try:
            while True:
                sink.write(b"{}")
        finally:
            ended.set()

    wanted = [Wanted(url, tmp_path / url) for url in ("slow", "full", "never")]
    with (
        pytest.raises(OSError, match="No space"),
        Fetching(Server(give), wanted, parallel=2, watcher=Silent()) as files,  # type: ignore[arg-type]  # it pours like a client
    ):
        files.wait(wanted[0].path)
    assert ended.wait(5)
    assert list(tmp_path.iterdir()) == []


def test_fetching_stays_a_few_files_ahead(tmp_path: Path) -> None:
    """Of twenty, four a thread lie on the disk before the first is asked for; each one that is asked lets one in."""

    def whole() -> int:
        return sum(path.suffix != ".coming" for path in tmp_path.iterdir())

    wanted = [Wanted(str(number), tmp_path / f"{number:02}") for number in range(20)]
    with Fetching(Server(lambda _, sink: sink.write(b"{}")), wanted, parallel=2, watcher=Silent()) as files:  # type: ignore[arg-type]  # likewise
        for number, one in enumerate(wanted):
            ahead = min(20, number + 8)
            until(lambda ahead=ahead: whole() >= ahead)
            time.sleep(0.005)
            assert whole() == ahead
            files.wait(one.path)


def test_nothing_to_fetch_is_done_at_once() -> None:
    """No thread is needed for it."""
    with Fetching(Server(lambda *_: None), [], parallel=4, watcher=Silent()):  # type: ignore[arg-type]  # likewise
        assert threading.active_count() >= 1


# ------------------------------------------------------------------ lock and pointer


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """Held it is refused, let go it is free."""
    with locked(tmp_path / "new"), pytest.raises(LockedError), locked(tmp_path / "new"):
        pass
    with locked(tmp_path / "new"):
        pass


@pytest.mark.parametrize("target", ["../elsewhere/20260101T000000Z-00000000", "snapshots/..", "snapshots/x", "/etc"])
def test_a_pointer_that_is_not_ours_leads_nowhere(tmp_path: Path, target: str) -> None:
    """Only a folder of ours, by the form of its name, is a copy."""
    (tmp_path / "current").symlink_to(target)
    assert current_name(tmp_path) == ""
    assert current(tmp_path) is None


def test_a_manifest_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    """It is not taken for "no copy yet"."""
    name = "20260101T000000Z-00000000"
    (tmp_path / "snapshots" / name).mkdir(parents=True)
    (tmp_path / "current").symlink_to(f"snapshots/{name}")
    for content in (None, b"", b"{}", b"\xff", b"[" * 100_000):
        if content is not None:
            (tmp_path / "snapshots" / name / "manifest.json").write_bytes(content)
        with pytest.raises(SyncError, match="cannot be read"):
            current(tmp_path)


# ------------------------------------------------------------------ the verdict


@pytest.mark.parametrize(("now", "fallen"), [(95, 0), (94, 1), (0, 1), (200, 0)])
def test_a_count_may_fall_by_five_per_cent(now: int, fallen: int) -> None:
    """To 95 of 100, and no further."""
    after = [Count("11", "Location", now, 0)] if now else []
    found = falls([Count("11", "Location", 100, 0)], after)
    assert len(found) == fallen
    assert all(str(fall) == f"region 11, Location: 100 before, {now} now" for fall in found)


@pytest.mark.parametrize(("now", "fallen"), [(76, 0), (75, 1), (0, 1), (100, 0)])
def test_the_share_with_a_telecom_may_fall_by_five_per_cent_of_itself(now: int, fallen: int) -> None:
    """From 80 % to 76 %, and no further, whatever the count."""
    found = falls([Count("", "Location", 50, 40)], [Count("", "Location", 100, now)])
    assert len(found) == fallen
    assert all(str(fall) == f"no region, Location: 80.0% had a telecom before, {now}.0% now" for fall in found)


def test_another_region_does_not_make_up_for_it() -> None:
    """Each region and type is judged alone; a new one is no fall."""
    before = [Count("11", "Location", 10, 0), Count("84", "Location", 10, 0)]
    after = [Count("11", "Location", 20, 0), Count("52", "Location", 10, 0)]
    assert [fall.region for fall in falls(before, after)] == ["84"]
