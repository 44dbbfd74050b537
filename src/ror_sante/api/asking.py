"""Read which resource type a search asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ror_sante.api.policy import RESOURCE_TYPES
from ror_sante.api.query import Query
from ror_sante.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from ror_sante.api.fhir.search import SearchParams


def type_of(asked: str | Query, params: SearchParams) -> str:
    """Give the resource type of a search, told by itself, by its query, or by both alike.

    Raises:
        ConfigurationError: an unknown type, or two that differ.
    """
    query = asked if isinstance(asked, Query) else params if isinstance(params, Query) else None
    resource_type = asked.resource_type if isinstance(asked, Query) else asked
    check_type(resource_type)
    if isinstance(asked, Query) and params not in ((), asked):
        raise ConfigurationError("a query holds its parameters already", hint="Add them to the query: raw(), param().")
    if query is not None and query.resource_type != resource_type:
        raise ConfigurationError(f"a {type(query).__name__} cannot search {resource_type}")
    return resource_type


def check_type(resource_type: str) -> None:
    """Refuse what is no resource type of the service.

    Raises:
        ConfigurationError: there is no such type.
    """
    if resource_type not in RESOURCE_TYPES:
        raise ConfigurationError(
            f"{printable(resource_type, 60)!r} is no resource type of the national ROR; "
            f"there are {', '.join(sorted(RESOURCE_TYPES))}",
            hint="Names are spelt as in FHIR; for anything else there is request().",
        )
