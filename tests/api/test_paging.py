"""The pages of a search are walked to their end, one ahead of the caller, and never in circles."""

from __future__ import annotations

import contextvars
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ror_sante.api.fhir.bundle import Bundle
from ror_sante.api.fhir.outcome import judge
from ror_sante.api.origins import OriginRule
from ror_sante.api.paging import Lookahead, PageWalk, in_turn
from ror_sante.errors import ApiError, NotFoundError, TruncatedResultError, UnexpectedResponseError
from ror_sante.http.exchange import Answer
from tests.api.answers import BASE, SEARCH, answer, entry, numbered, offer, outcome, page
from tests.support.waiting import until

RULE = OriginRule("https://api.example:8443", "/ws-diffusion-fhir")


def walk(fetch: Callable[[str], Answer], **options: Any) -> PageWalk:
    return PageWalk(fetch, SEARCH, "HealthcareService", follow=RULE.follow, **options)


def ids(pages: Any) -> list[str]:
    return [resource.id for bundle in pages for resource in bundle.matches]


def page_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ror-sante-next-page"]


@pytest.fixture(autouse=True)
def _no_thread_left() -> Any:
    yield
    until(lambda: not page_threads())


@pytest.fixture(params=[Lookahead().pages, in_turn], ids=["ahead", "in-turn"])
def pages(request: pytest.FixtureRequest) -> Callable[[PageWalk], Any]:
    """Both ways to walk: they give the same."""
    return request.param


# ------------------------------------------------------------------ the walk


def test_all_pages_are_given_in_order(pages: Any) -> None:
    """Next links are followed to the last page; every match comes once."""
    assert ids(pages(walk(numbered(7, 2)))) == [str(n) for n in range(7)]


def test_an_empty_result_is_one_empty_page(pages: Any) -> None:
    """No match is no error."""
    assert [bundle.total for bundle in pages(walk(numbered(0, 2)))] == [0]


def test_included_resources_come_once_over_all_pages(pages: Any) -> None:
    """An organization that two pages include is given with the first."""

    def fetch(url: str) -> Answer:
        last = "_page" in url
        entries = [entry(offer(int(last))), entry(offer(9, "Organization"), "include")]
        entries += [entry(offer(8 + 2 * last, "Organization"), "include")]
        return answer(page(entries, following=None if last else f"{BASE}?_page=1"), url=url)

    found = [[resource.id for resource in bundle.included] for bundle in pages(walk(fetch))]
    assert found == [["9", "8"], ["10"]]


def test_links_of_an_inner_host_are_asked_on_ours(pages: Any) -> None:
    """The server names itself otherwise; every page is still asked on the configured origin."""
    asked = []
    service = numbered(4, 2)

    def fetch(url: str) -> Answer:
        asked.append(url)
        given = service(url)
        return answer(given.body.replace(b"https://api.example:8443", b"http://inner.host:8080"), url=url)

    assert len(ids(pages(walk(fetch)))) == 4
    assert asked == [SEARCH, f"{BASE}?_page=1"]


def test_a_link_that_leads_elsewhere_is_refused_after_its_page(pages: Any) -> None:
    """The page that holds the link is given; then the error, and nothing is sent there."""
    asked = []

    def fetch(url: str) -> Answer:
        asked.append(url)
        return answer(page([entry(offer(1))], following="https://evil.example/fhir?p=1"), url=url)

    walking = pages(walk(fetch))
    assert ids([next(walking)]) == ["1"]
    with pytest.raises(UnexpectedResponseError, match=r"evil\.example"):
        next(walking)
    assert asked == [SEARCH]


@pytest.mark.parametrize("back_to", [SEARCH, f"{BASE}?_page=1", "http://inner.host/ws-diffusion-fhir?_page=1"])
def test_links_in_a_circle_are_noticed(pages: Any, back_to: str) -> None:
    """A link to a page already read ends the walk with an error, however it is spelt."""

    def fetch(url: str) -> Answer:
        following = back_to if "_page" in url else f"{BASE}?_page=1"
        return answer(page([entry(offer(1))], following=following), url=url)

    walking = pages(walk(fetch))
    assert len([next(walking), next(walking)]) == 2
    with pytest.raises(UnexpectedResponseError, match="already read, after 2 results"):
        next(walking)


def test_links_without_end_are_stopped(pages: Any) -> None:
    """A server that always invents a new link is stopped at the page limit."""
    numbers = iter(range(100))

    def fetch(url: str) -> Answer:
        return answer(page([], following=f"{BASE}?_page={next(numbers)}"), url=url)

    with pytest.raises(UnexpectedResponseError, match="after 5 pages"):
        list(pages(walk(fetch, page_limit=5)))


