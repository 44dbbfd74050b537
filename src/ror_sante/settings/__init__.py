"""Settings as typed values: flags, then ``ROR_SANTE_*`` variables, then one TOML file, then defaults.

Each name is imported when it is first asked for: a client that is made by hand needs a `Secret`, and no table.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ror_sante.settings.bench import SIMULATOR
    from ror_sante.settings.loading import audit_file, load_settings
    from ror_sante.settings.places import FILE_NAME, find_file, usual_places
    from ror_sante.settings.regional import RegionalPlace, regional_place
    from ror_sante.settings.remembered import Remembered, forget, open_vault, recall, remember
    from ror_sante.settings.secret import Secret, read_secret
    from ror_sante.settings.tables import (
        AnnuaireSettings,
        DeltaSettings,
        EnvironmentSettings,
        ExportSettings,
        IdentitySettings,
        InterRorSettings,
        NetworkSettings,
        RegionSettings,
        RornSettings,
        Table,
    )
    from ror_sante.settings.variables import PREFIX, VARIABLES
    from ror_sante.settings.whole import Settings

__all__ = [
    "FILE_NAME",
    "PREFIX",
    "SIMULATOR",
    "VARIABLES",
    "AnnuaireSettings",
    "DeltaSettings",
    "EnvironmentSettings",
    "ExportSettings",
    "IdentitySettings",
    "InterRorSettings",
    "NetworkSettings",
    "RegionSettings",
    "RegionalPlace",
    "Remembered",
    "RornSettings",
    "Secret",
    "Settings",
    "Table",
    "audit_file",
    "find_file",
    "forget",
    "load_settings",
    "open_vault",
    "read_secret",
    "recall",
    "regional_place",
    "remember",
    "usual_places",
]

_HOMES = {
    "FILE_NAME": "places",
    "PREFIX": "variables",
    "SIMULATOR": "bench",
    "VARIABLES": "variables",
    "AnnuaireSettings": "tables",
    "DeltaSettings": "tables",
    "EnvironmentSettings": "tables",
    "ExportSettings": "tables",
    "IdentitySettings": "tables",
    "InterRorSettings": "tables",
    "NetworkSettings": "tables",
    "RegionSettings": "tables",
    "RegionalPlace": "regional",
    "Remembered": "remembered",
    "RornSettings": "tables",
    "Secret": "secret",
    "Settings": "whole",
    "Table": "tables",
    "audit_file": "loading",
    "find_file": "places",
    "forget": "remembered",
    "load_settings": "loading",
    "open_vault": "remembered",
    "read_secret": "secret",
    "recall": "remembered",
    "regional_place": "regional",
    "remember": "remembered",
    "usual_places": "places",
}


def __getattr__(name: str) -> object:
    """Import a name from its module, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
