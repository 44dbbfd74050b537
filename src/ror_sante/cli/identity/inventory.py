"""List the certificates of a folder, with a calendar of their renewals."""

from __future__ import annotations

import json
import os
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
from ror_sante.pki.chain import is_ca
from ror_sante.pki.expiry import Validity
from ror_sante.pki.judgement import EXPIRES_SOON
from ror_sante.pki.names import common_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509

    from ror_sante.cli.identity.looking import Look

    Found = list[tuple[Path, Look | None, str]]

_ENDINGS: Final = (".p12", ".pfx", ".pem", ".crt", ".cer", ".der", ".p7b")
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
    """List every P12, PEM and DER file of a folder and those below it, the first to end at the top.

    No passphrase is asked for: a P12 whose certificates are encrypted too, and what cannot be read, are listed with
    the reason. Nothing is verified. `ics` is a calendar with the day to order each renewal, 60 days before the end; the
    authorities in the files have a day too.
    """
    found = sorted(_found(folder), key=_end)
    if not found:
        sys.stderr.write(f"no file of certificates in {printable(folder, 400)} (looked for: {', '.join(_ENDINGS)})\n")
    sys.stdout.write(_WRITERS[style](found, folder, datetime.now(UTC)))
    return 0


def _end(one: tuple[Path, Look | None, str]) -> tuple[float, Path]:
    path, seen, _ = one
    return (inf if seen is None else seen.validity.not_after.timestamp()), path


def _found(folder: Path) -> Iterator[tuple[Path, Look | None, str]]:
    closed: list[OSError] = []
    for place, _, names in os.walk(folder, onerror=closed.append):  # links to folders are not followed
        paths = (Path(place) / name for name in names)
        yield from (_seen(path) for path in paths if path.suffix.lower() in _ENDINGS and path.is_file())
    yield from ((Path(error.filename), None, f"cannot be listed: {error.strerror}") for error in closed)


def _seen(path: Path) -> tuple[Path, Look | None, str]:
    try:
        seen = glimpse(path)
    except RorError as error:
        return path, None, error.message
    return path, seen, "" if seen else "its certificates are encrypted: `identity show` opens it"


def _early(seen: Look) -> x509.Certificate | None:
    """Give an authority of the chain that ends before the certificate itself."""
    first = min(_authorities(seen), key=lambda one: Validity.of(one).not_after, default=None)
    return first if first is not None and Validity.of(first).not_after < seen.validity.not_after else None


def _authorities(seen: Look) -> tuple[x509.Certificate, ...]:
    return (*seen.chain.certificates[1:], *([seen.chain.root] if seen.chain.root else []))


def _table(found: Found, folder: Path, at: datetime) -> str:
    return "".join(
        f"{_name(path, folder)}  {printable(problem, 400) if seen is None else _row(seen, at)}\n"
        for path, seen, problem in found
    )


def _name(path: Path, folder: Path) -> str:
    return printable(path.relative_to(folder) if path != folder else path)


def _row(seen: Look, at: datetime) -> str:
    days, first = seen.validity.remaining(at).days, _early(seen)
    left = f"{days} days left" if days >= 0 else "EXPIRED"
    sooner = f" (its authority {common_name(first)} ends sooner, on {_day(first)})" if first is not None else ""
    return f"{_day(seen.leaf)}  {left}  {common_name(seen.leaf)}{sooner}"


def _day(certificate: x509.Certificate) -> str:
    return f"{Validity.of(certificate).not_after:%Y-%m-%d}"


def _json(found: Found, _folder: Path, at: datetime) -> str:
    rows: list[dict[str, object]] = [
        {"file": str(path), "verified": False, "problem": problem} | ({} if seen is None else _about(seen, at))
        for path, seen, problem in found
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _about(seen: Look, at: datetime) -> dict[str, object]:
    span = seen.validity
    return {
        "common_name": common_name(seen.leaf),
        "subject_dn": seen.leaf.subject.rfc4514_string(),
        "not_before": f"{span.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{span.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": span.remaining(at).days,
        "authorities": [
            {"common_name": common_name(one), "not_after": f"{Validity.of(one).not_after:%Y-%m-%dT%H:%M:%SZ}"}
            for one in _authorities(seen)
        ],
    }


def _ics(found: Found, folder: Path, at: datetime) -> str:
    events: dict[x509.Certificate, list[str]] = {}
    for path, seen, _ in found:
        if seen is not None:
            events.setdefault(seen.leaf, _event(seen.leaf, _renewal(seen, _name(path, folder)), at))
    for _, seen, _ in found:
        for authority in _authorities(seen) if seen is not None else ():
            events.setdefault(authority, _event(authority, _succession(authority), at))
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//ror-sante//identity inventory//EN"]
    lines += [line for event in events.values() for line in event]
    return "".join(f"{part}\r\n" for line in [*lines, "END:VCALENDAR"] for part in _folded(line))


def _renewal(seen: Look, name: str) -> tuple[str, str]:
    if is_ca(seen.leaf):
        return _succession(seen.leaf)
    ends = f"{seen.validity.not_after:%Y-%m-%d %H:%M} UTC"
    return f"Order the renewal of {common_name(seen.leaf)}", f"{name} ends on {ends}."


def _succession(authority: x509.Certificate) -> tuple[str, str]:
    ends = f"{Validity.of(authority).not_after:%Y-%m-%d %H:%M} UTC"
    return (
        f"The authority {common_name(authority)} is about to end",
        f"It ends on {ends}: have its successor from ANS, and the certificates that it issued renewed by then.",
    )


def _event(certificate: x509.Certificate, told: tuple[str, str], at: datetime) -> list[str]:
    day = Validity.of(certificate).not_after - EXPIRES_SOON
    return [
        "BEGIN:VEVENT",
        f"UID:{certificate.fingerprint(SHA256()).hex()}@ror-sante",
        f"DTSTAMP:{at:%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
        f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{_escaped(told[0])}",
        f"DESCRIPTION:{_escaped(told[1])}",
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
