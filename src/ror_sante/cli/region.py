"""The option ``--region`` of a copy and of its deltas: a name or a code, checked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ror_sante.api.nos import region_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


def about_regions(command: F) -> F:
    """Add the option: the service answers a region that is none with nothing at all, and that looks like a good end."""
    return click.option(
        "--region",
        "regions",
        multiple=True,
        metavar="REGION",
        callback=lambda _context, _option, given: tuple(map(region_code, given)),
        help="Source region by code or name, such as 11 or Bretagne; repeat it.",
    )(command)
