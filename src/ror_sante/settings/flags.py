"""Lay the flags of the command over the file and the variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ror_sante.settings.files import expanded
from ror_sante.settings.raw import put, replace, table

if TYPE_CHECKING:
    from pathlib import Path


def lay_flags(
    raw: dict[str, Any],
    *,
    environment: str | None,
    p12: Path | None,
    passphrase_file: Path | None,
    timeout: float | None,
) -> None:
    """Lay the flags over what the file and the variables said.

    Args:
        raw: the settings so far, which are changed.
        environment: ``--env``.
        p12: ``--p12``.
        passphrase_file: ``--passphrase-file``.
        timeout: ``--timeout``, in seconds.
    """
    if environment is not None:
        raw["environment"] = environment
    if p12 is not None:
        _use_p12(raw, p12)
    if passphrase_file is not None:
        replace(raw, "identity.passphrase_file", expanded(passphrase_file).absolute())
    if timeout is not None:
        for name in ("connect_timeout", "read_timeout", "deadline"):
            put(raw, f"network.{name}", float(timeout))


def _use_p12(raw: dict[str, Any], p12: Path) -> None:
    # The configured passphrase file belongs to the configured P12; a variable is meant for this run.
    kept = table(raw, "identity").get("passphrase")
    raw["identity"] = {"p12": expanded(p12).absolute()} | ({"passphrase": kept} if kept else {})
    _forget_named_identities(raw)


def _forget_named_identities(raw: dict[str, Any]) -> None:
    """Let ``--p12`` win over ``identity = "NAME"`` of a service."""
    for service in ("rorn", "inter_ror", "annuaire"):
        if isinstance(raw.get(service), dict):
            raw[service].pop("identity", None)
