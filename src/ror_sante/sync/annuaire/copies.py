"""What lies beside the files of a copy of the Annuaire Santé, and beside those of its changes."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  msgspec reads the annotations when it decodes
from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante._version import __version__
from ror_sante.sync.files import write_private
from ror_sante.sync.snapshot import FileOf, current_of

if TYPE_CHECKING:
    from pathlib import Path

ABOUT: Final = "changes.json"


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy holds, and where the next changes start: the ``manifest.json`` beside its files.

    Attributes:
        format: of this file.
        type: of the resources.
        service: the FHIR base that was asked.
        cursor: the server's time when the last search began; the next changes start there.
        scanned: the server's time when the full scan began that all goes back to.
        active: the file of the records in force.
        deactivated: the file of the others.
        software: name and version.
    """

    format: int = 1
    type: str
    service: str
    cursor: datetime
    scanned: datetime
    active: FileOf
    deactivated: FileOf
    software: str = f"ror-sante/{__version__}"


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What changed between two runs: the ``changes.json`` beside its files.

    Attributes:
        format: of this file.
        type: of the resources.
        service: the FHIR base that was asked.
        since: the server's time from which it was asked, the overlap not counted.
        until: the server's time when it was asked.
        active: the file of the records that are new or edited.
        deactivated: the file of those that should be let go.
    """

    format: int = 1
    type: str
    service: str
    since: datetime
    until: datetime
    active: FileOf
    deactivated: FileOf


_COPY: Final = msgspec.json.Decoder(Copy)


def copy_of(folder: Path) -> tuple[Path, Copy] | None:
    """Give the copy of one type, and what its manifest says; None when there is none (yet).

    Args:
        folder: ``TYPE`` in the output folder.

    Raises:
        SyncError: the copy cannot be read.
    """
    return current_of(folder, _COPY, hint="Put it back, or scan again with --full.")


def write(folder: Path, name: str, about: Copy | Changes) -> None:
    """Write it, for its owner alone and in one step."""
    write_private(folder / name, msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
