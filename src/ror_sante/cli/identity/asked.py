"""Get the passphrases of the verbs ``identity``, and say the warnings that come with files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from ror_sante.cli.place import Flags, settings_of
from ror_sante.errors import ConfigurationError, Severity, printable
from ror_sante.pki.passphrase import PassphraseNeededError
from ror_sante.settings import Secret, read_secret, recall

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ror_sante.errors import Finding

# A passphrase that a program guesses in a lifetime and not in a week, under the rounds that we write.
_LONG_ENOUGH: Final = 12


def passphrase_of(file: Path, given: Path | None) -> Secret:
    """Get a passphrase: from ``--passphrase-file``, then the variable, then the keyring, then the prompt.

    Args:
        file: what it opens; the prompt names it.
        given: ``--passphrase-file``.

    Raises:
        ConfigurationError: there is none, or its file cannot be read.
    """
    found = silent_passphrase(file, given)
    if found is not None:
        return found
    remembered, why = recall(file)
    return typed_passphrase(f"Passphrase of {printable(file)}", why=why) if remembered is None else remembered


def silent_passphrase(file: Path, given: Path | None) -> Secret | None:
    """Get a passphrase as `passphrase_of` does, without asking anybody, nor the keyring."""
    table = settings_of(Flags(p12=file, passphrase_file=given)).identity
    if table is not None and table.passphrase_file is not None:
        return Secret(read_secret(table.passphrase_file))
    return None if table is None else table.passphrase


def new_passphrase_of(file: Path, given: Path | None, *, what: str = "New passphrase") -> Secret:
    """Get the passphrase of a file that is to be made, asked for twice; a doubtful one is warned about.

    Raises:
        ConfigurationError: there is none, it is empty, or its file cannot be read.
    """
    found = silent_passphrase(file, given)
    secret = typed_passphrase(what, confirm=True) if found is None else found
    warn_about(secret)
    return secret


def warn_about(secret: Secret) -> None:
    """Warn about a passphrase that can be guessed, or that a tool cannot take."""
    if len(secret) < _LONG_ENOUGH:
        sys.stderr.write(f"warning: the passphrase has fewer than {_LONG_ENOUGH} characters: it can be guessed.\n")
    if not secret.isascii():  # OpenJDK 17 says "Password is not ASCII" of any P12
        sys.stderr.write("warning: the passphrase holds more than ASCII: Java does not open a P12 under it.\n")


def typed_passphrase(what: str, *, confirm: bool = False, why: str = "") -> Secret:
    """Ask for a passphrase at the terminal.

    Args:
        what: how the prompt calls it.
        confirm: ask twice.
        why: for the error when nobody sits there, why another source was no help.

    Raises:
        ConfigurationError: nobody sits there, or the two answers differ.
    """
    if not sys.stdin.isatty():
        raise PassphraseNeededError(
            "a passphrase is needed and none was given",
            hint=f"Give it with --passphrase-file, ROR_SANTE_IDENTITY_PASSPHRASE or at the prompt. {why}".rstrip(),
        )
    answer: str = click.prompt(what, hide_input=True, default="", show_default=False, err=True)
    if confirm and click.prompt("Again", hide_input=True, default="", show_default=False, err=True) != answer:
        raise ConfigurationError("the two passphrases differ", hint="Type the same one twice.")
    return Secret(answer)


def say(findings: Iterable[Finding]) -> None:
    """Write findings on stderr, each with its hint."""
    for finding in findings:
        word = "error" if finding.severity is Severity.ERROR else "warning"
        sys.stderr.write(f"{word}: {printable(f'{finding.message}. {finding.hint}', 1000)}\n")
