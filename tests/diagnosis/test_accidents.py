"""What works by accident is said while it works, shown by real handshakes; what works by right raises no warning."""

from __future__ import annotations

import contextlib
import os
import ssl
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.diagnosis import accidents, reach
from ror_sante.diagnosis.accidents import client_chain, detour, machine_store, needs_old_suites, server_chain
from ror_sante.diagnosis.causes import ACCIDENTS, accident
from ror_sante.diagnosis.ladders.ladder import Ground
from ror_sante.diagnosis.ladders.own import OwnSide
from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.rung import Seen, noticed, ok
from ror_sante.environments import ApplicationService, Environment
from ror_sante.errors import Finding, Severity
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import Settings
from ror_sante.tls.probe import Probe, probe
from tests.support.black_holes import resolve_to, silent_port
from tests.support.tls_servers import TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki

    Serve = Callable[..., TlsServer]


def codes(findings: Sequence[Finding]) -> list[str]:
    assert all(finding.severity is Severity.WARNING and finding.hint for finding in findings)
    return [finding.code for finding in findings]


def leaf_alone(pki: SimulatorPki) -> ClientIdentity:
    issued = pki.client()
    return ClientIdentity.from_pem(issued.certificate.public_bytes(Encoding.PEM), issued.key_pem())


def ders(*certificates) -> tuple[bytes, ...]:
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


# ------------------------------------------------------------------ our chain


def test_a_server_that_is_reached_only_after_an_ipv6_black_hole_is_told(serve: Serve, pki, monkeypatch) -> None:
    """The resolver is patched: IPv6 comes first and does not answer, IPv4 does; in the other order nothing is said."""
    server = serve()
    with silent_port("::1") as (lost, _):
        for addresses, expected in (
            ([lost, ("127.0.0.1", server.port)], ["ipv6-black-hole"]),
            ([("127.0.0.1", server.port), lost], []),
        ):
            resolve_to(monkeypatch, *addresses)
            seen = probe(server.origin, pki.identity(), [pki.anchor], timeout=0.3)
            assert seen.receipt is not None
            assert codes(detour("localhost", seen.receipt.tried)) == expected


def test_a_chain_that_the_trust_store_completed_is_told_from_the_wire(serve: Serve, pki, version) -> None:
    """OpenSSL sends the intermediate that it finds in the store: the server is content, and the file lacks it."""
    identity = leaf_alone(pki)
    seen = probe(serve(version=version).origin, identity, [pki.anchor], lend=[pki.intermediate.certificate])
    assert seen.error is None
    found = client_chain(identity, sent=seen.receipt.sent)

    assert codes(found) == ["chain-from-store"]
    assert "SIMULATEUR AC ELEMENTAIRE ORGANISATIONS went out" in found[0].message


def test_a_chain_of_the_file_is_no_accident(serve: Serve, pki, version) -> None:
    """The same intermediate lent, and in the file too: nothing to say."""
    identity = pki.identity()
    seen = probe(serve(version=version).origin, identity, [pki.anchor], lend=[pki.intermediate.certificate])

    assert client_chain(identity, sent=seen.receipt.sent) == ()


def test_a_chain_that_a_store_would_complete_for_others_is_told(pki) -> None:
    """With the leaf alone in the file, the store that holds the intermediate is named; one without it is not."""
    stores = {"/store.pem": [pki.root.certificate, pki.intermediate.certificate], "/roots": [pki.root.certificate]}
    found = client_chain(leaf_alone(pki), stores=stores)

    assert codes(found) == ["chain-in-store"]
    assert "/store.pem" in found[0].message
    assert client_chain(pki.identity(), stores=stores) == ()


def test_what_cannot_be_read_is_not_judged(pki) -> None:
    """Bytes that are no certificate accuse nobody."""
    assert client_chain(pki.identity(), sent=[b"odd"]) == ()
    assert server_chain("host", [b"odd"], [pki.anchor]) == ()


def test_the_machine_store_is_read_and_never_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pki) -> None:
    """The file that OpenSSL names, if there is one that can be read and is no giant."""
    store = tmp_path / "store.pem"
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(cafile=str(store)))
    assert machine_store() == {}
    store.write_bytes(pki.intermediate.certificate.public_bytes(Encoding.PEM))
    assert machine_store() == {str(store): (pki.intermediate.certificate,)}
    store.write_text("nothing")
    assert machine_store() == {}
    os.truncate(store, 9 * 1024 * 1024)
    assert machine_store() == {}
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(cafile=None))
    assert machine_store() == {}


def test_the_chain_rung_says_which_store_helps_others(monkeypatch: pytest.MonkeyPatch, pki) -> None:
    """A leaf alone fails the rung, and the detail tells why another program works on this machine."""
    stores = {"/store.pem": (pki.intermediate.certificate,)}
    monkeypatch.setattr(accidents, "machine_store", lambda: stores)
    identity = leaf_alone(pki)
    place = Environment(name="p", token_url="https://localhost", api_url="https://localhost")
    ground = Ground(environment=place, settings=Settings(), source=lambda _: None, at=datetime.now(UTC))
    side = OwnSide(
        ground,
        IdentitySource(lambda: identity),
        service=ApplicationService.RORN,
        hosts=[("igc-sante",)],
        own=("igc-sante",),
    )
    seen = {}
    for rung in side.rungs():
        seen[rung.name] = rung.look()

    assert seen["chain"].outcome is Outcome.FAIL
    assert "which stands in /store.pem" in seen["chain"].detail


