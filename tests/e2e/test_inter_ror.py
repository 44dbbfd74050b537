"""The inter-ROR search against real servers: one question, many regions, one honest account."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from ror_sante import InterRorClient, NationalRorClient, load_settings
from ror_sante.api.inter_ror import Limits
from ror_sante.api.nos import REGIONS
from ror_sante.api.query import HealthcareServiceQuery, LocationQuery
from ror_sante.errors import ConfigurationError, IdentityError, RorError
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import Timeouts
from ror_sante.pki.identity import ClientIdentity
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = Limits(region=60.0, deadline=120.0)
ONCE = RetryPolicy(attempts=1, deadline=10)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(size=400) as simulator:
        yield simulator


@pytest.fixture
def opened(simulator: Simulator) -> Callable[..., NationalRorClient]:
    """Open a client of the national service, or of a region at its own endpoint, here or at another port."""

    def _opened(region: str = "", *, port: int = 0, **about: Any) -> NationalRorClient:
        place = simulator.environment
        if region:
            base, token = simulator.region(region)
            place = replace(place, name=region, diffusion_path=urlsplit(base).path, token_url=token)
        if port:
            place = replace(place, api_url=f"https://localhost:{port}")
        account = {"client_id": simulator.client_id, "profile": simulator.profile, "role": simulator.role}
        about = {"calls_per_second": 1000, "retry": ONCE, **account, **about}
        return NationalRorClient(place, about.pop("identity", simulator.identity), **about)

    return _opened


@pytest.fixture
def national(opened: Callable[..., NationalRorClient]) -> Iterator[InterRorClient]:
    """All regions through the national service."""
    with InterRorClient(opened(), limits=LONG) as client:
        yield client


@pytest.fixture
def regional(opened: Callable[..., NationalRorClient]) -> Iterator[InterRorClient]:
    """Four regions at their own endpoints."""
    with InterRorClient(None, {code: opened(code) for code in ("01", "11", "53", "84")}, limits=LONG) as client:
        yield client


FOUR = "01,11,53,84"


def threads() -> list[str]:
    """Name the threads of searches that still live."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ror-sante-region")]


# ------------------------------------------------------------------ the national service


def test_the_national_service_is_asked_region_by_region(national: InterRorClient, simulator: Simulator) -> None:
    """Eighteen searches, each with the tag of its region, find together what one search finds."""
    result = national.search("HealthcareService", {"_count": "100"}).result()
    assert result.account.complete
    assert sum(region.count for region in result.account) == len(result) == result.account.rows == 400
    assert all(row.regions == (row.identifier[:2],) for row in result)
    asked = {dict(seen.params).get("_tag", "|").split("|")[1] for seen in simulator.requests if "/Health" in seen.path}
    assert asked == set(REGIONS)
    assert {receipt.host for receipt in national.receipts} == {"localhost"}


def test_the_dialect_of_model_2_4_finds_the_same(
    opened: Callable[..., NationalRorClient], simulator: Simulator
) -> None:
    """``location:code-region`` in place of ``_tag``."""
    with InterRorClient(opened(), dialect="code-region", limits=LONG) as client:
        assert len(client.search("HealthcareService", {"_count": "100"}).result()) == 400
        assert client.search("Location", regions="Bretagne").result().account.complete
        assert {"code-region", "location:code-region"} <= {
            name for seen in simulator.requests for name, _ in seen.params
        }
        account = client.search("Practitioner", regions="11").result().account
    assert (account["11"].outcome, account.answered) == ("not-configured", False)


def test_a_query_of_the_builder_serves_as_it_does_nationally(national: InterRorClient) -> None:
    """A query may be the first argument or the second."""
    query = HealthcareServiceQuery().name.contains("urgences")
    one = national.search(query, regions="all").result()
    other = national.search("HealthcareService", query).result()
    assert [row.identifier for row in one] == [row.identifier for row in other]
    assert 0 < len(one) < 400


