"""Go from an error, and what is at hand about its connection, to ranked causes; what is not proved is not claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

from ror_sante.diagnosis.causes import Cause, Confidence, Lang, cause
from ror_sante.errors import (
    AccessDeniedError,
    ApiError,
    ClientRejectedError,
    IdentityError,
    RateLimitedError,
    ServerFaultError,
    ServerNotTrustedError,
    Severity,
    TokenError,
    TransportError,
    printable,
)
from ror_sante.pki.chain import is_signed_by
from ror_sante.pki.igc import Tree, tree_of
from ror_sante.pki.names import attributes, common_name, describe_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ror_sante.environments import Environment
    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.tls.receipt import HandshakeReceipt

Claim = tuple[str, Confidence, str]

_RANK: Final = {"high": 0, "medium": 1, "low": 2}

# What a finding of `ClientIdentity.verify` means, when a server refuses us or before anything is sent.
_OF_FINDING: Final = {
    "incomplete-chain": "intermediate-not-sent",
    "untrusted-chain": "client-other-authority",
    "broken-link": "client-other-authority",
    "expired": "client-expired",
    "not-yet-valid": "client-not-yet-valid",
    "test-certificate": "test-in-production",
    "production-certificate": "production-in-test",
    "sign-certificate": "client-usage",
    "no-client-auth": "client-usage",
    "server-certificate": "client-usage",
    "wrong-key-usage": "client-usage",
    "weak-key": "openssl-policy",
}
# Judged by this machine's clock, which may be what is wrong.
_DATED: Final = ("expired", "not-yet-valid")
# The tree says more than the chain that leads to it.
_TELLING: Final = ("test-in-production", "production-in-test")

# RFC 8446 section 6.2, and what OpenSSL's servers mean (measured on Apache httpd, HAProxy and Python).
_OF_ALERT: Final[dict[str, tuple[str, Confidence]]] = {
    "certificate_revoked": ("client-revoked", "high"),
    "certificate_expired": ("client-expired", "medium"),
    "unsupported_certificate": ("client-usage", "medium"),
    "bad_certificate": ("client-not-yet-valid", "low"),
    "unknown_ca": ("client-other-authority", "medium"),
    "certificate_required": ("client-none-sent", "high"),
    "access_denied": ("client-not-registered", "medium"),
    "protocol_version": ("tls-version", "high"),
}
# Words of `TransportError.fault` that tell their cause; a fact of this machine is certain, a guess about others is not.
_OF_FAULT: Final[dict[str, tuple[str, Confidence]]] = {
    "dns": ("dns", "high"),
    "refused": ("refused", "high"),
    "no-route": ("no-route", "medium"),
    "connect-time": ("dropped", "medium"),
    "handshake-time": ("handshake-silent", "medium"),
    "read-time": ("answer-late", "medium"),
    "not-tls": ("not-tls", "high"),
    "proxy-password": ("proxy-password", "high"),
    "proxy-refuses": ("proxy-refuses", "high"),
}
# Words of `ApiError.fault`, which are those of causes.
_OF_CONTENT: Final[dict[str, Confidence]] = {
    **dict.fromkeys(("api-key", "extraction-name", "extraction-certificate", "extraction-right"), "high"),
    "page-instead": "high",
    "answer-broken": "medium",
}
# Makers of boxes that open TLS, as they name their authorities.
_BOXES: Final = (
    *("zscaler", "fortinet", "fortigate", "palo alto", "netskope", "sophos", "blue coat", "bluecoat", "stormshield"),
    *("umbrella", "check point", "squid", "mitmproxy", "forcepoint", "mcafee", "olfeo", "inspection", "interception"),
)


@dataclass(frozen=True)
class _Case:
    """Everything that is at hand about one failure."""

    error: BaseException
    receipt: HandshakeReceipt | None
    identity: ClientIdentity | None
    anchors: tuple[TrustAnchor, ...]
    test: bool | None
    at: datetime | None


def diagnose(
    error: BaseException,
    *,
    receipt: HandshakeReceipt | None = None,
    identity: ClientIdentity | None = None,
    anchor: TrustAnchor | Iterable[TrustAnchor] = (),
    environment: Environment | None = None,
    at: datetime | None = None,
    lang: Lang = "en",
) -> tuple[Cause, ...]:
    """Rank the causes that an error may have.

    Args:
        error: what was raised; a `TransportError` may bring its receipt.
        receipt: what was seen of the handshake, in place of the error's own.
        identity: what we present, so that its own faults are looked for first.
        anchor: the root, or roots, that were trusted.
        environment: tells whether TEST certificates are expected.
        at: the time to judge certificates at, with its time zone; None judges no dates.
        lang: ``en`` or ``fr``.

    Returns:
        The likeliest first, and at least one: ``unknown`` when nothing fits. A cause has high confidence only where
        a certificate at hand or an unmistakable sign proves it.
    """
    case = _Case(
        error,
        receipt or getattr(error, "receipt", None),
        identity,
        tuple(anchor) if hasattr(anchor, "__iter__") else (anchor,),
        environment.test if environment is not None else None,
        at,
    )
    claims: dict[str, Claim] = {}
    for claim in sorted(_claims(case), key=lambda one: _RANK[one[1]]):
        claims.setdefault(claim[0], claim)
    found = list(claims.values()) or [("unknown", "low", printable(error))]
    return tuple(cause(code, sure, evidence, lang=lang) for code, sure, evidence in found)


def _claims(case: _Case) -> Iterator[Claim]:
    match case.error:
        case IdentityError():
            yield from _of_identity(case.error)
        case ClientRejectedError():
            yield from _of_rejection(case, case.error)
        case ServerNotTrustedError():
            yield from _of_server(case, case.error)
        case TransportError():
            yield from _of_way(case, case.error)
        case TokenError():
            yield from _of_token(case.error)
        case ApiError():
            yield from _of_answer(case.error)


# ------------------------------------------------------------------ our certificate


def _of_identity(error: IdentityError) -> Iterator[Claim]:
    for finding in error.findings:
        if finding.severity is Severity.ERROR and finding.code in _OF_FINDING:
            dated = finding.code in _DATED
            yield _OF_FINDING[finding.code], "medium" if dated else "high", finding.message
            if dated:
                yield "clock", "low", finding.message
    if "OpenSSL refuses" in error.message:
        yield "openssl-policy", "high", error.message
    if "passphrase" in error.message:
        yield "passphrase", "high", error.message


def _own_faults(case: _Case) -> Iterator[Claim]:
    """Look for what is wrong with what we present: proof that needs nobody's word."""
    if case.receipt is not None and case.receipt.requested and case.receipt.sent == ():
        yield "client-none-sent", "high", "the server asked for a certificate, and our message held none"
        return
    if case.identity is None or not case.anchors or case.at is None:
        return
    found = case.identity.verify(case.anchors, at=case.at, test=case.test)
    alone = len(case.identity.chain) == 1
    claims = [
        (_meaning(finding.code, alone=alone), finding.message)
        for finding in found
        if finding.severity is Severity.ERROR and finding.code in _OF_FINDING
    ]
    claims.sort(key=lambda one: one[0] not in _TELLING)
    for code, message in claims:
        # The roots at hand are those that we trust; which ones the server trusts is not seen.
        yield code, "medium" if code == "client-other-authority" else "high", message
    if case.receipt is not None and case.receipt.sent is not None and len(case.receipt.sent) == 1:
        issuer = describe_name(case.identity.certificate.issuer)
        if not any(is_signed_by(case.identity.certificate, anchor.certificate) for anchor in case.anchors):
            yield (
                "intermediate-not-sent",
                "high",
                f"the wire shows our leaf alone; its issuer {issuer} did not go along",
            )


