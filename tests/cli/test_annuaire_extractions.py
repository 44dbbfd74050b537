"""`annuaire download` and `annuaire rows` as one types them."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ror_sante.simulator.server import Simulator, Variants
from ror_sante.sync.lock import locked

MAILBOXES = "Extraction_Correspondance_MSSante"


@pytest.fixture
def fetched(run: Callable[..., Any], tmp_path: Path, ror_pki: Any) -> Callable[..., Path]:
    """Fetch an extraction of a small simulator with the command."""

    def fetch(name: str = "PS_LibreAcces") -> Path:
        with Simulator(ror_pki, size=1, variants=Variants(extraction_rows=60)) as simulator:
            config = simulator.write_config(tmp_path / "config")
            done = run("--config", config, "annuaire", "download", name, "--out", tmp_path / "out")
        assert done.code == 0
        return Path(done.out.strip())

    return fetch


def test_download_prints_the_path_and_its_steps(run: Callable[..., Any], tmp_path: Path) -> None:
    """The path is on stdout, the steps are JSON lines on stderr, and a second run says that nothing is new."""
    first = run("annuaire", "download", "Porteurs_CPS_CPF", "--env", "simulator", "--out", tmp_path / "out")
    assert first.code == 0
    path = Path(first.out.strip())
    assert path.parent == tmp_path / "out"
    assert [json.loads(line)["step"] for line in first.err.splitlines()] == ["fetching", "checking", "published"]
    second = run("annuaire", "download", "Porteurs_CPS_CPF", "--env", "simulator", "--out", tmp_path / "out")
    assert (second.code, second.out) == (0, first.out)
    assert "is there already; nothing was fetched" in second.err


def test_the_audit_line_names_the_host_of_the_extractions(run: Callable[..., Any], tmp_path: Path) -> None:
    """Not that of the ROR; and how it ended."""
    config = tmp_path / "ror-sante.toml"
    config.write_text(
        'environment = "bench"\n[environments.bench]\ntoken_url = "https://ror.invalid/t"\n'
        'api_url = "https://ror.invalid"\nannuaire_download_url = "https://127.0.0.1:1/extraction"\n',
        encoding="utf-8",
    )
    config.chmod(0o600)
    words = ("annuaire", "download", "Extraction_ProSanteConnect", "--out", tmp_path / "out")
    assert run("--config", config, "--audit", tmp_path / "audit", *words).code == 2
    line = json.loads((tmp_path / "audit").read_text(encoding="utf-8"))
    assert (line["host"], line["code"]) == ("127.0.0.1", 2)


def test_no_new_file_is_said_and_ends_well(run: Callable[..., Any], tmp_path: Path, simulator: Simulator) -> None:
    """503 exits with 0: with the last good file when there is one, and without a path when there is none."""
    config = simulator.write_config(tmp_path / "config")
    words = ("--config", config, "annuaire", "download", "Porteurs_CPS_CPF", "--out", tmp_path / "out")
    simulator.fault("extraction-none")
    none = run(*words)
    assert (none.code, none.out) == (0, "")
    assert "no new file of Porteurs_CPS_CPF now (503)." in none.err
    good = run(*words)
    simulator.fault("extraction-none")
    again = run(*words)
    assert (again.code, again.out) == (0, good.out)
    assert "the last one is of" in again.err


def test_refusals_have_their_sentence_and_code(run: Callable[..., Any], tmp_path: Path, simulator: Simulator) -> None:
    """A wrong name is usage, one that the server lacks is an answer, a lock that is held is 7."""
    config = simulator.write_config(tmp_path / "config")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[annuaire]\n", '[annuaire]\nextractions = ["Gone"]\n'), encoding="utf-8")

    def download(name: str) -> Any:
        return run("--config", config, "annuaire", "download", name, "--out", tmp_path / "out")

    wrong = download("PS_LibreAces")
    assert (wrong.code, "Did you mean PS_LibreAcces?" in wrong.err) == (2, True)
    assert "goes on" not in wrong.err
    gone = download("Gone")
    assert (gone.code, "the Annuaire Santé has no extraction Gone" in gone.err) == (5, True)
    assert "the same command goes on" in gone.err
    assert "cause: There is no extraction of this name" in gone.err
    with locked(tmp_path / "out"):
        assert download("Porteurs_CPS_CPF").code == 7


def test_a_restricted_name_without_certificate_is_told(run: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing is sent, not even to production: the certificate is missing here."""
    done = run("annuaire", "download", "Extraction_ProSanteConnect", "--env", "production", "--out", tmp_path / "out")
    assert done.code == 2
    assert "Extraction_ProSanteConnect is for holders of a certificate" in done.err


