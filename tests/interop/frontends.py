"""Real front ends (nginx, Apache httpd, HAProxy) as child processes on loopback, and what each saw of its client."""

from __future__ import annotations

import base64
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

TLS12, TLS13 = "TLSv1.2", "TLSv1.3"
HOST = "localhost"
VERSION = "202611250310"  # of the extractions that a test puts into documents/extraction

# Debian keeps servers out of an ordinary user's PATH.
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/bin")
_APACHE_MODULES = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules")
_START_SECONDS = 10.0
_STARTS = 3  # a port found free may be taken by the time the server binds it


@dataclass(frozen=True)
class Program:
    """A program of another project, the names it goes by, and the Debian package that brings it."""

    name: str
    commands: tuple[str, ...]
    package: str

    def find(self) -> str | None:
        """Give the program's path, or None where it is not installed."""
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))
        return next((found for command in self.commands if (found := shutil.which(command, path=path))), None)


NGINX = Program("nginx", ("nginx",), "nginx-light")
APACHE = Program("Apache httpd", ("apache2", "httpd"), "apache2")
HAPROXY = Program("HAProxy", ("haproxy",), "haproxy")
OPENSSL = Program("openssl", ("openssl",), "openssl")
KEYTOOL = Program("keytool", ("keytool",), "default-jre-headless")


@dataclass(frozen=True)
class Listener:
    """One TLS port of a front end.

    Attributes:
        name: what tests call it.
        tls: the only protocol version it speaks.
        certificate: the PEM file with its chain and key.
        per_path: ask for the client certificate under /private only, not at the handshake.
        asks: ask for it at all; nginx.
        ciphers: the suites that it offers, as OpenSSL writes them; empty leaves nginx's own.
    """

    name: str
    tls: str
    certificate: str = "server.pem"
    per_path: bool = False
    asks: bool = True
    ciphers: str = ""


@dataclass(frozen=True)
class Stage:
    """What a configuration is made from.

    Attributes:
        folder: holds the certificates, and takes the server's own files; the worker may read and cross it.
        ports: the port of each listener, by its name.
        upstream: the port of the plain HTTP server that echoes bodies.
    """

    folder: Path
    ports: Mapping[str, int]
    upstream: int

    def port(self, listener: Listener) -> int:
        return self.ports[listener.name]


class Answer(Protocol):
    """The part of `requests.Response` in which a front end tells what it saw."""

    headers: Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """What a front end says of the client that just asked.

    Attributes:
        subject: the client's subject DN as the front end writes it.
        verified: the front end linked the client to its root.
        leaf: the client's certificate as received.
        pushed: every certificate received, leaf first; None where the front end cannot tell.
        tls: the protocol version agreed on.
        connection: the same for requests of the same TCP connection.
    """

    subject: str
    verified: bool
    leaf: x509.Certificate
    pushed: tuple[x509.Certificate, ...] | None
    tls: str
    connection: str


@dataclass(frozen=True)
class FrontEnd:
    """A kind of server: its program, how it is configured and started, and how its answers are read."""

    program: Program
    listeners: tuple[Listener, ...]
    configure: Callable[[Stage, tuple[Listener, ...]], str]
    command: Callable[[str, Path], list[str]]
    seen: Callable[[Answer], Seen]


@dataclass(frozen=True)
class Running:
    """A front end that accepts connections."""

    front_end: FrontEnd
    ports: Mapping[str, int]
    log: Path = field(repr=False)

    def url(self, listener: str) -> str:
        return f"https://{HOST}:{self.ports[listener]}"


# ------------------------------------------------------------------ nginx


def _nginx_listener(stage: Stage, listener: Listener) -> str:
    folder = stage.folder
    return f"""
  server {{
    listen 127.0.0.1:{stage.port(listener)} ssl;
    ssl_protocols {listener.tls};
    {f"ssl_ciphers {listener.ciphers};" if listener.ciphers else ""}
    ssl_certificate {folder}/{listener.certificate};
    ssl_certificate_key {folder}/{listener.certificate};
    ssl_client_certificate {folder}/root.pem;
    ssl_verify_client {"on" if listener.asks else "off"};
    ssl_crl {folder}/crl.pem;
    add_header X-Subject "$ssl_client_s_dn";
    add_header X-Verify "$ssl_client_verify";
    add_header X-Leaf "$ssl_client_escaped_cert";
    add_header X-Protocol "$ssl_protocol";
    add_header X-Connection "$connection";
    location / {{ return 200 "nginx\\n"; }}
    location /echo {{ proxy_pass http://127.0.0.1:{stage.upstream}; }}
    location ~ ^/extraction/(?<extraction>[A-Za-z_]+)$ {{
      root {folder}/documents;
      add_header Content-Disposition "attachment; filename=${{extraction}}_{VERSION}.zip";
    }}
  }}"""