@pytest.mark.parametrize("status", [404, 410])
def test_an_expired_link_says_so(pages: Any, status: int) -> None:
    """A page link that is gone is a NotFoundError that counts what was delivered and says to start again."""
    service = numbered(6, 2)

    def fetch(url: str) -> Answer:
        given = service(url) if "_page=2" not in url else answer(outcome("not-found", "Search ID expired"), status)
        error = judge(given)
        if error is not None:
            raise error
        return given

    walking = pages(walk(fetch))
    assert len(ids([next(walking), next(walking)])) == 4
    with pytest.raises(NotFoundError, match="expired after 4 results") as caught:
        next(walking)
    assert caught.value.status == status
    assert caught.value.outcome.issues[0].diagnostics == "Search ID expired"
    assert "again" in caught.value.hint
    assert isinstance(caught.value.__cause__, NotFoundError)


def test_a_first_page_that_is_missing_has_not_expired(pages: Any) -> None:
    """A 404 on the search itself stays what it is."""
    missing = NotFoundError("no such service", status=404)

    def fetch(url: str) -> Answer:
        raise missing

    with pytest.raises(NotFoundError) as caught:
        next(pages(walk(fetch)))
    assert caught.value is missing


# ------------------------------------------------------------------ the cut


@pytest.mark.parametrize("total", [10_000, 10_001, "123456"])
def test_a_cut_result_is_an_error_before_the_first_page(pages: Any, total: Any) -> None:
    """From a total of 10 000 on nothing is given; the message says how to get the rest."""
    with pytest.raises(TruncatedResultError, match="gives 10000 at most") as caught:
        next(pages(walk(numbered(4, 2, total=total))))
    assert "$export" in caught.value.hint
    assert "_tag" in caught.value.hint
    assert caught.value.url == f"{BASE}/HealthcareService?_count=…"


def test_a_total_of_9999_is_whole(pages: Any) -> None:
    """One less is no cut."""
    assert len(ids(pages(walk(numbered(4, 2, total=9_999), page_size=200)))) == 4


@pytest.mark.parametrize("options", [{"allow_truncated": True}, {"enough": 10_000}, {"enough": 4}])
def test_a_cut_result_is_given_to_who_asked_for_it(pages: Any, options: dict[str, Any]) -> None:
    """With allow_truncated, or when no more than 10 000 are wanted, the cut is no error."""
    assert len(ids(pages(walk(numbered(4, 2, total=50_000), **options)))) == 4


def test_more_than_the_cap_cannot_be_enough(pages: Any) -> None:
    """Who wants 10 001 of a cut result cannot have them."""
    with pytest.raises(TruncatedResultError):
        next(pages(walk(numbered(4, 2, total=50_000), enough=10_001)))


def test_a_result_that_ends_at_the_cap_without_a_total_is_cut(pages: Any) -> None:
    """Without a total the error comes after the ten-thousandth result; with one less there is none."""
    walking = pages(walk(numbered(10_000, 5_000, total=None)))
    assert len(ids([next(walking), next(walking)])) == 10_000
    with pytest.raises(TruncatedResultError, match="ends at 10000"):
        next(walking)
    assert len(ids(pages(walk(numbered(9_999, 5_000, total=None))))) == 9_999
    assert len(ids(pages(walk(numbered(10_000, 5_000, total=None), allow_truncated=True)))) == 10_000


def test_the_results_that_were_asked_for_are_no_cut(pages: Any) -> None:
    """Who wanted 10 001 and got them is told of no cut."""
    assert len(ids(pages(walk(numbered(10_002, 5_001, total=None), enough=10_001)))) == 10_002


def test_a_full_page_without_a_next_link_is_cut(pages: Any) -> None:
    """The server counts more than it gave and gives no link: that is no whole result."""
    with pytest.raises(TruncatedResultError, match="counts 500 results, gave 2 and no next link"):
        next(pages(walk(numbered(2, 2, total=500), page_size=2)))


def test_a_last_page_that_is_not_full_may_lack_what_we_may_not_see(pages: Any) -> None:
    """Fewer rights mean fewer resources, not an error: a page that is not full is a last page."""
    assert len(ids(pages(walk(numbered(3, 2, total=500), page_size=2)))) == 3


# ------------------------------------------------------------------ ahead