def test_near_sorts_by_distance_over_regions(national: InterRorClient) -> None:
    """Places of two regions are mixed as the distances say."""
    result = national.search(LocationQuery().near(47.8, -1.6, 120), regions="52,53").result()
    far = [row.distance for row in result if row.distance is not None]
    assert far == sorted(far)
    assert len(far) == len(result) > 0
    assert {row.region for row in result} == {"52", "53"}


def test_wrong_words_send_nothing(national: InterRorClient, simulator: Simulator) -> None:
    """A region, a type, a parameter or a number that cannot be is told at the call."""
    for asked in (
        lambda: national.search("HealthcareService", regions="Atlantis"),
        lambda: national.search("Nonsense"),
        lambda: national.search("HealthcareService", {"_tag": "11"}),
        lambda: national.search("HealthcareService", {"name": ""}),
        lambda: national.search("HealthcareService", max_results=0),
        lambda: national.search("HealthcareService", deadline=0),
        lambda: InterRorClient(None, {"11": ConfigurationError("x"), "Île-de-France": ConfigurationError("x")}),
    ):
        with pytest.raises(ConfigurationError):
            asked()
    assert simulator.requests == []


# ------------------------------------------------------------------ endpoints of their own


def test_each_region_is_asked_at_its_own_endpoint(regional: InterRorClient, simulator: Simulator) -> None:
    """No filter is sent where the endpoint is the region; records that regions share are one row."""
    for code in FOUR.split(","):
        simulator.region(code, size=20, shared=5)
    result = regional.search("HealthcareService", regions=FOUR).result()
    assert result.account.complete
    assert (len(result), [region.count for region in result.account]) == (4 * 15 + 5, [20] * 4)
    assert [row.regions for row in result if len(row.regions) > 1] == [("01", "11", "53", "84")] * 5
    assert not any(name == "_tag" for seen in simulator.requests for name, _ in seen.params)


FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("http-500", {}, "failed", "service"),
    ("http-429", {}, "failed", "throttled"),
    ("html-200", {}, "failed", "answer"),
    ("truncated-json", {}, "failed", "answer"),
    ("reset", {}, "failed", "connection"),
    ("cut-body", {}, "failed", "connection"),
    ("403", {}, "refused", "rights"),
    ("token-error", {}, "refused", "token"),
    ("slow", {"seconds": 60.0}, "late", "time"),
    ("http-500", {"at": "token"}, "failed", "service"),
]


@pytest.mark.parametrize(("fault", "about", "outcome", "reason"), FAULTS)
def test_one_bad_region_costs_the_others_nothing(
    opened: Callable[..., NationalRorClient],
    simulator: Simulator,
    fault: str,
    about: dict[str, Any],
    outcome: str,
    reason: str,
) -> None:
    """Three regions answer whole, the fourth is accounted for with its reason."""
    simulator.fault(fault, None, region="Bretagne", **about)
    patience = Timeouts(connect=60, read=1 if fault == "slow" else 60)
    clients = {code: opened(code) for code in ("01", "11", "84")} | {"53": opened("53", timeout=patience)}
    with InterRorClient(None, clients, limits=LONG) as client:
        result = client.search("HealthcareService", regions=FOUR).result()
    bad = result.account["53"]
    assert (bad.outcome, bad.reason, bad.count) == (outcome, reason, 0)
    assert bad.message
    assert bad.error is not None
    assert [result.account[code].outcome for code in ("01", "11", "84")] == ["answered"] * 3
    assert (len(result), result.account.complete, result.account.answered) == (600, False, True)


def test_what_a_region_gave_before_it_failed_is_kept_and_counted(
    regional: InterRorClient, simulator: Simulator
) -> None:
    """The second page is cut off: the first one's rows stay, and the account says how many there are."""
    simulator.fault("next-expired", None, region="53")
    result = regional.search("HealthcareService", {"_count": "50"}, regions="53").result()
    account = result.account["53"]
    assert (account.outcome, account.count, account.total, len(result)) == ("failed", 50, 200, 50)


