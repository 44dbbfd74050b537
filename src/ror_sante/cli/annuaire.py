"""The verbs ``annuaire``; each is imported only when it is called."""

from __future__ import annotations

from typing import Final

import click

from ror_sante.cli.lazy import LazyGroup

VERBS: Final[dict[str, tuple[str, str]]] = {}


@click.group(cls=LazyGroup, verbs=VERBS)
def annuaire() -> None:
    """Search the Annuaire Santé, and fetch its extractions."""
