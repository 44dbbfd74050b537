"""The ladder against a real server: which rung fails, and with which exit code."""

from __future__ import annotations

import dataclasses
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.api.fhir.bundle import Bundle
from ror_sante.api.fhir.resource import Resource
from ror_sante.api.national import NationalRorClient
from ror_sante.diagnosis.report import Check, Outcome, SmokeReport
from ror_sante.diagnosis.smoke import RUNGS, SmokeTest
from ror_sante.environments import Coding, Environment
from ror_sante.errors import ClientRejectedError, RorError, ServerNotTrustedError
from ror_sante.pki.identity import ClientIdentity
from ror_sante.settings import NetworkSettings, RornSettings, load_settings
from ror_sante.simulator import server as simulating
from ror_sante.simulator.flaws import CLIENT_FLAWS, Flaw, Kit
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.server import Account, Simulator
from tests.support.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ror_sante.settings import Settings
    from ror_sante.simulator.templates import Issued

QUICK = NetworkSettings(connect_timeout=2.0, read_timeout=2.0, deadline=4.0)


def climb(simulator: Simulator, account: RornSettings, **about: Any) -> SmokeReport:
    """Run the ladder against the simulator, with some things changed."""
    return SmokeTest(
        about.get("environment", simulator.environment),
        about.get("identity", lambda: simulator.identity),
        rorn=about.get("rorn", account),
        network=about.get("network", QUICK),
        at=about.get("at"),
    ).run()


def outcomes(report: SmokeReport) -> dict[str, str]:
    """Name the rungs that are not ok."""
    return {check.name: check.outcome.value for check in report.checks if check.outcome is not Outcome.OK}


def rung(report: SmokeReport, name: str) -> Check:
    return next(check for check in report.checks if check.name == name)


def at(simulator: Simulator, **changes: Any) -> Environment:
    """The simulator's environment with something changed."""
    return dataclasses.replace(simulator.environment, name="bench", **changes)


# ------------------------------------------------------------------ all is well


def test_every_rung_holds(simulator: Simulator, account: RornSettings) -> None:
    """A good certificate and a good server: 16 rungs, exit code 0, three requests."""
    report = climb(simulator, account)
    assert outcomes(report) == {}
    assert tuple(check.name for check in report.checks) == RUNGS
    assert (report.service, report.environment, report.exit_code) == ("rorn", "simulator", 0)
    assert rung(report, "pushed").detail.endswith("(seen on the wire)")
    assert rung(report, "metadata").detail.startswith("FHIR 4.0.1, ")
    assert rung(report, "search").detail.endswith(" of 20")
    paths = [seen.path.rpartition("/")[2] for seen in simulator.requests]
    assert paths[:2] == ["token", "token"]
    assert sorted(paths[2:]) == ["HealthcareService", "metadata"]  # side by side


def test_the_rungs_are_told_as_they_come(simulator: Simulator, account: RornSettings) -> None:
    """`on_check` sees each rung once, in order."""
    told: list[Check] = []
    test = SmokeTest(simulator.environment, lambda: simulator.identity, rorn=account)
    assert tuple(told) == ()
    assert test.run(told.append).checks == tuple(told)


def test_a_settings_file_is_all_it_needs(simulator: Simulator, tmp_path: Path) -> None:
    """`from_settings` takes account, certificate and network from the file."""
    settings = load_settings(simulator.write_config(tmp_path / "bench"), environ={})
    report = SmokeTest.from_settings(settings).run()
    assert (outcomes(report), report.environment) == ({}, "bench")


def test_settings_of_profile_0_have_no_certificate(simulator: Simulator, tmp_path: Path) -> None:
    """A client_secret takes its place: the rungs of the certificate are skipped, and this server wants one."""
    path = simulator.write_config(tmp_path)
    (tmp_path / "secret").write_text("s")
    path.write_text(path.read_text().replace("[rorn]", '[rorn]\nclient_secret_file = "secret"'))
    path.chmod(0o600)
    report = SmokeTest.from_settings(load_settings(path, environ={}), environment=simulator.environment).run()
    assert {name for name, outcome in outcomes(report).items() if outcome == "skipped"} >= {"p12", "chain", "name"}
    assert "client_secret and no certificate" in rung(report, "dates").detail
    assert (report.failed[0].name, report.exit_code) == ("pushed", 4)