def test_a_result_beyond_the_cap_is_truncated(regional: InterRorClient, simulator: Simulator) -> None:
    """10 000 rows came, and the account says that there are more; with a maximum below it nothing was cut."""
    simulator.region("53", size=10_001)
    cut = regional.search("HealthcareService", regions="53", region_timeout=60, deadline=60)
    assert sum(1 for _ in cut) == 10_000
    account = cut.account["53"]
    assert (account.outcome, account.reason, account.count, account.total) == ("truncated", "cap", 10_000, 10_001)
    few = regional.search("HealthcareService", regions="53", max_results=3).result()
    assert (few.account["53"].outcome, few.account["53"].count, len(few)) == ("answered", 3, 3)


def test_a_region_that_drops_packets_costs_its_own_limit(
    opened: Callable[..., NationalRorClient], dropping: int
) -> None:
    """Rows of the others come at once, the whole result after the limit of the dead one, and no thread is left."""
    dead = opened("53", port=dropping)
    with InterRorClient(None, {"11": opened("11"), "53": dead}, limits=Limits(region=3.0, deadline=60)) as client:
        client.search("HealthcareService", regions="11", region_timeout=60).result()  # connections and tokens are made
        search = client.search("HealthcareService", regions="11,53")
        start = time.monotonic()
        assert next(iter(search)).region == "11"
        with pytest.raises(ConfigurationError, match="still runs"):
            _ = search.account
        result = search.result()
        whole = time.monotonic() - start
    assert 2.9 < whole < 30
    assert (result.account["53"].outcome, result.account["11"].count) == ("late", 200)
    assert threads() == []


def test_after_three_failures_a_region_is_left_alone(regional: InterRorClient, simulator: Simulator) -> None:
    """The fourth search does not ask it, and says so; another region is asked as before."""
    simulator.fault("http-500", None, region="53")
    accounts = [regional.search("HealthcareService", regions="11,53").result().account for _ in range(4)]
    assert [account["53"].reason for account in accounts] == ["service"] * 3 + ["circuit"]
    assert accounts[-1]["11"].outcome == "answered"
    assert sum(seen.path.startswith("/regions/53/ws") for seen in simulator.requests) == 3


def test_a_region_without_a_service_is_not_configured(regional: InterRorClient) -> None:
    """Without the national service, only those with an endpoint can be asked."""
    account = regional.search("HealthcareService", regions="11,94").result().account
    assert (account["94"].outcome, account["94"].reason, account["11"].outcome) == (
        "not-configured",
        "settings",
        "answered",
    )
    assert "inter_ror.regions.94" in account["94"].hint
    assert repr(regional) == "<InterRorClient 4 regions of their own, else nobody>"


# ------------------------------------------------------------------ limits, turns, giving up


def test_with_one_turn_at_a_time_all_are_asked(opened: Callable[..., NationalRorClient]) -> None:
    """Fewer threads than regions ask them one after the other."""
    with InterRorClient(opened(), limits=Limits(60, 120, at_once=2)) as client:
        result = client.search("HealthcareService", max_results=1).result()
    assert result.account.complete
    assert len(result.account.regions) == 18


def test_the_deadline_ends_all_regions(regional: InterRorClient, simulator: Simulator) -> None:
    """Those that answered have answered; the rest is late, whatever their own limits."""
    for code in ("53", "84"):
        simulator.region(code, delay=60)
    regional.search("HealthcareService", regions="01,11").result()  # connections and tokens are made
    start = time.monotonic()
    account = regional.search("HealthcareService", regions=FOUR, deadline=3).result().account
    assert time.monotonic() - start < 40
    assert [region.outcome for region in account] == ["answered", "answered", "late", "late"]


