"""What the sealed context pushes, trusts and refuses, in real handshakes."""

from __future__ import annotations

import _ssl
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.errors import ClientRejectedError, ConfigurationError, ServerNotTrustedError, UsageError
from ror_sante.pki.identity import ClientIdentity
from ror_sante.tls.adapter import PinnedAdapter
from ror_sante.tls.context import build_context

DAY = timedelta(days=1)


@pytest.fixture
def ask(pki):
    """Ask a server once, through the adapter alone, which judges no identity."""

    def ask(server, identity=..., anchors=..., method="GET", data=None, **how):
        identity = pki.identity() if identity is ... else identity
        context = build_context(identity, pki.anchor if anchors is ... else anchors, **how)
        adapter = PinnedAdapter(context, [server.origin])
        try:
            request = requests.Request(method, server.url, data=data).prepare()
            return adapter.send(request, timeout=5)
        finally:
            adapter.close()

    return ask


def bare(issued) -> ClientIdentity:
    """An identity that pushes its leaf alone: no intermediate in the file, none in the package."""
    return ClientIdentity.from_pem(issued.certificate.public_bytes(Encoding.PEM), issued.key_pem())


# ------------------------------------------------------------------ what we push


def test_leaf_and_intermediate_are_pushed_in_order_and_the_root_is_not(ask, serve, pki, version) -> None:
    """A server that knows the root alone receives [leaf, intermediate] and accepts."""
    server = serve(version=version)

    assert ask(server).status_code == 200
    assert ["CLIENT_WS_RORN", _cn(pki.intermediate.certificate)] == server.visits[0].chain


def test_without_its_intermediate_a_leaf_is_refused(ask, serve, pki, version) -> None:
    """The same leaf alone meets unknown_ca: nothing on our side fills the gap from the trust store."""
    server = serve(version=version)
    with pytest.raises(ClientRejectedError) as caught:
        ask(server, identity=bare(pki.client()))

    assert caught.value.alert == "unknown_ca"
    assert "identity show" in caught.value.hint


@pytest.mark.parametrize(
    ("flaw", "alert"),
    [
        ({"not_before": -30, "not_after": -1}, "certificate_expired"),
        ({"not_before": 1, "not_after": 30}, "bad_certificate"),
        ({"usages": [x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]}, "unsupported_certificate"),
    ],
    ids=["expired", "not-yet-valid", "wrong-eku"],
)
def test_a_bad_certificate_meets_its_alert(ask, serve, pki, version, flaw, alert) -> None:
    """Each flaw of our certificate comes back as the alert that names it, on both TLS versions."""
    now = datetime.now(UTC)
    dates = {key: now + value * DAY for key, value in flaw.items() if key != "usages"}
    usages = {"usages": tuple(flaw["usages"])} if "usages" in flaw else {}
    with pytest.raises(ClientRejectedError) as caught:
        ask(serve(version=version), identity=pki.identity(pki.client(**dates, **usages)))

    assert alert == caught.value.alert


def test_a_revoked_certificate_meets_its_alert(ask, serve, pki, version) -> None:
    """A server with a CRL says certificate_revoked; without that entry it accepts."""
    revoked, other = pki.client(), pki.client()
    server = serve(version=version, crl=pki.crl([revoked.certificate]))
    with pytest.raises(ClientRejectedError) as caught:
        ask(server, identity=pki.identity(revoked))

    assert caught.value.alert == "certificate_revoked"
    assert ask(server, identity=pki.identity(other)).status_code == 200


@pytest.mark.parametrize(
    ("version", "alert"),
    [(ssl.TLSVersion.TLSv1_2, "handshake_failure"), (ssl.TLSVersion.TLSv1_3, "certificate_required")],
    indirect=["version"],
)
def test_no_certificate_meets_its_alert(ask, serve, version, alert) -> None:
    """A server that requires a certificate says so in each version's own words."""
    with pytest.raises(ClientRejectedError) as caught:
        ask(serve(version=version), identity=None)

    assert alert == caught.value.alert


