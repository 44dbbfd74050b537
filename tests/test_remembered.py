"""The passphrase in the keyring of the operating system: kept, read back, let go; never in a keyring that is none."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringLocked, PasswordSetError

from ror_sante.errors import ConfigurationError
from ror_sante.settings import Remembered, Secret, forget, open_vault, recall, remember, remembered
from tests.support.keyrings import MemoryKeyring, ObscureKeyring, PlaintextKeyring

SECRET = Secret("correct horse battery")


def test_a_passphrase_is_kept_by_the_real_path_of_its_file(memory_keyring: Any, tmp_path: Path) -> None:
    """A link and the file it leads to have one entry; another file has none."""
    (tmp_path / "2026.p12").touch()
    (tmp_path / "client.p12").symlink_to("2026.p12")
    assert remember(tmp_path / "client.p12", SECRET) == "tests.support.keyrings.MemoryKeyring"
    assert memory_keyring.kept == {("ror-sante", str((tmp_path / "2026.p12").resolve())): "correct horse battery"}
    assert recall(tmp_path / "2026.p12") == (SECRET, "")
    assert recall(tmp_path / "2029.p12") == (None, "")


def test_what_comes_back_shows_itself_as_little_as_any_secret(memory_keyring: Any, tmp_path: Path) -> None:
    """It is a Secret, and knows where it comes from."""
    remember(tmp_path / "client.p12", SECRET)
    found, _ = recall(tmp_path / "client.p12")
    assert isinstance(found, Remembered)
    assert repr(found) == "Secret('…')"


def test_a_passphrase_is_let_go_once(memory_keyring: Any, tmp_path: Path) -> None:
    """The second time there is none."""
    remember(tmp_path / "client.p12", SECRET)
    assert [forget(tmp_path / "client.p12") for _ in range(2)] == [True, False]
    assert memory_keyring.kept == {}


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (null.Keyring, r"keyring\.backends\.null\.Keyring is refused: it keeps nothing"),
        (fail.Keyring, r"keyring\.backends\.fail\.Keyring is refused: the library found none"),
        (PlaintextKeyring, r"PlaintextKeyring is refused: it keeps passphrases in clear"),
        (ObscureKeyring, r"ObscureKeyring is refused: it keeps passphrases in clear"),
    ],
    ids=["null", "fail", "plaintext", "not-recommended"],
)
def test_a_keyring_that_protects_nothing_is_refused(use_keyring: Any, tmp_path: Path, backend: Any, words: str) -> None:
    """Nothing is written to it or read from it, and the hint says what to use instead."""
    vault = use_keyring(backend())
    for act in (open_vault, lambda: remember(tmp_path / "p12", SECRET), lambda: forget(tmp_path / "p12")):
        with pytest.raises(ConfigurationError, match=words) as caught:
            act()
        assert "passphrase_file" in caught.value.hint
    found, why = recall(tmp_path / "p12")
    assert found is None
    assert why.startswith("The keyring is no help: the keyring ")
    assert not getattr(vault, "kept", {})


def test_of_chained_keyrings_the_first_good_one_is_used(
    use_keyring: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library would go on to the one in clear; here it is left alone, also when the good one has no entry."""
    bad, good = PlaintextKeyring(), MemoryKeyring()
    bad.kept["ror-sante", str((tmp_path / "p12").resolve())] = "in clear"
    monkeypatch.setattr(ChainerBackend, "backends", [bad, good])
    use_keyring(ChainerBackend())
    assert recall(tmp_path / "p12") == (None, "")
    remember(tmp_path / "p12", SECRET)
    assert [*good.kept.values(), *bad.kept.values()] == ["correct horse battery", "in clear"]
    monkeypatch.setattr(ChainerBackend, "backends", [bad])
    with pytest.raises(ConfigurationError, match="PlaintextKeyring is refused"):
        open_vault()


class _Broken(MemoryKeyring):
    """Refuses to keep, and tells more than it should."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError(f"cannot keep {password}")


class _Forgetful(MemoryKeyring):
    """Says nothing, and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep nothing."""


@pytest.mark.parametrize(
    ("backend", "words"),
    [(_Broken, "cannot be used .PasswordSetError: cannot keep …"), (_Forgetful, "did not keep the passphrase")],
)
def test_a_keyring_that_does_not_keep_is_told(use_keyring: Any, tmp_path: Path, backend: Any, words: str) -> None:
    """What was written is read back; the passphrase is in no message and no trace, whatever the library says."""
    use_keyring(backend())
    with pytest.raises(ConfigurationError, match=words) as caught:
        remember(tmp_path / "p12", SECRET)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


class _Locked(MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("the collection is locked")


class _Silent(MemoryKeyring):
    """Waits until somebody unlocks it, as Secret Service does."""

    unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.unlocked.wait(60)
        return None


def test_a_locked_keyring_is_no_help(use_keyring: Any, tmp_path: Path) -> None:
    """The reason is told, and what else can be done."""
    use_keyring(_Locked())
    found, why = recall(tmp_path / "p12")
    assert (found, "KeyringLocked: the collection is locked" in why) == (None, True)


def test_a_keyring_that_waits_is_left_waiting(
    use_keyring: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody answers its window, the run goes on without it."""
    monkeypatch.setattr(remembered, "_PATIENCE", 0.05)
    use_keyring(_Silent())
    found, why = recall(tmp_path / "p12")
    _Silent.unlocked.set()
    assert (found, "did not answer within" in why) == (None, True)


def test_a_keyring_that_cannot_be_loaded_is_told(use_keyring: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHON_KEYRING_BACKEND may name anything."""
    use_keyring(None)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.Keyring")
    with pytest.raises(ConfigurationError, match=r"cannot be used .ModuleNotFoundError: No module named 'no'"):
        open_vault()


def test_without_the_extra_it_is_named_or_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever asks for the keyring is told what to install; a run that only looks there goes on."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigurationError, match="needs the extra 'keyring'") as caught:
        remember(tmp_path / "p12", SECRET)
    assert caught.value.hint == "pip install 'ror-sante[keyring]'"
    assert recall(tmp_path / "p12") == (None, "")


def test_a_plugin_that_does_not_load_shows_no_trace(memory_keyring: Any) -> None:
    """The library logs it as an exception; where nobody set up a log, Python would print it."""
    open_vault()
    open_vault()
    assert logging.getLogger("keyring").handlers == [remembered._SILENT]


def test_the_tests_never_meet_the_keyring_of_the_machine() -> None:
    """What the library finds by itself here is the null one, by the variable that the suite sets."""
    import keyring.core

    assert isinstance(keyring.core._detect_backend(), null.Keyring)
    assert issubclass(MemoryKeyring, KeyringBackend)
