"""What ``status`` says of copies of the Annuaire Santé."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ror_sante.cli.status_shown import metric, show, when
from ror_sante.errors import printable
from ror_sante.sync.state import written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ror_sante.sync.annuaire.standing import Standing


def annuaire(copies: Sequence[Standing], style: str) -> int:
    """Show how the copies stand.

    Args:
        copies: at least one.
        style: ``text``, ``json`` or ``prometheus``.
    """
    text = {"text": _text, "json": _json, "prometheus": _prometheus}[style](copies)
    show(text, [warning for one in copies for warning in one.warnings], style)
    return 0


def _text(copies: Sequence[Standing]) -> str:
    rows = [("copy", f"{copies[0].folder}"), ("from", copies[0].copy.service)]
    for one in copies:
        rows += [
            (one.copy.type, f"{one.copy.active.count} in force, {one.copy.deactivated.count} deactivated"),
            ("", f"last run {when(one.copy.cursor, one.age)}"),
            ("", f"full scan {when(one.copy.scanned, one.scan_age)}"),
        ]
    return "".join(f"{label:<19}{printable(words, 1000)}\n" for label, words in rows)


def _json(copies: Sequence[Standing]) -> str:
    about = {
        "format": 1,
        "time": written(copies[0].at),
        "folder": str(copies[0].folder),
        "types": {
            one.copy.type: {
                "service": one.copy.service,
                "active": one.copy.active.count,
                "deactivated": one.copy.deactivated.count,
                "cursor": written(one.copy.cursor),
                "age_seconds": one.age,
                "scanned": written(one.copy.scanned),
                "window_left_seconds": one.left,
            }
            for one in copies
        },
        "warnings": [warning for one in copies for warning in one.warnings],
    }
    return json.dumps(about, indent=2) + "\n"


def _prometheus(copies: Sequence[Standing]) -> str:
    gauges: tuple[tuple[str, str, Callable[[Standing], float]], ...] = (
        ("records", "Records in force.", lambda one: one.copy.active.count),
        ("deactivated_records", "Deactivated records.", lambda one: one.copy.deactivated.count),
        ("run_timestamp_seconds", "Time of the last run.", lambda one: one.copy.cursor.timestamp()),
        ("scan_timestamp_seconds", "Time of the last full scan.", lambda one: one.copy.scanned.timestamp()),
        ("window_left_seconds", "Time until a full scan is needed.", lambda one: one.left),
    )
    return "".join(
        metric(copies[0].folder, f"annuaire_{name}", about, {one.copy.type: value(one) for one in copies})
        for name, about, value in gauges
    )
