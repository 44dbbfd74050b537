"""The smoke test of the Annuaire Santé: extractions with the certificate, the gateway with the key, each on its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.diagnosis.ladders.annuaire import absent
from ror_sante.diagnosis.ladders.ladder import Ground
from ror_sante.diagnosis.smoke import SmokeTest
from ror_sante.environments import Environment
from ror_sante.errors import ConfigurationError
from ror_sante.settings import SIMULATOR, RornSettings, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.diagnosis.report import SmokeReport
    from ror_sante.simulator.server import Simulator


@pytest.fixture
def climb(simulator: Simulator, tmp_path: Path) -> Callable[..., SmokeReport]:
    """Climb the ladder of a settings file that points at the simulator, with some texts in it replaced."""

    def _climb(*changes: tuple[str, str]) -> SmokeReport:
        file = simulator.write_config(tmp_path / "bench")
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        return SmokeTest.from_settings(load_settings(file, environ={}), services=["annuaire"]).run()

    return _climb


def outcomes(report: SmokeReport) -> dict[str, str]:
    return {check.name: check.outcome.value for check in report.checks}


def detail(report: SmokeReport, name: str) -> str:
    return next(check.detail + check.hint for check in report.checks if check.name == name)


def test_both_halves_hold(climb: Callable[..., Any], simulator: Simulator) -> None:
    """The extraction host gets the certificate on a restricted path alone, the gateway the key and no certificate."""
    report = climb()
    found = outcomes(report)
    assert (report.exit_code, report.service) == (0, "annuaire")
    assert set(found) >= {"extraction", "restricted", "metadata", "search"}
    assert [name for name, outcome in found.items() if outcome != "ok"] == ["name"]
    seen = {(one.service, one.path.rpartition("/")[2]): one.subject_dn for one in simulator.requests}
    assert seen["extraction", "PS_LibreAcces"] == seen["gateway", "metadata"] == seen["gateway", "Practitioner"] == ""
    assert "CLIENT_WS_RORN" in seen["extraction", "Extraction_ProSanteConnect"]


def test_a_wrong_key_stops_the_gateway_alone(climb: Callable[..., Any], simulator: Simulator) -> None:
    """The extractions are climbed all the same; the sentence names the key."""
    simulator.fault("gateway-wrong-key")
    report = climb()
    found = outcomes(report)
    assert (report.exit_code, found["metadata"], found["search"]) == (5, "fail", "skipped")
    assert found["extraction"] == found["restricted"] == "ok"
    assert "our API key" in detail(report, "metadata")
    assert "annuaire.api_key_file" in detail(report, "metadata")


def test_without_a_key_the_gateway_is_only_reached(climb: Callable[..., Any]) -> None:
    """Nothing is asked there, and the rungs say why."""
    report = climb(
        (
            'api_key_file = "api.key"',
            'identity = "own"\n[identities.own]\np12 = "client.p12"\npassphrase_file = "client.pass"',
        )
    )
    found = outcomes(report)
    assert (report.exit_code, found["metadata"], found["search"]) == (0, "skipped", "skipped")
    assert "no API key" in detail(report, "metadata")


def test_without_a_certificate_open_files_and_the_gateway_hold(climb: Callable[..., Any]) -> None:
    """What needs none is climbed, the rest is skipped."""
    report = climb(('[identity]\np12 = "client.p12"\npassphrase_file = "client.pass"\n', ""))
    found = outcomes(report)
    assert report.exit_code == 0
    assert found["p12"] == found["restricted"] == "skipped"
    assert found["extraction"] == found["metadata"] == found["search"] == "ok"


def test_an_extraction_that_is_not_there_fails_alone(climb: Callable[..., Any], simulator: Simulator) -> None:
    """403 at the extraction host leaves the gateway as it is."""
    simulator.fault("403", times=None, at="extraction")
    report = climb()
    found = outcomes(report)
    assert (report.exit_code, found["extraction"], found["metadata"]) == (5, "fail", "ok")


def test_a_gateway_under_another_authority_is_not_trusted(climb: Callable[..., Any], simulator: Simulator) -> None:
    """The key is not sent to it."""
    report = climb(('annuaire_fhir_anchors = ["web-root.pem"]', 'annuaire_fhir_anchors = ["root.pem"]'))
    found = outcomes(report)
    assert (report.exit_code, found["server chain"], found["metadata"]) == (4, "fail", "skipped")
    assert found["extraction"] == "ok"
    assert not any(one.service == "gateway" for one in simulator.requests)


def test_one_half_may_be_absent(climb: Callable[..., Any]) -> None:
    """A place with a gateway alone, or with extractions alone, has one column."""
    lines = {"extraction": "annuaire_download_url", "gateway": "annuaire_fhir_url"}
    for name, rungs in (("extraction", {"metadata", "search"}), ("gateway", {"extraction", "restricted"})):
        report = climb((f"\n{lines[name]} = ", f"\n# {lines[name]} = "))
        names = set(outcomes(report))
        assert names >= rungs
        assert report.exit_code == 0
        assert len(names & {"extraction", "restricted", "metadata", "search"}) == 2


def _ground(environment: Environment, settings: Settings) -> Ground:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    return Ground(environment=environment, settings=settings, source=lambda _: None, at=at)


def test_a_place_or_an_account_without_annuaire_is_not_climbed() -> None:
    """The bac-à-sable has no address; the settings of a ROR account alone do not call elsewhere."""
    production = Environment.production()
    assert "no address" in absent(_ground(Environment.bac_a_sable(), Settings()))
    assert "neither" in absent(_ground(production, Settings(rorn=RornSettings(client_id="x"))))
    assert absent(_ground(production, Settings())) == ""
    with pytest.raises(ConfigurationError, match="annuaire cannot be tried here"):
        SmokeTest.from_settings(Settings(environment="bac-a-sable"), services=["annuaire"])


def test_the_simulator_has_one_certificate_for_all(simulator: Simulator) -> None:
    """In the command's own simulator the certificate of the ROR is the expected one."""
    settings = Settings(environment=SIMULATOR)
    report = SmokeTest.from_settings(
        settings, services=["annuaire"], environment=simulator.environment, source=lambda _: lambda: simulator.identity
    ).run()
    assert outcomes(report)["name"] == "ok"
