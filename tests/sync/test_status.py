"""How a copy stands, from what lies in its folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.pki.expiry import Validity
from ror_sante.sync.delta import Plan, delta
from ror_sante.sync.state import STATE
from ror_sante.sync.status import status

WEEK = timedelta(days=7)


def changed(path: Path, **about: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | about), encoding="utf-8")


def test_a_fresh_copy_without_deltas(copier: Any) -> None:
    """Its age goes by the server's time of the data; there is no delta, no certificate, and no warning."""
    made = copier()
    where = made.copy()
    manifest = json.loads((where / "manifest.json").read_bytes())
    full = datetime.fromisoformat(manifest["jobs"][0]["transaction_time"])
    found = status(made.folder, at=full + timedelta(hours=3), unread="none")
    assert (found.snapshot, found.last_full, found.full_age) == (where.name, full, 3 * 3600)
    assert found.counts == {name: file["count"] for name, file in manifest["types"].items()}
    assert (found.cursor, found.last_delta, found.delta_age, found.delta_counts) == (None, None, None, {})
    assert (found.days_left, found.unread, found.warnings) == (None, "none", ())


def test_a_full_export_is_old_after_seven_days(copier: Any) -> None:
    """At seven days it is not yet, a second later it is."""
    made = copier()
    made.copy()
    full = status(made.folder, at=datetime.now(UTC)).last_full
    assert full is not None
    assert not status(made.folder, at=full + WEEK).full_is_old
    late = status(made.folder, at=full + WEEK + timedelta(seconds=1))
    assert late.full_is_old
    assert ["over seven days old" in warning for warning in late.warnings] == [True]


def test_a_server_ahead_of_us_makes_no_negative_age(copier: Any) -> None:
    """It is then no time old."""
    made = copier()
    made.copy()
    assert status(made.folder, at=datetime(2020, 1, 1, tzinfo=UTC)).full_age == 0


def test_a_copy_without_times_is_a_warning(copier: Any) -> None:
    """Nobody can say that it is fresh."""
    made = copier()
    changed(made.copy() / "manifest.json", created="once", jobs=[])
    found = status(made.folder, at=datetime.now(UTC))
    assert (found.last_full, found.full_age, found.full_is_old) == (None, None, True)
    assert ["not known" in warning for warning in found.warnings] == [True]


def test_the_last_delta_is_told(copier: Any) -> None:
    """Its counts, its cursor, and its age by the same clock."""
    made = copier()
    made.copy()
    made.simulator.clock.advance(86_400)
    made.simulator.evolve({"HealthcareService": 2})
    outcome = delta(made.client, Plan(out=made.folder, state=made.folder / STATE))
    found = status(made.folder, at=outcome.cursor + timedelta(minutes=1))
    assert (found.cursor, found.last_delta, found.delta_age) == (outcome.cursor, outcome.cursor, 60)
    assert found.delta_counts == outcome.counts
    moved = made.folder / STATE
    moved = moved.rename(made.folder.parent / "elsewhere.json")
    assert status(made.folder, at=outcome.cursor).cursor is None
    assert status(made.folder, at=outcome.cursor, state=moved).cursor == outcome.cursor


@pytest.mark.parametrize(
    ("days", "word"), [(61, ""), (60, "within 60 days"), (0, "within 60 days"), (-1, "has expired")]
)
def test_the_certificate_warns_in_time(copier: Any, days: int, word: str) -> None:
    """Sixty days before its end, and after it."""
    made = copier()
    made.copy()
    now = datetime.now(UTC)
    found = status(made.folder, at=now, validity=Validity(now - WEEK, now + timedelta(days=days)))
    assert found.days_left == days
    assert [word in warning for warning in found.warnings] == [True] * bool(word)


def test_no_copy_and_no_state(copier: Any, tmp_path: Path) -> None:
    """A folder without a copy, and a state that was named and is missing or damaged, are wrong settings."""
    now = datetime.now(UTC)
    with pytest.raises(ConfigurationError, match="there is no copy in"):
        status(tmp_path, at=now)
    made = copier()
    made.copy()
    with pytest.raises(ConfigurationError, match=r"there is no .*missing"):
        status(made.folder, at=now, state=tmp_path / "missing")
    state = {"service": "s", "regions": [], "cursor": "2026-01-01", "last_run": "one day"}
    (made.folder / STATE).write_text(json.dumps(state))
    with pytest.raises(ConfigurationError, match="is damaged"):
        status(made.folder, at=now)
