"""Writing resources as NDJSON: each once, counted by region and type, and what is no resource is refused."""

from __future__ import annotations

import errno
import json
import random
import shutil
from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ror_sante.errors import SyncError
from ror_sante.sync import store as module
from ror_sante.sync.files import private_folder, remove
from ror_sante.sync.job import REGION
from ror_sante.sync.journal import Part
from ror_sante.sync.seen import SIZE, Place, again, record
from ror_sante.sync.split import BrokenFileError, resources
from ror_sante.sync.store import Count, Store, Stored

Put = Callable[..., Stored]


def one(kind: str, number: int | str, region: str = "11", **more: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": number, "meta": {"tag": [{"system": REGION, "code": region}]}, **more}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def put(tmp_path: Path, out: Path) -> Put:
    """Store files that hold the given resources; a text is taken as it is."""

    def run(*files: Iterable[dict[str, Any]] | str, **about: Any) -> Stored:
        parts = []
        for number, content in enumerate(files):
            path = tmp_path / f"{number}.json"
            bundle = {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in content]}
            path.write_text(content if isinstance(content, str) else json.dumps(bundle), encoding="utf-8")
            parts.append((Part("https://x", **about), path))
        remove(tmp_path / "work")
        with Store(tmp_path / "work") as store:
            for part, path in parts:
                store.take(part, path)
            stored = store.finished()
        remove(out)
        stored.folder.rename(out)
        return stored

    return run


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_what_comes_again_is_left_out(put: Put, out: Path) -> None:
    """The first one stays, in its place, whatever the later ones say; the digest is that of the file."""
    stored = put(
        [one("Location", 1, name="a"), one("Location", 2), one("Location", 1, name="b")],
        [one("Organization", 1), one("Location", 2), one("Location", 3)],
    )
    assert [(line["id"], line.get("name")) for line in lines(out / "Location.ndjson")] == [
        (1, "a"),
        (2, None),
        (3, None),
    ]
    assert (stored.repeated, [file.count for file in stored.files]) == (2, [3, 1])
    for file in stored.files:
        content = (out / file.name).read_bytes()
        assert (file.size, file.sha256) == (len(content), sha256(content).hexdigest())


