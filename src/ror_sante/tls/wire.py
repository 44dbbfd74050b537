"""Read the few TLS handshake messages that tell who sent which certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography import x509

_ALERT: Final = 21
_HANDSHAKE: Final = 22
_CERTIFICATE: Final = 11
_CERTIFICATE_REQUEST: Final = 13
_HEADER: Final = 4  # message type and a length of three bytes

# RFC 8446 section 6; the numbers that a peer can send about us.
ALERT_NAMES: Final = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}


@dataclass
class Transcript:
    """What was seen of one connection's handshake.

    Attributes:
        requested: the server asked for a client certificate.
        sent: the certificates we sent, as DER, leaf first; None while no Certificate message of ours was seen.
        received: the certificates the server sent, as DER, leaf first.
        alert: the last alert received, by name; empty when there was none.
        broken: a message could not be read, so the rest cannot be relied upon.
    """

    requested: bool = False
    sent: tuple[bytes, ...] | None = None
    received: tuple[bytes, ...] = ()
    alert: str = ""
    broken: bool = field(default=False)

    def watch(self, _connection: Any, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
        """Take one TLS message; the signature is that of CPython's private ``SSLContext._msg_callback``.

        An exception in that callback would break the connection, so none leaves it.
        """
        try:
            self._take(direction, version, content, kind, bytes(data))
        except Exception:  # noqa: BLE001  see above
            self.broken = True

    def _take(self, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
        if content == _ALERT and direction == "read" and data[1]:
            self.alert = ALERT_NAMES.get(data[1], f"number {data[1]}")
        elif content == _HANDSHAKE and kind == _CERTIFICATE_REQUEST and direction == "read":
            self.requested = True
        elif content == _HANDSHAKE and kind == _CERTIFICATE:
            found = certificates_of(data, tls13=version == ssl.TLSVersion.TLSv1_3)
            if direction == "write":
                self.sent = found
            else:
                self.received = found


def certificates_of(message: bytes, *, tls13: bool) -> tuple[bytes, ...]:
    """Take the certificates out of a Certificate message (RFC 5246 section 7.4.2, RFC 8446 section 4.4.2).

    Args:
        message: the whole message, with its header of four bytes.
        tls13: TLS 1.3 puts a context in front, and extensions behind each certificate.

    Returns:
        DER certificates in the order of the message.
    """
    body = memoryview(message)[_HEADER:]
    if tls13:
        body = body[1 + body[0] :]
    body, _ = _vector(body, 3)
    found = []
    while body:
        certificate, body = _vector(body, 3)
        found.append(bytes(certificate))
        if tls13:
            _, body = _vector(body, 2)
    return tuple(found)


def _vector(data: memoryview, width: int) -> tuple[memoryview, memoryview]:
    """Split a length-prefixed vector from what follows it."""
    size = int.from_bytes(data[:width])
    if len(data) < width + size:
        raise ValueError("a TLS vector is shorter than it says")
    return data[width : width + size], data[width + size :]


def common_names(certificates: tuple[bytes, ...]) -> tuple[str, ...]:
    """Name DER certificates by the CN of their subjects, for people."""
    return tuple(_common_name(der) for der in certificates)


def _common_name(der: bytes) -> str:
    try:
        names = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except ValueError:
        return "(unreadable certificate)"
    return str(names[0].value) if names else "(no CN)"
