"""How rungs run: side by side, each on its own ground, and within the time of the whole test."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.diagnosis.ladders.climb import climb
from ror_sante.diagnosis.ladders.ladder import Ladder, Rung
from ror_sante.diagnosis.report import Outcome, SmokeReport, SmokeReports
from ror_sante.diagnosis.rung import Seen, ok, skipped, warn
from ror_sante.errors import ApiError, IdentityError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.diagnosis.report import Check


def good() -> Seen:
    return ok("fine")


def bad() -> Seen:
    raise UnreachableError("nobody there", hint="look")


def ladder(*rungs: Rung, service: str = "rorn", **about: Any) -> Ladder:
    return Ladder(service=service, title="A service", environment="bench", rungs=rungs, **about)


def climbed(*rungs: Rung, within: float = 5.0) -> SmokeReport:
    return climb([ladder(*rungs)], within=within)[0]


def told(report: SmokeReport) -> dict[str, tuple[str, str]]:
    return {check.name: (check.outcome.value, check.detail) for check in report.checks}


def meeting(parties: int) -> Callable[[], Seen]:
    """A rung that only ends when so many of its kind run at the same time."""
    barrier = threading.Barrier(parties)

    def look() -> Seen:
        barrier.wait(3)
        return ok("met")

    return look


# ------------------------------------------------------------------ ground


def test_a_rung_whose_need_failed_is_skipped_and_says_why() -> None:
    """So is what stands on it, with the first reason; what stands elsewhere is tried."""
    report = climbed(Rung("a", bad), Rung("b", good, ("a",)), Rung("c", good, ("b",)), Rung("d", good))
    reason = ("skipped", "needs a, which failed")
    assert told(report) == {"a": ("fail", "nobody there"), "b": reason, "c": reason, "d": ("ok", "fine")}
    assert (report.exit_code, report.failed[0].hint) == (4, "look")


@pytest.mark.parametrize("seen", [warn("w", "h"), skipped("none here"), ok("fine")])
def test_a_need_that_did_not_fail_is_ground_enough(seen: Seen) -> None:
    """A warning, and a rung that found nothing to look at, let the next one climb."""
    assert told(climbed(Rung("a", lambda: seen), Rung("b", good, ("a",))))["b"] == ("ok", "fine")


def test_after_waits_and_does_not_need() -> None:
    """A rung that comes after another one sees it done, and is tried though it failed."""
    done: list[str] = []

    def slow() -> Seen:
        time.sleep(0.05)
        done.append("a")
        return bad()

    def later() -> Seen:
        return ok(f"after {done}")

    assert told(climbed(Rung("a", slow), Rung("b", later, after=("a",))))["b"] == ("ok", "after ['a']")


def test_a_rung_cannot_wait_for_what_comes_later() -> None:
    """Order of telling and order of needing agree, so there is no circle."""
    with pytest.raises(ValueError, match=r"rung 'a' waits for .*\['b'\]"):
        ladder(Rung("a", good, ("b",)), Rung("b", good))


# ------------------------------------------------------------------ side by side


def test_what_is_independent_runs_side_by_side() -> None:
    """Two rungs that wait for each other both end."""
    look = meeting(2)
    assert {seen for seen, _ in told(climbed(Rung("a", look), Rung("b", look))).values()} == {"ok"}


def test_several_ladders_are_climbed_side_by_side_and_told_one_after_the_other() -> None:
    """A rung of the first and one of the second meet; the first ladder's checks come first."""
    look = meeting(2)
    first = ladder(Rung("a", look), Rung("b", good, ("a",)))
    second = ladder(Rung("c", look), service="annuaire")
    seen: list[tuple[str, str]] = []

    def note(where: Ladder, check: Check) -> None:
        seen.append((where.service, check.name))

    reports = SmokeReports(reports=climb([first, second], within=5, on_check=note))
    assert (reports.exit_code, reports.failed) == (0, ())
    assert seen == [("rorn", "a"), ("rorn", "b"), ("annuaire", "c")]


def test_checks_are_told_in_their_order_though_a_later_one_ends_first() -> None:
    """The slow first rung is waited for."""
    order: list[str] = []

    def slow() -> Seen:
        time.sleep(0.1)
        return good()

    climb([ladder(Rung("a", slow), Rung("b", good))], within=5, on_check=lambda _, check: order.append(check.name))
    assert order == ["a", "b"]


def test_what_may_ask_a_person_runs_in_the_calling_thread() -> None:
    """A prompt must get Ctrl-C, and its terminal back."""
    threads: dict[str, threading.Thread] = {}

    def note(name: str) -> Callable[[], Seen]:
        def look() -> Seen:
            threads[name] = threading.current_thread()
            return good()

        return look

    climbed(Rung("asks", note("asks"), asks=True), Rung("other", note("other")))
    assert threads["asks"] is threading.current_thread()
    assert threads["other"] is not threading.current_thread()


# ------------------------------------------------------------------ columns


def test_columns_of_one_rung_make_one_check_with_parts() -> None:
    """Both are tried; the worst counts, and each part says which it is."""
    report = climbed(Rung("tcp", good, column="token"), Rung("tcp", bad, column="API"))
    (check,) = report.checks
    assert (check.outcome, check.detail) == (Outcome.FAIL, "token: fine; API: nobody there")
    assert [(part.column, part.outcome.value, part.detail) for part in check.parts] == [
        ("token", "ok", "fine"),
        ("API", "fail", "nobody there"),
    ]
    assert check.to_dict()["parts"][1] == check.parts[1].to_dict()