def _nginx_configuration(
    stage: Stage, listeners: tuple[Listener, ...], listener: Callable[[Stage, Listener], str] = _nginx_listener
) -> str:
    temporary = "\n".join(
        f"  {kind}_temp_path {stage.folder}/nginx-{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
{f"user {worker_user()};" if os.geteuid() == 0 else ""}
worker_processes 1;
daemon off;
pid {stage.folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
{temporary}
  keepalive_timeout 60s;
  client_max_body_size 64m;
  {"".join(listener(stage, one) for one in listeners)}
}}
"""


def nginx_before(simulator: str, client: str) -> FrontEnd:
    """Give an nginx that lets in whom its root certified, and asks a simulator behind it with the client's certificate.

    Args:
        simulator: the simulator's address, ``https://host:port``.
        client: a PEM file with the chain and key that the simulator knows, in the folder of the certificates.
    """

    def listener(stage: Stage, one: Listener) -> str:
        return f"""
  server {{
    listen 127.0.0.1:{stage.port(one)} ssl;
    ssl_protocols {one.tls};
    ssl_certificate {stage.folder}/{one.certificate};
    ssl_certificate_key {stage.folder}/{one.certificate};
    ssl_client_certificate {stage.folder}/root.pem;
    ssl_verify_client on;
    location / {{
      proxy_pass {simulator};
      proxy_ssl_certificate {stage.folder}/{client};
      proxy_ssl_certificate_key {stage.folder}/{client};
      proxy_ssl_trusted_certificate {stage.folder}/root.pem;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 2;
    }}
  }}"""

    return FrontEnd(NGINX, BOTH, partial(_nginx_configuration, listener=listener), _nginx_command, _nginx_seen)


def _nginx_command(program: str, folder: Path) -> list[str]:
    return [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def _nginx_seen(answer: Answer) -> Seen:
    headers = answer.headers
    return Seen(
        subject=headers["X-Subject"],
        verified=headers["X-Verify"] == "SUCCESS",
        leaf=x509.load_pem_x509_certificate(unquote(headers["X-Leaf"]).encode()),
        pushed=None,  # nginx keeps the leaf alone; that it verified against the root tells the rest
        tls=headers["X-Protocol"],
        connection=headers["X-Connection"],
    )


# ------------------------------------------------------------------ Apache httpd

_MODULES = ("mpm_event", "authz_core", "headers", "socache_shmcb", "ssl", "proxy", "proxy_http")
_BUILT_IN_SOMEWHERE = ("unixd", "log_config")  # Debian compiles them in, others load them


def _apache_client(listener: Listener) -> str:
    required = "SSLVerifyClient require\n  SSLVerifyDepth 3"
    if listener.per_path:
        return f"SSLVerifyClient none\n  <Location /private>\n  {required}\n  </Location>"
    return required


def _apache_listener(stage: Stage, listener: Listener) -> str:
    folder = stage.folder
    return f"""
Listen 127.0.0.1:{stage.port(listener)}
<VirtualHost 127.0.0.1:{stage.port(listener)}>
  SSLEngine on
  SSLProtocol {listener.tls}
  SSLCertificateFile {folder}/{listener.certificate}
  SSLCertificateKeyFile {folder}/{listener.certificate}
  SSLCACertificateFile {folder}/root.pem
  SSLCARevocationFile {folder}/crl.pem
  SSLCARevocationCheck leaf
  {_apache_client(listener)}
  Header always set X-Subject "%{{SSL_CLIENT_S_DN}}s"
  Header always set X-Verify "%{{SSL_CLIENT_VERIFY}}s"
  Header always set X-Leaf "%{{SSL_CLIENT_CERT}}s"
  Header always set X-Chain-0 "%{{SSL_CLIENT_CERT_CHAIN_0}}s"
  Header always set X-Chain-1 "%{{SSL_CLIENT_CERT_CHAIN_1}}s"
  Header always set X-Protocol "%{{SSL_PROTOCOL}}s"
  Header always set X-Connection "expr=%{{REMOTE_PORT}}"
  <LocationMatch "/extraction/(?<name>[A-Za-z_]+)$">
  Header set Content-Disposition "attachment; filename=%{{MATCH_NAME}}e_{VERSION}.zip"
  </LocationMatch>
  ProxyPass /echo http://127.0.0.1:{stage.upstream}/echo
  ProxyPass /private/echo http://127.0.0.1:{stage.upstream}/echo
