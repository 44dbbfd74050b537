"""Renew the certificate under a running program: the file is replaced, and no call fails.

It runs in a simulator of its own, which plays the authority too. In your program the one line that counts is
``IdentitySource``; a client made by ``NationalRorClient.from_settings`` has it already.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ror_sante import IdentitySource, NationalRorClient, Simulator, SimulatorPki

PASSPHRASE = "throw-away"  # noqa: S105  of a certificate that lives as long as this program


def put(path: Path, content: bytes) -> None:
    """Replace a file by a rename: nobody reads half of it."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    beside.chmod(0o600)
    beside.replace(path)


pki = SimulatorPki.create()
with tempfile.TemporaryDirectory() as folder, Simulator(pki, size=50) as simulator:
    path = Path(folder) / "client.p12"
    put(path, pki.p12(pki.client(), PASSPHRASE))
    source = IdentitySource.from_p12(path, PASSPHRASE)
    with NationalRorClient(
        simulator.environment, source, client_id=simulator.client_id, profile=simulator.profile, role=simulator.role
    ) as ror:
        print("first certificate:", len(list(ror.search("HealthcareService", max_results=10))), "services")
        put(path, pki.p12(pki.client(), PASSPHRASE))  # the same subject DN, another key
        time.sleep(1.1)  # the file is looked at once a second
        print("second certificate:", len(list(ror.search("HealthcareService", max_results=10))), "services")
    tokens = [seen for seen in simulator.requests if seen.path.endswith("/token")]
    print(f"{len(tokens)} tokens: each certificate has its own")
