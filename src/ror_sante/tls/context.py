"""Build the TLS context: exact roots, our chain, strict checks, then sealed."""

from __future__ import annotations

import _ssl
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.errors import ConfigurationError, ServerNotTrustedError, UsageError, printable
from ror_sante.pki.anchor import TrustAnchor
from ror_sante.tls.keys import load_identity
from ror_sante.tls.process import check_process
from ror_sante.tls.resumption import LONGEST, Place, Shelf, Warrant
from ror_sante.tls.sockets import CheckedSocket, DestinedSocket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Sequence

    from cryptography import x509

    from ror_sante.pki.identity import ClientIdentity

# Whether this Python lets TLS messages be seen, as CPython 3.11 to 3.13 do by a private name.
HEARS: Final = hasattr(_ssl._SSLContext, "_msg_callback")
# urllib3 sets this on every connection; HTTP/2 is not spoken here.
ALPN: Final = ("http/1.1",)

# TLS 1.2: forward secrecy and AEAD only. The wider list adds what servers of the years before 2015 need.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_WIDE_CIPHERS: Final = _CIPHERS + ":DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:RSA+AESGCM:RSA+AES"
_BANNED_CIPHERS: Final = ":!aNULL:!eNULL:!MD5:!DSS:!3DES:!PSK:!SRP:@SECLEVEL=2"
_TLS13_SUITES: Final = frozenset({"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"})
_SECURITY_LEVEL: Final = 2

# OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT and SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION, which an OPENSSL_CONF may set;
# Python 3.11 has no names for them.
_UNSAFE_OPTIONS: Final = 0x4 | 0x40000
_OPTIONS: Final = int(ssl.OP_ALL | ssl.OP_NO_SSLv2 | ssl.OP_NO_SSLv3 | ssl.OP_NO_COMPRESSION) & ~_UNSAFE_OPTIONS

# STRICT by hand on every Python version; PARTIAL_CHAIN off, else each certificate of the store becomes an anchor
# (Python 3.13's default context sets it).
_VERIFY_FLAGS: Final = int(ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_STRICT)


