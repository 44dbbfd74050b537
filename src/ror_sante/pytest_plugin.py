"""Fixtures for test suites of health applications: a running simulator, its certificates, a client that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

# Nothing else is imported here: pytest loads this module in every run of every project that has the package.
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.api.national import NationalRorClient
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.simulator.pki import SimulatorPki
    from ror_sante.simulator.server import Simulator


@pytest.fixture(scope="session")
def ror_pki() -> SimulatorPki:
    """A throw-away certification tree in the shape of IGC-Santé."""
    from ror_sante.simulator.pki import SimulatorPki

    return SimulatorPki.create()


@pytest.fixture(scope="session")
def ror_simulator_options() -> dict[str, Any]:
    """The arguments of `ror_sante.Simulator`; define it again in a conftest.py to change them."""
    return {}


@pytest.fixture(scope="session")
def _ror_simulator_of_the_session(ror_pki: SimulatorPki, ror_simulator_options: dict[str, Any]) -> Iterator[Simulator]:
    simulator = _simulator_class()(ror_pki, **ror_simulator_options)
    yield simulator
    simulator.stop()


@pytest.fixture
def ror_simulator(_ror_simulator_of_the_session: Simulator) -> Iterator[Simulator]:
    """The running simulator: one a session (and a worker of xdist), reset before and after each test."""
    simulator = _ror_simulator_of_the_session
    if not simulator.running:
        simulator.start()
    simulator.reset()
    yield simulator
    simulator.reset()


@pytest.fixture
def ror_identity(ror_simulator: Simulator) -> ClientIdentity:
    """A client certificate that the simulator knows."""
    return ror_simulator.identity


@pytest.fixture
def national_ror(ror_simulator: Simulator, ror_identity: ClientIdentity) -> Iterator[NationalRorClient]:
    """A client of the national ROR that speaks with the simulator."""
    from ror_sante.api.national import NationalRorClient

    with NationalRorClient(
        ror_simulator.environment,
        ror_identity,
        client_id=ror_simulator.client_id,
        profile=ror_simulator.profile,
        role=ror_simulator.role,
    ) as client:
        yield client


def _simulator_class() -> type[Simulator]:
    from ror_sante.errors import ConfigurationError

    try:
        from ror_sante.simulator.server import Simulator
    except ConfigurationError as missing:
        pytest.fail(f"{missing.message}: {missing.hint}", pytrace=False)
    return Simulator
