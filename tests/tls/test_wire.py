"""The handshake messages are read as the RFCs lay them out, and nothing malformed breaks a connection."""

from __future__ import annotations

import ssl

import pytest

from ror_sante.tls.wire import Transcript, certificates_of, common_names


def vector(width: int, data: bytes) -> bytes:
    """A length-prefixed vector."""
    return len(data).to_bytes(width, "big") + data


@pytest.mark.parametrize("tls13", [False, True])
def test_certificates_are_taken_out_in_order(tls13) -> None:
    """Both layouts of the Certificate message give the same certificates."""
    entries = b"".join(vector(3, der) + (vector(2, b"ext") if tls13 else b"") for der in (b"leaf", b"intermediate"))
    message = b"\x0b\0\0\0" + (vector(1, b"context") if tls13 else b"") + vector(3, entries)

    assert certificates_of(message, tls13=tls13) == (b"leaf", b"intermediate")


@pytest.mark.parametrize("message", [b"", b"\x0b\0\0\0", b"\x0b\0\0\0\0\0\x09abc", b"\x0b\0\0\0\0\0\x04\0\0\x09a"])
def test_a_malformed_message_marks_the_transcript_and_raises_nothing(message) -> None:
    """An exception inside CPython's callback would break the connection: none leaves it."""
    transcript = Transcript()
    transcript.watch("read", ssl.TLSVersion.TLSv1_2, 22, 11, message)

    assert transcript.broken or transcript.received == ()


def test_alerts_received_are_named_and_close_notify_is_none() -> None:
    """A goodbye is no refusal; an unknown number is shown as such; our own alerts are not the server's."""
    transcript = Transcript()
    transcript.watch("read", ssl.TLSVersion.TLSv1_3, 21, 0, b"\x01\x00")
    assert transcript.alert == ""
    transcript.watch("write", ssl.TLSVersion.TLSv1_3, 21, 48, b"\x02\x30")
    assert transcript.alert == ""
    transcript.watch("read", ssl.TLSVersion.TLSv1_3, 21, 48, b"\x02\x30")
    assert transcript.alert == "unknown_ca"
    transcript.watch("read", ssl.TLSVersion.TLSv1_3, 21, 200, b"\x02\xc8")
    assert transcript.alert == "number 200"


def test_names_of_certificates_without_a_name_are_still_shown(pki) -> None:
    """A certificate that cannot be read, or has no CN, has a word of its own."""
    from cryptography.hazmat.primitives.serialization import Encoding

    good = pki.client().certificate.public_bytes(Encoding.DER)

    assert common_names((good, b"x")) == ("CLIENT_WS_RORN", "(unreadable certificate)")