class Gate:
    """A service whose pages come when they are let through, and that says what was asked."""

    def __init__(self, count: int = 10) -> None:
        self._service = numbered(count, 1)
        self.asked: list[str] = []
        self.open = threading.Event()
        self.open.set()
        self.fault: Exception | None = None

    def __call__(self, url: str) -> Answer:
        self.asked.append(url)
        assert self.open.wait(5)
        if self.fault is not None:
            raise self.fault
        return self._service(url)


def test_the_next_page_is_fetched_while_the_caller_works() -> None:
    """After the first page the second is asked for, and never the third."""
    gate = Gate()
    walking = Lookahead().pages(walk(gate))
    assert gate.asked == []
    next(walking)
    until(lambda: len(gate.asked) == 2 and not page_threads())
    time.sleep(0.02)
    assert len(gate.asked) == 2
    next(walking)
    until(lambda: len(gate.asked) == 3)


def test_in_turn_a_page_is_fetched_when_it_is_wanted() -> None:
    """Without prefetching, one page asked is one request and no thread."""
    gate = Gate()
    walking = in_turn(walk(gate))
    next(walking)
    assert len(gate.asked) == 1
    assert not page_threads()


def test_the_last_page_starts_no_thread() -> None:
    """Where no next link is, nothing is fetched."""
    gate = Gate(count=1)
    walking = Lookahead().pages(walk(gate))
    next(walking)
    assert not page_threads()
    assert list(walking) == []
    assert len(gate.asked) == 1


def test_enough_results_fetch_no_further_page() -> None:
    """When the matches suffice, the next page is not even begun."""
    gate = Gate()
    assert len(ids(Lookahead().pages(walk(gate, enough=2)))) == 2
    assert len(gate.asked) == 2


def test_a_fault_of_the_next_page_comes_when_its_turn_comes() -> None:
    """The error of a page fetched ahead does not disturb the page before it."""
    gate = Gate()
    walking = Lookahead().pages(walk(gate))
    gate.open.clear()
    gate.open.set()
    first = next(walking)
    until(lambda: not page_threads())
    gate.fault = ApiError("broken", status=500)
    second = next(walking)
    assert (ids([first]), ids([second])) == (["0"], ["1"])
    until(lambda: not page_threads())
    with pytest.raises(ApiError) as caught:
        next(walking)
    assert caught.value is gate.fault
    assert list(walking) == []


@pytest.mark.parametrize("how", ["close", "forget"])
def test_an_iterator_that_is_left_stops_the_walk(how: str) -> None:
    """Closed or forgotten, it does not wait; the page on its way is dropped and no other is asked for."""
    gate = Gate()
    lookahead = Lookahead()
    walking = lookahead.pages(walk(gate))
    next(walking)
    until(lambda: not page_threads())
    gate.open.clear()
    next(walking)
    until(lambda: len(gate.asked) == 3)
    if how == "close":
        walking.close()
    del walking
    gc.collect()
    assert len(page_threads()) == 1
    gate.open.set()
    lookahead.settle(2)
    until(lambda: not page_threads())
    assert len(gate.asked) == 3


def test_settling_does_not_wait_for_ever() -> None:
    """A page that does not come is not waited for beyond the time limit."""
    gate = Gate()
    lookahead = Lookahead()
    walking = lookahead.pages(walk(gate))
    next(walking)
    until(lambda: not page_threads())
    gate.open.clear()
    next(walking)
    started = time.monotonic()
    lookahead.settle(0.05)
    assert 0.04 < time.monotonic() - started < 5
    gate.open.set()


def test_without_a_thread_the_caller_fetches_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started the walk goes on in the caller's own."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    lookahead = Lookahead()
    assert len(ids(lookahead.pages(walk(Gate(count=3))))) == 3
    lookahead.settle(0)


def test_the_next_page_is_fetched_in_the_callers_context() -> None:
    """Context variables, where tracing keeps its span, are those of the caller."""
    span = contextvars.ContextVar("span", default="none")
    seen = []
    service = numbered(2, 1)

    def fetch(url: str) -> Answer:
        seen.append(span.get())
        return service(url)

    span.set("caller")
    assert len(ids(Lookahead().pages(walk(fetch)))) == 2
    assert seen == ["caller", "caller"]


def test_a_page_is_a_bundle(pages: Any) -> None:
    """What is given is a Bundle, whole."""
    first = next(pages(walk(numbered(1, 1))))
    assert isinstance(first, Bundle)
    assert first.total == 1
