"""Against real front ends the first cause is the true one, every time, and no wrong one is certain."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ror_sante.diagnosis import diagnose
from ror_sante.errors import TransportError
from ror_sante.http.exchange import Exchange, Request
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import Timeouts
from ror_sante.pki.identity import ClientIdentity
from ror_sante.tls.adapter import Origin
from ror_sante.tls.probe import probe
from tests.interop.frontends import FRONT_ENDS, PLACES, SERVER_FLAWS
from tests.support.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ror_sante.diagnosis import Cause
    from ror_sante.simulator.pki import SimulatorPki
    from tests.interop.conftest import Identities, Place, Unjudged
    from tests.interop.frontends import Running
    from tests.support.soak import Tell

# A twentieth of the long count.
COUNTS = [5, pytest.param(100, marks=pytest.mark.soak)]
ENOUGH = 0.95
# A busy machine must not look like a server that fell silent.
PATIENT = Timeouts(connect=60, read=60)

OF_CLIENT = {
    "no-intermediate": "intermediate-not-sent",
    "other-authority": "client-other-authority",
    "expired": "client-expired",
    "not-yet-valid": "client-not-yet-valid",
    "wrong-usage": "client-usage",
    "revoked": "client-revoked",
    "none": "client-none-sent",
}
OF_WAY = {
    "box-tls12": ("tls-interception", "medium"),
    "box-tls13": ("tls-interception", "medium"),
    "old-suites": ("tls-cipher", "medium"),
    "old-version": ("tls-version", "high"),
}
OF_SERVER = {
    "other-root": "server-other-authority",
    "wrong-host": "server-name",
    "expired": "server-expired",
    "leaf-only": "server-intermediate-not-sent",
}


class Tally:
    """Counts first causes, and refuses a wrong one that is certain."""

    def __init__(self, truth: str) -> None:
        self.truth = truth
        self.first: Counter[str] = Counter()

    def take(self, causes: tuple[Cause, ...]) -> None:
        self.first[causes[0].code] += 1
        wrong = [cause for cause in causes if cause.confidence == "high" and cause.code != self.truth]
        assert wrong == []

    def tell(self, soak: Tell, what: str, tried: int) -> None:
        """Ninety-five of a hundred are asked for; how many there were stands in the table."""
        right = self.first[self.truth]
        soak(what, tried=tried, good=tried if right >= ENOUGH * tried else right, first_and_true=right)


def _identity(identities: Identities, flaw: str) -> ClientIdentity | None:
    """Give the flawed identity as an application would hold it."""
    presented = identities.flawed(flaw)
    if presented is None:
        return None
    key = presented.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in presented.chain)
    return ClientIdentity.from_pem(chain, key)


def _errors(unjudged: Unjudged, identity: ClientIdentity | None, url: str, times: int) -> Iterator[TransportError]:
    """Ask through the way that our clients use, by GET and POST in turn, each on a new connection."""
    for turn in range(times):
        exchange = Exchange(unjudged(identity, url), retry=RetryPolicy(), timeout=PATIENT)  # type: ignore[arg-type]  # see Unjudged
        body = bytes(100_000) if turn % 2 else None
        with pytest.raises(TransportError) as refused:
            exchange.send(Request("POST" if body else "GET", f"{url}/echo", {}, body=body))
        yield refused.value


@pytest.mark.parametrize("times", COUNTS)
@pytest.mark.parametrize("flaw", OF_CLIENT)
def test_a_refused_call_is_told_by_its_cause(
    place: Place, unjudged: Unjudged, identities: Identities, pki: SimulatorPki, flaw: str, times: int, soak: Tell
) -> None:
    """Whatever the server says or hides, by an alert or a page, in the handshake or after it."""
    identity, tally = _identity(identities, flaw), Tally(OF_CLIENT[flaw])
    for error in _errors(unjudged, identity, place.url, times):
        tally.take(diagnose(error, identity=identity, anchor=pki.anchor, at=datetime.now(UTC)))

    tally.tell(soak, f"first cause of a refused call: {flaw}, {place.kind}, {place.tls}", times)


@pytest.mark.parametrize("place", [one for one in PLACES if one[0] != "nginx"], indirect=True, ids="-".join)
@pytest.mark.parametrize("times", COUNTS)
@pytest.mark.parametrize("flaw", OF_CLIENT)
def test_a_refused_probe_is_told_by_its_cause(
    place: Place, identities: Identities, pki: SimulatorPki, flaw: str, times: int, soak: Tell
) -> None:
    """With the receipt of a probe, as the smoke test makes it; nginx refuses requests, and a probe sends none."""
    identity, tally = _identity(identities, flaw), Tally(OF_CLIENT[flaw])
    for _ in range(times):
        seen = probe(Origin.of(place.url), identity, [pki.anchor], timeout=PATIENT.connect)
        assert seen.error is not None
        tally.take(diagnose(seen.error, identity=identity, anchor=pki.anchor, at=datetime.now(UTC)))

    tally.tell(soak, f"first cause of a refused probe: {flaw}, {place.kind}, {place.tls}", times)


@pytest.mark.parametrize("times", COUNTS)
@pytest.mark.parametrize("listener", ["tls12", "tls13"])
@pytest.mark.parametrize("flaw", SERVER_FLAWS)
def test_a_flawed_server_is_told_by_its_cause(
    nginx: Running, identity: ClientIdentity, pki: SimulatorPki, flaw: str, listener: str, times: int, soak: Tell
) -> None:
    """The certificates that came decide; another authority is likely, never certain."""
    tally = Tally(OF_SERVER[flaw])
    for _ in range(times):
        seen = probe(Origin.of(nginx.url(f"{flaw}-{listener}")), identity, [pki.anchor], timeout=PATIENT.connect)
        assert seen.error is not None
        tally.take(diagnose(seen.error, identity=identity, anchor=pki.anchor, at=datetime.now(UTC)))

    tally.tell(soak, f"first cause of a server not trusted: {flaw}, nginx, {listener}", times)


@pytest.mark.parametrize("times", COUNTS)
@pytest.mark.parametrize("kind", FRONT_ENDS)
@pytest.mark.parametrize("listener", ["tls12", "tls13"])
@pytest.mark.parametrize("flaw", SERVER_FLAWS)
def test_a_call_to_a_flawed_server_is_told_by_its_cause(
    front_ends: Mapping[str, Running],
    unjudged: Unjudged,
    identity: ClientIdentity,
    pki: SimulatorPki,
    flaw: str,
    listener: str,
    kind: str,
    times: int,
    soak: Tell,
) -> None:
    """The receipt of the call's own connection tells what a probe would: nobody needs to look again."""
    tally, url = Tally(OF_SERVER[flaw]), front_ends[kind].url(f"{flaw}-{listener}")
    for error in _errors(unjudged, identity, url, times):
        tally.take(diagnose(error, identity=identity, anchor=pki.anchor, at=datetime.now(UTC)))

    tally.tell(soak, f"first cause of a call to a server not trusted: {flaw}, {kind}, {listener}", times)


