"""Keep a passphrase in the keyring of the operating system."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ror_sante.cli.identity.asked import typed_passphrase
from ror_sante.cli.place import Flags, settings_of
from ror_sante.cli.verb import Verb, ending
from ror_sante.errors import ConfigurationError, printable
from ror_sante.pki.files import read_source
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.pem import holds_private_key, read_private_key
from ror_sante.settings import Secret, open_vault, read_secret
from ror_sante.settings import remember as keep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ror_sante.errors import Finding
    from ror_sante.settings import IdentitySettings


@click.command(
    "remember",
    cls=Verb,
    epilog=ending((0, 2, 3), "ror-sante identity remember", "ror-sante identity remember client.p12"),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Copy it from here.")
def remember(*, file: Path | None, passphrase_file: Path | None) -> int:
    """Keep the passphrase of a P12 or private key in the keyring of the operating system.

    Without FILE, that of the configured one. The passphrase is tried on the file first. From then on each command, and
    each program that reads the same settings, finds it there, before anybody is asked. A keyring that keeps passphrases
    in clear is refused. Needs the extra `keyring`.
    """
    table = identity_table(file, passphrase_file)
    path = locked_file(table)
    open_vault()  # refused before a passphrase is asked for
    secret = _given(table, path)
    _refuse_clear(path, _opened(path, secret))
    name = keep(path, secret)
    sys.stdout.write(f"{printable(path, 400)}: the passphrase opens it, and is in the keyring {name}.\n")
    if file is None and passphrase_file is None and table.passphrase_file is not None:
        old = printable(table.passphrase_file, 400)
        sys.stdout.write(f"passphrase_file comes first: take it out of the settings, then destroy {old}.\n")
    return 0


def identity_table(file: Path | None, passphrase_file: Path | None = None) -> IdentitySettings:
    """Give the configured certificate, or the one of the command line."""
    return settings_of(Flags(p12=file, passphrase_file=passphrase_file)).identity_for("rorn")


def locked_file(table: IdentitySettings) -> Path:
    """Give the file that the passphrase opens."""
    assert table.locked is not None  # noqa: S101  for the type checker: identity_for refuses a table without one
    return table.locked


def _given(table: IdentitySettings, path: Path) -> Secret:
    if table.passphrase_file is not None:
        return Secret(read_secret(table.passphrase_file))
    return typed_passphrase(f"Passphrase of {path}") if table.passphrase is None else table.passphrase


def _opened(path: Path, secret: Secret) -> Iterable[Finding]:
    """Open a P12 or a private key, and give what was odd about it."""
    data = read_source(path, what="the P12 or private key")
    if holds_private_key(data):
        return read_private_key(data, secret, name=printable(path))[1]
    return ClientIdentity.from_p12(data, secret).notes


def _refuse_clear(path: Path, notes: Iterable[Finding]) -> None:
    if any(note.code == "unencrypted-key" for note in notes):
        raise ConfigurationError(
            f"{printable(path)} is not encrypted: it has no passphrase to remember",
            hint="`ror-sante identity harden` writes a P12 again under one.",
        )
