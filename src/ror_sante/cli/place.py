"""Open the place that a verb works with: the configured environment, or a simulator started for it."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ror_sante.api.national import NationalRorClient
from ror_sante.cli.audit import note, note_place
from ror_sante.cli.known import remember
from ror_sante.cli.verb import config_path
from ror_sante.diagnosis.smoke import sources
from ror_sante.errors import ConfigurationError
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import (
    SIMULATOR,
    AnnuaireSettings,
    IdentitySettings,
    NetworkSettings,
    RornSettings,
    Settings,
    load_settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ror_sante.environments import Environment
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.simulator.pki import SimulatorPki
    from ror_sante.simulator.server import Simulator
    from ror_sante.simulator.variants import Variants

# Where certs-test/make.py writes the passphrase of each of its P12.
_BESIDE: Final = "passphrase.txt"


@dataclass(frozen=True)
class Flags:
    """What the command line says about the place.

    Attributes:
        env: ``--env``.
        p12: ``--p12``.
        passphrase_file: ``--passphrase-file``.
        pki: ``--pki``, for the simulator alone.
        timeout: ``--timeout``, in seconds.
    """

    env: str | None = None
    p12: Path | None = None
    passphrase_file: Path | None = None
    pki: Path | None = None
    timeout: float | None = None


@dataclass(frozen=True)
class Place:
    """A place that is open.

    Attributes:
        settings: the account and the network.
        environment: the addresses and anchors.
        source: takes a service (``rorn``, ``inter-ror``, ``annuaire``) and gives where its certificate comes from,
            which a long job follows; None for access profile 0.
    """

    settings: Settings
    environment: Environment
    source: Callable[[str], IdentitySource | None]

    @contextlib.contextmanager
    def national(self) -> Iterator[NationalRorClient]:
        """Open the national ROR; the audit line names the certificate that was in force at the end."""
        with NationalRorClient.from_settings(
            self.settings, identity=self.source("rorn"), environment=self.environment
        ) as client:
            try:
                yield client
            finally:
                if client.identity is not None:
                    note(certificate=client.identity.thumbprint)


def settings_of(flags: Flags) -> Settings:
    """Read the settings with the flags laid over them."""
    return load_settings(
        config_path(),
        environment=flags.env,
        p12=flags.p12,
        passphrase_file=flags.passphrase_file,
        timeout=flags.timeout,
    )


@contextlib.contextmanager
def opened(flags: Flags) -> Iterator[Place]:
    """Open the place, and close it afterwards.

    Raises:
        ConfigurationError: settings that do not work, or the extra of the simulator is missing.
    """
    settings = settings_of(flags)
    if settings.environment == SIMULATOR:
        with simulator(flags.pki) as running:
            yield _noted(_simulated(running, settings, flags))
        return
    if flags.pki is not None:
        raise ConfigurationError("--pki goes with --env simulator", hint="Elsewhere the anchors are in the settings.")
    yield _noted(Place(settings, settings.resolve_environment(), sources(settings, ask=asking())))


def _noted(place: Place) -> Place:
    """Let the audit line, and the causes of a failure, say where the run went and with which certificate."""
    note_place(place.environment)
    remember(environment=place.environment)

    def noting(service: str) -> IdentitySource | None:
        found = place.source(service)
        return None if found is None else _noting(found)

    return replace(place, source=noting)


def _noting(source: IdentitySource) -> IdentitySource:
    """Note what is opened; the next certificate is noted when it has taken over."""

    def load() -> ClientIdentity:
        identity = source.load()
        note(certificate=identity.thumbprint)
        remember(identity=identity)
        return identity

    return IdentitySource(load, files=source.files, successor=source.successor)


def _simulated(running: Simulator, settings: Settings, flags: Flags) -> Place:
    """Take account and certificate from the simulator; those of the file belong elsewhere."""
    table = _throw_away(flags, settings) if flags.p12 is not None else None
    network = NetworkSettings() if flags.timeout is None else settings.network
    place = Settings(
        environment=SIMULATOR,
        identity=table,
        network=msgspec.structs.replace(network, proxy=None),
        rorn=RornSettings(client_id=running.client_id, profile=running.profile, role=running.role),
        annuaire=AnnuaireSettings(api_key_file=running.api_key_file),
    )

    def registered(identity: ClientIdentity) -> ClientIdentity:
        running.register(identity)
        return identity

    source = IdentitySource(lambda: running.identity)
    if table is not None:
        source = IdentitySource.from_settings(table, ask=asking()).through(registered)
    return Place(place, running.environment, lambda _service: source)


def _throw_away(flags: Flags, settings: Settings) -> IdentitySettings | None:
    """The P12 of ``--p12``, with the passphrase that lies beside it when nothing else was said."""
    table = settings.identity
    if table is None or flags.p12 is None or table.passphrase_file is not None or table.passphrase is not None:
        return table
    beside = flags.p12.parent / _BESIDE
    return msgspec.structs.replace(table, passphrase_file=beside) if beside.is_file() else table


@contextlib.contextmanager
def simulator(folder: Path | None) -> Iterator[Simulator]:
    """Run a simulator on a free port of this machine.

    Args:
        folder: a PKI that ``certs-test/make.py`` wrote; None makes one.
    """
    made = simulator_class()
    with made(None if folder is None else pki_of(folder)) as running:
        yield running


def simulator_class() -> type[Simulator]:
    """Import the simulator, whose library is an extra.

    Raises:
        ConfigurationError: the extra is missing.
    """
    from ror_sante.simulator.server import Simulator

    return Simulator


def variants_class() -> type[Variants]:
    """Import the switches of the simulator."""
    from ror_sante.simulator.variants import Variants

    return Variants


def pki_of(folder: Path) -> SimulatorPki:
    """Read the PKI of a folder."""
    from ror_sante.simulator.pki import SimulatorPki

    return SimulatorPki.load(folder)


def asking() -> Callable[[str], str] | None:
    """Give what asks for a passphrase, or None when nobody sits there."""
    if not sys.stdin.isatty():
        return None

    def ask(file: str) -> str:
        answer: str = click.prompt(f"Passphrase of {file}", hide_input=True, default="", show_default=False, err=True)
        return answer

    return ask