def _overhear(connection: Any, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
    """Take one TLS message down for the connection that it belongs to; contexts are shared by threads."""
    sighting = getattr(connection, "sighting", None)
    if sighting is not None:
        sighting.transcript.watch(direction, version, content, kind, data)


class _Quiet:
    """The context to which a connection moves when nobody needs its messages any more, made when first wanted.

    Only another context takes the watching from a connection. It is built like the first in every respect: a server
    may ask for our certificate, or TLS 1.2 renegotiate, at any later time.
    """

    def __init__(self, make: Callable[[], SealedContext]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: SealedContext | None = None

    def __call__(self) -> SealedContext:
        with self._lock:
            self._made = self._made or self._make()
            return self._made


class SealedContext(_ssl._SSLContext):
    """A client TLS context that nothing can widen once it is sealed.

    It is built on the class beneath `ssl.SSLContext`, so that a process which replaced the latter (truststore,
    pip-system-certs) does not change it.
    """

    sslsocket_class: type[ssl.SSLSocket] = CheckedSocket
    # What every CPython 3.11 to 3.13 has on this class, and typeshed has not.
    _host_flags: int
    _msg_callback: Callable[[Any, str, int, int, int, bytes], None] | None

    _sealed: bool = False
    _pins: frozenset[bytes] = frozenset()
    _store: frozenset[bytes] = frozenset()
    _quiet: Callable[[], SealedContext] | None = None
    _leaf_ends: float = float("inf")  # when our own leaf ends, in seconds since 1970
    _shelf: Shelf

    def __new__(cls) -> SealedContext:
        """Make an empty client context: certificate required, host name checked."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._shelf = Shelf()
        return context

    # -------------------------------------------------------------- the seal

    def seal(self) -> SealedContext:
        """Forbid every later change; return the context itself."""
        self._sealed = True
        return self

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute before the seal; afterwards accept only what it already is."""
        if not self._sealed:
            super().__setattr__(name, value)
        elif getattr(self, name, None) != value:  # urllib3 sets verify_mode anew for each connection
            self._refuse(f"{name} = {value!r}")

    def __delattr__(self, name: str) -> None:
        """Refuse: a context loses no part."""
        self._refuse(f"del {name}")

    def _refuse(self, what: str) -> None:
        if self._sealed:
            raise ConfigurationError(
                f"the TLS context is sealed: {printable(what, 80)}",
                hint="Trust and identity are fixed by SessionFactory; make another factory for another trust.",
            )

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """Add roots before the seal."""
        self._refuse("load_verify_locations")
        super().load_verify_locations(cafile, capath, cadata)

    def load_default_certs(self, purpose: object = None) -> None:
        """Refuse: the system's roots are never trusted here."""
        self._refuse("load_default_certs")

    def set_default_verify_paths(self) -> None:
        """Refuse: the system's roots are never trusted here."""
        self._refuse("set_default_verify_paths")

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """Load our key and chain before the seal."""
        self._refuse("load_cert_chain")
        super().load_cert_chain(certfile, keyfile, password)

    def set_ciphers(self, cipherlist: str, /) -> None:
        """Choose the TLS 1.2 suites before the seal."""
        self._refuse("set_ciphers")
        super().set_ciphers(cipherlist)

    def set_alpn_protocols(self, alpn_protocols: Sequence[str]) -> None:
        """Offer HTTP/1.1, the only protocol spoken here."""
        if tuple(alpn_protocols) != ALPN:
            self._refuse(f"set_alpn_protocols({list(alpn_protocols)})")
        if not self._sealed:
            encoded = b"".join(bytes([len(name)]) + name.encode() for name in ALPN)
            self._set_alpn_protocols(encoded)  # type: ignore[attr-defined]  # what ssl.SSLContext calls

    def __getstate__(self) -> object:
        """Refuse to be pickled: the key does not travel."""
        raise TypeError("a TLS context cannot be pickled")

    # -------------------------------------------------------------- connections

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | None = None,
        session: object = None,
    ) -> ssl.SSLSocket:
        """Shake hands on a connected socket, as a client, with a host name, and with no foreign session.

        A `DestinedSocket` resumes the last session of its place, if the server still knows it; any other socket shakes
        hands in full. `suppress_ragged_eofs` has no say: an end of file without TLS's close_notify is an error.
        """
        if server_side or session is not None or not do_handshake_on_connect:
            # A session taken for one host resumes on another without any check of the certificate.
            self._refuse("server_side, session and do_handshake_on_connect are fixed")
        place = Place(server_hostname, sock.port) if isinstance(sock, DestinedSocket) and server_hostname else None
        known = self._shelf.offer(place, monotonic=time.monotonic(), wall=time.time()) if place else None
        socket_class: Any = self.sslsocket_class
        wrapped: Any = socket_class._create(
            sock=sock,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,  # a body that ends without TLS's own goodbye was cut, not finished
            server_hostname=server_hostname,
            context=self,
            session=known.session if known else None,
        )
        wrapped.place, wrapped.sighting = place, getattr(sock, "sighting", None)
        try:
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        wrapped.warrant = known.warrant if known and wrapped.session_reused else self._warrant(wrapped)
        secure: ssl.SSLSocket = wrapped
        return secure

    def _warrant(self, verified: ssl.SSLSocket) -> Warrant:
        """Say how long the verification holds that this connection has just made."""
        shown: Any = verified.getpeercert()
        ends = min(self._leaf_ends, float(ssl.cert_time_to_seconds(shown["notAfter"])))
        return Warrant(time.monotonic() + LONGEST, ends)

    def remember(self, place: Place, session: ssl.SSLSession | None, warrant: Warrant) -> None:
        """Keep a session that can be resumed for the next connection to a place."""
        if session is not None and (session.has_ticket or session.id):
            self._shelf.keep(place, session, warrant)

    def forget(self, place: Place) -> bool:
        """Drop the session of a place; tell whether there was one."""
        return self._shelf.forget(place)

    def _encode_hostname(self, hostname: str | None) -> str | None:
        return None if hostname is None else hostname.encode("idna").decode("ascii")

    def quiet(self) -> SealedContext:
        """Give the context that is this one in all but that it watches no messages."""
        return self if self._quiet is None else self._quiet()

    def check_pin(self, connection: Any) -> None:
        """Check after a handshake that the chain ends at a pinned root and that the store is what was built.

        A resumed connection has no chain of its own: its session comes from the shelf of this very context, where only
        connections come that passed this check in full.

        Raises:
            ServerNotTrustedError: it does not, or the store has changed. The caller closes the connection.
        """
        if not connection.session_reused and not self._ends_at_pin(connection.get_verified_chain() or ()):
            raise ServerNotTrustedError(
                "the server's chain does not end at a pinned root; the connection was closed before any request",
                hint="This process has changed the TLS machinery beneath us; look for what patches ssl or OpenSSL.",
            )
        if self.current_store() != self._store or self.verify_mode != ssl.CERT_REQUIRED or not self.check_hostname:
            raise ServerNotTrustedError(
                "the trust store or the checks of the TLS context have changed since it was built; "
                "the connection was closed before any request",
                hint="Something reached beneath the seal (ctypes, _ssl); nothing in this process can be trusted.",
            )

    def _ends_at_pin(self, chain: Sequence[Any]) -> bool:
        return bool(chain) and chain[-1].public_bytes(_ssl.ENCODING_DER) in self._pins

    def current_store(self) -> frozenset[bytes]:
        """Give every certificate of the store, as DER; a count that does not match is an unknown extra."""
        known = frozenset(self.get_ca_certs(binary_form=True))
        extra = self.cert_store_stats()["x509"] - len(known)
        return known | {b"unlisted"} if extra else known


def build_context(
    identity: ClientIdentity | None,
    anchors: TrustAnchor | Iterable[TrustAnchor],
    *,
    lend: Iterable[x509.Certificate] = (),
    wide_tls12: bool = False,
) -> SealedContext:
    """Build the one kind of TLS context this package uses.

    It does not judge the identity: `SessionFactory` does, and tests must be able to send a bad certificate.

    Args:
        identity: what we present when a server asks; None presents nothing.
        anchors: the only roots a server's chain may end at.
        lend: intermediates for a server that forgets to send its own. They stand in the store but are no anchors:
            the chain must still end at a root of `anchors`.
        wide_tls12: accept the older TLS 1.2 suites too (no forward secrecy, or CBC).

    Returns:
        A sealed context.

    Raises:
        ConfigurationError: no anchor, or a process whose TLS machinery or OpenSSL policy cannot be relied upon.
        UsageError: OpenSSL's policy refuses our key or certificate.
    """
    check_process()
    roots = (anchors,) if isinstance(anchors, TrustAnchor) else tuple(anchors)
    if not roots:
        raise ConfigurationError("no trust anchor: no server could ever be trusted")
    lent = tuple(lend)
    context = _built(identity, roots, lent, wide_tls12=wide_tls12)
    if HEARS:
        context._msg_callback = _overhear
        context._quiet = _Quiet(lambda: _built(identity, roots, lent, wide_tls12=wide_tls12).seal())
    return context.seal()


def _built(
    identity: ClientIdentity | None,
    roots: tuple[TrustAnchor, ...],
    lend: tuple[x509.Certificate, ...],
    *,
    wide_tls12: bool,
) -> SealedContext:
    context = SealedContext()
    _harden(context, wide_tls12=wide_tls12)
    _trust(context, roots, lend)
    if identity is not None:
        _present(context, identity)
    return context


def _harden(context: SealedContext, *, wide_tls12: bool) -> None:
    """Set every policy by hand: an OPENSSL_CONF may have set any of them otherwise."""
    context.options = _OPTIONS
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    context.verify_flags = _VERIFY_FLAGS
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    context._host_flags |= _ssl.HOSTFLAG_NEVER_CHECK_SUBJECT  # no fall-back from the SAN to the CN
    context.post_handshake_auth = True  # a server may ask for the certificate on one path only
    context.set_ciphers((_WIDE_CIPHERS if wide_tls12 else _CIPHERS) + _BANNED_CIPHERS)
    context.set_alpn_protocols(ALPN)
    _check_policy(context)


def _check_policy(context: SealedContext) -> None:
    """Refuse what OPENSSL_CONF can still have weakened: no Python call sets the TLS 1.3 suites before 3.15."""
    suites = {cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.3"}
    if context.security_level < _SECURITY_LEVEL or not suites <= _TLS13_SUITES:
        raise ConfigurationError(
            "OpenSSL's configuration (OPENSSL_CONF) imposes weaker TLS than this package accepts: "
            f"security level {context.security_level}, TLS 1.3 suites {', '.join(sorted(suites))}",
            hint="Remove Ciphersuites and SECLEVEL from the ssl_conf section, or unset OPENSSL_CONF for this process.",
        )


def _trust(context: SealedContext, roots: tuple[TrustAnchor, ...], lend: tuple[x509.Certificate, ...]) -> None:
    lent = frozenset(certificate.public_bytes(Encoding.DER) for certificate in lend)
    context._pins = frozenset(root.der for root in roots)
    context._store = context._pins | lent
    for der in context._store:
        context.load_verify_locations(cadata=der)


def _present(context: SealedContext, identity: ClientIdentity) -> None:
    context._leaf_ends = identity.chain[0].not_valid_after_utc.timestamp()
    try:
        load_identity(context, identity)
    except ssl.SSLError as error:
        raise UsageError(
            f"OpenSSL refuses our key or certificate: {error.reason or printable(error)}",
            hint="Its policy asks for RSA of at least 2048 bits and SHA-256; look at the certificate and OPENSSL_CONF.",
        ) from error
