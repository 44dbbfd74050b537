"""A database that follows the Annuaire Santé: filled from a copy once, fed with what changed in each later run.

    15 4 * * *  ROR_SANTE_CONFIG=/etc/ror-sante/ror-sante.toml python 09_annuaire_copy.py /var/lib/annuaire

Without a folder it plays two nights with a simulator, where records are edited and deactivated by day. The API key
comes from ``annuaire.api_key_file`` of the settings; no certificate is needed. It ends with 7 when another run is at
work, and with a traceback for what needs a look: the copy and the database are as they were.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from ror_sante import AnnuaireSanteClient, Simulator, load_settings
from ror_sante.sync.annuaire.mirror import Mirrored, mirror
from ror_sante.sync.files import remove
from ror_sante.sync.lock import LockedError

TYPES = ("Organization", "Device")
TABLES = """
CREATE TABLE IF NOT EXISTS record (type TEXT, id TEXT, resource TEXT, PRIMARY KEY (type, id));
CREATE TABLE IF NOT EXISTS scan (type TEXT PRIMARY KEY, moment TEXT);
"""


def night(annuaire: AnnuaireSanteClient, folder: Path) -> None:
    """Bring the copies up to date, and the database with them, one type after the other."""
    with closing(sqlite3.connect(folder / "annuaire.db")) as database:
        database.executescript(TABLES)
        for one in mirror(annuaire, TYPES, folder):
            changes = sorted((folder / one.type / "changes").glob("*"))
            if is_of(database, one):
                feed(database, one.type, changes)
            else:
                fill(database, one, changes)
            (count,) = database.execute("SELECT count(*) FROM record WHERE type = ?", (one.type,)).fetchone()
            print(f"{one.type}: {one.changed} came, {one.deactivated} went, {count} in the database")


def is_of(database: sqlite3.Connection, one: Mirrored) -> bool:
    """Tell whether the database was filled from the scan that the copy goes back to."""
    found = database.execute("SELECT moment FROM scan WHERE type = ?", (one.type,)).fetchone()
    return bool(found == (one.copy.scanned.isoformat(),))


def fill(database: sqlite3.Connection, one: Mirrored, changes: list[Path]) -> None:
    """Begin anew with the whole copy, in one transaction; it holds all changes that lie about."""
    for folder in changes:
        remove(folder)
    with database:
        database.execute("DELETE FROM record WHERE type = ?", (one.type,))
        take(database, one.type, one.where)
        database.execute("INSERT OR REPLACE INTO scan VALUES (?, ?)", (one.type, one.copy.scanned.isoformat()))


def feed(database: sqlite3.Connection, kind: str, changes: list[Path]) -> None:
    """Take in what changed, the oldest folder first; also what a run left that was stopped before it got here.

    A folder is removed when its changes are safe. One that is taken in twice does no harm.
    """
    for folder in changes:
        with database:
            take(database, kind, folder)
        remove(folder)


def take(database: sqlite3.Connection, kind: str, folder: Path) -> None:
    """Put in the records of a folder that are in force, and let go of the deactivated ones."""
    with (folder / f"{kind}.ndjson").open(encoding="utf-8") as lines:
        rows = ((kind, json.loads(line)["id"], line) for line in lines)
        database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", rows)
    with (folder / f"{kind}.deactivated.ndjson").open(encoding="utf-8") as lines:
        gone = ((kind, json.loads(line)["id"]) for line in lines)
        database.executemany("DELETE FROM record WHERE type = ? AND id = ?", gone)


def ours(folder: Path) -> None:
    """Run one night with the service of the settings."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with AnnuaireSanteClient.from_settings(load_settings()) as annuaire:
        night(annuaire, folder)


def played(folder: Path) -> None:
    """Run two nights with a simulator, the day between them included."""
    with (
        Simulator(size=200) as simulator,
        AnnuaireSanteClient(simulator.environment, api_key=simulator.api_key) as annuaire,
    ):
        night(annuaire, folder)
        simulator.change_annuaire({"Organization": 3}, {"Device": 1})
        simulator.clock.advance(86_400)
        night(annuaire, folder)


try:
    if len(sys.argv) > 1:
        ours(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            played(Path(temporary))
except LockedError as error:
    print(error, file=sys.stderr)
    sys.exit(7)
