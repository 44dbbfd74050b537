"""The tables of the settings file, each a typed value."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  msgspec resolves the annotations
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from ror_sante.environments import IGC_SANTE, WEB_PKI, Coding
from ror_sante.errors import ConfigurationError, printable
from ror_sante.settings.secret import Secret  # noqa: TC001  msgspec resolves the annotations

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Overlap = Annotated[float, msgspec.Meta(ge=0, le=604_800)]  # seconds, up to a week


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the settings file; an unknown key or a wrong type is an error that names the key."""


class IdentitySettings(Table, frozen=True, kw_only=True):
    """Where our certificate lies, and where its passphrase comes from.

    Attributes:
        p12: the P12 file; instead of `certificate` and `key`.
        certificate: a PEM or DER certificate, with `key` beside it.
        key: the private key of `certificate`.
        passphrase_file: a file with the passphrase alone.
        passphrase: from ``ROR_SANTE_IDENTITY_PASSPHRASE`` only; never in a file or an argument.
        next: the P12 that will take over, for a renewal without an outage.
        next_passphrase_file: the passphrase of `next`; None takes what this certificate has.
        intermediates: certificates that neither the P12 nor this package holds.
    """

    p12: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    passphrase_file: Path | None = None
    passphrase: Secret | None = None
    next: Path | None = None
    next_passphrase_file: Path | None = None
    intermediates: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.p12 is not None and (self.certificate is not None or self.key is not None):
            raise ConfigurationError(
                "p12 and certificate/key are both given",
                hint="Keep one of them: a P12, or a certificate and its key.",
            )
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ConfigurationError(f"{missing} is missing", hint="certificate and key are two files, given together.")
        if self.next is None and self.next_passphrase_file is not None:
            raise ConfigurationError("next is missing", hint="next_passphrase_file belongs to a P12 named in next.")

    @property
    def successor(self) -> IdentitySettings | None:
        """The certificate that will take over, or None."""
        if self.next is None:
            return None
        return IdentitySettings(
            p12=self.next,
            passphrase_file=self.next_passphrase_file or self.passphrase_file,
            passphrase=None if self.next_passphrase_file else self.passphrase,
            intermediates=self.intermediates,
        )

    @property
    def locked(self) -> Path | None:
        """The file that the passphrase opens, or None when none is named."""
        return self.p12 or self.key

    @property
    def files(self) -> tuple[Path, ...]:
        """What the identity is read from."""
        named = (self.p12, self.certificate, self.key, self.passphrase_file, *self.intermediates)
        return tuple(file for file in named if file is not None)


class NetworkSettings(Table, frozen=True, kw_only=True):
    """How to reach the services; times in seconds.

    Attributes:
        proxy: ``http://host:port`` of a proxy, or ``environment`` for that of ``HTTPS_PROXY``; None goes direct.
        proxy_user: user name for the proxy.
        proxy_password_file: a file with the proxy's password alone.
        no_proxy: hosts that are reached without the proxy.
        wide_tls12_hosts: hosts whose older TLS 1.2 suites are accepted; names alone, no port.
        lend_intermediates: certificates of authorities, for a server that forgets to send its own; no anchors.
        connect_timeout: longest wait for one connection.
        read_timeout: longest silence of a server.
        deadline: longest time of one call with all its retries.
        calls_per_second: how often a host is called at most.
    """

    proxy: str | None = None
    proxy_user: str | None = None
    proxy_password_file: Path | None = None
    no_proxy: tuple[str, ...] = ()
    wide_tls12_hosts: tuple[str, ...] = ()
    lend_intermediates: tuple[Path, ...] = ()
    connect_timeout: Seconds = 5.0
    read_timeout: Seconds = 30.0
    deadline: Seconds = 120.0
    calls_per_second: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 20.0

    def __post_init__(self) -> None:
        if self.proxy is not None and self.proxy != "environment" and not _is_proxy_url(self.proxy):
            raise ConfigurationError(
                "proxy is not an http:// address with a host and no user name",
                hint="Write http://host:port, and the user in proxy_user and proxy_password_file.",
            )
        for name in self.wide_tls12_hosts:
            if not _is_host(name):
                raise ConfigurationError(
                    f"wide_tls12_hosts names {printable(name, 60)!r}, which is not a host alone",
                    hint="Write the name without https://, port or path, as in an address: host.example.",
                )


class ExportSettings(Table, frozen=True, kw_only=True):
    """What ``$export`` is asked for."""

    type: tuple[str, ...] = ()
    output_format: str | None = None


class DeltaSettings(Table, frozen=True, kw_only=True):
    """How a delta is asked for.

    Attributes:
        overlap: seconds before its start that are asked again.
    """

    overlap: Overlap = 600.0


