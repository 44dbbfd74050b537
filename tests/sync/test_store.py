"""Writing resources as NDJSON: each once, counted by region and type, and what is no resource is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ror_sante.errors import SyncError
from ror_sante.sync import store as module
from ror_sante.sync.job import REGION
from ror_sante.sync.journal import Part
from ror_sante.sync.seen import Place, Seen
from ror_sante.sync.split import BrokenFileError
from ror_sante.sync.store import Count, Stored, store

Store = Callable[..., Stored]


def one(kind: str, number: int | str, region: str = "11", **more: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": number, "meta": {"tag": [{"system": REGION, "code": region}]}, **more}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def put(tmp_path: Path, out: Path) -> Store:
    """Store files that hold the given resources; a text is taken as it is."""

    def run(*files: Iterable[dict[str, Any]] | str, **about: Any) -> Stored:
        parts = []
        for number, content in enumerate(files):
            path = tmp_path / f"{number}.json"
            bundle = {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in content]}
            path.write_text(content if isinstance(content, str) else json.dumps(bundle), encoding="utf-8")
            parts.append((Part("https://x", **about), path))
        return store(out, parts)

    return run


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_what_comes_again_is_left_out(put: Store, out: Path) -> None:
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


def test_an_id_is_a_text_whatever_its_form(put: Store) -> None:
    """The number 1 and the text "1" are one id; the same id of two types is not."""
    assert put([one("Location", 1), one("Location", "1"), one("Organization", 1)]).repeated == 1


def test_the_counts_are_of_what_is_left(put: Store) -> None:
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


def test_types_that_are_not_the_directory_s_share_a_file(put: Store, out: Path) -> None:
    """No name of a file comes from a server."""
    stored = put([one("../x", 1), one("Device", 2), one("Location", 3)])
    assert sorted(path.name for path in out.iterdir()) == ["Location.ndjson", "Other.ndjson"]
    assert [file.type for file in stored.files] == ["Location", "Other"]


def test_a_resource_on_several_lines_becomes_one(put: Store, out: Path) -> None:
    """Its numbers stay as they were written."""
    put('{"resourceType":"Bundle","entry":[{"resource":{\n"resourceType":"Location",\r\n"id":"1", "n": 1.10 }}]}')
    assert (out / "Location.ndjson").read_bytes() == b'{"resourceType":"Location","id":"1","n":1.10}\n'


@pytest.mark.parametrize(
    "resource", [{"resourceType": "Location"}, {"resourceType": "Strange"}, {"id": "1"}, {"resourceType": 1, "id": "1"}]
)
def test_what_has_no_type_or_id_is_broken(put: Store, resource: dict[str, Any]) -> None:
    """The error names the file."""
    with pytest.raises(BrokenFileError) as caught:
        put([one("Location", 1)], [resource])
    assert str(caught.value.cursor).endswith("1.json")


def test_a_count_that_does_not_hold_is_broken(put: Store) -> None:
    """One more, and one less; a file without a count, or of errors, is not counted."""
    assert put([one("Location", 1)], count=1).repeated == 0
    for count in (0, 2):
        with pytest.raises(BrokenFileError, match="announces"):
            put([one("Location", 1)], count=count)
    put([one("Location", 1)], count=7, errors=True)


@pytest.mark.parametrize(
    ("severity", "passes"), [("information", True), ("warning", True), ("error", False), ("fatal", False)]
)
def test_an_outcome_is_judged_and_not_kept(put: Store, out: Path, severity: str, passes: bool) -> None:
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


def test_an_outcome_that_says_nothing_is_a_remark_and_one_that_is_unreadable_an_error(put: Store) -> None:
    """No issue is no error; more than can be an explanation is one."""
    put([{"resourceType": "OperationOutcome"}])
    with pytest.raises(SyncError, match="does not say which"):
        put([{"resourceType": "OperationOutcome", "issue": [], "text": "x" * 1_100_000}])


def test_regions_without_end_are_refused(put: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of regions and types has a cap."""
    monkeypatch.setattr(module, "_GROUPS", 3)
    put([one("Location", number, f"r{number}") for number in range(3)])
    with pytest.raises(BrokenFileError, match="more regions"):
        put([one("Location", number, f"r{number}") for number in range(4)])


def test_many_repeats_leave_the_same_as_a_set_would(put: Store, out: Path) -> None:
    """Four thousand resources of a thousand ids."""
    lots = random.Random(3)
    content = [one("Location", lots.randrange(1000), n=number) for number in range(4000)]
    first: dict[int, int] = {}
    for resource in content:
        first.setdefault(resource["id"], resource["n"])
    stored = put(content[:1500], content[1500:])
    assert [(line["id"], line["n"]) for line in lines(out / "Location.ndjson")] == list(first.items())
    assert stored.repeated == 4000 - len(first)


def test_what_was_seen_leaves_nothing_on_disk(tmp_path: Path) -> None:
    """Ten thousand names, half of them twice: each second one is told, with its place."""
    with Seen(tmp_path) as seen:
        for number in range(10_000):
            seen.add(b"%d" % (number % 5000), Place(number, 1, 2, number % 2 == 0))
        again = sorted(seen.again())
    assert again == [Place(number, 1, 2, number % 2 == 0) for number in range(5000, 10_000)]
    assert list(tmp_path.iterdir()) == []