# ------------------------------------------------------------------ our certificate

# What the table of flaws expects of the smoke test, and the rung that says so.
RUNG_OF = {
    "no-intermediate": "chain",
    "wrong-intermediate": "chain",
    "wrong-root": "chain",
    "same-names-other-keys": "chain",
    "expired": "dates",
    "not-yet-valid": "dates",
    "expires-in-20-days": "dates",
    "wrong-eku": "product",
    "sign-certificate": "product",
    "server-certificate": "product",
    "revoked": "pushed",
    "empty-passphrase": "p12",
    "two-keys": "p12",
    "no-key": "p12",
    "no-certificate": "p12",
    "truncated": "p12",
    "other-service-cn": "name",
}
# The likeliest cause of those that fail.
CAUSE_OF = {
    "no-intermediate": "intermediate-not-sent",
    "wrong-intermediate": "client-other-authority",
    "wrong-root": "client-other-authority",
    "same-names-other-keys": "client-other-authority",
    "expired": "client-expired",
    "not-yet-valid": "client-not-yet-valid",
    "wrong-eku": "client-usage",
    "sign-certificate": "client-usage",
    "server-certificate": "client-usage",
    "revoked": "client-revoked",
}


@pytest.fixture(scope="module")
def kit(pki: SimulatorPki) -> Kit:
    return Kit.of(pki)


@pytest.fixture(scope="module")
def strict(pki: SimulatorPki, kit: Kit) -> Any:
    """A simulator with a CRL, that knows the DN of the other service too."""
    other = Account(
        "other", subject_dn=pki.client("CLIENT_WS_ANNUAIRE", key=kit.good.key).certificate.subject.rfc4514_string()
    )
    with Simulator(pki, size=20, crl=pki.crl([kit.revoked]), accounts=[other]) as simulator:
        yield simulator


@pytest.mark.parametrize("flaw", CLIENT_FLAWS, ids=lambda flaw: flaw.name)
def test_each_flaw_fails_its_rung(flaw: Flaw, kit: Kit, strict: Simulator) -> None:
    """Every P12 of certs-test ends as its manifest says, at the rung where one would look."""
    material = flaw.make(kit)
    assert material.p12 is not None
    client_id = "other" if flaw.name == "other-service-cn" else strict.client_id
    report = climb(
        strict,
        RornSettings(client_id=client_id, profile=strict.profile, role=strict.role),
        identity=lambda: ClientIdentity.from_p12(material.p12 or b"", material.passphrase),
    )
    assert report.exit_code == flaw.expected.exit_code
    expected = RUNG_OF.get(flaw.name)
    if flaw.expected.outcome == "ok":
        assert outcomes(report) == {}
    elif flaw.expected.outcome == "warn":
        assert outcomes(report) == {expected: "warn"}
        assert rung(report, str(expected)).hint
    else:
        first = report.failed[0]
        assert first.name == expected
        assert first.hint
        assert isinstance(first.error, RorError)
        assert flaw.name not in CAUSE_OF or first.causes[0].code == CAUSE_OF[flaw.name]
        assert rung(report, "dns").outcome is Outcome.OK
        assert rung(report, "token") == dataclasses.replace(
            rung(report, "token"), outcome=Outcome.SKIPPED, detail=f"needs {first.name}, which failed", hint=""
        )


def test_a_bad_certificate_is_never_sent(simulator: Simulator, account: RornSettings, pki: SimulatorPki) -> None:
    """Names and ports are tried; no handshake shows what was found bad."""
    old = pki.client(not_after=datetime.now(UTC) - timedelta(hours=1))
    report = climb(simulator, account, identity=lambda: pki.identity(old))
    assert report.exit_code == 3
    assert [rung(report, name).outcome.value for name in ("dns", "tcp", "tls")] == ["ok", "ok", "skipped"]
    assert simulator.received_chain == ()


def test_a_certificate_of_the_other_tree_fails_the_environment(
    simulator: Simulator, account: RornSettings, pki: SimulatorPki
) -> None:
    """TEST where production is expected: the mix-up has a rung of its own."""
    tree = SimulatorPki.create(test=True)
    report = climb(
        simulator,
        account,
        environment=at(simulator, test=False),
        identity=lambda: tree.identity(),
    )
    assert (report.failed[0].name, report.exit_code) == ("environment", 3)
    assert "TEST certificate" in rung(report, "environment").detail


