"""One client, one body, one number of workers: ask for a while, print one JSON line.

Each measurement runs this file in a process of its own, so that nothing that one client does reaches another:

    python client.py NAME URL WORKERS SECONDS FOLDER
"""

from __future__ import annotations

import json
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meter import memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests.adapters import HTTPAdapter

    from ror_sante.http.session import RorSession

# curl counts requests, not seconds: about as many as it manages. By (small body, several workers).
CURL_PER_SECOND = {(True, False): 6000, (True, True): 15000, (False, False): 500, (False, True): 600}
WARM_UP = 3  # requests of each worker before the clock starts: connections stand, caches are filled
PASSPHRASE = "benchmark"
LEAST = 10_000  # bytes of a body; less is an error page


@dataclass(frozen=True)
class Job:
    """What a client is asked to do."""

    url: str
    workers: int
    seconds: float
    folder: Path

    @property
    def root(self) -> str:
        """The only root to trust."""
        return str(self.folder / "root.pem")

    @property
    def pem(self) -> str:
        """Our chain and key in one file."""
        return str(self.folder / "client.pem")

    def context(self) -> ssl.SSLContext:
        """Make the context that a careful user of the standard library makes by hand."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.root)
        context.load_cert_chain(self.pem)
        return context


@dataclass(frozen=True)
class Measured:
    """What came of it: times in milliseconds, CPU time of the client alone, its peak of memory in MiB."""

    requests: int
    per_second: float
    cpu: float
    p50: float
    p99: float
    memory: float

    @classmethod
    def of(cls, times: list[float], elapsed: float, cpu: float) -> Measured:
        """Summarise the duration of each request, and the seconds that all took."""
        times.sort()
        count = len(times)
        at = [times[min(count - 1, int(count * share))] * 1000 for share in (0.50, 0.99)]
        return cls(count, count / elapsed, cpu / count * 1000, *at, memory("VmHWM"))


# ------------------------------------------------------------------ the measurement

# A client gives, for each worker, a function that asks once and returns how many bytes of body came.
if TYPE_CHECKING:
    Ask = Callable[[], int]


def with_threads(job: Job, worker: Callable[[], Ask]) -> Measured:
    """Run the workers as threads until the time is up."""
    asks = [worker() for _ in range(job.workers)]
    for ask in asks * WARM_UP:
        ask()
    times: list[list[float]] = [[] for _ in asks]
    ready = threading.Barrier(job.workers + 1)
    threads = [
        threading.Thread(target=_ask_on, args=(ask, own, ready, job.seconds))
        for ask, own in zip(asks, times, strict=True)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    started, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.join()
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Measured.of([one for own in times for one in own], elapsed, cpu)


def _ask_on(ask: Ask, times: list[float], ready: threading.Barrier, seconds: float) -> None:
    ready.wait()
    now = time.perf_counter()
    end = now + seconds
    while now < end:
        size = ask()
        before, now = now, time.perf_counter()
        times.append(now - before)
        if size < LEAST:
            raise SystemExit(f"not the body that was asked for: {size} bytes")


# ------------------------------------------------------------------ ours


def _session(job: Job) -> RorSession:
    from ror_sante import ClientIdentity, SessionFactory, TrustAnchor

    identity = ClientIdentity.from_p12(job.folder / "client.p12", PASSPHRASE)
    factory = SessionFactory(identity, TrustAnchor.from_file(job.root), pool_size=job.workers)
    return factory.session(job.url)


def ror_exchange(job: Job) -> Measured:
    """The way that this package's own clients take to the network."""
    from ror_sante import RetryPolicy, Timeouts
    from ror_sante.http.exchange import Exchange, Request

    exchange = Exchange(_session(job), retry=RetryPolicy(), timeout=Timeouts())
    request = Request("GET", job.url, {})
    return with_threads(job, lambda: lambda: len(exchange.send(request).body))


def ror_session(job: Job) -> Measured:
    """The requests session that application code gets."""
    session = _session(job)
    return with_threads(job, lambda: lambda: len(session.get(job.url).content))


# ------------------------------------------------------------------ what one would use instead


