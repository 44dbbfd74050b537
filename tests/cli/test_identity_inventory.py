"""`identity inventory`: what lies in a folder, and when each certificate is to be renewed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki


@pytest.fixture
def folder(tmp_path: Path, pki: SimulatorPki) -> Path:
    """A P12 of the platform, an expired DER, a P12 that hides its certificate, a damaged file, and other things."""
    where = tmp_path / "certs"
    (where / "more.pem").mkdir(parents=True)
    now = datetime.now(UTC)
    current = pki.client("CLIENT, of all", not_after=now + timedelta(days=90, hours=1))
    old = pki.client("É" * 32, not_before=now - timedelta(days=40), not_after=now - timedelta(days=10))
    (where / "client.p12").write_bytes(pki.p12(current, "xyzzy"))
    (where / "same.pem").write_bytes(current.pem_chain())
    (where / "old.cer").write_bytes(old.certificate.public_bytes(Encoding.DER))
    sealed = pkcs12.serialize_key_and_certificates(
        b"x", current.key, current.certificate, None, BestAvailableEncryption(b"xyzzy")
    )
    (where / "sealed.pfx").write_bytes(sealed)
    (where / "broken.pem").write_bytes(b"nothing")
    (where / "notes.txt").write_bytes(b"nothing")
    return where


def test_the_first_to_end_is_at_the_top(run: Callable[..., Any], folder: Path) -> None:
    """Certificates by their end, then what could not be read; nobody is asked for a passphrase."""
    done = run("identity", "inventory", folder)
    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in lines] == ["old.cer", "client.p12", "same.pem", "broken.pem", "sealed.pfx"]
    assert "EXPIRED" in lines[0]
    assert "90 days left  CLIENT, of all" in lines[1]
    assert "no certificate can be read" in lines[3]
    assert "are encrypted" in lines[4]


def test_json_says_that_nothing_is_verified(run: Callable[..., Any], folder: Path) -> None:
    """The same for programs."""
    rows = json.loads(run("identity", "inventory", folder, "--format", "json").out)
    assert [row["verified"] for row in rows] == [False] * 5
    assert rows[1]["days_left"] == 90
    assert rows[1]["subject_dn"].startswith("CN=CLIENT\\, of all,")
    assert rows[4]["problem"].startswith("its certificates are encrypted")


def test_the_calendar_has_each_certificate_once(run: Callable[..., Any], folder: Path) -> None:
    """An event 60 days before the end; no line is over 75 octets, and commas are escaped (RFC 5545)."""
    out = run("identity", "inventory", folder, "--format", "ics").out
    due = datetime.now(UTC) + timedelta(days=30, hours=1)
    assert out.count("BEGIN:VEVENT") == out.count("END:VEVENT") == 2
    assert f"DTSTART;VALUE=DATE:{due:%Y%m%d}" in out
    assert "SUMMARY:Order the renewal of CLIENT\\, of all" in out
    assert max(len(line.encode()) for line in out.splitlines()) <= 75
    assert "É" * 32 in out.replace("\r\n ", "").replace("\n ", "")


def test_a_folder_that_is_missing_is_2(run: Callable[..., Any], tmp_path: Path) -> None:
    """There is nothing to list."""
    assert run("identity", "inventory", tmp_path / "none").code == 2
