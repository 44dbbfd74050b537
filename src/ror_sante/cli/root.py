"""The tree of verbs; a verb is imported only when it is called."""

from __future__ import annotations

from typing import Final

import click

from ror_sante._version import __version__
from ror_sante.cli.lazy import LazyGroup
from ror_sante.cli.verb import CODES, listed

COMMANDS: Final = {
    "smoke-test": ("ror_sante.cli.smoke:smoke_test", "Climb from the certificate to one real search, rung by rung."),
    "identity": ("ror_sante.cli.identity:identity", "Order, put together, look at and watch our certificate."),
    "rorn": ("ror_sante.cli.rorn:rorn", "Search and read the national ROR."),
    "inter-ror": ("ror_sante.cli.inter_ror:inter_ror", "Search all regions with one question."),
    "annuaire": ("ror_sante.cli.annuaire:annuaire", "Search and copy the Annuaire Santé, and fetch its extractions."),
    "status": ("ror_sante.cli.status:status", "Tell how old a copy is, what it holds, and what to worry about."),
    "simulator": ("ror_sante.cli.simulator:simulator", "Run a stand-in of the services on this machine."),
    "config": ("ror_sante.cli.config:config", "Show, make or check the settings."),
}


@click.group(
    cls=LazyGroup,
    verbs=COMMANDS,
    epilog=listed("Exit codes, the same for every command", [f"{code:>3}  {text}" for code, text in CODES.items()])
    + "\n\n"
    + listed(
        "Examples",
        [
            "ror-sante smoke-test --env simulator",
            "ror-sante rorn search HealthcareService --env simulator --max 5",
            "ror-sante config init",
        ],
    ),
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def root() -> None:
    """Connect to the French ROR web services with an IGC-Santé certificate.

    Not an official product of the Agence du Numérique en Santé.
    """
