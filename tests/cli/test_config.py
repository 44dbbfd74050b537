"""`config show`, `config init`, `config check`."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.cli.config import TEMPLATE
from ror_sante.settings import VARIABLES, load_settings, usual_places

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCOUNT = """
[rorn]
client_id = "app"
profile = { code = "CU22", system = "1.2" }
role = { code = "AUTOMATE", system = "1.3" }
"""
IDENTITY = """
[identity]
p12 = "client.p12"
passphrase_file = "client.pass"
"""
BENCH = """
[environments.bench]
token_url = "https://auth.example:8443/token"
api_url = "https://api.example"
anchors = ["root.pem"]
"""


# ------------------------------------------------------------------ show


def test_show_prints_what_is_in_force(run: Callable[..., Any], files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and variables together, as keys of the file; the first line is the file."""
    monkeypatch.setenv("ROR_SANTE_NETWORK_DEADLINE", "7")
    path = files.write('environment = "bench"\n' + ACCOUNT + BENCH)
    done = run("--config", path, "config", "show")
    assert done.code == 0
    assert done.out.startswith(f"# {path}\n")
    assert 'rorn.profile.code = "CU22"\n' in done.out
    assert "network.deadline = 7.0\n" in done.out
    assert 'environments.bench.anchors = ["root.pem"]\n' in done.out


def test_show_as_json(run: Callable[..., Any], files: Any) -> None:
    """The same for a program."""
    done = run("config", "show", "--format", "json", "--config", files.write(ACCOUNT))
    assert json.loads(done.out)["rorn"]["client_id"] == "app"


@pytest.mark.parametrize("style", ["text", "json"])
def test_show_hides_the_passphrase(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, style: str) -> None:
    """A passphrase of a variable is a sign, not a text."""
    monkeypatch.setenv("ROR_SANTE_IDENTITY_PASSPHRASE", "xyzzy")
    done = run("config", "show", "--format", style)
    assert ("…" in done.out) or (r"\u2026" in done.out)
    assert "xyzzy" not in done.out + done.err


def test_show_help_lists_every_variable(run: Callable[..., Any]) -> None:
    """The help is where one looks them up."""
    listed = run("config", "show", "--help").out
    assert all(name in listed for name in VARIABLES)


def test_show_prints_long_lines_whole(on_a_terminal: Callable[..., Any], files: Any) -> None:
    """A value can be copied from a narrow terminal: it is not wrapped."""
    path = files.write(f'[rorn]\nclient_id = "{"x" * 120}"')
    assert "x" * 120 in on_a_terminal("config", "show", "--config", path).out


# ------------------------------------------------------------------ init