def test_every_accident_is_told_in_both_languages() -> None:
    """From one table: four texts each, that name the same things; the code is that of both."""
    named = {"names": "AC ← X", "store": "/store.pem", "host": "ror.example", "found": "192.0.2.1", "seconds": "5.0"}
    for code, words in ACCIDENTS.items():
        english, french = accident(code, **named), accident(code, lang="fr", **named)
        assert (english.code, english.severity) == (french.code, french.severity) == (code, Severity.WARNING)
        assert len({english.message, english.hint, french.message, french.hint}) == 4
        for name in named:
            assert (f"{{{name}}}" in words.title_en) == (f"{{{name}}}" in words.title_fr)
        assert "{" not in f"{english.message}{english.hint}{french.message}{french.hint}"


def test_an_accident_speaks_french_when_asked_to(pki) -> None:
    """The same finding, the same certificate named."""
    stores = {"/store.pem": [pki.intermediate.certificate]}
    (found,) = client_chain(leaf_alone(pki), stores=stores, lang="fr")
    assert found.code == "chain-in-store"
    assert found.message.startswith("il manque au fichier SIMULATEUR AC ELEMENTAIRE ORGANISATIONS, qui se trouve dans")


# ------------------------------------------------------------------ the server's chain


def test_a_server_that_needs_a_lent_intermediate_is_told(serve: Serve, pki, version) -> None:
    """It is trusted today thanks to the setting alone; with its intermediate sent there is nothing to say."""
    lend = [pki.intermediate.certificate]
    for chain, expected in ((False, ["server-needs-lent"]), (True, [])):
        server = serve(chain=chain, version=version)
        seen = probe(server.origin, pki.identity(), [pki.anchor], lend=lend)
        assert seen.error is None
        assert codes(server_chain("host", seen.receipt.received, [pki.anchor], lend=lend)) == expected


def test_a_lent_intermediate_of_another_tree_helps_nobody(pki) -> None:
    """What does not complete the chain is not named as what does."""
    received = ders(pki.server().certificate)

    assert server_chain("host", received, [pki.anchor], lend=[pki.foreign.intermediate.certificate]) == ()


def test_a_chain_out_of_order_is_told(pki) -> None:
    """Each issuer must come next; a stranger at the end, or the root, harms nobody."""
    leaf, middle, root = pki.server().certificate, pki.intermediate.certificate, pki.root.certificate
    stranger = pki.foreign.intermediate.certificate

    def told(*chain) -> list[str]:
        return codes(server_chain("host", ders(*chain), [pki.anchor]))

    assert told(leaf, middle, root) == told(leaf, middle, stranger) == told(leaf) == []
    assert told(leaf, stranger, middle) == told(leaf, root, middle) == ["server-chain-disorder"]


# ------------------------------------------------------------------ older suites


@pytest.mark.parametrize(
    ("suites", "needed", "hint"),
    [
        ("AES128-GCM-SHA256", True, "Ask the service for TLS 1.3"),
        ("ECDHE-RSA-AES128-SHA256", True, "Ask the service for TLS 1.3"),
        ("AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", False, "It works with modern suites too"),
        ("ECDHE-RSA-AES128-GCM-SHA256", False, "It chose a modern suite"),
    ],
)
def test_a_server_that_works_with_older_suites_only_is_tried_without(
    server_context, pki, suites: str, needed: bool, hint: str
) -> None:
    """The same server is asked again in the strict manner, if it chose an older suite; the answer decides."""
    context = server_context(version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suites)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE

    def probed(*, wide: bool) -> Probe:
        return probe(server.origin, pki.identity(), [pki.anchor], wide_tls12=wide)

    with contextlib.closing(TlsServer(context)) as server:
        seen = probed(wide=True)
        assert seen.error is None
        found = needs_old_suites(seen, lambda: probed(wide=False))
    host = reach.Host(server.origin, "", ("simulator",), shown=True, via=None, wide=True, needs_wide=found)

    assert found is needed
    assert hint in reach.tls(host, seen).hint


# ------------------------------------------------------------------ the rungs


def test_a_rung_that_held_becomes_a_warning_and_one_that_failed_keeps_its_advice() -> None:
    """What works by accident adds to what was seen; nothing noticed changes nothing."""
    odd = [Finding("x", "odd", "mend it", Severity.WARNING)]

    assert noticed(ok("good"), []) == ok("good")
    assert noticed(ok("good", seconds=1.0), odd) == Seen(Outcome.WARN, "good; odd", "mend it", seconds=1.0)
    assert noticed(Seen(Outcome.FAIL, "bad", "do", 3), odd) == Seen(Outcome.FAIL, "bad; odd", "do", 3)
