"""Walk through the pages of a search, one ahead of the caller."""

from __future__ import annotations

import contextvars
import logging
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from ror_sante.api.completeness import PAGE_SIZE, RESULT_CAP, Capped
from ror_sante.api.fhir.bundle import Bundle
from ror_sante.errors import NotFoundError, TruncatedResultError, UnexpectedResponseError, masked_url

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ror_sante.api.completeness import Completeness
    from ror_sante.api.fhir.resource import Resource
    from ror_sante.http.exchange import Answer

PAGE_LIMIT: Final = 2 * RESULT_CAP  # a server whose links never end is stopped even when each of them is new

_log = logging.getLogger(__name__)


class Follow(Protocol):
    """The rule for links: `ror_sante.api.origins.OriginRule.follow`."""

    def __call__(self, link: str, *, at: str) -> str:
        """Give the address to ask for a link found at an address, or raise."""
        ...


class Reached(msgspec.Struct, frozen=True):
    """How far a walk came, so that another one goes on from there.

    Attributes:
        link: the link to the next page, as the server wrote it.
        found: matches on the pages before it.
        total: how many the service counted on the first page, or None.
    """

    link: str
    found: int = 0
    total: int | None = None


class PageWalk:
    """The pages of one search, fetched one `step` at a time.

    Args:
        fetch: sends a GET to an address and gives the answer, or raises.
        url: the first page.
        searched_type: the resource type of the search.
        follow: turns a server's link, found at an address, into the address to ask, or refuses it.
        allow_truncated: take a result that the service cut.
        enough: stop after the page that completes this number of matches, or None for all of them.
        page_size: how many matches make a full page.
        page_limit: the greatest number of pages.
        complete: tells whether the result is whole; None takes the rule of the national ROR.
        restarts: how often the search may begin anew when a link to a next page has expired. No match comes twice
            then: their ids are kept meanwhile, about 100 bytes each.
        reached: how far an earlier walk came; this one goes on from there. Without `restarts`, for what was given
            before is not known here.
    """

    def __init__(
        self,
        fetch: Callable[[str], Answer],
        url: str,
        searched_type: str,
        *,
        follow: Follow,
        allow_truncated: bool = False,
        enough: int | None = None,
        page_size: int = PAGE_SIZE,
        page_limit: int = PAGE_LIMIT,
        complete: Completeness | None = None,
        restarts: int = 0,
        reached: Reached | None = None,
    ) -> None:
        self._fetch = fetch
        self._searched_type = searched_type
        self._follow = follow
        self._complete = complete or Capped(page_size)
        self._may_be_cut = allow_truncated or (enough is not None and self._complete.covers(enough))
        self._enough = enough
        self._page_limit = page_limit
        self._first = url
        self._here = url if reached else ""
        self._link = reached.link if reached else url  # empty when there is no further page
        self._asked: set[str] = set()
        self._included: set[str] = set()
        self._restarts = restarts
        self._given = _Given() if restarts else None
        self._found = reached.found if reached else 0  # matches since the first page
        self._matches = self._found  # the same, over all beginnings, each once
        self._missing: TruncatedResultError | None = None
        self._cut: TruncatedResultError | None = None  # the same while it is still to be raised

    @property
    def truncation(self) -> TruncatedResultError | None:
        """What the service cut, once that is known; raised by `step` unless a cut result is allowed."""
        return self._missing

    @property
    def more(self) -> bool:
        """Whether another step is worth taking."""
        return bool(self._link) or self._cut is not None

    def step(self) -> Bundle:
        """Fetch the next page; only while there is `more`.

        Raises:
            NotFoundError: the link to the page has expired.
            TruncatedResultError: the service cut the result; from the first page before anything is given, later
                after the last page was given.
            UnexpectedResponseError: a link that is not followed or that was asked before, or an odd answer.
            RorError: whatever `fetch` raises.
        """
        if self._cut is not None:
            raise self._cut
        url, answer = self._arrived()
        page = Bundle.parse(answer, self._searched_type).without_repeats(self._included)
        first = not self._here
        self._here, self._link = url, page.next or ""
        page = self._counted(page)
        missing = self._complete.missing(answer, page, first=first, found=self._found)
        self._missing = self._missing or missing
        self._matches += len(page.matches)
        if not self._may_be_cut:
            self._cut = missing
            if self._cut is not None and first:
                raise self._cut
        if self._enough is not None and self._matches >= self._enough:
            self._link, self._cut = "", None
        return page

    def _counted(self, page: Bundle) -> Bundle:
        """Count the matches; when the search may begin anew, leave out those that were given."""
        if self._given is None:
            self._found += len(page.matches)
            return page
        if self._given.opened_before(page):
            raise self._endless("a page begins with what an earlier one began with")
        page = self._given.take(page)
        self._found = self._given.found
        return page

    def _next_address(self) -> str:
        url = self._follow(self._link, at=self._here) if self._here else self._link
        if url in self._asked:
            raise self._endless("its link to the next page leads back to a page already read")
        if len(self._asked) >= self._page_limit:
            raise self._endless(f"the service still gives a next link after {self._page_limit} pages")
        self._asked.add(url)
        return url

    def _arrived(self) -> tuple[str, Answer]:
        """Fetch the next page, or the first one again when the link has expired and that is allowed."""
        while True:
            url = self._next_address()
            try:
                return url, self._fetch(url)
            except NotFoundError as error:
                if not self._here:
                    raise
                if self._given is None or not self._restarts:
                    raise self._expired(error) from error
                self._begin_again(self._given)

    def _begin_again(self, given: _Given) -> None:
        _log.info("the link to the next page has expired after %d results: the search begins anew", self._matches)
        self._restarts -= 1
        self._here, self._link, self._found = "", self._first, 0
        self._asked.clear()
        given.begin_again()

    def _expired(self, error: NotFoundError) -> NotFoundError:
        return NotFoundError(
            f"the link to the next page has expired after {self._matches} results were delivered (HTTP {error.status})",
            hint="Start the search again, and take the pages without long pauses; what was delivered stays good.",
            status=error.status,
            method=error.method,
            url=error.url,
            request_id=error.request_id,
            outcome=error.outcome,
        )

    def _endless(self, why: str) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"the pages do not end: {why}, after {self._matches} results",
            status=200,
            method="GET",
            url=masked_url(self._here),
        )