@pytest.mark.parametrize("times", COUNTS)
@pytest.mark.parametrize("way", ["probe", "call"])
@pytest.mark.parametrize("listener", OF_WAY)
def test_what_stands_in_the_way_is_told_by_its_cause(
    nginx: Running,
    unjudged: Unjudged,
    identity: ClientIdentity,
    pki: SimulatorPki,
    listener: str,
    way: str,
    times: int,
    soak: Tell,
) -> None:
    """A box that opens TLS, suites of before 2015 and TLS 1.1, by the smoke test's probe and by a call of a client."""
    truth, sure = OF_WAY[listener]
    url, tally = nginx.url(listener), Tally(truth)
    for error in _errors(unjudged, identity, url, times) if way == "call" else _probed(url, identity, pki, times):
        causes = diagnose(error, identity=identity, anchor=pki.anchor, at=datetime.now(UTC))
        tally.take(causes)
        assert (causes[0].code, causes[0].confidence) == (truth, sure)

    tally.tell(soak, f"first cause of what stands in the way: {listener}, {way}", times)


@pytest.mark.parametrize("times", COUNTS)
def test_a_server_with_a_weak_key_is_told_by_its_cause(
    openssl: str,
    tmp_path: Path,
    unjudged: Unjudged,
    identity: ClientIdentity,
    pki: SimulatorPki,
    times: int,
    soak: Tell,
) -> None:
    """OpenSSL's own server, told to accept RSA of 1024 bits; we do not."""
    tally = Tally("tls-weak")
    with _weak_server(openssl, tmp_path, pki) as url:
        for error in _errors(unjudged, identity, url, times):
            tally.take(diagnose(error, identity=identity, anchor=pki.anchor, at=datetime.now(UTC)))

    tally.tell(soak, "first cause of a server with a weak key, openssl s_server", times)


def _probed(url: str, identity: ClientIdentity, pki: SimulatorPki, times: int) -> Iterator[BaseException]:
    for _ in range(times):
        seen = probe(Origin.of(url), identity, [pki.anchor], timeout=PATIENT.connect)
        assert seen.error is not None
        yield seen.error


@contextlib.contextmanager
def _weak_server(openssl: str, folder: Path, pki: SimulatorPki) -> Iterator[str]:
    issued = pki.server(key=rsa.generate_private_key(65537, 1024))
    (folder / "weak.pem").write_bytes(issued.pem_chain() + issued.key_pem())
    port, pem = free_port(), str(folder / "weak.pem")
    weak = ["-cert", pem, "-cert_chain", pem, "-key", pem, "-cipher", "ALL:@SECLEVEL=0", "-quiet"]
    with subprocess.Popen([openssl, "s_server", "-accept", f"127.0.0.1:{port}", *weak]) as server:
        try:
            until(lambda: _accepts(port))
            yield f"https://localhost:{port}"
        finally:
            server.terminate()


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False
