"""Say what does not fit in the settings: the whole name of the key, what was expected, what to do."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ror_sante.environments import Coding
from ror_sante.errors import ConfigurationError, printable
from ror_sante.settings.tables import (
    AnnuaireSettings,
    DeltaSettings,
    ExportSettings,
    IdentitySettings,
    InterRorSettings,
    NetworkSettings,
    RornSettings,
)

if TYPE_CHECKING:
    import msgspec

_WORDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def kind_of(value: object) -> str:
    """Name the kind of a value as a person would."""
    names = {dict: "a table", list: "a list", bool: "true or false", int: "a whole number", float: "a number"}
    return next((word for kind, word in names.items() if type(value) is kind), "a text")


def explain(error: msgspec.ValidationError, *, kind: type[Any], at: str) -> NoReturn:
    """Turn msgspec's words into ours.

    Args:
        error: what msgspec raised.
        kind: the table that was decoded.
        at: the key of that table, empty for the whole.

    Raises:
        ConfigurationError: always.
    """
    text, _, path = str(error).partition(" - at `$")
    where = f"{at}{path.rstrip('`')}".lstrip(".")
    if isinstance(error.__cause__, ConfigurationError):
        cause = error.__cause__
        raise ConfigurationError(f"{where}: {cause.message}" if where else cause.message, hint=cause.hint) from None
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text, re.DOTALL)
    if unknown:
        unknown_key(where, unknown[1], kind)
    message, hint = _missing(where, text) or _wrong_type(where, text)
    raise ConfigurationError(message, hint=f"{hint}; ror-sante config init shows every key.") from error


def _missing(where: str, text: str) -> tuple[str, str] | None:
    missing = re.fullmatch(r"Object missing required field `(.*)`", text)
    return (f"{where}.{missing[1]} is missing".lstrip("."), "Add it") if missing else None


def _wrong_type(where: str, text: str) -> tuple[str, str]:
    words = re.sub(r"`(\w+)( \| null)?`", lambda m: _WORDS.get(m[1], m[1]), text)
    return f"{where or 'the settings'}: {words[:1].lower()}{words[1:]}", "Mend the value"


def unknown_key(where: str, name: str, kind: type[Any]) -> NoReturn:
    """Raise for a key that no table has, with the nearest that it has.

    Args:
        where: the key of the table that holds it.
        name: the key.
        kind: the table that was decoded.

    Raises:
        ConfigurationError: always.
    """
    for part in where.split("."):
        kind = _inner(kind, part)
    known = _names(kind)
    near = difflib.get_close_matches(name, known, n=1)
    shown = f"{where}.{printable(name, 60)}".lstrip(".")
    raise ConfigurationError(
        f"unknown key {shown} in the settings",
        hint=f"Did you mean {near[0]}?" if near else f"The keys there are: {', '.join(known)}.",
    ) from None


def _names(kind: type[Any]) -> tuple[str, ...]:
    names = ("code", "system") if kind is Coding else kind.__struct_fields__
    return tuple(name for name in names if name not in {"source", "passphrase"})


_TABLES: Final[dict[str, type[Any]]] = {
    "identity": IdentitySettings,
    "network": NetworkSettings,
    "rorn": RornSettings,
    "annuaire": AnnuaireSettings,
    "inter_ror": InterRorSettings,
    "delta": DeltaSettings,
    "export": ExportSettings,
    "profile": Coding,
    "role": Coding,
}


def _inner(kind: type[Any], part: str) -> type[Any]:
    """Follow a key into its table; a key that is no table leads nowhere else."""
    return _TABLES.get(part, kind)
