"""The handshake messages are read as the RFCs lay them out, and nothing malformed breaks a connection."""

from __future__ import annotations

import ssl

import pytest

from ror_sante.tls.wire import (
    Transcript,
    authorities_of,
    authority_names,
    certificates_of,
    common_names,
    is_self_issued,
    issuer_names,
)


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


@pytest.mark.parametrize("tls13", [False, True])
def test_the_names_of_a_certificate_request_are_taken_out(tls13) -> None:
    """TLS 1.2 puts them last; TLS 1.3 into an extension among others, or nowhere."""
    listed = vector(2, vector(2, b"one") + vector(2, b"two"))
    before = b"\0\x0d" + vector(2, b"algorithms")
    tls12 = vector(1, b"\x01") + vector(2, b"algorithms") + listed
    named, unnamed = (vector(1, b"") + vector(2, before + more) for more in (b"\0\x2f" + vector(2, listed), b""))

    assert authorities_of(b"\x0d\0\0\0" + (named if tls13 else tls12), tls13=tls13) == (b"one", b"two")
    assert authorities_of(b"\x0d\0\0\0" + unnamed, tls13=True) == ()


def test_what_cannot_be_read_has_a_word_of_its_own() -> None:
    """A name, an issuer, a root: a server may send anything."""
    assert authority_names((b"\x30\x03abc",)) == ("(unreadable name)",)
    assert issuer_names((b"x",)) == ("(unreadable certificate)",)
    assert not is_self_issued(b"x")


def test_an_alert_of_ours_is_kept_apart_and_has_its_moment() -> None:
    """In the handshake or after it, whoever sent it."""
    transcript = Transcript()
    transcript.watch("write", ssl.TLSVersion.TLSv1_3, 21, 48, b"\x02\x30")
    assert (transcript.alert, transcript.alert_sent, transcript.alert_finished) == ("", "unknown_ca", False)
    transcript.finished = True
    transcript.watch("read", ssl.TLSVersion.TLSv1_3, 21, 44, b"\x02\x2c")
    assert (transcript.alert, transcript.alert_finished) == ("certificate_revoked", True)


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
