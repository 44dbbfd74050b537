"""Compare ways of doing one thing: each once a round, in an order that changes, each in a process of its own."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from peers import python_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Found = TypeVar("Found")

_HERE = Path(__file__).parent


def in_rounds(
    ways: Iterable[str], once: Callable[[str], Found], rounds: int, *, label: str = ""
) -> dict[str, list[Found]]:
    """Go every way once a round, so that no neighbour is always the same.

    Args:
        ways: their names.
        once: goes one of them.
        rounds: how often.
        label: stands before the line that tells of each round; empty tells nothing.

    Returns:
        By way, what each round found.
    """
    chance = random.Random(rounds)
    found: dict[str, list[Found]] = defaultdict(list)
    for turn in range(rounds):
        order = list(ways)
        chance.shuffle(order)
        for name in order:
            found[name].append(once(name))
        if label:
            print(f"{label}: round {turn + 1} of {rounds}", file=sys.stderr)
    return found


def told_by(script: str, *arguments: object, libraries: Iterable[str] = ()) -> Any:
    """Run a program of this folder in the environment that holds the libraries, and read the JSON that it prints.

    Raises:
        SystemExit: it failed; with its own words.
    """
    command = [python_of(tuple(libraries)), str(_HERE / script), *map(str, arguments)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        raise SystemExit(f"{script} {' '.join(map(str, arguments[:1]))} failed:\n{told.stderr}")
    return json.loads(told.stdout)
