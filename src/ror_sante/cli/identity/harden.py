"""Write a P12 again under modern encryption."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ror_sante.cli.identity.asked import passphrase_of, say
from ror_sante.cli.identity.bundle import INTERMEDIATES, put, renewed
from ror_sante.cli.verb import Verb, ending
from ror_sante.pki.bags import outline
from ror_sante.pki.bundle import stops_short
from ror_sante.pki.files import read_source
from ror_sante.pki.identity import ClientIdentity


@click.command(
    "harden",
    cls=Verb,
    epilog=ending((0, 2, 3), "ror-sante identity harden asip-p12-EL-ORG-AUTH_CLI.p12 --out client.p12"),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Default: FILE with -hardened in its name."
)
@click.option("--intermediates", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help=INTERMEDIATES)
@click.option("--with-root", is_flag=True, help="Put the root in too; servers do not need it.")
@click.option("--compatible", is_flag=True, help="3DES and SHA-1 with more rounds; never RC2.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The present one, alone.")
@click.option(
    "--new-passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Another one for the new file."
)
def harden(
    *,
    file: Path,
    out: Path | None,
    intermediates: tuple[Path, ...],
    with_root: bool,
    compatible: bool,
    passphrase_file: Path | None,
    new_passphrase_file: Path | None,
) -> int:
    """Write a P12 again with AES-256 and 600 000 rounds, for key, certificates and integrity check.

    The platform's own P12 is under 3DES with 2048 rounds. The old file stays as it is: compare, then destroy it.
    """
    data = read_source(file, what="the P12")
    secret = passphrase_of(file, passphrase_file)
    identity = ClientIdentity.from_p12(data, secret).with_intermediates(*intermediates)
    say(note for note in identity.notes if note.code != "unencrypted-key")
    say(stops_short(identity))
    place = out or file.with_name(f"{file.stem}-hardened.p12")
    made = put(identity, renewed(secret, place, new_passphrase_file), place, root=with_root, compatible=compatible)
    shape = outline(data)
    before = (shape and shape.protection) or "not said"
    sys.stdout.write(f"{made}  before     {before}\n\n{file} is still there: destroy it once {place} is in use.\n")
    return 0