def _meaning(code: str, *, alone: bool) -> str:
    """A chain with an intermediate that still leads nowhere is another authority's."""
    return "client-other-authority" if code == "incomplete-chain" and not alone else _OF_FINDING[code]


def _of_rejection(case: _Case, error: ClientRejectedError) -> Iterator[Claim]:
    proved = list(_own_faults(case))
    yield from proved
    if error.alert == "handshake_failure":
        yield from _of_handshake_failure(case, proved=bool(proved))
        return
    if error.alert in _OF_ALERT:
        code, sure = _OF_ALERT[error.alert]
        yield code, "low" if proved and sure == "medium" else sure, f"the server sent the TLS alert {error.alert}"
        return
    if "got none from us" in error.message:
        yield "client-none-sent", "high", error.message
    elif not proved and not error.alert:
        # nginx has one page for all; with a certificate that is sound in itself, revocation is what is left.
        yield "client-revoked", "medium" if case.identity and case.at else "low", error.message
        yield "client-other-authority", "low", error.message


def _of_handshake_failure(case: _Case, *, proved: bool) -> Iterator[Claim]:
    told = "the server sent the TLS alert handshake_failure"
    if case.receipt is not None and case.receipt.source != "loaded" and not case.receipt.received:
        yield "tls-cipher", "medium", f"{told} before it showed a certificate"
    elif not proved:
        yield "client-none-sent", "medium" if case.identity is None else "low", told
        yield "tls-cipher", "low", told


