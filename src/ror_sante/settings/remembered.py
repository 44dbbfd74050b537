"""Keep a passphrase in the keyring of the operating system, by the file that it opens (the extra ``keyring``)."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeVar

from ror_sante.errors import ConfigurationError, printable
from ror_sante.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keyring.backend import KeyringBackend

T = TypeVar("T")
log = logging.getLogger("ror_sante.settings")

# The name under which entries are seen in the system's own tool (Seahorse, KWalletManager, Keychain Access).
SERVICE: Final = "ror-sante"

# A person unlocks the keyring in this time, in seconds; where nobody sits, nothing may wait for ever.
_PATIENCE: Final = 60.0
_ELSEWHERE: Final = "Where there is none, as on a server, keep the passphrase in a file of its own: passphrase_file."


# The library logs a plugin that does not load with its trace, which Python shows where no handler is.
_SILENT: Final = logging.NullHandler()


class Remembered(Secret):
    """A passphrase that the keyring gave: a message about one that does not work can say so."""

    __slots__ = ()


def remember(file: Path, passphrase: Secret) -> str:
    """Keep the passphrase of a file, and read it back.

    Args:
        file: what the passphrase opens; its entry bears the real path, links followed.
        passphrase: what to keep.

    Returns:
        The name of the keyring.

    Raises:
        ConfigurationError: the extra is missing, the keyring is refused, or it does not keep the passphrase.
    """
    vault = open_vault()
    _asked(lambda: vault.set_password(SERVICE, _account(file), str(passphrase)), hidden=passphrase)
    if _given(vault, file) != passphrase:
        raise ConfigurationError(f"the keyring {_name(vault)} did not keep the passphrase", hint=_ELSEWHERE)
    return _name(vault)


def recall(file: Path) -> tuple[Remembered | None, str]:
    """Ask the keyring for the passphrase of a file, without ever failing.

    Returns:
        The passphrase, or None and why the keyring is no help; an empty text when it just holds none, or when the
        extra is not installed.
    """
    if find_spec("keyring") is None:
        return None, ""
    try:
        found = _given(open_vault(), file)
    except ConfigurationError as error:
        return None, f"The keyring is no help: {error.message}."
    if found is not None:
        log.info("the passphrase of %s comes from the keyring", printable(file))
    return found, ""


def forget(file: Path) -> bool:
    """Take the passphrase of a file out of the keyring; False when there was none.

    Raises:
        ConfigurationError: the extra is missing, the keyring is refused, or it does not let go.
    """
    vault = open_vault()
    if _given(vault, file) is None:
        return False
    _asked(lambda: vault.delete_password(SERVICE, _account(file)))
    return True


def open_vault() -> KeyringBackend:
    """Give the keyring in use, when it protects what it keeps.

    Of several that are chained the first that does so is taken, and no other is written to or read.

    Raises:
        ConfigurationError: the extra is missing, or there is no keyring but such as keep nothing, or keep it in clear.
    """
    if find_spec("keyring") is None:
        raise ConfigurationError(
            "the keyring needs the extra 'keyring', which is not installed", hint="pip install 'ror-sante[keyring]'"
        )
    found = _asked(_backends)
    for vault, objection in found:
        if not objection:
            return vault
    vault, objection = found[0]
    raise ConfigurationError(
        f"the keyring {_name(vault)} is refused: {objection}",
        hint="Used are those of a desktop session: Secret Service, KWallet, Keychain, Credential Locker. " + _ELSEWHERE,
    )


def _backends() -> list[tuple[KeyringBackend, str]]:
    """Give the keyring in use, or those that are chained, each with what speaks against it."""
    from keyring import get_keyring
    from keyring.backends.chainer import ChainerBackend

    logging.getLogger("keyring").addHandler(_SILENT)
    chosen = get_keyring()
    chained = chosen.backends if isinstance(chosen, ChainerBackend) else []
    return [(vault, _objection(vault)) for vault in chained or [chosen]]


def _objection(vault: KeyringBackend) -> str:
    """Say why a keyring cannot be trusted with a passphrase; nothing for a good one."""
    kind = type(vault)
    if kind.__module__ == "keyring.backends.null":
        return "it keeps nothing; somebody turned the keyring off (keyring --disable, or PYTHON_KEYRING_BACKEND)"
    if kind.__module__ == "keyring.backends.fail":
        return "the library found none of the operating system's here"
    # The library's own measure (KeyringBackend.priority): what it does not recommend as safe stays below 1.
    if kind.priority < 1 or any("plain" in base.__name__.lower() for base in kind.__mro__):
        return "it keeps passphrases in clear, or under a key that lies beside them"
    return ""


def _given(vault: KeyringBackend, file: Path) -> Remembered | None:
    found = _asked(lambda: vault.get_password(SERVICE, _account(file)))
    return None if found is None else Remembered(found)


def _account(file: Path) -> str:
    return str(file.expanduser().resolve())


def _name(vault: KeyringBackend) -> str:
    return printable(f"{type(vault).__module__}.{type(vault).__name__}", 100)


def _asked(call: Callable[[], T], *, hidden: str = "") -> T:
    """Call the keyring for a while, and tell what goes wrong without what must stay hidden.

    Secret Service waits for its window to be answered, however long that takes; a thread is left behind there.
    """
    future: Future[T] = Future()
    Thread(target=_fulfil, args=(future, call), name="keyring", daemon=True).start()
    try:
        return future.result(_PATIENCE)
    except TimeoutError:
        raise ConfigurationError(
            f"the keyring did not answer within {_PATIENCE:.0f} s", hint="Unlock it, then try again. " + _ELSEWHERE
        ) from None
    except Exception as error:  # noqa: BLE001  the libraries below (D-Bus, Windows, macOS) raise what they like
        # The cause is dropped: its frames hold the passphrase.
        told = f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"the keyring cannot be used ({printable(told.replace(hidden, '…') if hidden else told, 300)})",
            hint="Unlock it, or start it with your session, then try again. " + _ELSEWHERE,
        ) from None


def _fulfil(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001  handed on to the caller's thread
        future.set_exception(error)