class _Given:
    """The ids of the matches that were given, each with the beginning in which it was met last."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}
        self._beginning = 0
        self._openings: set[str] = set()
        self.found = 0  # in this beginning

    def begin_again(self) -> None:
        """Count from nothing."""
        self._beginning += 1
        self._openings.clear()
        self.found = 0

    def opened_before(self, page: Bundle) -> bool:
        """Tell whether an earlier page of this beginning had the same first match: links of a circle may all differ.

        What an include brought can be of the searched type and unmarked, but it never comes first.
        """
        opening = page.entries[0].id if page.entries else ""
        again = opening in self._openings
        self._openings.update(filter(None, (opening,)))
        return again

    def take(self, page: Bundle) -> Bundle:
        """Count the matches of a page, and leave out those that were given before."""
        return page.where(self._is_new)

    def _is_new(self, entry: Resource) -> bool:
        if entry.mode != "match" or not entry.id:
            self.found += entry.mode == "match"
            return True
        last = self._met.get(entry.id)
        self._met[entry.id] = self._beginning
        self.found += last != self._beginning
        return last is None


class Lookahead:
    """Fetches the next page in a background thread while the caller works on the last one.

    One thread lives for one page and ends with it. It holds the walk and never the iterator: an iterator that is
    closed or forgotten stops the walk, and the page on its way is dropped.
    """

    def __init__(self) -> None:
        self._running: set[Future[Bundle]] = set()

    def pages(self, walk: PageWalk) -> Generator[Bundle, None, None]:
        """Give the pages of a walk, always fetching one ahead and never two.

        Raises:
            RorError: what the step of that page raised, when the caller comes to that page.
        """
        coming: Future[Bundle] | None = None
        # The walk is looked at only while no thread walks it.
        while coming is not None or walk.more:
            page = walk.step() if coming is None else coming.result()
            coming = self._start(walk) if walk.more else None
            yield page

    def settle(self, timeout: float) -> None:
        """Wait until no page is on its way, `timeout` seconds at most."""
        wait(tuple(self._running), timeout)

    def _start(self, walk: PageWalk) -> Future[Bundle] | None:
        future: Future[Bundle] = Future()
        context = contextvars.copy_context()  # tracing libraries keep their span there
        thread = threading.Thread(
            target=context.run, args=(_fulfil, future, walk), name="ror-sante-next-page", daemon=True
        )
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending: the caller fetches it itself
            self._running.discard(future)
            return None
        return future


def _fulfil(future: Future[Bundle], walk: PageWalk) -> None:
    try:
        future.set_result(walk.step())
    except BaseException as error:  # noqa: BLE001  it belongs to the caller's thread, whatever it is
        future.set_exception(error)


def in_turn(walk: PageWalk) -> Generator[Bundle, None, None]:
    """Give the pages of a walk, each fetched when the caller asks for it."""
    while walk.more:
        yield walk.step()
