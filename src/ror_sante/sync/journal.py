"""The journal of a run: what was asked and promised, a line a step on disk, so that a dead run can be taken up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from ror_sante.errors import SyncError
from ror_sante.sync.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME: Final = "journal.jsonl"
_LARGEST: Final = 256 * 1024 * 1024  # bytes; a million files are about half of that


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """A run begins.

    Attributes:
        service: the FHIR base that is asked.
        regions: codes of source regions; empty for the whole nation.
        types: what ``_type`` says.
        output_format: what ``_outputFormat`` says.
    """

    service: str
    regions: tuple[str, ...]
    types: tuple[str, ...] = ()
    output_format: str = ""


class Job(msgspec.Struct, frozen=True, tag="job"):
    """The service has taken a job.

    Attributes:
        region: its region, or an empty text.
        poll: the address to poll, as the service wrote it.
    """

    region: str
    poll: str


class Part(msgspec.Struct, frozen=True):
    """One file of a job.

    Attributes:
        url: its address, as the service wrote it.
        count: resources in it, if the service said so.
        errors: it lists errors, and no data.
    """

    url: str
    count: int | None = None
    errors: bool = False


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The service has finished a job.

    Attributes:
        region: its region, or an empty text.
        parts: its files, in the manifest's order.
        transaction_time: the time of its data, in the service's words.
    """

    region: str
    parts: tuple[Part, ...]
    transaction_time: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A job has failed at the service: going on means to start again."""


class Placed(msgspec.Struct, frozen=True, tag="placed"):
    """The copy is finished, and moves to its place, or is there.

    Attributes:
        snapshot: its folder's name.
    """

    snapshot: str


class Published(msgspec.Struct, frozen=True, tag="published"):
    """The copy is in place.

    Attributes:
        snapshot: its folder's name.
    """

    snapshot: str


Entry: TypeAlias = Begun | Job | Ready | Failed | Placed | Published

_ENTRY: Final = msgspec.json.Decoder(Entry)


class Journal:
    """The steps of one run. It never holds a token; the addresses in it pass the origin rule before they are used.

    Args:
        folder: where the journal lies, or will.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> list[Entry]:
        """Give the steps, in order; a last line that was cut off does not count.

        Raises:
            SyncError: the journal is damaged, or larger than any of ours.
        """
        try:
            if self.path.stat().st_size > _LARGEST:
                raise self._damaged()
            return list(self._entries(self.path.read_bytes()))
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._damaged() from error

    def _entries(self, content: bytes) -> Iterator[Entry]:
        *lines, _torn = content.split(b"\n")
        return map(_ENTRY.decode, lines)

    def _damaged(self) -> SyncError:
        return SyncError(
            f"the journal {self.path} is damaged", hint="Start again without --resume; the last good copy stays."
        )

    def append(self, entry: Entry) -> None:
        """Write a step; it is on the disk when this returns.

        Raises:
            OSError: it cannot be written.
        """
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            content = file.read()
            file.seek(content.rfind(b"\n") + 1)  # over a line that was cut off
            file.truncate()
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self.path.parent)
