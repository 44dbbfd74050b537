"""List the certificates of a folder, with a calendar of their renewals."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from cryptography.hazmat.primitives.hashes import SHA256

from ror_sante.cli.identity.looking import glimpse
from ror_sante.cli.verb import Verb, ending
from ror_sante.errors import RorError, printable
from ror_sante.pki.judgement import EXPIRES_SOON
from ror_sante.pki.names import common_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.cli.identity.looking import Look

    Found = list[tuple[Path, Look | None, str]]

_ENDINGS: Final = frozenset({".p12", ".pfx", ".pem", ".crt", ".cer", ".der", ".p7b"})
_FOLD: Final = 74  # an iCalendar line has 75 octets at most (RFC 5545 section 3.1)


@click.command(
    "inventory",
    cls=Verb,
    epilog=ending(
        (0, 2),
        "ror-sante identity inventory /etc/ror-sante",
        "ror-sante identity inventory . --format ics > renewals.ics",
    ),
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--format", "style", type=click.Choice(["table", "json", "ics"]), default="table", show_default=True)
def inventory(*, folder: Path, style: str) -> int:
    """List every P12, PEM and DER file of a folder, the first to end at the top.

    No passphrase is asked for: a P12 whose certificates are encrypted too, and a file that cannot be read, are listed
    with the reason. Nothing is verified. `ics` is a calendar with the day to order each renewal, 60 days before.
    """
    found = sorted(_found(folder), key=_end)
    sys.stdout.write(_WRITERS[style](found, datetime.now(UTC)))
    return 0


def _end(one: tuple[Path, Look | None, str]) -> tuple[float, Path]:
    path, seen, _ = one
    return (inf if seen is None else seen.validity.not_after.timestamp()), path


def _found(folder: Path) -> Iterator[tuple[Path, Look | None, str]]:
    for path in folder.iterdir():
        if path.suffix.lower() in _ENDINGS and path.is_file():
            try:
                seen = glimpse(path)
            except RorError as error:
                yield path, None, error.message
            else:
                yield path, seen, "" if seen else "its certificates are encrypted: `identity show` opens it"


def _table(found: Found, at: datetime) -> str:
    lines = []
    for path, seen, problem in found:
        told = printable(problem, 400)
        if seen is not None:
            days, ends = seen.validity.remaining(at).days, f"{seen.validity.not_after:%Y-%m-%d}"
            told = f"{ends}  {f'{days} days left' if days >= 0 else 'EXPIRED'}  {common_name(seen.leaf)}"
        lines.append(f"{printable(path.name)}  {told}\n")
    return "".join(lines)


def _json(found: Found, at: datetime) -> str:
    rows = []
    for path, seen, problem in found:
        row: dict[str, object] = {"file": str(path), "verified": False, "problem": problem}
        if seen is not None:
            span = seen.validity
            row |= {
                "common_name": common_name(seen.leaf),
                "subject_dn": seen.leaf.subject.rfc4514_string(),
                "not_before": f"{span.not_before:%Y-%m-%dT%H:%M:%SZ}",
                "not_after": f"{span.not_after:%Y-%m-%dT%H:%M:%SZ}",
                "days_left": span.remaining(at).days,
            }
        rows.append(row)
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _ics(found: Found, at: datetime) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//ror-sante//identity inventory//EN"]
    once = {seen.leaf: (path, seen) for path, seen, _ in reversed(found) if seen is not None}
    for path, seen in reversed(once.values()):
        lines += _event(path, seen, at)
    return "".join(f"{part}\r\n" for line in [*lines, "END:VCALENDAR"] for part in _folded(line))


def _event(path: Path, seen: Look, at: datetime) -> list[str]:
    name, ends = common_name(seen.leaf), seen.validity.not_after
    day = ends - EXPIRES_SOON
    return [
        "BEGIN:VEVENT",
        f"UID:{seen.leaf.fingerprint(SHA256()).hex()}@ror-sante",
        f"DTSTAMP:{at:%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
        f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{_escaped(f'Order the renewal of {name}')}",
        f"DESCRIPTION:{_escaped(f'{printable(path.name)} ends on {ends:%Y-%m-%d %H:%M} UTC.')}",
        "END:VEVENT",
    ]


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\;," else c for c in text)


def _folded(line: str) -> Iterator[str]:
    """Cut a line at 75 octets, never inside a character."""
    part = ""
    for c in line:
        if len((part + c).encode()) > _FOLD:
            yield part
            part = " "
        part += c
    yield part


_WRITERS: Final = {"table": _table, "json": _json, "ics": _ics}
