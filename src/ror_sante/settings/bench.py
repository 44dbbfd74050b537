"""Make an `Environment` of a table of the settings, and refuse a name that stands for none."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from ror_sante.environments import BUILT_IN, IGC_SANTE, IGC_SANTE_TEST, WEB_PKI, Environment
from ror_sante.errors import ConfigurationError, printable
from ror_sante.settings.files import expanded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ror_sante.settings.tables import EnvironmentSettings

SIMULATOR: Final = "simulator"


def environment_of(name: str, table: EnvironmentSettings, *, folder: Path) -> Environment:
    """Give the environment that a table describes, its anchor files resolved against `folder`.

    Raises:
        ConfigurationError: an address that cannot be used.
    """
    values = msgspec.structs.asdict(table)
    for key, value in values.items():
        if key.endswith("anchors") and value is not None:
            values[key] = tuple(anchor_word(word, folder=folder) for word in value)
    return Environment(name=name, **values)


def check_environments(tables: Mapping[str, EnvironmentSettings], *, named: str, folder: Path) -> None:
    """Refuse tables that take a reserved name or that describe no environment, and a name that has no table.

    Raises:
        ConfigurationError: one of these.
    """
    for name, table in tables.items():
        if name in BUILT_IN or name == SIMULATOR:
            raise ConfigurationError(
                f"environments.{name}: the name is reserved; its hosts and anchors cannot be changed",
                hint="Give your own environment another name.",
            )
        environment_of(name, table, folder=folder)
    if named not in {*tables, *BUILT_IN, SIMULATOR}:
        no_such_environment(named, own=tables)


def no_such_environment(name: str, *, own: Mapping[str, object]) -> NoReturn:
    """Raise for a name that stands for no environment, with the nearest that does."""
    known = [*BUILT_IN, SIMULATOR, *own]
    near = difflib.get_close_matches(name, known, n=1)
    raise ConfigurationError(
        f"unknown environment {printable(name, 60)!r}; there are {', '.join(known)}",
        hint=f"Did you mean {near[0]}?" if near else f"Describe it in a table [environments.{printable(name, 60)}].",
    )


def anchor_word(word: str, *, folder: Path) -> str:
    """Give the word of an anchor, or the path of its file, which starts at `folder`."""
    return word if word in {IGC_SANTE, IGC_SANTE_TEST, WEB_PKI} else str(folder / expanded(word))
