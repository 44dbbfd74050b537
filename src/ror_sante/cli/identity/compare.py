"""Compare a renewed certificate with the one that it replaces."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ror_sante.cli.identity.looking import look
from ror_sante.cli.verb import Verb, ending
from ror_sante.pki.renewal import compared


@click.command("compare", cls=Verb, epilog=ending((0, 1, 2, 3), "ror-sante identity compare old.p12 new.p12"))
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The passphrase, alone.")
@click.option(
    "--new-passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Of NEW, where it differs."
)
def compare(*, old: Path, new: Path, passphrase_file: Path | None, new_passphrase_file: Path | None) -> int:
    """Tell whether a renewed certificate can take over: 1 when something stands in its way.

    A passphrase is needed only where the certificates are encrypted too: not for a P12 of the platform.
    Nothing is verified.
    """
    coming = look(new, new_passphrase_file or passphrase_file)
    lines = list(compared(look(old, passphrase_file).leaf, coming.leaf))
    for good, text in lines:
        sys.stdout.write(f"{'ok  ' if good else 'DIFF'} {text}\n")
    sys.stdout.write("Compared, not verified: `identity verify` judges each of them.\n")
    return int(not all(good for good, _ in lines))
