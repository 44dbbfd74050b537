"""The verbs ``identity``, one module each."""

from __future__ import annotations

from typing import Final

import click

from ror_sante.cli.lazy import LazyGroup

VERBS: Final = {
    "show": ("ror_sante.cli.identity.show:show", "Describe a P12 or a certificate; without FILE, the configured one."),
    "revocation": (
        "ror_sante.cli.identity.revocation:revocation",
        "Ask by OCSP and by CRL whether a P12 or a certificate was revoked; without FILE, the configured one.",
    ),
    "rehearse": (
        "ror_sante.cli.identity.rehearse:rehearse",
        "Try a renewed P12 on the configured account, while the old one stays in use.",
    ),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def identity() -> None:
    """Look at our certificate."""
