"""Put a key and the certificate that came back for its request into a P12."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ror_sante.cli.identity.asked import passphrase_of, say, silent_passphrase, warn_about
from ror_sante.cli.verb import Verb, ending
from ror_sante.disk import write_new
from ror_sante.pki.bags import outline
from ror_sante.pki.bundle import COMPATIBLE_WARNING, check_bundle, write_bundle
from ror_sante.pki.expiry import Validity
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.names import common_name

if TYPE_CHECKING:
    from ror_sante.settings import Secret

_COMPATIBLE = "3DES and SHA-1, for a tool that knows nothing better; never RC2."
INTERMEDIATES = "Authorities that neither the file nor ror-sante holds; repeat it for more."
_NEW = "The passphrase of the P12; default: the one of the key."


@click.command(
    "bundle",
    cls=Verb,
    epilog=ending(
        (0, 2, 3),
        "ror-sante identity bundle received.cer --key client.key",
        "ror-sante identity bundle received.p7b --key client.key --with-root",
    ),
)
@click.argument("certificate", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Of `identity request`.")
@click.option(
    "--intermediates",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help=INTERMEDIATES,
)
@click.option("--out", type=click.Path(path_type=Path), default="client.p12", show_default=True, metavar="FILE")
@click.option("--with-root", is_flag=True, help="Put the root in too; servers do not need it.")
@click.option("--compatible", is_flag=True, help=_COMPATIBLE)
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The key's, alone in it.")
@click.option("--new-passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help=_NEW)
def bundle(
    *,
    certificate: Path,
    key: Path,
    intermediates: tuple[Path, ...],
    out: Path,
    with_root: bool,
    compatible: bool,
    passphrase_file: Path | None,
    new_passphrase_file: Path | None,
) -> int:
    """Put a key and the certificate that came back (PEM, DER or PKCS#7) into a P12.

    ACI-EL-ORG, or its TEST twin, is added from the package when the file lacks it. A certificate of another product or
    family, or of another key, is refused. The P12 is opened again and compared before it is said to exist; no file is
    overwritten.
    """
    secret = passphrase_of(key, passphrase_file)
    identity = ClientIdentity.from_pem(certificate, key, secret, intermediates=intermediates)
    say(check_bundle(identity, at=datetime.now(UTC)))
    new = renewed(secret, out, new_passphrase_file)
    made = put(identity, new, out, root=with_root, compatible=compatible)
    sys.stdout.write(made + f"\nNext: ror-sante identity dn {out}\n")
    return 0


def renewed(secret: Secret, out: Path, given: Path | None) -> Secret:
    """Give the passphrase of a new P12: the one of ``--new-passphrase-file``, else the one at hand."""
    new = silent_passphrase(out, given) if given is not None else None
    warn_about(secret if new is None else new)
    return secret if new is None else new


def put(identity: ClientIdentity, passphrase: Secret, out: Path, *, root: bool, compatible: bool) -> str:
    """Write a P12 and say what is in it."""
    if compatible:
        say([COMPATIBLE_WARNING])
    data = write_bundle(identity, passphrase, root=root, compatible=compatible)
    write_new({out: data})
    shape = outline(data)
    sealed = (shape and shape.protection) or "encrypted"
    held = [*identity.chain, *([identity.root] if root and identity.root else [])]
    added = ", ".join(common_name(one) for one in identity.supplied)
    return (
        f"{out}: written, opened again and compared.\n"
        f"  holds      {' ← '.join(common_name(one) for one in held)}\n"
        + (f"  added      {added}, from the copy of ror-sante\n" if added else "")
        + f"  subject    {identity.subject_dn}\n"
        f"  valid to   {Validity.of(identity.certificate).not_after:%Y-%m-%d %H:%M} UTC\n"
        f"  key        {sealed}\n"
    )
