"""New connections: resumed ones beside full handshakes, and from an identity to a context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from report import Goal, Ratio, goals, table
from rounds import told_by
from server import KEY_SIZES, RSA

if TYPE_CHECKING:
    from server import Server

TITLE: Final = "New connections"

# What connector.py measures; by way, a median in each round, in milliseconds.
Rounds = dict[str, list[float]]


def measure(server: Server, *, quick: bool) -> str:
    """Measure every size of key and version of TLS, and give the tables."""
    rounds, calls = (2, 3) if quick else (7, 30)
    rows, asked = [], []
    for (size, version), url in server.handshakes.items():
        found, keys = _connector("handshakes", url, server.folder / str(size), rounds, calls), f"RSA-{size}, {version}"
        rows.append([f"{keys}, on both sides", *_handshake_cells(found)])
        resumed = Ratio.of(found["resumed"], found["full"])
        asked.append(Goal(f"resumed, to full: {keys}", resumed, most=0.6 if size == RSA else 0.2))
    head = ["keys", "resumed, to full", "its CPU", "resumed, to requests", "full, to requests", "full ms", "resumed ms"]
    contexts = []
    for size in KEY_SIZES:
        found = _context(server, size, rounds, calls)
        contexts.append(_context_row(size, found))
        asked.append(
            Goal(f"identity to context, to pipes: RSA-{size}", Ratio.of(found["ours"], found["pipes"]), most=1.0)
        )
        asked.append(Goal(f"files written for it: RSA-{size}", Ratio.spread([sum(found["files"])]), most=0))
    columns = ["keys", "ours, to pipes by hand", "files written", "ours ms", "pipes ms", "opening the P12 ms"]
    parts = [
        f"Medians of {rounds} rounds of {calls} connections each. A connection: TCP, TLS, and one answer of two bytes.",
        goals(asked),
        table(head, rows),
        "## From an identity to a context",
        table(columns, contexts),
    ]
    return "\n\n".join(parts)


def _handshake_cells(found: Rounds) -> list[str]:
    ratios = [
        Ratio.of(found["resumed"], found["full"]),
        Ratio.of(found["resumed CPU"], found["full CPU"]),
        Ratio.of(found["resumed"], found["requests"]),
        Ratio.of(found["full"], found["requests"]),
    ]
    return [*map(str, ratios), *(f"{_middle(found[way]):.2f}" for way in ("full", "resumed"))]


def _context(server: Server, size: int, rounds: int, calls: int) -> Rounds:
    url = server.handshakes[size, "TLSv1.3"]
    return _connector("contexts", url, server.folder / str(size), rounds, calls if size == RSA else calls // 2 or 1)


def _context_row(size: int, found: Rounds) -> list[str]:
    times = (f"{_middle(found[way]):.2f}" for way in ("ours", "pipes", "opening"))
    return [f"RSA-{size}", str(Ratio.of(found["ours"], found["pipes"])), f"{sum(found['files']):.0f}", *times]


def _connector(*arguments: object) -> Rounds:
    found: Rounds = told_by("connector.py", *arguments)
    return found


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