def test_the_time_of_a_slow_reader_is_not_counted(regional: InterRorClient, simulator: Simulator) -> None:
    """A caller who takes longer than the deadline over one row still gets every region."""
    simulator.region("53", size=300, delay=0.1)
    regional.search("HealthcareService", regions="11,53", max_results=1).result()  # connections and tokens are made
    search = regional.search("HealthcareService", {"_count": "50"}, regions="11,53", deadline=4)
    for number, _ in enumerate(search):
        if number == 0:
            time.sleep(4.2)
    assert search.account.complete


def test_rows_come_as_the_regions_answer(regional: InterRorClient, simulator: Simulator) -> None:
    """The quick region's rows are there while the slow one has not answered; the account is not."""
    regional.search("HealthcareService", regions="11,53", max_results=1).result()  # connections and tokens are made
    simulator.region("53", delay=3)
    search = regional.search("HealthcareService", regions="11,53")
    row = next(iter(search))
    assert row.region == "11"
    with pytest.raises(ConfigurationError, match="still runs"):
        _ = search.account
    assert {row.region for row in search} == {"11", "53"}
    assert search.account.complete
    assert len(search.result()) == 400


@pytest.mark.parametrize("how", ["close", "with", "forget", "throw"])
def test_a_search_that_is_left_leaves_no_thread(regional: InterRorClient, simulator: Simulator, how: str) -> None:
    """Regions under way are stopped, soon, and the account says which."""
    for code in ("01", "53", "84"):
        simulator.region(code, delay=60)
    search = regional.search("HealthcareService", regions=FOUR)
    rows = iter(search)
    next(rows)
    start = time.monotonic()
    if how == "close":
        search.close()
    elif how == "with":
        with search:
            pass
    elif how == "throw":
        with pytest.raises(KeyboardInterrupt):
            rows.throw(KeyboardInterrupt)
    else:
        rows.close()
        del rows
    assert time.monotonic() - start < 40
    assert threads() == []
    assert [(region.outcome, region.reason) for region in search.account if region.code != "11"] == [
        ("failed", "stopped")
    ] * 3
    assert all(region.seconds > 0 for region in search.account)
    assert search.account["11"].count == 200


def test_a_search_that_never_began_is_accounted_for(regional: InterRorClient, simulator: Simulator) -> None:
    """Nothing was sent; every region was stopped."""
    with regional.search("HealthcareService", {"name": "never-asked"}, regions=FOUR) as search:
        pass
    assert [region.reason for region in search.account] == ["stopped"] * 4
    # By its words: a request that an earlier test has cancelled may reach the shared simulator late.
    assert not [seen for seen in simulator.requests if "never-asked" in seen.query]


def test_a_fault_of_ours_in_a_thread_reaches_the_caller(
    regional: InterRorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is raised where rows are taken, and the other threads end."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ror_sante.api.inter_ror.fan.looked", broken)
    with pytest.raises(ZeroDivisionError):
        regional.search("HealthcareService", regions=FOUR).result()
    assert threads() == []


