"""Translate every failure of ssl, urllib3 and requests into our tree of errors, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from ror_sante.errors import (
    ClientRejectedError,
    ConfigurationError,
    RorError,
    ServerNotTrustedError,
    TimedOutError,
    TransportError,
    UnexpectedResponseError,
    UnreachableError,
    masked_url,
    printable,
)
from ror_sante.tls.sighting import attached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUPPORT: Final = "monserviceclient.ror@esante.gouv.fr"

_CHAIN_HINT: Final = (
    "See what the P12 holds with `ror-sante identity show`: the intermediate (ACI-EL-ORG) must be in it, "
    "and a TEST certificate works on the bac-à-sable only."
)


class Advice(NamedTuple):
    """What a TLS alert says about us, and the next step."""

    meaning: str
    hint: str


# RFC 8446 section 6.2 names; causes as measured against Apache httpd, HAProxy and OpenSSL servers.
ALERTS: Final = {
    "unknown_ca": Advice("the server cannot link our certificate to a root that it trusts", _CHAIN_HINT),
    "bad_certificate": Advice(
        "the server finds our certificate malformed, badly signed or not yet valid",
        "Compare the certificate's dates and this machine's clock; then see `ror-sante identity show`.",
    ),
    "unsupported_certificate": Advice(
        "the server finds that our certificate was not made to authenticate a client",
        "The product must be ORG AUTH_CLI; a SIGN or CONF certificate of the same order is refused.",
    ),
    "certificate_revoked": Advice(
        "our certificate is revoked", "Order a new one; the administrator sees the revocation on the platform."
    ),
    "certificate_expired": Advice(
        "our certificate has expired", "Renew it; until then nothing else helps. Check this machine's clock too."
    ),
    "certificate_unknown": Advice("the server refuses our certificate without saying why", _CHAIN_HINT),
    "certificate_required": Advice(
        "the server asks for a client certificate and none was sent",
        "Give the session an identity: a P12 of the product ORG AUTH_CLI.",
    ),
    "access_denied": Advice(
        "our certificate is valid, and the server does not let it in",
        f"Its subject DN is perhaps not registered: send it to {SUPPORT} (`ror-sante identity show`).",
    ),
    "handshake_failure": Advice(
        "the server ended the handshake: no client certificate that it accepts, or no cipher suite in common",
        "Under TLS 1.2 this is what a server says when no certificate was sent; see `ror-sante smoke-test`. "
        "If it knows no suite with ECDHE and AEAD: `wide_tls12_hosts` in [network] accepts its older ones.",
    ),
    "protocol_version": Advice(
        "the server speaks no version of TLS that we accept (1.2 or 1.3)",
        "Ask the service for TLS 1.2 or later; or something between us and it speaks an older one.",
    ),
    "unrecognized_name": Advice("the server does not know the host name that we asked for", "Check the URL."),
}
_OTHER_ALERT: Final = Advice("the server ended the handshake", "See `ror-sante smoke-test` for each step.")

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_VERIFY: Final = {
    10: ("its certificate has expired", "Check this machine's clock; otherwise the service must renew it."),
    9: ("its certificate is not yet valid", "Check this machine's clock."),
    62: (
        "its certificate does not name this host",
        "Check the URL; a proxy or a wrong DNS answer looks like this too.",
    ),
    64: ("its certificate does not name this address", "Use the host name that the certificate holds."),
    26: ("its certificate was not made for a server", "The service must install a server certificate."),
    18: ("its certificate is self-signed and is not a pinned root", "Something else answers at this address."),
    19: (
        "its chain ends at a root that is not pinned",
        "Production and bac-à-sable have different roots (ACR-EL, ACR-EL-TEST); "
        "if a proxy of your network intercepts TLS, ask for an exception for this host.",
    ),
    20: (
        "its chain does not lead to a pinned root: another authority signed it, or it did not send its intermediate",
        "See its chain with `ror-sante smoke-test`; production and bac-à-sable have different roots. "
        "An intermediate that it does not send can be lent: `lend_intermediates` in [network].",
    ),
}
_STRONGER: Final = "The service must install a certificate of 2048 bits or more, signed with SHA-256 or better."
_VERIFY[66] = ("the key of its certificate is too small", _STRONGER)
_VERIFY[67] = ("the key of its authority is too small", _STRONGER)
_VERIFY[68] = ("its certificate, or its authority's, is signed with too weak a digest", _STRONGER)
_VERIFY[21] = _VERIFY[2] = _VERIFY[20]
_FAULT_OF: Final = {
    9: "server-not-yet-valid",
    10: "server-expired",
    18: "self-signed",
    26: "server-usage",
    62: "server-name",
    64: "server-name",
    66: "weak",
    67: "weak",
    68: "weak",
}

_WEAK_SERVER: Final = (
    "UNSUPPORTED_PROTOCOL",
    "WRONG_SSL_VERSION",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
    "DH_KEY_TOO_SMALL",
    "EE_KEY_TOO_SMALL",
    "CA_KEY_TOO_SMALL",
    "CA_MD_TOO_WEAK",
    "BAD_ECPOINT",
    "WRONG_SIGNATURE_TYPE",
)
# How http.client words it.
_TUNNEL: Final = "Tunnel connection failed: "
_NOT_TLS: Final = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "UNEXPECTED_MESSAGE",
    "BAD_RECORD_TYPE",
    "UNKNOWN_PROTOCOL",
)


class Where(NamedTuple):
    """The address that was asked, as messages show it."""

    host: str
    url: str
    proxy: str


def translate(error: BaseException, *, url: str, proxy: str = "") -> RorError:
    """Give the error of our tree that tells what `error` means.

    Args:
        error: what ssl, urllib3 or requests raised; an error of ours inside it comes back as it is.
        url: the address that was asked; messages mask its query.
        proxy: the proxy in use, without its credentials, or nothing.

    Returns:
        An error to be raised ``from`` the original, with the receipt of the connection that broke.
    """
    causes = list(_causes(error))
    told = _explained(causes, url, proxy)
    if isinstance(told, TransportError) and told.receipt is None:
        told.receipt = attached(causes)
    return told


def _explained(causes: list[BaseException], url: str, proxy: str) -> RorError:
    for cause in causes:
        if isinstance(cause, RorError):
            return cause
    where = Where(
        printable(urlsplit(url).netloc.rpartition("@")[2]), masked_url(url), masked_url(proxy) if proxy else ""
    )
    cause = min(causes, key=_rank)
    return _ROWS[_row_of(cause)](cause, where)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk to everything that `error` holds: urllib3 and requests keep causes in arguments and in ``reason``."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (*current.args, getattr(current, "reason", None), current.__cause__, current.__context__)
        waiting.extend(value for value in inner if isinstance(value, BaseException))


def _row_of(error: BaseException) -> str:
    """Name the row of the nearest class of `error` that has one."""
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((name for name in names if name in _ROWS), "builtins.BaseException")


def _rank(error: BaseException) -> int:
    return _RANKS[_row_of(error)]


# ------------------------------------------------------------------ what each failure means


def _certificate(error: BaseException, where: Where) -> RorError:
    code = getattr(error, "verify_code", 0)
    text = printable(getattr(error, "verify_message", "") or error)
    meaning, hint = _VERIFY.get(code, (f"its certificate is refused: {text}", _VERIFY[20][1]))
    fault = _FAULT_OF.get(code, "untrusted")
    return known(fault, ServerNotTrustedError(f"{where.host} is not trusted: {meaning}", hint=hint))


def _tls(error: BaseException, where: Where) -> RorError:
    reason = str(getattr(error, "reason", None) or "")
    if "_ALERT_" in reason:
        return rejected(reason.partition("_ALERT_")[2].lower(), where.host)
    if reason in _NOT_TLS:
        hint = "Check the port: this one serves plain HTTP, or something between us and it answers in its place."
        return known("not-tls", _final(f"{where.host} answers, and what it speaks is not TLS", hint))
    if reason in _WEAK_SERVER:
        weak = ServerNotTrustedError(
            f"{where.host} offers only TLS that is too weak for us ({reason.lower().replace('_', ' ')})",
            hint="The service must offer TLS 1.2 with ECDHE and AEAD suites, or TLS 1.3; "
            "`wide_tls12_hosts` in [network] (SessionFactory: `wide_tls12`) accepts the older TLS 1.2 suites.",
        )
        return known("weak", weak)
    return _broken(error, where)


def rejected(alert: str, host: str) -> ClientRejectedError:
    """Explain a TLS alert that the server sent.

    Args:
        alert: its RFC 8446 name in lower case, such as ``unknown_ca``.
        host: who sent it.
    """
    meaning, hint = ALERTS.get(alert, _OTHER_ALERT)
    return ClientRejectedError(f"{host} refused us: {meaning} (TLS alert {alert})", hint=hint, alert=alert)


def _broken(error: BaseException, where: Where) -> RorError:
    broken = UnreachableError(
        f"{where.host} closed the connection without an answer ({_short(error)})",
        hint="If it happens on each first request, the server refuses our certificate without saying so, "
        "or a firewall cuts the connection: see `ror-sante smoke-test`.",
    )
    return known("closed", broken)


def _unresolved(_error: BaseException, where: Where) -> RorError:
    unresolved = UnreachableError(
        f"the name of {where.host} cannot be resolved",
        hint="Check the spelling and this machine's DNS; some networks resolve outside names only by their proxy.",
    )
    return known("dns", _unsent(unresolved))


def _refused(error: BaseException, where: Where) -> RorError:
    refused = UnreachableError(
        f"no connection to {where.host}: {_short(error)}",
        hint="Check host and port, the route and the firewall; a proxy is used only when it is named.",
    )
    closed = any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error))
    return known("refused" if closed else "no-route", _unsent(refused))


def _behind_proxy(error: BaseException, where: Where) -> RorError:
    text = " ".join(str(cause) for cause in _causes(error))
    name = where.proxy or "the proxy"
    if _TUNNEL in text:
        status = printable(text.partition(_TUNNEL)[2].partition("'")[0], 60)
        return refused_by_proxy(status, host=where.host, proxy=name)
    return _unsent(UnreachableError(f"the proxy {name} cannot be used: {_short(error)}", hint="Check its address."))


def refused_by_proxy(status: str, *, host: str, proxy: str) -> TransportError:
    """Explain an answer to CONNECT other than 200.

    Args:
        status: code and reason, such as ``407 Proxy Authentication Required``.
        host: the server that was to be reached.
        proxy: the proxy's address, without credentials.
    """
    if status.startswith("407"):
        hint = "Set proxy_user and proxy_password_file in [network]."
        return known("proxy-password", _unsent(_final(f"the proxy {proxy} asks for a password ({status})", hint)))
    error = UnreachableError(
        f"the proxy {proxy} opens no tunnel to {host}: {status}",
        hint="Ask its administrator to allow CONNECT to this host and port.",
    )
    return known("proxy-refuses", _unsent(error))


def _connect_time(_error: BaseException, where: Where) -> RorError:
    error = TimedOutError(
        f"{where.host} did not answer the connection in time",
        hint="A firewall drops it without a word, or the service is down; a proxy is used only when it is named.",
    )
    return known("connect-time", _unsent(error))


def _read_time(error: BaseException, where: Where) -> RorError:
    hint = "Try later, or raise read_timeout in [network]."
    if any("handshake operation" in str(cause) for cause in _causes(error)):
        silent = TimedOutError(f"{where.host} fell silent during the TLS handshake", hint=hint)
        return known("handshake-time", _unsent(silent))
    return known("read-time", TimedOutError(f"{where.host} fell silent while we waited for its answer", hint=hint))


def _aborted(error: BaseException, where: Where) -> RorError:
    """Tell a peer that takes none of our request from one that hangs up: urllib3 has one class for both."""
    if not any(isinstance(cause, TimeoutError) for cause in _causes(error)):
        return _broken(error, where)
    stuck = TimedOutError(
        f"{where.host} did not take the whole of our request in time",
        hint="Try later; if it happens with large requests alone, something on the way holds them back, and "
        "connect_timeout and read_timeout in [network] may be raised.",
    )
    return known("write-time", stuck)


def _pool(_error: BaseException, where: Where) -> RorError:
    error = TimedOutError(
        f"every connection to {where.host} is in use",
        hint="Close streamed responses, or raise pool_size to the number of your threads.",
    )
    return _unsent(error)


def _bad_call(error: BaseException, where: Where) -> RorError:
    return ConfigurationError(
        f"the request to {where.url} cannot be sent: {_short(error)}",
        hint="Check the URL, the headers and the body.",
    )


def _odd_answer(error: BaseException, where: Where) -> RorError:
    return UnexpectedResponseError(
        f"{where.host} sent an answer that cannot be read: {_short(error)}", url=where.url, hint="Try again later."
    )


def _unknown(error: BaseException, where: Where) -> RorError:
    return _final(f"the call to {where.host} failed: {_short(error)}", "See `ror-sante smoke-test`.")


def _final(message: str, hint: str) -> UnreachableError:
    error = UnreachableError(message, hint=hint)
    error.retryable = False
    return error


def known(fault: str, error: TransportError) -> TransportError:
    """Name what broke for programs, by a stable word."""
    error.fault = fault
    return error


def _unsent(error: TransportError) -> TransportError:
    """Mark that the server never saw the request."""
    error.unsent = True
    return error


def _short(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror, 120)
    text = str(getattr(error, "_message", "") or (error.args[-1] if error.args else "") or type(error).__name__)
    return printable(_without_address(text), 120)


def _without_address(text: str) -> str:
    """Drop the ``<...object at 0x...>`` and ``HTTPSConnectionPool(...)`` prefixes that urllib3 puts first."""
    return text.rpartition("): ")[2] if "ConnectionPool(" in text else text.rpartition(">: ")[2] or text


# ------------------------------------------------------------------ the table
# From the most telling to the least: of all the causes that an exception holds, the highest row explains it.
# A class stands for its children, but a test wants each class of the three libraries to have a row of its own.

_ROWS: Final[dict[str, Callable[[BaseException, Where], RorError]]] = {
    "ssl.SSLCertVerificationError": _certificate,
    "ssl.SSLError": _tls,
    "ssl.SSLZeroReturnError": _broken,
    "ssl.SSLSyscallError": _broken,
    "ssl.SSLEOFError": _broken,
    "ssl.SSLWantReadError": _broken,
    "ssl.SSLWantWriteError": _broken,
    "urllib3.exceptions.ProxyError": _behind_proxy,
    "requests.exceptions.ProxyError": _behind_proxy,
    "requests.exceptions.InvalidProxyURL": _behind_proxy,
    "urllib3.exceptions.ProxySchemeUnknown": _behind_proxy,
    "urllib3.exceptions.ProxySchemeUnsupported": _behind_proxy,
    "urllib3.exceptions.NameResolutionError": _unresolved,
    "socket.gaierror": _unresolved,
    "urllib3.exceptions.EmptyPoolError": _pool,
    "urllib3.exceptions.FullPoolError": _pool,
    "urllib3.exceptions.ConnectTimeoutError": _connect_time,
    "urllib3.exceptions.NewConnectionError": _refused,
    "urllib3.exceptions.ReadTimeoutError": _read_time,
    "requests.exceptions.ConnectTimeout": _connect_time,
    "requests.exceptions.ReadTimeout": _read_time,
    # The server's header, as two lengths that differ; requests wraps it in the name that it has for ours.
    "urllib3.exceptions.InvalidHeader": _odd_answer,
    "urllib3.exceptions.LocationParseError": _bad_call,
    "urllib3.exceptions.LocationValueError": _bad_call,
    "urllib3.exceptions.HostChangedError": _bad_call,
    "urllib3.exceptions.URLSchemeUnknown": _bad_call,
    "urllib3.exceptions.UnrewindableBodyError": _bad_call,
    "urllib3.exceptions.ClosedPoolError": _bad_call,
    "requests.exceptions.InvalidURL": _bad_call,
    "requests.exceptions.InvalidSchema": _bad_call,
    "requests.exceptions.MissingSchema": _bad_call,
    "requests.exceptions.URLRequired": _bad_call,
    "requests.exceptions.InvalidHeader": _bad_call,
    "requests.exceptions.UnrewindableBodyError": _bad_call,
    "requests.exceptions.StreamConsumedError": _bad_call,
    "urllib3.exceptions.DecodeError": _odd_answer,
    "urllib3.exceptions.HeaderParsingError": _odd_answer,
    "urllib3.exceptions.BodyNotHttplibCompatible": _odd_answer,
    "urllib3.exceptions.ResponseNotChunked": _odd_answer,
    "urllib3.exceptions.ResponseError": _odd_answer,
    "requests.exceptions.ContentDecodingError": _odd_answer,
    "requests.exceptions.InvalidJSONError": _odd_answer,
    "requests.exceptions.JSONDecodeError": _odd_answer,
    "requests.exceptions.TooManyRedirects": _odd_answer,
    "http.client.RemoteDisconnected": _broken,
    "http.client.IncompleteRead": _broken,
    "http.client.HTTPException": _odd_answer,
    "urllib3.exceptions.IncompleteRead": _broken,
    "urllib3.exceptions.InvalidChunkLength": _broken,
    "requests.exceptions.ChunkedEncodingError": _broken,
    "urllib3.exceptions.ProtocolError": _aborted,
    # Below: wrappers, which say nothing of their own while they hold one of the above.
    "builtins.TimeoutError": _read_time,
    "urllib3.exceptions.TimeoutError": _read_time,
    "urllib3.exceptions.TimeoutStateError": _read_time,
    "requests.exceptions.Timeout": _read_time,
    "urllib3.exceptions.SSLError": _broken,
    "requests.exceptions.SSLError": _broken,
    "urllib3.exceptions.PoolError": _broken,
    "urllib3.exceptions.RequestError": _broken,
    "urllib3.exceptions.MaxRetryError": _broken,
    "requests.exceptions.RetryError": _broken,
    "requests.exceptions.ConnectionError": _broken,
    "builtins.ConnectionError": _broken,
    "urllib3.exceptions.HTTPError": _unknown,
    "requests.exceptions.HTTPError": _unknown,
    "requests.exceptions.RequestException": _unknown,
    "builtins.OSError": _unknown,
    "builtins.BaseException": _unknown,
}
_RANKS: Final = {name: rank for rank, name in enumerate(_ROWS)}
