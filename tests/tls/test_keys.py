"""The private key goes to OpenSSL without lying in clear on a disk."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ror_sante.pki.identity import ClientIdentity
from ror_sante.tls import keys
from ror_sante.tls.context import build_context

WATCHER = """
import os, sys
opened = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        opened.append(arguments[0])
    if event in ("tempfile.mkstemp", "tempfile.mkdtemp", "os.rename", "os.link", "os.mkdir"):
        opened.append(event)
from pathlib import Path
from ror_sante.pki.anchor import TrustAnchor
from ror_sante.pki.identity import ClientIdentity
from ror_sante.tls.context import build_context
import ror_sante.tls.keys as keys
folder = Path(sys.argv[1])
sys.addaudithook(watch)
{setting}
identity = ClientIdentity.from_p12(folder / "client.p12", "pw")
build_context(identity, TrustAnchor.from_file(folder / "root.pem"))
print(len(opened), *opened)
"""


@pytest.fixture
def watched(pki, tmp_path):
    """Count, from the audit events of a fresh process, what is opened for writing while a context is built."""
    (tmp_path / "client.p12").write_bytes(pki.p12(pki.client(), "pw"))
    (tmp_path / "root.pem").write_bytes(pki.root_pem())

    def watched(setting: str = "") -> list[str]:
        program = textwrap.dedent(WATCHER).format(setting=setting)
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.split()

    return watched


def test_no_file_is_written_where_descriptors_have_paths(watched) -> None:
    """From the P12 to the context nothing is opened for writing: two pipes carry chain and key."""
    assert watched() == ["0"]


def test_the_watcher_sees_the_other_road(watched) -> None:
    """The control: without /dev/fd the same watcher sees the one private file."""
    count, *_ = watched("keys._FD_FOLDER = Path('/nowhere')")

    assert count != "0"


@pytest.fixture
def no_descriptor_paths(monkeypatch):
    """A system that shows no descriptors as paths."""
    monkeypatch.setattr(keys, "_FD_FOLDER", Path("/nowhere"))


def test_the_file_holds_ciphertext_and_is_gone_afterwards(pki, tmp_path, monkeypatch, no_descriptor_paths) -> None:
    """Where a file is needed its key is encrypted, its mode 0600, and nothing of it stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[tuple[bytes, int]] = []
    unlink = Path.unlink

    def look(path: Path) -> None:
        seen.append((path.read_bytes(), path.stat().st_mode & 0o777))
        unlink(path)

    monkeypatch.setattr(Path, "unlink", look)
    build_context(pki.identity(), pki.anchor)
    ((content, mode),) = seen

    assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content
    assert mode == 0o600
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TypeError, match="encrypted"):
        load_pem_private_key(content, None)


def test_the_file_is_gone_after_a_refusal_too(pki, tmp_path, monkeypatch, no_descriptor_paths) -> None:
    """A key that OpenSSL refuses leaves no file behind."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    from ror_sante.errors import UsageError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    weak = pki.client(key=rsa.generate_private_key(public_exponent=65537, key_size=1024))
    with pytest.raises(UsageError):
        build_context(pki.identity(weak), pki.anchor)

    assert list(tmp_path.iterdir()) == []


def test_an_identity_loaded_by_file_works_like_one_loaded_by_pipe(pki, serve, no_descriptor_paths) -> None:
    """Both roads push the same chain."""
    import requests

    from ror_sante.tls.adapter import PinnedAdapter

    server = serve()
    adapter = PinnedAdapter(build_context(pki.identity(), pki.anchor), [server.origin])
    adapter.send(requests.Request("GET", server.url).prepare())
    adapter.close()

    assert len(server.visits[0].chain) == 2


def test_a_chain_larger_than_a_pipe_takes_the_other_road(pki, tmp_path, monkeypatch) -> None:
    """A pipe holds 64 KiB; a longer chain goes by file, and the key still never in clear."""
    issued = pki.client()
    chain = (issued.certificate, *[pki.intermediate.certificate] * 60)
    written: list[bytes] = []
    load = keys._load_by_file

    def spy(context, pem, identity):
        written.append(pem)
        load(context, pem, identity)

    monkeypatch.setattr(keys, "_load_by_file", spy)
    identity = pki.identity(issued)

    class Long:
        private_key = identity.private_key

    Long.chain = chain
    keys.load_identity(build_context_unsealed(), Long())

    assert len(written[0]) > 65536
    assert isinstance(identity, ClientIdentity)


def build_context_unsealed():
    """A bare context that still takes a certificate."""
    from ror_sante.tls.context import SealedContext

    return SealedContext()
