"""Settings as typed values: flags, then ``ROR_SANTE_*`` variables, then one TOML file, then defaults."""

from __future__ import annotations

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