def test_init_writes_where_ror_sante_looks(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without FILE the user's place is filled: mode 0600 in a folder 0700, and the file loads."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    done = run("config", "init")
    path = usual_places()[0]
    assert (done.code, str(path) in done.out) == (0, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_settings(environ={}).source == path


def test_init_replaces_nothing_unless_forced(run: Callable[..., Any], files: Any) -> None:
    """A settings file that is there stays, without --force."""
    path = files.write("# mine")
    done = run("config", "init", path)
    assert (done.code, path.read_text()) == (2, "# mine")
    assert "is there already" in done.err
    assert run("config", "init", path, "--force").code == 0
    assert path.read_text() == TEMPLATE
    assert [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")] == []


def test_init_into_a_missing_folder_is_two(run: Callable[..., Any], tmp_path: Path) -> None:
    """A folder that is not there is not made."""
    done = run("config", "init", tmp_path / "none" / "x.toml")
    assert done.code == 2
    assert "No such file or directory" in done.err


def test_the_template_holds_every_key_it_comments_out(files: Any) -> None:
    """Uncommented, the template loads: no key in it is a slip."""
    lines = [
        line.removeprefix("# ") if line.startswith("# ") and (" = " in line or "[" in line[:4]) else line
        for line in TEMPLATE.splitlines()
        if "Instead of" not in line
        and "intermediates" not in line
        and "ror-sante settings" not in line
        and not line.startswith(("# ROR", "# More", "# A place"))
    ]
    text = "\n".join(lines).replace("host:port", "host:8443")
    assert load_settings(files.write(text), environ={}).environments["bench"].anchors == ("root.pem",)


# ------------------------------------------------------------------ check


def test_check_opens_what_it_can(run: Callable[..., Any], files: Any) -> None:
    """Environment, anchors, certificate, account and secret files are looked at; exit code 0."""
    path = files.write('environment = "bench"\n' + IDENTITY + ACCOUNT + BENCH)
    done = run("config", "check", "--config", path)
    assert (done.code, done.err) == (0, "")
    assert "environment bench: https://api.example, trusting SIMULATEUR AC RACINE ELEMENTAIRE\n" in done.out
    assert "CN=CLIENT_WS_RORN," in done.out
    assert "account app\n" in done.out
    assert f"secret file {files.folder / 'client.pass'}: readable\n" in done.out


def test_check_tells_a_secret_that_others_may_read(run: Callable[..., Any], files: Any) -> None:
    """It works, and should not be so."""
    (files.folder / "client.pass").chmod(0o644)
    path = files.write(IDENTITY + ACCOUNT)
    assert "(others may read it: chmod 600)" in run("config", "check", "--config", path).out


def test_check_tells_everything_that_is_wrong(run: Callable[..., Any], files: Any) -> None:
    """A missing P12, an incomplete account and a missing secret file are told together."""
    path = files.write(
        '[identity]\np12 = "none.p12"\n[rorn]\nclient_id = "app"\n[annuaire]\napi_key_file = "none.key"\n'
        '[inter_ror.regions.11]\nclient_secret_file = "other.key"\n'
    )
    done = run("config", "check", "--config", path)
    assert done.code == 2
    assert "none.p12" in done.err
    assert "the account at the national ROR lacks profile, role" in done.err
    assert "none.key" in done.err


def test_check_looks_at_each_region(run: Callable[..., Any], files: Any) -> None:
    """One that leads nowhere is told beside one that is well; what it leaves out is taken from the common tables."""
    table = "[inter_ror.regions.{}]\n{}\n".format
    address = 'base_url = "https://ror.example/fhir"'
    good = [table("53", address), table("Corse", f'{address}\nclient_secret_file = "client.pass"')]
    path = files.write('environment = "bench"\n' + IDENTITY + ACCOUNT + BENCH + "\n" + "".join(good))
    done = run("config", "check", "--config", path)
    assert (done.code, done.err) == (0, "")
    assert "region Bretagne (53): https://ror.example/fhir\n" in done.out
    assert "region Corse (94): https://ror.example/fhir\n" in done.out
    bad = [table("11", 'protocol = "csd"'), table("84", f'{address}\nidentity = "other"')]
    path = files.write('environment = "bench"\n' + IDENTITY + BENCH + "\n" + "".join([*bad, *good]))
    done = run("config", "check", "--config", path)
    assert done.code == 2
    for told in ("regions.11.protocol is csd", "inter_ror.regions.84 lacks client_id", "regions.53 lacks client_id"):
        assert told in done.err


def test_check_tells_a_search_that_is_configured_as_csd(run: Callable[..., Any], files: Any) -> None:
    """Once for all regions; an environment that cannot be resolved is told once too."""
    path = files.write('environment = "bench"\n' + IDENTITY + ACCOUNT + BENCH + '\n[inter_ror]\nprotocol = "csd"\n')
    done = run("config", "check", "--config", path)
    assert (done.code, done.err.count("error: inter_ror.protocol is csd")) == (2, 1)
    path = files.write('environment = "nowhere"\n' + IDENTITY + ACCOUNT + "[inter_ror.regions.53]\n")
    assert run("config", "check", "--config", path).err.count("error: ") == 1


def test_check_ends_with_the_code_of_the_first(run: Callable[..., Any], files: Any) -> None:
    """A wrong passphrase is 3, before the account's 2."""
    (files.folder / "client.pass").write_text("wrong")
    done = run("config", "check", "--config", files.write(IDENTITY))
    assert done.code == 3
    assert "lacks client_id, profile, role" in done.err


def test_check_does_not_ask_for_a_passphrase(run: Callable[..., Any], files: Any) -> None:
    """A P12 whose passphrase nobody configured is there, and stays closed."""
    done = run("config", "check", "--config", files.write('[identity]\np12 = "client.p12"' + ACCOUNT))
    assert done.code == 0
    assert "not opened (its passphrase is not configured)" in done.out


def test_check_of_the_simulator_needs_nothing(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Account and certificate come with it."""
    monkeypatch.setenv("ROR_SANTE_ENVIRONMENT", "simulator")
    done = run("config", "check")
    assert done.code == 0
    assert done.out.startswith("no settings file: variables and defaults alone\n")


def test_check_of_profile_0_needs_no_certificate(run: Callable[..., Any], files: Any) -> None:
    """A client_secret takes the certificate's place."""
    path = files.write(ACCOUNT + 'client_secret_file = "client.pass"')
    done = run("config", "check", "--config", path)
    assert (done.code, "certificate: none is needed" in done.out) == (0, True)


def test_check_of_several_roots_counts_them(run: Callable[..., Any], files: Any) -> None:
    """More than one root is a number."""
    text = 'environment = "bench"\n' + IDENTITY + ACCOUNT + BENCH + 'api_anchors = ["igc-sante"]'
    assert "trusting 2 roots" in run("config", "check", "--config", files.write(text)).out


def test_check_reads_the_lent_intermediates(run: Callable[..., Any], files: Any) -> None:
    """Each is named by its subject; a file that is missing is told like every other."""
    text = 'environment = "bench"\n' + IDENTITY + ACCOUNT + BENCH + '[network]\nlend_intermediates = ["%s"]\n'
    done = run("config", "check", "--config", files.write(text % "root.pem"))
    assert (done.code, "root.pem: SIMULATEUR AC RACINE ELEMENTAIRE\n" in done.out) == (0, True)
    assert run("config", "check", "--config", files.write(text % "none.pem")).code == 2
