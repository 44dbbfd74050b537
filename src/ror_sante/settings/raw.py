"""Change the settings while they are still plain tables, as TOML gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ror_sante.errors import ConfigurationError
from ror_sante.settings.explaining import kind_of
from ror_sante.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

# Two ways to say the same thing: the one that ranks higher replaces the other.
_INSTEAD: Final[Mapping[str, tuple[str, ...]]] = {
    "identity.p12": ("certificate", "key"),
    "identity.certificate": ("p12",),
    "identity.passphrase": ("passphrase_file",),
    "identity.passphrase_file": ("passphrase",),
}


def replace(raw: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at its key, and drop those it stands in place of."""
    put(raw, key, value)
    for other in _INSTEAD.get(key, ()):
        table(raw, "identity").pop(other, None)


def put(raw: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at its dotted key."""
    above, _, last = key.rpartition(".")
    table(raw, above)[last] = Secret(value) if last == "passphrase" else value


def table(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """Give the table of that name, made when it is not there.

    Raises:
        ConfigurationError: what stands there is no table.
    """
    for name in filter(None, key.split(".")):
        inner = raw.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"{name}: expected a table, got {kind_of(inner)}", hint=f"Write it as [{key}].")
        raw = inner
    return raw