def test_a_thread_that_cannot_be_woken_does_not_hold_the_search(
    regional: InterRorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that hangs is beyond us: at the deadline the region is late, and the search ends without it."""
    resolve, wait = __import__("socket").getaddrinfo, threading.Event()

    def hanging(*arguments: Any, **named: Any) -> Any:
        if threading.current_thread().name.startswith("ror-sante-region"):
            wait.wait(20)
        return resolve(*arguments, **named)

    monkeypatch.setattr("socket.getaddrinfo", hanging)
    monkeypatch.setattr("ror_sante.api.inter_ror.fan._JOIN", 0.1)
    start = time.monotonic()
    account = regional.search("HealthcareService", regions="11", deadline=0.3).result().account
    wait.set()
    assert time.monotonic() - start < 15
    assert (account["11"].outcome, account["11"].reason, account["11"].count) == ("late", "time", 0)
    assert "deadline" in account["11"].message


# ------------------------------------------------------------------ settings: identity, trust and token of each region


@pytest.fixture
def elsewhere() -> Iterator[Simulator]:
    """A region with a PKI of its own: it trusts no certificate of the others, and they do not trust it."""
    with Simulator(SimulatorPki.create(), size=10) as region:
        yield region


def lay(folder: Path, *tables: str) -> Path:
    """Add tables to the settings file of a simulator."""
    file = folder / "ror-sante.toml"
    file.write_text(file.read_text(encoding="utf-8") + "\n".join(tables), encoding="utf-8")
    return file


def test_mutual_tls_is_each_regions_own(simulator: Simulator, elsewhere: Simulator, tmp_path: Path) -> None:
    """A region with another root and another certificate answers; with one of the two missing it is refused."""
    simulator.write_config(tmp_path)
    elsewhere.write_config(tmp_path / "corse")
    base, token = elsewhere.region("94")
    address = f'base_url = "{base}"\ntoken_url = "{token}"\n'
    right = 'anchors = ["corse/root.pem"]\nidentity = "corse"\n'
    lay(
        tmp_path,
        '[identities.corse]\np12 = "corse/client.p12"\npassphrase_file = "corse/client.pass"',
        f"[inter_ror.regions.94]\n{address}{right}",
        f'[inter_ror.regions.93]\n{address}identity = "corse"',
        f'[inter_ror.regions.84]\n{address}anchors = ["corse/root.pem"]',
    )
    with InterRorClient.from_settings(load_settings(tmp_path / "ror-sante.toml")) as client:
        account = client.search("HealthcareService", regions="94,93,84,11").result().account
    assert (account["94"].outcome, account["94"].count) == ("answered", 200)
    assert (account["11"].outcome, account["11"].count > 0) == ("answered", True)
    # Our certificate is judged before it is sent: of a chain to another root than the region's, nothing is sent.
    assert (account["93"].outcome, account["93"].reason) in [("failed", "identity"), ("refused", "tls")]
    assert (account["84"].outcome, account["84"].reason) == ("failed", "identity")
    assert isinstance(account["84"].error, IdentityError)


def test_a_certificate_of_many_regions_is_opened_once(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a P12 takes its time by design; eighteen regions that share one wait for it once."""
    opened: list[object] = []
    real = ClientIdentity.from_p12
    monkeypatch.setattr(ClientIdentity, "from_p12", lambda *about, **how: opened.append(about) or real(*about, **how))
    file = simulator.write_config(tmp_path, regions="11,53,94")
    with InterRorClient.from_settings(load_settings(file)) as client:
        assert client.client_of("11") is not client.client_of("53")
    assert len(opened) == 1


def test_csd_is_refused_with_what_to_use(simulator: Simulator, tmp_path: Path) -> None:
    """For the whole search it is an error; for one region the others are asked all the same."""
    settings = load_settings(simulator.write_config(tmp_path))
    one = lay(tmp_path, '[inter_ror.regions.11]\nprotocol = "csd"\nbase_url = "https://localhost:1/csd"')
    with InterRorClient.from_settings(load_settings(one)) as client:
        account = client.search("HealthcareService", regions="11,53").result().account
    assert (account["11"].outcome, account["53"].outcome) == ("not-configured", "answered")
    assert "2026" in account["11"].message
    assert "fhir" in account["11"].hint
    text = one.read_text(encoding="utf-8").replace("[inter_ror.regions.11]", "[inter_ror]").rpartition("base_url")[0]
    one.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="protocol is csd"):
        InterRorClient.from_settings(load_settings(one))
    assert settings.inter_ror.protocol is None


def test_limits_dialect_and_accounts_come_from_the_settings(simulator: Simulator, tmp_path: Path) -> None:
    """``[inter_ror]`` says how; what it leaves out is taken from ``[rorn]``."""
    simulator.write_config(tmp_path, regions="11")
    lay(tmp_path, '[inter_ror]\ndialect = "code-region"\nregion_timeout = 3\ndeadline = 60\nat_once = 3\n')
    with InterRorClient.from_settings(load_settings(tmp_path / "ror-sante.toml")) as client:
        assert client.client_of("Île-de-France") is not client.client_of("53")
        client.search("HealthcareService", regions="11,53", region_timeout=60).result()  # connections are made
        simulator.region("11", delay=60)
        account = client.search("HealthcareService", regions="11,53").result().account
    assert [region.outcome for region in account] == ["late", "answered"]
    assert any(name == "location:code-region" for seen in simulator.requests for name, _ in seen.params)