def requests_plain(job: Job) -> Measured:
    """Requests as its documentation shows it: a session with verify and cert."""
    import requests

    session = requests.Session()
    session.verify, session.cert = job.root, job.pem
    return with_threads(job, lambda: lambda: len(session.get(job.url, timeout=30).content))


def adapter_with(context: ssl.SSLContext, workers: int = 1) -> HTTPAdapter:
    """Make an adapter of requests that uses a hand-made context, its pool as large as the workers are many."""
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: object, **kwargs: object) -> None:
            super().init_poolmanager(*args, ssl_context=context, **kwargs)  # type: ignore[arg-type]  # passed on

        def cert_verify(self, *args: object) -> None:
            """Leave the context as it was made."""

        def build_connection_pool_key_attributes(self, request, verify, cert=None):  # type: ignore[no-untyped-def]
            parts = urlsplit(request.url)
            return {"scheme": "https", "host": parts.hostname, "port": parts.port}, {"cert_reqs": "CERT_REQUIRED"}

    return Adapter(pool_maxsize=workers, pool_block=True)


def requests_context(job: Job) -> Measured:
    """Requests with a hand-made context."""
    import requests

    session = requests.Session()
    session.trust_env = False
    session.mount("https://", adapter_with(job.context(), job.workers))
    return with_threads(job, lambda: lambda: len(session.get(job.url, timeout=30).content))


def urllib3_plain(job: Job) -> Measured:
    """urllib3 with a hand-made context."""
    import urllib3

    pool = urllib3.PoolManager(maxsize=job.workers, block=True, ssl_context=job.context())
    return with_threads(job, lambda: lambda: len(pool.request("GET", job.url, timeout=30, retries=False).data))


def http_client(job: Job) -> Measured:
    """The standard library's own client, a connection a worker."""
    import http.client

    context, parts = job.context(), urlsplit(job.url)

    def worker() -> Ask:
        connection = http.client.HTTPSConnection(parts.netloc, context=context, timeout=30)

        def ask() -> int:
            connection.request("GET", parts.path)
            return len(connection.getresponse().read())

        return ask

    return with_threads(job, worker)


def httpx_sync(job: Job) -> Measured:
    """The synchronous client of httpx with a hand-made context."""
    import httpx

    limits = httpx.Limits(max_connections=job.workers, max_keepalive_connections=job.workers)
    client = httpx.Client(verify=job.context(), trust_env=False, timeout=30, limits=limits)
    return with_threads(job, lambda: lambda: len(client.get(job.url).content))


def httpx_pki(job: Job) -> Measured:
    """A client of httpx-pki, from the P12."""
    from httpx_pki import PKIClient

    client = PKIClient(job.folder / "client.p12", password=PASSPHRASE, verify=job.root, trust_env=False)
    return with_threads(job, lambda: lambda: len(client.get(job.url).content))


def requests_pkcs12(job: Job) -> Measured:
    """A requests session with the adapter of requests_pkcs12, from the P12."""
    import requests
    from requests_pkcs12 import Pkcs12Adapter

    session = requests.Session()
    session.verify, session.trust_env = job.root, False
    p12 = {"pkcs12_filename": str(job.folder / "client.p12"), "pkcs12_password": PASSPHRASE}
    session.mount("https://", Pkcs12Adapter(**p12, pool_maxsize=job.workers, pool_block=True))
    return with_threads(job, lambda: lambda: len(session.get(job.url, timeout=30).content))


def niquests(job: Job) -> Measured:
    """A session of niquests, as its documentation shows it."""
    import niquests as library

    session = library.Session()
    session.verify, session.cert, session.trust_env = job.root, job.pem, False
    return with_threads(job, lambda: lambda: len(session.get(job.url, timeout=30).content))


def pycurl(job: Job) -> Measured:
    """The bindings of libcurl, a handle a worker."""
    import pycurl as library

    def worker() -> Ask:
        handle = library.Curl()
        for name, value in (("URL", job.url), ("CAINFO", job.root), ("SSLCERT", job.pem), ("SSLKEY", job.pem)):
            handle.setopt(getattr(library, name), value)
        return lambda: len(handle.perform_rb())

    return with_threads(job, worker)


def aiohttp(job: Job) -> Measured:
    """A session of aiohttp, its workers being tasks of one loop."""
    import asyncio

    return asyncio.run(_with_tasks(job))


