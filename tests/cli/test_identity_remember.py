"""`identity remember` and `forget`, and the passphrase that every other command then finds by itself.

The keyring is a real backend of the keyring library that lives in memory: the system's own need a desktop session.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from ror_sante.pki.identity import ClientIdentity
from ror_sante.settings import IdentitySettings
from ror_sante.simulator.pki import SimulatorPki


@pytest.fixture
def remembered(run: Any, files: Any, memory_keyring: Any) -> Any:
    """The passphrase of client.p12 is in the keyring, and nowhere else."""
    done = run("identity", "remember", files.folder / "client.p12", "--passphrase-file", files.folder / "client.pass")
    assert done.code == 0, done.err
    (files.folder / "client.pass").unlink()
    return done


def test_a_remembered_passphrase_is_found_by_every_command(run: Any, files: Any, remembered: Any) -> None:
    """Told with the keyring's name; afterwards the P12 opens with nothing said, by argument and by the settings."""
    path = files.folder / "client.p12"
    assert remembered.out == (
        f"{path}: the passphrase opens it, and is in the keyring tests.support.keyrings.MemoryKeyring.\n"
    )
    config = files.write('[identity]\np12 = "client.p12"')
    root = files.folder / "root.pem"
    assert run("identity", "verify", path, "--anchor", root).code == 0
    assert run("identity", "verify", "--config", config, "--anchor", root).code == 0
    assert run("identity", "harden", path, "--out", files.folder / "hard.p12").code == 0
    assert "xyzzy" not in remembered.out + remembered.err


def test_a_program_finds_it_too(files: Any, remembered: Any) -> None:
    """`ClientIdentity.from_settings` asks the keyring before it asks a person."""
    table = IdentitySettings(p12=files.folder / "client.p12")
    opened = ClientIdentity.from_settings(table, ask=lambda _: pytest.fail("a person was asked"))
    assert opened.subject_dn.startswith("CN=CLIENT_WS_RORN,")


def test_a_file_and_a_variable_come_before_the_keyring(
    run: Any, files: Any, remembered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong passphrase that was given is not replaced by the right one of the keyring."""
    (files.folder / "wrong.pass").write_text("wrong")
    path = files.folder / "client.p12"
    assert run("identity", "verify", path, "--passphrase-file", files.folder / "wrong.pass").code == 3
    monkeypatch.setenv("ROR_SANTE_IDENTITY_PASSPHRASE", "wrong")
    assert run("identity", "verify", path).code == 3


def test_a_passphrase_of_the_keyring_that_does_not_open_the_file_says_so(
    run: Any, files: Any, remembered: Any, pki: SimulatorPki
) -> None:
    """The file was replaced, its passphrase with it: where the old one came from is told."""
    (files.folder / "client.p12").write_bytes(pki.p12(pki.client(), "another"))
    for verb in ("verify", "harden"):
        done = run("identity", verb, files.folder / "client.p12")
        assert (done.code, "came from the keyring: `ror-sante identity remember`" in done.err) == (3, True)


def test_once_forgotten_it_is_needed_again(run: Any, files: Any, remembered: Any) -> None:
    """Forgetting twice is no failure; the file may be gone by then."""
    path = files.folder / "client.p12"
    assert run("identity", "forget", path).out == f"{path}: its passphrase is out of the keyring.\n"
    assert run("identity", "harden", path).code == 2
    path.unlink()
    done = run("identity", "forget", path)
    assert (done.code, done.out) == (0, f"{path}: the keyring has no passphrase of it.\n")


def test_a_wrong_passphrase_is_not_remembered(run: Any, files: Any, memory_keyring: Any) -> None:
    """It is tried on the file first."""
    (files.folder / "wrong.pass").write_text("wrong")
    done = run("identity", "remember", files.folder / "client.p12", "--passphrase-file", files.folder / "wrong.pass")
    assert (done.code, memory_keyring.kept) == (3, {})


def test_the_key_of_a_request_has_a_passphrase_too(run: Any, files: Any, memory_keyring: Any) -> None:
    """Between the order and the P12, `bundle` finds it; a key in clear has none to remember."""
    key = files.folder / "client.key"
    who = ["--organisation", "GIP", "--siret", "3333333333", "--department", "75"]
    made = ["--key", key, "--csr", files.folder / "client.csr", "--passphrase-file", files.folder / "client.pass"]
    assert run("identity", "request", *who, *made).code == 0
    assert run("identity", "remember", key, "--passphrase-file", files.folder / "client.pass").code == 0
    assert list(memory_keyring.kept.values()) == ["xyzzy"]


def test_a_file_in_clear_has_nothing_to_remember(run: Any, files: Any, memory_keyring: Any, pki: SimulatorPki) -> None:
    """A key that is not encrypted needs no passphrase."""
    (files.folder / "clear.key").write_bytes(pki.client().key_pem())
    done = run("identity", "remember", files.folder / "clear.key", "--passphrase-file", files.folder / "client.pass")
    assert (done.code, "is not encrypted" in done.err, memory_keyring.kept) == (2, True, {})


def test_the_configured_passphrase_file_can_be_retired(run: Any, files: Any, memory_keyring: Any) -> None:
    """Without FILE, the configured P12 and its passphrase file; what stands in the way afterwards is told."""
    config = files.write('[identity]\np12 = "client.p12"\npassphrase_file = "client.pass"')
    done = run("identity", "remember", "--config", config)
    assert done.code == 0
    told = f"passphrase_file comes first: take it out of the settings, then destroy {files.folder / 'client.pass'}.\n"
    assert done.out.endswith(told)
    assert list(memory_keyring.kept.values()) == ["xyzzy"]


def test_a_variable_can_be_moved_into_the_keyring(
    run: Any, files: Any, memory_keyring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a variable holds is what is remembered."""
    monkeypatch.setenv("ROR_SANTE_IDENTITY_PASSPHRASE", "xyzzy")
    assert run("identity", "remember", files.folder / "client.p12").code == 0
    assert list(memory_keyring.kept.values()) == ["xyzzy"]


def test_nobody_is_asked_for_what_would_be_refused(run: Any, files: Any) -> None:
    """The keyring is looked at first: exit 2, one error, one hint. The suite's own is the null one."""
    done = run("identity", "remember", files.folder / "client.p12")
    assert done.code == 2
    assert done.err.startswith("error: the keyring keyring.backends.null.Keyring is refused: it keeps nothing")
    assert "passphrase_file" in done.err


def test_without_a_passphrase_and_without_a_terminal_it_stops(
    run: Any, files: Any, memory_keyring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for an answer that cannot come."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    done = run("identity", "remember", files.folder / "client.p12")
    assert (done.code, "a passphrase is needed and none was given" in done.err) == (2, True)


def test_a_keyring_that_is_no_help_is_named_where_the_passphrase_lacks(run: Any, files: Any) -> None:
    """A nightly run without a session learns why what worked at the desk does not work here."""
    path = files.folder / "client.p12"
    for verb, code in (("verify", 1), ("harden", 2)):
        done = run("identity", verb, path)
        assert done.code == code
        assert "The keyring is no help: the keyring keyring.backends.null.Keyring is refused" in done.out + done.err