def test_a_region_that_cannot_be_opened_is_accounted_for(simulator: Simulator, tmp_path: Path) -> None:
    """A certificate that is not there is a matter of that region; without any other it is an error at once."""
    simulator.write_config(tmp_path, regions="11")
    file = lay(tmp_path, '[identities.gone]\np12 = "gone.p12"\n')
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("[inter_ror.regions.11]", '[inter_ror.regions.11]\nidentity = "gone"'), encoding="utf-8"
    )
    with InterRorClient.from_settings(load_settings(file)) as client:
        account = client.search("HealthcareService", regions="11,53").result().account
    assert (account["11"].outcome, account["53"].outcome) == ("not-configured", "answered")
    # The national account lacks its client_id: the region with an endpoint is asked, the others say why they cannot be.
    bare = text.replace(f'client_id = "{simulator.client_id}"\n', "")
    file.write_text(
        bare.replace("[inter_ror.regions.11]", f'[inter_ror.regions.11]\nclient_id = "{simulator.client_id}"'),
        encoding="utf-8",
    )
    with InterRorClient.from_settings(load_settings(file)) as client:
        account = client.search("HealthcareService", regions="11,53").result().account
    assert (account["11"].outcome, account["53"].outcome) == ("answered", "not-configured")
    assert "client_id is missing" in account["53"].message
    file.write_text(bare.replace("[inter_ror.regions.11]", "[inter_ror.regions.12]"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no region"):
        InterRorClient.from_settings(load_settings(file))
    file.write_text(bare.partition("[inter_ror.regions.11]")[0], encoding="utf-8")
    with pytest.raises(RorError, match="client_id is missing"):
        InterRorClient.from_settings(load_settings(file))


def test_without_the_national_service_only_endpoints_are_asked(simulator: Simulator, tmp_path: Path) -> None:
    """``national = false`` leaves regions without an endpoint unasked."""
    simulator.write_config(tmp_path, regions="11")
    file = lay(tmp_path, "[inter_ror]\nnational = false\n")
    with InterRorClient.from_settings(load_settings(file)) as client:
        account = client.search("HealthcareService", regions="11,53").result().account
    assert [region.outcome for region in account] == ["answered", "not-configured"]


def test_a_secret_takes_the_place_of_the_certificate(tmp_path: Path) -> None:
    """The nearest table that names a certificate or a secret decides; the account of profile 0 has no certificate."""
    from ror_sante.simulator.server import Account

    with Simulator(size=10, accounts=[Account("open", client_secret="s3cret")]) as simulator:
        simulator.write_config(tmp_path)
        (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
        file = lay(tmp_path, '[inter_ror]\nclient_id = "open"\nclient_secret_file = "secret"\n')
        with InterRorClient.from_settings(load_settings(file)) as client:
            account = client.search("HealthcareService", regions="11").result().account
    # The simulator wants a certificate on this port all the same: it is the TLS layer that refuses, not the settings.
    assert (account["11"].outcome, account["11"].reason) == ("refused", "tls")


def test_timeouts_of_the_network_hold_for_every_region(opened: Callable[..., NationalRorClient], dropping: int) -> None:
    """A connection that does not come within its own limit is late before the region's limit."""
    dead = opened("53", port=dropping, timeout=Timeouts(connect=0.3))
    with InterRorClient(None, {"53": dead}, limits=LONG) as client:
        account = client.search("HealthcareService", regions="53").result().account
    assert (account["53"].outcome, account["53"].seconds < 1.5) == ("late", True)
