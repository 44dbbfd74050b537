"""Runs that are disturbed at any point: the disk fills, the token is revoked, the job expires under changed data."""

from __future__ import annotations

import contextlib
import errno
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ror_sante.errors import RorError
from ror_sante.sync import files
from ror_sante.sync.export import Selection

Make = Callable[..., Any]
QUICK = 3
FULL = 50
ALL = Selection()
PARTS = 8  # of each piece: six files give more of them than the last point, however few pieces a file comes in


@pytest.fixture(params=[QUICK, pytest.param(FULL, marks=pytest.mark.soak)])
def points(request: pytest.FixtureRequest) -> list[int]:
    """Seeded points of a run: the n-th piece that is written."""
    lots = random.Random(4)
    return [lots.randint(1, 40) for _ in range(request.param)]


class Disturbance:
    """Does something when the n-th piece of any file is written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.act: Callable[[], None] = lambda: None
        write = files.Download.write

        def counted(download: files.Download, data: bytes) -> None:
            size = len(data) // PARTS + 1
            for start in range(0, len(data), size):
                self.left -= 1
                if self.left == 0:
                    self.act()
                write(download, data[start : start + size])

        monkeypatch.setattr(files.Download, "write", counted)

    def at(self, point: int, act: Callable[[], None]) -> None:
        self.left, self.act = point, act


@pytest.fixture
def disturbance(monkeypatch: pytest.MonkeyPatch) -> Disturbance:
    return Disturbance(monkeypatch)


def finish(made: Any) -> Any:
    """Go on with the run, or start one when it had ended."""
    with contextlib.suppress(RorError):
        return made.copy(None, shrink_limit=1.0)
    return made.copy(shrink_limit=1.0)


def test_a_disk_that_fills(
    copier: Make, content_of: Make, good: Make, points: list[int], disturbance: Disturbance, soak: Make
) -> None:
    """The run ends with the system's error, the old copy stays, and the next run makes the right one."""
    made = copier(export_polls=0)
    expected = content_of(made.copy())

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for point in points:
        disturbance.at(point, full)
        with contextlib.suppress(OSError):
            made.copy()
        assert good(made.folder)
        assert content_of(finish(made)) == expected
    soak("export whose disk fills at a random piece", tried=len(points), good=len(points))


def test_a_token_that_is_revoked(
    copier: Make, content_of: Make, good: Make, points: list[int], disturbance: Disturbance, soak: Make
) -> None:
    """The run renews it and does not even stop."""
    made = copier(export_polls=0)
    expected = content_of(made.copy())
    for point in points:
        disturbance.at(point, made.simulator._tokens.reset)
        assert content_of(made.copy()) == expected
        assert good(made.folder)
    soak("export whose token is revoked at a random piece", tried=len(points), good=len(points))


def test_a_job_that_expires_under_changed_data(
    copier: Make, content_of: Make, good: Make, points: list[int], disturbance: Disturbance, soak: Make
) -> None:
    """The copy is wholly of the old data or wholly of the new."""
    made = copier(export_polls=0)
    other = copier(made.simulator, out="undisturbed")
    whole = {}
    for seed in (1, 2):
        made.simulator.renew(seed=seed)
        whole[seed] = content_of(other.copy(shrink_limit=1.0))
    found: Counter[str] = Counter()
    for number, point in enumerate(points):
        before, after = 1 + number % 2, 2 - number % 2
        made.simulator.renew(seed=before)

        def expire(seed: int = after) -> None:
            made.simulator.renew(seed=seed)
            made.simulator._fhir.reset()

        disturbance.at(point, expire)
        result = content_of(made.copy(shrink_limit=1.0))
        found["wholly_old" if result == whole[before] else "wholly_new" if result == whole[after] else "mixed"] += 1
        assert good(made.folder)
    assert "mixed" not in found
    soak("export whose job expires under changed data", tried=len(points), good=sum(found.values()), **found)
