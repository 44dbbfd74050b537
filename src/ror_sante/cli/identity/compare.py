"""Compare a renewed certificate with the one that it replaces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ror_sante.cli.identity.looking import look
from ror_sante.cli.verb import Verb, ending
from ror_sante.pki.igc import tree_of
from ror_sante.pki.names import common_name
from ror_sante.pki.usage import extended_usages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.cli.identity.looking import Look


@click.command("compare", cls=Verb, epilog=ending((0, 1, 2, 3), "ror-sante identity compare old.p12 new.p12"))
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The passphrase, alone.")
def compare(*, old: Path, new: Path, passphrase_file: Path | None) -> int:
    """Tell whether a renewed certificate can take over: 1 when something stands in its way.

    A passphrase is needed only where the certificates are encrypted too: not for a P12 of the platform.
    Nothing is verified.
    """
    lines = list(_compared(look(old, passphrase_file), look(new, passphrase_file)))
    for good, text in lines:
        sys.stdout.write(f"{'ok  ' if good else 'DIFF'} {text}\n")
    return int(not all(good for good, _ in lines))


def _compared(old: Look, new: Look) -> Iterator[tuple[bool, str]]:
    yield _subject(old, new)
    yield from _dates(old, new)
    names = [common_name(one.leaf) for one in (old, new)]
    yield names[0] == names[1], f"made for the service {names[1]}; the old one for {names[0]}"
    trees = [tree_of(one.leaf) or "not of IGC-Santé" for one in (old, new)]
    yield trees[0] == trees[1], f"tree: {trees[1]}; the old one's: {trees[0]}"
    usages = [set(extended_usages(one.leaf) or ()) for one in (old, new)]
    wide = usages[0] <= usages[1]
    yield wide, "made for all that the old one was made for" if wide else "made for less than the old one"
    renewed = old.leaf.public_key() != new.leaf.public_key()
    yield renewed, "another key" if renewed else "the same key as before: a renewal should make a new one"


def _subject(old: Look, new: Look) -> tuple[bool, str]:
    if old.leaf.subject == new.leaf.subject:
        return True, "the subject DN is the same: no new registration at ANS"
    return False, f"the subject DN differs: register {new.leaf.subject.rfc4514_string()} with ANS before the switch"


def _dates(old: Look, new: Look) -> Iterator[tuple[bool, str]]:
    start, end, later = new.validity.not_before, old.validity.not_after, new.validity.not_after
    if start <= end:
        yield True, f"both are valid from {start:%Y-%m-%d} to {end:%Y-%m-%d}"
    else:
        yield False, f"the old one ends on {end:%Y-%m-%d}, the new one begins on {start:%Y-%m-%d}: a gap"
    yield later > end, f"the new one ends on {later:%Y-%m-%d}" + ("" if later > end else ", not later than the old one")
