"""Make a key and a certificate request, and say what to do with them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ror_sante.cli.identity.asked import new_passphrase_of, say
from ror_sante.cli.place import Flags, settings_of
from ror_sante.cli.verb import Verb, ending
from ror_sante.disk import write_new
from ror_sante.environments import ApplicationService
from ror_sante.errors import ConfigurationError, Severity
from ror_sante.identifiers import STRUCTURE_DIGITS, Identifier, compact, structure_id
from ror_sante.pki.departments import department as department_of
from ror_sante.pki.procedure import CHECKLIST, next_steps
from ror_sante.pki.request import KEY_SIZES, USUAL_KEY_SIZE, Subject, check_key_size, check_subject, make_request
from ror_sante.settings import SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ror_sante.pki.procedure import Step

SERVICES: Final = {
    "rorn": ApplicationService.RORN,
    "inter-ror": ApplicationService.INTER_ROR,
    "annuaire": ApplicationService.ANNUAIRE,
}


@click.command(
    "request",
    cls=Verb,
    epilog=ending(
        (0, 2),
        "ror-sante identity request --checklist",
        'ror-sante identity request --organisation "CH DE BASTIA" --finess 2B0000020',
    ),
)
@click.option("--checklist", is_flag=True, help="List what must be in place before an order; make nothing.")
@click.option("--service", type=click.Choice(list(SERVICES)), default="rorn", show_default=True, help="Gives the CN.")
@click.option("--common-name", metavar="TEXT", help="Another CN than the one that ANS recommends.")
@click.option("--organisation", metavar="TEXT", help="The structure's name.")
@click.option("--finess", metavar="NUMBER", help="The structure's FINESS; of a health structure, the legal entity's.")
@click.option("--siret", metavar="NUMBER", help="Or its SIRET.")
@click.option("--siren", metavar="NUMBER", help="Or its SIREN.")
@click.option("--rpps-rang", metavar="NUMBER", help="Or, of a practice, the RPPS with its rank: 14 digits.")
@click.option("--adeli-rang", metavar="NUMBER", help="Or the ADELI with its rank: 11 digits.")
@click.option("--department", metavar="NAME", help="Number, name or both: 75, Paris, 'Paris (75)'.")
@click.option("--env", metavar="NAME", help="production, or bac-a-sable for a certificate of the TEST tree.")
@click.option(
    "--key-size",
    type=click.Choice([str(size) for size in KEY_SIZES]),
    default=str(USUAL_KEY_SIZE),
    show_default=True,
    help="RSA, in bits.",
)
@click.option(
    "--key", type=click.Path(path_type=Path), default="client.key", show_default=True, metavar="FILE", help="Made."
)
@click.option(
    "--csr", type=click.Path(path_type=Path), default="client.csr", show_default=True, metavar="FILE", help="Made."
)
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="For the key; alone in it.")
def request(
    *,
    checklist: bool,
    service: str,
    common_name: str | None,
    organisation: str | None,
    department: str | None,
    env: str | None,
    key_size: str,
    key: Path,
    csr: Path,
    passphrase_file: Path | None,
    **numbers: str | None,
) -> int:
    """Make a key and a certificate request (CSR), and say what to do next.

    The key is encrypted before it reaches the disk (AES-256, 600 000 rounds); both files are readable by their owner
    alone, and no file is overwritten. A number with a wrong length or check digit is refused for production, and
    warned about for the TEST tree.
    """
    if checklist:
        sys.stdout.write(_ticked(CHECKLIST))
        return 0
    test = _is_test(env)
    subject = Subject(
        common_name=common_name or SERVICES[service],
        organisation=_needed(organisation, "--organisation"),
        structure=_structure(numbers),
        department=department_of(_needed(department, "--department")),
    )
    found = (*check_subject(subject, test=test), *check_key_size(int(key_size), at=datetime.now(UTC)))
    say(finding for finding in found if finding.severity is Severity.WARNING)
    _refuse_what_is_there(key, csr)
    made = make_request(subject, new_passphrase_of(key, passphrase_file), key_size=int(key_size), test=test)
    write_new({key: made.key, csr: made.request})
    tree = "TEST" if test else "production"
    sys.stdout.write(
        f"{key}: RSA {key_size}, encrypted. It never leaves this machine.\n"
        f"{csr}: the request for {made.subject}\n\nNext, for a certificate of the {tree} tree:\n\n"
        + _numbered(next_steps(SERVICES[service], subject.common_name, test=test, key=str(key), request=str(csr)))
    )
    return 0


def _is_test(env: str | None) -> bool:
    """Tell whether an environment wants a certificate of the TEST tree; all that do not say otherwise do."""
    settings = settings_of(Flags(env=env))
    return settings.environment == SIMULATOR or settings.resolve_environment().test is not False


def _needed(value: str | None, option: str) -> str:
    if value is None:
        raise click.UsageError(f"{option} is missing: it stands in the certificate.")
    return value


def _structure(numbers: dict[str, str | None]) -> str:
    kinds = {kind.lower().replace("-", "_"): kind for kind in STRUCTURE_DIGITS}
    given = [(kinds[name], number) for name, number in numbers.items() if number is not None]
    if len(given) != 1:
        options = ", ".join(f"--{Identifier(kind).lower()}" for kind in STRUCTURE_DIGITS)
        raise click.UsageError(f"Give the structure's number once, by one of {options}.")
    kind, number = given[0]
    return structure_id(kind, compact(number))


def _refuse_what_is_there(*files: Path) -> None:
    """Say so before a passphrase is asked for; `write_new` is the one that makes sure."""
    for file in files:
        if file.exists():
            raise ConfigurationError(
                f"{file} is there already, and is never overwritten",
                hint="Give another name with --key or --csr, or move the old file away.",
            )


def _ticked(steps: Iterable[Step]) -> str:
    return "".join(
        f"[ ] {f'({step.section}) ' if step.section else ''}{step.title}\n" + _indented(step.details) for step in steps
    )


def _numbered(steps: Iterable[Step]) -> str:
    return "".join(
        f"{number}. {step.title}\n" + _indented(step.details, " " * 3) for number, step in enumerate(steps, 1)
    )


def _indented(lines: Iterable[str], margin: str = " " * 4) -> str:
    return "".join(f"{margin}{line}\n" for line in lines)