def test_a_late_refusal_is_read_even_while_we_write(ask, serve, pki) -> None:
    """TLS 1.3: the alert is shown although the POST was still being written when the server closed."""
    server = serve(version=ssl.TLSVersion.TLSv1_3)
    for size in (1_000, 300_000) * 5:
        with pytest.raises(ClientRejectedError) as caught:
            ask(server, identity=bare(pki.client()), method="POST", data=b"x" * size)
        assert caught.value.alert == "unknown_ca"


def test_the_certificate_can_be_asked_for_after_the_handshake(pki) -> None:
    """Post-handshake authentication is offered: a server may ask on one path only."""
    assert build_context(pki.identity(), pki.anchor).post_handshake_auth


# ------------------------------------------------------------------ whom we trust


@pytest.mark.parametrize(
    ("flaw", "says"),
    [
        ({"names": ["elsewhere.test"]}, "does not name this host"),
        ({"not_before": -30, "not_after": -1}, "has expired"),
        ({"not_before": 1, "not_after": 30}, "not yet valid"),
        ({"usages": [x509.ExtendedKeyUsageOID.CLIENT_AUTH]}, "was not made for a server"),
    ],
    ids=["wrong-host", "expired", "not-yet-valid", "wrong-eku"],
)
def test_a_bad_server_certificate_is_refused_in_plain_words(ask, serve, pki, version, flaw, says) -> None:
    """Each flaw of the server's certificate is named, and no request is sent."""
    now = datetime.now(UTC)
    dates = {key: now + value * DAY for key, value in flaw.items() if key.startswith("not_")}
    usages = {"usages": tuple(flaw["usages"])} if "usages" in flaw else {}
    server = serve(pki.server(*flaw.get("names", ()), **dates, **usages), version=version)
    with pytest.raises(ServerNotTrustedError, match=says):
        ask(server)

    assert server.received() == []


def test_a_server_of_the_same_names_but_other_keys_is_refused(ask, serve, foreign, version) -> None:
    """Names prove nothing: the signature does."""
    server = serve(foreign.server(), version=version, required=False)
    with pytest.raises(ServerNotTrustedError):
        ask(server)


def test_a_server_that_forgets_its_intermediate_is_refused(ask, serve, version) -> None:
    """The intermediate that we push is not used to build the server's chain."""
    with pytest.raises(ServerNotTrustedError, match="did not send its intermediate"):
        ask(serve(chain=False, version=version))


def test_an_intermediate_can_be_lent_and_the_chain_still_ends_at_the_root(ask, serve, pki, version) -> None:
    """The same server is accepted when the intermediate is lent."""
    server = serve(chain=False, version=version)

    assert ask(server, lend=[pki.intermediate.certificate]).status_code == 200


def test_a_lent_intermediate_is_no_anchor(ask, serve, pki, foreign) -> None:
    """A foreign server stays refused although its own intermediate stands in the store."""
    server = serve(foreign.server(), required=False)
    with pytest.raises(ServerNotTrustedError):
        ask(server, lend=[foreign.intermediate.certificate])


def test_no_anchor_is_refused(pki) -> None:
    """An empty trust store would refuse every server; it is refused first."""
    with pytest.raises(ConfigurationError, match="no trust anchor"):
        build_context(pki.identity(), [])


def test_what_reaches_beneath_the_seal_is_noticed_before_the_first_byte(serve, pki, foreign) -> None:
    """A root added through the C-level class closes the next connection, the good server's included."""
    context = build_context(pki.identity(), pki.anchor)
    _ssl._SSLContext.load_verify_locations(context, cadata=foreign.anchor.der)
    for server, says in (
        (serve(foreign.server(), required=False), "does not end at a pinned root"),
        (serve(), "have changed"),
    ):
        with pytest.raises(ServerNotTrustedError, match=says):
            _get(context, server)
        assert server.received() == []


