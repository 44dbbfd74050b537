"""The rungs ``next`` and ``rehearsal``: the certificate that will take over, looked at and tried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.diagnosis import ours
from ror_sante.diagnosis.ladders.coming import Coming
from ror_sante.diagnosis.page.report import to_html
from ror_sante.diagnosis.report import Outcome, SmokeReport, SmokeReports
from ror_sante.diagnosis.smoke import SmokeTest
from ror_sante.errors import Finding, Pkcs12Error, Severity
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import NetworkSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.settings import RornSettings
    from ror_sante.simulator.pki import SimulatorPki
    from ror_sante.simulator.server import Simulator

NOW = datetime.now(UTC)
QUICK = NetworkSettings(connect_timeout=2.0, read_timeout=2.0, deadline=4.0)


@pytest.fixture(scope="module")
def make(pki: SimulatorPki) -> Callable[..., ClientIdentity]:
    """Make a certificate that begins and ends so many days from now; the one in force and the next have each a key."""
    keys = {name: pki.client().key for name in ("own", "next")}

    def issue(start: float = -1, end: float = 1000, *, key: str = "next", **how: Any) -> ClientIdentity:
        tree = how.pop("tree", pki)
        days = {"not_before": NOW + timedelta(days=start), "not_after": NOW + timedelta(days=end)}
        return tree.identity(tree.client(key=keys[key], **days, **how))

    return issue


@pytest.fixture
def climb(simulator: Simulator, account: RornSettings) -> Callable[..., SmokeReport]:
    """Climb with a certificate and a next one: an identity, or a file that is not there."""

    def run(own: ClientIdentity, following: ClientIdentity | Path) -> SmokeReport:
        there = following if isinstance(following, Path) else None
        source = IdentitySource(
            lambda: own, successor=IdentitySource(lambda: following, files=[there] if there else [])
        )
        return SmokeTest(simulator.environment, source, rorn=account, network=QUICK).run()

    return run


def told(report: SmokeReport, name: str) -> tuple[str, str]:
    check = next(check for check in report.checks if check.name == name)
    return check.outcome.value, check.detail


def test_a_good_next_certificate_is_told_and_gets_a_token(
    climb: Callable[..., SmokeReport], make: Callable[..., ClientIdentity], simulator: Simulator
) -> None:
    """Who it is, when it takes over, and that the authorization server knows it; in JSON and on the page too."""
    report = climb(make(-900, 100, key="own"), make())
    assert (report.exit_code, report.warned) == (0, ())
    assert [check.name for check in report.checks][7] == "next"
    outcome, detail = told(report, "next")
    assert (outcome, detail.startswith("CLIENT_WS_RORN, valid ")) == ("ok", True)
    assert detail.endswith(f"same subject DN as the one in force, takes over on {NOW + timedelta(days=93):%Y-%m-%d}")
    assert told(report, "rehearsal") == ("ok", f"{simulator.client_id} gets a token with the next certificate too")
    assert len([seen for seen in simulator.requests if seen.path.endswith("/token")]) == 3
    assert {"next", "rehearsal"} <= {check["name"] for check in report.to_dict()["checks"]}
    page = to_html(SmokeReports(reports=(report,)), lang="fr", masked=False, rounds=())
    assert "takes over on" in page
    assert "gets a token with the next certificate too" in page


def test_one_with_another_dn_works_today_and_is_a_warning(
    climb: Callable[..., SmokeReport], make: Callable[..., ClientIdentity]
) -> None:
    """It is not registered: the rehearsal is refused, today's calls are good, and the exit code is 0."""
    report = climb(make(key="own"), make(end=1001, cn="CLIENT_AUTRE"))
    assert report.exit_code == 0
    assert [check.name for check in report.warned] == ["next", "rehearsal"]
    assert "the subject DN differs: register CN=CLIENT_AUTRE," in told(report, "next")[1]
    assert told(report, "rehearsal")[1].startswith("the next certificate: ")
    assert "invalid_client" in told(report, "rehearsal")[1]


def test_the_next_certificate_stands_in_for_one_that_is_over(
    climb: Callable[..., SmokeReport], make: Callable[..., ClientIdentity]
) -> None:
    """As for a program that starts now: the ladder climbs with it, and says to put it in place."""
    report = climb(make(-900, -1, key="own"), make())
    assert report.exit_code == 0
    assert [check.name for check in report.warned] == ["p12"]
    assert "the next one stands in for it" in told(report, "p12")[1]
    assert told(report, "dates")[0] == "ok"
    assert told(report, "next") == ("ok", "the next certificate is in force already, see p12")
    assert told(report, "rehearsal")[0] == "skipped"


def test_one_that_cannot_be_used_stands_in_for_nothing(
    climb: Callable[..., SmokeReport], make: Callable[..., ClientIdentity], tmp_path: Path
) -> None:
    """Over too, or not there: the ladder stops at the dates of the first, with the exit code of an identity."""
    for following in (make(-900, -2), tmp_path / "next.p12"):
        report = climb(make(-900, -1, key="own"), following)
        assert ([check.name for check in report.failed], report.exit_code) == (["dates"], 3)
        assert told(report, "rehearsal")[0] == "skipped"


def test_one_that_does_not_open_stands_in_for_nothing() -> None:
    """Its own rung says why."""

    def load() -> ClientIdentity:
        raise Pkcs12Error("cut")

    assert Coming(IdentitySource(load), lambda *_: (), at=NOW).stand_in() is None


