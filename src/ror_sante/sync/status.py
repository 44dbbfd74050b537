"""How a copy stands: its age, that of its deltas, what it holds, and what to worry about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError
from ror_sante.pki.judgement import EXPIRES_SOON
from ror_sante.sync.snapshot import CURRENT, current, describe
from ror_sante.sync.state import FULL_WEEK, STATE, moment, read_state, times_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from ror_sante.pki.expiry import Validity

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a copy stood at an instant.

    Attributes:
        at: the instant.
        folder: the output folder.
        snapshot: the name of the good copy's folder.
        service: the FHIR base that was asked.
        regions: codes of source regions; empty for the nation.
        counts: resources of the good copy, by type.
        last_full: the time of its data, or that of its making; None when its manifest has neither.
        cursor: where the next delta starts; None when there was none.
        last_delta: when the last delta ran; None when there was none.
        delta_counts: resources of the last delta, by type.
        validity: the dates of the configured certificate; None when it is not known.
        unread: why the certificate is not known.
    """

    at: datetime
    folder: Path
    snapshot: str
    service: str
    regions: tuple[str, ...]
    counts: dict[str, int]
    last_full: datetime | None
    cursor: datetime | None
    last_delta: datetime | None
    delta_counts: dict[str, int]
    validity: Validity | None
    unread: str

    @property
    def full_age(self) -> float | None:
        """Seconds since the last full export; None when its time is not known."""
        return self._age(self.last_full)

    @property
    def delta_age(self) -> float | None:
        """Seconds since the last delta; None when there was none."""
        return self._age(self.last_delta)

    @property
    def full_is_old(self) -> bool:
        """Whether the last full export is over seven days old, or may be."""
        return self.full_age is None or self.full_age > FULL_WEEK

    @property
    def days_left(self) -> float | None:
        """Days until the certificate ends, negative after that; None when it is not known."""
        return None if self.validity is None else self.validity.remaining(self.at) / _DAY

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to worry about."""
        return tuple(self._warnings())

    def _age(self, then: datetime | None) -> float | None:
        # The server's clock may be ahead of ours; an age below nothing would only puzzle.
        return None if then is None else max(0.0, (self.at - then).total_seconds())

    def _warnings(self) -> Iterator[str]:
        if self.full_age is None:
            yield "the time of the last full export is not known; deltas do not see all"
        elif self.full_is_old:
            yield "the last full export is over seven days old, and deltas do not see all"
        if self.days_left is not None and self.days_left < 0:
            yield "the certificate has expired"
        elif self.validity is not None and self.validity.needs_renewal(at=self.at, within=EXPIRES_SOON):
            yield f"the certificate ends within {EXPIRES_SOON.days} days"


def status(
    folder: Path, *, at: datetime, state: Path | None = None, validity: Validity | None = None, unread: str = ""
) -> Status:
    """Look at a copy; nothing is changed, and no lock is taken.

    Args:
        folder: the output folder of ``rorn export``.
        at: now.
        state: the state file of the deltas; None takes ``delta-state.json`` in the folder.
        validity: the dates of our certificate.
        unread: why they are not known.

    Raises:
        ConfigurationError: there is no copy in the folder, or the state is damaged or missing where it was named.
        SyncError: the copy cannot be read.
        OSError: the state cannot be read.
    """
    found = current(folder)
    if found is None:
        raise ConfigurationError(
            f"there is no copy in {folder}",
            hint=f"A copy is a folder with {CURRENT!r} in it; `ror-sante rorn export --out` makes one.",
        )
    known = read_state(state or folder / STATE)
    if known is None and state is not None:
        raise ConfigurationError(f"there is no {state}", hint="Leave --state out when there are no deltas.")
    where, manifest = found
    return Status(
        at=at,
        folder=folder,
        snapshot=where.name,
        service=manifest.service,
        regions=manifest.regions,
        counts=describe(manifest),
        last_full=times_of(manifest)[1],
        cursor=None if known is None else moment(known.cursor),
        last_delta=None if known is None else moment(known.last_run or known.cursor),
        delta_counts={} if known is None else known.last_counts,
        validity=validity,
        unread=unread,
    )
