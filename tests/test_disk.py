"""Private files: whole or not at all, never in the place of another, whatever goes wrong on the way."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ror_sante.disk import private_folder, write_new, write_private
from ror_sante.errors import ConfigurationError

# The kernel's own limit stands for a full disk: a write beyond it fails in the middle of the file.
LIMITED = """
import resource, signal, sys
from pathlib import Path
from ror_sante.disk import write_new, write_private
from ror_sante.errors import RorError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
here = Path(sys.argv[1])
try:
    write_new({here / "client.key": b"k" * 1000, here / "client.csr": b"c" * 100_000})
except RorError as error:
    print(error.message)
try:
    write_private(here / "old.p12", b"n" * 100_000)
except OSError as error:
    print(error.strerror)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_new_files_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    """0600, whatever the umask; nothing lies beside them."""
    before = os.umask(umask)
    try:
        write_new({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    finally:
        os.umask(before)
    assert {path.name: (path.read_bytes(), mode(path)) for path in tmp_path.iterdir()} == {
        "a": (b"1", 0o600),
        "b": (b"2", 0o600),
    }


@pytest.mark.parametrize("there", ["file", "broken link"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, there: str) -> None:
    """One of two names is taken: none is written, and what was there is untouched."""
    taken = tmp_path / "b"
    if there == "file":
        taken.write_text("precious")
    else:
        taken.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="b is there already, and is never overwritten"):
        write_new({tmp_path / "a": b"1", taken: b"2"})
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert there != "file" or taken.read_text() == "precious"


def test_a_name_that_is_taken_at_the_last_moment_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the write another program takes the name: it keeps it, and the first file is withdrawn."""
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    (tmp_path / "b").write_text("theirs")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        write_new({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b", "theirs")]


def test_a_disk_that_fills_up_damages_nothing(tmp_path: Path) -> None:
    """The second file does not fit: neither is left, the old file is as it was, and nothing lies beside."""
    (tmp_path / "old.p12").write_bytes(b"old")
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True, timeout=30
    )
    assert run.stdout.splitlines() == [f"{tmp_path}/client.csr cannot be written: File too large", "File too large"]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old.p12", b"old")]


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    """The path and the reason are named."""
    with pytest.raises(ConfigurationError, match="cannot be written: No such file or directory"):
        write_new({tmp_path / "nowhere" / "a": b"1"})


@pytest.mark.parametrize("taken", [False, True])
def test_a_file_system_without_links_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """FAT knows no hard links (a stand-in: none can be mounted here); the name is reserved first, never taken."""

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "a"
    if taken:
        monkeypatch.setattr(os.path, "lexists", lambda path: False)
        path.write_bytes(b"theirs")
        with pytest.raises(ConfigurationError, match="never overwritten"):
            write_new({path: b"1"})
    else:
        write_new({path: b"1"})
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a", b"theirs" if taken else b"1")]


def test_a_private_file_replaces_the_old_one_in_one_step(tmp_path: Path) -> None:
    """Whoever holds the old file goes on reading the old content."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with path.open("rb") as held:
        write_private(path, b"new")
        assert (held.read(), path.read_bytes(), mode(path)) == (b"old", b"new", 0o600)


@pytest.mark.parametrize(("before", "after"), [(0o1777, 0o1777), (0o755, 0o700)])
def test_a_folder_is_closed_to_others_unless_it_is_everybodys(tmp_path: Path, before: int, after: int) -> None:
    """`--out /tmp` must not close /tmp to the machine; a folder in it is made and closed."""
    tmp_path.chmod(before)
    if before & stat.S_ISVTX:
        with pytest.raises(ConfigurationError, match="shared by the users"):
            private_folder(tmp_path)
    else:
        private_folder(tmp_path)
    assert mode(tmp_path) == after
    assert mode(private_folder(tmp_path / "a" / "b")) == 0o700
