"""Everything that may be set, as one value: the account, the certificates, the network, the places."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ror_sante.environments import BUILT_IN, Environment
from ror_sante.errors import ConfigurationError, printable
from ror_sante.settings.bench import SIMULATOR, environment_of, no_such_environment
from ror_sante.settings.tables import (
    AnnuaireSettings,
    EnvironmentSettings,
    IdentitySettings,
    InterRorSettings,
    NetworkSettings,
    RornSettings,
    Table,
)


class Settings(Table, frozen=True, kw_only=True):
    """Everything that may be set; `load_settings` makes it.

    Attributes:
        environment: ``production``, ``bac-a-sable``, ``simulator`` or the name of a table in `environments`.
        audit: the file that gets a line about each run of the command, or None.
        identity: the default certificate, or None.
        identities: further certificates by name.
        network: proxy and time limits.
        rorn: the account at the national ROR.
        annuaire: the account at the Annuaire Santé.
        inter_ror: the account of the inter-ROR search.
        environments: places of your own, by name.
        source: the file that was read, or None.
    """

    environment: str = "bac-a-sable"
    audit: Path | None = None
    identity: IdentitySettings | None = None
    identities: dict[str, IdentitySettings] = msgspec.field(default_factory=dict)
    network: NetworkSettings = NetworkSettings()
    rorn: RornSettings = RornSettings()
    annuaire: AnnuaireSettings = AnnuaireSettings()
    inter_ror: InterRorSettings = InterRorSettings()
    environments: dict[str, EnvironmentSettings] = msgspec.field(default_factory=dict)
    source: Path | None = None

    def resolve_environment(self) -> Environment:
        """Give the environment that is named: a constant of the package, or a table of the file.

        Raises:
            ConfigurationError: there is none of that name, or it is the simulator, which only the command starts.
        """
        if self.environment == SIMULATOR:
            raise ConfigurationError(
                "the environment 'simulator' exists only while something runs it",
                hint="Use the command with --env simulator, or ror_sante.Simulator and its .environment.",
            )
        table = self.environments.get(self.environment)
        if table is None:
            if self.environment in BUILT_IN:
                return Environment.named(self.environment)
            no_such_environment(self.environment, own=self.environments)
        return environment_of(self.environment, table, folder=self.folder)

    def identity_for(self, service: str) -> IdentitySettings:
        """Give the certificate of a service: the one its table names, else ``[identity]``.

        Args:
            service: ``rorn``, ``inter_ror`` or ``annuaire``.

        Raises:
            ConfigurationError: no certificate is configured, or the name has no table.
        """
        name = {
            "rorn": self.rorn.identity,
            "inter_ror": self.inter_ror.identity or self.rorn.identity,
            "annuaire": self.annuaire.identity,
        }[service]
        return self.identity_named(name, by=service)

    def identity_named(self, name: str | None, *, by: str) -> IdentitySettings:
        """Give a certificate by the name of its table, or ``[identity]`` for None.

        Args:
            name: of a table ``[identities.NAME]``.
            by: the table that names it, for the message.

        Raises:
            ConfigurationError: no certificate is configured, or the name has no table.
        """
        return self._default_identity() if name is None else self._named_identity(name, by)

    @property
    def folder(self) -> Path:
        """Where relative paths start: the folder of the file, else the current one."""
        return self.source.parent if self.source else Path.cwd()

    def _named_identity(self, name: str, service: str) -> IdentitySettings:
        if name in self.identities:
            return self.identities[name]
        known = ", ".join(self.identities) or "none is described"
        raise ConfigurationError(
            f"{service}.identity names {printable(name)!r}, which has no table; there: {known}",
            hint=f"Add a table [identities.{printable(name)}] with its p12.",
        )

    def _default_identity(self) -> IdentitySettings:
        if self.identity is None or (self.identity.p12 is None and self.identity.certificate is None):
            raise ConfigurationError(
                "no certificate is configured",
                hint="Name the P12 in [identity] p12 of the settings file, or in ROR_SANTE_IDENTITY_P12.",
            )
        return self.identity