def test_a_long_wait_is_told_before_it(
    run: Callable[..., Any], tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step says how long, and why."""
    config = simulator.write_config(tmp_path / "config")
    simulator.fault("http-429", at="extraction")
    done = run("--config", config, "annuaire", "download", "Porteurs_CPS_CPF", "--out", tmp_path / "out")
    waiting = [step for line in done.err.splitlines() if (step := json.loads(line))["step"] == "waiting"]
    assert done.code == 0
    assert [(step["seconds"], "429" in step["reason"]) for step in waiting] == [(1.0, True)]


def test_a_terminal_gets_a_bar(
    run: Callable[..., Any], tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of JSON lines."""
    config = simulator.write_config(tmp_path / "config")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    done = run("--config", config, "annuaire", "download", "Porteurs_CPS_CPF", "--out", tmp_path / "out")
    assert done.code == 0
    assert '"step"' not in done.err


# ------------------------------------------------------------------ rows


def test_rows_are_ndjson_by_header(run: Callable[..., Any], fetched: Callable[..., Path]) -> None:
    """One object a row, every column, in the file's order."""
    done = run("annuaire", "rows", fetched())
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, len(rows), {len(row) for row in rows}) == (0, 60, {56})
    assert all(row["Identification nationale PP"].startswith("8999") for row in rows)


def test_rows_as_csv_are_safe_for_a_spreadsheet(run: Callable[..., Any], fetched: Callable[..., Path]) -> None:
    """The simulator names a firm =SOMME: its cell is neutralised; columns can be chosen in any spelling."""
    done = run(
        "annuaire", "rows", fetched(), "--format", "csv", "--column", "RAISON SOCIALE", "--column", "code postal"
    )
    rows = list(csv.reader(io.StringIO(done.out)))
    assert rows[0] == ["Raison sociale site", "Code postal (coord. structure)"]
    assert len(rows) == 61
    assert any(row[0].startswith("'=SOMME") for row in rows)
    assert not any(row[0].startswith("=") for row in rows)
    assert any(row[1].startswith("01") for row in rows)


def test_max_stops_early_in_both_formats(run: Callable[..., Any], fetched: Callable[..., Path]) -> None:
    """N rows; the header of CSV is not counted."""
    path = fetched()
    assert len(run("annuaire", "rows", path, "--max", 3).out.splitlines()) == 3
    assert len(run("annuaire", "rows", path, "--max", 3, "--format", "csv").out.splitlines()) == 4


def test_rows_by_person(run: Callable[..., Any], fetched: Callable[..., Path]) -> None:
    """One line a person with all of its rows; not as CSV."""
    path = fetched()
    people = [json.loads(line) for line in run("annuaire", "rows", path, "--by-person").out.splitlines()]
    assert sum(len(person["rows"]) for person in people) == 60
    assert all(
        row["Identification nationale PP"] == person["national_id"] for person in people for row in person["rows"]
    )
    assert run("annuaire", "rows", path, "--by-person", "--format", "csv").code == 2


def test_another_text_can_be_chosen(run: Callable[..., Any], fetched: Callable[..., Path]) -> None:
    """By a word of its name; a word that fits none is told with the names that there are."""
    path = fetched()
    done = run("annuaire", "rows", path, "--text", "savoirfaire")
    assert len(json.loads(done.out.splitlines()[0])) == 13
    wrong = run("annuaire", "rows", path, "--text", "nothing")
    assert (wrong.code, "SavoirFaire" in wrong.err) == (2, True)
    assert run("annuaire", "rows", path, "--column", "nothing").code == 2


def test_what_is_no_extraction_is_told(run: Callable[..., Any], tmp_path: Path) -> None:
    """A missing file is 2; one that is no extraction, or has a row that does not fit, is 5; --lenient reads on."""
    assert run("annuaire", "rows", tmp_path / "nothing.zip").code == 2
    path = tmp_path / "a.txt"
    path.write_bytes(b"<html>")
    assert run("annuaire", "rows", path).code == 5
    path.write_bytes(b"a|b\n1|2\n3\n")
    strict = run("annuaire", "rows", path)
    assert (strict.code, "line 3" in strict.err, "--lenient" in strict.err) == (5, True, True)
    assert run("annuaire", "rows", path, "--lenient").out.splitlines()[1] == '{"a":"3","b":""}'


def test_no_row_is_in_a_log(
    run: Callable[..., Any], fetched: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Under -vv neither stderr nor any log record holds a cell."""
    path = fetched(MAILBOXES)
    with caplog.at_level(logging.DEBUG):
        done = run("-vv", "annuaire", "rows", path)
    assert "@pro.mssante.invalid" in done.out
    assert "mssante.invalid" not in done.err + caplog.text
