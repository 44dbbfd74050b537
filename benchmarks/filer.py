"""One way of taking a large file, in a process of its own: prints one JSON line.

python filer.py NAME URL FOLDER OUT

FOLDER holds root.pem, client.pem, client.p12 and, below www, the file itself; OUT is a new folder for what is made.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meter import Meter

if TYPE_CHECKING:
    from collections.abc import Callable

PASSPHRASE = "benchmark"


def pour(url: str, folder: Path, out: Path) -> dict[str, float]:
    """Stream it to disk by this package's exchange."""
    from ror_sante import ClientIdentity, RetryPolicy, SessionFactory, Timeouts, TrustAnchor
    from ror_sante.http.exchange import Exchange, Limits, Request

    identity = ClientIdentity.from_p12(folder / "client.p12", PASSPHRASE)
    session = SessionFactory(identity, TrustAnchor.from_file(folder / "root.pem")).session(url)
    exchange = Exchange(session, retry=RetryPolicy(), timeout=Timeouts())
    meter = Meter()
    with (out / "file").open("wb") as file:
        exchange.pour(Request("GET", url), _Into(file), deadline=600, limits=Limits(body=1 << 40))
    return meter.read()


class _Into:
    """A file that can be begun anew."""

    def __init__(self, file) -> None:  # type: ignore[no-untyped-def]  # any binary file
        self._file = file
        self.write = file.write

    def begin(self, _answer: object) -> None:
        self._file.seek(0)
        self._file.truncate()


def copy(url: str, folder: Path, out: Path) -> dict[str, float]:
    """Stream it to disk as one does with requests."""
    import requests

    session = requests.Session()
    session.verify, session.cert = str(folder / "root.pem"), str(folder / "client.pem")
    meter = Meter()
    with session.get(url, stream=True, timeout=30) as answer, (out / "file").open("wb") as file:
        shutil.copyfileobj(answer.raw, file)
    return meter.read()


def _file(url: str, folder: Path) -> Path:
    return folder / "www" / urlsplit(url).path.strip("/")


def split(url: str, folder: Path, _out: Path) -> dict[str, float]:
    """Split it by this package, as a copy does."""
    from ror_sante.sync.split import resources

    path = _file(url, folder)
    meter = Meter()
    return meter.read(resources=sum(len(some) for some in resources(path)))


def ijson(url: str, folder: Path, _out: Path) -> dict[str, float]:
    """Split it with ijson and its C backend."""
    import ijson as library

    meter = Meter()
    with _file(url, folder).open("rb") as file:
        count = sum(1 for _ in library.items(file, "entry.item.resource", use_float=True))
    return meter.read(resources=count)


def loads(url: str, folder: Path, _out: Path) -> dict[str, float]:
    """Decode it whole, as ``response.json()`` does."""
    meter = Meter()
    count = len(json.loads(_file(url, folder).read_bytes())["entry"])
    return meter.read(resources=count)


TO_DISK: dict[str, Callable[[str, Path, Path], dict[str, float]]] = {
    "ror-sante pour": pour,
    "requests, copyfileobj": copy,
}
SPLITTING: dict[str, Callable[[str, Path, Path], dict[str, float]]] = {
    "ror-sante split": split,
    "ijson": ijson,
    "json.loads of the whole": loads,
}
LIBRARIES_OF = {"ijson": ("ijson",)}

if __name__ == "__main__":
    name, url, folder, out = sys.argv[1:]
    print(json.dumps((TO_DISK | SPLITTING)[name](url, Path(folder), Path(out))))
