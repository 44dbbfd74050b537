"""Tell when a certificate ends, for cron and for monitoring."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ror_sante.cli.identity.looking import look
from ror_sante.cli.verb import Verb, ending
from ror_sante.errors import IdentityError, RorError, printable
from ror_sante.pki.names import common_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.cli.identity.looking import Look

_SPAN: Final = re.compile(r"([0-9]{1,5})(d|w)")


class Span(click.ParamType):  # type: ignore[type-arg]  # generic in some versions of click, not in all
    """A time such as ``30d`` or ``8w``."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        found = _SPAN.fullmatch(str(value))
        if found is None:
            self.fail(f"{printable(value, 20)!r} is no time such as 30d or 8w", param, ctx)
        return timedelta(days=int(found[1]) * (7 if found[2] == "w" else 1))


@click.command(
    "expires",
    cls=Verb,
    epilog=ending(
        (0, 1, 2, 3),
        "ror-sante identity expires --within 30d",
        "ror-sante identity expires client.p12 --format prometheus",
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--within", type=Span(), default="30d", show_default=True, metavar="TIME", help="Days (30d) or weeks (8w)."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "prometheus", "nagios"]),
    default="text",
    show_default=True,
)
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The passphrase, alone.")
def expires(*, file: Path | None, within: timedelta, style: str, passphrase_file: Path | None) -> int:
    """Tell when a certificate ends: 0 when that is further away than --within, else 1.

    A passphrase is needed only where the certificates are encrypted too: not for a P12 of the platform. The dates
    are read, not verified. One that is not valid yet is a bad verdict too.
    """
    with _told_to_nagios(style):
        seen = look(file, passphrase_file)
    at = datetime.now(UTC)
    bad = seen.validity.needs_renewal(at=at, within=within) or not seen.validity.is_valid(at)
    sys.stdout.write(_WRITERS[style](seen, at, bad))
    return int(bad)


@contextlib.contextmanager
def _told_to_nagios(style: str) -> Iterator[None]:
    """Put what went wrong on stdout too, where monitoring looks; its word fits the exit code that follows (2 or 3)."""
    try:
        yield
    except RorError as error:
        if style == "nagios":
            word = "UNKNOWN" if isinstance(error, IdentityError) else "CRITICAL"
            sys.stdout.write(f"{word} - {printable(error.message, 400)}\n")
        raise


def _days(seen: Look, at: datetime) -> int:
    return seen.validity.remaining(at).days


def _told(seen: Look, at: datetime) -> str:
    days, ends = _days(seen, at), f"{seen.validity.not_after:%Y-%m-%d}"
    if at < seen.validity.not_before:
        return f"{common_name(seen.leaf)} is not valid before {seen.validity.not_before:%Y-%m-%d}"
    if days < 0:
        return f"{common_name(seen.leaf)} expired on {ends}, {-days} days ago"
    return f"{common_name(seen.leaf)} is valid until {ends}, {days} days left"


def _text(seen: Look, at: datetime, _bad: bool) -> str:
    return f"{_told(seen, at)} (read, not verified)\n"


def _json(seen: Look, at: datetime, bad: bool) -> str:
    span = seen.validity
    about = {
        "file": str(seen.path),
        "common_name": common_name(seen.leaf),
        "not_before": f"{span.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{span.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": _days(seen, at),
        "ok": not bad,
        "verified": False,
    }
    return json.dumps(about, indent=2) + "\n"


def _prometheus(seen: Look, _at: datetime, _bad: bool) -> str:
    name = "ror_sante_certificate_not_after_timestamp_seconds"
    label = common_name(seen.leaf).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return (
        f"# HELP {name} When the certificate ends.\n# TYPE {name} gauge\n"
        f'{name}{{common_name="{label}"}} {seen.validity.not_after.timestamp():.0f}\n'
    )


def _nagios(seen: Look, at: datetime, bad: bool) -> str:
    return f"{'WARNING' if bad else 'OK'} - {_told(seen, at)} | days_left={_days(seen, at)}\n"


_WRITERS: Final = {"text": _text, "json": _json, "prometheus": _prometheus, "nagios": _nagios}
