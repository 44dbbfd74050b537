"""What the verbs that search have in common: the options of the place, the parameters, the progress."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.live import Live
from rich.spinner import Spinner

from ror_sante.api.query import HealthcareServiceQuery
from ror_sante.api.views import Pool
from ror_sante.cli import rows, table
from ror_sante.cli.audit import note
from ror_sante.cli.console import console, text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from ror_sante.api.fhir.resource import Resource

F = TypeVar("F", bound="Callable[..., Any]")
T = TypeVar("T")


def about_place(command: F) -> F:
    """Add the options that say where to call and how to print."""
    for option in (
        click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), metavar="SECONDS", help="Limit."),
        click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Its passphrase."),
        click.option("--p12", type=click.Path(path_type=Path), metavar="FILE", help="Use this P12 instead."),
        click.option("--env", metavar="NAME", help="simulator, bac-a-sable, production, or one of the settings."),
        click.option(
            "--format",
            "style",
            type=click.Choice(rows.FORMATS),
            help="Default: table on a terminal, ndjson in a pipe.",
        ),
    ):
        command = option(command)
    return command


def brought(resource_type: str, *, full_offer: bool) -> tuple[tuple[str, str], ...]:
    """Give the parameters of ``--full-offer``."""
    if full_offer and resource_type != HealthcareServiceQuery.resource_type:
        raise click.BadParameter("it is for HealthcareService alone", param_hint="--full-offer")
    return HealthcareServiceQuery().full_offer().params if full_offer else ()


def pair(word: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``."""
    name, equals, value = word.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{word!r} is not NAME=VALUE", param_hint="-p")
    return name, value


@contextlib.contextmanager
def progress(style: str) -> Iterator[Callable[[Iterable[T]], Iterator[T]]]:
    """Count on stderr while rows come, when a person looks there and the rows go elsewhere."""
    if not sys.stderr.isatty() or (sys.stdout.isatty() and style != "table"):
        yield iter
        return
    spinner = Spinner("dots", text("searching…"))
    # Live would send stdout through its own console: the rows must go where they belong.
    with Live(spinner, console=console(sys.stderr), transient=True, redirect_stdout=False, redirect_stderr=False):

        def tick(resources: Iterable[T]) -> Iterator[T]:
            for number, resource in enumerate(resources, start=1):
                if number % 100 == 0:
                    spinner.update(text=text(f"{number} so far…"))
                yield resource

        yield tick


@contextlib.contextmanager
def counted(found: Iterable[Resource], resource_type: str) -> Iterator[Iterator[Resource]]:
    """Let the audit line say how many resources came, matches and others, whatever ends the search."""
    matches = included = 0

    def passing() -> Iterator[Resource]:
        nonlocal matches, included
        for resource in found:
            if resource.mode == "include":
                included += 1
            else:
                matches += 1
            yield resource

    try:
        yield passing()
    finally:
        note(counts={resource_type: matches} | ({"included": included} if included else {}))


def enough(most: int | None, style: str) -> int | None:
    """Give the number of matches to ask for: one more than a table shows tells that there are more."""
    return most or (rows.TABLE_ROWS + 1 if style == "table" else None)


def print_found(
    found: Generator[Resource, None, None],
    tick: Callable[[Iterable[Resource]], Iterator[Resource]],
    style: str,
    resource_type: str,
    *,
    most: int | None,
    included: bool,
) -> None:
    """Print what a search finds, and say on stderr when there is more, or nothing.

    Args:
        found: closed in any case; for a table with all that came along, which names the matches.
        tick: counts what passes, as `progress` gives it.
        style: one of `rows.FORMATS`.
        resource_type: of the search; empty where it has several.
        most: what ``--max`` said.
        included: print what came along, too.
    """
    with contextlib.closing(found), counted(found, resource_type) as passing:
        if style == "table":
            count, more = _as_table(tick(passing), rows.TABLE_ROWS if most is None else None, included=included)
        else:
            count, more = rows.write(tick(passing), style, resource_type="" if included else resource_type), False
    if more:
        sys.stderr.write(f"The first {count} are shown, there are more: --max N, or --format ndjson for all.\n")
    elif count == 0:
        sys.stderr.write("Nothing was found.\n")


def _as_table(found: Iterable[Resource], shown: int | None, *, included: bool) -> tuple[int, bool]:
    """Print the matches, named by all that came along, and that too when it is wanted.

    Returns:
        How many were printed, and whether there are more.
    """
    everything = list(found)
    matches = [each for each in everything if each.mode != "include"]
    listed = matches[:shown] + [each for each in everything if included and each.mode == "include"]
    return table.write(listed, Pool(everything)), shown is not None and len(matches) > shown
