"""The simulator's extractions: versions by the night, ranges, validators, and the same bytes for the same seed."""

from __future__ import annotations

import http.client
import io
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.extraction import EXTRACTION_PATH, ExtractionService
from ror_sante.simulator.extraction_data import TEXTS, write_extraction
from ror_sante.simulator.server import Simulator, Variants

NAME = "Porteurs_CPS_CPF"


@pytest.fixture
def ask(run: Callable[..., Simulator], tls: Any) -> Callable[..., Any]:
    """Ask one simulator for an extraction; give status, headers and body."""
    simulators: dict[Any, Simulator] = {}

    def send(method: str = "GET", name: str = NAME, *, fault: str = "", **how: Any) -> Any:
        headers = how.pop("headers", {})
        key = tuple(how.items())
        if key not in simulators:
            simulators[key] = run(variants=Variants(extraction_rows=50, **how))
        if fault:
            simulators[key].fault(fault)
        port = urlsplit(simulators[key].extraction_url).port
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=tls(), timeout=5)
        connection.request(method, f"{EXTRACTION_PATH}/{name}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.headers, body

    return send


def test_head_tells_what_get_brings(ask: Callable[..., Any]) -> None:
    """Size and an unquoted name with the time of the night in Paris."""
    status, head, nothing = ask("HEAD")
    _, _, body = ask("GET")
    assert (status, nothing, int(head["Content-Length"])) == (200, b"", len(body))
    assert head["Content-Disposition"].startswith(f"attachment; filename={NAME}_20")
    assert zipfile.ZipFile(io.BytesIO(body)).testzip() is None


@pytest.mark.parametrize(
    ("now", "version"),
    [
        ("2026-01-15T01:00Z", "202601140310"),
        ("2026-01-15T02:10Z", "202601150310"),
        ("2026-07-15T12:00Z", "202607150410"),
        ("2026-10-25T12:00Z", "202610250310"),
    ],
)
def test_a_version_a_night(now: str, version: str) -> None:
    """Ten past two UTC, which is three or four in Paris."""
    moment = datetime.fromisoformat(now)
    service = ExtractionService(Variants(extraction_rows=1), seed=1, now=lambda: moment.astimezone(UTC))
    assert service.file(NAME)[0] == version


@pytest.mark.parametrize(("validator", "header"), [("etag", "ETag"), ("date", "Last-Modified"), ("none", None)])
def test_a_range_is_given_to_who_knows_the_file(ask: Callable[..., Any], validator: str, header: str | None) -> None:
    """206 with the right validator or without one; the whole with another; 416 beyond the end."""
    _, head, body = ask(extraction_validator=validator)
    good = {"If-Range": head[header]} if header else {}
    status, part, rest = ask(headers={"Range": "bytes=10-", **good}, extraction_validator=validator)
    assert (status, rest, part["Content-Range"]) == (206, body[10:], f"bytes 10-{len(body) - 1}/{len(body)}")
    stale = {"Range": "bytes=10-", "If-Range": '"another"'}
    assert ask(headers=stale, extraction_validator=validator)[0] == 200
    beyond = {"Range": f"bytes={len(body)}-"}
    assert ask(headers=beyond, extraction_validator=validator)[0] == 416


def test_ranges_can_be_unknown(ask: Callable[..., Any]) -> None:
    """Then the whole comes, whatever is asked."""
    status, headers, _ = ask(headers={"Range": "bytes=10-"}, extraction_ranges=False)
    assert (status, headers["Accept-Ranges"]) == (200, None)


def test_other_methods_and_names(ask: Callable[..., Any]) -> None:
    """405 and 404."""
    assert ask("POST")[0] == 405
    assert ask(name="Nothing")[0] == 404


@pytest.mark.parametrize("name", TEXTS)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    """Another seed gives other people; the number of rows is what was asked for."""

    def made(seed: int) -> bytes:
        file = io.BytesIO()
        write_extraction(file, name, "202611250310", rows=40, seed=seed)
        return file.getvalue()

    assert made(1) == made(1)
    assert made(1) != made(2)
    first = zipfile.ZipFile(io.BytesIO(made(1)))
    assert first.read(first.namelist()[0]).count(b"\n") == 41


def test_the_faults_of_extractions(ask: Callable[..., Any]) -> None:
    """Each is what its sentence says."""
    statuses = {"extraction-none": 503, "extraction-too-soon": 429, "extraction-502": 502}
    assert {name: ask(fault=name)[0] for name in statuses} == statuses
    assert ask(fault="extraction-no-name")[1]["Content-Disposition"] is None
    assert "../" in ask(fault="extraction-evil-name")[1]["Content-Disposition"]
    assert ask(fault="extraction-newer")[1]["Content-Disposition"].endswith("11.zip")
    damaged = zipfile.ZipFile(io.BytesIO(ask(fault="extraction-damaged")[2]))
    with pytest.raises((zipfile.BadZipFile, zlib.error)):
        damaged.read(damaged.namelist()[0])
    slipped = zipfile.ZipFile(io.BytesIO(ask(fault="extraction-slip")[2]))
    assert slipped.namelist() == ["../../outside.txt"]
    bomb = zipfile.ZipFile(io.BytesIO(ask(fault="extraction-bomb")[2]))
    assert bomb.infolist()[0].file_size == 64 << 20


def test_a_fault_of_the_zip_strikes_nothing_else(run: Callable[..., Simulator]) -> None:
    """It cannot be told to strike at the token endpoint."""
    with pytest.raises(ConfigurationError, match="a download and nothing else"):
        run().fault("extraction-damaged", at="token")
