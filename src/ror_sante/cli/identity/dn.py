"""Print the subject as ANS registers it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.cli.identity.looking import look
from ror_sante.cli.verb import Verb, ending


@click.command(
    "dn",
    cls=Verb,
    epilog=ending((0, 2, 3), "ror-sante identity dn client.p12", "ror-sante identity dn client.p12 --pem > leaf.pem"),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--pem", is_flag=True, help="Print the certificate itself, without its key, as CSD consumers sent it.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The passphrase, alone.")
def dn(*, file: Path | None, pem: bool, passphrase_file: Path | None) -> int:
    """Print the subject DN, CN first, as ANS registers it; without FILE, the configured one's.

    A passphrase is needed only where the certificates are encrypted too: not for a P12 of the platform.
    Nothing is verified.
    """
    leaf = look(file, passphrase_file).leaf
    text = leaf.public_bytes(Encoding.PEM).decode() if pem else f"{leaf.subject.rfc4514_string()}\n"
    sys.stderr.write("Read from the file, not verified: `identity verify` judges it.\n")
    sys.stdout.write(text)
    return 0
