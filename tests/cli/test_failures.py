"""What ended a command is explained by what the run knew: its certificate, its place, its language."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.cli.failures import report
from ror_sante.cli.known import Known
from ror_sante.environments import Environment
from ror_sante.errors import ServerNotTrustedError
from ror_sante.tls.receipt import HandshakeReceipt

if TYPE_CHECKING:
    from pathlib import Path

    from ror_sante.simulator.pki import SimulatorPki

FORGOTTEN = "cause: The server sends its certificate without the intermediate\n"


@pytest.fixture
def place(pki: SimulatorPki, tmp_path: Path) -> Environment:
    """A place under the simulator's root, whose API stands under another."""
    root, other = tmp_path / "root.pem", tmp_path / "other.pem"
    root.write_bytes(pki.root.certificate.public_bytes(Encoding.PEM))
    other.write_bytes(pki.foreign.root.certificate.public_bytes(Encoding.PEM))
    return Environment(
        name="bench",
        token_url="https://token.example/token",
        api_url="https://api.example",
        anchors=(str(root),),
        api_anchors=(str(other),),
    )


def untrusted(pki: SimulatorPki, host: str, *, whole: bool = False) -> ServerNotTrustedError:
    """The refusal of a server that sent its leaf alone, or its whole chain."""
    error = ServerNotTrustedError("its chain ends nowhere")
    sent = [pki.server(host).certificate, *([pki.intermediate.certificate] if whole else [])]
    ders = tuple(certificate.public_bytes(Encoding.DER) for certificate in sent)
    error.receipt = HandshakeReceipt(host=host, port=443, received=ders, failed="tls")
    return error


def test_the_certificate_at_hand_proves_what_a_server_forgot(
    pki: SimulatorPki, place: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its intermediate is ours too; without it the same refusal may be anything."""
    assert report(untrusted(pki, "token.example"), Known("en", place, pki.identity())) == 4
    assert capsys.readouterr().err.endswith(FORGOTTEN)
    assert report(untrusted(pki, "token.example"), Known("en")) == 4
    assert FORGOTTEN not in capsys.readouterr().err


def test_a_host_is_judged_by_its_own_roots(
    pki: SimulatorPki, place: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names of the common root with other keys are an imitation where it is trusted, and a stranger at the API."""
    told = []
    for host in ("token.example", "api.example"):
        assert report(untrusted(pki.twin, host, whole=True), Known("en", place)) == 4
        told.append(capsys.readouterr().err)
    assert "cause: The server's chain bears the names of the trusted tree, with other keys" in told[0]
    assert "cause: The server's certificate was issued by another authority" in told[1]


def test_roots_that_cannot_be_read_leave_the_error_as_it_is(
    pki: SimulatorPki, place: Environment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second failure never hides the first; French brings the next step."""
    (tmp_path / "root.pem").unlink()
    assert report(untrusted(pki, "token.example"), Known("fr", place, pki.identity())) == 4
    told = capsys.readouterr().err
    assert told.startswith("error: its chain ends nowhere\n")
    assert "\ncause: Le certificat du serveur" in told
    assert "\nsuite: " in told
