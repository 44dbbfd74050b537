"""The thirty ways in which a pinned session is known to become wider than it looks; none works here."""

from __future__ import annotations

import os
import pickle
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests
from requests.adapters import HTTPAdapter

from ror_sante.errors import ConfigurationError, ServerNotTrustedError, UnexpectedResponseError
from ror_sante.http.proxy import Proxy
from ror_sante.http.session import RorSession, SessionFactory
from ror_sante.pki.identity import ClientIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki
    from tests.support.tls_servers import ConnectProxy, TlsServer

Serve = "Callable[..., TlsServer]"


@pytest.fixture
def factory(pki: SimulatorPki) -> SessionFactory:
    """A factory with the good identity and the one root."""
    return SessionFactory(pki.identity(), pki.anchor)


@pytest.fixture
def connect(factory: SessionFactory) -> Iterator[Callable[..., RorSession]]:
    """Open sessions of the factory and close them afterwards."""
    opened: list[RorSession] = []

    def make(*servers: TlsServer) -> RorSession:
        opened.append(factory.session(*(server.url for server in servers)))
        return opened[-1]

    yield make
    for session in opened:
        session.close()


@pytest.fixture
def foreign_bundle(foreign: SimulatorPki, tmp_path: Path) -> str:
    """A PEM file with another root, as an environment variable or an argument would name it."""
    path = tmp_path / "other.pem"
    path.write_bytes(ssl.DER_cert_to_PEM_cert(foreign.anchor.der).encode())
    return str(path)


@pytest.fixture
def foreign_server(serve: Callable[..., TlsServer], foreign: SimulatorPki) -> TlsServer:
    """A server of the other root, which would take any client certificate."""
    return serve(foreign.server(), required=False)


def location(url: str) -> Callable[[bytes], bytes]:
    """Answer with a redirect."""
    return lambda _: f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()


# ------------------------------------------------------------------ arguments and variables


def test_t01_the_store_holds_the_one_root_after_any_number_of_requests(factory, connect, serve, pki) -> None:
    """Requests loads certifi into the context of a plain adapter; ours holds its root before and after."""
    server = serve()
    session = connect(server)
    for _ in range(3):
        assert session.get(server.url, verify=True).text == "ok"

    assert frozenset({pki.anchor.der}) == factory.context.current_store()
    assert factory.context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 1}


@pytest.mark.parametrize(
    "variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"], ids=["t02", "t03", "t03b"]
)
def test_t02_t03_a_bundle_named_by_the_environment_is_ignored(
    connect, serve, foreign_server, foreign_bundle, monkeypatch, variable
) -> None:
    """Neither requests' nor OpenSSL's bundle variable widens the trust."""
    monkeypatch.setenv(variable, foreign_bundle)
    good = serve()
    session = connect(good, foreign_server)

    assert session.get(good.url).status_code == 200
    with pytest.raises(ServerNotTrustedError):
        session.get(foreign_server.url)


def test_t04_verify_with_a_path_is_refused_and_leaves_no_trace(connect, foreign_server, foreign_bundle) -> None:
    """verify=path raises, and later calls do not trust that file either."""
    session = connect(foreign_server)
    with pytest.raises(ConfigurationError, match="verify= and cert= are fixed"):
        session.get(foreign_server.url, verify=foreign_bundle)

    with pytest.raises(ServerNotTrustedError):
        session.get(foreign_server.url)


def test_t05_verify_false_is_refused(connect, serve, pki) -> None:
    """verify=False raises, and a server of another name stays refused."""
    server = serve(pki.server("elsewhere.test"))
    session = connect(server)
    with pytest.raises(ConfigurationError, match="verify= and cert= are fixed"):
        session.get(server.url, verify=False)

    with pytest.raises(ServerNotTrustedError, match="does not name this host"):
        session.get(server.url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("check_hostname", False),
        ("verify_mode", ssl.CERT_NONE),
        ("verify_flags", ssl.VERIFY_X509_PARTIAL_CHAIN),
        ("options", 0),
        ("minimum_version", ssl.TLSVersion.TLSv1),
        ("maximum_version", ssl.TLSVersion.TLSv1_2),
        ("post_handshake_auth", False),
        ("keylog_filename", os.devnull),
        ("_host_flags", 0),
        ("hostname_checks_common_name", True),
        ("sslsocket_class", ssl.SSLSocket),
        ("_sealed", False),
        ("_pins", frozenset()),
        ("check_pin", print),
        ("_msg_callback", print),
    ],
)
def test_t06_no_attribute_of_a_sealed_context_changes(factory, name, value) -> None:
    """Every setter of the context is sealed, its own seal included."""
    with pytest.raises(ConfigurationError, match="sealed"):
        setattr(factory.context, name, value)


