"""What a stranger need not know is masked, each thing under one name, and the rest stays as it was."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ror_sante.diagnosis.machine import Machine
from ror_sante.diagnosis.report import Check, Outcome, SmokeReport, SmokeReports
from ror_sante.diagnosis.share import Mask
from ror_sante.environments import Environment
from ror_sante.errors import UnreachableError
from ror_sante.settings import (
    IdentitySettings,
    InterRorSettings,
    NetworkSettings,
    RegionSettings,
    RornSettings,
    Settings,
)

if TYPE_CHECKING:
    from ror_sante.simulator.pki import SimulatorPki

SETTINGS = Settings(
    identity=IdentitySettings(p12=Path("/srv/chu hopital/client.p12"), passphrase_file=Path("/srv/secret.pass")),
    network=NetworkSettings(proxy="http://proxy.chu-x.example:3128", proxy_user="dupont"),
    rorn=RornSettings(client_id="chu-x-client"),
    inter_ror=InterRorSettings(
        regions={"11": RegionSettings(client_id="chu-x-idf", base_url="https://ror-idf.example")}
    ),
    source=Path("/etc/ror/ror-sante.toml"),
)
BENCH = Environment(
    name="bench",
    token_url="https://auth.intra.example/auth/token",
    api_url="https://api",
    anchors=("/etc/ror/root.pem",),
)


@pytest.fixture
def mask() -> Mask:
    return Mask.of(SETTINGS, BENCH)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("chu-x-client gets a token", "[client-id-1] gets a token"),
        ("token host auth.intra.example is 10.1.2.3", "token host [host-1] is [address-1]"),
        ("api:443 answers, fd00::12%eth0 does not", "[host-1]:443 answers, [address-1] does not"),
        ("proxy proxy.chu-x.example:3128 for dupont", "proxy [host-1]:3128 for [user-1]"),
        ("from /srv/chu hopital/client.p12", "from [path-1]"),
        ("reads /home/jean/.netrc, C:\\Users\\jean\\x.p12", "reads [path-1], [path-2]"),
        ("it sent www.evil.example ← Proxy CA", "it sent [host-1] ← Proxy CA"),
        ("write to dsi@chu-x.example", "write to [mail-1]"),
        ("OU=499700123456, O=X; OU = 0123456789", "OU=[number-1], O=X; OU = [number-2]"),
        ("https://ror-idf.example/fhir", "https://[host-1]/fhir"),
    ],
)
def test_what_is_private_is_masked(mask: Mask, words: str, shown: str) -> None:
    """Accounts, hosts, addresses, paths, people."""
    assert mask.text(words) == shown


@pytest.mark.parametrize(
    "words",
    [
        "opens: CLIENT_WS_RORN and its private key",
        "api-fhir.ror.esante.gouv.fr is reached; write to monserviceclient.ror@esante.gouv.fr",
        "localhost is 127.0.0.1 and ::1, localhost:8443 answers",
        "FHIR 4.0.1, TLSv1.3 TLS_AES_256_GCM_SHA384, OpenSSL 3.0.15, Python 3.11.7",
        "Ror-Profil-Utilisateur 1.2.250.1.213.1.6.1.66|CU22",
        "C=FR, O=ASIP-SANTE, OU=0002 187512751, OU=IGC-SANTE, CN=AC",
        "OU=10B0221636, OU=318751275100020",
        "urllib3.contrib.pyopenssl.inject_into_urllib3() and ror_sante.Simulator",
        "set p12 in [identity] of ror-sante.toml; root.pem, and nothing else; valid until 2029-11-24, at 04:00:00",
        "GET /auth/token 404, see `lend_intermediates` in [network]",
        "The account may see none: ask ANS. Then try again.",
    ],
)
def test_what_tells_nothing_about_anybody_stays(mask: Mask, words: str) -> None:
    """The services' own names, versions, identifiers, words with dots."""
    assert mask.text(words) == words


