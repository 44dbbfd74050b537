"""The openssl program and this package agree about OCSP answers."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from ror_sante.pki.ocsp import read_ocsp
from ror_sante.pki.revocation import UnusableStatementError
from ror_sante.simulator.pki import SimulatorPki
from tests.interop.frontends import pem
from tests.support.authority import ocsp_answer, responder_of


def _stranger(pki: SimulatorPki) -> dict[str, Any]:
    other = pki.foreign.client("OCSP", usages=[x509.ExtendedKeyUsageOID.OCSP_SIGNING])
    return {"signer": other, "certificates": (other.certificate,)}


def _appointed(pki: SimulatorPki) -> dict[str, Any]:
    responder = responder_of(pki)
    return {"signer": responder, "certificates": (responder.certificate,)}


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        (lambda _: {}, "good"),
        (lambda _: {"status": ocsp.OCSPCertStatus.REVOKED}, "revoked"),
        (_appointed, "good"),
        (_stranger, ""),
        (lambda pki: {"signer": pki.client(), "certificates": ()}, ""),
        (lambda pki: {"signer": pki.twin.intermediate, "by_name": True}, ""),
        (lambda _: {"age": timedelta(days=9)}, ""),
        (lambda pki: {"about": pki.client().certificate}, ""),
    ],
    ids=["good", "revoked", "appointed", "stranger", "leaf", "twin", "stale", "other"],
)
def test_openssl_agrees(openssl: str, pki: SimulatorPki, tmp_path: Path, how: Any, verdict: str) -> None:
    """Good, revoked, or nothing to rely on: the same from both."""
    leaf = pki.client().certificate
    about = {"about": leaf, "at": pki.at, **how(pki)}
    data = ocsp_answer(about.pop("about"), pki.intermediate, **about)
    (tmp_path / "answer.der").write_bytes(data)
    (tmp_path / "leaf.pem").write_bytes(pem([leaf]))
    (tmp_path / "issuer.pem").write_bytes(pem([pki.intermediate.certificate]))
    (tmp_path / "root.pem").write_bytes(pki.root_pem())
    told = subprocess.run(
        [
            openssl,
            "ocsp",
            "-sha256",
            "-no_nonce",
            "-respin",
            "answer.der",
            "-issuer",
            "issuer.pem",
            "-cert",
            "leaf.pem",
            "-CAfile",
            "root.pem",
            "-verify_other",
            "issuer.pem",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    text = told.stdout + told.stderr
    sound = "Response verify OK" in text and "Status times invalid" not in text
    theirs = next((word for word in ("good", "revoked") if f"leaf.pem: {word}" in text), "") if sound else ""
    try:
        ours = read_ocsp(data, leaf, pki.intermediate.certificate, nonce=None, at=pki.at).standing.value
    except UnusableStatementError:
        ours = ""
    assert (ours, theirs) == (verdict, verdict), text