def test_t06_no_attribute_of_a_sealed_context_can_be_removed(factory) -> None:
    """Deleting the instance's seal would bring the class's open one back."""
    with pytest.raises(ConfigurationError, match="sealed"):
        del factory.context._sealed


@pytest.mark.parametrize(
    "change",
    [
        lambda context, der: context.load_verify_locations(cadata=der),
        lambda context, der: context.load_default_certs(),
        lambda context, der: context.set_default_verify_paths(),
        lambda context, der: context.load_cert_chain("x.pem"),
        lambda context, der: context.set_ciphers("ALL:@SECLEVEL=0"),
        lambda context, der: context.set_alpn_protocols(["h2"]),
    ],
    ids=["verify-locations", "default-certs", "default-paths", "cert-chain", "ciphers", "alpn"],
)
def test_t06_no_method_widens_a_sealed_context(factory, foreign, change) -> None:
    """Every loading method of the context is sealed."""
    with pytest.raises(ConfigurationError, match="sealed"):
        change(factory.context, foreign.anchor.der)


def test_t04_t07_no_argument_of_a_call_reaches_the_pool(connect, serve, foreign_bundle) -> None:
    """Requests names a pool by its TLS arguments; ours is named by the checked origin alone."""
    server = serve()
    adapter = connect(server)._pinned
    prepared = requests.Request("GET", server.url).prepare()
    host, tls = adapter.build_connection_pool_key_attributes(prepared, foreign_bundle, (foreign_bundle, foreign_bundle))

    assert {"scheme": "https", "host": "localhost", "port": server.port} == host
    assert tls == {"cert_reqs": "CERT_REQUIRED"}


def test_t07_cert_of_a_call_is_refused_and_the_identity_stays(connect, serve, foreign_bundle) -> None:
    """cert= raises; the next call presents our identity as before."""
    server = serve()
    session = connect(server)
    with pytest.raises(ConfigurationError, match="verify= and cert= are fixed"):
        session.get(server.url, cert=foreign_bundle)

    session.get(server.url)
    assert server.visits[-1].chain[0] == "CLIENT_WS_RORN"


# ------------------------------------------------------------------ proxies


@pytest.mark.parametrize("bundle", [False, True], ids=["t08", "t09"])
def test_t08_t09_a_proxy_of_the_environment_is_ignored(
    connect, serve, proxy, foreign_bundle, monkeypatch, bundle
) -> None:
    """HTTPS_PROXY is not obeyed, with or without a bundle variable beside it."""
    relay: ConnectProxy = proxy()
    monkeypatch.setenv("HTTPS_PROXY", relay.url)
    if bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", foreign_bundle)
    server = serve()

    assert connect(server).get(server.url).status_code == 200
    assert relay.heads == []


def test_t19_a_named_proxy_carries_mutual_tls_end_to_end(serve, proxy, pki) -> None:
    """Through CONNECT the server still receives leaf and intermediate, and the store stays at one root."""
    relay, server = proxy(), serve()
    factory = SessionFactory(pki.identity(), pki.anchor, proxy=Proxy(relay.url, user="me", password="s3cret"))
    with factory.session(server.url) as session:
        assert session.get(server.url).text == "ok"

    assert len(server.visits[0].chain) == 2
    assert f"CONNECT localhost:{server.port} HTTP/1." in relay.heads[0]
    assert "Proxy-Authorization: Basic bWU6czNjcmV0" in relay.heads[0]
    assert frozenset({pki.anchor.der}) == factory.context.current_store()


def test_t19_a_proxy_of_a_single_call_has_the_same_trust(connect, proxy, foreign_server) -> None:
    """proxies= of a call goes through the sealed context: a foreign server behind it is refused."""
    relay = proxy()
    session = connect(foreign_server)
    with pytest.raises(ServerNotTrustedError):
        session.get(foreign_server.url, proxies={"https": relay.url})

    assert relay.heads
    assert all(not visit.requests for visit in foreign_server.visits)


