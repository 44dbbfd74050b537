"""Hand a private key and its chain to OpenSSL without leaving the key in clear on a disk."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

if TYPE_CHECKING:
    import _ssl
    from collections.abc import Iterator

    from ror_sante.pki.identity import ClientIdentity

_FD_FOLDER = Path("/dev/fd")


def load_identity(context: _ssl._SSLContext, identity: ClientIdentity) -> None:
    """Load the key and the chain (leaf first, root left out) of `identity` into `context`.

    OpenSSL, as Python binds it, reads keys from files only. Two anonymous pipes stand in for files where the
    system shows descriptors as paths; elsewhere the key passes through a private file, encrypted with a
    passphrase that is used once and forgotten.

    Raises:
        ssl.SSLError: OpenSSL's policy refuses the key or a certificate.
    """
    chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in identity.chain)
    if not _load_by_pipes(context, chain, identity):
        _load_by_file(context, chain, identity)


def _load_by_pipes(context: _ssl._SSLContext, chain: bytes, identity: ClientIdentity) -> bool:
    if not _FD_FOLDER.is_dir():
        return False
    # PKCS#1 or SEC 1: OpenSSL 3 has fewer readers to try than for PKCS#8, which saves a fortieth of a context.
    key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    with ExitStack() as stack:
        readers = [stack.enter_context(_filled_pipe(data)) for data in (chain, key)]
        if None in readers:
            return False
        context.load_cert_chain(*(f"{_FD_FOLDER}/{reader}" for reader in readers))
    return True


@contextmanager
def _filled_pipe(data: bytes) -> Iterator[int | None]:
    """Give the reading end of a pipe that holds `data`, or None when the pipe is too small for it."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        try:
            whole = os.write(writer, data) == len(data)
        finally:
            os.close(writer)
        yield reader if whole else None
    finally:
        os.close(reader)


def _load_by_file(context: _ssl._SSLContext, chain: bytes, identity: ClientIdentity) -> None:
    passphrase = secrets.token_urlsafe(32)
    encryption = BestAvailableEncryption(passphrase.encode())
    key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    # mkstemp opens with mode 0600; the file is closed before OpenSSL opens it, as Windows wants.
    descriptor, name = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + chain)
        context.load_cert_chain(name, password=lambda: passphrase)
    finally:
        Path(name).unlink()
