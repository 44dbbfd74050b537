"""Keep the newest version of an extraction in a folder: fetched once, resumed, checked whole before it counts."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ror_sante.api.annuaire.columns import BrokenExtractionError
from ror_sante.api.annuaire.extractions import DEADLINE
from ror_sante.api.annuaire.naming import file_name
from ror_sante.errors import ConfigurationError, SyncError, TransportError
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.sync.annuaire.archive import check
from ror_sante.sync.annuaire.partial import NewerError, Partial
from ror_sante.sync.lock import locked
from ror_sante.sync.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.api.annuaire.extractions import ExtractionClient, Offer
    from ror_sante.http.clock import Clock
    from ror_sante.sync.annuaire.archive import Member
    from ror_sante.sync.progress import Watcher

_STARTS: Final = 3  # versions that may appear, or broken files that may come, while we fetch
_PAUSE: Final = 1.0  # seconds before what broke off is asked again, when some of it had come


@dataclass(frozen=True)
class Downloaded:
    """What a run found.

    Attributes:
        outcome: ``fetched``; ``unchanged``, the version was there already; ``none``, the server has no new file now.
        path: the good file; None when there is none, neither at the server nor here.
        version: of that file, ``YYYYMMDDHHmm`` in Paris; empty without one.
        members: what is in a file that was fetched.
    """

    outcome: str
    path: Path | None
    version: str
    members: tuple[Member, ...] = ()


def download(
    client: ExtractionClient,
    name: str,
    folder: Path,
    *,
    keep: int = 0,
    watcher: Watcher | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Downloaded:
    """Bring the newest version of an extraction into a folder, unless it is there.

    Args:
        client: how the service is reached.
        name: of the extraction, such as ``PS_LibreAcces``.
        folder: where ``NAME_VERSION.zip`` goes; made when missing, closed to others, one run at a time.
        keep: how many older versions stay beside the good one.
        watcher: told of each step.
        clock: what tells the time and waits.

    Raises:
        LockedError: another run works on the folder.
        ConfigurationError: an unknown name, or a restricted one without a certificate.
        BrokenExtractionError: what came is no whole and safe zip, a second time too; the last good file stays.
        SyncError: new versions appeared one after the other.
        RorError: the server refused, or could not be reached; what has come stays for the next run.
        OSError: the disk.
    """
    if keep < 0:
        raise ConfigurationError("the number of older versions to keep is negative")
    client.names.needs_certificate(name)
    with locked(folder):
        return _Run(client, name, folder, watcher or Silent(), clock).result(keep)


def versions(folder: Path, name: str) -> dict[str, Path]:
    """Give the good files of an extraction that are in a folder, by version, the newest first."""
    pattern = re.compile(re.escape(name) + r"_([0-9]{12}(?:[0-9]{2})?)\.zip")
    found = {match[1]: path for path in folder.iterdir() if (match := pattern.fullmatch(path.name))}
    return dict(sorted(found.items(), reverse=True))


@dataclass
class _Run:
    """What the steps share."""

    client: ExtractionClient
    name: str
    folder: Path
    watcher: Watcher
    clock: Clock

    def result(self, keep: int) -> Downloaded:
        broken = False
        for _ in range(_STARTS):
            offer = self.client.offer(self.name)
            here = versions(self.folder, self.name)
            if not offer.available:
                return self._none(here)
            if offer.version in here:
                self._prune(here[offer.version], keep)  # a run that was killed may have left older ones
                return Downloaded("unchanged", here[offer.version], offer.version)
            try:
                return self._fetched(offer, keep)
            except (NewerError, BrokenExtractionError) as error:
                if broken:  # what is broken twice in a row is so at the server
                    raise
                broken = isinstance(error, BrokenExtractionError)
                self.watcher.step("restarted", reason=error.message)
        raise SyncError(f"{self.name} changed {_STARTS} times while it was fetched", hint="Try again in some minutes.")

    def _none(self, here: dict[str, Path]) -> Downloaded:
        version, path = next(iter(here.items()), ("", None))
        return Downloaded("none", path, version)

    def _fetched(self, offer: Offer, keep: int) -> Downloaded:
        partial = Partial(self.folder, offer, received=self.watcher.received)
        self._check_room(offer, partial)
        self.watcher.step("fetching", version=offer.version, size=offer.size, resumed_at=partial.size)
        try:
            if not self._pour(offer, partial):
                partial.discard()
                return self._none(versions(self.folder, self.name))
            self.watcher.step("checking", size=partial.size)
            partial.settle()
            members = check(partial.path, name=file_name(self.name, offer.version))
        except (NewerError, BrokenExtractionError):
            partial.discard()
            raise
        finally:
            partial.keep()
        path = self.folder / file_name(self.name, offer.version)
        partial.become(path)
        self._prune(path, keep)
        self.watcher.step("published", file=path.name, bytes=partial.size, texts=[member.name for member in members])
        return Downloaded("fetched", path, offer.version, members)

    def _check_room(self, offer: Offer, partial: Partial) -> None:
        missing = (offer.size or 0) - partial.size
        free = shutil.disk_usage(self.folder).free
        if free < missing:
            partial.keep()
            raise ConfigurationError(
                f"{free >> 20} MiB are free on the disk of {self.folder}, and {missing >> 20} MiB are still to come",
                hint="The new version needs its room beside the old one.",
            )

    def _pour(self, offer: Offer, partial: Partial) -> bool:
        """Fetch what is missing; as long as some of it comes, a connection that breaks is no reason to stop."""
        end = self.clock.monotonic() + DEADLINE
        while offer.size is None or partial.size < offer.size:
            before = partial.size
            try:
                return self.client.pour(
                    offer, partial, rest=partial.rest, deadline=max(1.0, end - self.clock.monotonic())
                )
            except TransportError as error:
                if not error.retryable or partial.size <= before or self.clock.monotonic() >= end:
                    raise
                self.watcher.step("broken", received=partial.size)
                self.clock.sleep(_PAUSE)
        return True

    def _prune(self, good: Path, keep: int) -> None:
        older = [path for path in versions(self.folder, self.name).values() if path != good]
        for path in older[keep:]:
            path.unlink(missing_ok=True)
