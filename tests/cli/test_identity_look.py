"""`identity expires`, `dn`, `compare`: what a file shows without its passphrase, and the verdicts on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture
def p12(tmp_path: Path, pki: SimulatorPki) -> Callable[..., Path]:
    """Write a P12 of the platform's shape, whose passphrase nobody gives here."""

    def write(name: str = "client.p12", **about: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(pki.p12(pki.client(**about), "nobody says it"))
        return path

    return write


# ------------------------------------------------------------------ expires


@pytest.mark.parametrize(("days", "code"), [(31, 0), (29, 1)])
def test_a_certificate_near_its_end_is_a_bad_verdict(run: Any, p12: Any, days: int, code: int) -> None:
    """Thirty days are the limit unless another is given; a passphrase is not asked for."""
    done = run("identity", "expires", p12(not_after=NOW + days * DAY + timedelta(hours=1)), "--within", "30d")
    assert done.code == code
    assert f"{days} days left" in done.out


def test_weeks_count_seven_days(run: Any, p12: Any) -> None:
    """8w is 56 days."""
    path = p12(not_after=NOW + 50 * DAY)
    assert [run("identity", "expires", path, "--within", within).code for within in ("8w", "7w")] == [1, 0]


@pytest.mark.parametrize(
    ("start", "end", "words"), [(-9, -2, "expired on"), (2, 900, "is not valid before")], ids=["expired", "too-early"]
)
def test_one_that_does_not_hold_now_is_a_bad_verdict(run: Any, p12: Any, start: int, end: int, words: str) -> None:
    """Expired, or not valid yet."""
    done = run("identity", "expires", p12(not_before=NOW + start * DAY, not_after=NOW + end * DAY))
    assert done.code == 1
    assert words in done.out


def test_monitoring_reads_its_own_formats(run: Any, p12: Any) -> None:
    """JSON, the text format of Prometheus, one line for Nagios."""
    path = p12(not_after=NOW + 100 * DAY + timedelta(hours=1))
    about = json.loads(run("identity", "expires", path, "--format", "json").out)
    assert (about["days_left"], about["ok"], about["verified"]) == (100, True, False)
    metric = run("identity", "expires", path, "--format", "prometheus").out.splitlines()[-1]
    assert metric.startswith('ror_sante_certificate_not_after_timestamp_seconds{common_name="CLIENT_WS_RORN"} ')
    assert float(metric.rpartition(" ")[2]) == pytest.approx((NOW + 100 * DAY).timestamp(), abs=3700)
    assert run("identity", "expires", path, "--format", "nagios").out.startswith("OK - CLIENT_WS_RORN is valid until")
    assert run("identity", "expires", path, "--format", "nagios", "--within", "99999d").out.startswith("WARNING - ")


def test_monitoring_is_told_why_there_is_no_date(run: Any, tmp_path: Path, pki: SimulatorPki) -> None:
    """A plugin of Nagios speaks on stdout: UNKNOWN goes with exit code 3, CRITICAL with 2. A person reads stderr."""
    (tmp_path / "cut.p12").write_bytes(pki.p12(pki.client(), "xyzzy")[:2000])
    for name, code, word in (("cut.p12", 3, "UNKNOWN - no certificate"), ("none.p12", 2, "CRITICAL - the certificate")):
        done = run("identity", "expires", tmp_path / name, "--format", "nagios")
        assert (done.code, done.out.startswith(word), len(done.out.splitlines())) == (code, True, 1)
        assert run("identity", "expires", tmp_path / name).out == ""


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"\xfe\xed\xfe\xed" + bytes(60), "keytool -importkeystore"),
        (b"<!doctype html>", "fetch the file again"),
        (b"\x30\x82\x10\x00" + bytes(60), "Copy it again, in binary mode"),
        (b"-----BEGIN PRIVATE KEY-----\n", "Give certificates in PEM or DER"),
    ],
    ids=["keystore", "page", "cut", "key"],
)
def test_a_file_without_certificates_is_told_apart(run: Any, tmp_path: Path, content: bytes, advice: str) -> None:
    """What to do depends on what it is, for every verb that looks."""
    (tmp_path / "client.p12").write_bytes(content)
    for verb in ("show", "verify", "dn"):
        done = run("identity", verb, tmp_path / "client.p12")
        assert (done.code, advice in done.err) == (3, True), done.err


def test_a_time_that_is_none_is_wrong_usage(run: Any, p12: Any) -> None:
    """Days and weeks alone are counted."""
    done = run("identity", "expires", p12(), "--within", "soon")
    assert done.code == 2
    assert "no time such as 30d" in done.err


