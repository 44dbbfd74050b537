"""One way of making a copy, in a process of its own: prints one JSON line.

python copier.py NAME URL FOLDER OUT

FOLDER holds root.pem, client.pem and client.p12; OUT is a new folder for what is made.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copydata import FHIR, PAGES, PER_PAGE
from meter import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ror_sante import Environment

CALLS_PER_SECOND = 20.0  # the client's default
PARALLEL = 4  # the command's default
PASSPHRASE = "benchmark"
RESULTS = PAGES * PER_PAGE


@dataclass(frozen=True)
class Task:
    """What is asked, with what, and where it goes."""

    url: str
    folder: Path
    out: Path

    @property
    def root(self) -> str:
        """The only root to trust."""
        return str(self.folder / "root.pem")

    @property
    def pem(self) -> str:
        """Our chain and key in one file."""
        return str(self.folder / "client.pem")

    @property
    def size(self) -> str:
        """Which of the services that the server plays."""
        return self.url.rpartition("/")[2]


# ------------------------------------------------------------------ a whole export


def command(task: Task) -> dict[str, float]:
    """Run the real command; its own lines tell when it had fetched all."""
    from ror_sante.api import national  # noqa: F401  the command imports them when it needs them
    from ror_sante.cli import export, main  # noqa: F401

    settings = _settings(task)
    told = io.StringIO()
    meter = Meter()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        code = main(["--config", str(settings), "rorn", "export", "--all", "--out", str(task.out / "copy")])
    steps = {line["step"]: line["time"] for line in map(json.loads, _json_lines(told.getvalue()))}
    if code:
        raise SystemExit(told.getvalue())
    found = meter.read(
        fetching=_between(steps, "ready", "assembling"), writing=_between(steps, "assembling", "published")
    )
    return found | {"lines": _lines(task.out / "copy" / "current")}


def _json_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("{")]


def _between(steps: dict[str, str], first: str, last: str) -> float:
    return (datetime.fromisoformat(steps[last]) - datetime.fromisoformat(steps[first])).total_seconds()


def _settings(task: Task) -> Path:
    passphrase = task.out / "client.pass"
    passphrase.write_text(PASSPHRASE, encoding="utf-8")
    passphrase.chmod(0o600)
    origin = task.url.partition(FHIR)[0]
    path = task.out / "ror-sante.toml"
    path.write_text(
        f"""environment = "bench"
[identity]
p12 = "{task.folder}/client.p12"
passphrase_file = "{passphrase}"
[rorn]
client_id = "bench"
profile = {{ code = "CU22", system = "1.2.250.1.213.1.1.4.30" }}
role = {{ code = "AUTOMATE", system = "1.2.250.1.213.1.6.1.1" }}
[environments.bench]
token_url = "{origin}/token"
api_url = "{origin}"
diffusion_path = "{FHIR}/{task.size}"
anchors = ["{task.root}"]
""",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


def curl(task: Task) -> dict[str, float]:
    """Fetch the same files to disk with curl, as many at a time; then bring them to the disk as the command does."""
    listed = task.out / "list.txt"
    urls = _urls(json.loads((task.folder / "www" / FHIR.strip("/") / task.size / "manifest.json").read_bytes()))
    files = [task.out / f"{number}.json" for number in range(len(urls))]
    listed.write_text("".join(f'url = "{url}"\noutput = "{file}"\n' for url, file in zip(urls, files, strict=True)))
    command = ["curl", "--silent", "--show-error", "--fail", "--http1.1", "--cacert", task.root, "--cert", task.pem]
    command += ["--key", task.pem, "--parallel", "--parallel-max", str(PARALLEL), "--config", str(listed)]
    meter = Meter()
    subprocess.run(command, check=True)
    found = meter.read()
    for file in files:
        with file.open("rb") as synced:
            os.fsync(synced.fileno())
    return found | {"memory": float("nan"), "synced": meter.read()["wall"]}


def reference(task: Task) -> dict[str, float]:
    """Do as the official Python sample would: each file by requests, read whole, loaded, and dumped line by line."""
    import requests

    session = requests.Session()
    session.verify, session.cert = task.root, task.pem
    meter = Meter()
    lines = 0
    with contextlib.ExitStack() as stack:
        files: dict[str, io.TextIOWrapper] = {}
        for url in _urls(session.get(f"{task.url}/manifest.json", timeout=30).json()):
            for entry in json.loads(session.get(url, timeout=30).content)["entry"]:
                kind = entry["resource"]["resourceType"]
                if kind not in files:
                    files[kind] = stack.enter_context((task.out / f"{kind}.ndjson").open("w", encoding="utf-8"))
                files[kind].write(json.dumps(entry["resource"], ensure_ascii=False) + "\n")
                lines += 1
    return meter.read(lines=lines)


def _urls(manifest: dict[str, list[dict[str, str]]]) -> list[str]:
    return [file["url"] for file in manifest["output"]]


def _lines(folder: Path) -> int:
    total = 0
    for file in folder.glob("*.ndjson"):
        with file.open("rb") as content:
            total += sum(1 for _ in content)
    return total


# ------------------------------------------------------------------ a paged search


def _environment(task: Task) -> Environment:
    from ror_sante import Environment

    origin = task.url.partition(FHIR)[0]
    return Environment(
        name="bench",
        token_url=f"{origin}/token",
        api_url=origin,
        diffusion_path=f"{FHIR}/{task.size}",
        anchors=(task.root,),
    )


def search(task: Task) -> dict[str, float]:
    """Search by this package's client, and write the lines."""
    return _search(task, CALLS_PER_SECOND)


