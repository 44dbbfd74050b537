"""The extraction downloads of the Annuaire Santé, as the simulator plays them."""

from __future__ import annotations

import io
import re
import threading
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from ror_sante.simulator.extraction_data import OPEN, RESTRICTED, write_extraction
from ror_sante.simulator.messages import HTML, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.messages import Call
    from ror_sante.simulator.variants import Variants

EXTRACTION_PATH: Final = "/annuaire-sante-webservices/V300/services/extraction"
ZIP: Final = "application/zip"
_HOUR: Final = timedelta(hours=2, minutes=10)  # UTC; the real files come between two and four
_RANGE: Final = re.compile(r"bytes=([0-9]{1,15})-")
_BOMB: Final = 64 << 20  # bytes, unpacked


@dataclass(frozen=True)
class Zipped:
    """The body of a download, from a byte on; a fault puts another file in its place."""

    data: bytes
    start: int = 0

    def render(self) -> bytes:
        """Give the bytes."""
        return self.data[self.start :]


class ExtractionService:
    """Answers on the port where some paths ask for a certificate.

    Args:
        variants: size of the files, and how a download can be resumed.
        seed: another seed gives other people.
        now: the simulator's time; a new version appears each night.
    """

    def __init__(self, variants: Variants, *, seed: int, now: Callable[[], datetime]) -> None:
        self._variants = variants
        self._seed = seed
        self._now = now
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], bytes] = {}

    def asks(self, path: str) -> bool:
        """Tell whether a path is for holders of a certificate alone."""
        return path.removeprefix(f"{EXTRACTION_PATH}/") in RESTRICTED

    def answer(self, call: Call) -> Reply:
        """Answer one request."""
        name = call.path.removeprefix(f"{EXTRACTION_PATH}/")
        if name not in (*OPEN, *RESTRICTED):
            return page(404)
        if name in RESTRICTED and not call.peer.subject_dn:
            return page(403)
        if call.method not in ("GET", "HEAD"):
            return page(405)
        return self._download(name, call)

    def reset(self) -> None:
        """Forget the files."""
        with self._lock:
            self._made.clear()

    def file(self, name: str) -> tuple[str, bytes]:
        """Give the version and the bytes that are served now.

        Args:
            name: of the extraction.
        """
        generated = self._generated()
        version = _paris(generated).strftime("%Y%m%d%H%M")
        with self._lock:
            if (name, version) not in self._made:
                file = io.BytesIO()
                write_extraction(file, name, version, rows=self._variants.extraction_rows, seed=self._seed)
                self._made[name, version] = file.getvalue()
            return version, self._made[name, version]

    def _generated(self) -> datetime:
        now = self._now()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0) + _HOUR
        return today if now >= today else today - timedelta(days=1)

    def _download(self, name: str, call: Call) -> Reply:
        version, data = self.file(name)
        headers = [
            # The real one does not quote the name (reference "annuaire-sante", section 2).
            ("Content-Disposition", f"attachment; filename={name}_{version}.zip"),
            *self._validators(data),
        ]
        start = self._start(call, dict(headers))
        body = Zipped(data, start) if call.method == "GET" else data
        if not start:
            return Reply(200, body, ZIP, tuple(headers))
        if start >= len(data):
            return Reply(416, b"", HTML, (("Content-Range", f"bytes */{len(data)}"),))
        headers.append(("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}"))
        return Reply(206, body, ZIP, tuple(headers))

    def _validators(self, data: bytes) -> list[tuple[str, str]]:
        ranges = [("Accept-Ranges", "bytes")] if self._variants.extraction_ranges else []
        match self._variants.extraction_validator:
            case "etag":
                return [*ranges, ("ETag", f'"{zlib.crc32(data):08x}"')]
            case "date":
                return [*ranges, ("Last-Modified", format_datetime(self._generated(), usegmt=True))]
        return ranges

    def _start(self, call: Call, headers: dict[str, str]) -> int:
        """Tell where the answer starts: RFC 9110 sections 13.1.5 (If-Range) and 14.2 (Range)."""
        found = _RANGE.fullmatch(call.headers.get("range", ""))
        if found is None or call.method != "GET" or not self._variants.extraction_ranges:
            return 0
        condition = call.headers.get("if-range")
        valid = condition is None or condition in (headers.get("ETag"), headers.get("Last-Modified"))
        return int(found[1]) if valid else 0


def _paris(moment: datetime) -> datetime:
    """Give the time in Paris, winter and summer (last Sundays of March and October, at 1 h UTC)."""
    start, end = (_last_sunday(moment.year, month) for month in (3, 10))
    return moment + timedelta(hours=2 if start <= moment < end else 1)


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


# ------------------------------------------------------------------ for the faults


def page(status: int) -> Reply:
    """Give a page for people."""
    return Reply(status, f"<html><body><h1>{status}</h1></body></html>".encode(), HTML)


def renamed(reply: Reply, disposition: str) -> Reply:
    """Give the reply with another ``Content-Disposition``, or without one."""
    kept = [(name, value) for name, value in reply.headers if name != "Content-Disposition"]
    added = [("Content-Disposition", disposition)] if disposition else []
    return Reply(reply.status, reply.body, reply.media_type, (*kept, *added), reply.delivery)


def damaged(data: bytes) -> bytes:
    """Change a byte in the middle of the packed data: a sum is wrong."""
    middle = len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def slipped(_data: bytes) -> bytes:
    """Make a zip whose member would be unpacked above its folder."""
    return _zip(("../../outside.txt", b"a|b\n1|2\n"))


def bomb(_data: bytes) -> bytes:
    """Make a small zip that unpacks to 64 MiB of nothing."""
    return _zip(("bomb.txt", b"|" * _BOMB))


def _zip(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()
