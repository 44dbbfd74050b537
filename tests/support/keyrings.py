"""Keyrings for the tests: real backends of the keyring library, in the memory of this process.

The system's own (Secret Service, KWallet, Keychain, Credential Locker) need the session of a desktop; tests have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class MemoryKeyring(KeyringBackend):
    """A keyring in memory: everything but the place where it keeps things is the library's own."""

    priority = 5  # type: ignore[assignment]  # the library's property of the class, as its own backends set it

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.kept:
            raise PasswordDeleteError("no such entry")
        del self.kept[service, username]


class PlaintextKeyring(MemoryKeyring):
    """Named as the one of keyrings.alt, which writes a file in clear; somebody raised its priority."""


class ObscureKeyring(MemoryKeyring):
    """Of a priority below 1: the library says of such that it does not recommend them."""

    priority = 0.5  # type: ignore[assignment]  # as above


@pytest.fixture
def use_keyring() -> Iterator[Callable[[Any], Any]]:
    """Give what makes a keyring the one in use until the test is over; None lets the library look for one."""
    before = keyring.core._keyring_backend

    def use(backend: Any) -> Any:
        keyring.core._keyring_backend = backend
        return backend

    yield use
    keyring.core._keyring_backend = before


@pytest.fixture
def memory_keyring(use_keyring: Callable[[Any], Any]) -> Any:
    """A good keyring, in use and empty."""
    return use_keyring(MemoryKeyring())
