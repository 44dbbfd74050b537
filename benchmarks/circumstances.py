"""Under which circumstances a part was measured: versions, machine, date, and how busy it was."""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server import Server

LIBRARIES = ("ror-sante", "requests", "urllib3", "cryptography", "tenacity", "msgspec")


def told(server: Server, load: float) -> str:
    """Say it in one paragraph.

    Args:
        server: what answered.
        load: the machine's load before the part; the one after it is read here.
    """
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()}, {ssl.OPENSSL_VERSION}; "
        f"{libraries}; {server.version}, curl {curl}; {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, load {load:.1f} before and {os.getloadavg()[0]:.1f} after."
    )