</VirtualHost>"""


def _apache_configuration(stage: Stage, listeners: tuple[Listener, ...]) -> str:
    folder = stage.folder
    modules = next((found for found in _APACHE_MODULES if Path(found).is_dir()), _APACHE_MODULES[0])
    load = [f"LoadModule {name}_module {modules}/mod_{name}.so" for name in _MODULES]
    for name in _BUILT_IN_SOMEWHERE:
        load.append(f"<IfModule !{name}_module>\nLoadModule {name}_module {modules}/mod_{name}.so\n</IfModule>")
    user = worker_user()
    documents = folder / "documents"
    for page in ("index.txt", "private/index.txt"):
        file = documents / page
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("apache\n", encoding="ascii")
    return "\n".join(
        [
            *load,
            f"ServerRoot {folder}",
            f"ServerName {HOST}",
            f"PidFile {folder}/apache.pid",
            f"DefaultRuntimeDir {folder}",
            f"Mutex file:{folder} default",
            "ErrorLog /dev/stderr",
            f"User {user}\nGroup {worker_group(user)}" if os.geteuid() == 0 else "",
            "KeepAlive On",
            "KeepAliveTimeout 60",
            f"DocumentRoot {documents}",
            f"<Directory {documents}>\nRequire all granted\n</Directory>",
            *(_apache_listener(stage, listener) for listener in listeners),
            "",
        ]
    )


def _apache_command(program: str, folder: Path) -> list[str]:
    return [program, "-f", str(folder / "apache.conf"), "-DFOREGROUND"]


def _apache_seen(answer: Answer) -> Seen:
    headers = answer.headers
    found = (headers[name] for name in ("X-Leaf", "X-Chain-0", "X-Chain-1"))
    pushed = tuple(_from_header(pem) for pem in found if pem not in ("(null)", ""))
    return Seen(
        subject=headers["X-Subject"],
        verified=headers["X-Verify"] == "SUCCESS",
        leaf=pushed[0],
        pushed=pushed,
        tls=headers["X-Protocol"],
        connection=headers["X-Connection"],
    )


def _from_header(pem: str) -> x509.Certificate:
    """Read a PEM certificate whose line breaks a header turned into spaces."""
    body = "".join(pem.replace("-----BEGIN CERTIFICATE-----", "").replace("-----END CERTIFICATE-----", "").split())
    return x509.load_der_x509_certificate(base64.b64decode(body))


# ------------------------------------------------------------------ HAProxy


def _haproxy_listener(stage: Stage, listener: Listener) -> str:
    folder = stage.folder
    return f"""
frontend {listener.name}
  bind 127.0.0.1:{stage.port(listener)} ssl crt {folder}/{listener.certificate} ca-file {folder}/root.pem \
crl-file {folder}/crl.pem verify required ssl-min-ver {listener.tls} ssl-max-ver {listener.tls}
  http-after-response set-header X-Subject %[ssl_c_s_dn(,0,rfc2253)]
  http-after-response set-header X-Verify %[ssl_c_verify]
  http-after-response set-header X-Leaf %[ssl_c_der,base64]
  http-after-response set-header X-Chain %[ssl_c_chain_der,base64]
  http-after-response set-header X-Protocol %[ssl_fc_protocol]
  http-after-response set-header X-Connection %[src_port]
  http-request return status 200 content-type text/plain string "haproxy\\n" unless {{ path_beg /echo }}
  default_backend echo
"""


def _haproxy_configuration(stage: Stage, listeners: tuple[Listener, ...]) -> str:
    # maxrewrite: the facts are headers added to an answer whose body may have filled the rest of the buffer.
    return f"""
global
  tune.bufsize 65536
  tune.maxrewrite 16384
defaults
  mode http
  timeout client 60s
  timeout connect 5s
  timeout server 60s
