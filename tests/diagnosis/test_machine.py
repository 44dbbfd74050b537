"""What a support desk asks first: versions, replaced libraries, variables, and who may read our files."""

from __future__ import annotations

import getpass
import importlib.metadata
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
import urllib3.util.ssl_

from ror_sante.diagnosis.machine import Machine, masked_userinfo
from ror_sante.diagnosis.report import Outcome
from ror_sante.settings import IdentitySettings, InterRorSettings, NetworkSettings, RegionSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.diagnosis.report import Check


def look(name: str, *about: Any, **environ: str) -> Check:
    return next(check for check in Machine.examine(*about, environ=environ).checks if check.name == name)


def test_a_good_machine_raises_no_warning() -> None:
    """Versions are told, nothing is set, nothing is replaced."""
    machine = Machine.examine(environ={})
    facts = dict(machine.facts)
    assert machine.warned == ()
    assert facts["urllib3"] == urllib3.__version__
    assert facts["OpenSSL"] in ssl.OPENSSL_VERSION
    assert {"ror-sante", "Python", "requests", "cryptography", "certifi", "system", "user"} <= set(facts)


def test_json_has_facts_and_checks_without_times() -> None:
    """A look takes no time worth telling."""
    told = Machine.examine(environ={}).to_dict()
    assert told["facts"]["Python"]
    assert set(told["checks"][0]) == {"name", "outcome", "detail", "hint"}


# ------------------------------------------------------------------ variables


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://me:canary@proxy:3128", "http://…@proxy:3128"),
        ("me:canary@proxy:3128", "…@proxy:3128"),
        ("http://me:can@ry,canary@proxy", "http://…@proxy"),
        ("http://proxy:3128", "http://proxy:3128"),
        ("proxy", "proxy"),
    ],
)
def test_a_proxys_password_is_never_shown(value: str, shown: str) -> None:
    """With or without a scheme, and with an @ inside of it."""
    assert masked_userinfo(value) == shown
    seen = look("proxy variables", https_proxy=value)
    assert seen.outcome is Outcome.OK
    assert f"https_proxy={shown}: ignored" in seen.detail
    assert "canary" not in seen.detail


def test_the_environments_proxy_is_used_when_the_settings_say_so() -> None:
    """Then the variable is not called ignored."""
    settings = Settings(network=NetworkSettings(proxy="environment"))
    assert "HTTPS_PROXY=http://p:1: used" in look("proxy variables", settings, HTTPS_PROXY="http://p:1").detail


def test_bundles_of_authorities_are_told_as_ignored() -> None:
    """They widen nothing here, and people look for them."""
    seen = look("authority variables", REQUESTS_CA_BUNDLE="/etc/ca.pem", SSL_CERT_DIR="/etc/ssl")
    assert seen.detail.startswith("REQUESTS_CA_BUNDLE=/etc/ca.pem, SSL_CERT_DIR=/etc/ssl: ignored")


@pytest.mark.parametrize(
    ("environ", "detail"),
    [
        ({}, "none is set"),
        (
            {"OPENSSL_CONF": "/x.cnf"},
            "OPENSSL_CONF=/x.cnf: read by OpenSSL when it starts; what they loosen is taken back",
        ),
        ({"SSLKEYLOGFILE": "/k"}, "SSLKEYLOGFILE=/k: ignored, session keys are never written"),
    ],
)
def test_what_openssl_reads_is_told(environ: dict[str, str], detail: str) -> None:
    """Its configuration counts, the key log does not."""
    assert look("openssl variables", **environ).detail == detail


def test_both_variables_of_openssl_are_told() -> None:
    """One does not hide the other."""
    detail = look("openssl variables", OPENSSL_CONF="/x.cnf", SSLKEYLOGFILE="/k").detail
    assert "OPENSSL_CONF=/x.cnf" in detail
    assert "SSLKEYLOGFILE=/k" in detail


# ------------------------------------------------------------------ libraries


def test_a_replaced_tls_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3's pyOpenSSL bridge switches off a check: that fails, with what to do."""
    monkeypatch.setattr(urllib3.util.ssl_, "IS_PYOPENSSL", True)
    seen = look("ssl")
    assert (seen.outcome, "extract_from_urllib3" in seen.hint) == (Outcome.FAIL, True)


def test_a_replaced_context_that_does_not_reach_us_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package such as truststore changes the class above ours."""
    import truststore

    monkeypatch.setattr(ssl, "SSLContext", truststore.SSLContext)
    seen = look("ssl")
    assert seen.outcome is Outcome.OK
    assert seen.detail.startswith("truststore has replaced ssl.SSLContext")


def test_a_distribution_that_lies_over_urllib3_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3-future installs the same files; the real one would break this environment, so only its name is played."""
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.12" if name == "urllib3-future" else real(name))
    seen = look("urllib3")
    assert seen.outcome is Outcome.WARN
    assert seen.detail == "urllib3-future 2.12 is installed: its files lie over those of urllib3"


def test_files_of_another_version_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs is not what was installed."""
    monkeypatch.setattr(urllib3, "__version__", "2.11.900")
    seen = look("urllib3")
    assert (seen.outcome, seen.detail.startswith("version 2.11.900 runs, ")) == (Outcome.WARN, True)


def test_a_class_that_was_replaced_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A debugging proxy, or a recorder of a test suite."""

    class Pool(urllib3.HTTPSConnectionPool):
        __module__ = "recorder.stubs"

    monkeypatch.setattr(urllib3, "HTTPSConnectionPool", Pool)
    seen = look("urllib3")
    assert (seen.outcome, seen.detail) == (Outcome.WARN, "recorder.stubs has replaced a class of it")


def test_a_library_that_is_not_there_and_a_user_without_a_name_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user need not have a name."""

    def nobody() -> str:
        raise KeyError("uid not found")

    def nothing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr(importlib.metadata, "version", nothing)
    facts = dict(Machine.examine(environ={}).facts)
    assert facts["user"].startswith("uid ")
    assert facts["requests"] == "not installed"


# ------------------------------------------------------------------ files


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that name a P12, a passphrase and a region's secret, closed to others."""
    for name in ("client.p12", "client.pass", "region.secret"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o600)
    return Settings(
        identity=IdentitySettings(p12=tmp_path / "client.p12", passphrase_file=tmp_path / "client.pass"),
        inter_ror=InterRorSettings(regions={"11": RegionSettings(client_secret_file=tmp_path / "region.secret")}),
    )


def test_files_that_are_closed_to_others_are_counted(settings: Settings) -> None:
    """All three of them."""
    assert look("files", settings).detail == "3 of ours, closed to others"


@pytest.mark.parametrize(
    ("mode", "may"), [(0o640, "read"), (0o604, "read"), (0o666, "read and changed"), (0o620, "changed")]
)
def test_a_file_that_others_may_read_or_change_is_a_warning(settings: Settings, mode: int, may: str) -> None:
    """Its mode is told, and the command that closes it."""
    assert settings.identity is not None
    assert settings.identity.p12 is not None
    settings.identity.p12.chmod(mode)
    seen = look("files", settings)
    assert seen.outcome is Outcome.WARN
    assert seen.detail.endswith(f"client.p12 may be {may} by others (mode {mode:04o})")
    assert seen.hint == f"Close them to others: chmod 600 {settings.identity.p12}"


def test_a_file_that_is_not_there_is_for_the_rung_that_opens_it(tmp_path: Path) -> None:
    """The doctor does not say it twice."""
    missing = Settings(identity=IdentitySettings(p12=tmp_path / "none.p12"))
    assert look("files", missing).detail == "none is named"
