"""The likeliest cause is the true one, shown by real handshakes under TLS 1.2 and 1.3, and nothing false is certain."""

from __future__ import annotations

import pickle
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.diagnosis import diagnose
from ror_sante.diagnosis.causes import CAUSES
from ror_sante.environments import Environment
from ror_sante.errors import (
    AccessDeniedError,
    ApiError,
    InvalidRequestError,
    NotFoundError,
    RorError,
    ServerFaultError,
    ServerNotTrustedError,
    TokenError,
    UnexpectedResponseError,
    UnreachableError,
    UsageError,
)
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory
from ror_sante.pki.identity import ClientIdentity
from ror_sante.tls.adapter import Origin
from ror_sante.tls.probe import Via, probe
from tests.support.black_holes import resolve_to, silent_port
from tests.support.tls_servers import OK
from tests.support.waiting import free_port

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def first(pki):
    """Probe a server and diagnose; the cause that comes first, and the probe."""

    def first(origin, identity=None, *, anchor=pki.anchor, environment=None, at=NOW, **how):
        seen = probe(origin, identity, [anchor], **how)
        assert seen.error is not None
        causes = diagnose(seen.error, identity=identity, anchor=anchor, environment=environment, at=at)
        return causes[0], seen

    return first


def as_identity(issued, *, alone: bool = False) -> ClientIdentity:
    chain = issued.certificate.public_bytes(Encoding.PEM) if alone else issued.pem_chain()
    return ClientIdentity.from_pem(chain, issued.key_pem())


CLIENTS = {
    "intermediate-not-sent": lambda pki: as_identity(pki.client(), alone=True),
    "client-expired": lambda pki: as_identity(pki.client(not_before=NOW - 30 * DAY, not_after=NOW - 2 * DAY)),
    "client-not-yet-valid": lambda pki: as_identity(pki.client(not_before=NOW + 2 * DAY, not_after=NOW + 9 * DAY)),
    "client-usage": lambda pki: as_identity(pki.client(usages=(x509.ExtendedKeyUsageOID.SERVER_AUTH,))),
    "client-other-authority": lambda pki: as_identity(pki.foreign.client()),
    "client-none-sent": lambda _: None,
}


@pytest.mark.parametrize("code", CLIENTS)
def test_a_refusal_of_our_certificate_is_told_by_its_cause(first, serve, pki, version, code) -> None:
    """What is wrong with what we present comes first, whatever the alert is."""
    cause, seen = first(serve(version=version).origin, CLIENTS[code](pki))

    assert cause.code == code
    assert seen.error.receipt is seen.receipt


def test_a_revoked_certificate_is_told_by_the_alert(first, serve, pki, version) -> None:
    """The server alone knows, and its alert says so."""
    issued = pki.client()
    cause, _ = first(serve(version=version, crl=pki.crl(revoked=[issued])).origin, pki.identity(issued))

    assert (cause.code, cause.confidence) == ("client-revoked", "high")


SERVERS = {
    "server-expired": lambda pki: pki.server(not_before=NOW - 30 * DAY, not_after=NOW - 2 * DAY),
    "server-not-yet-valid": lambda pki: pki.server(not_before=NOW + 2 * DAY, not_after=NOW + 9 * DAY),
    "server-name": lambda pki: pki.server("elsewhere.test"),
    "server-cn-only": lambda pki: pki.server("localhost", alternative_names=False),
    "server-usage": lambda pki: pki.server(usages=(x509.ExtendedKeyUsageOID.CLIENT_AUTH,)),
    "server-self-signed": lambda pki: pki.server(self_signed=True),
    "server-other-authority": lambda pki: pki.foreign.server(),
    "server-imitation": lambda pki: pki.twin.server(),
}


@pytest.mark.parametrize("code", SERVERS)
def test_a_server_that_is_not_trusted_is_told_by_its_certificate(first, serve, pki, version, code) -> None:
    """Each flaw of a server's certificate has a cause of its own; a guess is not certain."""
    cause, _ = first(serve(SERVERS[code](pki), version=version).origin, pki.identity())

    assert cause.code == code
    assert (cause.confidence == "high") == (code != "server-other-authority")


def test_a_server_without_its_intermediate_is_not_one_of_another_authority(first, serve, pki, version) -> None:
    """The intermediate of our own chain proves who issued the server's leaf."""
    cause, _ = first(serve(chain=False, version=version).origin, pki.identity())

    assert (cause.code, cause.confidence) == ("server-intermediate-not-sent", "high")


