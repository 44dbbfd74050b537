"""The names and versions of extractions, and what a server may say of them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Reference "annuaire-sante", section 2: what public programs fetch. The restricted one is for ORG AUTH_CLI holders.
OPEN: Final = (
    "PS_LibreAcces",
    "Extraction_Correspondance_MSSante",
    "Porteurs_CPS_CPF",
    "ExtractionMonoTable_CAT18_ToutePopulation",
)
RESTRICTED: Final = ("Extraction_ProSanteConnect",)

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
# Content-Disposition: attachment; filename=PS_LibreAcces_201808011050.zip - not quoted, and quoted to be sure.
_FILE_NAME: Final = re.compile(r"""filename\s*=\s*"?([^";]{1,300})""", re.IGNORECASE)
_VERSION: Final = re.compile(r"_([0-9]{12}(?:[0-9]{2})?)\.zip", re.IGNORECASE)


@dataclass(frozen=True)
class Names:
    """The extractions that may be asked for.

    Attributes:
        open: those that everybody may fetch.
        restricted: those that want a client certificate.

    Raises:
        ConfigurationError: a name that is none, or that is in both.
    """

    open: tuple[str, ...] = OPEN
    restricted: tuple[str, ...] = RESTRICTED

    def __post_init__(self) -> None:
        for name in (*self.open, *self.restricted):
            if not _NAME.fullmatch(name):
                raise ConfigurationError(
                    f"{printable(name, 60)!r} is no name of an extraction",
                    hint="A name is a word of letters, digits, _ and -, such as PS_LibreAcces.",
                )
        both = set(self.open) & set(self.restricted)
        if both:
            raise ConfigurationError(f"the extraction {min(both)} is named as open and as restricted")

    @classmethod
    def known_and(cls, also_open: Iterable[str] = (), also_restricted: Iterable[str] = ()) -> Names:
        """Give the known names and some more; what is named anew counts as it is named now."""
        more_open, more_restricted = tuple(also_open), tuple(also_restricted)
        return cls(
            open=tuple(dict.fromkeys((*(name for name in OPEN if name not in more_restricted), *more_open))),
            restricted=tuple(
                dict.fromkeys((*(name for name in RESTRICTED if name not in more_open), *more_restricted))
            ),
        )

    def needs_certificate(self, name: str) -> bool:
        """Tell whether an extraction is restricted.

        Raises:
            ConfigurationError: there is none of that name; the hint names the nearest.
        """
        if name in self.restricted:
            return True
        if name in self.open:
            return False
        known = (*self.open, *self.restricted)
        near = difflib.get_close_matches(name, known, n=1)
        more = "One that the Annuaire Santé has and this package does not know is named in [annuaire] of the settings: "
        raise ConfigurationError(
            f"there is no extraction {printable(name, 60)!r}; there are {', '.join(known)}",
            hint=f"Did you mean {near[0]}?" if near else f"{more}extractions, or restricted_extractions.",
        )


def version_of(headers: Mapping[str, str]) -> str:
    """Read the version of a file from the name that the server gives it; nothing else of that name is used.

    Args:
        headers: of an answer.

    Returns:
        The time of its making in Paris, ``YYYYMMDDHHmm`` (with seconds, should they come); empty when it is not told.
    """
    named = _FILE_NAME.search(headers.get("Content-Disposition", ""))
    found = _VERSION.search(named[1]) if named else None
    return found[1] if found else ""


def file_name(name: str, version: str) -> str:
    """Give the name on disk."""
    return f"{name}_{version}.zip"