@pytest.mark.parametrize("url", ["https://127.0.0.1:3128", "socks5://127.0.0.1:1080"])
def test_t19_a_proxy_that_would_leave_the_sealed_context_is_refused(connect, serve, url) -> None:
    """TLS to the proxy itself, or SOCKS, is no road of ours."""
    server = serve()
    with pytest.raises(ConfigurationError, match="only an http:// proxy"):
        connect(server).get(server.url, proxies={"https": url})


# ------------------------------------------------------------------ addresses


def test_t10_a_redirect_to_another_origin_is_not_followed(connect, serve) -> None:
    """The other server, though allowed to this process, gets no connection."""
    other = serve()
    server = serve(answer=location(other.url))
    with pytest.raises(UnexpectedResponseError, match="redirects to another origin") as caught:
        connect(server, other).get(server.url)

    assert other.visits == []
    assert caught.value.fault == "page-instead"


def test_t10_a_redirect_on_the_same_origin_is_followed(connect, serve) -> None:
    """A redirect within the origin works as in any requests session."""
    answers = iter([location("/there")(b""), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    server = serve(answer=lambda _: next(answers))
    response = connect(server).get(f"{server.url}/here")

    assert ("ok", f"{server.url}/there") == (response.text, response.url)


def test_t11_a_redirect_down_to_http_is_not_followed(connect, serve, plain_server) -> None:
    """No header of ours reaches a server in clear."""
    plain = plain_server()
    server = serve(answer=location(f"http://localhost:{plain.port}/"))
    with pytest.raises(UnexpectedResponseError, match="redirects to another origin"):
        connect(server).get(server.url, headers={"ESANTE-API-KEY": "canary", "Authorization": "Bearer canary"})

    assert plain.visits == []


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost.evil.example/",
        "https://localhost:1/",
        "https://127.0.0.1/",
        "https://example.test@localhost/",
    ],
    ids=["t12-suffix", "other-port", "t16-other-host", "userinfo"],
)
def test_t12_t16_only_the_exact_origin_is_spoken_to(connect, serve, url) -> None:
    """Host and port are compared whole: no prefix, no neighbour, no user name."""
    with pytest.raises(ConfigurationError):
        connect(serve()).get(url)


def test_t16_http_is_refused_even_on_the_same_host(connect, serve, plain_server) -> None:
    """There is no adapter for http:// to fall back on."""
    plain = plain_server()
    with pytest.raises(ConfigurationError, match="not an https address"):
        connect(serve()).get(f"http://localhost:{plain.port}/")

    assert plain.visits == []


def test_t18_case_of_scheme_and_host_does_not_matter(connect, serve) -> None:
    """A control: the same origin in other letters is the same origin."""
    server = serve()

    assert connect(server).get(f"HTTPS://LOCALHOST:{server.port}/").status_code == 200


def test_t13_netrc_adds_no_authorization(connect, serve, tmp_path, monkeypatch) -> None:
    """A .netrc of the machine does not add a header."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login u password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve()
    connect(server).get(server.url)

    assert b"authorization" not in server.received()[0].lower()


# ------------------------------------------------------------------ what leaves the process


@pytest.mark.parametrize("part", [lambda s: s, lambda s: s.get_adapter("https://x"), lambda s: s._pinned])
def test_t14_nothing_of_a_session_can_be_pickled(connect, serve, part) -> None:
    """Neither session nor adapter travels to another process."""
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(part(connect(serve())))


def test_t14_the_context_cannot_be_pickled(factory) -> None:
    """The context, which holds the key, does not travel either."""
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(factory.context)


def test_t15_no_session_key_is_logged(serve, pki, tmp_path, monkeypatch) -> None:
    """SSLKEYLOGFILE, which Python's default context obeys, writes nothing."""
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    server = serve()
    with SessionFactory(pki.identity(), pki.anchor).session(server.url) as session:
        session.get(server.url)

    assert not log.exists()


def test_t17_threads_share_the_pool_and_open_no_connection_beyond_it(factory, serve) -> None:
    """32 threads and 320 requests stay within 32 connections."""
    server = serve()
    with factory.session(server.url) as session, ThreadPoolExecutor(32) as pool:
        codes = list(pool.map(lambda _: session.get(server.url).status_code, range(320)))

    assert codes == [200] * 320
    assert len(server.visits) <= 32


