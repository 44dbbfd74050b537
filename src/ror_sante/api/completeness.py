"""Tell, page by page, whether a search was answered whole: a rule for each service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from ror_sante.api.fhir.document import about
from ror_sante.errors import TruncatedResultError

if TYPE_CHECKING:
    from ror_sante.api.fhir.bundle import Bundle
    from ror_sante.http.exchange import Answer

# ROR-fhir-documentation, warnings of the search pages: a search gives 10 000 results at most, in pages of 200
# (rule RG_RECH_52).
RESULT_CAP: Final = 10_000
PAGE_SIZE: Final = 200

_BEYOND: Final = (
    "Use $export for a region or the nation, or split the search by _tag (source region) or by windows of "
    "_lastUpdated; allow_truncated=True takes what there is."
)
# github.com/ansforge/annuaire-sante-fhir-documentation, issues 59 and 414.
_LOST: Final = (
    "The next links of some searches lead nowhere, those through another resource (organization.identifier=) above "
    "all: search that resource first, or narrow the search to one page; allow_truncated=True takes what there is."
)


class Completeness(Protocol):
    """The rule of one service."""

    def covers(self, enough: int) -> bool:
        """Tell whether a result of which `enough` matches are wanted may be cut after them."""
        ...

    def missing(self, answer: Answer, page: Bundle, *, first: bool, found: int) -> TruncatedResultError | None:
        """Tell by a page what is missing.

        Args:
            answer: what held the page.
            page: as it came.
            first: whether it is the first one.
            found: matches up to its end; each once, where the walk keeps count.

        Returns:
            The error to raise, or None.
        """
        ...


class Capped(msgspec.Struct, frozen=True):
    """The national ROR cuts at 10 000.

    Attributes:
        page_size: how many matches make a full page.
    """

    page_size: int = PAGE_SIZE

    def covers(self, enough: int) -> bool:
        """Tell whether the cut comes later."""
        return enough <= RESULT_CAP

    def missing(self, answer: Answer, page: Bundle, *, first: bool, found: int) -> TruncatedResultError | None:
        """Tell by the count, or by where the result ends."""
        total = page.total
        if first and total is not None and total >= RESULT_CAP:
            return _cut(answer, f"the search finds {total} results, and the service gives {RESULT_CAP} at most")
        if page.next is not None:
            return None
        if total is None and found >= RESULT_CAP:
            return _cut(answer, f"the result ends at {found}, where the service cuts: some are missing")
        # A page that is not full may lack what the account has no right to see; a full last page is a cut.
        if total is not None and found < total and len(page.matches) >= self.page_size:
            return _cut(answer, f"the service counts {total} results, gave {found} and no next link")
        return None


class Counted:
    """The Annuaire Santé gives everything: fewer matches than it counts, or a further page without any, is a loss.

    Its count is a hint that comes when it was quick to compute (FhirBundleBuilder of the published server), so that
    its absence proves nothing. Its software writes a next link only when there is something behind it.

    Args:
        total: the count of the first page, where an earlier walk read it.
    """

    def __init__(self, total: int | None = None) -> None:
        self._total = total

    def covers(self, enough: int) -> bool:
        """Tell whether nothing is cut before that many."""
        return False

    def missing(self, answer: Answer, page: Bundle, *, first: bool, found: int) -> TruncatedResultError | None:
        """Tell by the count of the first page that has one, and by pages that hold nothing."""
        self._total = page.total if first or self._total is None else self._total
        if not first and not page.entries and (self._total is None or found < self._total):
            counted = "does not say how many there are" if self._total is None else f"counts {self._total}"
            return _lost(answer, f"the next page holds no entry after {found} results, and the service {counted}")
        if page.next is None and self._total is not None and found < self._total:
            return _lost(answer, f"the service counts {self._total} results, gave {found} and no next link")
        return None


def _cut(answer: Answer, message: str) -> TruncatedResultError:
    return TruncatedResultError(message, hint=_BEYOND, **about(answer))


def _lost(answer: Answer, message: str) -> TruncatedResultError:
    return TruncatedResultError(message, hint=_LOST, **about(answer))