def test_what_all_columns_saw_is_said_once() -> None:
    """Equal details need no names."""
    report = climbed(Rung("tcp", good, column="token"), Rung("tcp", good, column="API"))
    assert report.checks[0].detail == "fine"


def test_a_need_is_that_of_the_own_column() -> None:
    """The API's way is broken: the token's next rung is tried, the API's is skipped."""
    report = climbed(
        Rung("tcp", good, column="token"),
        Rung("tcp", bad, column="API"),
        Rung("tls", good, ("tcp",), column="token"),
        Rung("tls", good, ("tcp",), column="API"),
    )
    assert [part.outcome.value for part in report.checks[1].parts] == ["ok", "skipped"]
    assert report.checks[1].detail == "token: fine; API: needs tcp, which failed"


def test_a_need_without_columns_is_common_to_all() -> None:
    """One trust for every host; without it no host is tried."""
    report = climbed(Rung("trust", bad), *(Rung("tcp", good, ("trust",), column=name) for name in "ab"))
    assert told(report)["tcp"] == ("skipped", "needs trust, which failed")


def test_a_rung_of_another_column_needs_every_column_that_there_is() -> None:
    """The search of the API needs the token, which stands in the token's column alone."""
    search = Rung("search", good, ("token",), column="API")
    assert told(climbed(Rung("token", bad, column="token"), search))["search"][0] == "skipped"
    assert told(climbed(Rung("token", good, column="token"), search))["search"][0] == "ok"


def test_many_columns_are_counted_and_only_what_fails_is_told() -> None:
    """Eighteen regions: one sentence, and the parts hold each."""
    regions = [Rung("search", bad if number == 7 else good, column=f"region {number}") for number in range(18)]
    (check,) = climbed(*regions).checks
    assert check.detail == "17 of 18 hold; region 7: nobody there"
    assert len(check.parts) == 18
    assert climbed(*regions[:5]).checks[0].detail == "fine"  # what all say alike is told once


def test_the_lowest_family_of_the_columns_counts() -> None:
    """A certificate before a connection before an answer."""

    def raising(error: Exception) -> Callable[[], Seen]:
        def look() -> Seen:
            raise error

        return look

    errors = [ApiError("a"), IdentityError("i"), UnreachableError("u")]
    report = climbed(*(Rung("x", raising(error), column=str(error)) for error in errors))
    assert (report.exit_code, report.checks[0].error) == (3, errors[1])


# ------------------------------------------------------------------ time


def test_the_time_of_the_whole_test_is_a_limit() -> None:
    """What runs then has failed with a hint, what had not begun is skipped; nobody waits for the rest."""
    stay = threading.Event()

    def stuck() -> Seen:
        stay.wait(10)
        return good()

    start = time.monotonic()
    report = climbed(
        Rung("a", good), Rung("b", stuck), Rung("c", good, ("b",)), Rung("d", good, after=("b",)), within=0.2
    )
    stay.set()
    assert time.monotonic() - start < 5
    late = "b was not done within the 0.2 s of the whole test"
    assert told(report) == {
        "a": ("ok", "fine"),
        "b": ("fail", late),
        "c": ("skipped", "needs b, which failed"),
        "d": ("skipped", "the time of the whole test was up"),
    }
    assert report.exit_code == 4
    assert "--timeout" in report.failed[0].hint


def test_a_persons_time_is_not_counted() -> None:
    """Typing a passphrase takes longer than the test may: the next rung still has its time."""

    def typing() -> Seen:
        time.sleep(0.4)
        return good()

    def after() -> Seen:
        time.sleep(0.05)
        return good()

    report = climbed(Rung("p12", typing, asks=True), Rung("dns", after, ("p12",)), within=0.3)
    assert told(report)["dns"] == ("ok", "fine")


def test_each_rung_has_its_own_time() -> None:
    """Rungs run side by side, so the whole takes less than their sum."""

    def nap() -> Seen:
        time.sleep(0.1)
        return good()

    report = climbed(Rung("a", nap), Rung("b", nap))
    assert all(0.1 <= check.seconds < 1 for check in report.checks)
    assert report.seconds < sum(check.seconds for check in report.checks) + 0.1


# ------------------------------------------------------------------ ends


def test_a_ladder_is_closed_whatever_came_of_it() -> None:
    """After failures, and after a fault of ours, which is raised."""
    closed: list[str] = []

    def fault() -> Seen:
        raise ZeroDivisionError

    climb([ladder(Rung("a", bad), close=lambda: closed.append("bad"))], within=5)
    with pytest.raises(ZeroDivisionError):
        climb([ladder(Rung("a", fault), close=lambda: closed.append("fault"))], within=5)
    assert closed == ["bad", "fault"]


def test_several_reports_end_with_the_lowest_family() -> None:
    """One is an object, several are a list; what was not tried is kept beside."""
    first, second = climb([ladder(Rung("a", bad)), ladder(Rung("a", good), service="annuaire")], within=5)
    both = SmokeReports(reports=(second, first), absent=(("inter-ror", "no region"),))
    assert both.exit_code == 4
    assert both.to_json() == [second.to_dict(), first.to_dict()]
    assert SmokeReports(reports=(first,)).to_json() == first.to_dict()
    assert [check.name for check in both.failed] == ["a"]
    assert both.warned == ()
    assert both.seconds == max(first.seconds, second.seconds)
