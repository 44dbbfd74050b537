"""A copy of the directory that cron keeps in step: a full export at first and each week, a delta each other night.

    15 2 * * *  ROR_SANTE_CONFIG=/etc/ror-sante/ror-sante.toml python 06_nightly_copy.py /var/lib/ror

Without a folder it plays two nights in one that goes away. It ends with 1 when the new copy lacks what the last one
had, with 7 when another run is at work, and with a traceback for what needs a look: the old copy stays in each case.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from where import settings

from ror_sante import ClientIdentity, NationalRorClient
from ror_sante.errors import RorError
from ror_sante.sync.delta import Plan, delta
from ror_sante.sync.export import Selection, ShrunkError, export
from ror_sante.sync.lock import LockedError
from ror_sante.sync.snapshot import current
from ror_sante.sync.state import STATE
from ror_sante.sync.status import status

DUE = 6.5 * 86_400  # seconds: a night never begins at quite the same second


def night(ror: NationalRorClient, folder: Path) -> None:
    """Do what is due tonight."""
    if full_is_due(folder):
        full(ror, folder)
        return
    outcome = delta(ror, Plan(out=folder, state=folder / STATE))
    print("delta:", outcome.counts or "nothing has changed")
    # Apply outcome.where to your database here, then remove that folder.


def full_is_due(folder: Path) -> bool:
    """Tell whether there is no full export yet, or one that would be a week old before the next night."""
    if current(folder) is None:
        return True
    age = status(folder, at=datetime.now(UTC)).full_age
    return age is None or age > DUE


def full(ror: NationalRorClient, folder: Path) -> None:
    """Take a full export, and go on with it once when the network or the service gave way."""
    try:
        where, manifest = export(ror, folder, Selection())
    except RorError as error:
        if not error.retryable:
            raise
        where, manifest = export(ror, folder, None)
    print(f"full export: {manifest.total} resources in {where.name}")


def report(folder: Path, identity: ClientIdentity) -> None:
    """Say how the copy stands."""
    found = status(folder, at=datetime.now(UTC), validity=identity.validity)
    print(f"status: last full {found.last_full}, last delta {found.last_delta}, {found.counts}")
    for warning in found.warnings:
        print("warning:", warning)


def main(folder: Path, nights: int) -> int:
    """Run one night, or more in a row; give the exit code."""
    with settings() as found:
        identity = ClientIdentity.from_settings(found.identity_for("rorn"))
        with NationalRorClient.from_settings(found, identity=identity) as ror:
            try:
                for _ in range(nights):
                    night(ror, folder)
                    report(folder, identity)
            except (ShrunkError, LockedError) as error:
                print(error, file=sys.stderr)
                return 1 if isinstance(error, ShrunkError) else 7
    return 0


if len(sys.argv) > 1:
    sys.exit(main(Path(sys.argv[1]), nights=1))
with tempfile.TemporaryDirectory() as temporary:
    sys.exit(main(Path(temporary) / "ror", nights=2))
