"""The verb ``annuaire download``: the newest version of an extraction, in a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import DownloadColumn, TransferSpeedColumn

from ror_sante.api.annuaire.extractions import ExtractionClient
from ror_sante.api.annuaire.naming import OPEN, RESTRICTED
from ror_sante.cli.audit import note
from ror_sante.cli.long_job import signals_reach_us, told, watching
from ror_sante.cli.place import Flags, opened
from ror_sante.cli.verb import Verb, ending, listed
from ror_sante.errors import printable
from ror_sante.sync.annuaire.download import download as fetch

if TYPE_CHECKING:
    from rich.progress import Progress

    from ror_sante.sync.annuaire.download import Downloaded

_CODES = (0, 2, 3, 4, 5, 7, 130, 143)


@click.command(
    "download",
    cls=Verb,
    epilog=listed(
        "Names", [*(f"{name}  open" for name in OPEN), *(f"{name}  wants a certificate" for name in RESTRICTED)]
    )
    + "\n\n"
    + ending(
        _CODES,
        "ror-sante annuaire download PS_LibreAcces --env production --out extractions",
        "ror-sante annuaire download PS_LibreAcces --keep 7 --out extractions",
    ),
)
@click.argument("name", metavar="NAME")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Where the file goes.")
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Older versions that stay beside the new one.",
)
@click.option("--env", metavar="NAME", help="simulator, production, or one of the settings.")
@click.option("--p12", type=click.Path(path_type=Path), metavar="FILE", help="Use this P12 instead.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Its passphrase.")
@click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), metavar="SECONDS", help="Limit of a wait.")
def download(*, name: str, out: Path, keep: int, **place: Any) -> int:
    """Fetch an extraction of the Annuaire Santé, unless its version is there already.

    The path of the good file is printed. It is NAME_VERSION.zip, checked whole before it takes the place of the one
    before. A run that was stopped goes on when it is run again. When the service has no new file now, that is said,
    and the exit code is 0. The certificate is opened for the restricted names alone.
    """
    with opened(Flags(**place)) as where, told("the same command goes on with what has come."):
        client = ExtractionClient.from_settings(
            where.settings, identity=where.source("annuaire"), environment=where.environment
        )
        note(host=client.host)
        with client, watching(_Bar, DownloadColumn(), TransferSpeedColumn()) as watcher, signals_reach_us():
            client.waiting = lambda seconds, why: watcher.step("waiting", seconds=seconds, reason=why)
            found = fetch(client, name, out, keep=keep, watcher=watcher)
    note(counts={"fetched": int(found.outcome == "fetched")}, version=found.version)
    _report(name, found)
    return 0


def _report(name: str, found: Downloaded) -> None:
    if found.outcome == "none":
        last = f"; the last one is of {_readable(found.version)}" if found.path else ""
        sys.stderr.write(f"The service has no new file of {name} now (503){last}.\n")
    elif found.outcome == "unchanged":
        sys.stderr.write(f"The version of {_readable(found.version)} is there already; nothing was fetched.\n")
    if found.path is not None:
        sys.stdout.write(f"{found.path}\n")


def _readable(version: str) -> str:
    return f"{version[:4]}-{version[4:6]}-{version[6:8]} {version[8:10]}:{version[10:12]}"


class _Bar:
    """A bar for the bytes of the file; what else happens is its label."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("asking", total=None)

    def step(self, name: str, /, **about: object) -> None:
        size = about.get("size")
        label = f"{name}, {printable(about['reason'], 60)}" if "reason" in about else name
        total = size if isinstance(size, int) and name == "fetching" else None
        self._bar.update(self._task, description=label, total=total)

    def received(self, size: int, /) -> None:
        self._bar.advance(self._task, size)
