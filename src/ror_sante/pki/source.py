"""Name where an identity comes from, so that it can be opened again when the certificate was renewed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from ror_sante.errors import ConfigurationError, IdentityError, RorError
from ror_sante.pki.files import label
from ror_sante.pki.hidden import hide
from ror_sante.pki.identity import ClientIdentity
from ror_sante.settings import Secret

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from ror_sante.pki.hidden import Passphrase
    from ror_sante.settings import IdentitySettings

_TRIES: Final = 3  # readings of a file that is being written meanwhile
_Mark = tuple[int, int, int, int, int]


class IdentitySource:
    """Gives an identity, and gives it again after a renewal.

    Args:
        load: opens the identity. It is called again later, from any thread, and must not wait for long.
        files: what `load` reads. A change of one of them tells that there is something new; without files, `load` is
            called again now and then.
        successor: where the certificate lies that will take over in the last days of this one, or when it is refused.
    """

    __slots__ = ("_load", "files", "successor")

    def __init__(
        self,
        load: Callable[[], ClientIdentity],
        *,
        files: Iterable[str | os.PathLike[str]] = (),
        successor: IdentitySource | None = None,
    ) -> None:
        self._load = load
        self.files = tuple(Path(file) for file in files)
        self.successor = successor

    @classmethod
    def from_p12(
        cls, path: str | os.PathLike[str], passphrase: Passphrase | None, *, successor: IdentitySource | None = None
    ) -> IdentitySource:
        """Name a P12 that may be replaced while the program runs.

        Args:
            path: the file. Replace it by a rename, so that nobody reads half of it.
            passphrase: as for `ClientIdentity.from_p12`; the new file must have the same.
            successor: the P12 that will take over.
        """
        file, passphrase = Path(path), hide(passphrase)
        return cls(lambda: ClientIdentity.from_p12(file, passphrase), files=(file,), successor=successor)

    @classmethod
    def from_settings(cls, settings: IdentitySettings, *, ask: Callable[[str], str] | None = None) -> IdentitySource:
        """Name what the settings describe, with ``next`` when it is set.

        Args:
            settings: the table ``[identity]``, or one of ``[identities.NAME]``.
            ask: called once, with the name of the file, for a passphrase that the settings do not have. What it gave
                is tried for ``next`` too: nobody is asked in the middle of a long job.
        """
        once = None if ask is None else _Asked(ask)
        second = settings.successor
        known = None if once is None else once.again
        following = None if second is None else cls.from_settings(second, ask=known)
        return cls(lambda: ClientIdentity.from_settings(settings, ask=once), files=settings.files, successor=following)

    def through(self, step: Callable[[ClientIdentity], ClientIdentity]) -> IdentitySource:
        """Give this source with a step that every identity goes through when it is opened, that of the successor too.

        Args:
            step: takes an opened identity, and gives the one to use.
        """
        following = None if self.successor is None else self.successor.through(step)
        return IdentitySource(lambda: step(self._load()), files=self.files, successor=following)

    def shared(self) -> IdentitySource:
        """Give this source for many who present the same identity: it is opened once, and again when a file changes.

        A source without files is opened each time: nothing tells when it has something new.
        """
        following = None if self.successor is None else self.successor.shared()
        once = _Once(self) if self.files else self.load
        return IdentitySource(once, files=self.files, successor=following)

    def load(self) -> ClientIdentity:
        """Open the identity; a file that is written at the same time is read again.

        Raises:
            ConfigurationError: a file is missing, unreadable, or changes without pause.
            Pkcs12Error: it does not hold one usable identity.
        """
        for _ in range(_TRIES):
            before, identity, error = self.marks(), None, None
            try:
                identity = self._load()
            except RorError as raised:
                error = raised
            if self.marks() == before:
                if error is not None:
                    raise error
                return _checked(identity)
        names = ", ".join(label(file) for file in self.files)
        raise ConfigurationError(f"{names}: changes while it is read", hint="Write beside it, then rename.")

    @property
    def name(self) -> str:
        """What messages call it."""
        return label(self.files[0]) if self.files else "a function"

    @property
    def missing(self) -> tuple[Path, ...]:
        """The files that are not there (yet)."""
        return tuple(file for file in self.files if _mark(file) is None)

    def marks(self) -> tuple[_Mark | None, ...]:
        """Give what changes when a file is written, replaced or opened to us; None for one that is missing."""
        return tuple(_mark(file) for file in self.files)

    def __repr__(self) -> str:
        names = ", ".join(label(file) for file in self.files) or "a function"
        return f"<IdentitySource {names}{', with a next one' if self.successor else ''}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an IdentitySource cannot be pickled: it may hold a passphrase")


class _Once:
    """What a source held when its files were last seen to change."""

    __slots__ = ("_identity", "_lock", "_marks", "_source")

    def __init__(self, source: IdentitySource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._identity: ClientIdentity | None = None
        self._marks: object = None

    def __call__(self) -> ClientIdentity:
        with self._lock:
            marks = self._source.marks()
            if self._identity is None or marks != self._marks:
                self._identity, self._marks = self._source.load(), marks
            return self._identity


class _Asked:
    """A person's answer, asked for once."""

    __slots__ = ("_answer", "_ask")

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask
        self._answer: Secret | None = None

    def __call__(self, file: str) -> str:
        if self._answer is None:
            self._answer = Secret(self._ask(file))
        return self._answer

    def again(self, file: str) -> str:
        """Give the answer, when there is one.

        Raises:
            ConfigurationError: nobody was asked.
        """
        if self._answer is None:
            raise ConfigurationError(
                f"{file}: the next certificate needs a passphrase, and none was given for the first",
                hint="Name the file that holds it in next_passphrase_file.",
            )
        return self._answer


def _checked(identity: object) -> ClientIdentity:
    if not isinstance(identity, ClientIdentity):
        raise IdentityError(
            f"the source of the identity gave a {type(identity).__name__}, not a ClientIdentity",
            hint="Let the function return ClientIdentity.from_p12(...) or from_pem(...).",
        )
    return identity


def _mark(file: Path) -> _Mark | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
