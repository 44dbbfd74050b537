"""Write every flaw into a folder of its own, with a manifest that test suites read."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ror_sante.errors import ConfigurationError, printable
from ror_sante.simulator.flaws import FLAWS, Kit
from ror_sante.simulator.pki import LEAF_DAYS, SimulatorPki
from ror_sante.simulator.pki_folder import SUBFOLDER
from ror_sante.sync.files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ror_sante.simulator.flaws import Flaw, Material

GENERATOR: Final = "ror-sante certs-test"
MANIFEST: Final = "manifest.json"

# Warnings start 60 days before the end: a shorter life would put one on every good case. The other end leaves
# leaves within the life of their intermediate.
MIN_DAYS: Final = 61
MAX_DAYS: Final = 3650

_OWN_PLACE: Final = "Name a new folder, or one that an earlier run made and nobody added to."


def make_certs(
    out: str | Path,
    *,
    key_size: int = 2048,
    days: int = LEAF_DAYS,
    test: bool = False,
    at: datetime | None = None,
) -> Path:
    """Make a tree and all flaws under it, in a folder with a manifest once it is whole.

    Args:
        out: the folder; made anew when it is absent, empty, or the untouched result of an earlier run.
        key_size: bits of every RSA key, 2048 or more.
        days: how long sound leaves are valid, 61 to 3650.
        test: play the TEST tree of IGC-Santé.
        at: the moment around which everything is valid; None means now.

    Returns:
        The folder, absolute.

    Raises:
        ConfigurationError: the folder holds something else, cannot be written, or a number is out of range.
    """
    if not MIN_DAYS <= days <= MAX_DAYS:
        raise ConfigurationError(f"{days} days is no life for a certificate here: give {MIN_DAYS} to {MAX_DAYS}")
    place = Path(out).resolve()
    try:
        _refuse_what_is_not_ours(place)
        pki = SimulatorPki.create(at=at, key_size=key_size, test=test, leaf_days=days)
        return _made(place, Kit.of(pki))
    except OSError as error:
        raise ConfigurationError(
            f"{printable(place)} cannot be written: {printable(error.strerror)}", hint=_OWN_PLACE
        ) from error


# ------------------------------------------------------------------ the place


def _refuse_what_is_not_ours(place: Path) -> None:
    if not place.exists():
        return
    if not place.is_dir():
        raise ConfigurationError(f"{printable(place)} is a file, not a folder", hint=_OWN_PLACE)
    ours = _listed(place / MANIFEST)
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if not path.is_dir() and name not in ours:
            raise ConfigurationError(
                f"{printable(place)} holds {printable(name)}, which was not made here; nothing was changed",
                hint=_OWN_PLACE,
            )


def _listed(manifest: Path) -> frozenset[str]:
    """Give the files that an earlier run says it made; none when the manifest is missing or not ours."""
    try:
        found = json.loads(manifest.read_bytes())
        return frozenset(found["contents"]) if found["generator"] == GENERATOR else frozenset()
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return frozenset()


def _made(place: Path, kit: Kit) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        _write_all(stage, kit)
        _move(stage, place)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return place


def _move(stage: Path, place: Path) -> None:
    """Put the new content in the place of the old; the manifest goes first and comes last: with one, all is there."""
    private_folder(place)
    (place / MANIFEST).unlink(missing_ok=True)
    for name in (SUBFOLDER, "client", "server"):
        shutil.rmtree(place / name, ignore_errors=True)
        (stage / name).rename(place / name)
    (stage / MANIFEST).rename(place / MANIFEST)


# ------------------------------------------------------------------ the content


def _write_all(stage: Path, kit: Kit) -> None:
    authorities = kit.pki.save(stage, crl=kit.pki.crl([kit.revoked]))
    write_private(authorities / "foreign-root.pem", kit.pki.foreign.root_pem())
    write_private(authorities / "twin-root.pem", kit.pki.twin.root_pem())
    for kind in ("client", "server"):
        private_folder(stage / kind)
    cases = [_write_case(stage, flaw, flaw.make(kit)) for flaw in FLAWS]
    made = sorted(path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file())
    manifest = {
        "generator": GENERATOR,
        "format": 1,
        "made_at": kit.pki.at.isoformat(),
        "ca": {name.stem: name.relative_to(stage).as_posix() for name in sorted(authorities.glob("*.pem"))},
        "cases": cases,
        "contents": [*made, MANIFEST],
    }
    write_private(stage / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")


def _write_case(stage: Path, flaw: Flaw, material: Material) -> dict[str, Any]:
    folder = private_folder(stage / flaw.folder)
    files = {}
    for use, name, data in _files(flaw, material):
        write_private(folder / name, data)
        files[use] = f"{flaw.folder}/{name}"
    write_private(folder / "README.txt", _readme(flaw, sorted(files.values())).encode())
    return {
        "name": flaw.name,
        "kind": flaw.kind,
        "what": flaw.what,
        "files": files,
        "passphrase": material.passphrase,
        "expected": asdict(flaw.expected),
    }


def _files(flaw: Flaw, material: Material) -> Iterator[tuple[str, str, bytes]]:
    if material.p12 is not None:
        yield "p12", f"{flaw.kind}.p12", material.p12
    if material.chain is not None:
        yield "certificate", f"{flaw.kind}.pem", material.chain
    if material.key is not None:
        yield "key", f"{flaw.kind}.key", material.key
    if material.passphrase is not None:
        yield "passphrase", "passphrase.txt", material.passphrase.encode() + b"\n"


def _readme(flaw: Flaw, files: Iterable[str]) -> str:
    expected = flaw.expected
    lines = [
        f"{flaw.folder}: {flaw.what}",
        "",
        f"Expected: {expected.outcome}; ror-sante smoke-test exits with {expected.exit_code}.",
        expected.finding and f"Finding about the identity: {expected.finding}.",
        expected.error and f"Error: {expected.error}.",
        expected.alert and f"Sent all the same, the peer answers with the TLS alert {expected.alert}.",
        expected.reason and f"OpenSSL's words for it: {expected.reason}.",
        "",
        f"Files: {', '.join(Path(file).name for file in files)}",
        "For tests only; whoever has this folder has the key.",
    ]
    return "\n".join(line for line in lines if line is not None) + "\n"
