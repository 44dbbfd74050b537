"""Reading extractions: straight from the zip, whatever the ends of lines, the encoding and the order of rows."""

from __future__ import annotations

import io
import random
import stat
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ror_sante.api.annuaire.columns import BrokenExtractionError
from ror_sante.api.annuaire.rows import Mailbox, PersonActivity
from ror_sante.errors import ConfigurationError
from ror_sante.simulator.extraction_data import TEXTS, write_extraction
from ror_sante.sync.annuaire import persons as grouping
from ror_sante.sync.annuaire import reading
from ror_sante.sync.annuaire.archive import check
from ror_sante.sync.annuaire.reading import Extraction

HEADER = b"Identification nationale PP|Nom|Ville|\n"


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """Write one of the simulator's extractions."""

    def make(name: str = "PS_LibreAcces", rows: int = 300) -> Path:
        path = tmp_path / f"{name}_202611250310.zip"
        with path.open("wb") as file:
            write_extraction(file, name, "202611250310", rows=rows)
        return path

    return make


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    """Write a zip with given members."""

    def make(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
        path = tmp_path / "file.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in members:
                archive.writestr(name, content)
        return path

    return make


def read(path: Path, **how: Any) -> list[tuple[str, ...]]:
    with Extraction(path) as extraction:
        return [tuple(row) for row in extraction.rows(**how)]


@pytest.mark.parametrize("name", TEXTS)
def test_every_extraction_is_read(made: Callable[..., Path], name: str) -> None:
    """Several texts, a folder in the zip, accents in two encodings: as many whole rows as were written."""
    with Extraction(made(name)) as extraction:
        for number, text in enumerate(TEXTS[name]):
            member = extraction.members[number].name
            rows = list(extraction.rows(text.stem))
            assert member == f"{text.stem}_202611250310.txt"
            assert len(rows) == int(300 * text.share)
            assert {len(row) for row in rows} == {len(extraction.header(text.stem).names)}
            assert any("é" in cell for row in rows for cell in row)


def test_the_classes_of_rows(made: Callable[..., Path]) -> None:
    """Activities and mailboxes have their own."""
    with Extraction(made()) as extraction:
        assert all(isinstance(row, PersonActivity) and row.rpps for row in extraction.rows())
        assert repr(extraction) == "<Extraction PS_LibreAcces_202611250310.zip, 3 texts>"
    with Extraction(made("Extraction_Correspondance_MSSante")) as extraction:
        assert all(isinstance(row, Mailbox) and "@" in row.address for row in extraction.rows())


def test_a_text_out_of_the_zip_is_read_too(made: Callable[..., Path], tmp_path: Path) -> None:
    """The copies of data.gouv.fr are not packed."""
    path = made()
    with zipfile.ZipFile(path) as archive:
        name = archive.namelist()[0]
        (tmp_path / name).write_bytes(archive.read(name))
    assert read(tmp_path / name) == read(path)


def test_a_text_is_chosen_by_a_part_of_its_name(made: Callable[..., Path]) -> None:
    """Whatever the case; the activities when nothing is said; a name that fits none or several is refused."""
    with Extraction(made()) as extraction:
        assert extraction.member("savoirfaire").name.startswith("PS_LibreAcces_SavoirFaire")
        assert extraction.member().name.startswith("PS_LibreAcces_Personne_activite")
        for word in ("nothing", "LibreAcces"):
            with pytest.raises(ConfigurationError, match="fits") as caught:
                extraction.member(word)
            assert "SavoirFaire" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (HEADER + b"1|A|B|\n2|C|D|\n", [("1", "A", "B"), ("2", "C", "D")]),
        (HEADER + b"1|A|B|\n2|C|D|", [("1", "A", "B"), ("2", "C", "D")]),
        (HEADER + b"1|A|B\n2|C|\n", [("1", "A", "B"), ("2", "C", "")]),
        (HEADER.replace(b"\n", b"\r\n") + b"1|A|B|\r\n2|C|D|\r\n", [("1", "A", "B"), ("2", "C", "D")]),
        (HEADER.replace(b"|\n", b"\n") + b"1|A|B|\n\n\n2|C|D\n\n", [("1", "A", "B"), ("2", "C", "D")]),
        (b"\xef\xbb\xbf" + HEADER + b"1|A|B|\n", [("1", "A", "B")]),
        (HEADER + '1|NOËL|"Œ\u2028|\n'.encode(), [("1", "NOËL", '"Œ\u2028')]),
        (HEADER + "1|NOËL|Œ €|\n".encode("cp1252"), [("1", "NOËL", "Œ €")]),
        (HEADER + "1|é|a|\n".encode() + "2|é|b|\n".encode("cp1252"), [("1", "é", "a"), ("2", "é", "b")]),
        (HEADER + b"1|\x81|B|\n", [("1", "\ufffd", "B")]),
        (HEADER, []),
        (HEADER.rstrip(b"\n"), []),
    ],
    ids=[
        "lf",
        "no-end",
        "no-trailing",
        "crlf",
        "blank-lines",
        "bom",
        "utf8",
        "cp1252",
        "mixed",
        "undefined",
        "none",
        "bare",
    ],
)
def test_lines_and_encodings(tmp_path: Path, content: bytes, rows: list[tuple[str, ...]]) -> None:
    """LF or CRLF, a trailing separator or none, UTF-8 else Windows-1252; quotes and odd separators are data."""
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert read(path) == rows


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 16])
def test_the_size_of_blocks_changes_nothing(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Lines and characters that lie across two blocks are whole."""
    path = made(rows=40)
    expected = read(path)
    monkeypatch.setattr(reading, "BLOCK", size)
    assert read(path) == expected


@pytest.mark.parametrize("bad", [b"2|C|\n", b"2|C|D|E\n", b"2|C\n"])
def test_a_row_that_does_not_fit_stops_with_its_line(tmp_path: Path, bad: bytes) -> None:
    """The number of the line is told and nothing of its content; lenient reading pads it or cuts it."""
    path = tmp_path / "a.txt"
    path.write_bytes(HEADER + b"1|A|B|\n" * 3 + bad.replace(b"2|C|\n", b"2|CONFIDENTIEL") + b"3|E|F|\n")
    with pytest.raises(BrokenExtractionError, match="line 5: a row has") as caught:
        read(path)
    assert "CONFIDENTIEL" not in f"{caught.value} {caught.value.hint}"
    lenient = read(path, lenient=True)
    assert {len(row) for row in lenient} == {3}
    assert [row[0] for row in lenient][:4] == ["1", "1", "1", "2"]


def test_a_line_without_end_is_no_extraction(tmp_path: Path) -> None:
    """A megabyte without an end of line is refused before memory goes."""
    path = tmp_path / "a.txt"
    path.write_bytes(HEADER + b"1|" * (2 << 20))
    with pytest.raises(BrokenExtractionError, match="longer than 1 MiB"):
        read(path)


def test_a_wrong_sum_is_told(zipped: Callable[..., Path]) -> None:
    """What was damaged on the disk is found; a zip that is cut is no zip."""
    path = zipped(("a.txt", HEADER + b"1|ALPHA|B|\n"), method=zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"ALPHA", b"OMEGA"))
    with pytest.raises(BrokenExtractionError, match=r"not a whole zip .*CRC"):
        read(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BrokenExtractionError, match="not a whole zip"):
        Extraction(path)


@pytest.mark.parametrize("name", ["../a.txt", "/a.txt", "a/../../b.txt", "C:\\a.txt", "a\\b.txt", "a\nb.txt"])
def test_a_member_out_of_its_folder_is_refused(zipped: Callable[..., Path], name: str) -> None:
    """Nothing is ever unpacked here, but others unpack what we fetched."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    with pytest.raises(BrokenExtractionError, match="outside of its folder"):
        Extraction(zipped((info, b"a|b\n")))


def test_strange_zips_are_refused(zipped: Callable[..., Path]) -> None:
    """A link, an encrypted member, an unusual method, a bomb, a hundred members, no member."""
    link = zipfile.ZipInfo("a.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for path, why in (
        (lambda: zipped((link, b"/etc/passwd")), "link"),
        (lambda: zipped(("a.txt", b"a|b\n" * 100), method=zipfile.ZIP_LZMA), "packed in a way"),
        (lambda: zipped(("a.txt", b"|" * (8 << 20))), "more than 200 times"),
        (lambda: zipped(*((f"{number}.txt", b"a|b\n") for number in range(101))), "101 members"),
        (lambda: zipped(("folder/", b"")), "no text"),
    ):
        with pytest.raises(BrokenExtractionError, match=why):
            Extraction(path())


def test_a_zip_that_lies_is_refused(zipped: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Encrypted by its flag, members that overlap, more than could be meant."""
    path = zipped(("a.txt", b"a|b\n" * 50), method=zipfile.ZIP_STORED)
    data = path.read_bytes()
    directory = data.index(b"PK\x01\x02")
    encrypted = bytearray(data)
    encrypted[directory + 8] |= 1
    path.write_bytes(encrypted)
    with pytest.raises(BrokenExtractionError, match="encrypted"):
        Extraction(path)
    twice = bytearray(data)
    twice[directory + 20 : directory + 24] = (10_000).to_bytes(4, "little")
    path.write_bytes(twice)
    with pytest.raises(BrokenExtractionError, match=r"overlap|not a whole zip"):
        Extraction(path)
    path.write_bytes(data)
    monkeypatch.setattr("ror_sante.sync.annuaire.archive.LARGEST", 10)
    with pytest.raises(BrokenExtractionError, match="would grow beyond"):
        Extraction(path)


def test_checking_reads_every_byte_of_every_text(made: Callable[..., Path]) -> None:
    """What it counts is what the texts hold."""
    counted: list[int] = []
    members = check(made(), name="file", checked=counted.append)
    assert sum(counted) == sum(member.size for member in members)
    assert len(members) == 3


# ------------------------------------------------------------------ persons


def grouped(path: Path, **how: Any) -> dict[str, list[tuple[str, ...]]]:
    with Extraction(path) as extraction:
        return {person.national_id: [tuple(row) for row in person.rows] for person in extraction.persons(**how)}


def expected(rows: list[tuple[str, ...]], place: int) -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        if row[place]:
            found.setdefault(row[place], []).append(row)
    return found


@pytest.mark.parametrize("at_once", [1 << 30, 20_000])
@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_rows_are_grouped_by_person(
    made: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, order: str
) -> None:
    """In memory or in parts, in any order of the file: each person once, with all rows in the file's order."""
    rows = read(made(rows=400))
    if order == "shuffled":
        random.Random(1).shuffle(rows)
    with Extraction(made(rows=1)) as extraction:
        header = "|".join(extraction.header().names)
    path = tmp_path / "a.txt"
    path.write_text("\n".join([header, *("|".join(row) for row in rows)]), encoding="utf-8")
    monkeypatch.setattr(grouping, "AT_ONCE", at_once)
    assert grouped(path) == expected(rows, 2)


def test_a_mailbox_of_an_organisation_belongs_to_nobody(made: Callable[..., Path]) -> None:
    """Rows that name no person are left out."""
    path = made("Extraction_Correspondance_MSSante", rows=50)
    with Extraction(path) as extraction:
        personal = [row for row in extraction.rows() if isinstance(row, Mailbox) and row.is_personal]
        people = list(extraction.persons())
    assert sum(len(person.rows) for person in people) == len(personal) < 50
    assert "99" not in repr(people[0])


@pytest.mark.parametrize("at_once", [1 << 30, 10])
def test_rows_without_persons_cannot_be_grouped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """A file without the column says so; an empty one has nobody."""
    monkeypatch.setattr(grouping, "AT_ONCE", at_once)
    (tmp_path / "a.txt").write_bytes(b"Nom|Ville\nA|B\n")
    with pytest.raises(BrokenExtractionError, match="group by"):
        grouped(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_bytes(HEADER)
    assert grouped(tmp_path / "b.txt") == {}
    (tmp_path / "c.txt").write_bytes(HEADER + b"|A|B|\n1|C|D|\n")
    assert grouped(tmp_path / "c.txt") == {"1": [("1", "C", "D")]}


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Thirty megabytes of text are read in three; what is held is a block and its rows."""
    file = io.BytesIO()
    line = b"1|" + b"x" * 300 + b"|y|\n"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.txt", HEADER + line * 100_000)
    path = tmp_path / "a.zip"
    path.write_bytes(file.getvalue())
    del file
    tracemalloc.start()
    try:
        with Extraction(path) as extraction:
            count = sum(1 for _ in extraction.rows())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 100_000
    assert peak < 3 << 20
