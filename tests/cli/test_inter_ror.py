"""`inter-ror search`: rows on stdout, the account on stderr and in a file, 6 for a part."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.diagnosis.causes import cause
from ror_sante.simulator.server import Simulator
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki

SEARCH = ("inter-ror", "search", "HealthcareService")


@pytest.fixture
def regions(simulator: Simulator, tmp_path: Path) -> Path:
    """A settings file of which four regions have endpoints of their own."""
    return simulator.write_config(tmp_path / "regions", regions="01,11,53,84")


def test_all_regions_through_the_national_service(run: Callable[..., Any], bench: Path) -> None:
    """Every record once, a line a region on stderr, exit code 0."""
    done = run(*SEARCH, "--config", bench)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, len({line["resource"]["id"] for line in lines}), len(lines)) == (0, 260, 260)
    told = done.err.splitlines()
    assert told[0] == "18 regions: 18 answered; 260 rows"
    assert len(told) == 19
    assert re.fullmatch(r"  53 Bretagne +answered +\d+ rows +\d+\.\d\d s", told[13])


def test_a_part_exits_6_and_says_why(run: Callable[..., Any], regions: Path, simulator: Simulator) -> None:
    """One region refuses: rows of the others, its reason, 6; none answers: the code of its family."""
    simulator.fault("403", None, region="53")
    done = run(*SEARCH, "--config", regions, "--regions", "11,Bretagne")
    assert (done.code, len(done.out.splitlines())) == (6, 200)
    assert done.err.startswith("2 regions: 1 answered, 1 refused; 200 rows\n")
    assert re.search(r"53 Bretagne +refused +0 rows .* rights: .*403", done.err)
    alone = run(*SEARCH, "--config", regions, "--regions", "53")
    assert (alone.code, alone.out) == (5, "")
    assert alone.err.startswith("1 region: 1 refused; 0 rows\n")


def test_a_region_that_failed_has_its_cause_told_once(
    run: Callable[..., Any], regions: Path, simulator: Simulator, pki: SimulatorPki, tmp_path: Path
) -> None:
    """Rights, from the status; an intermediate that a server forgot, which our own certificate proves, for all."""
    simulator.fault("403", None, region="53")
    done = run(*SEARCH, "--config", regions, "--regions", "11,53")
    assert [line for line in done.err.splitlines() if "cause:" in line] == [
        f"cause: Bretagne: {cause('api-403', 'medium', '').title}"
    ]
    issued = pki.server()
    with Simulator(pki, size=1, server=replace(issued, chain=issued.chain[:1])) as forgetful:
        config = forgetful.write_config(tmp_path / "forgetful", regions="53")
        done = run(*SEARCH, "--config", config, "--regions", "11,53", "--lang", "fr")
    missing = cause("server-intermediate-not-sent", "high", "", lang="fr")
    assert done.code == 4
    assert done.err.splitlines()[3:] == [
        f"cause: Île-de-France, Bretagne: {missing.title}",
        f"suite: {missing.next_step}",
    ]


def test_the_account_goes_to_a_file(
    run: Callable[..., Any], regions: Path, simulator: Simulator, tmp_path: Path
) -> None:
    """JSON, for its owner alone, without the rows."""
    simulator.fault("http-500", None, region="53")
    file = tmp_path / "account.json"
    words = ("--regions", "53,11", "--account", file, "--region-timeout", "2", "--deadline", "9")
    assert run(*SEARCH, "--config", regions, *words).code == 6
    account = json.loads(file.read_text(encoding="utf-8"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert account["rows"] == 200
    assert [(each["code"], each["outcome"], each["count"]) for each in account["regions"]] == [
        ("11", "answered", 200),
        ("53", "failed", 0),
    ]


def test_json_is_the_account_with_the_rows_inside(run: Callable[..., Any], regions: Path, simulator: Simulator) -> None:
    """A record that two regions share is one row that names both."""
    for code in ("11", "53"):
        simulator.region(code, size=3, shared=1)
    done = run(*SEARCH, "--config", regions, "--regions", "11,53", "--format", "json")
    found = json.loads(done.out)
    assert [region["outcome"] for region in found["regions"]] == ["answered", "answered"]
    assert [row["regions"] for row in found["rows"]] == [["11", "53"], ["11"], ["11"], ["53"], ["53"]]


def test_csv_has_a_column_of_regions(run: Callable[..., Any], regions: Path, simulator: Simulator) -> None:
    """Regions first, then what `rorn search` writes."""
    for code in ("11", "53"):
        simulator.region(code, size=2, shared=1)
    done = run(*SEARCH, "--config", regions, "--regions", "11,53", "--format", "csv")
    head, *rows = csv.reader(io.StringIO(done.out))
    assert head[:3] == ["regions", "id", "identifier"]
    assert [row[0] for row in rows] == ["11 53", "11", "53"]


def test_a_table_names_the_regions(run: Callable[..., Any], regions: Path) -> None:
    """A person gets fifty rows, named by what came along in the same region, and is told how many there are."""
    words = ("--regions", "11,53", "--format", "table", "--full-offer")
    done = run(*SEARCH, "--config", regions, *words)
    head, *rows = done.out.splitlines()
    assert head.startswith("region  id")
    assert "organizat" in head
    assert len(rows) == 50
    assert "The first 50 of 400 are shown" in done.err
    few = run(*SEARCH, "--config", regions, "--regions", "11", "--max", "1", "--format", "table", "--included")
    assert len(few.out.splitlines()) == 2


def test_no_service_at_all_is_a_matter_of_the_settings(run: Callable[..., Any], regions: Path) -> None:
    """Without the national service and without an endpoint: 2, and what to write where."""
    regions.write_text(regions.read_text(encoding="utf-8") + "\n[inter_ror]\nnational = false\n", encoding="utf-8")
    done = run(*SEARCH, "--config", regions, "--regions", "94")
    assert done.code == 2
    assert "settings: no service is configured for Corse (94)" in done.err


def test_a_region_that_is_none_is_usage(run: Callable[..., Any], bench: Path) -> None:
    """Nothing is asked, and the hint knows the zero."""
    done = run(*SEARCH, "--config", bench, "--regions", "1")
    assert (done.code, done.out) == (2, "")
    assert '"01" is Guadeloupe' in done.err


def test_it_works_without_any_settings(run: Callable[..., Any]) -> None:
    """--env simulator brings account and certificate along."""
    done = run(*SEARCH, "--env", "simulator", "--max", "1", "--regions", "11,53")
    assert (done.code, len(done.out.splitlines())) == (0, 2)


def test_ctrl_c_ends_at_once_with_an_account(regions: Path, simulator: Simulator) -> None:
    """The rows that came are printed, the slow region is told to have been stopped, 130."""
    simulator.region("53", delay=20)
    words = [sys.executable, "-m", "ror_sante", *SEARCH, "--config", str(regions), "--regions", "11,53"]
    words += ["--region-timeout", "60", "--deadline", "60"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    assert '"regions":["11"]' in process.stdout.readline()
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=40)
    assert time.monotonic() - start < 15
    assert process.returncode == 130
    assert "Traceback" not in err
    assert re.search(r"53 Bretagne +failed +0 rows .* stopped", err)
    assert out.count("\n") <= 199


def test_the_simulator_command_has_regions(tmp_path: Path, run: Callable[..., Any], spawned: Any) -> None:
    """--region makes endpoints, slow, small, shared or faulty ones."""
    out = tmp_path / "out"
    spawned(
        *(
            "simulator",
            "--out",
            out,
            "--region",
            "11,size=3,shared=1",
            "--region",
            "Bretagne,size=2,shared=1,delay=0.2",
        ),
        *("--region", "84,fault=http-500"),
        ready=out / "ror-sante.toml",
    )
    done = run(*SEARCH, "--config", out / "ror-sante.toml", "--regions", "11,53,84", "--region-timeout", "2")
    assert done.code == 6
    assert [json.loads(line)["regions"] for line in done.out.splitlines()].count(["11"]) == 3
    assert done.out.count("\n") == 4


@pytest.mark.parametrize("word", ["11,size=x", "11,speed=3", "12", "11,delay=-1", "11,fault=none"])
def test_a_regional_endpoint_that_cannot_be_is_usage(run: Callable[..., Any], word: str) -> None:
    """A wrong number, key, code or fault ends before anything listens for long."""
    assert run("simulator", "--region", word).code == 2


@pytest.fixture
def spawned(tmp_path: Path) -> Any:
    """Run the command beside the test until its end, once a file is there."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: object, ready: Path) -> None:
        command = [sys.executable, "-m", "ror_sante", *map(str, words), "--ready-file", str(tmp_path / "ready")]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        until(lambda: (tmp_path / "ready").exists())
        assert ready.exists()

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def test_the_smoke_test_prints_a_table_of_regions(run: Callable[..., Any], regions: Path, simulator: Simulator) -> None:
    """A row a region, a mark a rung that fails somewhere, and what the first failure says."""
    simulator.fault("403", None, region="53")
    done = run("smoke-test", "--service", "inter-ror", "--config", regions)
    plain = done.out.splitlines()
    head = next(line.split() for line in plain if line.split() == ["metadata", "search"])
    assert (done.code, head) == (5, ["metadata", "search"])
    rows = {
        line.split()[0]: line for line in plain[plain.index(next(x for x in plain if x.split() == head)) + 1 :] if line
    }
    assert rows["Bretagne"].count("✘") == 2
    assert rows["Guadeloupe"].count("✔") == 2
    assert rows["Corse"].count("✔") == 1
    assert "403" not in rows["Corse"]


def test_the_table_of_regions_is_left_out_where_there_are_few(run: Callable[..., Any], regions: Path) -> None:
    """Four endpoints are told by the ladder itself."""
    regions.write_text(regions.read_text(encoding="utf-8") + "\n[inter_ror]\nnational = false\n", encoding="utf-8")
    done = run("smoke-test", "--service", "inter-ror", "--config", regions)
    assert (done.code, done.out.count("Bretagne")) == (0, 0)
    assert "inter-ror search HealthcareService" in done.out


def test_a_narrow_terminal_gets_the_marks_alone(on_a_terminal: Callable[..., Any], bench: Path) -> None:
    """Names and marks stand, the words that have no room do not."""
    done = on_a_terminal("smoke-test", "--service", "inter-ror", "--config", bench, width=40)
    assert done.code == 0
    assert "Provence-Alpes-Côte d'Azur" in done.out
    assert "care services" not in done.out.partition("Guadeloupe")[2]
