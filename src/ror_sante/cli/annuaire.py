"""The verbs ``annuaire``; each is imported only when it is called."""

from __future__ import annotations

from typing import Final

import click

from ror_sante.cli.lazy import LazyGroup

VERBS: Final[dict[str, tuple[str, str]]] = {
    "search": ("ror_sante.cli.annuaire_fhir:search", "Search the public FHIR gateway of the Annuaire Santé."),
    "read": ("ror_sante.cli.annuaire_fhir:read", "Read one resource of the Annuaire Santé by its technical id."),
    "sync": (
        "ror_sante.cli.annuaire_sync:sync",
        "Keep copies of resources of the Annuaire Santé, and bring what changed.",
    ),
    "download": (
        "ror_sante.cli.download:download",
        "Fetch an extraction of the Annuaire Santé, unless its version is there already.",
    ),
    "rows": ("ror_sante.cli.extraction_rows:rows", "Print the rows of an extraction, straight out of its zip."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def annuaire() -> None:
    """Search and copy the Annuaire Santé, and fetch its extractions."""