def test_lines_are_the_same_however_many_are_written_at_a_time(
    put: Put, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at the end of a file, or each window at once."""
    content = [one(kind, number) for number in range(50) for kind in ("Location", "Organization")]
    whole = put(content)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(module, "_BLOCK", 1)
    monkeypatch.setattr("ror_sante.sync.split.WINDOW", 1000)
    again = put(content)
    assert again.files == whole.files
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_an_id_is_a_text_whatever_its_form(put: Put) -> None:
    """The number 1 and the text "1" are one id; the same id of two types is not."""
    assert put([one("Location", 1), one("Location", "1"), one("Organization", 1)]).repeated == 1


def test_the_counts_are_of_what_is_left(put: Put) -> None:
    """By the region in the tag, which may be missing or strange; with a telecom or an empty one."""
    stored = put(
        [
            one("Location", 1, telecom=[{"value": "1"}]),
            one("Location", 1, telecom=[{"value": "1"}]),
            one("Location", 2, telecom=[]),
            one("Location", 3, telecom=None),
            one("Location", 4, "84"),
            {"resourceType": "Location", "id": "5", "meta": {"tag": [{"system": "other", "code": "11"}]}},
            {"resourceType": "Location", "id": "6", "meta": {"tag": "strange"}},
            one("Device", 7),
        ]
    )
    assert stored.counts == (
        Count("", "Location", 2, 0),
        Count("11", "Location", 3, 1),
        Count("11", "Other", 1, 0),
        Count("84", "Location", 1, 0),
    )


def test_types_that_are_not_the_directory_s_share_a_file(put: Put, out: Path) -> None:
    """No name of a file comes from a server."""
    stored = put([one("../x", 1), one("Device", 2), one("Location", 3)])
    assert sorted(path.name for path in out.iterdir()) == ["Location.ndjson", "Other.ndjson"]
    assert [file.type for file in stored.files] == ["Location", "Other"]


def test_a_resource_on_several_lines_becomes_one(put: Put, out: Path) -> None:
    """Its numbers stay as they were written."""
    put('{"resourceType":"Bundle","entry":[{"resource":{\n"resourceType":"Location",\r\n"id":"1", "n": 1.10 }}]}')
    assert (out / "Location.ndjson").read_bytes() == b'{"resourceType":"Location","id":"1","n":1.10}\n'


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Location"},
        {"resourceType": "Strange"},
        {"id": "1"},
        {"resourceType": 1, "id": "1"},
        {"a": 1},
        1,
    ],
)
def test_what_has_no_type_or_id_is_broken(put: Put, resource: dict[str, Any]) -> None:
    """The error names the file."""
    with pytest.raises(BrokenFileError) as caught:
        put([one("Location", 1)], [resource])
    assert str(caught.value.cursor).endswith("1.json")


@pytest.mark.parametrize("line", ["{", '{"id": "2"', "{\r"])
def test_a_line_that_is_no_json_is_broken(put: Put, line: str) -> None:
    """Cut off, or with a line break in its middle."""
    with pytest.raises(BrokenFileError):
        put(f"{json.dumps(one('Location', 1))}\n{line}\n")


def test_a_count_that_does_not_hold_is_broken(put: Put) -> None:
    """One more, and one less; a file without a count, or of errors, is not counted."""
    assert put([one("Location", 1)], count=1).repeated == 0
    for count in (0, 2):
        with pytest.raises(BrokenFileError, match="announces"):
            put([one("Location", 1)], count=count)
    put([one("Location", 1)], count=7, errors=True)


@pytest.mark.parametrize(
    ("severity", "passes"), [("information", True), ("warning", True), ("error", False), ("fatal", False)]
)
def test_an_outcome_is_judged_and_not_kept(put: Put, out: Path, severity: str, passes: bool) -> None:
    """A remark passes, an error means that something is missing."""
    files = [
        [one("Location", 1)],
        [{"resourceType": "OperationOutcome", "issue": [{"severity": severity, "diagnostics": "x y"}]}],
    ]
    if passes:
        assert len(put(*files).files) == 1
        return
    with pytest.raises(SyncError, match="x y"):
        put(*files)


def test_an_outcome_that_says_nothing_is_a_remark_and_one_that_is_unreadable_an_error(put: Put) -> None:
    """No issue is no error; more than can be an explanation is one."""
    put([{"resourceType": "OperationOutcome"}])
    with pytest.raises(SyncError, match="does not say which"):
        put([{"resourceType": "OperationOutcome", "issue": [], "text": "x" * 1_100_000}])


def test_regions_without_end_are_refused(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of regions and types has a cap."""
    monkeypatch.setattr(module, "_GROUPS", 3)
    put([one("Location", number, f"r{number}") for number in range(3)])
    with pytest.raises(BrokenFileError, match="more regions"):
        put([one("Location", number, f"r{number}") for number in range(4)])


def test_many_repeats_leave_the_same_as_a_set_would(put: Put, out: Path) -> None:
    """Four thousand resources of a thousand ids."""
    lots = random.Random(3)
    content = [one("Location", lots.randrange(1000), n=number) for number in range(4000)]
    first: dict[int, int] = {}
    for resource in content:
        first.setdefault(resource["id"], resource["n"])
    stored = put(content[:1500], content[1500:])
    assert [(line["id"], line["n"]) for line in lines(out / "Location.ndjson")] == list(first.items())
    assert stored.repeated == 4000 - len(first)


# ------------------------------------------------------------------ file by file


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Five files of a hundred resources, some of which come twice."""
    lots = random.Random(7)
    paths = [tmp_path / f"{number}.json" for number in range(5)]
    for path in paths:
        content = [one(lots.choice(["Location", "Organization"]), lots.randrange(400)) for _ in range(100)]
        path.write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": each} for each in content]}))
    return paths


def told(stored: Stored) -> Any:
    """Give what a copy holds, its bytes included."""
    return (
        stored.files,
        stored.counts,
        stored.repeated,
        [(stored.folder / one.name).read_bytes() for one in stored.files],
    )


def undisturbed(files: list[Path], folder: Path) -> Any:
    """Store copies of files, and give what came of it."""
    private_folder(folder)
    paths = [Path(shutil.copy(path, folder)) for path in files]
    with Store(folder) as store:
        for path in paths:
            store.take(PART, path)
        return told(store.finished())


PART = Part("https://x", 100)


def test_files_go_when_their_lines_are_on_the_disk(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before: those that were taken since the last time stay."""
    monkeypatch.setattr(module, "CHECKPOINT", 2 * files[0].stat().st_size - 2000)
    with Store(tmp_path / "work") as store:
        for path in files:
            store.take(PART, path)
        store._settler.shutdown()
        assert [path.exists() for path in files] == [False, False, False, False, True]


@pytest.mark.parametrize("stop", range(6))
@pytest.mark.parametrize("each", [1, 1 << 30], ids=["noted each", "noted never"])
def test_a_store_that_is_opened_again_goes_on(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch, stop: int, each: int
) -> None:
    """After any file, with some lines of the next: the result is that of one go, and no file is read that has gone."""
    expected = undisturbed(files, tmp_path / "undisturbed")
    monkeypatch.setattr(module, "CHECKPOINT", each)
    with Store(tmp_path / "work") as store:
        for path in files[:stop]:
            store.take(PART, path)
        for batch in islice(resources(files[stop]), 1) if stop < 5 else ():
            store._put(batch)
    with Store(tmp_path / "work") as store:
        assert store.taken == (stop if each == 1 else 0)
        for path in files[store.taken :]:
            store.take(PART, path)
        assert told(store.finished()) == expected


def test_a_finished_copy_that_was_not_moved_away_is_finished_again(tmp_path: Path, files: list[Path]) -> None:
    """Once and once more, with types that have repeats and types that have none."""
    files[0].write_text(json.dumps(one("Practitioner", 1)))
    with Store(tmp_path / "work") as store:
        store.take(Part("https://x"), files[0])
        for path in files[1:]:
            store.take(PART, path)
        first = told(store.finished())
    for _ in range(2):
        with Store(tmp_path / "work") as store:
            assert store.taken == 5
            assert told(store.finished()) == first


@pytest.mark.parametrize(
    "harm",
    [
        lambda work: (work / "taken.json").write_bytes(b"x"),
        lambda work: (work / "taken.json").write_bytes(b'{"piles":{"77":{}}}'),
        lambda work: (work / "lines" / "Location.ndjson").write_bytes(b"short"),
        lambda work: (work / "lines" / "Location.ndjson").unlink(),
        lambda work: (work / "seen").write_bytes(b"short"),
    ],
)
def test_what_is_damaged_is_not_taken_up(tmp_path: Path, files: list[Path], harm: Callable[[Path], object]) -> None:
    """A note that is none, lines that are not there."""
    with Store(tmp_path / "work") as store:
        store.take(PART, files[0])
        store._settle().result()
    harm(tmp_path / "work")
    with pytest.raises(SyncError, match="is damaged"), Store(tmp_path / "work"):
        pass


@pytest.mark.parametrize("work", ["write_all", "settle"])
def test_a_disk_that_fills_behind_our_back_is_an_error(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """While lines are written, or brought to the disk: it is raised at the next file, no file has gone, none counts."""
    monkeypatch.setattr(module, "CHECKPOINT", 1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, work, full)
    with Store(tmp_path / "work") as store, pytest.raises(OSError, match="No space"):
        store.take(PART, files[0])
        store.take(PART, files[1])
    assert all(path.exists() for path in files)
    with Store(tmp_path / "work") as store:
        assert store.taken == 0


def test_many_lists_of_tags_do_not_fill_the_memory(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are remembered up to a number, and the counts are right beyond it."""
    monkeypatch.setattr(module, "_PLACES", 2)
    stored = put([one("Location", number, f"r{number % 5}") for number in range(50)])
    assert [count.count for count in stored.counts] == [10] * 5


@pytest.mark.parametrize("at_once", [100, 50_000])
def test_what_was_seen_leaves_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Ten thousand names, half of them twice: each second one is told, with its place; in parts or at once."""
    monkeypatch.setattr("ror_sante.sync.seen._AT_ONCE", at_once)
    places = [Place(number, 2, 1, number % 2 == 0) for number in range(10_000)]
    with (tmp_path / "seen").open("w+b") as file:
        file.write(b"".join(record(b"%d" % (place.line % 5000), *place) for place in places))
        assert sorted(again(file, tmp_path)) == places[5000:]
        assert file.tell() == 10_000 * SIZE
    assert [path.name for path in tmp_path.iterdir()] == ["seen"]
