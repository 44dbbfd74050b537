"""Choose regions by name, by INSEE code, or all eighteen; and tell the national service which one is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from ror_sante.api import nos
from ror_sante.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

Dialect: TypeAlias = Literal["tag", "code-region"]

ALL: Final = "all"
# The FHIR guide of exposure model 2.4: Location has code-region, and the other types reach it by a chain that is
# written with a colon there, where FHIR has a dot.
_CODE_REGION: Final = {"Location": "code-region", "HealthcareService": "location:code-region"}


def chosen(regions: str | Iterable[str]) -> tuple[str, ...]:
    """Give the codes of the regions that are meant, each once, in the order of the codes.

    Args:
        regions: ``all``, a name, a code, several of them with commas between, or an iterable of these.

    Raises:
        ConfigurationError: none is named, or one that is no region.

    >>> chosen("Bretagne,01")
    ('01', '53')
    """
    words = [regions] if isinstance(regions, str) else list(regions)
    parts = [part for word in words for part in _parts(word)]
    if not parts:
        raise ConfigurationError("no region is named", hint='Name some, such as "11,Bretagne", or "all".')
    codes = {code for part in parts for code in (nos.REGIONS if part == ALL else (nos.region_code(part),))}
    return tuple(sorted(codes))


def region_filter(region: str, resource_type: str, dialect: Dialect) -> tuple[str, str]:
    """Give the search parameter that keeps the national service to one region.

    Args:
        region: its code.
        resource_type: of the search.
        dialect: ``tag`` for exposure model 3.0, ``code-region`` for 2.4.

    Raises:
        ConfigurationError: the dialect has no such parameter for this type.
    """
    if dialect == "tag":
        return "_tag", nos.region_token(region)
    if resource_type not in _CODE_REGION:
        raise ConfigurationError(
            f"the dialect code-region has no region filter for {resource_type}",
            hint='It is documented for HealthcareService and Location; with dialect = "tag" every type has one.',
        )
    return _CODE_REGION[resource_type], region


def check_untold(params: Iterable[tuple[str, str]]) -> None:
    """Refuse a search that names its region itself: it would contradict the regions that are asked.

    Raises:
        ConfigurationError: one of its parameters does.
    """
    for name, _ in params:
        if name == "_tag" or name in _CODE_REGION.values():
            raise ConfigurationError(
                f"the regions of an inter-ROR search are said once, in regions, and not by {name}",
                hint=f"Leave {name} out of the parameters.",
            )


def _parts(word: object) -> list[str]:
    if not isinstance(word, str):
        nos.region_code(word)  # type: ignore[arg-type]  # it refuses what is no text, and says why
    # "Provence-Alpes-Côte d'Azur" and its kin hold no comma.
    return [part.strip() for part in str(word).split(",") if part.strip()]
