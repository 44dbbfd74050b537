"""Snapshots: whole copies in folders of their own, and a pointer to the good one that changes in one step."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ror_sante.errors import SyncError
from ror_sante.sync.files import private_folder, remove, sync_folder, write_private
from ror_sante.sync.store import Count  # noqa: TC001  msgspec reads the annotation when it decodes

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

T = TypeVar("T")

CURRENT: Final = "current"
MANIFEST: Final = "manifest.json"
_FOLDER: Final = "snapshots"
_NAME: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


class FileOf(msgspec.Struct, frozen=True):
    """One file of a snapshot.

    Attributes:
        file: its name.
        count: resources in it, one a line.
        bytes: its size.
        sha256: of its bytes, in hexadecimal.
    """

    file: str
    count: int
    bytes: int
    sha256: str


class JobOf(msgspec.Struct, frozen=True):
    """One job that a snapshot was made of.

    Attributes:
        region: the code of its region, or an empty text for the nation.
        transaction_time: the time of its data, as the service said; may be empty.
        files: how many files it had.
    """

    region: str
    transaction_time: str
    files: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds, and how it was got.

    Attributes:
        format: of this file.
        created: when it was made, in UTC.
        method: how it was got.
        service: the FHIR base that was asked.
        regions: codes of source regions; empty for the nation.
        jobs: one a region.
        types: the files by resource type.
        counts: by region and type.
        repeated: how often a resource came that was there already.
        software: name and version.
    """

    format: int = 1
    created: str
    method: str = "$export"
    service: str
    regions: tuple[str, ...]
    jobs: tuple[JobOf, ...]
    types: dict[str, FileOf]
    counts: tuple[Count, ...]
    repeated: int
    software: str

    @property
    def total(self) -> int:
        """All resources."""
        return sum(file.count for file in self.types.values())

    @property
    def size(self) -> int:
        """All bytes."""
        return sum(file.bytes for file in self.types.values())


_MANIFEST: Final = msgspec.json.Decoder(Manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``."""
    write_private(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def current(folder: Path) -> tuple[Path, Manifest] | None:
    """Give the good copy of a folder, or None when there is none (yet).

    Raises:
        SyncError: what the pointer leads to is no copy of ours.
    """
    hint = f"Put it back, or remove {folder / CURRENT} to begin anew; nothing is then compared."
    return current_of(folder, _MANIFEST, hint=hint)


def current_of(folder: Path, decoder: msgspec.json.Decoder[T], *, hint: str) -> tuple[Path, T] | None:
    """Give the good copy of a folder with what its manifest says, whatever kind of copy it is.

    Args:
        folder: the one with the pointer.
        decoder: reads the manifest.
        hint: what to do when it cannot be read.

    Raises:
        SyncError: what the pointer leads to is no copy of ours.
    """
    name = current_name(folder)
    if not name:
        return None
    snapshot = snapshot_path(folder, name)
    try:
        return snapshot, decoder.decode((snapshot / MANIFEST).read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SyncError(
            f"the copy in {snapshot} cannot be read: its {MANIFEST} is missing or damaged", hint=hint
        ) from error


def snapshot_path(folder: Path, name: str) -> Path:
    """Give where a copy of that name lies, or would."""
    return folder / _FOLDER / name


def new_name(at: datetime) -> str:
    """Give a name for the folder of a copy that is finished at a time."""
    return f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def place(folder: Path, made: Path, name: str) -> None:
    """Move a finished folder, on the same file system, among the copies; nothing points to it yet."""
    snapshots = private_folder(folder / _FOLDER)
    sync_folder(made)
    made.rename(snapshots / name)
    sync_folder(snapshots)


def is_placed(folder: Path, name: str) -> bool:
    """Tell whether a copy of that name is among the copies."""
    return bool(_NAME.fullmatch(name)) and (snapshot_path(folder, name) / MANIFEST).is_file()


def publish(folder: Path, name: str) -> None:
    """Make a copy that is in its place the good one, in one step; the one before stays, older ones go."""
    before = current_name(folder)
    beside = folder / f".{CURRENT}.{secrets.token_hex(6)}"
    beside.symlink_to(f"{_FOLDER}/{name}")
    beside.replace(folder / CURRENT)
    sync_folder(folder)
    _prune(folder, keep={name, before})


def current_name(folder: Path) -> str:
    """Give the name of the good copy's folder, or an empty text."""
    try:
        target = (folder / CURRENT).readlink()
    except OSError:
        return ""
    return target.name if target.parent.name == _FOLDER and _NAME.fullmatch(target.name) else ""


def _prune(folder: Path, keep: set[str]) -> None:
    for old in (folder / _FOLDER).iterdir():
        if _NAME.fullmatch(old.name) and old.name not in keep:
            remove(old)
    for pointer in folder.glob(f".{CURRENT}.*"):
        pointer.unlink(missing_ok=True)


def describe(manifest: Manifest) -> dict[str, Any]:
    """Give the counts by type, for people and logs."""
    return {name: file.count for name, file in manifest.types.items()}
