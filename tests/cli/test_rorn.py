"""`rorn search`, `rorn read`, `rorn metadata`."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.api.fhir.resource import Resource
from ror_sante.cli import statement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.simulator.server import Simulator


def test_search_in_a_pipe_is_ndjson(run: Callable[..., Any], bench: Path) -> None:
    """All pages, one resource a line, nothing on stderr."""
    done = run("rorn", "search", "HealthcareService", "--config", bench)
    assert (done.code, done.err) == (0, "")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert len({line["id"] for line in lines}) == len(lines) == 260


def test_search_on_a_terminal_is_a_table_of_fifty(on_a_terminal: Callable[..., Any], bench: Path) -> None:
    """A person gets a page, and is told that there is more."""
    done = on_a_terminal("rorn", "search", "HealthcareService", "--config", bench)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.out)
    rows = [line for line in plain.splitlines() if re.match(r"\d{6} ", line)]
    assert (done.code, len(rows)) == (0, 50)
    assert max(len(line) for line in plain.splitlines()) <= 80
    assert "The first 50 are shown, there are more: --max N" in done.err


def test_max_counts_in_every_format(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """--max stops after N, with no further page."""
    done = run("rorn", "search", "HealthcareService", "--max", "3", "--format", "table", "--config", bench)
    assert len(done.out.splitlines()) == 4
    assert done.err == ""
    found = run("rorn", "search", "HealthcareService", "--max", "3", "--format", "json", "--config", bench)
    assert len(json.loads(found.out)) == 3
    assert sum("HealthcareService" in seen.path for seen in simulator.requests) == 2


def test_parameters_are_repeated_and_kept_in_order(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """-p name=value, the first equals sign divides, the rest belongs to the value."""
    words = ["-p", "_count=2", "-p", "_lastUpdated=ge2020-01-01", "-p", "_lastUpdated=le2030-01-01", "-p", "name=a=b"]
    run("rorn", "search", "Organization", *words, "--max", "1", "--config", bench)
    asked = next(seen.params for seen in simulator.requests if seen.path.endswith("/Organization"))
    assert asked == [
        ("_count", "2"),
        ("_lastUpdated", "ge2020-01-01"),
        ("_lastUpdated", "le2030-01-01"),
        ("name", "a=b"),
    ]


def test_search_as_csv(run: Callable[..., Any], bench: Path) -> None:
    """A heading, then one row a resource."""
    done = run("rorn", "search", "Location", "--max", "2", "--format", "csv", "--config", bench)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 2
    assert rows[0]["id"].isdigit()


def test_reports_and_templates_have_their_columns_too(run: Callable[..., Any], bench: Path) -> None:
    """In a table and in CSV one reads what a Task is about, and the title of a Questionnaire."""
    words = ["--max", "1", "--config", bench, "--format"]
    (task,) = csv.DictReader(io.StringIO(run("rorn", "search", "Task", *words, "csv").out))
    assert task["description"].startswith("Le nom de cette offre")
    assert re.fullmatch(r"\d\d/300000", task["focus"])
    (template,) = csv.DictReader(io.StringIO(run("rorn", "search", "Questionnaire", *words, "csv").out))
    assert template["title"].startswith("Gabarit de saisie")
    assert "Gabarit de saisie" in run("rorn", "search", "Questionnaire", *words, "table").out


def test_what_comes_along_has_its_own_columns_in_csv(run: Callable[..., Any], bench: Path) -> None:
    """An offer, its place, a role and a person under one heading: each row fills the columns of its type."""
    words = ["rorn", "search", "HealthcareService", "--full-offer", "--max", "1", "--format", "csv", "--config", bench]
    (alone,) = csv.DictReader(io.StringIO(run(*words).out))
    assert "resourceType" not in alone
    rows = list(csv.DictReader(io.StringIO(run(*words, "--included").out)))
    assert rows[0]["name"] == alone["name"]
    filled = {row["resourceType"]: {name for name, cell in row.items() if cell} for row in rows}
    assert filled["HealthcareService"] >= {"specialty", "providedBy"}
    assert filled["Location"] >= {"city", "status", "type"}
    assert filled["Practitioner"] >= {"family", "given"}
    assert filled["PractitionerRole"] >= {"practitioner", "organization", "code"}
    assert "family" not in filled["HealthcareService"] | filled["Organization"]


def test_nothing_found_is_said_and_good(run: Callable[..., Any], bench: Path) -> None:
    """An empty result is a result: exit code 0, a word on stderr."""
    done = run("rorn", "search", "HealthcareService", "-p", "name=zzzzzz", "--config", bench)
    assert (done.code, done.out, done.err) == (0, "", "Nothing was found.\n")


def test_progress_is_for_a_person_who_sees_stderr(
    run: Callable[..., Any], bench: Path, terminal: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows go into a pipe, stderr is a terminal: a count shows there, and only there."""
    err = terminal()
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setenv("TERM", "xterm-256color")
    done = run("rorn", "search", "HealthcareService", "--config", bench)
    assert len(done.out.splitlines()) == 260
    assert "searching…" in err.text