def test_another_authority_is_named_and_no_wider_trust_is_advised(first, serve, pki) -> None:
    """The issuer is in the evidence, and ANS is asked before any anchor is set, in both languages."""
    cause, seen = first(serve(pki.foreign.server()).origin, pki.identity())
    french = diagnose(seen.error, identity=pki.identity(), anchor=pki.anchor, at=NOW, lang="fr")[0]

    assert "ETRANGER" in cause.evidence
    for step in (cause.next_step, french.next_step):
        assert "monserviceclient.ror@esante.gouv.fr" in step
        assert step.index("monserviceclient") < step.index("api_anchors")


def test_no_text_of_the_table_advises_a_wider_trust() -> None:
    """Trust is named, never widened."""
    for words in CAUSES.values():
        assert all(words)
        assert "widen" not in " ".join(words).lower()


def test_our_certificate_as_wrong_as_the_servers_means_the_clock(first, serve, pki) -> None:
    """When neither certificate is valid yet, the clock is likelier than two mistakes; alone, the server's is meant."""
    server = serve(SERVERS["server-not-yet-valid"](pki)).origin

    assert first(server, CLIENTS["client-not-yet-valid"](pki))[0].code == "clock"
    assert first(server, pki.identity())[0].code == "server-not-yet-valid"


def test_a_test_certificate_in_production_is_named_as_such(first, serve, pki) -> None:
    """The tree says more than the chain that does not lead to the root."""
    from ror_sante.simulator.pki import SimulatorPki

    identity = as_identity(SimulatorPki.create(test=True).client())
    production = Environment(name="p", token_url="https://localhost", api_url="https://localhost", test=False)
    cause, _ = first(serve().origin, identity, environment=production)

    assert (cause.code, cause.confidence) == ("test-in-production", "high")


# ------------------------------------------------------------------ the way


def test_no_version_or_suite_in_common(first, server_context, pki, listening) -> None:
    """Both are seen before the server shows a certificate."""
    context = server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")

    def speak(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True)

    cause, _ = first(Origin("localhost", listening(speak)), pki.identity())
    assert cause.code == "tls-cipher"


