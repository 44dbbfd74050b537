"""The verbs ``inter-ror``."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from ror_sante.api.inter_ror import InterRorClient
from ror_sante.api.views import Pool
from ror_sante.cli import rows, table
from ror_sante.cli.audit import note
from ror_sante.cli.failures import likeliest
from ror_sante.cli.files import private_text
from ror_sante.cli.known import Known, language
from ror_sante.cli.place import Flags, asking, opened
from ror_sante.cli.searching import about_place, brought, pair, progress
from ror_sante.cli.verb import Verb, VerbGroup, ending
from ror_sante.diagnosis.report import NO_CONNECTION, exit_code_of
from ror_sante.errors import RorError, printable
from ror_sante.settings import SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ror_sante.api.inter_ror import Account, RegionAccount, RegionalResult, RegionalSearch, Row
    from ror_sante.diagnosis.causes import Cause

PARTIAL: Final = 6
_SECONDS: Final = click.FloatRange(0, 3600, min_open=True)


@click.group(cls=VerbGroup)
def inter_ror() -> None:
    """Search all regions with one question."""


@inter_ror.command(
    "search",
    cls=Verb,
    epilog=ending(
        (0, 2, 3, 4, 5, 6, 130, 143),
        "ror-sante inter-ror search HealthcareService --account account.json",
        "ror-sante inter-ror search Location -p 'near=48.11|-1.67|50|km'",
    ),
)
@click.argument("resource_type", metavar="TYPE")
@click.option("-p", "params", multiple=True, metavar="NAME=VALUE", help="Search parameter; repeat it for more.")
@click.option("--regions", default="all", show_default=True, metavar="WHICH", help="Names or INSEE codes, with commas.")
@click.option("--full-offer", is_flag=True, help="Bring organizations, places, roles and people along.")
@click.option("--max", "most", type=click.IntRange(1), metavar="N", help="Stop in each region after N.")
@click.option("--included", is_flag=True, help="Also what _include and _revinclude bring.")
@click.option("--region-timeout", type=_SECONDS, metavar="SECONDS", help="Limit of each region.")
@click.option("--deadline", type=_SECONDS, metavar="SECONDS", help="Limit of the whole search.")
@click.option("--account", type=click.Path(path_type=Path), metavar="FILE", help="Write what each region did as JSON.")
@about_place
def search(
    *,
    resource_type: str,
    params: tuple[str, ...],
    regions: str,
    full_offer: bool,
    most: int | None,
    included: bool,
    region_timeout: float | None,
    deadline: float | None,
    account: Path | None,
    style: str | None,
    **place: Any,
) -> int:
    """Ask several regions at the same time, and account for each of them.

    Rows go to stdout, the account to stderr. ndjson prints each row as soon as the first region gives it; the other
    formats wait for all regions, merge what is the same by its national identifier, and sort: by distance where it is
    known. A region that is late, refuses or fails makes the result partial: exit code 6.
    """
    style = style or rows.default_format()
    pairs = [*map(pair, params), *brought(resource_type, full_offer=full_offer)]
    with _client(place) as client, progress(style) as tick:
        found = client.search(
            resource_type,
            pairs,
            regions=regions,
            max_results=most,
            included=included or style == "table",
            region_timeout=region_timeout,
            deadline=deadline,
        )
        try:
            with found:
                _print(found, tick, style, resource_type, included=included)
        finally:
            _report(found.account, account, client)
    return _code(found.account)


@contextlib.contextmanager
def _client(flags: dict[str, Any]) -> Iterator[InterRorClient]:
    with opened(Flags(**flags)) as place:
        simulated = place.settings.environment == SIMULATOR  # elsewhere each region has the table that it names
        with InterRorClient.from_settings(
            place.settings,
            identity=place.source("inter-ror") if simulated else None,
            environment=place.environment,
            ask=asking(),
        ) as client:
            try:
                yield client
            finally:
                shown = [identity.thumbprint for identity in client.identities]
                note(certificate=", ".join(shown) or None)


# ------------------------------------------------------------------ the rows


def _print(
    found: RegionalSearch,
    tick: Callable[[Iterable[Row]], Iterator[Row]],
    style: str,
    resource_type: str,
    *,
    included: bool,
) -> None:
    passing = tick(found)
    if style == "ndjson":
        rows.emit((_json(row.as_dict()) for row in passing), style)
        return
    for _ in passing:
        pass
    result = found.result()
    if style == "table":
        _as_table(result, included=included)
    elif style == "json":
        rows.emit([_json(result.as_dict())], style)
    else:
        rows.emit(_csv(result, "" if included else resource_type), style)


def _json(content: dict[str, Any]) -> str:
    return msgspec.json.encode(content).decode("utf-8") + "\n"


def _csv(result: RegionalResult, resource_type: str) -> Iterator[str]:
    columns = rows.columns_of(resource_type)
    yield rows.csv_line(["regions", *(name for name, _ in columns)])
    for row in result:
        cells = [" ".join(row.regions), *rows.values(row.resource, columns)]
        yield rows.csv_line([rows.harmless(cell) for cell in cells])


def _as_table(result: RegionalResult, *, included: bool) -> None:
    """Print the first rows; what came along names organizations and places, each in its own region."""
    pools = {code: Pool([row.resource for row in result if row.region == code]) for code in _codes(result)}
    wanted = [row for row in result if included or row.resource.mode != "include"]
    shown = wanted[: rows.TABLE_ROWS]
    table.write_views([(pools[row.region].view(row.resource), " ".join(row.regions)) for row in shown])
    if len(wanted) > len(shown):
        sys.stderr.write(f"The first {len(shown)} of {len(wanted)} are shown: --format ndjson gives all.\n")


def _codes(result: RegionalResult) -> set[str]:
    return {row.region for row in result}


# ------------------------------------------------------------------ the account


def _report(account: Account, path: Path | None, client: InterRorClient) -> None:
    """Tell what each region did, on stderr and in a file."""
    note(counts={"regions": len(account.regions), "rows": account.rows})
    sys.stderr.write("".join(f"{line}\n" for line in (*_lines(account), *_causes(account, client))))
    if path is not None:
        with private_text(path) as file:
            file.write(msgspec.json.format(_json(account.as_dict()), indent=2) + "\n")


def _lines(account: Account) -> Iterator[str]:
    outcomes = Counter(region.outcome.value for region in account)
    told = ", ".join(f"{number} {word}" for word, number in outcomes.items())
    yield f"{len(account.regions)} region{'s' if len(account.regions) > 1 else ''}: {told}; {account.rows} rows"
    for region in account:
        yield _line(region)


def _line(region: RegionAccount) -> str:
    head = f"  {region.code} {region.name:<26} {region.outcome:<14} {region.count:>6} rows {region.seconds:>7.2f} s"
    why = f"  {region.reason}: {printable(region.message, 300)}" if region.reason else ""
    return f"{head}{why}"


def _causes(account: Account, client: InterRorClient) -> Iterator[str]:
    """Tell the likeliest cause of what failed, every one once, with its regions."""
    found: dict[str, tuple[Cause, list[str]]] = {}
    for region in account:
        first = None if region.error is None else likeliest(region.error, _known_of(region.code, client))
        if first is not None:
            found.setdefault(first.code, (first, []))[1].append(region.name)
    for first, names in found.values():
        yield f"cause: {', '.join(names)}: {printable(first.title, 300)}"
        yield f"{'suite' if language() == 'fr' else ' next'}: {printable(first.next_step, 500)}"


def _known_of(code: str, client: InterRorClient) -> Known:
    """Give where a region was asked, and with which certificate; little where it could not be opened."""
    try:
        asked = client.client_of(code)
    except RorError:
        return Known(lang=language())
    return Known(lang=language(), environment=asked.environment, identity=asked.identity)


def _code(account: Account) -> int:
    """Give 0 when all answered, 6 when some did, else the code of the gravest family, the lowest one."""
    if account.complete:
        return 0
    if account.answered:
        return PARTIAL
    return min((exit_code_of(region.error) for region in account if region.error is not None), default=NO_CONNECTION)
