"""`identity rehearse`: a renewed P12 is tried on the account, live, while the old one stays in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ror_sante.simulator.pki import SIGN, SimulatorPki


def renewed(pki: SimulatorPki, folder: Path, **how: Any) -> list[Path | str]:
    """Write a second P12 with a passphrase of its own; give the arguments that name it."""
    (folder / "new.p12").write_bytes(pki.p12(pki.client(**how), "other"))
    (folder / "new.pass").write_text("other\n")
    return [folder / "new.p12", "--passphrase-file", folder / "new.pass"]


def test_a_renewed_certificate_gets_a_token(run: Any, bench: Path, pki: SimulatorPki, tmp_path: Path) -> None:
    """Same subject DN, another key: no registration, a token, and the next step."""
    done = run("identity", "rehearse", *renewed(pki, tmp_path), "--config", bench)
    assert done.code == 0, done.out + done.err
    assert "no new registration is needed" in done.out
    assert "new.p12 gets a token: name it in identity.next" in done.out


@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ({"cn": "CLIENT_WS_AUTRE"}, 5, "the subject DN differs: register CN=CLIENT_WS_AUTRE,"),
        ({"product": SIGN}, 3, "no new registration"),
    ],
    ids=["another DN", "another product"],
)
def test_one_that_does_not_work_says_why(
    run: Any, bench: Path, pki: SimulatorPki, tmp_path: Path, how: Any, code: int, told: str
) -> None:
    """Found today, not on the day when the old one ends."""
    done = run("identity", "rehearse", *renewed(pki, tmp_path, **how), "--config", bench)
    assert (done.code, told in done.out) == (code, True), done.out + done.err
    assert "gets a token" not in done.out
    assert done.err.startswith("error: new.p12: ")


def test_a_person_is_asked_once(
    run: Any, bench: Path, pki: SimulatorPki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the certificate in use is looked at without a question."""
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda text, **_: (asked.append(text), "other")[1])
    done = run("identity", "rehearse", renewed(pki, tmp_path)[0], "--config", bench)
    assert (done.code, asked) == (0, [f"Passphrase of {tmp_path / 'new.p12'}"]), done.out + done.err


def test_one_for_the_annuaire_is_offered_a_restricted_extraction(
    run: Any, bench: Path, pki: SimulatorPki, tmp_path: Path
) -> None:
    """No token there: the extraction host takes it or does not."""
    done = run("identity", "rehearse", *renewed(pki, tmp_path), "--service", "annuaire", "--config", bench)
    assert done.code == 0, done.out + done.err
    assert "new.p12 is offered a restricted extraction: name it in identity.next" in done.out


def test_an_account_with_a_secret_shows_no_certificate(
    run: Any, bench: Path, pki: SimulatorPki, tmp_path: Path
) -> None:
    """Access profile 0: there is nothing to rehearse."""
    (bench.parent / "secret").write_text("s", encoding="utf-8")
    text = bench.read_text(encoding="utf-8").replace("[rorn]", '[rorn]\nclient_secret_file = "secret"')
    bench.write_text(text, encoding="utf-8")
    done = run("identity", "rehearse", *renewed(pki, tmp_path), "--config", bench)
    assert (done.code, "shows no certificate" in done.err) == (2, True)


def test_without_a_certificate_in_use_nothing_is_compared(run: Any, pki: SimulatorPki, tmp_path: Path) -> None:
    """A first certificate may be rehearsed too, in a simulator of its own."""
    done = run("identity", "rehearse", *renewed(pki, tmp_path), "--env", "simulator")
    assert "DN" not in done.out.splitlines()[0]
    assert done.code == 3  # of another authority than that simulator's
