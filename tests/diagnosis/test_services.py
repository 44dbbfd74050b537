"""A smoke test of several services: what is tried, what is not there, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ror_sante.diagnosis import smoke
from ror_sante.diagnosis.ladders.ladder import Ground, Ladder, Rung, Service
from ror_sante.diagnosis.rung import Seen, failed, ok
from ror_sante.diagnosis.smoke import RUNGS, SmokeTest, sources
from ror_sante.errors import ConfigurationError, UnreachableError
from ror_sante.pki.identity import ClientIdentity
from ror_sante.settings import IdentitySettings, RornSettings, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki
    from ror_sante.simulator.server import Simulator


def made(name: str, seen: Seen) -> Service:
    """A service of one rung."""

    def ladder(ground: Ground) -> Ladder:
        rungs = (Rung("trust", lambda: ok("ours")), Rung("answer", lambda: seen))
        return Ladder(service=name, title=name.title(), environment=ground.environment.name, rungs=rungs)

    return Service(title=name.title(), ladder=ladder)


@pytest.fixture
def settings(simulator: Simulator, tmp_path: Path) -> Settings:
    return load_settings(simulator.write_config(tmp_path), environ={})


@pytest.fixture(autouse=True)
def _two_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The three services: the real national ROR, one that fails, one that is not configured."""
    services = {
        "rorn": smoke.SERVICES["rorn"],
        "annuaire": made("annuaire", failed(UnreachableError("closed"))),
        "inter-ror": Service(title="Inter-ROR", ladder=made("x", ok("x")).ladder, absent=lambda _: "no region is set"),
    }
    monkeypatch.setattr(smoke, "SERVICES", services)


def test_all_takes_the_services_that_are_configured(settings: Settings) -> None:
    """The one without a region is named with its reason; the lowest family of the others counts."""
    reports = SmokeTest.from_settings(settings, services=["all"]).run_all()
    assert [report.service for report in reports.reports] == ["rorn", "annuaire"]
    assert reports.absent == (("inter-ror", "no region is set"),)
    assert (reports.exit_code, [report.exit_code for report in reports.reports]) == (4, [0, 4])


def test_a_service_that_is_named_must_be_there(settings: Settings) -> None:
    """What was asked for is not left out in silence."""
    with pytest.raises(ConfigurationError, match="inter-ror cannot be tried here: no region is set"):
        SmokeTest.from_settings(settings, services=["rorn", "inter-ror"])


def test_an_unknown_service_is_named(settings: Settings) -> None:
    """The hint lists those that exist."""
    with pytest.raises(ConfigurationError, match="unknown service 'ror'") as caught:
        SmokeTest.from_settings(settings, services=["ror"])
    assert "rorn, annuaire, inter-ror and all" in caught.value.hint


def test_one_report_is_for_one_service(settings: Settings) -> None:
    """`run` gives one report; for several there is `run_all`."""
    test = SmokeTest.from_settings(settings, services=["rorn", "annuaire", "rorn"])
    with pytest.raises(ConfigurationError, match="several services"):
        test.run()
    assert len(test.run_all().reports) == 2
    assert tuple(check.name for check in SmokeTest.from_settings(settings).run().checks) == RUNGS


def test_a_certificate_that_is_not_configured_is_told_by_whoever_opens_it() -> None:
    """Not when the ladder is made: the rungs below it have their say first."""
    found = sources(Settings())("annuaire")
    assert found is not None
    with pytest.raises(ConfigurationError, match="no certificate is configured"):
        found.load()


def test_a_passphrase_is_asked_once_a_certificate(pki: SimulatorPki, tmp_path: Path) -> None:
    """Two services that share a P12 ask once; another P12 asks again."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.p12").write_bytes(pki.p12(pki.client(), "xyzzy"))
    settings = Settings(
        identity=IdentitySettings(p12=tmp_path / "one.p12"),
        identities={"other": IdentitySettings(p12=tmp_path / "two.p12")},
        rorn=RornSettings(identity="other"),
    )
    asked: list[str] = []

    def ask(file: str) -> str:
        asked.append(file)
        return "xyzzy"

    find = sources(settings, ask=ask)
    for service in ("annuaire", "annuaire", "rorn"):
        found = find(service)
        assert found is not None
        assert isinstance(found.load(), ClientIdentity)
    assert asked == [str(tmp_path / "one.p12"), str(tmp_path / "two.p12")]
