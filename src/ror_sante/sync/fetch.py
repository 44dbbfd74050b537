"""Fetch the files of a job, several at a time, each whole or not there."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from ror_sante.errors import NotFoundError, UnexpectedResponseError
from ror_sante.http.exchange import Limits
from ror_sante.sync.files import Download
from ror_sante.sync.job import lost

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from ror_sante.api.national import NationalRorClient
    from ror_sante.sync.progress import Watcher

LIMITS: Final = Limits(body=64 * 1024**3)
DEADLINE: Final = 6 * 3600.0  # seconds for one file
_PARTING: Final = 1.0  # seconds that the threads have for the piece in their hands
_AHEAD: Final = 4  # files for each thread: what waits on the disk is read and gone before the system has stored it
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


class Fetching:
    """Files on their way, several at a time, and never far ahead of the one that is waited for; a context manager.

    Those that are whole stay, whatever happens to the others.

    Args:
        client: how the service is reached.
        wanted: the files, in the order in which they will be waited for.
        parallel: how many at a time.
        watcher: told of each file and of each piece.
    """

    def __init__(self, client: NationalRorClient, wanted: Sequence[Wanted], *, parallel: int, watcher: Watcher) -> None:
        self._client = client
        self._wanted = wanted
        self._watcher = watcher
        self._ahead = _AHEAD * parallel
        self._news = threading.Condition()
        self._next = 0  # the first that nobody has begun
        self._asked = 0  # how many were waited for
        self._whole: set[Path] = set()
        self._error: BaseException | None = None
        self._ended = False
        # Daemons: an interrupted run does not wait for a server that is silent. What they leave is a half file beside.
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(parallel, len(wanted)))]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()
        end = time.monotonic() + _PARTING
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def wait(self, path: Path) -> None:
        """Wait until one of the files is whole.

        Raises:
            JobLostError: a file is gone at the service.
            ApiError: one of them could not be had, this one or another.
            OSError: it could not be written.
        """
        with self._news:
            self._news.wait_for(lambda: self._error is not None or path in self._whole)
            if self._error is not None:
                _raise(self._error)
            self._asked += 1
            self._news.notify_all()

    # -------------------------------------------------------------- in the threads

    def _work(self) -> None:
        try:
            while (wanted := self._begun()) is not None:
                self._fetch(wanted)
                with self._news:
                    self._whole.add(wanted.path)
                    self._news.notify_all()
        except BaseException as error:  # noqa: BLE001  the thread that waits raises it
            with self._news:
                self._error = self._error or error
                self._news.notify_all()

    def _begun(self) -> Wanted | None:
        """Take the next file; None when there is none, or the run has ended."""
        with self._news:
            self._news.wait_for(lambda: self._stopped or self._next < min(len(self._wanted), self._asked + self._ahead))
            if self._stopped:
                return None
            self._next += 1
            return self._wanted[self._next - 1]

    @property
    def _stopped(self) -> bool:
        return self._ended or self._error is not None or self._next >= len(self._wanted)

    def _fetch(self, wanted: Wanted) -> None:
        download = Download(wanted.path, check=self._go_on, received=self._watcher.received)
        try:
            self._pour(wanted, download)
            self._go_on()
            download.finish()
        finally:
            download.discard()
        self._watcher.step("file", name=wanted.path.name, bytes=download.size)

    def _pour(self, wanted: Wanted, download: Download) -> None:
        """Fetch until the file ends as JSON does: a gateway can cut an answer so that its length seems right."""
        for _ in range(_TRIES):
            self._client.pour(wanted.url, download, deadline=DEADLINE, limits=LIMITS)
            if download.last in (b"}", b"]"):
                return
        raise UnexpectedResponseError(
            f"a file of the export does not end as JSON ({download.size} bytes, fetched {_TRIES} times)",
            hint="A gateway on the way may have answered in place of the service, or cut its answer.",
            status=200,
            method="GET",
        )

    def _go_on(self) -> None:
        if self._ended or self._error is not None:
            raise _StoppedError


def _raise(error: BaseException) -> NoReturn:
    if isinstance(error, NotFoundError):
        raise lost(error) from error
    raise error
