"""Take a passphrase out of the keyring of the operating system."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ror_sante.cli.identity.remember import identity_table, locked_file
from ror_sante.cli.verb import Verb, ending
from ror_sante.errors import printable
from ror_sante.settings import forget as let_go


@click.command(
    "forget", cls=Verb, epilog=ending((0, 2), "ror-sante identity forget", "ror-sante identity forget client.p12")
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
def forget(*, file: Path | None) -> int:
    """Take the passphrase of a P12 or private key out of the keyring of the operating system.

    Without FILE, that of the configured one; FILE itself may be gone already. 0 as well when there was none.
    """
    path = locked_file(identity_table(file))
    gone = let_go(path)
    told = "its passphrase is out of the keyring" if gone else "the keyring has no passphrase of it"
    sys.stdout.write(f"{printable(path, 400)}: {told}.\n")
    return 0
