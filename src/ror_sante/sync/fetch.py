"""Fetch the files of a job, several at a time, each whole or not there."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ror_sante.errors import NotFoundError, UnexpectedResponseError
from ror_sante.http.exchange import Limits
from ror_sante.sync.files import Download
from ror_sante.sync.job import lost

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.api.national import NationalRorClient
    from ror_sante.sync.progress import Watcher

LIMITS: Final = Limits(body=64 * 1024**3)
DEADLINE: Final = 6 * 3600.0  # seconds for one file
_PARTING: Final = 1.0  # seconds that the threads have for the piece in their hands
_TRIES: Final = 2  # for a file that ends as no JSON does


@dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Attributes:
        url: where it is; it passed the origin rule.
        path: where it goes.
    """

    url: str
    path: Path


class _StoppedError(Exception):
    """The run has ended while a file was on its way."""


@dataclass
class _Hands:
    """What the threads share."""

    client: NationalRorClient
    watcher: Watcher
    waiting: queue.SimpleQueue[Wanted]
    done: queue.SimpleQueue[BaseException | None] = field(default_factory=queue.SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Fetch one file after the other."""
        while True:
            try:
                wanted = self.waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._go_on()
                self._fetch(wanted)
            except BaseException as error:  # noqa: BLE001  the thread that waits raises it
                self.done.put(error)
                return
            self.done.put(None)

    def _fetch(self, wanted: Wanted) -> None:
        download = Download(wanted.path, check=self._go_on, received=self.watcher.received)
        try:
            self._pour(wanted, download)
            self._go_on()
            download.finish()
        finally:
            download.discard()
        self.watcher.step("file", name=wanted.path.name, bytes=download.size)

    def _pour(self, wanted: Wanted, download: Download) -> None:
        """Fetch until the file ends as JSON does: a gateway can cut an answer so that its length seems right."""
        for _ in range(_TRIES):
            self.client.pour(wanted.url, download, deadline=DEADLINE, limits=LIMITS)
            if download.last in (b"}", b"]"):
                return
        raise UnexpectedResponseError(
            f"a file of the export does not end as JSON ({download.size} bytes, fetched {_TRIES} times)",
            hint="A gateway on the way may have answered in place of the service, or cut its answer.",
            status=200,
            method="GET",
        )

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise _StoppedError


def fetch(client: NationalRorClient, wanted: list[Wanted], *, parallel: int, watcher: Watcher) -> None:
    """Fetch files; those that are whole stay, whatever happens to the others.

    Args:
        client: how the service is reached.
        wanted: the files.
        parallel: how many at a time.
        watcher: told of each file and of each piece.

    Raises:
        JobLostError: one of them is gone at the service.
        ApiError: one of them could not be had.
        OSError: it could not be written.
    """
    hands = _Hands(client, watcher, queue.SimpleQueue())
    for item in wanted:
        hands.waiting.put(item)
    # Daemons: an interrupted run does not wait for a server that is silent. What they leave is a half file beside.
    threads = [threading.Thread(target=hands.work, daemon=True) for _ in range(min(parallel, len(wanted)))]
    for thread in threads:
        thread.start()
    try:
        for _ in wanted:
            _raised(hands.done.get())
    finally:
        hands.stop.set()
        end = time.monotonic() + _PARTING
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))


def _raised(error: BaseException | None) -> None:
    if isinstance(error, NotFoundError):
        raise lost(error) from error
    if error is not None:
        raise error
