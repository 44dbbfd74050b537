"""Remember how far the deltas have come: the state file, and what a delta cannot see."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante.errors import ConfigurationError, SyncError, printable
from ror_sante.sync.files import write_private
from ror_sante.sync.snapshot import current

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.http.answer import Answer
    from ror_sante.sync.snapshot import Manifest

STATE: Final = "delta-state.json"
FULL_WEEK: Final = 7 * 86_400.0  # ROR-fhir-documentation, page "export": a full synchronisation a week at least
# Reference 6, cadence: neither scenario of ANS covers these, and there is no feed of deletions.
CANNOT_SEE: Final = (
    "deletions, and changes of a Location, a Practitioner or a PractitionerRole alone; only a full export shows them"
)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the next delta must know.

    Attributes:
        format: of this file.
        service: the FHIR base that was asked.
        regions: codes of source regions; empty for the nation.
        cursor: the server's time when the last delta began; the next one starts there.
        last_run: the same, told apart for readers.
        last_folder: where the last delta with anything in it lies.
        last_counts: resources of the last delta, by type.
        last_full: the time of the last full export known; empty when none is.
        last_full_age_days: how old that was at the last delta.
        cannot_see: what no delta shows.
    """

    format: int = 1
    service: str
    regions: tuple[str, ...]
    cursor: str
    last_run: str = ""
    last_folder: str = ""
    last_counts: dict[str, int] = {}
    last_full: str = ""
    last_full_age_days: float | None = None
    cannot_see: str = CANNOT_SEE


_STATE: Final = msgspec.json.Decoder(State)


def read_state(path: Path) -> State | None:
    """Read the state, None when there is no such file yet.

    Raises:
        ConfigurationError: the file is not one of ours.
        OSError: it cannot be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        state = _STATE.decode(raw)
        moment(state.cursor)
        moment(state.last_run or state.cursor)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{path} is not the state of a delta, or is damaged",
            hint="Put it back, or remove it and start from a time: --since, best that of the last full export.",
        ) from error
    return state


def write_state(path: Path, state: State) -> None:
    """Write the state, for its owner alone and in one step.

    Raises:
        OSError: it cannot be written; the old one is still there.
    """
    write_private(path, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")


def moment(text: str) -> datetime:
    """Read a time; one without a zone is UTC.

    Raises:
        ValueError: it is none.
    """
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def since(text: str) -> datetime:
    """Read the time of ``--since``.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return moment(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{printable(text, 40)!r} is not a time", hint="For instance 2026-11-24, or 2026-11-24T02:30Z."
        ) from error


def written(at: datetime) -> str:
    """Write a time as the state file has it."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def server_time(answer: Answer) -> datetime:
    """Tell what time it was at the server when it answered: copies go by its clock, never by ours.

    Raises:
        SyncError: the answer does not say it.
    """
    try:
        found = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise SyncError(
            "the service does not say its time (no Date in its answer)",
            hint="Without it what changes meanwhile could be missed. Something on the way may drop the header.",
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def full_of(folder: Path) -> tuple[datetime | None, datetime | None]:
    """Tell when the good copy of a folder was made.

    Returns:
        The time of its data by the server's clock, when the server told it for each of its jobs; and the best that is
        known of its age: that time, or the one at which it was written here. None for what there is not.

    Raises:
        SyncError: the copy cannot be read.
    """
    found = current(folder)
    return (None, None) if found is None else times_of(found[1])


def times_of(manifest: Manifest) -> tuple[datetime | None, datetime | None]:
    """Tell when a copy was made; what is returned is that of `full_of`."""
    try:
        theirs = min((moment(job.transaction_time) for job in manifest.jobs), default=None)
    except ValueError:
        theirs = None
    try:
        ours = moment(manifest.created)
    except ValueError:
        ours = None
    return theirs, theirs or ours
