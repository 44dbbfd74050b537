"""One search over regions: its rows as they come, or merged and in order, and its account."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ror_sante.api.inter_ror.account import Account
from ror_sante.api.inter_ror.merge import Merger, Row
from ror_sante.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType
    from typing import Self

    from ror_sante.api.inter_ror.fan import FanOut


@dataclass(frozen=True, slots=True)
class RegionalResult:
    """All that a search over regions gave.

    Attributes:
        rows: each record once, the nearest first where distances are known, then by type and national identifier.
        account: what became of each region.
    """

    rows: tuple[Row, ...]
    account: Account

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON: the account with the rows inside."""
        return {**self.account.as_dict(), "rows": [row.as_dict() for row in self.rows]}


class RegionalSearch:
    """A search over regions that runs once: iterate over it, or ask for the `result`.

    Iterating gives each record once, as soon as the first region gives it. Nothing is sent before the first step.
    Leaving the loop and `close` end what is under way: no thread is left, and the account says so.

    Example::

        with client.search("HealthcareService", {"name": "cardio"}) as search:
            for row in search:
                print(row.region, row.resource["name"])
        print(search.account.complete)
    """

    def __init__(self, fan: FanOut, *, included: bool) -> None:
        self._fan = fan
        self._merger = Merger(included=included)
        self._rows = self._run()
        self._done = False

    @property
    def account(self) -> Account:
        """What became of each region.

        Raises:
            ConfigurationError: the search still runs.
        """
        if not self._done:
            raise ConfigurationError(
                "the search still runs", hint="Its account is there after the last row, or after close()."
            )
        accounts = self._fan.accounts
        return Account(tuple(accounts[code] for code in sorted(accounts)), len(self._merger))

    def result(self) -> RegionalResult:
        """Wait for every region, and give the rows merged and in order, with those that iteration gave already."""
        for _ in self:
            pass
        return RegionalResult(self._merger.rows(), self.account)

    def close(self) -> None:
        """Give up what is under way."""
        self._rows.close()
        if not self._done:
            self._fan.give_up()
            self._done = True

    def __iter__(self) -> Generator[Row, None, None]:
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> Generator[Row, None, None]:
        try:
            with closing(self._fan.run()) as pages:
                for page in pages:
                    yield from self._merger.add(page.code, page.entries)
        finally:
            self._done = True