def test_the_day_can_be_given(simulator: Simulator, account: RornSettings) -> None:
    """`at` judges the certificate at another time: in ten years it is expired."""
    report = climb(simulator, account, at=datetime.now(UTC) + timedelta(days=3650))
    assert (report.failed[0].name, report.exit_code) == ("dates", 3)


# ------------------------------------------------------------------ trust


def test_a_missing_anchor_fails_first_and_with_2(simulator: Simulator, account: RornSettings) -> None:
    """Without trust nothing is tried; the certificate still opens."""
    report = climb(simulator, account, environment=at(simulator, anchors=("/none/root.pem",)))
    assert report.exit_code == 2
    assert rung(report, "trust").outcome is Outcome.FAIL
    assert rung(report, "p12").outcome is Outcome.OK
    assert {check.outcome.value for check in report.checks[2:]} == {"skipped"}
    assert rung(report, "clock").detail == "no answer told the server's time"


def test_trust_in_the_public_web_is_a_warning(simulator: Simulator, account: RornSettings) -> None:
    """web-pki alone: a warning, and our own chain cannot end there."""
    report = climb(simulator, account, environment=at(simulator, anchors=("web-pki",)))
    assert outcomes(report)["trust"] == "warn"
    assert (report.failed[0].name, report.exit_code) == ("chain", 3)


# ------------------------------------------------------------------ the way


def test_two_hosts_are_both_tried(simulator: Simulator, account: RornSettings) -> None:
    """Token and API hosts apart: every rung of the way names both."""
    report = climb(
        simulator, account, environment=at(simulator, api_url=simulator.url.replace("localhost", "127.0.0.1"))
    )
    assert outcomes(report) == {}
    for name in ("dns", "tls", "pushed", "server chain"):
        assert "token host localhost" in rung(report, name).detail
        assert "API host 127.0.0.1" in rung(report, name).detail


def test_the_certificate_may_be_kept_from_the_api(simulator: Simulator, account: RornSettings) -> None:
    """The switch shows: this API wants the certificate, and the rung says that the settings keep it back."""
    kept = RornSettings(
        client_id=account.client_id, profile=account.profile, role=account.role, present_certificate_to_api=False
    )
    report = climb(simulator, kept, environment=at(simulator, api_url=simulator.url.replace("localhost", "127.0.0.1")))
    assert (report.failed[0].name, report.exit_code) == ("pushed", 4)
    assert "API host 127.0.0.1: nothing, by the settings" in rung(report, "pushed").detail


def _expired(pki: SimulatorPki) -> Issued:
    return pki.server(not_after=datetime.now(UTC) - timedelta(hours=1))


@pytest.mark.parametrize(
    ("server", "cause"),
    [
        (_expired, ("server-expired", "high")),
        (lambda pki: pki.server("ror.example"), ("server-name", "high")),
        (lambda pki: pki.foreign.server(), ("server-other-authority", "medium")),
    ],
    ids=["expired", "wrong-host", "wrong-root"],
)
def test_a_server_that_is_not_trusted_fails_its_chain(
    server: Callable[[SimulatorPki], Issued], cause: tuple[str, str], pki: SimulatorPki
) -> None:
    """The handshake is stopped by us, nothing of ours is sent; the rung names what the server showed, and the cause."""
    with Simulator(pki, size=1, server=server(pki)) as bad:
        account = RornSettings(client_id=bad.client_id, profile=bad.profile, role=bad.role)
        report = climb(bad, account)
        assert bad.received_chain == ()
    assert [check.name for check in report.failed] == ["server chain"]
    assert report.exit_code == 4
    failed = rung(report, "server chain")
    assert "it sent " in failed.detail
    # Proved by the roots and the time that the ladder knows, and by what its probe saw.
    assert [(one.code, one.confidence) for one in failed.causes[:1]] == [cause]
    assert isinstance(failed.error, ServerNotTrustedError)
    assert outcomes(report)["tls"] == outcomes(report)["pushed"] == "skipped"