def test_read_gives_the_resource(run: Callable[..., Any], bench: Path) -> None:
    """As it is, or as an object, or as a row."""
    done = run("rorn", "read", "HealthcareService", "100001", "--config", bench)
    assert json.loads(done.out)["id"] == "100001"
    table = run("rorn", "read", "HealthcareService", "100001", "--format", "table", "--config", bench)
    assert table.out.splitlines()[1].startswith("100001")


def test_a_resource_that_is_not_there_is_five(run: Callable[..., Any], bench: Path) -> None:
    """404, with what the server said."""
    done = run("rorn", "read", "HealthcareService", "1", "--config", bench)
    assert (done.code, done.out) == (5, "")
    assert "404" in done.err


def test_a_functional_id_is_two(run: Callable[..., Any], bench: Path) -> None:
    """It is no technical id, and nothing is sent."""
    done = run("rorn", "read", "HealthcareService", "52/1", "--config", bench)
    assert (done.code, "is not a technical id" in done.err) == (2, True)


def test_metadata_for_a_program_and_for_a_person(run: Callable[..., Any], bench: Path) -> None:
    """JSON as it came; a table of what each resource type allows."""
    assert json.loads(run("rorn", "metadata", "--format", "json", "--config", bench).out)["fhirVersion"] == "4.0.1"
    table = run("rorn", "metadata", "--format", "table", "--config", bench).out
    assert re.search(r"FHIR +4\.0\.1", table)
    assert re.search(r"HealthcareService +search-type, read; \d+ search parameters", table)


def test_a_statement_of_odd_shape_is_still_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing is said to be missing."""
    statement.summary(Resource(b'{"rest":[{"resource":[{"type":"Task"}, 3]}], "software": []}'))
    out = capsys.readouterr().out
    assert "not named" in out
    assert re.search(r"Task +nothing; 0 search parameters", out)


def test_a_result_that_is_cut_is_five(run: Callable[..., Any], pki: Any, tmp_path: Path) -> None:
    """Beyond 10 000 the service cuts without a word: an error, unless one takes what there is."""
    from ror_sante.simulator.server import Simulator

    with Simulator(pki, size=10_001) as big:
        config = big.write_config(tmp_path / "big")
        done = run("rorn", "search", "HealthcareService", "--config", config)
        assert (done.code, done.out) == (5, "")
        assert "10000" in done.err.replace(" ", "")
        some = run("rorn", "search", "HealthcareService", "--max", "1", "--allow-truncated", "--config", config)
        assert (some.code, len(some.out.splitlines())) == (0, 1)


def test_the_simulator_serves_a_search_too(run: Callable[..., Any]) -> None:
    """--env simulator works for every verb that calls."""
    done = run("rorn", "search", "Practitioner", "--env", "simulator", "--max", "1", "--timeout", "10")
    assert (done.code, len(done.out.splitlines())) == (0, 1)


def test_profile_0_has_a_secret_and_no_certificate(run: Callable[..., Any], bench: Path) -> None:
    """This server wants a certificate, and refuses: the secret was used, no P12 was opened."""
    (bench.parent / "secret").write_text("s")
    bench.write_text(bench.read_text().replace("[rorn]", '[rorn]\nclient_secret_file = "secret"'))
    done = run("rorn", "search", "Practitioner", "--config", bench, "--timeout", "2")
    assert done.code == 4