@pytest.mark.parametrize(
    "loosen",
    [
        lambda context: _ssl._SSLContext.check_hostname.__set__(context, False),
        lambda context: _ssl._SSLContext.load_verify_locations(context, cadata=_leaf_der(context)),
    ],
    ids=["host-name", "leaf-in-the-store"],
)
def test_checks_that_were_loosened_beneath_the_seal_are_noticed(serve, pki, loosen) -> None:
    """The context's own checks are compared at each handshake, not only its roots."""
    context = build_context(pki.identity(), pki.anchor)
    _LEAVES[id(context)] = pki.client().certificate
    loosen(context)
    with pytest.raises(ServerNotTrustedError, match="have changed"):
        _get(context, serve())


_LEAVES: dict[int, x509.Certificate] = {}


def _leaf_der(context) -> bytes:
    return _LEAVES[id(context)].public_bytes(Encoding.DER)


def _get(context, server):
    adapter = PinnedAdapter(context, [server.origin])
    try:
        return adapter.send(requests.Request("GET", server.url).prepare())
    finally:
        adapter.close()


def _cn(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


# ------------------------------------------------------------------ policies


def test_every_policy_is_set_by_hand(pki) -> None:
    """Flags, versions and level are the documented ones on every Python version."""
    context = build_context(pki.identity(), pki.anchor)

    assert not context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname, context.security_level) == (ssl.CERT_REQUIRED, True, 2)
    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    assert context._host_flags & _ssl.HOSTFLAG_NEVER_CHECK_SUBJECT
    assert not context.options & 0x40004
    assert context.keylog_filename is None


def test_a_certificate_that_names_its_host_in_the_cn_alone_is_refused(ask, serve, pki) -> None:
    """RFC 6125: the CN is no host name; the standard library would fall back to it."""
    with pytest.raises(ServerNotTrustedError, match="does not name this host"):
        ask(serve(pki.server(alternative_names=False)))


def test_only_modern_suites_are_offered_for_tls12(pki) -> None:
    """ECDHE with AEAD, nothing else; the wider list is asked for by name."""
    narrow, wide = (build_context(None, pki.anchor, wide_tls12=wider) for wider in (False, True))
    old = {c["name"] for c in narrow.get_ciphers() if c["protocol"] != "TLSv1.3"}

    assert old
    assert all(name.startswith("ECDHE-") and ("GCM" in name or "CHACHA20" in name) for name in old)
    assert "AES128-GCM-SHA256" in {c["name"] for c in wide.get_ciphers()}


def test_a_server_of_old_suites_needs_the_wider_list(ask, serve, server_context) -> None:
    """AES128-GCM-SHA256, which has no forward secrecy, is refused by default and accepted on demand."""
    server = serve(version=ssl.TLSVersion.TLSv1_2)
    server.context.set_ciphers("AES128-GCM-SHA256")
    with pytest.raises(ClientRejectedError) as caught:
        ask(server)

    assert caught.value.alert == "handshake_failure"
    assert ask(server, wide_tls12=True).status_code == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_a_server_of_tls11_is_refused(ask, serve) -> None:
    """Below TLS 1.2 there is no connection."""
    server = serve()
    server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    server.context.minimum_version = ssl.TLSVersion.TLSv1
    server.context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ClientRejectedError) as caught:
        ask(server)

    assert caught.value.alert == "protocol_version"


def test_a_key_that_openssl_refuses_is_named(pki) -> None:
    """A 1024-bit key fails OpenSSL's security level when it is loaded, with a hint."""
    weak = pki.client(key=rsa.generate_private_key(public_exponent=65537, key_size=1024))
    with pytest.raises(UsageError, match="OpenSSL refuses our key") as caught:
        build_context(pki.identity(weak), pki.anchor)

    assert "2048" in caught.value.hint


def test_a_host_name_is_required(pki) -> None:
    """Without a host name there would be nothing to compare the certificate with."""
    context = build_context(None, pki.anchor)
    with socket.socket() as plain, pytest.raises(ValueError, match="server_hostname"):
        context.wrap_socket(plain)