def test_a_closed_port_fails_tcp(simulator: Simulator, account: RornSettings) -> None:
    """Nobody listens: the name resolves, the port does not answer."""
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    report = climb(simulator, account, environment=at(simulator, api_url=url, token_url=f"{url}/token"))
    assert (report.failed[0].name, report.exit_code) == ("tcp", 4)


def test_an_unknown_host_fails_dns(simulator: Simulator, account: RornSettings) -> None:
    """A name of the reserved domain .invalid resolves nowhere."""
    url = "https://ror.invalid"
    report = climb(simulator, account, environment=at(simulator, api_url=url, token_url=f"{url}/token"))
    assert (report.failed[0].name, report.exit_code) == ("dns", 4)
    assert rung(report, "tcp").detail == "needs dns, which failed"


def test_a_port_without_tls_fails_tls(simulator: Simulator, account: RornSettings, listening: Any) -> None:
    """Plain HTTP is told as such."""
    port = listening(lambda client: (client.recv(100), client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
    url = f"https://127.0.0.1:{port}"
    report = climb(simulator, account, environment=at(simulator, api_url=url, token_url=f"{url}/token"))
    assert (report.failed[0].name, report.exit_code) == ("tls", 4)
    assert "is not TLS" in rung(report, "tls").detail


# ------------------------------------------------------------------ servers that lack something


@pytest.fixture
def old(pki: SimulatorPki, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulator that knows TLS 1.2 and one suite without forward secrecy."""
    modern = simulating.mutual_tls

    def dated(*about: Any) -> ssl.SSLContext:
        context = modern(*about)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-GCM-SHA256")
        return context

    monkeypatch.setattr(simulating, "mutual_tls", dated)
    with Simulator(pki, size=20) as running:
        yield running


def _settings(simulator: Simulator, folder: Path, *network: str) -> Settings:
    """Load the settings that the simulator writes, with keys of [network] added."""
    path = simulator.write_config(folder)
    path.write_text("\n".join([path.read_text(), "[network]", *network, ""]))
    path.chmod(0o600)
    return load_settings(path, environ={})


def _asked(settings: Settings) -> str:
    with NationalRorClient.from_settings(settings) as client:
        return client.metadata().type


def test_a_server_of_old_suites_works_with_the_setting_and_a_warning(old: Simulator, tmp_path: Path) -> None:
    """AES128-GCM-SHA256 alone: the tls rung warns, everything else holds, and so does a client."""
    settings = _settings(old, tmp_path, 'wide_tls12_hosts = ["LOCALHOST"]')
    report = SmokeTest.from_settings(settings).run()
    assert (outcomes(report), report.exit_code) == ({"tls": "warn"}, 0)
    assert (
        "TLSv1.2 AES128-GCM-SHA256; it works only because older TLS 1.2 suites are accepted"
        in rung(report, "tls").detail
    )
    assert "Ask the service for TLS 1.3" in rung(report, "tls").hint
    assert _asked(settings) == "CapabilityStatement"


def test_a_server_of_old_suites_is_refused_without_the_setting(old: Simulator, tmp_path: Path) -> None:
    """The tls rung fails, not that of our certificate, and the hint names the key."""
    settings = _settings(old, tmp_path, 'wide_tls12_hosts = ["other.example"]')
    report = SmokeTest.from_settings(settings).run()
    assert (report.failed[0].name, report.exit_code) == ("tls", 4)
    assert "`wide_tls12_hosts` in [network]" in rung(report, "tls").hint
    with pytest.raises(ClientRejectedError):
        _asked(settings)


def test_a_wide_host_that_chooses_a_modern_suite_needs_no_exception(simulator: Simulator, tmp_path: Path) -> None:
    """The warning says to take it out."""
    settings = _settings(simulator, tmp_path, 'wide_tls12_hosts = ["localhost"]')
    assert "take localhost out of" in rung(SmokeTest.from_settings(settings).run(), "tls").hint


@pytest.fixture
def forgetful(pki: SimulatorPki) -> Iterator[Simulator]:
    """A simulator that forgets to send its intermediate."""
    issued = pki.server()
    with Simulator(pki, size=20, server=dataclasses.replace(issued, chain=issued.chain[:1])) as running:
        yield running


def test_a_server_without_its_intermediate_works_when_it_is_lent(
    forgetful: Simulator, pki: SimulatorPki, tmp_path: Path
) -> None:
    """The file lies beside the settings; ladder and client both take it, and the ladder warns."""
    tmp_path.joinpath("ACI.pem").write_bytes(pki.intermediate.pem_chain())
    settings = _settings(forgetful, tmp_path, 'lend_intermediates = ["ACI.pem"]')
    report = SmokeTest.from_settings(settings).run()
    assert (outcomes(report), report.exit_code) == ({"server chain": "warn"}, 0)
    assert "trusted only thanks to lend_intermediates" in rung(report, "server chain").detail
    assert _asked(settings) == "CapabilityStatement"


def test_a_server_without_its_intermediate_is_refused_without_it(forgetful: Simulator, tmp_path: Path) -> None:
    """The rung of the server's chain fails, and the hint names the key."""
    settings = _settings(forgetful, tmp_path)
    report = SmokeTest.from_settings(settings).run()
    assert (report.failed[0].name, report.exit_code) == ("server chain", 4)
    assert "`lend_intermediates` in [network]" in rung(report, "server chain").hint
    with pytest.raises(ServerNotTrustedError):
        _asked(settings)


# ------------------------------------------------------------------ proxies


def _by(port: int, **more: Any) -> NetworkSettings:
    return NetworkSettings(
        proxy=f"http://127.0.0.1:{port}", connect_timeout=2.0, read_timeout=2.0, deadline=4.0, **more
    )


def test_behind_a_proxy_every_rung_holds(
    simulator: Simulator, account: RornSettings, proxy: Callable[[str], int], tmp_path: Path
) -> None:
    """DNS and TCP are the proxy's, and say so; its password comes from a file."""
    (tmp_path / "pw").write_text("pw")
    network = _by(proxy("200 Connection established"), proxy_user="me", proxy_password_file=tmp_path / "pw")
    report = climb(simulator, account, network=network)
    assert outcomes(report) == {}
    assert "the proxy resolves localhost" in rung(report, "dns").detail
    assert "opens a tunnel to localhost" in rung(report, "tcp").detail


def test_a_proxy_that_wants_a_password_is_named(
    simulator: Simulator, account: RornSettings, proxy: Callable[[str], int]
) -> None:
    """407: the proxy, not the service; exit code 4."""
    port = proxy("407 Proxy Authentication Required")
    report = climb(simulator, account, network=_by(port))
    assert (report.failed[0].name, report.exit_code) == ("tcp", 4)
    assert f"127.0.0.1:{port}" in rung(report, "tcp").detail
    assert "407" in rung(report, "tcp").detail


def test_a_host_without_the_proxy_goes_direct(simulator: Simulator, account: RornSettings) -> None:
    """no_proxy counts for the rungs as for the calls; nobody listens at that proxy."""
    report = climb(simulator, account, network=_by(1, no_proxy=("localhost",)))
    assert outcomes(report) == {}
    assert rung(report, "dns").detail.startswith("localhost is ")


def test_the_proxy_may_be_the_environments(
    simulator: Simulator, account: RornSettings, proxy: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value "environment" takes HTTPS_PROXY, when it is set."""
    network = NetworkSettings(proxy="environment", connect_timeout=2.0, read_timeout=2.0)
    assert rung(climb(simulator, account, network=network), "dns").detail.startswith("localhost is ")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy('200 OK')}")
    assert rung(climb(simulator, account, network=network), "dns").detail.startswith("proxy 127.0.0.1 is ")


# ------------------------------------------------------------------ the answers


# The likeliest cause, where the answer tells one.
CAUSE_OF_ANSWER = {
    "unknown-dn": "subject-unknown",
    "token-error": "token-refused",
    "token-html": "page-instead",
    "html-200": "page-instead",
    "redirect-other-host": "page-instead",
    "truncated-json": "answer-broken",
    "403": "api-403",
    "http-500": "service-fault",
    "http-429": "too-many-calls",
}


@pytest.mark.parametrize(
    ("fault", "place", "name", "code"),
    [
        ("unknown-dn", None, "token", 5),
        ("token-error", None, "token", 5),
        ("token-html", None, "token", 5),
        ("token-no-expiry", None, "token", 5),
        ("redirect-other-host", "token", "token", 5),
        ("close-before-answer", "token", "token", 4),
        ("html-200", None, "metadata", 5),
        ("truncated-json", None, "metadata", 5),
        ("outcome-200", None, "metadata", 5),
        ("empty-body", None, "metadata", 5),
        ("redirect-other-host", None, "metadata", 5),
        ("403", None, "metadata", 5),
        ("http-500", None, "metadata", 5),
        ("http-429", None, "metadata", 5),
        ("cut-body", None, "metadata", 4),
        ("close-before-answer", None, "metadata", 4),
        ("reset", None, "metadata", 4),
    ],
)
def test_each_fault_of_the_service_fails_its_rung(
    simulator: Simulator, account: RornSettings, fault: str, place: Any, name: str, code: int
) -> None:
    """Token and answers: the rung where it went wrong, with a hint, the exit code of its family, and the cause."""
    simulator.fault(fault, times=None, at=place)
    report = climb(simulator, account)
    first = report.failed[0]
    assert (first.name, report.exit_code) == (name, code)
    assert first.hint
    assert first.causes[0].code == CAUSE_OF_ANSWER.get(fault, first.causes[0].code)


def test_an_account_with_less_right_is_a_warning(simulator: Simulator, account: RornSettings) -> None:
    """The search answers, and what is left out is said with whom to ask."""
    simulator.fault("less-right", times=None)
    report = climb(simulator, account)
    assert outcomes(report) == {"search": "warn"}
    assert "mandatory" in rung(report, "search").detail
    assert "another profile" in rung(report, "search").hint


def test_a_service_that_is_too_slow_fails_in_time(simulator: Simulator, account: RornSettings) -> None:
    """The time limit of the settings counts."""
    simulator.fault("slow", times=None, seconds=20)
    report = climb(simulator, account, network=NetworkSettings(connect_timeout=1, read_timeout=1, deadline=1.5))
    assert (report.failed[0].name, report.exit_code) == ("metadata", 4)
    assert rung(report, "metadata").seconds < 15


def test_a_clock_that_is_wrong_is_a_warning(simulator: Simulator, account: RornSettings) -> None:
    """An hour apart: the rung says in which direction, even when the token was refused."""
    simulator.fault("clock-skew", times=None, at="token")
    report = climb(simulator, account)
    assert outcomes(report) == {"clock": "warn"}
    assert "behind the server's" in rung(report, "clock").detail


@pytest.mark.parametrize("key", ["client_id", "profile", "role"])
def test_an_account_that_lacks_something_fails_the_token(simulator: Simulator, account: RornSettings, key: str) -> None:
    """The missing key is named; that is a matter of settings, exit code 2."""
    values: dict[str, Any] = {"client_id": "x", "profile": Coding("a", "1"), "role": Coding("b", "2"), key: None}
    report = climb(simulator, account, rorn=RornSettings(**values))
    assert (report.failed[0].name, report.exit_code) == ("token", 2)
    assert rung(report, "token").detail == f"rorn.{key} is missing"


def test_a_search_that_finds_nothing_is_a_warning(pki: SimulatorPki) -> None:
    """The service answers, and the account sees no care service."""
    with Simulator(pki, size=0) as empty:
        report = climb(empty, RornSettings(client_id=empty.client_id, profile=empty.profile, role=empty.role))
    assert outcomes(report) == {"search": "warn"}
    assert "rights" in rung(report, "search").hint


def test_answers_that_say_little_are_still_good(
    simulator: Simulator, account: RornSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No software, no version, no total: the rungs hold and say so."""
    mandatory = b"".join(
        b'{"url":"%s"},' % name for name in (b"ror-meta-creation-date", b"ror-healthcareservice-sensitive-unit")
    )
    offer = Resource(
        b'{"resourceType":"HealthcareService","id":"1","identifier":[],"extension":[%s]}' % mandatory[:-1], mode="match"
    )
    monkeypatch.setattr(NationalRorClient, "metadata", lambda self: Resource(b'{"software":3}'))
    monkeypatch.setattr(NationalRorClient, "pages", lambda self, *_, **__: iter([Bundle(entries=(offer,))]))
    report = climb(simulator, account)
    assert rung(report, "metadata").detail == "FHIR of an unknown version"
    assert rung(report, "search").detail == "HealthcareService?_count=1 gives HealthcareService/1 of an unknown number"