backend echo
  server echo 127.0.0.1:{stage.upstream}
{"".join(_haproxy_listener(stage, listener) for listener in listeners)}"""


def _haproxy_command(program: str, folder: Path) -> list[str]:
    return [program, "-db", "-f", str(folder / "haproxy.conf")]


def _haproxy_seen(answer: Answer) -> Seen:
    headers = answer.headers
    leaf = x509.load_der_x509_certificate(base64.b64decode(headers["X-Leaf"]))
    return Seen(
        subject=headers["X-Subject"],
        verified=headers["X-Verify"] == "0",
        leaf=leaf,
        pushed=(leaf, *_split(base64.b64decode(headers["X-Chain"]))),  # OpenSSL gives a server the chain without leaf
        tls=headers["X-Protocol"],
        connection=headers["X-Connection"],
    )


def _split(ders: bytes) -> Iterator[x509.Certificate]:
    """Cut certificates that follow one another; each opens with 30 82 and two bytes of length."""
    while ders:
        end = 4 + int.from_bytes(ders[2:4])
        yield x509.load_der_x509_certificate(ders[:end])
        ders = ders[end:]


# ------------------------------------------------------------------ the three

BOTH = (Listener("tls12", TLS12), Listener("tls13", TLS13))
SERVER_FLAWS = ("other-root", "wrong-host", "expired", "leaf-only")

_FLAWED = tuple(
    Listener(f"{flaw}-{name}", tls, certificate=f"{flaw}.pem")
    for flaw in SERVER_FLAWS
    for name, tls in (("tls12", TLS12), ("tls13", TLS13))
)
# What stands in the way of a connection and is no flaw of a certificate; a box that opens TLS asks for none of ours.
_ODD = (
    Listener("box-tls12", TLS12, certificate="box.pem", asks=False),
    Listener("box-tls13", TLS13, certificate="box.pem", asks=False),
    Listener("old-suites", TLS12, ciphers="AES256-SHA:AES128-SHA"),
    Listener("old-version", "TLSv1.1", ciphers="ALL:@SECLEVEL=0"),
)
_PER_PATH = (Listener("path12", TLS12, per_path=True), Listener("path13", TLS13, per_path=True))

FRONT_ENDS = {
    "nginx": FrontEnd(NGINX, BOTH + _FLAWED + _ODD, _nginx_configuration, _nginx_command, _nginx_seen),
    "apache": FrontEnd(APACHE, BOTH + _FLAWED + _PER_PATH, _apache_configuration, _apache_command, _apache_seen),
    "haproxy": FrontEnd(HAPROXY, BOTH + _FLAWED, _haproxy_configuration, _haproxy_command, _haproxy_seen),
}

PLACES = [(kind, listener.name) for kind in FRONT_ENDS for listener in BOTH]
SHOWING_THE_CHAIN = [place for place in PLACES if place[0] != "nginx"]
LATE_IN_REFUSING = [place for place in SHOWING_THE_CHAIN if place[1] == "tls13"]  # nginx refuses by an answer


# ------------------------------------------------------------------ processes


def worker_user() -> str:
    """Name the user that a server started by root works as."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("www-data", "apache", "nginx", "nobody") if name in known)


def worker_group(user: str) -> str:
    """Give the group of `user`, in the form that Apache's Group directive takes."""
    return f"#{pwd.getpwnam(user).pw_gid}"


def pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """Write certificates as PEM, one after another."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


@contextlib.contextmanager
def running(kind: str, folder: Path, upstream: int, front_end: FrontEnd | None = None) -> Iterator[Running]:
    """Start a front end on ports that were free a moment ago, and stop it at the end.

    Args:
        kind: ``nginx``, ``apache`` or ``haproxy``.
        folder: holds the certificates; the front end's files are written there too.
        upstream: the port of the echo server.
        front_end: another one than the usual one of that kind.
    """
    front_end = front_end or FRONT_ENDS[kind]
    program = front_end.program.find()
    assert program, f"{front_end.program.name} is not installed"
    log = folder / f"{kind}.log"
    for last in (attempt == _STARTS - 1 for attempt in range(_STARTS)):
        first = free_port(len(front_end.listeners))
        ports = {one.name: first + number for number, one in enumerate(front_end.listeners)}
        text = front_end.configure(Stage(folder, ports, upstream), front_end.listeners)
        (folder / f"{kind}.conf").write_text(text, encoding="utf-8")
        with log.open("wb") as output:
            process = subprocess.Popen(front_end.command(program, folder), stdout=output, stderr=output)
        try:
            if _answers(process, ports.values()):
                yield Running(front_end, ports, log)
                return
            assert not last, f"{front_end.program.name} does not start:\n{log.read_text(errors='replace')[-3000:]}"
        finally:
            _stop(process)


def _answers(process: subprocess.Popen[bytes], ports: Iterable[int]) -> bool:
    """Wait until every port accepts a connection; False when the process ends before, or never gets there."""
    deadline = time.monotonic() + _START_SECONDS
    waiting = list(ports)
    while waiting and process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", waiting[0]), 1).close()
            waiting.pop(0)
        except OSError:
            time.sleep(0.02)
    return not waiting and process.poll() is None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
