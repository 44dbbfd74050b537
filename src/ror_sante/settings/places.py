"""Find the settings file: the one that is named, else the user's, else the system's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ror_sante.settings.files import expanded

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME: Final = "ror-sante.toml"


def find_file(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path | None:
    """Give the settings file that counts, absolute, or None when there is none.

    A file that was named counts whether it exists or not; reading it tells.
    """
    environ = os.environ if environ is None else environ
    named = path or (Path(environ["ROR_SANTE_CONFIG"]) if environ.get("ROR_SANTE_CONFIG") else None)
    if named is not None:
        return expanded(named).absolute()
    return next((place for place in usual_places() if place.exists()), None)


def usual_places() -> tuple[Path, Path]:
    """Give the two places where the settings file is looked for: the user's, then the system's."""
    import platformdirs  # here: a client that is made without a settings file does not pay for it

    user = platformdirs.user_config_path("ror-sante", appauthor=False)
    system = platformdirs.site_config_path("ror-sante", appauthor=False)
    return user / FILE_NAME, system / FILE_NAME
