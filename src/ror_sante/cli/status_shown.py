"""How ``status`` shows what it found: ages for people, gauges for Prometheus, warnings on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ror_sante.sync.state import written

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

_DAY: Final = 86_400.0
_HOUR: Final = 3600.0


def show(text: str, warnings: Iterable[str], style: str) -> None:
    """Print what was found, and what to worry about."""
    # Prometheus reads UTF-8, whatever the locale; the other two are made for it.
    sys.stdout.buffer.write(text.encode("utf-8" if style == "prometheus" else sys.stdout.encoding, "backslashreplace"))
    sys.stdout.flush()
    for warning in warnings:
        sys.stderr.write(f"warning: {warning}.\n")


def when(then: datetime | None, age: float | None) -> str:
    """Tell a time and its age in seconds; empty when one is not known."""
    if then is None or age is None:
        return ""
    words = f"{age / _DAY:.1f} days" if age >= 2 * _DAY else f"{age / _HOUR:.1f} hours"
    return f"{written(then)}, {words} ago"


def metric(folder: Path, name: str, about: str, values: dict[str, Any]) -> str:
    """Write a gauge in the text format 0.0.4, a line a type; what is not known has no line."""
    known = {label: value for label, value in values.items() if value is not None}
    if not known:
        return ""
    head = f"# HELP ror_sante_{name} {about}\n# TYPE ror_sante_{name} gauge\n"
    return head + "".join(
        f"ror_sante_{name}{{{_labels(folder, label)}}} {value:.15g}\n" for label, value in known.items()
    )


def _labels(folder: Path, kind: str) -> str:
    return f'folder="{_label(str(folder))}"' + (f',type="{_label(kind)}"' if kind else "")


def _label(text: str) -> str:
    r"""Escape a label value as the format asks (``\\``, ``\"``, ``\n``), and show what cannot be printed."""
    shown = "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
    return shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
