"""The one server of all measurements: real nginx, mutual TLS, trusting a throw-away root, on a core of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from bodies import SIZES, body, file_name
from copydata import FHIR

from ror_sante.simulator.pki import SimulatorPki

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSPHRASE = "benchmark"
RSA = 2048
KEY_SIZES = (RSA, 4096)
VERSIONS = ("TLSv1.2", "TLSv1.3")
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"


class MissingServerError(Exception):
    """nginx is not installed."""


@dataclass(frozen=True)
class Server:
    """Where to ask, and with what.

    Attributes:
        url: without a path.
        folder: holds root.pem, client.pem (chain and key) and client.p12.
        version: nginx's own words.
        handshakes: listeners of one TLS version each, by the size of the RSA keys on both sides and the version;
            what a client needs lies in the folder named by the size.
    """

    url: str
    folder: Path
    version: str
    handshakes: dict[tuple[int, str], str]


@contextlib.contextmanager
def nginx() -> Iterator[Server]:
    """Start nginx; while it runs this process and its children keep to another core, where there are two."""
    program = shutil.which("nginx") or shutil.which("nginx", path=_SYSTEM_FOLDERS)
    if program is None:
        raise MissingServerError("nginx is not installed (Debian: apt-get install nginx-light)")
    with tempfile.TemporaryDirectory(prefix="ror-sante-bench-") as name, _cores() as (server_core, client_core):
        folder = Path(name)
        _furnish(folder)
        port, *others = (_free_port() for _ in range(1 + len(KEY_SIZES) * len(VERSIONS)))
        listeners = dict(zip(product(KEY_SIZES, VERSIONS), others, strict=True))
        (folder / "nginx.conf").write_text(_configuration(folder, port, listeners), encoding="utf-8")
        _pin(server_core)
        process = subprocess.Popen([program, "-p", name, "-c", str(folder / "nginx.conf"), "-e", "stderr"])
        _pin(client_core)
        try:
            _await(port, process)
            handshakes = {which: f"https://localhost:{own}" for which, own in listeners.items()}
            yield Server(f"https://localhost:{port}", folder, _version(program), handshakes)
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def _cores() -> Iterator[tuple[set[int], set[int]]]:
    """Give a core for the server and another for the clients; both sets are empty where there is no choice."""
    if not hasattr(os, "sched_getaffinity"):
        yield set(), set()
        return
    mine = os.sched_getaffinity(0)
    first, *others = sorted(mine)
    yield ({others[0]}, {first}) if others else (set(), set())
    os.sched_setaffinity(0, mine)


@contextlib.contextmanager
def every_core() -> Iterator[None]:
    """Let the clients use the server's core too, meanwhile."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    _pin(set(range(os.cpu_count() or 1)))
    try:
        yield
    finally:
        _pin(before)


def _pin(cores: set[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


def _furnish(folder: Path) -> None:
    """Write certificates and bodies; nginx's worker, another user when root starts it, must read the bodies."""
    pki = SimulatorPki.create()
    _write_certificates(folder, pki)
    for size in KEY_SIZES:
        (folder / str(size)).mkdir()
        _write_certificates(folder / str(size), pki if size == RSA else SimulatorPki.create(key_size=size))
    (folder / "www").mkdir()
    for size, count in SIZES.items():
        (folder / "www" / file_name(size)).write_bytes(body(count))
    for path in (folder, folder / "www"):
        path.chmod(0o755)


def _write_certificates(folder: Path, pki: SimulatorPki) -> None:
    server, client = pki.server(), pki.client()
    (folder / "root.pem").write_bytes(pki.root_pem())
    (folder / "server.pem").write_bytes(server.pem_chain() + server.key_pem())
    (folder / "client.pem").write_bytes(client.pem_chain() + client.key_pem())
    (folder / "client.p12").write_bytes(pki.p12(client, PASSPHRASE))


def _handshakes(folder: Path, listeners: dict[tuple[int, str], int]) -> str:
    """Configure listeners that answer a few bytes, so that a new connection is all that is measured."""
    return "".join(
        f"""
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols {version};
    ssl_certificate {folder}/{size}/server.pem;
    ssl_certificate_key {folder}/{size}/server.pem;
    ssl_client_certificate {folder}/{size}/root.pem;
    ssl_verify_client on;
    location / {{ return 200 ok; }}
  }}"""
        for (size, version), port in listeners.items()
    )


def _configuration(folder: Path, port: int, listeners: dict[tuple[int, str], int]) -> str:
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    users = {entry.pw_name for entry in pwd.getpwall()}
    worker = next((name for name in ("www-data", "nginx", "nobody") if name in users), "nobody")
    return f"""
{f"user {worker};" if os.geteuid() == 0 else ""}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  {temporary}
  keepalive_timeout 600s;
  keepalive_requests 100000000;
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=10;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    ssl_client_certificate {folder}/root.pem;
    ssl_verify_client on;
    root {folder}/www;
    default_type application/fhir+json;
    location = /token {{
      default_type application/json;
      return 200 '{{"access_token": "benchmark", "token_type": "Bearer", "expires_in": 3600}}';
    }}
    location ~ "^({FHIR}/[0-9]+)/[$]export$" {{
      add_header Content-Location https://localhost:{port}$1/manifest.json always;
      return 202;
    }}
  }}
  {_handshakes(folder, listeners)}
}}
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise MissingServerError("nginx does not start; its reason stands above")


def _version(program: str) -> str:
    told = subprocess.run([program, "-v"], capture_output=True, text=True, check=True)
    return told.stderr.strip().rpartition(" ")[2]
