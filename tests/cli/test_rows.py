"""Resources as NDJSON, JSON, CSV and tables."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from ror_sante.api.fhir.resource import Resource
from ror_sante.cli import rows

if TYPE_CHECKING:
    from collections.abc import Callable

OFFER = {
    "resourceType": "HealthcareService",
    "id": "1",
    "identifier": [{"system": "x"}, {"value": "11/1"}],
    "active": True,
    "name": "Consultation",
    "category": [{"coding": [{"code": "01"}]}],
    "providedBy": {"reference": "Organization/2"},
    "meta": {"lastUpdated": "2026-01-01"},
}


def resource(**more: object) -> Resource:
    return Resource(json.dumps(OFFER | more, ensure_ascii=False).encode())


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Write resources and give what came out on the pipe."""

    def _written(resources: list[Resource], style: str, *, single: bool = False) -> str:
        assert rows.write(resources, style, resource_type="HealthcareService", single=single) == len(resources)
        return capsys.readouterr().out

    return _written


def test_ndjson_passes_the_servers_bytes(written: Callable[..., str]) -> None:
    """One line a resource, spacing and numbers as they came."""
    raw = b'{"resourceType":"HealthcareService", "id": "1", "n": 1.50}'
    assert written([Resource(raw), resource()], "ndjson").splitlines()[0] == raw.decode()


def test_a_column_means_the_same_in_every_type() -> None:
    """So rows of several types share one heading: each column once, the type first."""
    names = [name for name, _ in rows.columns_of("")]
    assert names[0] == "resourceType"
    assert len(set(names)) == len(names)
    every = [rows.columns_of(kind) for kind in ("HealthcareService", "Location", "Practitioner", "Device")]
    assert set(itertools.chain(*every)) <= set(rows.columns_of(""))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_one_list(written: Callable[..., str], count: int) -> None:
    """Whatever the number, an empty one included."""
    assert json.loads(written([resource()] * count, "json")) == [OFFER] * count


def test_one_resource_as_json_is_an_object(written: Callable[..., str]) -> None:
    """`read` prints what it read, not a list of one."""
    assert json.loads(written([resource()], "json", single=True)) == OFFER


def test_csv_takes_the_first_value_of_each_list(written: Callable[..., str]) -> None:
    """The columns of the type, codes where there is no display, words for switches."""
    found = list(csv.DictReader(io.StringIO(written([resource()], "csv"))))
    assert found == [
        {
            "id": "1",
            "identifier": "11/1",
            "name": "Consultation",
            "category": "01",
            "specialty": "",
            "providedBy": "Organization/2",
            "active": "true",
            "lastUpdated": "2026-01-01",
        }
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_cells_that_a_spreadsheet_would_run_are_neutralised(written: Callable[..., str], start: str) -> None:
    """An apostrophe stands before what looks like a formula."""
    found = list(
        csv.DictReader(io.StringIO(written([resource(name=f"{start}cmd()", active=False)], "csv"), newline=""))
    )
    assert found[0]["name"].startswith("'")
    assert found[0]["active"] == "false"


def test_csv_shows_control_characters(written: Callable[..., str]) -> None:
    """An escape sequence in a name stays text; quotes and commas are quoted."""
    found = list(csv.DictReader(io.StringIO(written([resource(name='a\x1b[31m,"b"\nc')], "csv"))))
    assert found[0]["name"] == 'a\\x1b[31m,"b"\\x0ac'


def test_a_table_takes_markup_for_text(written: Callable[..., str]) -> None:
    """Square brackets of a server are characters; its escapes are shown."""
    out = written([resource(name="[b]x[/b]\x1b", providedBy={}, category=3)], "table")
    assert "[b]x[/b]" in out.replace("\n", "")
    assert "\x1b" not in out


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_table_fits_the_terminal(written: Callable[..., str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """A narrow terminal wraps, a wide one does not; nothing is wider than either."""
    monkeypatch.setenv("COLUMNS", str(width))
    out = written([resource(name="Consultation de médecine générale " * 3)] * 2, "table")
    assert max(len(line) for line in out.splitlines()) <= width


def test_a_terminal_of_twenty_columns_gets_what_fits(
    written: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns have a least width; below it, lines are longer than the screen, and nothing fails."""
    monkeypatch.setenv("COLUMNS", "20")
    assert len(written([resource()], "table").splitlines()) == 2


def test_an_empty_table_prints_nothing(written: Callable[..., str]) -> None:
    """No heading without rows."""
    assert written([], "table") == ""


@pytest.mark.parametrize("kind", ["Organization", "Location", "Practitioner", "PractitionerRole", "Task", "Device"])
def test_every_type_has_columns(kind: str) -> None:
    """Types without columns of their own get the common ones."""
    assert [name for name, _ in rows.columns_of(kind)][-1] == "lastUpdated"
    assert rows.values(resource(), rows.columns_of("Device"))[0] == "HealthcareService"


def test_json_on_a_terminal_shows_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """U+009B starts an escape sequence; JSON may hold it, a terminal gets its escape."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    rows.write([resource(name="a\x9b31m")], "ndjson", resource_type="HealthcareService")
    assert "\x9b" not in out.getvalue()
    assert json.loads(out.getvalue())["name"] == "a\x9b31m"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("style", ["ndjson", "json"])
def test_json_stays_json_in_a_narrow_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str, style: str) -> None:
    r"""LC_ALL=C or fr_FR.ISO-8859-1: ``\xe9`` would be no JSON, nor would a byte of Latin-1."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace"))
    rows.write([resource(name="é’\U0001f600")], style, resource_type="HealthcareService", single=True)
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode("ascii"))["name"] == "é’\U0001f600"


def test_the_default_format_is_for_whoever_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table on a terminal, NDJSON in a pipe."""
    assert rows.default_format() == "ndjson"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert re.fullmatch("table", rows.default_format())
