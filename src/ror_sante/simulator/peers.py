"""See who is at the other end of a TLS connection, and ask for a certificate in the middle of it."""

from __future__ import annotations

import select
import ssl
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ror_sante.pki.names import common_name
from ror_sante.simulator.messages import Peer

_QUIET: Final = 0.05  # seconds after which a client that has answered without a certificate has none


def peer_of(connection: ssl.SSLSocket) -> Peer:
    """Tell who is there, as far as is known by now."""
    der = connection.getpeercert(binary_form=True)
    if der is None:
        return Peer()
    certificate = x509.load_der_x509_certificate(der)
    return Peer(
        subject_dn=certificate.subject.rfc4514_string(),
        thumbprint=certificate.fingerprint(SHA256()).hex(),
        pushed=tuple(common_name(x509.load_der_x509_certificate(item)) for item in _pushed(connection)),
    )


def ask_for_certificate(connection: ssl.SSLSocket, patience: float) -> Peer:
    """Ask for a certificate after the handshake (RFC 8446 section 4.6.2), and tell who is there then.

    Only TLS 1.3 can: the others were asked in their handshake, or never. A client that does not offer it is nobody.

    Args:
        connection: no byte of its next request has been read; what it owes is the answer to this one.
        patience: seconds for the client's answer.

    Raises:
        OSError: the certificate is refused, and the client has been told by an alert.
    """
    if connection.version() == "TLSv1.3" and _asked(connection):
        _take_answer(connection, patience)
    return peer_of(connection)


def _asked(connection: ssl.SSLSocket) -> bool:
    try:
        connection.verify_client_post_handshake()
    except ssl.SSLError:  # EXTENSION_NOT_RECEIVED: the client did not offer it
        return False
    connection.do_handshake()  # writes the request; the answer is read with the next bytes
    return True


def _take_answer(connection: ssl.SSLSocket, patience: float) -> None:
    """Read handshake messages until the certificate is there, or the client falls silent without one."""
    before, wait = connection.gettimeout(), patience
    connection.settimeout(0)
    try:
        while connection.getpeercert(binary_form=True) is None and select.select([connection], [], [], wait)[0]:
            try:
                connection.recv(1)
            except ssl.SSLWantReadError:
                wait = _QUIET
            else:
                return  # it hung up, or talks out of turn
    finally:
        connection.settimeout(before)


def _pushed(connection: ssl.SSLSocket) -> list[bytes]:
    """Give what the client sent, in its order; Python has a public name for it from 3.13 on."""
    chain = connection._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # the same on CPython 3.11 to 3.13
    return [ssl.PEM_cert_to_DER_cert(item.public_bytes()) for item in chain or ()]
