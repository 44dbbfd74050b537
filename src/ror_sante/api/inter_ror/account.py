"""The honest account of a search over regions: what each of them answered, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from ror_sante.api.nos import REGIONS
from ror_sante.errors import (
    AccessDeniedError,
    ClientRejectedError,
    ConfigurationError,
    IdentityError,
    RateLimitedError,
    RorError,
    ServerFaultError,
    ServerNotTrustedError,
    TimedOutError,
    TokenError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outcome(StrEnum):
    """What became of one region."""

    ANSWERED = "answered"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    LATE = "late"
    FAILED = "failed"
    NOT_CONFIGURED = "not-configured"


# The first class that fits decides; `reason` is a stable word for programs.
_JUDGEMENTS: Final[tuple[tuple[type[RorError], Outcome, str], ...]] = (
    (ConfigurationError, Outcome.NOT_CONFIGURED, "settings"),
    (IdentityError, Outcome.FAILED, "identity"),
    (ServerNotTrustedError, Outcome.REFUSED, "tls"),
    (ClientRejectedError, Outcome.REFUSED, "tls"),
    (TimedOutError, Outcome.LATE, "time"),
    (UnreachableError, Outcome.FAILED, "connection"),
    (AccessDeniedError, Outcome.REFUSED, "rights"),
    (RateLimitedError, Outcome.FAILED, "throttled"),
    (ServerFaultError, Outcome.FAILED, "service"),
)
_UNWELL: Final = (Outcome.LATE, Outcome.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionAccount:
    """What became of one region.

    Attributes:
        code: its INSEE code, a text.
        outcome: one word.
        count: matches that it gave and that were handed on, duplicates of other regions included.
        seconds: what it took, the waiting for its turn left out.
        reason: why it did not answer whole: ``tls``, ``token``, ``rights``, ``time``, ``connection``, ``service``,
            ``answer``, ``identity``, ``settings``, ``circuit``, ``throttled``, ``cap``, ``stopped``; empty
            when it answered.
        message: the same in a sentence.
        hint: what to do about it.
        total: how many matches it says there are, or None.
        error: the error itself, or None.
    """

    code: str
    outcome: Outcome
    count: int = 0
    seconds: float = 0.0
    reason: str = ""
    message: str = ""
    hint: str = ""
    total: int | None = None
    error: RorError | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the region."""
        return REGIONS[self.code]

    @property
    def unwell(self) -> bool:
        """Whether the service of the region seems to be down; a refusal is an answer."""
        return self.outcome in _UNWELL and self.reason not in ("identity", "circuit", "stopped")

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {
            "code": self.code,
            "name": self.name,
            "outcome": self.outcome.value,
            "count": self.count,
            "total": self.total,
            "seconds": round(self.seconds, 3),
            "reason": self.reason,
            "message": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Account:
    """What became of every region that was to be asked.

    Attributes:
        regions: in the order of their codes.
        rows: how many rows were handed on, each once.
    """

    regions: tuple[RegionAccount, ...]
    rows: int = 0

    @property
    def complete(self) -> bool:
        """Whether every region answered whole."""
        return all(region.outcome is Outcome.ANSWERED for region in self.regions)

    @property
    def answered(self) -> bool:
        """Whether any region answered, whole or cut, or gave some rows before it failed."""
        return any(region.count or region.outcome in (Outcome.ANSWERED, Outcome.TRUNCATED) for region in self.regions)

    def __iter__(self) -> Iterator[RegionAccount]:
        return iter(self.regions)

    def __getitem__(self, code: str) -> RegionAccount:
        """Give the account of one region by its code."""
        return next(region for region in self.regions if region.code == code)

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {"regions": [region.as_dict() for region in self.regions], "rows": self.rows}


def judged(error: RorError) -> tuple[Outcome, str]:
    """Tell what an error says about a region: the outcome, and the reason in one word."""
    if isinstance(error, TokenError):
        return _of_token(error)
    for kind, outcome, reason in _JUDGEMENTS:
        if isinstance(error, kind):
            return outcome, reason
    return Outcome.FAILED, "answer"


def _of_token(error: TokenError) -> tuple[Outcome, str]:
    """Tell a refusal from a token endpoint that is down, or that is none: these refuse nobody."""
    status = 400 if error.status is None else error.status
    if error.retryable or status >= 500:
        return Outcome.FAILED, "service"
    return (Outcome.REFUSED, "token") if status >= 400 else (Outcome.FAILED, "answer")
