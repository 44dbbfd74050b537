"""The verbs ``annuaire search`` and ``annuaire read``: the public FHIR gateway, with an API key."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from ror_sante.api.annuaire.client import AnnuaireSanteClient
from ror_sante.api.annuaire.parameters import PARAMETERS
from ror_sante.api.annuaire.words import criteria, types_asked
from ror_sante.cli import rows
from ror_sante.cli.audit import note
from ror_sante.cli.place import Flags, opened
from ror_sante.cli.searching import enough, pair, print_found, progress
from ror_sante.cli.verb import Verb, ending

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import TypeVar

    from ror_sante.api.fhir.resource import Resource

    F = TypeVar("F", bound=Callable[..., Any])

_CODES = (0, 2, 4, 5, 130, 143)


def _about_place(command: F) -> F:
    """Add the options that say where to call and how to print; there is no certificate among them."""
    for option in (
        click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), metavar="SECONDS", help="Limit."),
        click.option("--env", metavar="NAME", help="simulator, production, or one of the settings."),
        click.option(
            "--format",
            "style",
            type=click.Choice(rows.FORMATS),
            help="Default: table on a terminal, ndjson in a pipe.",
        ),
    ):
        command = option(command)
    return command


@click.command(
    "search",
    cls=Verb,
    epilog=ending(
        _CODES,
        "ror-sante annuaire search --env production --rpps 10001234565",
        "ror-sante annuaire search Organization --city NANTES --max 10",
        "ror-sante annuaire search PractitionerRole -p active=true",
    ),
)
@click.argument("resource_type", metavar="[TYPE]", required=False)
@click.option("-p", "params", multiple=True, metavar="NAME=VALUE", help="Search parameter; repeat it for more.")
@click.option("--rpps", metavar="NUMBER", help="A person, by RPPS or IDNPS.")
@click.option("--finess", metavar="NUMBER", help="A structure, by FINESS.")
@click.option("--siret", metavar="NUMBER", help="A structure, by SIRET.")
@click.option("--name", metavar="TEXT", help="A family name's beginning, a part of a structure's name.")
@click.option("--city", metavar="TEXT", help="Structures of a city.")
@click.option("--mailbox", metavar="ADDRESS", help="Whose MSSanté mailbox this is.")
@click.option("--max", "most", type=click.IntRange(1), metavar="N", help="Stop after N; a table stops at 50.")
@click.option("--included", is_flag=True, help="Also what _include and _revinclude bring.")
@click.option("--allow-truncated", is_flag=True, help="Take what there is when the service loses a part.")
@_about_place
def search(
    *,
    resource_type: str | None,
    params: tuple[str, ...],
    most: int | None,
    included: bool,
    allow_truncated: bool,
    style: str | None,
    env: str | None,
    timeout: float | None,
    **words: str | None,
) -> int:
    """Search the public FHIR gateway of the Annuaire Santé.

    TYPE is Practitioner, PractitionerRole, Organization, HealthcareService or Device. It may be left out where words
    such as --rpps or --mailbox say it: each type that they fit is then searched. Several words are all meant. Numbers
    are checked before anything is sent. The API key comes from annuaire.api_key_file; no certificate is used.
    """
    style = style or rows.default_format()
    asked = {word: value for word, value in words.items() if value is not None}
    kinds = (resource_type,) if resource_type else types_asked(list(asked))
    if not kinds:
        raise click.UsageError(f"TYPE is missing, or no type fits all words; TYPE is one of {', '.join(PARAMETERS)}")
    searches = [(kind, [*criteria(kind, **asked), *map(pair, params)]) for kind in kinds]
    with gateway(env, timeout) as client, progress(style) as tick:
        search = partial(client.search, included=included or style == "table", allow_truncated=allow_truncated)
        found = _in_turn(search, searches, enough(most, style))
        print_found(found, tick, style, kinds[0] if len(kinds) == 1 else "", most=most, included=included)
    return 0


def _in_turn(
    search: Callable[..., Generator[Resource, None, None]],
    searches: list[tuple[str, list[tuple[str, str]]]],
    most: int | None,
) -> Generator[Resource, None, None]:
    """Give what several searches find, one after the other, until there are enough matches."""
    left = most
    for kind, params in searches:
        with contextlib.closing(search(kind, params, max_results=left)) as found:
            for each in found:
                left = left - (each.mode == "match") if left is not None else None
                yield each


@click.command(
    "read", cls=Verb, epilog=ending(_CODES, "ror-sante annuaire read Practitioner 003-100001 --env simulator")
)
@click.argument("resource_type", metavar="TYPE")
@click.argument("resource_id", metavar="ID")
@_about_place
def read(*, resource_type: str, resource_id: str, style: str | None, env: str | None, timeout: float | None) -> int:
    """Read one resource of the Annuaire Santé by its technical id."""
    with gateway(env, timeout) as client:
        found = client.read(resource_type, resource_id)
    note(counts={resource_type: 1})
    rows.write([found], style or rows.default_format(), resource_type=resource_type, single=True)
    return 0


@contextlib.contextmanager
def gateway(env: str | None, timeout: float | None) -> Iterator[AnnuaireSanteClient]:
    """Open the client of the place; the audit line names the gateway's host."""
    with (
        opened(Flags(env=env, timeout=timeout)) as place,
        AnnuaireSanteClient.from_settings(place.settings, environment=place.environment) as client,
    ):
        note(host=urlsplit(client.fhir_base).hostname)
        yield client
