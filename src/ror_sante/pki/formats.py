"""Name what a file really holds when it is not what was asked for."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key

from ror_sante.pki.listening import READER_ERRORS, heard

if TYPE_CHECKING:
    from collections.abc import Callable

# (the bytes at the start, what it is, what to do)
_MAGIC: Final = (
    (
        b"\xfe\xed\xfe\xed",
        "a Java keystore (JKS)",
        "Convert it: keytool -importkeystore -srckeystore FILE -destkeystore client.p12 -deststoretype PKCS12.",
    ),
    (
        b"\xce\xce\xce\xce",
        "a Java keystore (JCEKS)",
        "Convert it: keytool -importkeystore -srckeystore FILE -srcstoretype JCEKS -destkeystore client.p12 "
        "-deststoretype PKCS12.",
    ),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it and give the file inside."),
    (b"\xff\xfe", "UTF-16 text", "Save it again as UTF-8 or ASCII; Windows PowerShell writes UTF-16 with '>'."),
    (b"\xfe\xff", "UTF-16 text", "Save it again as UTF-8 or ASCII."),
)
_PEM_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_PAGE: Final = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_FROM_PEM: Final = "Use ClientIdentity.from_pem(certificate, key), or the settings certificate and key."


def recognise(data: bytes) -> tuple[str, str]:
    """Say what the bytes are and what to do with them, as two texts; both empty when they are unknown."""
    if not data.strip():
        return "empty", "Copy or export the file again."
    for magic, what, hint in _MAGIC:
        if data.startswith(magic):
            return what, hint
    labels = pem_labels(data)
    if labels:
        return f"a PEM file ({', '.join(dict.fromkeys(labels))})", _FROM_PEM
    if _PAGE.match(data):
        return "a web page", "The download gave an error or a login page: fetch the file again, signed in."
    if _is_base64(data):
        return "base64 text", "Decode it first: base64 -d FILE > client.p12."
    return _recognise_der(data)


def pem_labels(data: bytes) -> tuple[str, ...]:
    """List the kinds of PEM blocks in the bytes, in order, such as ``CERTIFICATE``."""
    return tuple(match.group(1).decode("ascii") for match in _PEM_LABEL.finditer(data))


def _is_base64(data: bytes) -> bool:
    """Tell base64 of a DER structure: its first byte 0x30 and a two-byte length give "MI"."""
    if not data.lstrip().startswith(b"MI"):
        return False
    try:
        base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return False
    return True


def _recognise_der(data: bytes) -> tuple[str, str]:
    from cryptography.hazmat.primitives.serialization import pkcs7  # which brings the standard library's mail along

    readers: tuple[tuple[Callable[[bytes], object], str, str], ...] = (
        (x509.load_der_x509_certificate, "a certificate alone, without its private key", _FROM_PEM),
        (_load_der_key, "a private key alone, without its certificate", _FROM_PEM),
        (
            x509.load_der_x509_csr,
            "a certificate request (CSR)",
            "Give the certificate that was issued for it, and its key.",
        ),
        (
            pkcs7.load_der_pkcs7_certificates,
            "a PKCS#7 bundle of certificates, without a private key",
            "It can be given as intermediates; the key is in another file.",
        ),
    )
    for reader, what, hint in readers:
        try:
            heard(reader, data)
        except READER_ERRORS:
            continue
        return what, hint
    return "", ""


def _load_der_key(data: bytes) -> object:
    try:
        return load_der_private_key(data, None)
    except TypeError:  # "Password was not given but private key is encrypted": a key all the same
        return None


def is_der_key(data: bytes) -> bool:
    """Tell whether the bytes are a private key in DER, encrypted or not."""
    try:
        _load_der_key(data)
    except READER_ERRORS:
        return False
    return True
