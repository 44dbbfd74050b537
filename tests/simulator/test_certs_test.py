"""Each flaw of certs-test is the one its folder says: OpenSSL and our own judgement both find it, and no other."""

from __future__ import annotations

import importlib.util
import json
import ssl
import stat
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from ror_sante import errors
from ror_sante.environments import ApplicationService
from ror_sante.errors import ConfigurationError
from ror_sante.pki.identity import ClientIdentity, gravest
from ror_sante.simulator import certs_test, flaws
from ror_sante.simulator.certs_test import make_certs
from ror_sante.simulator.flaws import CLIENT_FLAWS, FLAWS, SERVER_FLAWS
from ror_sante.simulator.pki import SimulatorPki

ROOT = Path(__file__).parents[2]
CLIENTS = [flaw.name for flaw in CLIENT_FLAWS]
SERVERS = [flaw.name for flaw in SERVER_FLAWS]
# These are wrong as files: there is no chain to send.
FILES_ALONE = {flaw.name for flaw in CLIENT_FLAWS if flaw.expected.error == "Pkcs12Error"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certs(tmp_path_factory.mktemp("certs") / "out")


@pytest.fixture(scope="module")
def manifest(out: Path) -> dict[str, Any]:
    return json.loads((out / "manifest.json").read_bytes())


@pytest.fixture(scope="module")
def pki(out: Path) -> SimulatorPki:
    return SimulatorPki.load(out)


def case(manifest: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    (found,) = (item for item in manifest["cases"] if (item["kind"], item["name"]) == (kind, name))
    return found


# ------------------------------------------------------------------ handshakes in memory


@dataclass
class Peer:
    tls: ssl.SSLObject
    error: ssl.SSLError | None = None
    done: bool = False

    def step(self) -> None:
        if self.done or self.error:
            return
        try:
            self.tls.do_handshake()
            self.done = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error = error


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[Peer, Peer]:
    """A TLS 1.2 handshake without a socket: under 1.2 both sides see a refusal before it ends."""
    for context in (client, server):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    peers = (
        Peer(client.wrap_bio(to_client, to_server, server_hostname="localhost")),
        Peer(server.wrap_bio(to_server, to_client, server_side=True)),
    )
    for _ in range(6):
        for peer in peers:
            peer.step()
    return peers


def client_context(out: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(out / "ca" / "root.pem")
    return context


def server_context(out: Path, *, server: str = "good", crl: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(out / "ca" / "root.pem")
    if crl:
        context.load_verify_locations(out / "ca" / "crl.pem")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    folder = out / "server" / server
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


def alert_of(error: ssl.SSLError | None) -> str | None:
    """``TLSV1_ALERT_UNKNOWN_CA`` or ``SSLV3_ALERT_CERTIFICATE_EXPIRED`` as RFC 8446 spells it."""
    return None if error is None else str(error.reason).partition("_ALERT_")[2].lower()


def reason_of(error: ssl.SSLError | None) -> str | None:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else None


@pytest.mark.parametrize("name", [name for name in CLIENTS if name not in FILES_ALONE])
def test_openssl_as_a_server_says_what_the_manifest_says(out: Path, manifest: dict[str, Any], name: str) -> None:
    """A server that trusts the root alone takes or refuses the client's chain with the alert and words listed."""
    found = case(manifest, "client", name)
    client = client_context(out)
    files = {use: out / file for use, file in found["files"].items()}
    client.load_cert_chain(files["certificate"], files["key"], password=found["passphrase"])
    left, right = handshake(client, server_context(out))
    expected = found["expected"]
    assert alert_of(left.error) == expected["alert"]
    assert reason_of(right.error) == expected["reason"]
    assert left.done == right.done == (expected["alert"] is None)


def test_the_revoked_certificate_is_good_but_for_the_crl(out: Path, manifest: dict[str, Any]) -> None:
    """The pair of `revoked`: the same server without the CRL takes it."""
    found = case(manifest, "client", "revoked")
    client = client_context(out)
    client.load_cert_chain(*(out / found["files"][use] for use in ("certificate", "key")), password=found["passphrase"])
    left, right = handshake(client, server_context(out, crl=False))
    assert left.done
    assert right.done


@pytest.mark.parametrize("name", SERVERS)
def test_openssl_as_a_client_says_what_the_manifest_says(out: Path, manifest: dict[str, Any], name: str) -> None:
    """A client that trusts the root alone and looks for localhost takes or refuses the server as listed."""
    server = server_context(out, server=name)
    server.verify_mode = ssl.CERT_NONE
    left, right = handshake(client_context(out), server)
    expected = case(manifest, "server", name)["expected"]
    reason = reason_of(left.error)
    if reason and "ostname mismatch" in reason:
        reason = "hostname mismatch"  # Python puts its own sentence in OpenSSL's place
    assert reason == expected["reason"]
    assert alert_of(right.error) == expected["alert"]
    assert left.done == (expected["outcome"] == "ok")


# ------------------------------------------------------------------ our own judgement


@pytest.mark.parametrize("name", CLIENTS)
def test_our_judgement_says_what_the_manifest_says(
    out: Path, pki: SimulatorPki, manifest: dict[str, Any], name: str
) -> None:
    """From the P12, the finding and the error are those listed; a sound case has no finding at all."""
    found = case(manifest, "client", name)
    expected = found["expected"]
    p12 = out / found["files"]["p12"]
    if name in FILES_ALONE:
        with pytest.raises(errors.Pkcs12Error):
            ClientIdentity.from_p12(p12, found["passphrase"])
        return
    findings = ClientIdentity.from_p12(p12, found["passphrase"]).verify(
        pki.anchor, at=datetime.now(UTC), service=ApplicationService.RORN
    )
    assert [finding.code for finding in findings] == ([expected["finding"]] if expected["finding"] else [])
    error = gravest(findings)
    local = expected["error"] if expected["exit_code"] == 3 else None
    assert (type(error).__name__ if error else None) == local


@pytest.mark.parametrize("name", [name for name in CLIENTS if name not in FILES_ALONE])
def test_p12_and_pem_hold_the_same_leaf_and_key(out: Path, manifest: dict[str, Any], name: str) -> None:
    """Both roads lead to one identity."""
    found = case(manifest, "client", name)
    files = {use: out / file for use, file in found["files"].items()}
    passphrase = found["passphrase"]
    from_p12 = ClientIdentity.from_p12(files["p12"], passphrase)
    from_pem = ClientIdentity.from_pem(files["certificate"], files["key"], passphrase or None)
    assert from_p12.certificate == from_pem.certificate
    assert from_p12.private_key.public_key() == from_pem.private_key.public_key()
    assert files["passphrase"].read_text("utf-8") == f"{passphrase}\n"


def test_the_p12_of_two_keys_would_be_read_silently(out: Path, manifest: dict[str, Any]) -> None:
    """The library takes the first key, SIGN, without a word: that is why the case exists."""
    found = case(manifest, "client", "two-keys")
    loaded = pkcs12.load_pkcs12((out / found["files"]["p12"]).read_bytes(), found["passphrase"].encode())
    assert loaded.cert is not None
    assert (
        x509.ExtendedKeyUsageOID.EMAIL_PROTECTION
        in loaded.cert.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    )


# ------------------------------------------------------------------ the folder


def test_every_case_is_listed_with_files_that_exist(out: Path, manifest: dict[str, Any]) -> None:
    """The manifest lists the whole table, and exactly the files that are there."""
    assert [(item["kind"], item["name"]) for item in manifest["cases"]] == [(f.kind, f.name) for f in FLAWS]
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert set(manifest["contents"]) == present
    named = {file for item in manifest["cases"] for file in item["files"].values()} | set(manifest["ca"].values())
    assert named <= present
    for item in manifest["cases"]:
        readme = (out / item["kind"] / item["name"] / "README.txt").read_text("utf-8")
        assert item["what"] in readme
        assert f"exits with {item['expected']['exit_code']}" in readme


def test_the_issues_flaws_are_all_there() -> None:
    """The table covers what certs-test promises, client by client and server by server."""
    promised = "good platform-shape no-intermediate root-included wrong-order wrong-root same-names-other-keys expired"
    promised += " not-yet-valid expires-in-20-days wrong-eku sign-certificate revoked ec-key legacy-3des modern"
    promised += " empty-passphrase accented-passphrase two-keys no-key no-certificate truncated other-service-cn"
    servers = "good expired wrong-host cn-only wrong-root wrong-eku leaf-only self-signed"
    assert set(promised.split()) <= set(CLIENTS)
    assert set(SERVERS) == set(servers.split())
    assert len({(flaw.kind, flaw.name) for flaw in FLAWS}) == len(FLAWS)


def test_errors_and_alerts_in_the_table_exist() -> None:
    """Every expected error is a class of ours, and whoever fails says so by its exit code."""
    for flaw in FLAWS:
        expected = flaw.expected
        assert expected.error is None or issubclass(getattr(errors, expected.error), errors.RorError)
        assert (expected.outcome == "fail") == (expected.exit_code in {3, 4}) == (expected.error is not None)


def test_everything_is_private(out: Path) -> None:
    """Keys are inside: folders are 0700 and files 0600."""
    for path in (out, *out.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_tree_of_the_folder_can_be_loaded_and_revokes(pki: SimulatorPki, out: Path) -> None:
    """What `--pki OUT` needs is there: the authorities, and the CRL with the revoked case on it."""
    assert pki.published_crl is not None
    revoked = x509.load_pem_x509_certificate((out / "client" / "revoked" / "client.pem").read_bytes())
    (entry,) = x509.load_pem_x509_crl(pki.published_crl)
    assert entry.serial_number == revoked.serial_number


# ------------------------------------------------------------------ running it


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cases instead of all: what is tested here is the folder."""
    monkeypatch.setattr(certs_test, "FLAWS", (CLIENT_FLAWS[0], SERVER_FLAWS[0]))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("quick")
def test_a_second_run_makes_everything_anew(tmp_path: Path) -> None:
    """The untouched result of an earlier run, or an empty folder, is replaced; nothing else is left beside it."""
    (tmp_path / "out").mkdir()
    first = files_of(make_certs(tmp_path / "out"))
    second = files_of(make_certs(tmp_path / "out"))
    assert first.keys() == second.keys()
    assert first["ca/root.pem"] != second["ca/root.pem"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("quick")
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    """One file that was not made here, wherever it lies, stops the run before anything is touched."""
    make_certs(tmp_path / "out")
    (tmp_path / "out" / "client" / "good" / "notes.txt").write_text("mine")
    before = files_of(tmp_path)
    with pytest.raises(ConfigurationError, match=r"client/good/notes\.txt"):
        make_certs(tmp_path / "out")
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("manifest", ["{", "[]", '{"generator": "other", "contents": ["manifest.json"]}', '"x"'])
def test_a_manifest_of_another_program_is_not_ours(tmp_path: Path, manifest: str) -> None:
    """A folder counts as ours only when its manifest says so in our words."""
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(ConfigurationError, match=r"manifest\.json, which was not made here"):
        make_certs(tmp_path)
    assert (tmp_path / "manifest.json").read_text() == manifest


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """OUT may be a file by mistake, or stand below one."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match="is a file, not a folder"):
        make_certs(tmp_path / "file")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        make_certs(tmp_path / "file" / "out")


def test_a_run_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a case cannot be made, neither OUT nor a temporary folder remains."""

    def fails(kit: flaws.Kit) -> flaws.Material:
        raise OSError(28, "No space left on device")

    broken = flaws.Flaw("broken", "client", "It cannot be made.", flaws.Expected("ok", 0), fails)
    monkeypatch.setattr(certs_test, "FLAWS", (broken,))
    with pytest.raises(ConfigurationError, match="No space left"):
        make_certs(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("days", [0, 60, 3651])
def test_a_life_that_would_spoil_the_good_cases_is_refused(tmp_path: Path, days: int) -> None:
    """Sound leaves must neither be about to expire nor outlive their authority."""
    with pytest.raises(ConfigurationError, match="61 to 3650"):
        make_certs(tmp_path / "out", days=days)


@pytest.mark.parametrize("days", [61, 3650])
@pytest.mark.usefixtures("quick")
def test_life_size_and_moment_can_be_chosen(tmp_path: Path, days: int) -> None:
    """The limits themselves are fine; the TEST tree and a moment in the past too."""
    at = datetime(2024, 2, 29, tzinfo=UTC)
    place = make_certs(tmp_path / "out", days=days, test=True, at=at)
    leaf = x509.load_pem_x509_certificate((place / "client" / "good" / "client.pem").read_bytes())
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=days)
    assert leaf.not_valid_before_utc == at - timedelta(days=1)
    pki = SimulatorPki.load(place)
    assert pki.anchor.subject.startswith("TEST ")
    assert leaf.not_valid_after_utc < pki.intermediate.certificate.not_valid_after_utc


# ------------------------------------------------------------------ the program


def load_make() -> Any:
    spec = importlib.util.spec_from_file_location("certs_test_make", ROOT / "certs-test" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("quick")
def test_the_program_says_where_and_what_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It exits 0, names the absolute folder and prints a command to try."""
    assert load_make().main([str(tmp_path / "my certs"), "--days", "365", "--key-size", "2048", "--test"]) == 0
    said = capsys.readouterr()
    assert str(tmp_path / "my certs") in said.out
    assert "smoke-test --env simulator --pki '" in said.out
    assert said.err == ""


def test_the_program_refuses_with_one_sentence_and_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It exits 2, says why on stderr and what to do, without a stack trace."""
    (tmp_path / "mine").write_text("x")
    assert load_make().main([str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert len(said.err.splitlines()) == 2
    assert load_make().main([str(tmp_path / "out"), "--days", "1"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_program_runs_by_itself(tmp_path: Path) -> None:
    """`python certs-test/make.py OUT` makes the folder; without OUT it explains itself and exits 2."""
    program = [sys.executable, str(ROOT / "certs-test" / "make.py")]
    done = subprocess.run([*program, str(tmp_path / "out")], capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "manifest.json").exists()
    usage = subprocess.run(program, capture_output=True, check=False, timeout=30)
    assert usage.returncode == 2
    assert b"OUT" in usage.stderr


def test_no_certificate_or_key_is_in_the_repository() -> None:
    """certs-test holds the program and its explanation; what it makes is never committed."""
    names = {
        path.name for path in (ROOT / "certs-test").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == {"make.py", "README.md"}


def test_the_readme_lists_every_case_as_the_table_has_it() -> None:
    """The table of the README is the table of the code."""
    readme = (ROOT / "certs-test" / "README.md").read_text("utf-8")
    listed = readme.partition("<!-- cases: begin -->")[2].partition("<!-- cases: end -->")[0].strip().splitlines()[2:]
    assert [row.split(" | ")[0].strip("| `") for row in listed] == [flaw.folder for flaw in FLAWS]
    for row, flaw in zip(listed, FLAWS, strict=True):
        expected = flaw.expected
        assert flaw.what in row
        assert f"| {expected.outcome}, {expected.exit_code} |" in row
        for word in (expected.finding, expected.error, expected.alert):
            assert word is None or f"`{word}`" in row
