"""Lay the table of one region over ``[inter_ror]``, and that over ``[rorn]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ror_sante.environments import check_https
from ror_sante.settings.bench import anchor_word
from ror_sante.settings.tables import RegionSettings

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.environments import Coding, Environment
    from ror_sante.settings.tables import RegionalAccount
    from ror_sante.settings.whole import Settings


@dataclass(frozen=True, kw_only=True)
class RegionalPlace:
    """Where one region is asked, and as whom.

    Attributes:
        name: of the table, such as ``inter_ror.regions.11``.
        protocol: ``fhir`` or ``csd``.
        base_url: the FHIR base of the region's own service; None means the national service.
        token_url: the token endpoint.
        anchors: the roots of `base_url`.
        token_anchors: the roots of `token_url`.
        identity: name of a table ``[identities.NAME]``; None means ``[identity]``.
        client_secret_file: in place of the certificate.
        client_id: the OAuth 2 client, or None when nobody named it.
        scope: sent only when set.
        present_certificate_to_api: show the certificate to the API host too.
        profile: the ``Ror-Profil-Utilisateur-*`` headers.
        role: the ``Ror-Role-Metier-*`` headers.
    """

    name: str
    protocol: str
    base_url: str | None
    token_url: str
    anchors: tuple[str, ...]
    token_anchors: tuple[str, ...]
    identity: str | None
    client_secret_file: Path | None
    client_id: str | None
    scope: str | None
    present_certificate_to_api: bool
    profile: Coding | None
    role: Coding | None


def regional_place(settings: Settings, region: str, environment: Environment) -> RegionalPlace:
    """Tell where a region is asked.

    Trust goes with the address: `anchors` of a table stand for the addresses that this table names. An address that
    is taken from elsewhere keeps the trust that it has there. Likewise the nearest table that names a certificate or a
    secret decides which of the two is used.

    Args:
        settings: with the tables.
        region: name of its table under ``[inter_ror.regions]``, which need not exist; empty for none.
        environment: the national service.

    Raises:
        ConfigurationError: an address that is no https address.
    """
    own = settings.inter_ror.regions.get(region, RegionSettings())
    name = f"inter_ror.regions.{region}" if region else "inter_ror"
    tables: tuple[RegionalAccount, ...] = (own, settings.inter_ror)
    for at, table in zip((name, "inter_ror"), tables, strict=True):
        for key in ("base_url", "token_url"):
            if getattr(table, key, None) is not None:
                check_https(getattr(table, key), key=f"{at}.{key}")
    token_url, token_anchors = _token(tables, environment, folder=settings.folder)
    account = next((table for table in tables if table.identity or table.client_secret_file), settings.rorn)
    shown = _first("present_certificate_to_api", *tables, settings.rorn)
    return RegionalPlace(
        name=name,
        protocol=_first("protocol", *tables) or "fhir",
        base_url=own.base_url,
        token_url=token_url,
        anchors=_anchors(tables, folder=settings.folder) or environment.api_anchors or environment.anchors,
        token_anchors=token_anchors,
        identity=account.identity,
        client_secret_file=account.client_secret_file,
        client_id=_first("client_id", *tables, settings.rorn),
        scope=_first("scope", *tables, settings.rorn),
        present_certificate_to_api=shown,
        profile=_first("profile", *tables, settings.rorn),
        role=_first("role", *tables, settings.rorn),
    )


def _first(key: str, *tables: Any) -> Any:
    """Give what the nearest table says."""
    return next((value for table in tables if (value := getattr(table, key)) is not None), None)


def _token(
    tables: tuple[RegionalAccount, ...], environment: Environment, *, folder: Path
) -> tuple[str, tuple[str, ...]]:
    """Give the token endpoint with the roots of the table that names it."""
    national = environment.token_anchors or environment.anchors
    for number, table in enumerate(tables):
        if table.token_url is not None:
            return table.token_url, _anchors(tables[number:], folder=folder) or national
    return environment.token_url, national


def _anchors(tables: tuple[RegionalAccount, ...], *, folder: Path) -> tuple[str, ...]:
    words = next((table.anchors for table in tables if table.anchors), ())
    return tuple(anchor_word(word, folder=folder) for word in words)
