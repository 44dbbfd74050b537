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
    [({"cn": "CLIENT_WS_AUTRE"}, 5, "announce it to ANS first"), ({"product": SIGN}, 3, "no new registration")],
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


def test_without_a_certificate_in_use_nothing_is_compared(run: Any, pki: SimulatorPki, tmp_path: Path) -> None:
    """A first certificate may be rehearsed too, in a simulator of its own."""
    done = run("identity", "rehearse", *renewed(pki, tmp_path), "--env", "simulator")
    assert "DN" not in done.out.splitlines()[0]
    assert done.code == 3  # of another authority than that simulator's
