"""The road of a CSR: you made the key, and only your certificate came back.

The server trusts the root alone, so the intermediate must travel with your certificate. For the real IGC-Santé the
package adds its own copy of ACI-EL-ORG. For any other authority you add the file yourself, as here.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante import ClientIdentity, NationalRorClient, Simulator

with tempfile.TemporaryDirectory() as folder, Simulator() as simulator:
    issued = simulator.pki.client("CLIENT_WS_RORN")
    key, certificate, intermediate = (Path(folder) / name for name in ("client.key", "client.cer", "ACI.cer"))
    key.write_bytes(issued.key_pem("a passphrase"))
    certificate.write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    intermediate.write_bytes(simulator.pki.intermediate.certificate.public_bytes(Encoding.DER))

    alone = ClientIdentity.from_pem(certificate, key, "a passphrase")
    for finding in alone.verify(simulator.anchor, at=datetime.now(UTC)):
        print(f"{finding.code}: {finding.message}")

    whole = alone.with_intermediates(intermediate)
    print("with the intermediate the chain is complete:", len(whole.chain), "certificates are pushed")

    with NationalRorClient(
        simulator.environment,
        whole,
        client_id=simulator.client_id,
        profile=simulator.profile,
        role=simulator.role,
    ) as ror:
        print("FHIR", ror.metadata()["fhirVersion"], "answers")
    print("the server received:", *simulator.received_chain, sep="\n  ")
