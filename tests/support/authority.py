"""OCSP answers and revocation lists of an authority, good and bad, and a plain HTTP server that publishes them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

if TYPE_CHECKING:
    from ror_sante.simulator.pki import Issued, SimulatorPki

HOUR = timedelta(hours=1)


def ocsp_answer(
    about: x509.Certificate,
    issuer: Issued,
    *,
    at: datetime,
    nonce: bytes | None = None,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    age: timedelta = HOUR,
    life: timedelta | None = 24 * HOUR,
    signer: Issued | None = None,
    certificates: tuple[x509.Certificate, ...] = (),
    by_name: bool = False,
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """Sign an answer; without a signer the issuer signs."""
    signer = signer or issuer
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        about,
        issuer.certificate,
        algorithm or hashes.SHA256(),
        status,
        at - age,
        None if life is None else at - age + life,
        at - 2 * HOUR if revoked else None,
        x509.ReasonFlags.key_compromise if revoked else None,
    )
    encoding = ocsp.OCSPResponderEncoding.NAME if by_name else ocsp.OCSPResponderEncoding.HASH
    builder = builder.responder_id(encoding, signer.certificate)
    if certificates:
        builder = builder.certificates(list(certificates))
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def crl_of(
    issuer: Issued,
    *,
    at: datetime,
    revoked: tuple[x509.Certificate, ...] = (),
    age: timedelta = HOUR,
    life: timedelta = 24 * HOUR,
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    reason: bool = True,
) -> bytes:
    """Sign a list, in DER."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(at - age).next_update(at - age + life)
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder(certificate.serial_number, at - 2 * HOUR)
        if reason:
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.superseded), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    for value, critical in extra:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def responder_of(pki: SimulatorPki, **how: Any) -> Issued:
    """Issue the certificate of an appointed responder."""
    return pki.client("OCSP", **{"usages": [x509.ExtendedKeyUsageOID.OCSP_SIGNING], **how})


Answer = tuple[int, bytes]


@dataclass
class Publisher:
    """Publishes over plain HTTP on loopback; `answer` maps a path and a body to a status and a body."""

    answer: Callable[[str, bytes], Answer]
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                publisher.asked.append(f"{self.command} {self.path}")
                status, body = publisher.answer(self.path, self.rfile.read(length))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", body.decode())
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            do_POST = do_GET  # noqa: N815  the name that http.server calls

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
