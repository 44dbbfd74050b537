"""The API key of the Annuaire Santé's FHIR gateway: what one looks like, and where it comes from."""

from __future__ import annotations

import re
from typing import Final

from ror_sante.errors import ConfigurationError
from ror_sante.settings import Secret

KEY_HEADER: Final = "ESANTE-API-KEY"  # annuaire-sante-fhir-documentation, page "api-basics"
_KEY: Final = re.compile(r"[!-9;-~]{8,512}")  # visible ASCII but for the colon of a header


def checked_key(key: str) -> Secret:
    """Take a key as a text that does not show itself.

    Raises:
        ConfigurationError: it is none; the message does not hold it.
    """
    if not _KEY.fullmatch(key):
        raise ConfigurationError(
            "the API key of the Annuaire Santé is not one word of visible ASCII characters",
            hint=f"The file of annuaire.api_key_file holds the key alone on one line, without {KEY_HEADER}: before it.",
        )
    return Secret(key)


def no_key() -> ConfigurationError:
    """Make the error for a gateway that is called without a key."""
    return ConfigurationError(
        "there is no API key for the FHIR gateway: annuaire.api_key_file is missing",
        hint="Subscribe an application to the API « Annuaire Santé en libre accès » on "
        "https://portal.api.esante.gouv.fr, and put its key alone in a file that only you can read.",
    )
