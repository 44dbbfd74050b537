"""Certificates are swapped under load, and no call fails."""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.api.national import NationalRorClient
from ror_sante.http.retry import RetryPolicy
from ror_sante.pki.source import IdentitySource
from ror_sante.simulator import server as simulating
from ror_sante.simulator.server import Simulator, Variants
from ror_sante.tls.adapter import PinnedAdapter
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.simulator.pki import SimulatorPki
    from tests.support.soak import Tell

THREADS = 32
PASSPHRASE = "swap-19af"


@dataclass(frozen=True)
class Scale:
    """How much of it.

    Attributes:
        swaps: how often the certificate is replaced.
        calls: requests in all, by 32 threads.
    """

    swaps: int
    calls: int


QUICK = Scale(swaps=3, calls=500)  # a twentieth of the calls
FULL = Scale(swaps=20, calls=10_000)


@pytest.fixture(params=[QUICK, pytest.param(FULL, marks=pytest.mark.soak)], ids=["quick", "full"])
def scale(request: pytest.FixtureRequest) -> Scale:
    """A part in the quick suite, all of it in ``make soak``."""
    chosen: Scale = request.param
    return chosen


@pytest.fixture(scope="module")
def identities(ror_pki: SimulatorPki) -> list[ClientIdentity]:
    """Certificates with one subject, as renewals have; two keys take turns, for making one takes time."""
    keys = [ror_pki.client().key for _ in range(2)]
    return [ror_pki.identity(ror_pki.client(key=keys[number % 2])) for number in range(FULL.swaps + 1)]


@pytest.fixture(params=[False, True], ids=["unbound", "bound"])
def simulator(
    request: pytest.FixtureRequest, ror_pki: SimulatorPki, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Simulator]:
    """A simulator of one TLS version, whose tokens are bound to the certificate or not."""
    of_any_version = simulating.mutual_tls

    def of_one_version(*about: Any) -> ssl.SSLContext:
        context = of_any_version(*about)
        context.minimum_version = context.maximum_version = version
        return context

    monkeypatch.setattr(simulating, "mutual_tls", of_one_version)
    with Simulator(ror_pki, size=20, variants=Variants(bound_tokens=request.param)) as running:
        yield running


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The thumbprints of the certificates that the server was shown."""
    seen: set[str] = set()
    monkeypatch.setattr(Simulator, "_met", lambda _simulator, peer: seen.add(peer.thumbprint))
    return seen


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each way out was taken: ``open`` goes past requests, ``send`` is the adapter of requests."""
    taken: Counter[str] = Counter()

    def counted(name: str) -> Any:
        whole = getattr(PinnedAdapter, name)

        def go(self: PinnedAdapter, *args: Any, **named: Any) -> Any:
            taken[name] += 1
            return whole(self, *args, **named)

        return go

    for name in ("open", "send"):
        monkeypatch.setattr(PinnedAdapter, name, counted(name))
    return taken


class Renewed:
    """A file whose content is a number, and a function that gives the identity of that number."""

    def __init__(self, path: Path, identities: list[ClientIdentity]) -> None:
        self.path = path
        self.identities = identities
        self.renew(0)

    def renew(self, number: int) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_text(str(number))
        beside.replace(self.path)

    def source(self) -> IdentitySource:
        return IdentitySource(lambda: self.identities[int(self.path.read_text())], files=[self.path])


def test_no_call_fails_while_the_certificate_is_swapped(
    scale: Scale,
    met: set[str],
    simulator: Simulator,
    identities: list[ClientIdentity],
    ways: Counter[str],
    tmp_path: Path,
    soak: Tell,
) -> None:
    """32 threads read without pause while the file is replaced; every answer is good, on the first attempt.

    All of them take the short way past requests, and the server is shown each of the certificates.
    """
    renewed = Renewed(tmp_path / "number", identities)
    with NationalRorClient(
        simulator.environment,
        renewed.source(),
        client_id=simulator.client_id,
        profile=simulator.profile,
        role=simulator.role,
        retry=RetryPolicy.none(),
        calls_per_second=1000,
        pool_size=THREADS,
    ) as ror:
        held = ror._sessions[0]._generations._holder
        assert held is ror._sessions[1]._generations._holder
        (first,) = ror.search("HealthcareService", {"_count": "1"}, max_results=1)
        outcomes: Counter[str] = Counter()
        swapped = threading.Event()

        def call_without_pause() -> None:
            while outcomes.total() < scale.calls or not swapped.is_set():
                held._due = 0.0  # look at the file each time, not each second
                try:
                    found = ror.read("HealthcareService", first.id)
                    outcomes["good" if found.id == first.id else "another record"] += 1
                except Exception as error:
                    outcomes[f"{type(error).__name__}: {error}"] += 1

        with ThreadPoolExecutor(THREADS) as pool:
            for _ in range(THREADS):
                pool.submit(call_without_pause)
            for number in range(1, scale.swaps + 1):
                until(lambda share=number: outcomes.total() >= scale.calls * share / (scale.swaps + 1))
                renewed.renew(number)
                until(lambda newest=identities[number]: held.newest() is newest)
            swapped.set()
        assert set(outcomes) == {"good"}
        assert all(not session._generations._older for session in ror._sessions)
    assert met == {identity.thumbprint for identity in identities[: scale.swaps + 1]}
    assert ways["open"] > outcomes.total() >= scale.calls
    assert ways["send"] == 0
    soak(
        f"calls by {THREADS} threads while the certificate is swapped",
        tried=outcomes.total(),
        good=outcomes["good"],
        swaps=scale.swaps,
        certificates_seen_by_the_server=len(met),
        past_requests=ways["open"],
    )
