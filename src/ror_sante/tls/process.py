"""Refuse to work in a process whose TLS machinery was replaced by one that we cannot vouch for."""

from __future__ import annotations

import ssl

import urllib3.util.ssl_

from ror_sante.errors import ConfigurationError


def check_process() -> None:
    """Look for the replacements that would reach our connections.

    truststore and pip-system-certs replace `ssl.SSLContext`; our context is built on the class beneath it, so they
    change nothing here. gevent and eventlet replace the socket class, and urllib3's pyOpenSSL bridge switches
    off the host-name check of every context that it is given.

    Raises:
        ConfigurationError: such a replacement is in force; the message names it.
    """
    if ssl.SSLSocket.__module__ != "ssl":
        culprit = ssl.SSLSocket.__module__.partition(".")[0]
        raise ConfigurationError(
            f"{culprit} has replaced ssl.SSLSocket in this process: the checks on each connection would not run",
            hint=f"Leave ssl out of what {culprit} replaces (gevent: patch_all(ssl=False)), or use another process.",
        )
    if urllib3.util.ssl_.IS_PYOPENSSL:
        raise ConfigurationError(
            "urllib3.contrib.pyopenssl.inject_into_urllib3() is in force in this process: "
            "it switches off the host-name check of our TLS context",
            hint="Call urllib3.contrib.pyopenssl.extract_from_urllib3(); Python's own ssl module needs no help here.",
        )
