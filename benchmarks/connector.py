"""Open connections, or build contexts, in one process: ways in turn, round after round; prints one JSON line.

python connector.py handshakes|contexts URL FOLDER ROUNDS CALLS

FOLDER holds root.pem, client.pem and client.p12.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from client import PASSPHRASE, Job

if TYPE_CHECKING:
    from collections.abc import Callable

Rounds = dict[str, list[float]]


def handshakes(job: Job, rounds: int, calls: int) -> Rounds:
    """Open new connections by plain requests, by ours in full, and by ours resumed."""
    from ror_sante import ClientIdentity, TrustAnchor
    from ror_sante.tls.adapter import Origin, PinnedAdapter
    from ror_sante.tls.context import build_context
    from ror_sante.tls.outgoing import Outgoing
    from ror_sante.tls.resumption import Place

    identity = ClientIdentity.from_p12(job.folder / "client.p12", PASSPHRASE)
    context = build_context(identity, TrustAnchor.from_file(job.root))
    origin = Origin.of(job.url)
    adapter = PinnedAdapter(context, [origin])

    def resumed() -> None:
        answer = adapter.open(Outgoing("GET", job.url, {"Connection": "close"}), timeout=(5, 5))
        assert answer.read() == b"ok"

    def full() -> None:
        context.forget(Place(origin.host, origin.port))
        resumed()

    ways = {"requests": _by_requests(job), "full": full, "resumed": resumed}
    for way in ways.values():
        way()
    return _in_turn(ways, rounds, calls)


def _by_requests(job: Job) -> Callable[[], None]:
    import requests
    from client import adapter_with

    def ask() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", adapter_with(context))
            assert session.get(job.url, timeout=5).content == b"ok"

    context = job.context()
    return ask


def contexts(job: Job, rounds: int, calls: int) -> Rounds:
    """Build contexts from an open identity, by ours and by two anonymous pipes without any check."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from ror_sante import ClientIdentity, TrustAnchor
    from ror_sante.tls.context import build_context

    started = time.perf_counter()
    identity = ClientIdentity.from_p12(job.folder / "client.p12", PASSPHRASE)
    opening = (time.perf_counter() - started) * 1000
    anchor = TrustAnchor.from_file(job.root)

    def pipes() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=anchor.der)
        key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        ends = [_filled(b"".join(one.public_bytes(Encoding.PEM) for one in identity.chain)), _filled(key)]
        context.load_cert_chain(*(f"/dev/fd/{end}" for end in ends))
        for end in ends:
            os.close(end)

    written: list[float] = []
    sys.addaudithook(lambda event, found: written.append(1) if _writes(event, found) else None)
    found = _in_turn({"ours": lambda: build_context(identity, anchor), "pipes": pipes}, rounds, calls)
    return found | {"opening": [opening], "files": written}


def _writes(event: str, found: tuple[object, ...]) -> bool:
    """Tell whether an audit event opens a file of the disk for writing."""
    return event == "open" and isinstance(found[2], int) and bool(found[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _filled(data: bytes) -> int:
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    return reader


def _in_turn(ways: dict[str, Callable[[], object]], rounds: int, calls: int) -> Rounds:
    """Call each way in turn; give the median time, and the CPU time, of each round in milliseconds."""
    found: Rounds = defaultdict(list)
    for _ in range(rounds):
        for name, way in ways.items():
            times, cpu = [], time.process_time()
            for _ in range(calls):
                started = time.perf_counter()
                way()
                times.append((time.perf_counter() - started) * 1000)
            found[name].append(median(times))
            found[f"{name} CPU"].append((time.process_time() - cpu) * 1000 / calls)
    return found


if __name__ == "__main__":
    what, url, folder, rounds, calls = sys.argv[1:]
    measured = {"handshakes": handshakes, "contexts": contexts}[what](
        Job(f"{url}/", 1, 0, Path(folder)), int(rounds), int(calls)
    )
    print(json.dumps(measured))
