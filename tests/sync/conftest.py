"""A small simulator with many files, a client of it, and copies that are compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ror_sante.api.national import NationalRorClient
from ror_sante.http.retry import RetryPolicy
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator, Variants
from ror_sante.sync.export import Options, Selection, export

ALL = Selection()


class QuickClock:
    """A clock whose sleep takes no time."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)

    def random(self) -> float:
        return 0.5


@dataclass
class Watched:
    """Remembers the steps."""

    steps: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    bytes: int = 0
    then: Callable[[str], None] = lambda _: None

    def step(self, name: str, /, **about: Any) -> None:
        json.dumps(about)
        self.steps.append((name, about))
        self.then(name)

    def received(self, size: int, /) -> None:
        self.bytes += size

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.steps]

    def about(self, name: str) -> dict[str, Any]:
        return next(about for step, about in self.steps if step == name)


@dataclass
class Copier:
    """Copies from one simulator into one folder."""

    simulator: Simulator
    folder: Path
    client: NationalRorClient
    clock: QuickClock = field(default_factory=QuickClock)

    def copy(self, selection: Selection | None = ALL, watched: Watched | None = None, **options: Any) -> Path:
        """Copy, and give where the copy is."""
        where, _ = export(
            self.client, self.folder, selection, options=Options(**options), watcher=watched, clock=self.clock
        )
        return where

    def kick_offs(self) -> int:
        """How many jobs were started."""
        return sum(seen.path.endswith("/$export") and seen.status == 202 for seen in self.simulator.requests)

    def fetched(self) -> list[str]:
        """The files that were served whole, in order."""
        return [
            seen.path.rpartition("/")[2]
            for seen in self.simulator.requests
            if "$export-get-file" in seen.path and seen.status == 200
        ]


def content(folder: Path) -> dict[str, Any]:
    """Give what a copy holds: the bytes of its files, and its manifest but for the times."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["created"]
    for job in manifest["jobs"]:
        del job["transaction_time"]
    return {"manifest": manifest} | {path.name: path.read_bytes() for path in folder.glob("*.ndjson")}


def is_good(folder: Path) -> bool:
    """Tell whether the good copy of a folder is whole: every file has the digest of its manifest."""
    here = folder / "current"
    types = json.loads((here / "manifest.json").read_bytes())["types"].values()
    good = all(sha256((here / file["file"]).read_bytes()).hexdigest() == file["sha256"] for file in types)
    return good and {file["file"] for file in types} == {path.name for path in here.glob("*.ndjson")}


def connect(simulator: Simulator) -> NationalRorClient:
    """Make a client that does not wait long between two tries."""
    return NationalRorClient(
        simulator.environment,
        simulator.identity,
        client_id=simulator.client_id,
        profile=simulator.profile,
        role=simulator.role,
        retry=RetryPolicy(first_wait=0.01, max_wait=0.02, deadline=10),
    )


@pytest.fixture(scope="session")
def sync_pki() -> SimulatorPki:
    """One certification authority for the tests here."""
    return SimulatorPki.create()


@pytest.fixture
def simulate(sync_pki: SimulatorPki) -> Iterator[Callable[..., Simulator]]:
    """Start simulators whose exports have many files; further arguments are `Variants`'."""
    started: list[Simulator] = []

    def start(size: int = 60, **switches: Any) -> Simulator:
        variants = Variants(**{"export_slice": 10, "export_wait": 0, **switches})
        started.append(Simulator(sync_pki, size=size, variants=variants).start())
        return started[-1]

    yield start
    for simulator in started:
        simulator.stop()


@pytest.fixture
def copier(simulate: Callable[..., Simulator], tmp_path: Path) -> Iterator[Callable[..., Copier]]:
    """Make a copier; the arguments are those of `simulate`."""
    clients: list[NationalRorClient] = []

    def make(simulator: Simulator | None = None, *, out: str = "out", **switches: Any) -> Copier:
        simulator = simulator or simulate(**switches)
        clients.append(connect(simulator))
        return Copier(simulator, tmp_path / out, clients[-1])

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def content_of() -> Callable[[Path], dict[str, Any]]:
    return content


@pytest.fixture
def good() -> Callable[[Path], bool]:
    return is_good


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()
