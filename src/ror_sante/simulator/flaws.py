"""The flaws that certificates have in the field: a table of names, how each is made, and what should be said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from ror_sante.simulator.p12 import Bags
from ror_sante.simulator.pki import (
    CLIENT_AUTH,
    SERV_SSL,
    SERVER_AUTH,
    SIGN,
    Issued,
    SimulatorPki,
)
from ror_sante.simulator.templates import to_pem

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

    from ror_sante.simulator.p12 import Shape
    from ror_sante.simulator.templates import Key

PASSPHRASE: Final = "certs-test"  # noqa: S105  printed in the manifest: it protects nothing
ACCENTED: Final = "mot-de-pässé€"

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Expected:
    """What a client with good manners does with a case, and what a peer does when it is sent all the same.

    Attributes:
        outcome: ``ok``, ``warn`` or ``fail``.
        exit_code: of ``ror-sante smoke-test``.
        finding: code of the finding about the identity, when there is one.
        error: class of `ror_sante.errors` that ends the attempt, when one does.
        alert: TLS alert of the peer that refuses (RFC 8446 names), when it comes to that. Of a client case it is the
            server's, of a server case the client's.
        reason: OpenSSL's words for the same, as its verify error says them.
    """

    outcome: Literal["ok", "warn", "fail"]
    exit_code: int
    finding: str | None = None
    error: str | None = None
    alert: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Material:
    """The content of the files of one case; None for a file that it does not have.

    Attributes:
        p12: a PKCS#12 file.
        chain: certificates in PEM, in the order in which they are to be sent.
        key: the private key in PEM: encrypted for clients, in clear for servers.
        passphrase: what opens `p12` and `key`; None for servers.
    """

    p12: bytes | None = None
    chain: bytes | None = None
    key: bytes | None = None
    passphrase: str | None = PASSPHRASE


@dataclass(frozen=True)
class Kit:
    """What the cases are made with: one tree and one key for each side, so that a pair differs by its flaw alone."""

    pki: SimulatorPki
    good: Issued
    revoked: Issued
    server_key: Key

    @classmethod
    def of(cls, pki: SimulatorPki) -> Kit:
        """Make the keys, and the certificate that the CRL revokes."""
        good = pki.client()
        return cls(pki, good=good, revoked=pki.client(key=good.key), server_key=pki.server().key)


@dataclass(frozen=True)
class Flaw:
    """One case.

    Attributes:
        name: of its folder.
        kind: whose certificate it is.
        what: what is wrong with it, or that nothing is.
        expected: what should come of it.
        make: makes it.
    """

    name: str
    kind: Literal["client", "server"]
    what: str
    expected: Expected
    make: Callable[[Kit], Material] = field(repr=False)

    @property
    def folder(self) -> str:
        """Where its files stand, from the top: ``client/NAME`` or ``server/NAME``."""
        return f"{self.kind}/{self.name}"


def _case(name: str, what: str, expected: Expected, make: Callable[[Kit], Material]) -> Flaw:
    return Flaw(name, "client", what, expected, make)


def _server_case(name: str, what: str, expected: Expected, make: Callable[[Kit], Material]) -> Flaw:
    return Flaw(name, "server", what, expected, make)


# ------------------------------------------------------------------ how a case is made


def _client(
    kit: Kit,
    issued: Issued,
    *,
    tree: SimulatorPki | None = None,
    shape: Shape = "platform",
    intermediates: bool = True,
    root: bool = False,
    passphrase: str = PASSPHRASE,
) -> Material:
    tree = tree or kit.pki
    p12 = tree.p12(issued, passphrase, shape=shape, intermediates=intermediates, root=root)
    chain = issued.chain if intermediates else issued.chain[:1]
    # an empty passphrase encrypts no PEM: PBES2 writers refuse it
    return Material(p12, to_pem(*chain), issued.key_pem(passphrase or None), passphrase)


def _dated(kit: Kit, start: timedelta, end: timedelta) -> Material:
    issued = kit.pki.client(key=kit.good.key, not_before=kit.pki.at + start, not_after=kit.pki.at + end)
    return _client(kit, issued)


def _of_tree(kit: Kit, tree: SimulatorPki) -> Material:
    return _client(kit, tree.client(key=kit.good.key), tree=tree, root=True)


def _root_included(kit: Kit) -> Material:
    root = kit.pki.root.certificate
    whole = _client(kit, kit.good, shape="modern", root=True)
    return Material(whole.p12, to_pem(*kit.good.chain, root), whole.key)


def _wrong_order(kit: Kit) -> Material:
    leaf, intermediate = kit.good.chain
    root = kit.pki.root.certificate
    bags = _bags(kit.good, intermediate, root).reordered(2, 1, 0)
    return Material(bags.platform(PASSPHRASE), to_pem(leaf, root, intermediate), kit.good.key_pem(PASSPHRASE))


def _wrong_intermediate(kit: Kit) -> Material:
    other = kit.pki.twin.intermediate.certificate
    p12 = _bags(kit.good, other).platform(PASSPHRASE)
    return Material(p12, to_pem(kit.good.certificate, other), kit.good.key_pem(PASSPHRASE))


def _ec_key(kit: Kit) -> Material:
    return _client(kit, kit.pki.client(key=ec.generate_private_key(ec.SECP256R1())))


def _two_keys(kit: Kit) -> Material:
    sign = _bags(kit.pki.client(product=SIGN))
    both = sign.joined(_bags(kit.good, *kit.good.chain[1:], kit.pki.root.certificate))
    return Material(p12=both.platform(PASSPHRASE))


def _no_key(kit: Kit) -> Material:
    bags = Bags.of(None, None, authorities=[*kit.good.chain, kit.pki.root.certificate])
    return Material(p12=bags.platform(PASSPHRASE), chain=kit.good.pem_chain())


def _no_certificate(kit: Kit) -> Material:
    bags = Bags.of(kit.good.key, None)
    return Material(p12=bags.platform(PASSPHRASE), key=kit.good.key_pem(PASSPHRASE))


def _truncated(kit: Kit) -> Material:
    whole = kit.pki.p12(kit.good, PASSPHRASE)
    return Material(p12=whole[: len(whole) * 2 // 3])


def _bags(issued: Issued, *authorities: x509.Certificate) -> Bags:
    return Bags.of(issued.key, issued.certificate, authorities=authorities)


def _expired_server(kit: Kit) -> Material:
    start, end = kit.pki.at - 1096 * _DAY, kit.pki.at - 1 * _DAY
    return _server(kit.pki.server(key=kit.server_key, not_before=start, not_after=end))


def _server(issued: Issued, *, intermediate: bool = True) -> Material:
    chain = issued.chain if intermediate else issued.chain[:1]
    return Material(chain=to_pem(*chain), key=issued.key_pem(), passphrase=None)


# ------------------------------------------------------------------ the table

_OK: Final = Expected("ok", 0)
_NO_P12: Final = Expected("fail", 3, error="Pkcs12Error")

# How OpenSSL 3 refuses a chain: the alert it sends, the words of its verify error.
_UNKNOWN: Final = {"alert": "unknown_ca", "reason": "unable to get local issuer certificate"}
_ENDED: Final = {"alert": "certificate_expired", "reason": "certificate has expired"}
_EARLY: Final = {"alert": "bad_certificate", "reason": "certificate is not yet valid"}
_UNSUITABLE: Final = {"alert": "unsupported_certificate", "reason": "unsuitable certificate purpose"}
_REVOKED: Final = {"alert": "certificate_revoked", "reason": "certificate revoked"}
_OTHER_HOST: Final = {"alert": "bad_certificate", "reason": "hostname mismatch"}
_VOUCHES: Final = {"alert": "unknown_ca", "reason": "self-signed certificate"}


def _found(finding: str, error: str, refusal: dict[str, str]) -> Expected:
    """Our own judgement stops it (exit 3); a peer would refuse it too."""
    return Expected("fail", 3, finding=finding, error=error, **refusal)


def _not_trusted(refusal: dict[str, str]) -> Expected:
    return Expected("fail", 4, error="ServerNotTrustedError", **refusal)


CLIENT_FLAWS: Final = (
    _case(
        "good",
        "Nothing is wrong: an AUTH_CLI certificate for CLIENT_WS_RORN with its intermediate.",
        _OK,
        lambda kit: _client(kit, kit.good),
    ),
    _case(
        "platform-shape",
        "Nothing is wrong: the P12 as the IGC-Santé platform writes it, certificates in clear, the root inside.",
        _OK,
        lambda kit: _client(kit, kit.good, root=True),
    ),
    _case(
        "no-intermediate",
        "The leaf alone: the intermediate that links it to the root is missing, as after an order by CSR.",
        _found("incomplete-chain", "IncompleteChainError", _UNKNOWN),
        lambda kit: _client(kit, kit.good, intermediates=False),
    ),
    _case(
        "root-included",
        "The root stands behind the intermediate: of no use to the server, and no harm.",
        _OK,
        _root_included,
    ),
    _case(
        "wrong-order",
        "The certificates are out of order: root, intermediate, leaf in the P12; leaf, root, intermediate in the PEM.",
        _OK,
        _wrong_order,
    ),
    _case(
        "wrong-intermediate",
        "The intermediate at hand has the right name and another key: it did not sign the leaf.",
        _found("broken-link", "UntrustedChainError", _UNKNOWN),
        _wrong_intermediate,
    ),
    _case(
        "wrong-root",
        "Leaf and intermediate are sound, under a root that nobody here trusts.",
        _found("untrusted-chain", "UntrustedChainError", _UNKNOWN),
        lambda kit: _of_tree(kit, kit.pki.foreign),
    ),
    _case(
        "same-names-other-keys",
        "Every name is the right one, down to the root; the keys are those of another tree.",
        _found("untrusted-chain", "UntrustedChainError", _UNKNOWN),
        lambda kit: _of_tree(kit, kit.pki.twin),
    ),
    _case(
        "expired",
        "The certificate ended yesterday.",
        _found("expired", "ValidityError", _ENDED),
        lambda kit: _dated(kit, -1096 * _DAY, -1 * _DAY),
    ),
    _case(
        "not-yet-valid",
        "The certificate starts in a week.",
        _found("not-yet-valid", "ValidityError", _EARLY),
        lambda kit: _dated(kit, 7 * _DAY, 1096 * _DAY),
    ),
    _case(
        "expires-in-20-days",
        "The certificate still works, for 20 days.",
        Expected("warn", 0, finding="expires-soon"),
        lambda kit: _dated(kit, -1076 * _DAY, 20 * _DAY),
    ),
    _case(
        "wrong-eku",
        "The certificate is for signing programs (codeSigning); TLS clients need clientAuth.",
        _found("no-client-auth", "UsageError", _UNSUITABLE),
        lambda kit: _client(kit, kit.pki.client(key=kit.good.key, usages=[ExtendedKeyUsageOID.CODE_SIGNING])),
    ),
    _case(
        "server-certificate",
        "The certificate authenticates a server (serverAuth alone); somebody took it for the client's.",
        _found("server-certificate", "UsageError", _UNSUITABLE),
        lambda kit: _client(kit, kit.pki.client(key=kit.good.key, product=SERV_SSL, usages=[SERVER_AUTH])),
    ),
    _case(
        "sign-certificate",
        "The product is ORG SIGN: form 413 offers it beside AUTH_CLI, and it only seals documents.",
        _found("sign-certificate", "UsageError", _UNSUITABLE),
        lambda kit: _client(kit, kit.pki.client(key=kit.good.key, product=SIGN)),
    ),
    _case(
        "revoked",
        "The certificate is sound, and stands on the intermediate's CRL (ca/crl.pem).",
        Expected("fail", 4, error="ClientRejectedError", **_REVOKED),
        lambda kit: _client(kit, kit.revoked),
    ),
    _case(
        "ec-key",
        "The key is EC P-256: IGC-Santé was seen to issue RSA 2048 only, yet TLS takes it.",
        _OK,
        _ec_key,
    ),
    _case(
        "legacy-3des",
        "Certificates and key are both under PBE-SHA1-3DES, as older tools write them.",
        _OK,
        lambda kit: _client(kit, kit.good, shape="legacy-3des", root=True),
    ),
    _case(
        "modern",
        "Certificates and key are both under PBES2 with AES-256, as OpenSSL 3 and Java 17 write them.",
        _OK,
        lambda kit: _client(kit, kit.good, shape="modern", root=True),
    ),
    _case(
        "empty-passphrase",
        "The passphrase is the empty string: it opens the P12 and protects nothing; client.key is not encrypted.",
        Expected("warn", 0, finding="unencrypted-key"),
        lambda kit: _client(kit, kit.good, passphrase=""),
    ),
    _case(
        "accented-passphrase",
        "The passphrase has letters beyond ASCII, composed (NFC); passphrase.txt is in UTF-8.",
        _OK,
        lambda kit: _client(kit, kit.good, passphrase=ACCENTED),
    ),
    _case(
        "two-keys",
        "The P12 holds two keys, SIGN then AUTH_CLI: many libraries take the first one without a word.",
        _NO_P12,
        _two_keys,
    ),
    _case("no-key", "The P12 holds certificates and no key.", _NO_P12, _no_key),
    _case("no-certificate", "The P12 holds a key and no certificate.", _NO_P12, _no_certificate),
    _case("truncated", "The last third of the P12 is missing, as after a broken copy.", _NO_P12, _truncated),
    _case(
        "other-service-cn",
        "The CN is CLIENT_WS_ANNUAIRE: sound, and ordered for another service than the national ROR.",
        Expected("warn", 0, finding="other-service"),
        lambda kit: _client(kit, kit.pki.client("CLIENT_WS_ANNUAIRE", key=kit.good.key)),
    ),
)

SERVER_FLAWS: Final = (
    _server_case(
        "good",
        "Nothing is wrong: localhost, 127.0.0.1 and ::1, with the intermediate.",
        _OK,
        lambda kit: _server(kit.pki.server(key=kit.server_key)),
    ),
    _server_case("expired", "The certificate ended yesterday.", _not_trusted(_ENDED), _expired_server),
    _server_case(
        "wrong-host",
        "The certificate is for ror.example, not for localhost.",
        _not_trusted(_OTHER_HOST),
        lambda kit: _server(kit.pki.server("ror.example", key=kit.server_key)),
    ),
    _server_case(
        "cn-only",
        "The name localhost stands in the CN alone; RFC 9525 wants it in the subjectAltName.",
        _not_trusted(_OTHER_HOST),
        lambda kit: _server(kit.pki.server("localhost", alternative_names=False, key=kit.server_key)),
    ),
    _server_case(
        "wrong-root",
        "Leaf and intermediate are sound, under a root that nobody here trusts.",
        _not_trusted(_UNKNOWN),
        lambda kit: _server(kit.pki.foreign.server(key=kit.server_key)),
    ),
    _server_case(
        "wrong-eku",
        "The certificate authenticates clients (clientAuth), not servers.",
        _not_trusted(_UNSUITABLE),
        lambda kit: _server(kit.pki.server(key=kit.server_key, usages=[CLIENT_AUTH])),
    ),
    _server_case(
        "leaf-only",
        "The server forgets to send its intermediate.",
        _not_trusted(_UNKNOWN),
        lambda kit: _server(kit.pki.server(key=kit.server_key), intermediate=False),
    ),
    _server_case(
        "self-signed",
        "The certificate vouches for itself.",
        _not_trusted(_VOUCHES),
        lambda kit: _server(kit.pki.server(key=kit.server_key, self_signed=True)),
    ),
)

FLAWS: Final = CLIENT_FLAWS + SERVER_FLAWS
