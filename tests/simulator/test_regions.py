"""The regional endpoints of the simulator: each its own records, delay and faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from ror_sante import InterRorClient, NationalRorClient, load_settings
from ror_sante.api.inter_ror import Limits
from ror_sante.api.nos import REGIONS
from ror_sante.errors import ConfigurationError
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import Timeouts
from ror_sante.simulator.data import Directory
from ror_sante.simulator.server import Simulator
from ror_sante.simulator.variants import Variants

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("code", REGIONS)
def test_all_records_of_a_region_lie_there(code: str) -> None:
    """Every region has towns, and every record of every type is in one of them."""
    directory = Directory(20, region=code)
    for kind in ("HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole"):
        assert {record.city.region for record in directory.records(kind)} == {code}


def test_national_numbers_of_two_regions_differ_but_for_shared_ones() -> None:
    """Technical ids of two regions are the same by chance, national identifiers only where they are shared."""
    one, two = (Directory(40, region=code, shared=2) for code in ("11", "53"))
    for kind in ("HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole"):
        mine, theirs = ({number for each in d.records(kind) for number in each.identifiers} for d in (one, two))
        assert len(mine & theirs) == (2 if kind == "HealthcareService" else 0)
        assert {each.id for each in one.records(kind)} == {each.id for each in two.records(kind)}


def test_the_country_is_as_it_was() -> None:
    """The records of the national directory do not change with the regions."""
    assert [*Directory(5).HealthcareService] == [*Directory(5, region="", shared=0).HealthcareService]


def test_paths_that_lead_to_no_region_are_not_found() -> None:
    """A code that is none, and a region's unknown path."""
    with Simulator(size=10) as simulator, _client(simulator) as client:
        for path in ("/regions/12/ws-diffusion-fhir/metadata", "/regions/11/nonsense"):
            with pytest.raises(Exception, match="404"):
                client.request("GET", path)
        assert client.request("GET", "/regions/11/ws-diffusion-fhir/metadata").status == 200


def test_a_reset_makes_regions_as_they_were() -> None:
    """Delay, size and faults are forgotten."""
    with Simulator(size=10) as simulator:
        simulator.region("11", size=1, delay=9)
        simulator.fault("403", None, region="11")
        simulator.reset()
        with InterRorClient(None, {"11": _client(simulator, "11")}) as client:
            account = client.search("HealthcareService", regions="11").result().account
    assert (account["11"].outcome, account["11"].count) == ("answered", 200)


def test_a_region_that_is_away_makes_no_answer_for_who_has_left() -> None:
    """One client gives up; another that waits is answered, and it alone is on the list of requests."""
    with Simulator(size=10) as simulator:
        simulator.region("11", delay=0.5)
        for patience in (0.1, 60):
            how = {"timeout": Timeouts(60, patience), "retry": RetryPolicy(attempts=1)}
            with InterRorClient(None, {"11": _client(simulator, "11", **how)}, limits=Limits(60, 60)) as client:
                account = client.search("HealthcareService", regions="11", max_results=1).result().account
        assert account["11"].outcome == "answered"
        assert sum("/ws-diffusion-fhir/" in seen.path for seen in simulator.requests) == 1


def test_next_links_stay_in_the_region_even_by_an_internal_host() -> None:
    """The links of a region lead to its own prefix, under a foreign host too."""
    for variants in (Variants(), Variants(link_origin="https://interne.invalid"), Variants(next_links="opaque")):
        with Simulator(size=10, variants=variants) as simulator:
            with InterRorClient(None, {"11": _client(simulator, "11")}) as client:
                result = client.search("HealthcareService", {"_count": "90"}, regions="11").result()
            assert (len(result), result.account.complete) == (200, True)


def test_the_settings_name_the_endpoints(tmp_path: Path) -> None:
    """Those regions that are named, and none otherwise."""
    with Simulator(size=10) as simulator:
        assert load_settings(simulator.write_config(tmp_path)).inter_ror.regions == {}
        tables = load_settings(simulator.write_config(tmp_path, regions="all")).inter_ror.regions
        assert set(tables) == set(REGIONS)
        assert tables["01"].base_url == f"{simulator.url}/regions/01/ws-diffusion-fhir"


@pytest.mark.parametrize(("region", "about"), [("12", {}), ("11", {"delay": -1.0}), ("11", {"size": -1})])
def test_what_no_region_can_be_is_refused(region: str, about: dict[str, float]) -> None:
    """No such region, a negative number."""
    with Simulator(size=10) as simulator, pytest.raises(ConfigurationError):
        simulator.region(region, **about)  # type: ignore[arg-type]  # a wrong number is the point


def _client(simulator: Simulator, region: str = "", **how: Any) -> NationalRorClient:
    place = simulator.environment
    if region:
        base, token = simulator.region(region)
        place = type(place)(
            name=region,
            token_url=token,
            api_url=place.api_url,
            diffusion_path=urlsplit(base).path,
            anchors=place.anchors,
        )
    about = {"client_id": simulator.client_id, "profile": simulator.profile, "role": simulator.role}
    return NationalRorClient(place, simulator.identity, **about, **how)  # type: ignore[arg-type]  # three of its arguments