# ------------------------------------------------------------------ the server's certificate


def _of_server(case: _Case, error: ServerNotTrustedError) -> Iterator[Claim]:
    chain = _read(case.receipt.received if case.receipt is not None else ())
    match error.fault:
        case "server-expired" | "server-not-yet-valid" as code:
            yield from _of_dates(case, chain, code)
        case "server-name":
            yield from _of_name(case, chain)
        case "server-usage":
            yield "server-usage", "high", error.message
        case "self-signed":
            yield "server-self-signed", "high", error.message
        case "weak":
            yield "tls-weak", "high", error.message
        case _ if chain and case.anchors:
            yield from _of_chain(case, chain)
        case _:
            yield "server-other-authority", "low", error.message
            yield "server-intermediate-not-sent", "low", error.message


def _of_dates(case: _Case, chain: list[x509.Certificate], code: str) -> Iterator[Claim]:
    told = _span(chain[0]) if chain else "OpenSSL judged it by this machine's clock"
    if case.identity is not None and case.at is not None:
        validity = case.identity.validity
        early, late = case.at < validity.not_before, case.at > validity.not_after
        if (early and code == "server-not-yet-valid") or (late and code == "server-expired"):
            yield "clock", "medium", f"our own certificate would be as wrong as the server's at {case.at:%Y-%m-%d}"
            yield code, "low", told
            return
    yield code, "high" if chain and case.at and not _holds(chain[0], case.at) else "medium", told
    yield "clock", "low", told


def _of_name(case: _Case, chain: list[x509.Certificate]) -> Iterator[Claim]:
    leaf = chain[0] if chain else None
    if leaf is None or case.receipt is None:
        yield "server-name", "medium", printable(case.error)
        return
    named = attributes(leaf.subject, x509.NameOID.COMMON_NAME)
    if not _has_san(leaf) and case.receipt.host in named:
        yield "server-cn-only", "high", f"the CN is {case.receipt.host}, and there is no subjectAltName"
        return
    yield "server-name", "high", f"the certificate is for {common_name(leaf)}, and {case.receipt.host} was asked for"


def _of_chain(case: _Case, chain: list[x509.Certificate]) -> Iterator[Claim]:
    """Tell by the certificates that came why they lead to no pinned root."""
    last = _end_of(chain)
    issuer = describe_name(last.issuer)
    shown = " ← ".join(common_name(certificate) for certificate in chain)
    told = f"the server sent {shown}, issued by {issuer}"
    lenders = case.identity.chain[1:] if case.identity is not None else ()
    if len(chain) == 1 and any(is_signed_by(last, lender) for lender in lenders):
        yield "server-intermediate-not-sent", "high", f"{told}, which it did not send"
    elif any(_imitates(one, anchor.certificate) for one in chain for anchor in case.anchors):
        yield "server-imitation", "high", f"{told}: the trusted name, signed by another key"
    elif _is_of_other_tree(last, case.anchors):
        yield "server-other-environment", "high", told
    elif any(box in f"{issuer} {last.issuer.rfc4514_string()}".lower() for box in _BOXES):
        yield "tls-interception", "medium", told
        yield "server-other-authority", "low", told
    elif len(chain) == 1 and any(lender.subject == last.issuer for lender in lenders):
        yield "server-imitation", "medium", told
    else:
        yield "server-other-authority", "medium", told
        yield "tls-interception", "low", told
        if len(chain) == 1:
            yield "server-intermediate-not-sent", "low", told


