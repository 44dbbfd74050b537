"""What every test stands on: known versions in the header, no setting of the developer's machine inside."""

from __future__ import annotations

import os
import socket
import ssl
from importlib.metadata import version

import pytest

pytest_plugins = [
    "tests.support.keyrings",
    "tests.support.keys",
    "tests.support.listening",
    "tests.support.simulators",
    "tests.support.soak",
    "tests.support.tls_servers",
]

LIBRARIES = ("cryptography", "requests", "urllib3", "pytest-httpserver")

# Each of these changes what a TLS client trusts, whom it calls or what it writes down.
LEAKS = {
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "FTP_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NO_PROXY",
    "OPENSSL_CONF",
    "REQUESTS_CA_BUNDLE",
    "SSLKEYLOGFILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
}
TERMINAL = {"COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}


def pytest_report_header() -> list[str]:
    """Name the libraries whose behaviour the tests describe."""
    from cryptography.hazmat.backends.openssl import backend

    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return [f"ssl: {ssl.OPENSSL_VERSION}; cryptography: {backend.openssl_version_text()}", f"libraries: {libraries}"]


@pytest.fixture(autouse=True)
def unknown_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for names under ``.invalid`` (RFC 2606) as a resolver would: a machine without DNS may take seconds to."""
    resolve = socket.getaddrinfo

    def answer(host: object, *arguments: object, **named: object) -> object:
        if str(host).rstrip(".").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **named)  # type: ignore[arg-type]  handed on as they came

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Take the variables of the developer's machine out of each test, and its settings files with them."""
    for name in os.environ:
        if name.upper() in LEAKS | TERMINAL or name.upper().startswith("ROR_SANTE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")  # never the developer's own
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-settings"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path_factory.getbasetemp() / "no-settings"))