def test_t20_a_server_of_another_root_does_not_see_our_certificate(connect, foreign_server) -> None:
    """We end the handshake before our certificate is sent."""
    with pytest.raises(ServerNotTrustedError, match="does not lead to a pinned root"):
        connect(foreign_server).get(foreign_server.url)

    assert all(not visit.chain for visit in foreign_server.visits)


@pytest.mark.parametrize("name", ["verify", "cert", "trust_env", "adapters"])
def test_t21_t22_trust_and_certificate_of_a_session_are_fixed(connect, serve, foreign_bundle, name) -> None:
    """session.verify, .cert, .trust_env and .adapters cannot be set to anything else."""
    session = connect(serve())
    with pytest.raises(ConfigurationError, match="fixed"):
        setattr(session, name, {} if name == "adapters" else foreign_bundle)


def test_t22_an_encrypted_key_never_asks_on_a_terminal(pki, serve, tmp_path) -> None:
    """An encrypted key is opened with the passphrase given, and works where session.cert cannot."""
    issued = pki.client()
    (tmp_path / "client.pem").write_bytes(issued.pem_chain())
    (tmp_path / "client.key").write_bytes(issued.key_pem("s3cret"))
    identity = ClientIdentity.from_pem(tmp_path / "client.pem", tmp_path / "client.key", "s3cret")
    server = serve()
    with SessionFactory(identity, pki.anchor).session(server.url) as session:
        assert session.get(server.url).status_code == 200


# ------------------------------------------------------------------ replaced machinery


def test_t27_a_later_mount_is_refused(connect, serve) -> None:
    """Another adapter would bring its own trust."""
    with pytest.raises(ConfigurationError, match="mount"):
        connect(serve()).mount("https://", HTTPAdapter())


def test_t28_a_replaced_adapter_is_not_used(connect, foreign_server) -> None:
    """Writing into the dictionary of adapters changes nothing."""
    session = connect(foreign_server)
    session.adapters["https://"] = HTTPAdapter()
    session.adapters[foreign_server.url] = HTTPAdapter()
    with pytest.raises(ServerNotTrustedError):
        session.get(foreign_server.url)


def test_t29_a_session_taken_for_one_host_is_not_resumed_for_another(factory, serve) -> None:
    """wrap_socket takes no TLS session from outside: it would skip every check."""
    server = serve()
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        factory.context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\n\r\n")
        secure.recv(100)
        taken = secure.session
    with socket.create_connection(("127.0.0.1", server.port)) as plain, pytest.raises(ConfigurationError):
        factory.context.wrap_socket(plain, server_hostname="other.test", session=taken)


PROGRAM = """
{before}
import sys
from pathlib import Path
from ror_sante.errors import RorError
from ror_sante.http.session import SessionFactory
from ror_sante.pki.anchor import TrustAnchor
from ror_sante.pki.identity import ClientIdentity
{after}
folder = Path(sys.argv[1])
try:
    identity = ClientIdentity.from_p12(folder / "client.p12", "pw")
    factory = SessionFactory(identity, TrustAnchor.from_file(folder / "root.pem"))
    {late}
    session = factory.session(*sys.argv[2:])
    for url in sys.argv[2:]:
        try:
            print(session.get(url, timeout=5).status_code)
        except RorError as error:
            print(type(error).__name__, error)
except RorError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def run(pki, serve, foreign_server, tmp_path) -> Callable[..., list[str]]:
    """Run a program that asks a good and a foreign server, in a process where something was replaced."""
    (tmp_path / "client.p12").write_bytes(pki.p12(pki.client(), "pw"))
    (tmp_path / "root.pem").write_text(ssl.DER_cert_to_PEM_cert(pki.anchor.der))
    good = serve()

    def run(before: str = "", after: str = "", late: str = "pass", env: dict[str, str] | None = None) -> list[str]:
        program = textwrap.dedent(PROGRAM).format(before=before, after=after, late=late)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, str(tmp_path), good.url, foreign_server.url],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **(env or {})},
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


def test_a_process_with_nothing_replaced_trusts_the_good_server_alone(run) -> None:
    """The control of the tests below."""
    good, foreign = run()

    assert good == "200"
    assert foreign.startswith("ServerNotTrustedError")


@pytest.mark.parametrize("moment", ["before", "after", "late"], ids=["t23", "t24", "t24-late"])
def test_t23_t24_truststore_changes_nothing(run, foreign_bundle, moment) -> None:
    """With ssl.SSLContext replaced, before or after our import, the foreign server stays refused."""
    good, foreign = run(
        **{moment: "import truststore; truststore.inject_into_ssl()"}, env={"SSL_CERT_FILE": foreign_bundle}
    )

    assert good == "200"
    assert foreign.startswith("ServerNotTrustedError")


@pytest.mark.parametrize("moment", ["before", "after", "late"], ids=["t25", "t25-after", "t25-late"])
def test_t25_the_pyopenssl_bridge_is_refused_by_name(run, moment) -> None:
    """urllib3's pyOpenSSL bridge switches the host-name check off: nothing is sent while it is in force."""
    lines = run(**{moment: "import urllib3.contrib.pyopenssl as p; p.inject_into_urllib3()"})

    assert lines
    assert all(line.startswith("ConfigurationError urllib3.contrib.pyopenssl") for line in lines)


