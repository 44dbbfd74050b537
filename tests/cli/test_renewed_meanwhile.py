"""Long jobs of the command go on with the new certificate when it is renewed in the middle of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ror_sante.http import holder
from ror_sante.pki.identity import ClientIdentity
from ror_sante.simulator.pki import Issued, SimulatorPki
from ror_sante.simulator.server import Simulator, Variants


class Watched(Simulator):
    """A simulator that notes who comes, and lets something happen before a request is answered."""

    before: Callable[[str, str], None] = staticmethod(lambda _path, _thumbprint: None)

    def _answer(self, service: Any, call: Any) -> Any:
        self.before(call.path, call.peer.thumbprint)
        return super()._answer(service, call)


@dataclass
class Bench:
    """The settings of a user, two certificates, and which of them came when."""

    simulator: Watched
    config: Path
    old: str
    new: str
    renewed: bytes
    shown: list[tuple[str, str]] = field(default_factory=list)

    def renew_at(self, number: int, what: str) -> None:
        """Put the new P12 in the place of the old one before the n-th request whose path holds a word is answered."""
        left = [number]

        def before(path: str, thumbprint: str) -> None:
            self.shown.append((path, thumbprint))
            left[0] -= what in path
            if what in path and left[0] == 0:
                beside = self.config.parent / "client.p12.new"
                beside.write_bytes(self.renewed)
                beside.replace(self.config.parent / "client.p12")

        self.simulator.before = before

    def one_after_the_other(self, what: str = "") -> bool:
        """Tell whether it began with the old certificate and ended with the new one."""
        named = [one for path, one in self.shown if one and what in path]
        return (named[0], named[-1]) == (self.old, self.new)


@pytest.fixture(scope="module")
def watched(pki: SimulatorPki) -> Iterator[Watched]:
    """A simulator with files of an export that come in pieces."""
    variants = Variants(export_slice=20, export_polls=1, export_wait=0, extraction_rows=60)
    with Watched(pki, size=60, variants=variants) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def renewed(pki: SimulatorPki) -> Issued:
    """The certificate that comes."""
    return pki.client()


@pytest.fixture
def bench(
    watched: Watched, renewed: Issued, pki: SimulatorPki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    """A bench whose clients look at the files before each request, not once a second."""
    monkeypatch.setattr(holder, "_LOOK", 0.0)
    watched.reset()
    config = watched.write_config(tmp_path / "config", regions="11,84")
    passphrase = (config.parent / "client.pass").read_text(encoding="utf-8").strip()
    old = ClientIdentity.from_p12(config.parent / "client.p12", passphrase)
    p12 = pki.p12(renewed, passphrase)
    return Bench(watched, config, old.thumbprint, ClientIdentity.from_p12(p12, passphrase).thumbprint, p12)


def test_an_export_goes_on(bench: Bench, run: Callable[..., Any], tmp_path: Path) -> None:
    """Kicked off with the old certificate, fetched with the new one; the audit line names the one at the end."""
    bench.renew_at(2, "$export-get-file")
    words = ("--all", "--max-parallel", 1, "--out", tmp_path / "out")
    ran = run("--config", bench.config, "--audit", tmp_path / "audit", "rorn", "export", *words)
    assert ran.code == 0, ran.err
    assert bench.one_after_the_other()
    assert json.loads((tmp_path / "audit").read_text(encoding="utf-8"))["certificate"] == bench.new


def test_a_delta_goes_on(bench: Bench, run: Callable[..., Any], tmp_path: Path) -> None:
    """From one of its questions to the next."""
    bench.simulator.clock.advance(86_400)
    start = bench.simulator.clock.now().isoformat()
    bench.simulator.evolve({"HealthcareService": 20})
    bench.renew_at(1, "/HealthcareService")
    words = ("--since", start, "--region", "11", "--region", "84", "--out", tmp_path / "out")
    ran = run("--config", bench.config, "rorn", "delta", *words)
    assert ran.code == 0, ran.err
    assert bench.one_after_the_other()


def test_a_search_of_regions_goes_on(bench: Bench, run: Callable[..., Any], tmp_path: Path) -> None:
    """At the endpoint of a region, from one page to the next; the other region answers too."""
    bench.renew_at(1, "/regions/11/ws-diffusion-fhir")
    words = ("HealthcareService", "-p", "_count=20", "--regions", "11,84", "--format", "ndjson")
    ran = run("--config", bench.config, "--audit", tmp_path / "audit", "inter-ror", "search", *words)
    assert ran.code == 0, ran.err
    assert bench.one_after_the_other("/regions/11/ws-diffusion-fhir")
    assert bench.new in json.loads((tmp_path / "audit").read_text(encoding="utf-8"))["certificate"]


def test_a_download_goes_on(bench: Bench, run: Callable[..., Any], tmp_path: Path) -> None:
    """A restricted extraction is offered to the old certificate, and fetched with the new one."""
    text = bench.config.read_text(encoding="utf-8")
    bench.config.write_text(text.replace("[annuaire]", '[annuaire]\nidentity = "a"'), encoding="utf-8")
    with bench.config.open("a", encoding="utf-8") as file:
        file.write('\n[identities.a]\np12 = "client.p12"\npassphrase_file = "client.pass"\n')
    bench.renew_at(1, "/Extraction_ProSanteConnect")
    words = ("Extraction_ProSanteConnect", "--out", tmp_path / "out")
    ran = run("--config", bench.config, "annuaire", "download", *words)
    assert ran.code == 0, ran.err
    assert bench.one_after_the_other()