def search_unhurried(task: Task) -> dict[str, float]:
    """Search by this package's client without its rate limit, which would be most of the time of a long search."""
    return _search(task, float("inf"))


def _search(task: Task, calls_per_second: float) -> dict[str, float]:
    from ror_sante import ClientIdentity, NationalRorClient
    from ror_sante.api.fhir.bundle import to_ndjson
    from ror_sante.environments import Coding

    identity = ClientIdentity.from_p12(task.folder / "client.p12", PASSPHRASE)
    coding = Coding("CU22", "1.2.250.1.213.1.1.4.30")
    account = {"client_id": "bench", "profile": coding, "role": coding, "calls_per_second": calls_per_second}
    with NationalRorClient(_environment(task), identity, **account) as ror:
        next(ror.search("HealthcareService", max_results=1))
        meter = Meter()
        with (task.out / "found.ndjson").open("wb") as file:
            file.writelines(to_ndjson(ror.search("HealthcareService", allow_truncated=True)))
        return meter.read(lines=_lines(task.out))


def search_requests(task: Task) -> dict[str, float]:
    """Search as one does with requests and json."""
    import requests

    session = requests.Session()
    session.verify, session.cert = task.root, task.pem
    url = f"{task.url}/HealthcareService"
    session.get(url, timeout=30).json()
    meter = Meter()
    with (task.out / "found.ndjson").open("w", encoding="utf-8") as file:
        for resource_ in _found(session, url):
            file.write(json.dumps(resource_, ensure_ascii=False) + "\n")
    return meter.read(lines=_lines(task.out))


def _found(session, url: str) -> Iterator[dict[str, object]]:  # type: ignore[no-untyped-def]  # requests is not imported here
    while url:
        page = session.get(url, timeout=30).json()
        yield from (entry["resource"] for entry in page["entry"])
        url = next((link["url"] for link in page.get("link", ()) if link["relation"] == "next"), "")


def search_aiohttp(task: Task) -> dict[str, float]:
    """Search with aiohttp, and decode and write with orjson."""
    import asyncio

    return asyncio.run(_search_aiohttp(task))


async def _search_aiohttp(task: Task) -> dict[str, float]:
    import ssl

    import aiohttp
    import orjson

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(task.root)
    context.load_cert_chain(task.pem)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:

        async def page(url: str) -> dict[str, Any]:
            async with session.get(url) as answer:
                found: dict[str, Any] = orjson.loads(await answer.read())
                return found

        url = f"{task.url}/HealthcareService"
        await page(url)
        meter = Meter()
        with (task.out / "found.ndjson").open("wb") as file:
            while url:
                bundle = await page(url)
                file.writelines(orjson.dumps(entry["resource"]) + b"\n" for entry in bundle["entry"])
                url = next((link["url"] for link in bundle.get("link", ()) if link["relation"] == "next"), "")
        return meter.read(lines=_lines(task.out))


COPIES: dict[str, Callable[[Task], dict[str, float]]] = {
    "ror-sante rorn export": command,
    "curl --parallel": curl,
    "requests, json.loads, json.dumps": reference,
}
SEARCHES: dict[str, Callable[[Task], dict[str, float]]] = {
    "ror-sante search": search,
    "aiohttp, orjson": search_aiohttp,
    "requests, json": search_requests,
    "requests, json, once more": search_requests,
}
UNHURRIED = "ror-sante search, without its rate limit"
# What a way needs that our own environment has not; it gets one of its own.
LIBRARIES_OF: dict[str, tuple[str, ...]] = {"aiohttp, orjson": ("aiohttp", "orjson")}

if __name__ == "__main__":
    name, url, folder, out = sys.argv[1:]
    print(json.dumps((COPIES | SEARCHES | {UNHURRIED: search_unhurried})[name](Task(url, Path(folder), Path(out)))))