async def _with_tasks(job: Job) -> Measured:
    import asyncio

    import aiohttp as library

    connector = library.TCPConnector(ssl=job.context(), limit=job.workers)
    async with library.ClientSession(connector=connector) as session:

        async def ask() -> int:
            async with session.get(job.url) as answer:
                return len(await answer.read())

        async def on(end: float, times: list[float]) -> None:
            now = time.perf_counter()
            while now < end:
                if await ask() < LEAST:
                    raise SystemExit("not the body that was asked for")
                before, now = now, time.perf_counter()
                times.append(now - before)

        for _ in range(WARM_UP):
            await asyncio.gather(*(ask() for _ in range(job.workers)))
        times: list[float] = []
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(on(started + job.seconds, times) for _ in range(job.workers)))
        return Measured.of(times, time.perf_counter() - started, time.process_time() - cpu)


def curl(job: Job) -> Measured:
    """The curl program: one process, the same URL many times, kept-alive connections; its start is counted."""
    count = max(20, int(job.seconds * CURL_PER_SECOND["20kb" in job.url, job.workers > 1]))
    listed = job.folder / f"curl-{job.workers}.txt"
    listed.write_text(f'url = "{job.url}"\noutput = "/dev/null"\n' * count, encoding="utf-8")
    command = ["curl", "--silent", "--show-error", "--http1.1", "--cacert", job.root, "--cert", job.pem]
    command += ["--key", job.pem, "--config", str(listed), "--write-out", "%{time_total} %{size_download}\n"]
    if job.workers > 1:
        command += ["--parallel", "--parallel-max", str(job.workers)]
    started = time.perf_counter()
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    elapsed = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measured.of([float(line.split()[0]) for line in told.splitlines()], elapsed, used.ru_utime + used.ru_stime)


def raw_socket(job: Job) -> Measured:
    """A TLS socket that is written to and read from, and no HTTP library: the floor."""
    context = job.context()
    where = urlsplit(job.url)
    assert where.hostname
    asked = f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()

    def worker() -> Ask:
        plain = socket.create_connection((where.hostname, where.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = context.wrap_socket(plain, server_hostname=where.hostname)
        buffer = bytearray(4 << 20)
        view = memoryview(buffer)

        def ask() -> int:
            secure.sendall(asked)
            have = head = 0
            while not head:
                have += secure.recv_into(view[have:])
                head = buffer.find(b"\r\n\r\n", 0, have) + 4
                head = head if head > 3 else 0
            at = buffer.find(b"Content-Length: ", 0, head) + 16
            length = int(buffer[at : buffer.find(b"\r", at)])
            while have < head + length:
                have += secure.recv_into(view[have:])
            return length

        return ask

    return with_threads(job, worker)


# The first is what the ratios are to; the last but one measures the noise: it is the first once more.
BASELINE = "requests"
CONTROL = "requests, once more"
CLIENTS: dict[str, Callable[[Job], Measured]] = {
    BASELINE: requests_plain,
    "requests, own context": requests_context,
    "ror-sante exchange": ror_exchange,
    "ror-sante session": ror_session,
    "urllib3": urllib3_plain,
    "http.client": http_client,
    "httpx": httpx_sync,
    "httpx-pki": httpx_pki,
    "requests_pkcs12": requests_pkcs12,
    "niquests": niquests,
    "aiohttp": aiohttp,
    "pycurl": pycurl,
    "curl program": curl,
    "raw TLS socket": raw_socket,
    CONTROL: requests_plain,
}
# What a client needs that our own environment has not; each gets one of its own.
LIBRARIES_OF: dict[str, tuple[str, ...]] = {
    "httpx": ("httpx",),
    "httpx-pki": ("httpx-pki",),
    "requests_pkcs12": ("requests_pkcs12",),
    "niquests": ("niquests",),
    "aiohttp": ("aiohttp",),
    "pycurl": ("pycurl",),
}


if __name__ == "__main__":
    name, url, workers, seconds, folder = sys.argv[1:]
    print(json.dumps(vars(CLIENTS[name](Job(url, int(workers), float(seconds), Path(folder))))))