LOOSE = """
openssl_conf = a
[a]
ssl_conf = b
[b]
system_default = c
[c]
Options = UnsafeLegacyRenegotiation,UnsafeLegacyServerConnect
MinProtocol = TLSv1
MaxProtocol = TLSv1.2
CipherString = ALL:@SECLEVEL=0
{more}
"""


def test_t26_openssl_conf_does_not_loosen_the_context(run, tmp_path) -> None:
    """Options, versions and suites that OPENSSL_CONF sets are overruled one by one."""
    conf = tmp_path / "openssl.cnf"
    conf.write_text(LOOSE.format(more=""))
    shown = "c = factory.context; print(c.options & 0x40004, c.minimum_version, c.maximum_version, c.security_level)"
    first, good, foreign = run(late=shown, env={"OPENSSL_CONF": str(conf)})

    assert f"0 {int(ssl.TLSVersion.TLSv1_2)} {int(ssl.TLSVersion.MAXIMUM_SUPPORTED)} 2" == first
    assert good == "200"
    assert foreign.startswith("ServerNotTrustedError")


def test_t26_a_weak_tls13_suite_of_openssl_conf_is_refused_by_name(run, tmp_path) -> None:
    """What Python cannot overrule is refused with its culprit named."""
    conf = tmp_path / "openssl.cnf"
    conf.write_text(LOOSE.format(more="Ciphersuites = TLS_AES_128_CCM_8_SHA256:TLS_AES_128_GCM_SHA256"))
    (line,) = run(env={"OPENSSL_CONF": str(conf)})

    assert line.startswith("ConfigurationError OpenSSL's configuration (OPENSSL_CONF)")


@pytest.mark.parametrize("moment", ["before", "after"], ids=["t30", "t30-after"])
def test_t30_gevent_is_refused_by_name(run, moment) -> None:
    """A replaced socket class would not run our checks: the process is told what to leave out."""
    (line,) = run(**{moment: "from gevent import monkey; monkey.patch_all()"})

    assert line.startswith("ConfigurationError gevent has replaced")


def test_t30_gevent_without_ssl_is_refused_too(run) -> None:
    """With the sockets alone replaced a handshake would hang."""
    (line,) = run(before="from gevent import monkey; monkey.patch_all(ssl=False)")

    assert line.startswith("ConfigurationError gevent has replaced")


def test_threads_that_are_refused_disturb_no_other(connect, serve, foreign_server) -> None:
    """Good and foreign servers asked side by side by eight threads keep their own outcomes."""
    good = serve()
    session = connect(good, foreign_server)
    outcomes: dict[str, set[str]] = {good.url: set(), foreign_server.url: set()}

    def ask(url: str) -> None:
        try:
            outcomes[url].add(str(session.get(url).status_code))
        except requests.exceptions.SSLError as error:
            outcomes[url].add(type(error).__name__)

    threads = [threading.Thread(target=ask, args=(url,)) for url in [good.url, foreign_server.url] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {good.url: {"200"}, foreign_server.url: {"ServerNotTrustedError"}} == outcomes