def _imitates(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    return certificate.issuer == root.subject and not is_signed_by(certificate, root)


def _read(ders: tuple[bytes, ...]) -> list[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(der) for der in ders]
    except ValueError:
        return []


def _end_of(chain: list[x509.Certificate]) -> x509.Certificate:
    """Follow the issuers from the leaf as far as the certificates that came allow."""
    current = chain[0]
    for _ in chain:
        following = next((one for one in chain if one.subject == current.issuer and one != current), None)
        if following is None:
            break
        current = following
    return current


def _is_of_other_tree(last: x509.Certificate, anchors: tuple[TrustAnchor, ...]) -> bool:
    trees = {tree_of(anchor.certificate) for anchor in anchors}
    actual = tree_of(last)
    return trees <= {Tree.TEST, Tree.PRODUCTION} and actual in {Tree.TEST, Tree.PRODUCTION} and actual not in trees


def _holds(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _span(certificate: x509.Certificate) -> str:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return f"{common_name(certificate)} is valid from {start:%Y-%m-%d} to {end:%Y-%m-%d}"


def _has_san(certificate: x509.Certificate) -> bool:
    try:
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return True


# ------------------------------------------------------------------ the way and the answers


def _of_way(case: _Case, error: TransportError) -> Iterator[Claim]:
    if error.fault == "connect-time" and case.receipt is not None and case.receipt.tried:
        yield from _of_silence(case.receipt, error)
    elif error.fault in _OF_FAULT:
        code, sure = _OF_FAULT[error.fault]
        yield code, sure, error.message
    elif error.fault == "closed" and case.receipt is not None:
        yield from _of_cut(case, error)


def _of_silence(receipt: HandshakeReceipt, error: TransportError) -> Iterator[Claim]:
    """Nobody answered: where IPv4 was tried too a firewall is likelier than a network that loses IPv6."""
    silent = [one.address for one in receipt.tried if one.lost_ipv6]
    alone = len(silent) == len(receipt.tried)
    if silent:
        told = f"{', '.join(silent)} did not answer{', and there is no IPv4 address' if alone else ''}"
        yield "ipv6-black-hole", "medium" if alone else "low", told
    yield "dropped", "low" if alone else "medium", error.message


def _of_cut(case: _Case, error: TransportError) -> Iterator[Claim]:
    """Closed without a word: by a server that judged our certificate, or by something that never read it."""
    receipt = case.receipt
    if receipt is not None and receipt.first_byte_seconds is not None:
        return  # it has answered on this connection: neither our certificate nor the way is to blame
    if receipt is not None and receipt.failed == "tls" and not receipt.received:
        yield "handshake-cut", "medium", f"{error.message}, before the server showed a certificate"
        return
    yield from _own_faults(case)
    yield "client-not-registered", "low", f"{error.message}, after our certificate was asked for"
    yield "handshake-cut", "low", error.message


def _of_token(error: TokenError) -> Iterator[Claim]:
    if error.error == "invalid_client":
        yield "subject-unknown", "medium", error.message
    if error.fault == "page-instead":
        yield error.fault, "high", error.message
    elif error.error:
        yield "token-refused", "medium", error.message
    elif error.status is not None and error.status >= 500:
        yield "service-fault", "medium", error.message


def _of_answer(error: ApiError) -> Iterator[Claim]:
    if error.fault in _OF_CONTENT:  # who read the answer knows what it means
        yield error.fault, _OF_CONTENT[error.fault], error.message
    elif isinstance(error, AccessDeniedError):
        yield "api-401" if error.status == 401 else "api-403", "medium", error.message
    elif error.status == 400 and "ror-" in error.message.lower():
        yield "ror-headers", "medium", error.message
    elif isinstance(error, RateLimitedError):
        yield "too-many-calls", "high", error.message
    elif isinstance(error, ServerFaultError):
        yield "service-fault", "medium", error.message
