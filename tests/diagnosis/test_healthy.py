"""What is in order raises no warning and brings no cause, however often it is looked at."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ror_sante.diagnosis import diagnose
from ror_sante.diagnosis.accidents import client_chain, detour, server_chain
from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.smoke import SmokeTest
from ror_sante.settings import NetworkSettings
from ror_sante.tls.probe import probe

if TYPE_CHECKING:
    from ror_sante.settings import RornSettings
    from ror_sante.simulator.server import Simulator
    from tests.support.soak import Tell

FULL = pytest.mark.soak


@pytest.mark.parametrize("runs", [5, pytest.param(1000, marks=FULL)])
def test_healthy_runs_of_the_smoke_test_raise_no_warning(
    simulator: Simulator, account: RornSettings, runs: int, soak: Tell
) -> None:
    """Every rung is ok, from the certificate to the clock; each other test of the ladder is such a run up to its fault.

    The fewer runs of the quick suite are no twentieth: those of every other test of the ladder come on top.
    """
    told: Counter[str] = Counter()
    for _ in range(runs):
        simulator.reset()
        report = SmokeTest(
            simulator.environment, lambda: simulator.identity, rorn=account, network=NetworkSettings()
        ).run()
        told.update(f"{one.name}: {one.detail}" for one in report.checks if one.outcome is not Outcome.OK)

    soak("healthy smoke tests without a warning", tried=runs, good=runs - told.total(), rungs_not_ok=told.total())
    assert told == Counter()


@pytest.mark.parametrize("connections", [10, pytest.param(500, marks=FULL)])
def test_healthy_connections_raise_no_warning(serve, pki, version, connections: int, soak: Tell) -> None:
    """Both chains whole, nothing lent, the first address taken: nothing works by accident."""
    origin, identity = serve(version=version).origin, pki.identity()
    found: Counter[str] = Counter()
    for _ in range(connections):
        seen = probe(origin, identity, [pki.anchor])
        if seen.error is not None:
            found.update(cause.code for cause in diagnose(seen.error, identity=identity, anchor=pki.anchor))
        receipt = seen.receipt
        found.update(one.code for one in client_chain(identity, sent=receipt.sent))
        found.update(one.code for one in server_chain("host", receipt.received, [pki.anchor]))
        found.update(one.code for one in detour("host", receipt.tried))

    what = f"healthy connections that raise no warning, {version.name}"
    soak(what, tried=connections, good=connections - found.total(), findings=found.total())
    assert found == Counter()
