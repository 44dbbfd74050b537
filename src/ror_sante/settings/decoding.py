"""Turn plain tables into typed settings, and refuse what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ror_sante.environments import Coding
from ror_sante.errors import ConfigurationError, printable
from ror_sante.settings.bench import check_environments
from ror_sante.settings.explaining import explain, kind_of, unknown_key
from ror_sante.settings.files import expanded
from ror_sante.settings.secret import Secret
from ror_sante.settings.tables import EnvironmentSettings, IdentitySettings, RegionSettings
from ror_sante.settings.whole import Settings


def decode(raw: dict[str, Any], *, folder: Path, source: Path | None) -> Settings:
    """Make settings of plain tables.

    Args:
        raw: the tables; they are used up.
        folder: where relative paths start.
        source: the file they came from, or None.

    Raises:
        ConfigurationError: an unknown key, a wrong type, or a table that would change a built-in environment.
    """
    identities = _entries(raw, "identities", IdentitySettings, folder=folder)
    environments = _entries(raw, "environments", EnvironmentSettings, folder=folder)
    regions = _regions(raw, folder=folder)
    if "source" in raw:
        unknown_key("", "source", Settings)
    settings: Settings = _convert(raw, Settings, folder=folder, at="")
    check_environments(environments, named=settings.environment, folder=folder)
    return msgspec.structs.replace(
        settings,
        identities=identities,
        environments=environments,
        inter_ror=msgspec.structs.replace(settings.inter_ror, regions=regions),
        source=source,
    )


def _regions(raw: dict[str, Any], *, folder: Path) -> dict[str, RegionSettings]:
    table = raw.get("inter_ror")
    if not isinstance(table, dict):
        return {}
    return _entries(table, "regions", RegionSettings, folder=folder, prefix="inter_ror.")


def _entries(raw: dict[str, Any], key: str, kind: type[Any], *, folder: Path, prefix: str = "") -> dict[str, Any]:
    """Decode a table of tables entry by entry: msgspec would hide the name of the entry in its errors."""
    tables = raw.pop(key, {})
    if not isinstance(tables, dict):
        raise ConfigurationError(
            f"{prefix}{key} must be a table of tables, not {kind_of(tables)}", hint=f"Write [{prefix}{key}.NAME]."
        )
    return {
        name: _convert(value, kind, folder=folder, at=f"{prefix}{key}.{printable(name)}")
        for name, value in tables.items()
    }


def _convert(value: Any, kind: type[Any], *, folder: Path, at: str) -> Any:
    _check_codings(value, at=at)
    try:
        return msgspec.convert(value, kind, dec_hook=lambda wanted, found: _hook(wanted, found, folder=folder))
    except msgspec.ValidationError as error:
        explain(error, kind=kind, at=at)


def _hook(wanted: type[Any], found: Any, *, folder: Path) -> Any:
    """Make what msgspec does not know: a path of the file's folder, and no passphrase at all."""
    if wanted is Secret and not isinstance(found, Secret):
        raise ConfigurationError(
            "a passphrase does not belong in the settings file",
            hint="Put it alone in a file that only you can read, and name that file in passphrase_file.",
        )
    if wanted is Path and isinstance(found, str) and found:
        return folder / expanded(found)
    if isinstance(found, wanted):
        return found
    raise TypeError(f"expected a path, got {kind_of(found)}")


def _check_codings(value: Any, *, at: str) -> None:
    """Refuse unknown keys in `profile` and `role`: msgspec lets them pass in a dataclass."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        where = f"{at}.{key}".lstrip(".")
        if key in {"profile", "role"} and isinstance(inner, dict):
            for name in inner:
                if name not in {"code", "system"}:
                    unknown_key(where, name, Coding)
        else:
            _check_codings(inner, at=where)
