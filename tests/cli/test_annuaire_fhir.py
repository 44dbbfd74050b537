"""`annuaire search` and `annuaire read`: one word, any parameter, every format, and the key."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.simulator.server import Simulator


def test_a_person_by_rpps(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """A number says what it is about: TYPE may be left out. No certificate is shown."""
    done = run("annuaire", "search", "--rpps", "99900000011", "--config", bench)
    assert (done.code, done.err) == (0, "")
    (line,) = done.out.splitlines()
    assert json.loads(line)["id"] == "003-100001"
    (seen,) = simulator.requests
    assert (seen.service, seen.subject_dn) == ("gateway", "")
    assert seen.params == [("identifier", "99900000011"), ("_count", "200")]


def test_a_wrong_check_digit_is_not_sent(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """One digit further it is a sentence and exit code 2."""
    done = run("annuaire", "search", "--rpps", "99900000012", "--config", bench)
    assert done.code == 2
    assert "error: the check digit of this RPPS is wrong" in done.err
    assert simulator.requests == []


def test_all_pages_in_a_pipe(run: Callable[..., Any], bench: Path) -> None:
    """All pages, one resource a line."""
    done = run("annuaire", "search", "Practitioner", "--config", bench)
    assert (done.code, len(done.out.splitlines())) == (0, 260)


def test_words_and_parameters_join(run: Callable[..., Any], bench: Path, simulator: Simulator) -> None:
    """Words and -p are all meant; CSV has a head."""
    done = run("annuaire", "search", "--city", "NANTES", "-p", "active=true", "--format", "csv", "--config", bench)
    assert done.code == 0
    assert done.out.startswith("id,identifier,name")
    assert simulator.requests[0].params == [("address-city", "NANTES"), ("active", "true"), ("_count", "200")]


def test_a_table_stops_at_fifty(on_a_terminal: Callable[..., Any], bench: Path) -> None:
    """A person gets a page, and is told that there is more; --max wins."""
    done = on_a_terminal("annuaire", "search", "Practitioner", "--config", bench)
    assert done.code == 0
    assert "The first 50 are shown" in done.err
    assert "Nothing was found" in on_a_terminal("annuaire", "search", "Device", "-p", "_id=1", "--config", bench).err


def test_a_mailbox_is_searched_in_each_type_that_may_have_it(run: Callable[..., Any], bench: Path) -> None:
    """One word is enough for people, activities and structures; --max counts over all of them."""
    for owner in ("personne.1", "activite.1", "secretariat.1"):
        done = run("annuaire", "search", "--mailbox", f"{owner}@simulateur.mssante.invalid", "--config", bench)
        (found,) = map(json.loads, done.out.splitlines())
        assert owner in json.dumps(found["telecom"])
    done = run("annuaire", "search", "--name", "c", "--max", "3", "--format", "csv", "--config", bench)
    people = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["resourceType"] for row in people] == ["Practitioner"] * 3
    assert all(row["family"] for row in people)


@pytest.mark.parametrize("words", [[], ["--rpps", "99900000011", "--city", "x"]])
def test_the_type_is_asked_for_where_nothing_says_it(run: Callable[..., Any], bench: Path, words: list[str]) -> None:
    """Nothing is both a person and a structure."""
    done = run("annuaire", "search", *words, "--config", bench)
    assert done.code == 2
    assert "TYPE is missing" in done.err


def test_read_gives_one_object(run: Callable[..., Any], bench: Path) -> None:
    """One resource; an unknown id is exit code 5."""
    done = run("annuaire", "read", "Device", "002-100001", "--format", "json", "--config", bench)
    assert (done.code, json.loads(done.out)["status"]) == (0, "active")
    assert run("annuaire", "read", "Device", "002-999999", "--config", bench).code == 5


def test_a_wrong_key_says_so(run: Callable[..., Any], bench: Path) -> None:
    """The sentence names the key and where it stands; the key itself is not shown."""
    (bench.parent / "api.key").write_text("cle-fausse-0123\n", encoding="utf-8")
    done = run("annuaire", "search", "Device", "--config", bench)
    assert done.code == 5
    assert "the gateway refuses our API key" in done.err
    assert "annuaire.api_key_file" in done.err
    assert "cause: The gateway does not know the API key" in done.err
    assert "cle-fausse" not in done.err


def test_no_key_says_so(run: Callable[..., Any], bench: Path) -> None:
    """Without a key file nothing is sent, and the hint says where a key comes from."""
    bench.write_text(bench.read_text(encoding="utf-8").replace('api_key_file = "api.key"', ""), encoding="utf-8")
    done = run("annuaire", "search", "Device", "--config", bench)
    assert done.code == 2
    assert "there is no API key" in done.err


def test_it_works_on_the_simulator_alone(run: Callable[..., Any]) -> None:
    """`--env simulator` needs no settings, no certificate and no key."""
    done = run("annuaire", "search", "Device", "--env", "simulator", "--max", "1")
    assert (done.code, len(done.out.splitlines())) == (0, 1)
