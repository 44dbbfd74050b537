"""The verbs ``identity``, one module each."""

from __future__ import annotations

from typing import Final

import click

from ror_sante.cli.lazy import LazyGroup

VERBS: Final = {
    "request": ("ror_sante.cli.identity.request:request", "Make a key and a certificate request, and say what to do."),
    "bundle": ("ror_sante.cli.identity.bundle:bundle", "Put a key and the certificate that came back into a P12."),
    "harden": ("ror_sante.cli.identity.harden:harden", "Write a P12 again under modern encryption."),
    "show": ("ror_sante.cli.identity.show:show", "Describe a P12 or a certificate; without FILE, the configured one."),
    "verify": (
        "ror_sante.cli.identity.verify:verify",
        "Judge a P12 or a certificate: 1 when it has an error, 0 for warnings alone.",
    ),
    "expires": (
        "ror_sante.cli.identity.expires:expires",
        "Tell when a certificate ends: 0 when that is further away than --within, else 1.",
    ),
    "dn": (
        "ror_sante.cli.identity.dn:dn",
        "Print the subject DN, CN first, as ANS registers it; without FILE, the configured one's.",
    ),
    "compare": (
        "ror_sante.cli.identity.compare:compare",
        "Tell whether a renewed certificate can take over: 1 when something stands in its way.",
    ),
    "inventory": (
        "ror_sante.cli.identity.inventory:inventory",
        "List every P12, PEM and DER file of a folder, the first to end at the top.",
    ),
    "revocation": (
        "ror_sante.cli.identity.revocation:revocation",
        "Ask by OCSP and by CRL whether a P12 or a certificate was revoked; without FILE, the configured one.",
    ),
    "rehearse": (
        "ror_sante.cli.identity.rehearse:rehearse",
        "Try a renewed P12 on the configured account, while the old one stays in use.",
    ),
    "remember": (
        "ror_sante.cli.identity.remember:remember",
        "Keep the passphrase of a P12 or private key in the keyring of the operating system.",
    ),
    "forget": (
        "ror_sante.cli.identity.forget:forget",
        "Take the passphrase of a P12 or private key out of the keyring of the operating system.",
    ),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def identity() -> None:
    """Order, put together, look at and watch our certificate."""
