"""Tell what works by accident today: a chain that some store completes, a server that an exception lets through."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509

from ror_sante.diagnosis.causes import accident
from ror_sante.errors import RorError
from ror_sante.pki.chain import build_chain, is_signed_by
from ror_sante.pki.lent import load_intermediates
from ror_sante.pki.names import common_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ror_sante.diagnosis.causes import Lang
    from ror_sante.errors import Finding
    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.tls.probe import Probe
    from ror_sante.tls.receipt import Attempt

# Larger than any bundle of roots; what is larger is none.
_LARGEST_STORE: Final = 8 * 1024 * 1024


def client_chain(
    identity: ClientIdentity,
    *,
    sent: Sequence[bytes] | None = None,
    stores: Mapping[str, Iterable[x509.Certificate]] | None = None,
    lang: Lang = "en",
) -> tuple[Finding, ...]:
    """Tell whether our chain is whole only because a certificate stands in some trust store.

    OpenSSL completes a chain that it was not given from the store of trusted certificates: the same file then works
    on one machine and fails on the next, or on the day that the store is cleaned.

    Args:
        identity: our certificate, with the chain that its owner gave.
        sent: what the wire showed that we sent, as DER (`HandshakeReceipt.sent`); None when nobody looked.
        stores: certificates by the name of the store in which they stand, such as what `machine_store` gives.
        lang: ``en`` or ``fr``.

    Returns:
        Warnings ``chain-from-store`` (it was sent so) and ``chain-in-store`` (a program that uses that store would).
    """
    return (*_sent_from_store(identity, sent or (), lang), *_in_stores(identity, stores or {}, lang))


def _sent_from_store(identity: ClientIdentity, sent: Sequence[bytes], lang: Lang) -> Iterator[Finding]:
    given = set(identity.chain)
    added = [one for one in _read(sent) if one not in given and one.subject != one.issuer]
    if added:
        yield accident("chain-from-store", lang=lang, names=_named(added))


def _in_stores(
    identity: ClientIdentity, stores: Mapping[str, Iterable[x509.Certificate]], lang: Lang
) -> Iterator[Finding]:
    last = [one for one in identity.chain if one not in identity.supplied][-1]
    for name, certificates in stores.items():
        helping = build_chain(last, certificates, supplement=()).certificates[1:]
        if helping:
            yield accident("chain-in-store", lang=lang, names=_named(helping), store=name)


def server_chain(
    host: str,
    received: Sequence[bytes],
    anchors: Sequence[TrustAnchor],
    *,
    lend: Iterable[x509.Certificate] = (),
    lang: Lang = "en",
) -> tuple[Finding, ...]:
    """Tell whether a server that we trust is trusted by accident only.

    Args:
        host: how the messages call it.
        received: the certificates that it sent, as DER, leaf first (`HandshakeReceipt.received`).
        anchors: the roots in force.
        lend: the intermediates that are lent to servers which forget theirs.
        lang: ``en`` or ``fr``.

    Returns:
        Warnings ``server-needs-lent`` (it is trusted only thanks to a lent intermediate) and ``server-chain-disorder``
        (it sends its chain out of order, which RFC 5246 section 7.4.2 forbids and not every client mends).
    """
    chain = _read(received)
    if not chain:
        return ()
    lent = [one for one in lend if one not in chain]
    roots = [anchor.certificate for anchor in anchors]
    helping = _lent_to(chain, roots, lent)
    needs = [accident("server-needs-lent", lang=lang, host=host, names=_named(helping))] if helping else []
    return (*needs, *_disordered(host, chain, lang))


def _lent_to(
    chain: list[x509.Certificate], roots: list[x509.Certificate], lent: list[x509.Certificate]
) -> list[x509.Certificate]:
    """Give the lent certificates without which a chain leads to no root."""
    if not lent or _leads_to(roots, chain):
        return []
    whole = build_chain(chain[0], [*chain[1:], *lent, *roots], supplement=()).certificates
    return [one for one in whole if one in lent]


def _leads_to(roots: list[x509.Certificate], chain: list[x509.Certificate]) -> bool:
    """Follow what came, and nothing else; a root at its end is known by its bytes or by its signature."""
    last = build_chain(chain[0], chain[1:], supplement=()).certificates[-1]
    return any(last == root or is_signed_by(last, root) for root in roots)


def _disordered(host: str, chain: list[x509.Certificate], lang: Lang) -> Iterator[Finding]:
    needed = len(build_chain(chain[0], chain[1:], supplement=()).certificates)
    if not all(map(is_signed_by, chain[: needed - 1], chain[1:needed])):
        shown = " ← ".join(map(common_name, chain))
        yield accident("server-chain-disorder", lang=lang, host=host, names=shown)


def detour(host: str, tried: Sequence[Attempt], *, lang: Lang = "en") -> tuple[Finding, ...]:
    """Tell whether a connection stands only because IPv4 was tried after an IPv6 address that lies in a black hole.

    Args:
        host: how the message calls it.
        tried: the addresses in order (`HandshakeReceipt.tried`).
        lang: ``en`` or ``fr``.

    Returns:
        A warning ``ipv6-black-hole``, or nothing.
    """
    lost = [one for one in tried if one.lost_ipv6]
    if not lost or tried[-1].outcome != "connected" or ":" in tried[-1].address:
        return ()
    names, seconds = ", ".join(one.address for one in lost), f"{sum(one.seconds for one in lost):.1f}"
    return (accident("ipv6-black-hole", lang=lang, host=host, names=names, found=tried[-1].address, seconds=seconds),)


def needs_old_suites(seen: Probe, strictly: Callable[[], Probe]) -> bool:
    """Tell whether a server works only because its older TLS 1.2 suites are accepted.

    Args:
        seen: a connection that accepted them.
        strictly: makes the same connection without them; called only when `seen` chose an older one.
    """
    return seen.failed is None and not is_modern(seen) and strictly().failed == "tls"


def is_modern(seen: Probe) -> bool:
    """Tell whether a connection has forward secrecy and an AEAD suite, which is what we accept by default."""
    aead = "GCM" in seen.cipher or "CHACHA20" in seen.cipher
    return seen.version == "TLSv1.3" or (seen.cipher.startswith("ECDHE-") and aead)


def machine_store() -> dict[str, tuple[x509.Certificate, ...]]:
    """Read the trust store that other programs of this machine use through OpenSSL; nothing here is ever trusted by us.

    Returns:
        Its certificates by its path; empty where there is none, or where it cannot be read.
    """
    path: str | None = ssl.get_default_verify_paths().cafile
    try:
        if path is None or os.stat(path).st_size > _LARGEST_STORE:  # noqa: PTH116  a str from ssl
            return {}
        return {path: load_intermediates([Path(path)])}
    except (OSError, RorError):
        return {}


def _read(ders: Sequence[bytes]) -> list[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(der) for der in ders]
    except ValueError:
        return []


def _named(certificates: Iterable[x509.Certificate]) -> str:
    return ", ".join(common_name(certificate) for certificate in certificates)
