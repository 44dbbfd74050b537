"""The verb ``status``: how a copy stands, for a person, a program, or Prometheus."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ror_sante.cli.status_annuaire import annuaire
from ror_sante.cli.status_shown import metric, show, when
from ror_sante.cli.verb import Verb, config_path, ending
from ror_sante.errors import RorError, printable
from ror_sante.pki.identity import ClientIdentity
from ror_sante.settings import load_settings
from ror_sante.sync.annuaire.standing import standings
from ror_sante.sync.state import written
from ror_sante.sync.status import Status
from ror_sante.sync.status import status as look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.pki.expiry import Validity

_CODES = (0, 2, 5)


@click.command(
    "status",
    cls=Verb,
    epilog=ending(
        _CODES,
        "ror-sante status ror",
        "ror-sante status annuaire",
        "ror-sante status ror --format json",
        "ror-sante status ror --format prometheus > /var/lib/node_exporter/ror.prom",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--format", "style", type=click.Choice(["text", "json", "prometheus"]), default="text", show_default=True)
@click.option("--state", type=click.Path(path_type=Path), metavar="FILE", help="Default: delta-state.json in DIR.")
def status(*, folder: Path, style: str, state: Path | None) -> int:
    """Tell how old a copy is, what it holds, and what to worry about.

    DIR is the folder of `rorn export` or of `annuaire sync`. Nothing is called and nothing is asked: the days left on
    the certificate are shown when the settings name one that opens without a prompt. A warning does not change the exit
    code.
    """
    copies = standings(folder, at=datetime.now(UTC))
    if copies:
        return annuaire(copies, style)
    validity, unread = _certificate()
    found = look(folder, at=datetime.now(UTC), state=state, validity=validity, unread=unread)
    show({"text": _text, "json": _json, "prometheus": _prometheus}[style](found), found.warnings, style)
    return 0


def _certificate() -> tuple[Validity | None, str]:
    """Read the dates of the configured certificate, or say why not; a copy has a status without it."""
    try:
        settings = load_settings(config_path())
        if settings.rorn.client_secret_file is not None and settings.rorn.identity is None:
            return None, "the account has a secret, and no certificate"
        return ClientIdentity.from_settings(settings.identity_for("rorn"), ask=None).validity, ""
    except RorError as error:
        return None, error.message


# ------------------------------------------------------------------ text


def _text(found: Status) -> str:
    return "".join(f"{label:<14}{printable(words, 1000)}\n" for label, words in _rows(found))


def _rows(found: Status) -> Iterator[tuple[str, str]]:
    yield "copy", f"{found.folder} ({found.snapshot})"
    yield "from", f"{found.service}, {'regions ' + ', '.join(found.regions) if found.regions else 'the whole nation'}"
    yield "last full", when(found.last_full, found.full_age) or "not known"
    yield "last delta", when(found.last_delta, found.delta_age) or "none"
    if found.cursor is not None:
        yield "next delta", f"from {written(found.cursor)}"
        yield "", f"the last one brought {_counted(found.delta_counts) or 'nothing'}"
    yield "holds", _counted(found.counts) or "nothing"
    if found.days_left is None:
        yield "certificate", f"left out: {found.unread}"
    else:
        yield "certificate", f"{found.days_left:.0f} days left"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


# ------------------------------------------------------------------ json


def _json(found: Status) -> str:
    about = {
        "format": 1,
        "time": written(found.at),
        "folder": str(found.folder),
        "snapshot": found.snapshot,
        "service": found.service,
        "regions": found.regions,
        "counts": found.counts,
        "last_full": _written(found.last_full),
        "last_full_age_seconds": found.full_age,
        "full_is_old": found.full_is_old,
        "last_delta": _written(found.last_delta),
        "last_delta_age_seconds": found.delta_age,
        "last_delta_counts": found.delta_counts,
        "cursor": _written(found.cursor),
        "certificate_days_left": None if found.days_left is None else round(found.days_left, 2),
        "certificate_left_out": found.unread,
        "warnings": found.warnings,
    }
    return json.dumps(about, indent=2) + "\n"


def _written(then: datetime | None) -> str | None:
    return None if then is None else written(then)


# ------------------------------------------------------------------ prometheus


def _prometheus(found: Status) -> str:
    """Write the text format 0.0.4; what is not known has no line."""
    metrics: list[tuple[str, str, dict[str, Any]]] = [
        ("full_timestamp_seconds", "Time of the last full export.", {"": _seconds(found.last_full)}),
        ("full_age_seconds", "Age of the last full export.", {"": found.full_age}),
        ("full_is_old", "1 when the last full export is over seven days old.", {"": int(found.full_is_old)}),
        ("resources", "Resources of the copy.", found.counts),
        ("delta_timestamp_seconds", "Time of the last delta.", {"": _seconds(found.last_delta)}),
        ("delta_age_seconds", "Age of the last delta.", {"": found.delta_age}),
        ("delta_resources", "Resources of the last delta.", found.delta_counts),
        ("delta_cursor_timestamp_seconds", "Where the next delta starts.", {"": _seconds(found.cursor)}),
        ("certificate_days_left", "Days until our certificate ends.", {"": found.days_left}),
    ]
    lines = "".join(metric(found.folder, *one) for one in metrics)
    return lines + (f"# certificate left out: {printable(found.unread)}\n" if found.unread else "")


def _seconds(then: datetime | None) -> float | None:
    return None if then is None else then.timestamp()
