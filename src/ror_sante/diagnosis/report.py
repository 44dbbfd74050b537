"""What a smoke test found, as plain values that print, compare and travel as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ror_sante.errors import (
    ApiError,
    ConfigurationError,
    IdentityError,
    RorError,
    SyncError,
    TokenError,
    TransportError,
)

GOOD: Final = 0
BAD_VERDICT: Final = 1
BAD_SETTINGS: Final = 2
BAD_IDENTITY: Final = 3
NO_CONNECTION: Final = 4
BAD_ANSWER: Final = 5

# The families of DESIGN's exit codes, the narrower class first.
_FAMILIES: Final[tuple[tuple[type[RorError], int], ...]] = (
    (ConfigurationError, BAD_SETTINGS),
    (IdentityError, BAD_IDENTITY),
    (TransportError, NO_CONNECTION),
    (TokenError, BAD_ANSWER),
    (ApiError, BAD_ANSWER),
    (SyncError, BAD_ANSWER),
)


def exit_code_of(error: RorError) -> int:
    """Give the exit code of an error's family: 2 settings, 3 identity, 4 transport, 5 answers."""
    return next((code for kind, code in _FAMILIES if isinstance(error, kind)), BAD_ANSWER)


class Outcome(StrEnum):
    """How a rung went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rung of the ladder.

    Attributes:
        name: which one, a stable word or two for programs.
        outcome: how it went.
        detail: what was seen, in one sentence.
        hint: what to do about it; empty when nothing needs doing.
        seconds: how long it took.
        family: the exit code of this failure: 2, 3, 4 or 5; 0 when it did not fail.
    """

    name: str
    outcome: Outcome
    detail: str
    hint: str = ""
    seconds: float = 0.0
    family: int = GOOD

    def to_dict(self) -> dict[str, Any]:
        """Give the rung as the JSON report holds it."""
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "detail": self.detail,
            "hint": self.hint,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, kw_only=True)
class SmokeReport:
    """The whole ladder.

    Attributes:
        service: which service was tried: ``rorn``.
        environment: the name of the environment.
        checks: the rungs, from the settings up to the answers.
    """

    service: str
    environment: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The rungs that failed, the lowest first."""
        return tuple(check for check in self.checks if check.outcome is Outcome.FAIL)

    @property
    def warned(self) -> tuple[Check, ...]:
        """The rungs that hold with a warning."""
        return tuple(check for check in self.checks if check.outcome is Outcome.WARN)

    @property
    def seconds(self) -> float:
        """The time of all rungs together."""
        return sum(check.seconds for check in self.checks)

    @property
    def exit_code(self) -> int:
        """The family of the first failed rung; 0 when none failed, warnings or not."""
        return self.failed[0].family if self.failed else GOOD

    def to_dict(self) -> dict[str, Any]:
        """Give the report as ``smoke-test --format json`` prints it."""
        return {
            "service": self.service,
            "environment": self.environment,
            "checks": [check.to_dict() for check in self.checks],
            "exit_code": self.exit_code,
        }
