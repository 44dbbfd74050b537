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
    (where / "below" / "more.pem").mkdir(parents=True)
    now = datetime.now(UTC)
    current = pki.client("CLIENT, of all", not_after=now + timedelta(days=90, hours=1))
    old = pki.client("É" * 32, not_before=now - timedelta(days=40), not_after=now - timedelta(days=10))
    (where / "client.p12").write_bytes(pki.p12(current, "xyzzy"))
    (where / "below/same.pem").write_bytes(current.pem_chain())
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
    names = ["old.cer", "below/same.pem", "client.p12", "broken.pem", "sealed.pfx"]
    assert [line.split()[0] for line in lines] == names
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


def test_the_calendar_has_each_certificate_once(run: Callable[..., Any], folder: Path, pki: SimulatorPki) -> None:
    """An event 60 days before each end, of ours and of the authorities in the files; lines and commas as RFC 5545."""
    out = run("identity", "inventory", folder, "--format", "ics").out
    text = out.replace("\r\n ", "").replace("\n ", "")
    due = datetime.now(UTC) + timedelta(days=30, hours=1)
    assert out.count("BEGIN:VEVENT") == out.count("END:VEVENT") == 4
    assert f"DTSTART;VALUE=DATE:{due:%Y%m%d}" in out
    assert "SUMMARY:Order the renewal of CLIENT\\, of all" in out
    for authority in (pki.intermediate, pki.root):
        day = authority.certificate.not_valid_after_utc - timedelta(days=60)
        name = authority.certificate.subject.rfc4514_string().split(",")[0].removeprefix("CN=")
        assert f"DTSTART;VALUE=DATE:{day:%Y%m%d}" in out
        assert f"SUMMARY:The authority {name} is about to end" in text
    assert max(len(line.encode()) for line in out.splitlines()) <= 75
    assert "É" * 32 in text


def test_an_authority_that_ends_sooner_is_told(run: Callable[..., Any], tmp_path: Path, pki: SimulatorPki) -> None:
    """A certificate is worth nothing after its authority; one in a file of its own has its day in the calendar too."""
    ends = pki.intermediate.certificate.not_valid_after_utc
    late = pki.client(not_after=ends + timedelta(days=1))
    (tmp_path / "late.pem").write_bytes(late.pem_chain())
    assert f"ORGANISATIONS ends sooner, on {ends:%Y-%m-%d})" in run("identity", "inventory", tmp_path).out
    rows = json.loads(run("identity", "inventory", tmp_path, "--format", "json").out)
    assert rows[0]["authorities"][0]["not_after"] == f"{ends:%Y-%m-%dT%H:%M:%SZ}"
    (tmp_path / "late.pem").write_bytes(pki.intermediate.pem_chain())
    assert "SUMMARY:The authority SIMULATEUR" in run("identity", "inventory", tmp_path, "--format", "ics").out


def test_a_p12_in_ber_is_a_p12(run: Callable[..., Any], tmp_path: Path, pki: SimulatorPki) -> None:
    """It shows nothing from outside, and opens with its passphrase all the same."""
    der = pki.p12(pki.client(), "xyzzy")
    (tmp_path / "ber.p12").write_bytes(der + b"\0")
    (tmp_path / "p12.pass").write_text("xyzzy")
    assert "encrypted: `identity show` opens it" in run("identity", "inventory", tmp_path).out
    done = run("identity", "dn", tmp_path / "ber.p12", "--passphrase-file", tmp_path / "p12.pass")
    assert (done.code, done.out.startswith("CN=CLIENT_WS_RORN,")) == (0, True)
    (tmp_path / "ber.p12").write_bytes(pki.p12(pki.client(), "") + b"\0")
    assert run("identity", "dn", tmp_path / "ber.p12").code == 0


def test_a_folder_that_cannot_be_listed_is_named(
    run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name and the reason; the others are listed. Root may list all, so the system's answer is made up."""
    import os

    scan = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("below"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    done = run("identity", "inventory", folder)
    assert done.code == 0
    assert "below  cannot be listed: Permission denied\n" in done.out
    assert len(done.out.splitlines()) == 5


def test_an_empty_folder_says_so(run: Callable[..., Any], tmp_path: Path) -> None:
    """An empty answer could be a slip in the name."""
    done = run("identity", "inventory", tmp_path)
    assert (done.code, done.out, "no file of certificates in" in done.err) == (0, "", True)


def test_a_folder_that_is_missing_is_2(run: Callable[..., Any], tmp_path: Path) -> None:
    """There is nothing to list."""
    assert run("identity", "inventory", tmp_path / "none").code == 2