def test_a_server_whose_key_is_too_weak(first, listening, pki, tmp_path) -> None:
    """RSA of 1024 bits, by a server whose own policy lets it pass."""
    issued = pki.server(key=rsa.generate_private_key(65537, 1024))
    (tmp_path / "weak.pem").write_bytes(issued.pem_chain() + issued.key_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(tmp_path / "weak.pem")

    cause, seen = first(Origin("localhost", listening(lambda one: context.wrap_socket(one, server_side=True))))
    assert (cause.code, cause.confidence) == ("tls-weak", "high")
    assert "the key of its certificate is too small" in str(seen.error)


def test_a_port_that_speaks_plain_http(first, listening) -> None:
    """What answers is no TLS."""
    port = listening(lambda connection: (connection.recv(4096), connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")))

    assert first(Origin("localhost", port))[0].code == "not-tls"


@pytest.mark.parametrize("good", [0, 1])
def test_a_connection_that_breaks_after_an_answer_is_not_laid_to_our_certificate(serve, pki, good) -> None:
    """What was let in is known; before the first answer, a server that says nothing may mean our certificate."""
    answers = [OK] * good

    def answer(_request: bytes) -> bytes:
        if not answers:
            raise ConnectionError("the server hangs up")
        return answers.pop()

    server = serve(answer=answer)
    with SessionFactory(pki.identity(), pki.anchor, retry=RetryPolicy.none()).session(server.url) as session:
        for _ in range(good):
            session.get(server.url)
        with pytest.raises(UnreachableError) as broken:
            session.post(server.url)

    assert broken.value.receipt.failed == "read"
    causes = diagnose(broken.value, identity=pki.identity(), anchor=pki.anchor, at=NOW)
    assert [cause.code for cause in causes] == (["unknown"] if good else ["client-not-registered", "handshake-cut"])
    assert {cause.confidence for cause in causes} == {"low"}


@pytest.mark.parametrize("cut", ["end", "reset"])
def test_a_connection_cut_in_the_handshake(first, listening, cut) -> None:
    """A firewall that reads the first message and hangs up, politely or not."""
    import struct

    def speak(connection: socket.socket) -> None:
        connection.recv(4096)
        if cut == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert first(Origin("localhost", listening(speak)))[0].code == "handshake-cut"


def test_silence_in_the_handshake(first, listening) -> None:
    """The port is open and says nothing; it is told within the limit."""
    port = listening(lambda connection: connection.recv(65536) and connection.recv(1))

    assert first(Origin("localhost", port), timeout=0.3)[0].code == "handshake-silent"


def test_a_full_backlog_is_a_dropped_connection(first) -> None:
    """A listener that accepts nobody drops packets as a firewall does."""
    with silent_port("127.0.0.1") as (_, port):
        assert first(Origin("127.0.0.1", port), timeout=0.3)[0].code == "dropped"


def test_an_ipv6_address_in_a_black_hole_is_told_from_a_firewall(first, monkeypatch) -> None:
    """The resolver is patched: IPv6 alone is silent; IPv4 is silent too; IPv4 has another fault, which is told."""
    with silent_port("::1") as (six, _), silent_port("127.0.0.1") as (four, port):
        for addresses, code in (
            ([six], "ipv6-black-hole"),
            ([six, four], "dropped"),
            ([six, ("127.0.0.1", free_port())], "refused"),
        ):
            resolve_to(monkeypatch, *addresses)
            cause, seen = first(Origin("host.test", port), timeout=0.2)
            assert cause.code == code
            assert cause.confidence == ("high" if code == "refused" else "medium")
            assert seen.receipt.tried[0].outcome == "timeout"


def test_names_ports_and_proxies(first, proxy, serve) -> None:
    """A name that nobody knows (the resolver is patched for .invalid), a closed port, a proxy that refuses."""
    closed = free_port()
    password, other = (proxy(status) for status in ("407 Proxy Authentication Required", "403 Forbidden"))
    origin = serve().origin

    assert first(Origin("no-such-host.invalid"))[0].code == "dns"
    assert first(Origin("127.0.0.1", closed))[0].code == "refused"
    assert first(origin, via=Via("127.0.0.1", password))[0].code == "proxy-password"
    assert first(origin, via=Via("127.0.0.1", other))[0].code == "proxy-refuses"


# ------------------------------------------------------------------ answers, and what is not known


def told(fault: str, error: ApiError | TokenError) -> ApiError | TokenError:
    """Give an error as the reader of its answer does."""
    error.fault = fault
    return error


ANSWERS = {
    "subject-unknown": TokenError("h refuses client 'x'", error="invalid_client"),
    "token-refused": TokenError("h refuses client 'x'", error="unauthorized_client"),
    "api-401": AccessDeniedError("GET answered 401", status=401),
    "api-403": AccessDeniedError("GET answered 403", status=403),
    "ror-headers": InvalidRequestError("GET answered 400: Ror-Profil manque", status=400),
    "page-instead": told("page-instead", ServerFaultError("GET answered 503", status=503)),
    "answer-broken": told("answer-broken", UnexpectedResponseError("odd", status=200)),
    "openssl-policy": UsageError("OpenSSL refuses our key or certificate: EE_KEY_TOO_SMALL"),
    "service-fault": TokenError("h answered 503", status=503),
    "unknown": UnexpectedResponseError("odd", status=299),
    "api-key": told("api-key", AccessDeniedError("refuses our API key: GET answered 401", status=401)),
    "extraction-name": told("extraction-name", NotFoundError("GET answered 404: an HTML page", status=404)),
    "extraction-right": told("extraction-right", AccessDeniedError("GET answered 403: an HTML page", status=403)),
    "extraction-certificate": told("extraction-certificate", AccessDeniedError("GET answered 403", status=403)),
}


@pytest.mark.parametrize("code", ANSWERS)
def test_an_answer_is_told_by_its_cause(code) -> None:
    """The status and the words of the service decide; what they do not tell is unknown."""
    assert diagnose(ANSWERS[code])[0].code == code


@pytest.mark.parametrize("error", [RorError("odd"), ValueError("odd"), UnreachableError("odd")])
def test_what_is_not_known_is_not_guessed(error) -> None:
    """One cause, unknown, with low confidence."""
    (only,) = diagnose(error)

    assert (only.code, only.confidence) == ("unknown", "low")


def test_without_a_receipt_nothing_about_the_server_is_certain() -> None:
    """The code of OpenSSL alone does not tell another authority from a missing intermediate."""
    causes = diagnose(ServerNotTrustedError("not trusted"))

    assert {cause.confidence for cause in causes} == {"low"}


def test_a_receipt_travels_with_its_error(first, serve, pki) -> None:
    """Errors cross processes; the receipt names what was sent and received."""
    _, seen = first(serve().origin, CLIENTS["intermediate-not-sent"](pki))
    again = pickle.loads(pickle.dumps(seen.error))

    assert again.receipt == seen.receipt
    assert again.receipt.sent_names == ("CLIENT_WS_RORN",)
    assert again.receipt.received_names[0] == "localhost"