class RornSettings(Table, frozen=True, kw_only=True):
    """The account at the national ROR, as ANS gave it.

    Attributes:
        client_id: the OAuth 2 client; one an environment and a role.
        identity: name of a table ``[identities.NAME]``; None means ``[identity]``.
        scope: sent only when set.
        client_secret_file: for access profile 0 alone, which has no certificate.
        present_certificate_to_api: show the certificate to the API host too.
        profile: the ``Ror-Profil-Utilisateur-*`` headers.
        role: the ``Ror-Role-Metier-*`` headers.
        links: what to do with a next link of another origin: ``rebase`` it on the configured one, or ``refuse`` it.
        export: what ``$export`` is asked for.
        delta: how a delta is asked for.
    """

    client_id: str | None = None
    identity: str | None = None
    scope: str | None = None
    client_secret_file: Path | None = None
    present_certificate_to_api: bool = True
    profile: Coding | None = None
    role: Coding | None = None
    links: Literal["rebase", "refuse"] = "rebase"
    export: ExportSettings = ExportSettings()
    delta: DeltaSettings = DeltaSettings()


class AnnuaireSettings(Table, frozen=True, kw_only=True):
    """The account at the Annuaire Santé.

    Attributes:
        identity: name of a table ``[identities.NAME]``, for the extraction downloads; None means ``[identity]``.
        api_key_file: a file with the API key of the FHIR gateway alone.
        links: what to do with a next link of another origin: ``rebase`` it on the configured one, or ``refuse`` it.
        calls_per_second: how often the gateway is called at most; 17 is the quota of an application.
        extractions: further open extractions, beside those that the package knows.
        restricted_extractions: further extractions that want our certificate.
    """

    identity: str | None = None
    api_key_file: Path | None = None
    links: Literal["rebase", "refuse"] = "rebase"
    calls_per_second: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 17.0
    extractions: tuple[str, ...] = ()
    restricted_extractions: tuple[str, ...] = ()


class RegionalAccount(Table, frozen=True, kw_only=True):
    """An account of the inter-ROR search, of which nothing need be said twice.

    Attributes:
        protocol: ``fhir``, or ``csd`` for a service that still speaks CSD over SOAP: it is refused, with what to use.
        identity: name of a table ``[identities.NAME]``.
        client_id: the OAuth 2 client.
        client_secret_file: for an access profile that has no certificate.
        token_url: the OAuth 2 token endpoint.
        scope: sent only when set.
        present_certificate_to_api: show the certificate to the API host too.
        profile: the ``Ror-Profil-Utilisateur-*`` headers.
        role: the ``Ror-Role-Metier-*`` headers.
        anchors: the roots of the addresses that this same table names.
    """

    protocol: Literal["fhir", "csd"] | None = None
    identity: str | None = None
    client_id: str | None = None
    client_secret_file: Path | None = None
    token_url: str | None = None
    scope: str | None = None
    present_certificate_to_api: bool | None = None
    profile: Coding | None = None
    role: Coding | None = None
    anchors: tuple[str, ...] | None = None


class RegionSettings(RegionalAccount, frozen=True, kw_only=True):
    """One region of the inter-ROR search; what is None is taken from ``[inter_ror]``, then from ``[rorn]``.

    Attributes:
        base_url: the FHIR base of the region's own service; without it the national service is asked.
    """

    base_url: str | None = None


class InterRorSettings(RegionalAccount, frozen=True, kw_only=True):
    """The account of the inter-ROR search; what is None is taken from ``[rorn]``.

    Attributes:
        regions: what differs in a region, by its INSEE code.
        national: ask the national service for the regions that name no `base_url` of their own.
        dialect: how the national service is told the region: ``tag`` (``_tag``, exposure model 3.0), or
            ``code-region`` (``location:code-region``, exposure model 2.4).
        region_timeout: longest time of one region, in seconds.
        deadline: longest time of the whole search, in seconds.
        at_once: how many regions are asked at the same time.
    """

    regions: dict[str, RegionSettings] = {}
    national: bool = True
    dialect: Literal["tag", "code-region"] = "tag"
    region_timeout: Seconds = 10.0
    deadline: Seconds = 30.0
    at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 18


class EnvironmentSettings(Table, frozen=True, kw_only=True):
    """A place of your own; the attributes are those of `ror_sante.Environment`."""

    token_url: str
    api_url: str
    diffusion_path: str = "/ws-diffusion-fhir"
    annuaire_download_url: str | None = None
    annuaire_fhir_url: str | None = None
    anchors: tuple[str, ...] = (IGC_SANTE,)
    token_anchors: tuple[str, ...] | None = None
    api_anchors: tuple[str, ...] | None = None
    annuaire_download_anchors: tuple[str, ...] | None = None
    annuaire_fhir_anchors: tuple[str, ...] = (WEB_PKI,)


def _is_proxy_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme == "http" and bool(parts.hostname) and parts.username is None


def _is_host(name: str) -> bool:
    try:
        return urlsplit(f"https://{f'[{name}]' if ':' in name else name}").hostname == name.lower() != ""
    except ValueError:
        return False
