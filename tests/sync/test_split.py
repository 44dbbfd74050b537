"""Splitting files of an export: every wrapper, any window, and nothing broken passes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from ror_sante.sync import split
from ror_sante.sync.split import BrokenFileError, resources

Split = Callable[..., list[Any]]


@pytest.fixture
def parts(tmp_path: Path) -> Split:
    """Write a file, split it, and give its resources decoded."""

    def run(content: bytes | str | Any) -> list[Any]:
        if not isinstance(content, bytes | str):
            content = json.dumps(content)
        path = tmp_path / "file.json"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return [json.loads(bytes(raw)) for batch in resources(path) for raw in batch]

    return run


@pytest.fixture(params=[16, 100, 1000, 1 << 20])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Read so many bytes at a time."""
    monkeypatch.setattr(split, "WINDOW", request.param)
    size: int = request.param
    return size


def some(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Resources with what could mislead: braces and brackets in texts, nested lists of objects, a Bundle inside."""
    lots = random.Random(seed)
    bundle = {"resourceType": "Bundle", "entry": [{"fullUrl": "x", "resource": {}}, {"fullUrl": "y", "resource": {}}]}
    made = []
    for number in range(count):
        resource: dict[str, Any] = {
            "resourceType": lots.choice(["HealthcareService", "Location"]),
            "id": str(number),
            "name": lots.choice(['}, {"fullUrl": "', "]}", "é\\", '"entry": [', "\u2028", 'a"b']),
            "extension": [{"url": "a", "n": 1.10}, {"fullUrl": "b"}, {"fullUrl": "c"}],
        }
        if number % 7 == 3:
            resource["contained"] = [bundle]
        made.append(resource)
    return made


def bundle_of(content: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "meta": {"tag": [{"code": "x"}]},
        "entry": [{"fullUrl": f"https://x/{one['id']}", "resource": one} for one in content],
        **more,
    }


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_bundle_is_split_into_its_resources(parts: Split, window: int, indent: int | None, count: int) -> None:
    """However it is laid out, and wherever the windows end."""
    expected = some(count)
    assert parts(json.dumps(bundle_of(expected), indent=indent)) == expected


def test_what_stands_behind_the_entries_is_part_of_the_document(parts: Split, window: int) -> None:
    """Links, lists and the type of the document may follow."""
    expected = some(10)
    document = {"id": "1", **bundle_of(expected, link=[{"url": "a"}, {"url": "b"}], total=10)}
    document["resourceType"] = document.pop("resourceType")
    assert parts(document) == expected


def test_entries_may_begin_in_different_ways(parts: Split, window: int) -> None:
    """The first key of an entry changes from one to the next, and some hold no resource."""
    content = some(30)
    entries: list[dict[str, Any]] = []
    for number, one in enumerate(content):
        entry = {"resource": one, "fullUrl": "x"} if number % 3 else {"fullUrl": "x", "resource": one}
        entries += [entry, {"request": {"url": "y"}}] if number % 5 == 0 else [entry]
        entries += [{"fullUrl": "no resource"}] if number % 10 == 0 else []
    assert parts({"resourceType": "Bundle", "entry": entries}) == content


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_lines_are_taken_one_by_one(parts: Split, monkeypatch: pytest.MonkeyPatch, size: int, end: str) -> None:
    """NDJSON, with a last line that ends or not, with blank lines and the line ends of Windows."""
    monkeypatch.setattr(split, "WINDOW", size)
    expected = some(30)
    first, *rest = [json.dumps(one, ensure_ascii=False) for one in expected]
    assert parts(first + "\n\n" + "\r\n".join(rest) + end) == expected


def test_a_line_longer_than_a_window(parts: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short line first, then one of many windows."""
    monkeypatch.setattr(split, "WINDOW", 100)
    expected = [{"resourceType": "Location", "id": "1"}, {"resourceType": "Location", "name": "x" * 5000}]
    assert parts("\n".join(map(json.dumps, expected))) == expected


@pytest.mark.parametrize(
    "content",
    [
        '{"resourceType":"Bundle"}',
        '{"resourceType":"Bundle","total":0,"entry":[]}',
        '{\n "entry" : [ ]\n, "resourceType":"Bundle"}\n',
    ],
)
def test_a_bundle_of_nothing_gives_nothing(parts: Split, window: int, content: str) -> None:
    """Without entries, or with an empty list of them."""
    assert parts(content) == []


def test_a_list_of_entries_inside_something_else_is_not_taken(parts: Split, window: int) -> None:
    """The one that belongs to the document itself counts."""
    document = {"resourceType": "Bundle", "extension": [{"entry": [{"resource": {"id": "wrong"}}]}]}
    assert parts(document | {"entry": [{"resource": one} for one in some(5)]}) == some(5)


def test_entries_behind_a_long_beginning_are_found(parts: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list may start many windows behind the start of the file."""
    monkeypatch.setattr(split, "WINDOW", 100)
    assert parts({"id": "x" * 1000, **bundle_of(some(5))}) == some(5)


def test_a_single_resource_is_a_file_too(parts: Split, window: int) -> None:
    """Over several lines or on one, with a byte-order mark or without."""
    one = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    for text in (json.dumps(one), json.dumps(one, indent=2), json.dumps(one) + "\n"):
        assert parts(text) == [one]
    if window > 16:
        assert parts(b"\xef\xbb\xbf" + json.dumps(one).encode()) == [one]
        assert parts(b"\xef\xbb\xbf" + json.dumps(bundle_of(some(3))).encode()) == some(3)


@pytest.mark.parametrize("count", [1, 12])
def test_a_bundle_that_is_cut_off_is_broken_wherever_it_is_cut(
    parts: Split, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """At every byte but the last."""
    monkeypatch.setattr(split, "WINDOW", 700)
    whole = json.dumps(bundle_of(some(count), link=[{"url": "a"}]))
    for length in range(1, len(whole), 1 if count == 1 else 13):
        with pytest.raises(BrokenFileError):
            parts(whole[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"<html></html>",
        b"[]",
        b'{"resourceType":"Bundle","entry":{"resource":{"id":"1"}}}',
        b'[{"resourceType":"Location","id":"1"}]',
        b'{"entry":[{"resource":{"id":"1"}}]}',
        b'{"resourceType":"Patient","entry":[{"resource":{"id":"1"}}]}',
        b'{"resourceType":"Bundle","entry":[1,2]}',
        b'{"resourceType":"Bundle","entry":[{"resource":{}}],}',
        b'{"resourceType":"Bundle","entry":[{"resource":{"a":"\xff"}}]}',
        b'{"resourceType":"Bundle","entry":[{"resource":{}}],"a":"\xff"}',
        b'{"resourceType":"Location","a":"\xff"}\n',
        b'{"resourceType":"Bundle","entry":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"resourceType":"Bundle","entry":[{"resource":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}",
        b'{"resourceType":"Bundle","entry":[{"resource":{}} {"resource":{}}]}',
    ],
    ids=range(16),
)
def test_what_is_no_export_is_refused(parts: Split, content: bytes) -> None:
    """Nothing of it is taken for a whole copy."""
    with pytest.raises(BrokenFileError):
        parts(content)


@pytest.mark.parametrize("kind", ["one resource", "no end", "brackets", "borders"])
def test_what_finds_no_end_meets_a_cap(parts: Split, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A resource, a text, brackets or false borders beyond the cap: an error, and not the whole file in memory."""
    monkeypatch.setattr(split, "WINDOW", 1000)
    monkeypatch.setattr(split, "LARGEST", 50_000)
    opening = b'{"resourceType":"Bundle","entry":[{"resource":{"a":'
    body = {
        "one resource": opening + b'"' + b"x" * 100_000 + b'"}},{"resource":{}}]}',
        "no end": b'{"resourceType":"Bundle","id":"' + b"x" * 100_000,
        "brackets": opening + b"]" * 100_000,
        "borders": opening + b"[" + b'{"resource":1},' * 10_000,
    }[kind]
    with pytest.raises(BrokenFileError, match="hold no end"):
        parts(body)


def test_a_window_never_holds_much_more_than_its_size(parts: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Bundle of 200 windows: what is in memory stays below three of them."""
    monkeypatch.setattr(split, "WINDOW", 4000)
    largest = 0
    whole = split._Window.more

    def more(self: Any) -> None:
        nonlocal largest
        whole(self)
        largest = max(largest, len(self.content))

    monkeypatch.setattr(split._Window, "more", more)
    content = some(2500)
    assert len(parts(bundle_of(content))) == 2500
    assert largest <= 12_000


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_first_line_may_be_longer_than_a_window(parts: Split, window: int, end: str) -> None:
    """One resource a line, of which the first is as long as thirty others."""
    content = [{"resourceType": "Location", "id": "1", "name": "é" * 3000}, *some(5)]
    assert parts("\n".join(json.dumps(each, ensure_ascii=False) for each in content) + end) == content
