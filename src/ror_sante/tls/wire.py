"""Read the few TLS handshake messages that tell who sent which certificate."""

from __future__ import annotations

import ssl
from typing import Final

import msgspec
from cryptography import x509

from ror_sante.pki.names import describe_name

_ALERT: Final = 21
_HANDSHAKE: Final = 22
_NEW_SESSION_TICKET: Final = 4
_CERTIFICATE: Final = 11
_CERTIFICATE_REQUEST: Final = 13
_CERTIFICATE_AUTHORITIES: Final = 47  # an extension, RFC 8446 section 4.2.4
_TOLD: Final = frozenset({_NEW_SESSION_TICKET, _CERTIFICATE, _CERTIFICATE_REQUEST})  # what is looked into
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


class Transcript(msgspec.Struct):
    """What was seen of one connection's TLS messages.

    Attributes:
        heard: at least one message was seen.
        finished: the handshake is over; whoever knows sets it.
        requested: the server asked for a client certificate.
        late_request: it did so after the handshake (RFC 8446 section 4.6.2).
        authorities: the names of the authorities that it accepts, as DER; empty when it named none.
        sent: the certificates we sent, as DER, leaf first; None while no Certificate message of ours was seen.
        received: the certificates the server sent, as DER, leaf first.
        ticket: the server gave a new session ticket (RFC 5077, RFC 8446 section 4.6.1).
        alert: the last alert received, by name; empty when there was none.
        alert_sent: the last alert that we sent, likewise.
        alert_finished: the handshake was over when the last alert came or went.
        broken: a message could not be read, so the rest cannot be relied upon.
    """

    heard: bool = False
    finished: bool = False
    requested: bool = False
    late_request: bool = False
    authorities: tuple[bytes, ...] = ()
    sent: tuple[bytes, ...] | None = None
    received: tuple[bytes, ...] = ()
    ticket: bool = False
    alert: str = ""
    alert_sent: str = ""
    alert_finished: bool = False
    broken: bool = False

    def watch(self, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
        """Take one TLS message, as CPython's private ``SSLContext._msg_callback`` tells it.

        An exception in that callback would break the connection, so none leaves it.
        """
        self.heard = True
        if content != _ALERT and (content != _HANDSHAKE or kind not in _TOLD):
            return  # nine of ten messages: heads of records, keys, signatures
        try:
            self._take(direction, version, content, kind, bytes(data))
        except Exception:  # noqa: BLE001  see above
            self.broken = True

    def _take(self, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
        tls13 = version == ssl.TLSVersion.TLSv1_3
        if content == _ALERT:
            if data[1]:
                self._take_alert(direction, ALERT_NAMES.get(data[1], f"number {data[1]}"))
        elif kind == _NEW_SESSION_TICKET:
            self.ticket = True
        elif kind == _CERTIFICATE_REQUEST:
            self.requested, self.late_request = True, self.finished
            self.authorities = authorities_of(data, tls13=tls13)
        elif direction == "write":
            self.sent = certificates_of(data, tls13=tls13)
        else:
            self.received = certificates_of(data, tls13=tls13)

    def _take_alert(self, direction: str, name: str) -> None:
        self.alert_finished = self.finished
        if direction == "read":
            self.alert = name
        else:
            self.alert_sent = name


def authorities_of(message: bytes, *, tls13: bool) -> tuple[bytes, ...]:
    """Take the names of authorities out of a CertificateRequest (RFC 5246 section 7.4.4, RFC 8446 section 4.3.2).

    Args:
        message: the whole message, with its header of four bytes.
        tls13: TLS 1.3 names them in an extension; TLS 1.2 behind the kinds of certificates and signatures.

    Returns:
        Names as DER; empty when the server accepts any.
    """
    body = memoryview(message)[_HEADER:]
    if not tls13:
        _, body = _vector(body, 1)
        _, body = _vector(body, 2)
        return _names_in(body)
    _, body = _vector(body, 1)
    extensions, _ = _vector(body, 2)
    while extensions:
        kind, (content, extensions) = int.from_bytes(extensions[:2]), _vector(extensions[2:], 2)
        if kind == _CERTIFICATE_AUTHORITIES:
            return _names_in(content)
    return ()


def _names_in(data: memoryview) -> tuple[bytes, ...]:
    body, _ = _vector(data, 2)
    found = []
    while body:
        name, body = _vector(body, 2)
        found.append(bytes(name))
    return tuple(found)


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


def issuer_names(certificates: tuple[bytes, ...]) -> tuple[str, ...]:
    """Name the issuers of DER certificates, for people."""
    return tuple(_issuer_name(der) for der in certificates)


def authority_names(authorities: tuple[bytes, ...]) -> tuple[str, ...]:
    """Write names that a server listed, as DER, for people."""
    return tuple(_authority_name(der) for der in authorities)


def is_self_issued(der: bytes) -> bool:
    """Tell whether a DER certificate names itself as its issuer, as a root does."""
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError:
        return False
    return certificate.issuer == certificate.subject


def _authority_name(der: bytes) -> str:
    from ror_sante.pki.dn import read_name  # its ASN.1 is needed where a receipt lists authorities, and nowhere else

    try:
        return describe_name(read_name(der))
    except ValueError:
        return "(unreadable name)"


def _issuer_name(der: bytes) -> str:
    try:
        return describe_name(x509.load_der_x509_certificate(der).issuer)
    except ValueError:
        return "(unreadable certificate)"


def _common_name(der: bytes) -> str:
    try:
        names = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except ValueError:
        return "(unreadable certificate)"
    return str(names[0].value) if names else "(no CN)"
