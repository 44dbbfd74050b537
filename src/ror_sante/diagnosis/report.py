"""What a smoke test found, as plain values that print, compare and travel as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from ror_sante.errors import (
    ApiError,
    ConfigurationError,
    IdentityError,
    RorError,
    SyncError,
    TokenError,
    TransportError,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ror_sante.diagnosis.causes import Cause
    from ror_sante.diagnosis.machine import Machine
    from ror_sante.diagnosis.route import Route

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
class Part:
    """What a rung saw at one of several endpoints.

    Attributes:
        column: which endpoint, such as ``API host api.example`` or a region's name.
        outcome: how it went there.
        detail: what was seen.
        hint: what to do about it.
        seconds: how long it took.
        family: the exit code of this failure, 0 when it did not fail.
        error: what failed, for those who look into it; never printed as it is.
        causes: why it probably failed, the likeliest first; what `ror_sante.diagnosis.diagnose` makes of the error.
    """

    column: str
    outcome: Outcome
    detail: str
    hint: str = ""
    seconds: float = 0.0
    family: int = GOOD
    error: RorError | None = field(default=None, repr=False, compare=False)
    causes: tuple[Cause, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the part as the JSON report holds it."""
        about: dict[str, Any] = {
            "column": self.column,
            "outcome": self.outcome.value,
            "detail": self.detail,
            "hint": self.hint,
            "seconds": round(self.seconds, 3),
        }
        return about | _caused(self.causes)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rung of the ladder.

    Attributes:
        name: which one, a stable word or two for programs.
        outcome: how it went; at several endpoints, the worst.
        detail: what was seen, in one sentence.
        hint: what to do about it; empty when nothing needs doing.
        seconds: how long it took.
        family: the exit code of this failure: 2, 3, 4 or 5; 0 when it did not fail.
        parts: what was seen at each endpoint, where there are several.
        error: what failed, for those who look into it; never printed as it is.
        causes: why it probably failed, the likeliest first; what `ror_sante.diagnosis.diagnose` makes of the error.
    """

    name: str
    outcome: Outcome
    detail: str
    hint: str = ""
    seconds: float = 0.0
    family: int = GOOD
    parts: tuple[Part, ...] = ()
    error: RorError | None = field(default=None, repr=False, compare=False)
    causes: tuple[Cause, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the rung as the JSON report holds it.

        ``causes`` are there when it failed and it is known or guessed why, ``parts`` when there are several endpoints.
        """
        about: dict[str, Any] = {
            "name": self.name,
            "outcome": self.outcome.value,
            "detail": self.detail,
            "hint": self.hint,
            "seconds": round(self.seconds, 3),
        }
        about |= _caused(self.causes)
        return about | {"parts": [part.to_dict() for part in self.parts]} if self.parts else about


def _caused(causes: tuple[Cause, ...]) -> dict[str, Any]:
    return {"causes": [asdict(cause) for cause in causes]} if causes else {}


@dataclass(frozen=True, kw_only=True)
class SmokeReport:
    """The whole ladder of one service in one environment.

    Attributes:
        service: which service was tried: ``rorn``, ``inter-ror`` or ``annuaire``.
        environment: the name of the environment.
        checks: the rungs, from the settings up to the answers.
        title: how people call the service.
        took: seconds from the start to the last rung; None when nobody measured.
        routes: what was seen on the way to each host.
    """

    service: str
    environment: str
    checks: tuple[Check, ...]
    title: str = ""
    took: float | None = None
    routes: tuple[Route, ...] = ()

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
        """The time it took; rungs run side by side, so it is less than that of all rungs together."""
        return sum(check.seconds for check in self.checks) if self.took is None else self.took

    @property
    def exit_code(self) -> int:
        """The family of the first failed rung; 0 when none failed, warnings or not."""
        return self.failed[0].family if self.failed else GOOD

    def to_dict(self, *, receipts: bool = False) -> dict[str, Any]:
        """Give the report as ``smoke-test --format json`` prints it.

        Args:
            receipts: with the receipts of the connections.
        """
        about: dict[str, Any] = {
            "service": self.service,
            "environment": self.environment,
            "checks": [check.to_dict() for check in self.checks],
            "exit_code": self.exit_code,
        }
        return about | {"receipts": [route.to_dict() for route in self.routes]} if receipts else about


@dataclass(frozen=True, kw_only=True)
class SmokeReports:
    """The ladders of several services or environments that were climbed side by side.

    Attributes:
        reports: one a service and environment.
        absent: the services that were not tried, and why.
        machine: what was seen of this machine.
        at: when the test began, in UTC.
    """

    reports: tuple[SmokeReport, ...]
    absent: tuple[tuple[str, str], ...] = ()
    machine: Machine | None = None
    at: datetime | None = None

    @property
    def exit_code(self) -> int:
        """The lowest family of all that failed: what is to be mended first; 0 when nothing failed."""
        return min((report.exit_code for report in self.reports if report.failed), default=GOOD)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The rungs that failed."""
        return tuple(check for report in self.reports for check in report.failed)

    @property
    def warned(self) -> tuple[Check, ...]:
        """The rungs that hold with a warning."""
        return tuple(check for report in self.reports for check in report.warned)

    @property
    def seconds(self) -> float:
        """The time of the slowest."""
        return max((report.seconds for report in self.reports), default=0.0)

    def to_json(self, *, machine: bool = False, receipts: bool = False) -> dict[str, Any] | list[dict[str, Any]]:
        """Give what ``smoke-test --format json`` prints: an object for one report, a list for several.

        Args:
            machine: with what was seen of this machine, in each.
            receipts: with the receipts of the connections.
        """
        about = {"machine": self.machine.to_dict()} if machine and self.machine is not None else {}
        told = [report.to_dict(receipts=receipts) | about for report in self.reports]
        return told[0] if len(told) == 1 else told