# ------------------------------------------------------------------ what it says of a certificate


@pytest.fixture
def look(simulator: Simulator, pki: SimulatorPki) -> Callable[..., tuple[str, str]]:
    """Give what the rung ``next`` says, without a connection."""

    def seen(own: ClientIdentity | None, following: Any, *, files: tuple[Path, ...] = ()) -> tuple[str, str]:
        def load() -> ClientIdentity:
            if isinstance(following, Exception):
                raise following
            return following

        def judge(identity: ClientIdentity, at: datetime) -> Any:
            return identity.verify([pki.anchor], at=at)

        found = Coming(IdentitySource(load, files=files), judge, at=NOW).rung(lambda: own).look()
        assert found.outcome is not Outcome.FAIL
        assert bool(found.hint) == (found.outcome is Outcome.WARN)
        return found.outcome.value, found.detail

    return seen


@pytest.mark.parametrize(
    ("how", "outcome", "said"),
    [
        ({"start": 90}, "ok", "takes over on"),
        ({"start": 101}, "warn", "a gap"),
        ({"end": 99}, "warn", "not later than the old one"),
        ({"key": "own"}, "warn", "the same key as before"),
        ({"start": -900, "end": -1}, "warn", "expired on"),
    ],
    ids=["begins in time", "begins too late", "ends too early", "same key", "over"],
)
def test_it_is_judged_at_its_beginning_and_compared(
    look: Callable[..., tuple[str, str]],
    make: Callable[..., ClientIdentity],
    how: dict[str, Any],
    outcome: str,
    said: str,
) -> None:
    """The one in force ends in a hundred days."""
    seen = look(make(-900, 100, key="own"), make(**how))
    assert (seen[0], said in seen[1]) == (outcome, True), seen


def test_one_of_another_tree_is_a_warning(
    look: Callable[..., tuple[str, str]], make: Callable[..., ClientIdentity], pki: SimulatorPki
) -> None:
    """Its chain does not end at the root of our own."""
    assert "SIMULATEUR ETRANGER" in look(make(key="own"), make(end=1001, tree=pki.foreign))[1]


def test_a_file_that_does_not_open_is_named(look: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    """Once, whether the error names it or not."""
    file = tmp_path / "next.p12"
    file.write_bytes(b"x")
    for error in (Pkcs12Error("cut", hint="h"), Pkcs12Error(f"{file}: cut")):
        assert look(None, error, files=(file,)) == ("warn", f"{file}: cut")


def test_without_a_certificate_in_force_it_is_not_compared(
    look: Callable[..., tuple[str, str]], make: Callable[..., ClientIdentity]
) -> None:
    """The rung ``p12`` has failed; this one tells whose certificate comes."""
    outcome, detail = look(None, make())
    assert (outcome, "same subject DN" in detail) == ("ok", False)


def test_in_the_last_seven_days_it_takes_over_at_once(
    look: Callable[..., tuple[str, str]], make: Callable[..., ClientIdentity]
) -> None:
    """As the clients do."""
    assert look(make(-900, 6, key="own"), make())[1].endswith("takes over at once")


def test_a_warning_that_is_true_of_both_is_no_news(
    look: Callable[..., tuple[str, str]], make: Callable[..., ClientIdentity]
) -> None:
    """Both end on one day, soon: the rung ``dates`` says it."""
    both = [make(-1, 20, key=key) for key in ("own", "next")]
    outcome, detail = look(*both)
    assert (outcome, "in 19 days" in detail, "not later than the old one" in detail) == ("warn", False, True)


def test_a_file_that_is_not_there_yet_is_a_warning_from_sixty_days_on(
    make: Callable[..., ClientIdentity], tmp_path: Path
) -> None:
    """Before, it may be named in the settings already."""
    missing = [tmp_path / "next.p12"]
    for end, outcome in ((61, Outcome.SKIPPED), (59, Outcome.WARN)):
        seen = ours.awaited(missing, make(-900, end, key="own"), at=NOW)
        assert (seen.outcome, seen.detail) == (outcome, f"{missing[0]}: not there yet")
    assert ours.awaited(missing, None, at=NOW).outcome is Outcome.SKIPPED


def test_without_a_next_certificate_the_dates_say_where_to_name_it(make: Callable[..., ClientIdentity]) -> None:
    """From 60 days before the end; with one, they point at its rung."""
    own = make(-900, 20, key="own")
    soon = [Finding("expires-soon", "m", "h", Severity.WARNING)]
    assert "Name the renewed P12 as next" in ours.dates(own, soon, at=NOW).hint
    assert "the rung next" in ours.dates(own, soon, at=NOW, next_is_named=True).hint


def test_the_annuaire_offers_a_restricted_file_to_the_next_certificate(
    simulator: Simulator, make: Callable[..., ClientIdentity], tmp_path: Path
) -> None:
    """Nothing is fetched by it."""
    settings = load_settings(simulator.write_config(tmp_path), environ={})
    source = IdentitySource(lambda: simulator.identity, successor=IdentitySource(lambda: make()))
    report = SmokeTest.from_settings(settings, services=["annuaire"], source=lambda _: source).run()
    assert told(report, "rehearsal")[1].startswith("with the next certificate, Extraction_ProSanteConnect is of ")
    assert report.exit_code == 0
