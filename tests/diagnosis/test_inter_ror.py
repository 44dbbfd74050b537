"""The smoke test of the inter-ROR search: regions side by side, each on its own ground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.diagnosis.smoke import SmokeTest
from ror_sante.errors import ConfigurationError
from ror_sante.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.diagnosis.report import Check, SmokeReport
    from ror_sante.simulator.server import Simulator


@pytest.fixture
def climb(simulator: Simulator, tmp_path: Path) -> Callable[..., SmokeReport]:
    """Climb the ladder of a settings file that points at the simulator."""

    def _climb(*tables: str, regions: str | tuple[str, ...] = (), **changed: str) -> SmokeReport:
        file = simulator.write_config(tmp_path, regions=regions)
        text = "\n".join([file.read_text(encoding="utf-8"), *tables])
        for old, new in changed.items():
            text = text.replace(getattr(simulator, old), new)
        file.write_text(text, encoding="utf-8")
        return SmokeTest.from_settings(load_settings(file, environ={}), services=["inter-ror"]).run()

    return _climb


def check(report: SmokeReport, name: str) -> Check:
    """Find a rung."""
    return next(each for each in report.checks if each.name == name)


def told(report: SmokeReport, name: str) -> dict[str, str]:
    """Give the outcome of a rung in each column."""
    return {part.column: part.outcome.value for part in check(report, name).parts}


def test_without_endpoints_all_regions_are_searched_through_the_national_service(climb: Callable[..., Any]) -> None:
    """One way, one token, eighteen searches; a region without services holds, and says so."""
    report = climb()
    assert (report.exit_code, report.service, report.title) == (0, "inter-ror", "Inter-ROR search")
    assert len(told(report, "search")) == 18
    assert set(told(report, "search").values()) == {"ok"}
    assert check(report, "token").parts == ()
    details = {part.column: part.detail for part in check(report, "search").parts}
    assert details["Mayotte"] == "no care service"
    assert any(detail.endswith(" care services") for detail in details.values())


def test_a_region_with_an_endpoint_has_its_own_rungs(climb: Callable[..., Any], simulator: Simulator) -> None:
    """Its token is refused: its searches are skipped, those of the others hold."""
    simulator.fault("token-error", None, region="53")
    report = climb(regions="11,53")
    assert report.exit_code == 5
    assert told(report, "token") == {"": "ok", "Île-de-France": "ok", "Bretagne": "fail"}
    assert told(report, "metadata") == {"": "ok", "Île-de-France": "ok", "Bretagne": "skipped"}
    searches = told(report, "search")
    assert (len(searches), searches.pop("Bretagne"), set(searches.values())) == (18, "skipped", {"ok"})
    assert report.failed[0].name == "token"


def test_a_region_that_cannot_be_reached_does_not_hold_the_others(
    climb: Callable[..., Any], simulator: Simulator
) -> None:
    """A closed port stops one column at its rung."""
    base, token = simulator.region("53")
    closed = [each.replace(simulator.url, "https://localhost:1") for each in (base, token)]
    report = climb(f'[inter_ror.regions.53]\nbase_url = "{closed[0]}"\ntoken_url = "{closed[1]}"')
    assert (report.exit_code, report.failed[0].name) == (4, "tcp")
    assert told(report, "tcp") == {"": "ok", "Bretagne": "fail"}
    assert list(told(report, "search").values()).count("ok") == 17


def test_a_search_that_is_configured_as_csd_is_not_tried(climb: Callable[..., Any]) -> None:
    """The search refuses it as a whole, and so does its smoke test, with what to use."""
    with pytest.raises(ConfigurationError, match=r'protocol is csd.*Use protocol = "fhir"'):
        climb('[inter_ror]\nprotocol = "csd"')


def test_csd_and_a_table_without_an_address_fail_with_what_to_do(climb: Callable[..., Any]) -> None:
    """They have no way to climb; their search says why."""
    report = climb('[inter_ror.regions.11]\nprotocol = "csd"\n[inter_ror.regions.53]\nclient_id = "x"')
    parts = {part.column: part for part in check(report, "search").parts}
    assert "csd" in parts["Île-de-France"].detail
    assert "names no base_url" in parts["Bretagne"].detail
    assert (report.exit_code, len(parts)) == (2, 18)


def test_only_endpoints_are_tried_when_the_national_service_is_not_to_be_asked(climb: Callable[..., Any]) -> None:
    """``national = false``: regions without an endpoint are not there."""
    report = climb("[inter_ror]\nnational = false", regions="11,53")
    assert told(report, "search") == {"Île-de-France": "ok", "Bretagne": "ok"}


def test_each_region_opens_its_own_certificate(climb: Callable[..., Any], tmp_path: Path) -> None:
    """One that is not there fails in its column, and is named by its table."""
    tables = '[identities.gone]\np12 = "gone.p12"\n[inter_ror.regions.53]\nidentity = "gone"\nbase_url = "https://localhost:1/x"'
    report = climb(tables)
    assert told(report, "p12") == {"": "ok", "Bretagne": "fail"}
    assert (report.exit_code, told(report, "token")["Bretagne"]) == (2, "skipped")


def test_an_account_with_a_secret_has_no_certificate(climb: Callable[..., Any], tmp_path: Path) -> None:
    """Its rungs of the certificate are skipped."""
    (tmp_path / "secret").write_text("s", encoding="utf-8")
    address = 'base_url = "https://localhost:1/x"\ntoken_url = "https://localhost:1/y"'
    report = climb(f'[inter_ror.regions.53]\n{address}\nclient_secret_file = "secret"')
    assert told(report, "p12") == {"": "ok", "Bretagne": "skipped"}


def test_without_an_account_there_is_nothing_to_try(climb: Callable[..., Any]) -> None:
    """It says which key is missing in which tables."""
    with pytest.raises(ConfigurationError, match=r"neither \[inter_ror\] nor \[rorn\] names a client_id"):
        climb(client_id="")
