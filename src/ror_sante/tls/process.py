"""Refuse to work in a process whose TLS machinery was replaced by one that we cannot vouch for."""

from __future__ import annotations

import socket
import ssl
from typing import Final

import urllib3.util.ssl_

from ror_sante.errors import ConfigurationError

_GREEN: Final = frozenset({"gevent", "eventlet"})


def check_process() -> None:
    """Look for the replacements that would reach our connections.

    truststore and pip-system-certs replace `ssl.SSLContext`; our context is built on the class beneath it, so they
    change nothing here. gevent and eventlet replace the socket classes, and urllib3's pyOpenSSL bridge switches
    off the host-name check of every context that it is given.

    Raises:
        ConfigurationError: such a replacement is in force; the message names it.
    """
    culprit = _socket_culprit()
    if culprit:
        raise ConfigurationError(
            f"{culprit} has replaced Python's sockets in this process: a TLS connection would hang, or run unchecked",
            hint=f"Make these calls from a process in which {culprit} patches neither socket nor ssl.",
        )
    if urllib3.util.ssl_.IS_PYOPENSSL:
        raise ConfigurationError(
            "urllib3.contrib.pyopenssl.inject_into_urllib3() is in force in this process: "
            "it switches off the host-name check of our TLS context",
            hint="Call urllib3.contrib.pyopenssl.extract_from_urllib3(); Python's own ssl module needs no help here.",
        )


def _socket_culprit() -> str:
    """Name the package that replaced the socket classes; a test suite's guard on `socket.socket` is none."""
    secure, plain = (kind.__module__.partition(".")[0] for kind in (ssl.SSLSocket, socket.socket))
    if secure != "ssl":
        return secure
    return plain if plain in _GREEN else ""
