"""`identity verify`: every finding at once, and an exit code that a script can trust."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ror_sante.simulator.pki import SIGN

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from ror_sante.simulator.pki import SimulatorPki


def words(files: Any, *more: object) -> list[object]:
    return ["identity", "verify", *more, "--anchor", files.folder / "root.pem"]


def opened(files: Any, *more: object) -> list[object]:
    where = files.folder
    return words(files, where / "client.p12", "--passphrase-file", where / "client.pass", *more)


def test_a_good_p12_is_good(run: Callable[..., Any], files: Any) -> None:
    """No finding, exit code 0."""
    done = run(*opened(files))
    assert (done.code, done.out, done.err) == (0, "CLIENT_WS_RORN: good\n", "")


def test_the_configured_p12_is_judged_without_file(run: Callable[..., Any], files: Any) -> None:
    """FILE defaults to the settings."""
    path = files.write('[identity]\np12 = "client.p12"\npassphrase_file = "client.pass"')
    assert run(*words(files, "--config", path)).out == "CLIENT_WS_RORN: good\n"


def test_the_same_p12_under_no_trusted_root_is_bad(run: Callable[..., Any], files: Any) -> None:
    """Without the anchor, the chain ends at a stranger."""
    where = files.folder
    done = run("identity", "verify", where / "client.p12", "--passphrase-file", where / "client.pass")
    assert done.code == 1
    assert done.out.startswith("error: untrusted-chain: ")
    assert "\n  hint: " in done.out
    assert done.out.endswith("CLIENT_WS_RORN: bad\n")


def test_every_error_is_told_at_once(run: Callable[..., Any], files: Any, pki: SimulatorPki) -> None:
    """A SIGN certificate that is expired has both findings, in JSON too."""
    now = datetime.now(UTC)
    old = pki.client(product=SIGN, not_before=now - timedelta(days=40), not_after=now - timedelta(days=10))
    (files.folder / "client.p12").write_bytes(pki.p12(old, "xyzzy"))
    done = run(*opened(files, "--format", "json"))
    about = json.loads(done.out)
    assert (done.code, about["good"]) == (1, False)
    assert [one["code"] for one in about["findings"]] == ["sign-certificate", "expired"]


def test_a_warning_alone_is_no_bad_verdict(run: Callable[..., Any], files: Any) -> None:
    """The CN of another service is odd, not wrong."""
    done = run(*opened(files, "--service", "annuaire"))
    assert (done.code, done.out.startswith("warning: other-service: ")) == (0, True)


def test_a_finding_without_a_hint_has_no_hint_line(
    run: Callable[..., Any], files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is invented."""
    from ror_sante.errors import Finding

    monkeypatch.setattr("ror_sante.cli.identity.verify.judge", lambda *_, **__: (Finding("odd", "odd it is"),))
    assert run(*opened(files)).out == "error: odd: odd it is\nCLIENT_WS_RORN: bad\n"


def test_bare_certificates_are_judged_without_a_passphrase(
    run: Callable[..., Any], files: Any, pki: SimulatorPki
) -> None:
    """A PEM chain has nothing to open."""
    (files.folder / "chain.pem").write_bytes(pki.client().pem_chain())
    assert run(*words(files, files.folder / "chain.pem")).code == 0


def test_a_p12_of_the_platform_is_judged_as_far_as_it_shows(run: Callable[..., Any], files: Any) -> None:
    """Without its passphrase, which nobody is there to type: a warning says what was not tried. A wrong one is 3."""
    done = run(*words(files, files.folder / "client.p12"))
    assert (done.code, done.out.splitlines()[-1]) == (0, "CLIENT_WS_RORN: good")
    assert done.out.startswith("warning: not-opened: the private key was not opened")


def test_a_p12_that_shows_nothing_is_not_judged_unopened(
    run: Callable[..., Any], files: Any, pki: SimulatorPki
) -> None:
    """Its certificates are encrypted too: no passphrase, no verdict."""
    (files.folder / "client.p12").write_bytes(pki.p12(pki.client(), "xyzzy", shape="modern"))
    done = run(*words(files, files.folder / "client.p12"))
    assert (done.code, done.out, "needs a passphrase" in done.err) == (2, "", True)


def test_a_leaf_alone_in_a_p12_stops_in_the_air(run: Callable[..., Any], files: Any, pki: SimulatorPki) -> None:
    """Its intermediate is missing: the chain is incomplete, and the verdict bad."""
    (files.folder / "client.p12").write_bytes(pki.p12(pki.client(), "xyzzy", intermediates=False, root=False))
    done = run(*opened(files))
    assert (done.code, done.out.startswith("error: incomplete-chain: ")) == (1, True)


def test_the_environment_brings_its_own_roots(run: Callable[..., Any], files: Any) -> None:
    """Production trusts IGC-Santé, and the named root beside it."""
    assert run(*opened(files, "--env", "production")).code == 0


def test_a_wrong_passphrase_is_3_and_no_verdict(run: Callable[..., Any], files: Any) -> None:
    """What cannot be opened was not judged."""
    (files.folder / "client.pass").write_text("wrong\n", encoding="utf-8")
    done = run(*opened(files))
    assert (done.code, done.out) == (3, "")
