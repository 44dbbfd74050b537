"""The three ports of the simulator, and the TLS of each."""

from __future__ import annotations

import secrets
import ssl
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.listener import Listener
from ror_sante.sync.files import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography import x509

    from ror_sante.simulator.messages import Call, Reply, Service
    from ror_sante.simulator.templates import Issued


class Ports:
    """Three listeners that run together or not at all.

    ``ror`` requires a certificate: the token endpoint and the FHIR services of the ROR. On ``extraction`` some paths
    ask for one, and on ``gateway``, which stands under a public web authority, none does: the two of the Annuaire
    Santé.

    Args:
        tls: the TLS of each.
        answer: gives the reply to a call on one of them.
        asks: tells whether a path of ``extraction`` asks for a certificate.
        away: tells how many seconds a path of ``ror`` is away.
        port: the first of three numbers in a row; 0 takes free ones.
        **common: further arguments of every `Listener`.
    """

    def __init__(
        self,
        tls: Mapping[Service, ssl.SSLContext],
        answer: Callable[[Service, Call], Reply],
        *,
        asks: Callable[[str], bool],
        away: Callable[[str], float],
        port: int,
        **common: Any,
    ) -> None:
        self.listeners = {
            service: Listener(context, partial(answer, service), port=port and port + number, **common)
            for number, (service, context) in enumerate(tls.items())
        }
        self.listeners["extraction"].asks = asks
        self.listeners["ror"].away = away

    @property
    def running(self) -> bool:
        """Whether they listen."""
        return any(listener.is_running() for listener in self.listeners.values())

    def start(self) -> None:
        """Listen on all three.

        Raises:
            ConfigurationError: a port is taken; none of them listens then.
        """
        try:
            for listener in self.listeners.values():
                listener.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close those that are open, and their connections."""
        for listener in self.listeners.values():
            if listener.is_running():
                listener.stop()

    def origin(self, service: Service) -> str:
        """Give scheme, host and port of one.

        Raises:
            ConfigurationError: it does not listen.
        """
        if not self.running:
            raise ConfigurationError("the simulator does not run", hint="Call start(), or use it in a with statement.")
        return f"https://localhost:{self.listeners[service].port}"


def mutual_tls(server: Issued, root: x509.Certificate, crl: bytes | None) -> ssl.SSLContext:
    """Require a client certificate in the handshake, that ends at `root` and is in no CRL."""
    context = public_tls(server)
    context.load_verify_locations(cadata=root.public_bytes(Encoding.DER))
    context.verify_mode = ssl.CERT_REQUIRED
    if crl is not None:
        with tempfile.TemporaryDirectory(prefix="ror-sante-") as name:
            write_private(Path(name) / "crl.pem", crl)
            context.load_verify_locations(cafile=Path(name) / "crl.pem")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def tls_per_path(server: Issued, root: x509.Certificate, crl: bytes | None) -> ssl.SSLContext:
    """Let a path ask for the certificate after the handshake; TLS 1.2 asks in it, and takes no for an answer."""
    context = mutual_tls(server, root, crl)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.post_handshake_auth = True
    return context


def public_tls(server: Issued) -> ssl.SSLContext:
    """Ask for no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Every connection is a whole handshake: one that takes up an old session shows no chain and checks no CRL.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    passphrase = secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory(prefix="ror-sante-") as name:
        write_private(Path(name) / "server.pem", server.pem_chain() + server.key_pem(passphrase))
        context.load_cert_chain(Path(name) / "server.pem", password=passphrase)
    return context