def test_without_a_file_the_configured_one_is_looked_at(run: Any, p12: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without one in the settings, what to do is said."""
    assert run("--config", "none", "identity", "expires").code == 2
    monkeypatch.setenv("ROR_SANTE_IDENTITY_P12", str(p12()))
    assert run("identity", "expires").code == 0


# ------------------------------------------------------------------ dn


def test_the_dn_begins_with_the_cn(run: Any, p12: Any) -> None:
    """As ANS registers it."""
    done = run("identity", "dn", p12())
    assert done.code == 0
    assert done.out.startswith("CN=CLIENT_WS_RORN,OU=")
    assert done.out.endswith(",C=FR\n")


def test_the_leaf_itself_is_printed_on_request(run: Any, p12: Any) -> None:
    """One certificate, and no key."""
    printed = run("identity", "dn", p12(), "--pem").out
    assert x509.load_pem_x509_certificate(printed.encode()).subject.rfc4514_string().startswith("CN=CLIENT_WS_RORN")
    assert "PRIVATE" not in printed


def test_a_file_of_certificates_is_read_whatever_their_order(run: Any, tmp_path: Path, pki: SimulatorPki) -> None:
    """The authority may come first: the leaf is the one that is none."""
    ders = [pki.intermediate.certificate, pki.client().certificate]
    (tmp_path / "both.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in ders))
    assert run("identity", "dn", tmp_path / "both.pem").out.startswith("CN=CLIENT_WS_RORN,")


def test_a_p12_that_hides_its_certificates_needs_its_passphrase(run: Any, tmp_path: Path, pki: SimulatorPki) -> None:
    """Modern files encrypt all: the right passphrase opens it, a wrong one does not, and nobody waits for one."""
    issued = pki.client()
    hidden = pkcs12.serialize_key_and_certificates(
        b"x", issued.key, issued.certificate, None, BestAvailableEncryption(b"secret")
    )
    (tmp_path / "hidden.p12").write_bytes(hidden)
    for name, words in (("right", "secret"), ("wrong", "another")):
        (tmp_path / name).write_text(words, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    opened = [
        run("identity", "dn", tmp_path / "hidden.p12", "--passphrase-file", tmp_path / name).code
        for name in ("right", "wrong")
    ]
    assert opened == [0, 3]
    assert run("identity", "dn", tmp_path / "hidden.p12").code == 2


def test_a_broken_certificate_in_clear_is_not_shown(run: Any, p12: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the structure calls a certificate and is none (the reader is given one that is broken)."""
    from ror_sante.cli.identity import looking

    monkeypatch.setattr(looking, "outline", lambda _: type("Broken", (), {"certificates": (b"none",)}))
    assert run("identity", "dn", p12()).code == 2  # and so the passphrase is needed, and nobody can be asked


# ------------------------------------------------------------------ compare


def test_a_renewal_with_the_same_name_can_take_over(run: Any, p12: Any) -> None:
    """Same DN, both valid for a while, later end, another key."""
    old = p12("old.p12", not_after=NOW + 30 * DAY)
    done = run("identity", "compare", old, p12("new.p12", not_after=NOW + 900 * DAY))
    assert done.code == 0
    assert "no new registration at ANS" in done.out
    assert "DIFF" not in done.out


def test_everything_that_stands_in_the_way_is_named_at_once(run: Any, p12: Any, tmp_path: Path, pki: Any) -> None:
    """Another service, a gap, an earlier end, a usage less."""
    old = p12("old.p12", not_before=NOW - 90 * DAY, not_after=NOW - 30 * DAY)
    new = p12(
        "new.p12",
        cn="CLIENT_WS_ROR",
        not_before=NOW - DAY,
        not_after=NOW + DAY,
        usages=(x509.ExtendedKeyUsageOID.EMAIL_PROTECTION,),
    )
    done = run("identity", "compare", old, new)
    assert done.code == 1
    for words in ("the subject DN differs", "a gap", "made for the service CLIENT_WS_ROR", "less than the old one"):
        assert f"{words}" in done.out
    assert run("identity", "compare", new, old).out.count("not later than the old one") == 1


def test_a_certificate_compared_with_itself_keeps_its_key(run: Any, p12: Any) -> None:
    """A renewal makes a new key."""
    path = p12()
    assert "the same key as before" in run("identity", "compare", path, path).out


def test_two_that_hide_have_a_passphrase_each(run: Any, tmp_path: Path, pki: SimulatorPki) -> None:
    """A renewed P12 seldom has the passphrase of the old one."""
    words: list[Any] = []
    for name, option in (("old", "--passphrase-file"), ("new", "--new-passphrase-file")):
        (tmp_path / f"{name}.p12").write_bytes(pki.p12(pki.client(), f"the {name} one", shape="modern"))
        (tmp_path / f"{name}.pass").write_text(f"the {name} one")
        words += [option, tmp_path / f"{name}.pass"]
    files = [tmp_path / "old.p12", tmp_path / "new.p12"]
    assert "the subject DN is the same" in run("identity", "compare", *files, *words).out
    assert run("identity", "compare", *files, *words[:2]).code == 3
