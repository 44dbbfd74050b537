"""The verbs ``rorn``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from ror_sante.api.capability import differences
from ror_sante.cli import rows
from ror_sante.cli.audit import note
from ror_sante.cli.delta import delta
from ror_sante.cli.export import export
from ror_sante.cli.place import Flags, opened
from ror_sante.cli.searching import about_place, brought, enough, pair, print_found, progress
from ror_sante.cli.statement import comparison, summary
from ror_sante.cli.verb import Verb, VerbGroup, ending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.api.national import NationalRorClient

_CODES = (0, 2, 3, 4, 5, 130, 143)


@click.group(cls=VerbGroup)
def rorn() -> None:
    """Search and read the national ROR."""


@rorn.command(
    "search",
    cls=Verb,
    epilog=ending(
        _CODES,
        "ror-sante rorn search HealthcareService -p _tag=52 --full-offer --max 10",
        "ror-sante rorn search Organization -p name=clinique > organisations.ndjson",
    ),
)
@click.argument("resource_type", metavar="TYPE")
@click.option("-p", "params", multiple=True, metavar="NAME=VALUE", help="Search parameter; repeat it for more.")
@click.option("--full-offer", is_flag=True, help="Bring organizations, places, roles and people along.")
@click.option("--max", "most", type=click.IntRange(1), metavar="N", help="Stop after N; a table stops at 50.")
@click.option("--included", is_flag=True, help="Also what _include and _revinclude bring.")
@click.option("--allow-truncated", is_flag=True, help="Take the first 10 000 of a larger result.")
@about_place
def search(
    *,
    resource_type: str,
    params: tuple[str, ...],
    full_offer: bool,
    most: int | None,
    included: bool,
    allow_truncated: bool,
    style: str | None,
    **place: Any,
) -> int:
    """Search, and print one row a resource.

    TYPE is HealthcareService, Location, Organization, Practitioner or PractitionerRole; Task and Questionnaire are
    drafts in the documents. A result beyond 10 000 is an error, because the service cuts it there without a word.
    --full-offer is for HealthcareService: it lets a table name organization, city and telephone.
    """
    style = style or rows.default_format()
    pairs = [*map(pair, params), *brought(resource_type, full_offer=full_offer)]
    with _client(place) as client, progress(style) as tick:
        found = client.search(
            resource_type,
            pairs,
            max_results=enough(most, style),
            included=included or style == "table",
            allow_truncated=allow_truncated,
        )
        print_found(found, tick, style, resource_type, most=most, included=included)
    return 0


@rorn.command("read", cls=Verb, epilog=ending(_CODES, "ror-sante rorn read HealthcareService 252467"))
@click.argument("resource_type", metavar="TYPE")
@click.argument("resource_id", metavar="ID")
@about_place
def read(*, resource_type: str, resource_id: str, style: str | None, **place: Any) -> int:
    """Read one resource by its technical id."""
    with _client(place) as client:
        found = client.read(resource_type, resource_id)
    note(counts={resource_type: 1})
    rows.write([found], style or rows.default_format(), resource_type=resource_type, single=True)
    return 0


@rorn.command(
    "metadata",
    cls=Verb,
    epilog=ending(_CODES, "ror-sante rorn metadata --format json", "ror-sante rorn metadata --compare --format table"),
)
@click.option("--compare", is_flag=True, help="Print where the server and this client differ.")
@about_place
def metadata(*, compare: bool, style: str | None, **place: Any) -> int:
    """Print what the server says it can do.

    With --compare, print where that differs from what this client assumes: FHIR version, formats, interactions,
    search parameters, includes. Differences are no error.
    """
    with _client(place) as client:
        found = client.metadata()
    style = style or rows.default_format()
    if compare:
        comparison(differences(found), style)
    elif style == "table":
        summary(found)
    else:
        rows.write([found], style, resource_type="CapabilityStatement", single=True)
    return 0


rorn.add_command(export)
rorn.add_command(delta)


@contextlib.contextmanager
def _client(flags: dict[str, Any]) -> Iterator[NationalRorClient]:
    with opened(Flags(**flags)) as place, place.national() as client:
        yield client