def test_one_thing_has_one_name_in_the_whole_report(mask: Mask) -> None:
    """So that the story can still be followed; another thing has another name."""
    assert mask.text("h1.example calls 10.0.0.1") == "[host-1] calls [address-1]"
    assert mask.text("10.0.0.2 answers H1.example, 10.0.0.1 not") == "[address-2] answers [host-1], [address-1] not"


def test_the_user_and_the_machine_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not the word root, which certificates have too."""
    monkeypatch.setattr(getpass, "getuser", lambda: "jdupont")
    monkeypatch.setattr(socket, "gethostname", lambda: "pc-dsi-12")
    mask = Mask.of(SETTINGS, BENCH)
    assert mask.text("jdupont on pc-dsi-12 trusts a root") == "[user-1] on [host-1] trusts a root"
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    assert Mask.of(SETTINGS, BENCH).text("a pinned root") == "a pinned root"


def test_a_user_without_a_name_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers."""

    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert Mask.of(SETTINGS, BENCH).text("fine") == "fine"


@pytest.mark.parametrize("unit", ["499700123456", "0123456789"])
def test_a_practices_number_and_name_are_a_persons(pki: SimulatorPki, mask: Mask, unit: str) -> None:
    """Struct_IdNat that starts with 4 (RPPS) or 0 (ADELI): wherever they stand."""
    identity = pki.identity(pki.client(organisation="CABINET DU DR MARTIN", structure=unit))
    assert mask.learned(identity) is identity
    assert mask.text(f"CABINET DU DR MARTIN is {unit}") == "[name-1] is [number-1]"


def test_a_hospitals_number_is_public(pki: SimulatorPki, mask: Mask) -> None:
    """FINESS and SIRET stand in public registers."""
    mask.learn(pki.identity(pki.client(organisation="CHU DE X", structure="10B0221636")))
    assert mask.text("CHU DE X is 10B0221636") == "CHU DE X is 10B0221636"


def test_a_whole_report_is_masked_and_loses_its_errors(mask: Mask) -> None:
    """Every text of every value; outcomes and numbers stay, the errors behind them do not travel."""
    error = UnreachableError("chu-x-client at 10.1.2.3")
    check = Check(name="tcp", outcome=Outcome.FAIL, detail="chu-x-client", hint="10.1.2.3", family=4, error=error)
    report = SmokeReport(service="rorn", environment="bench", checks=(check,), took=1.0)
    machine = Machine.examine(environ={"HTTPS_PROXY": "http://proxy.chu-x.example:1"})
    shown = mask.value(SmokeReports(reports=(report,), machine=machine))
    (masked,) = shown.reports[0].checks
    assert (masked.detail, masked.hint, masked.error) == ("[client-id-1]", "[address-1]", None)
    assert (masked.outcome, masked.family, shown.exit_code) == (Outcome.FAIL, 4, 4)
    assert shown.machine is not None
    assert "http://[host-1]:1" in next(one.detail for one in shown.machine.checks if one.name == "proxy variables")


def test_settings_without_files_are_no_trouble() -> None:
    """And what is no text, and no value of ours, is given back as it is."""
    bare = Mask.of(Settings(), BENCH)
    assert bare.text("auth.intra.example") == "[host-1]"
    assert bare.value([1]) == [1]


def test_what_lies_in_a_known_folder_is_masked_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A blank in the folder's name, a file below it: no part is left."""
    home = tmp_path / "Jean Dupont"
    monkeypatch.setenv("HOME", str(home))
    mask = Mask.of(SETTINGS, BENCH)
    assert mask.text(f"reads {home}/dossiers/chu.p12, not {home}") == "reads [path-1], not [path-2]"


def test_a_single_letter_is_not_looked_for() -> None:
    """It would mask half of the report."""
    assert Mask([("user", "a")]).text("a report") == "a report"
