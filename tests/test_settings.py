"""The settings: where they come from, which of them wins, and how errors name the key."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec
import pytest

from ror_sante import settings as module
from ror_sante.environments import Coding, Environment
from ror_sante.errors import ConfigurationError
from ror_sante.settings import (
    VARIABLES,
    IdentitySettings,
    Secret,
    Settings,
    audit_file,
    find_file,
    load_settings,
    read_secret,
    usual_places,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = """
[environments.bench]
token_url = "https://auth.example:8443/token"
api_url = "https://api.example"
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Give a way to write a settings file that is private enough to be read."""

    def _write(text: str | bytes, *, mode: int = 0o600) -> Path:
        path = tmp_path / "ror-sante.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    return _write


def refused(path: Path, **how: Any) -> ConfigurationError:
    """Load settings that cannot work, and give the error."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, environ=how.pop("environ", {}), **how)
    assert caught.value.hint
    return caught.value


# ------------------------------------------------------------------ which file


def test_without_any_file_the_defaults_hold() -> None:
    """Nothing is configured: the environment is the bac-à-sable, and there is no certificate."""
    settings = load_settings(environ={})
    assert settings == Settings()
    assert settings.resolve_environment() is Environment.bac_a_sable()
    with pytest.raises(ConfigurationError, match="no certificate is configured"):
        settings.identity_for("rorn")


def test_a_file_of_the_current_folder_is_never_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., Path]
) -> None:
    """A ror-sante.toml where one happens to stand is not read."""
    write('environment = "production"')
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}).source is None


def test_the_users_file_wins_over_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's folder is looked at first, then the system's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "system"))
    user, system = usual_places()
    for path, name in ((system, "production"), (user, "bac-a-sable")):
        path.parent.mkdir(parents=True)
        path.write_text(f'environment = "{name}"')
        path.chmod(0o600)
    assert load_settings(environ={}).source == user
    user.unlink()
    assert load_settings(environ={}) == Settings(environment="production", source=system)


def test_the_flag_wins_over_the_variable_that_names_a_file(write: Callable[..., Path]) -> None:
    """--config wins over ROR_SANTE_CONFIG, and both over the usual places."""
    path = write("")
    assert find_file(Path("/one.toml"), environ={"ROR_SANTE_CONFIG": "/two.toml"}) == Path("/one.toml")
    assert load_settings(environ={"ROR_SANTE_CONFIG": str(path)}).source == path
    assert find_file(environ={"ROR_SANTE_CONFIG": ""}) is None


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `environ`, the variables of the process count."""
    monkeypatch.setenv("ROR_SANTE_ENVIRONMENT", "production")
    assert find_file() is None
    assert load_settings().environment == "production"


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """A missing settings file is an error when it was asked for."""
    assert "cannot be read: No such file" in refused(tmp_path / "none.toml").message


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    """A directory in place of the file is refused in words."""
    assert "Is a directory" in refused(tmp_path).message


def test_a_path_with_a_nul_is_refused_in_words() -> None:
    """A path that the system cannot take is no crash."""
    assert "the name cannot be used" in refused(Path("a\0b")).message


@pytest.mark.parametrize("mode", [0o660, 0o602])
def test_a_file_that_others_may_write_is_refused(write: Callable[..., Path], mode: int) -> None:
    """Whoever writes the settings chooses which servers get our certificate."""
    assert "may be written by others" in refused(write("", mode=mode)).message


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_that_others_may_read_is_accepted(write: Callable[..., Path], mode: int) -> None:
    """The settings hold no secret."""
    assert load_settings(write("", mode=mode), environ={}).environment == "bac-a-sable"


def test_a_file_of_another_user_is_refused(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The file must be ours or root's."""
    path = write("")
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    os_fstat = os.fstat
    monkeypatch.setattr(
        os, "fstat", lambda fd: os.stat_result((stat.S_IFREG | 0o600, *os_fstat(fd)[1:4], 77, *os_fstat(fd)[5:]))
    )
    assert "belongs to another user (uid 77)" in refused(path).message


def test_a_settings_file_has_a_largest_size(write: Callable[..., Path]) -> None:
    """A file that cannot be settings is not read whole."""
    assert "larger than" in refused(write("#" * 1_100_000)).message


@pytest.mark.parametrize(("content", "words"), [(b"a = \xff", "not UTF-8"), ("a =", "is not TOML: Invalid value")])
def test_a_file_that_is_not_toml_is_refused(write: Callable[..., Path], content: str | bytes, words: str) -> None:
    """Bad bytes and bad TOML are told apart, with the line of the fault."""
    assert words in refused(write(content)).message


# ------------------------------------------------------------------ what stands in it


def test_the_design_example_is_read_whole(write: Callable[..., Path], tmp_path: Path) -> None:
    """Every table of the documentation is read, and relative paths start at the file's folder."""
    settings = load_settings(
        write(
            """
            environment = "bench"
            [identity]
            p12 = "client.p12"
            passphrase_file = "/etc/secret/client.pass"
            next = "client-2029.p12"
            intermediates = ["ACI.pem"]
            [identities.annuaire]
            certificate = "a.pem"
            key = "a.key"
            [network]
            proxy = "http://proxy.example:3128"
            proxy_user = "me"
            proxy_password_file = "proxy.pass"
            no_proxy = ["localhost"]
            read_timeout = 10
            [rorn]
            client_id = "app"
            scope = "read"
            present_certificate_to_api = false
            profile = { code = "CU22", system = "1.2.250.1.213.1.6.1.66" }
            role = { code = "AUTOMATE", system = "1.2.250.1.213.1.1.4.6" }
            [rorn.export]
            type = ["HealthcareService"]
            output_format = "application/json"
            [annuaire]
            identity = "annuaire"
            api_key_file = "key"
            [inter_ror]
            client_id = "other"
            [inter_ror.regions.11]
            base_url = "https://region.example"
            anchors = ["igc-sante"]
            """
            + BENCH
            + 'anchors = ["root.pem", "igc-sante"]\napi_anchors = ["web-pki"]\n'
        ),
        environ={},
    )
    assert settings.identity == IdentitySettings(
        p12=tmp_path / "client.p12",
        passphrase_file=Path("/etc/secret/client.pass"),
        next=tmp_path / "client-2029.p12",
        intermediates=(tmp_path / "ACI.pem",),
    )
    assert settings.identity_for("rorn") is settings.identity
    assert settings.identity_for("annuaire").key == tmp_path / "a.key"
    assert settings.rorn.profile == Coding("CU22", "1.2.250.1.213.1.6.1.66")
    assert settings.network.read_timeout == 10.0
    assert settings.inter_ror.regions["11"].base_url == "https://region.example"
    place = settings.resolve_environment()
    assert (place.name, place.fhir_base) == ("bench", "https://api.example/ws-diffusion-fhir")
    assert place.anchors == (str(tmp_path / "root.pem"), "igc-sante")
    assert (place.api_anchors, place.token_anchors) == (("web-pki",), None)


def test_a_home_path_is_expanded(write: Callable[..., Path]) -> None:
    """A tilde stands for the home folder, as in a shell."""
    settings = load_settings(write('[identity]\np12 = "~/client.p12"'), environ={})
    assert settings.identity is not None
    assert settings.identity.p12 == Path.home() / "client.p12"


def test_an_environment_without_anchors_gets_acr_el(write: Callable[..., Path]) -> None:
    """Another place trusts ACR-EL unless it says otherwise; settings made in code too."""
    settings = load_settings(write('environment = "bench"' + BENCH), environ={})
    assert settings.resolve_environment().anchors == ("igc-sante",)
    assert msgspec.structs.replace(settings, source=None).resolve_environment().anchors == ("igc-sante",)


BAD = [
    ("p13 = 1", "unknown key p13"),
    ("[identity]\np13 = 1", "unknown key identity.p13"),
    ("[identities.a]\np13 = 1", "unknown key identities.a.p13"),
    ("[rorn]\nprofile = { code = 'a', system = 'b', x = 1 }", "unknown key rorn.profile.x"),
    ("[inter_ror.regions.11]\nbase = 'x'", "unknown key inter_ror.regions.11.base"),
    ("[inter_ror.regions.11.role]\nx = 'x'", "unknown key inter_ror.regions.11.role.x"),
    ("[rorn.export]\nx = 1", "unknown key rorn.export.x"),
    ("source = 'x'", "unknown key source"),
    ("environment = 3", "environment: expected a text, got a whole number"),
    ("[identity]\np12 = 3", "identity.p12: expected a path, got a whole number"),
    ("[identity]\np12 = ''", "identity.p12: expected a path, got a text"),
    ("[identity]\np12 = true", "identity.p12: expected a path, got true or false"),
    ("[network]\nread_timeout = 'long'", "network.read_timeout: expected a number, got a text"),
    ("[network]\nread_timeout = nan", "network.read_timeout: expected a number > 0"),
    ("[network]\nread_timeout = 0", "network.read_timeout: expected a number > 0"),
    ("[network]\nread_timeout = inf", "network.read_timeout: expected a number <= 86400"),
    ("[network]\nno_proxy = 'a'", "network.no_proxy: expected a list, got a text"),
    ("[network]\nproxy = 'socks5://a'", "network: proxy is not an http:// address"),
    ("[network]\nproxy = 'http://me:secret@a'", "network: proxy is not an http:// address"),
    ("[network]\nproxy = 'http://a:99999'", "network: proxy is not an http:// address"),
    ("rorn = 3", "rorn: expected a table, got a whole number"),
    ("identities = 3", "identities must be a table of tables, not a whole number"),
    ("environments = []", "environments must be a table of tables, not a list"),
    ("identities = { a = 3.5 }", "identities.a: expected a table, got a number"),
    ("inter_ror = 3", "inter_ror: expected a table, got a whole number"),
    ("[identity]\npassphrase = 'x'", "identity.passphrase: a passphrase does not belong in the settings file"),
    ("[identity]\np12 = 'a'\nkey = 'b'", "identity: p12 and certificate/key are both given"),
    ("[identity]\ncertificate = 'a'", "identity: key is missing"),
    ("[identity]\nkey = 'a'", "identity: certificate is missing"),
    ("[rorn.profile]\ncode = 'a'", "rorn.profile.system is missing"),
    ("[environments.bench]\napi_url = 'https://a'", "environments.bench.token_url is missing"),
    (BENCH.replace("https://api", "http://api"), "environments.bench.api_url is not an https address"),
    (BENCH + "anchors = []", "environments.bench.anchors is empty"),
    (BENCH.replace("bench", "production"), "environments.production: the name is reserved"),
    (BENCH.replace("bench", "bac-a-sable"), "environments.bac-a-sable: the name is reserved"),
    (BENCH.replace("bench", "simulator"), "environments.simulator: the name is reserved"),
    ("environment = 'prod'", "unknown environment 'prod'; there are production, bac-a-sable, simulator"),
]


@pytest.mark.parametrize(("text", "words"), BAD, ids=[words for _, words in BAD])
def test_what_is_wrong_is_named_by_its_key(write: Callable[..., Path], text: str, words: str) -> None:
    """An unknown key, a wrong type or a value that cannot work is an error that names the key, and never the value."""
    error = refused(write(text))
    assert error.message.startswith(words)
    assert "secret" not in error.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[identity]\np13 = 1", "Did you mean p12?"),
        ("[rorn]\nclientid = 'a'", "Did you mean client_id?"),
        ("[rorn.profile]\ncod = 'a'", "Did you mean code?"),
        ("environment = 'bac-a-sabl'", "Did you mean bac-a-sable?"),
        ("environment = 'zzz'", "Describe it in a table [environments.zzz]."),
        ("zzz = 1", "The keys there are: environment, audit, identity,"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_name(write: Callable[..., Path], text: str, hint: str) -> None:
    """The hint names what was probably meant, else what there is."""
    assert refused(write(text)).hint.startswith(hint)


def test_a_name_without_a_table_is_refused(write: Callable[..., Path]) -> None:
    """The key identity = "NAME" needs its table."""
    settings = load_settings(write('[rorn]\nidentity = "a"\n[identities.b]\np12 = "b.p12"'), environ={})
    with pytest.raises(ConfigurationError, match=r"rorn.identity names 'a', which has no table; there: b"):
        settings.identity_for("rorn")
    with pytest.raises(ConfigurationError, match="there: none is described"):
        msgspec.structs.replace(settings, identities={}).identity_for("inter_ror")


def test_the_simulator_is_only_a_name(write: Callable[..., Path]) -> None:
    """The settings may ask for the simulator; only the command can start it."""
    settings = load_settings(write('environment = "simulator"'), environ={})
    with pytest.raises(ConfigurationError, match="exists only while something runs it"):
        settings.resolve_environment()


def test_settings_made_in_code_may_name_an_environment_that_is_none() -> None:
    """The error is the same as for a file."""
    with pytest.raises(ConfigurationError, match="unknown environment 'x'"):
        Settings(environment="x").resolve_environment()


# ------------------------------------------------------------------ variables and flags


def _scalars(kind: type[Any], prefix: str) -> set[str]:
    """List the keys that one variable can hold, from the types of the tables."""
    found = set()
    for field in msgspec.structs.fields(kind):
        name = f"{prefix}{field.name}"
        kinds = [k for k in get_args(field.type) or (field.type,) if k is not type(None)]
        first = kinds[0]
        if first is Coding:
            found |= {f"{name}.code", f"{name}.system"}
        elif get_origin(field.type) in (tuple, dict) or get_origin(first) in (tuple, dict):
            continue
        elif isinstance(first, type) and issubclass(first, msgspec.Struct):
            found |= _scalars(first, f"{name}.")
        else:
            found.add(name)
    return found


def test_every_scalar_has_a_variable_and_the_table_lists_them_all() -> None:
    """ROR_SANTE_<TABLE>_<KEY>, each in the one documented table."""
    scalars = _scalars(Settings, "") - {"source"}
    assert {key for key in VARIABLES.values() if key} == scalars
    assert all(name == "ROR_SANTE_" + key.replace(".", "_").upper() for name, key in VARIABLES.items() if key)


def test_variables_win_over_the_file_and_flags_over_variables(write: Callable[..., Path]) -> None:
    """Flags, then variables, then the file, then defaults."""
    path = write('environment = "production"\n[rorn]\nclient_id = "file"')
    assert load_settings(path, environ={}).environment == "production"
    variables = {"ROR_SANTE_ENVIRONMENT": "simulator", "ROR_SANTE_RORN_CLIENT_ID": "variable", "HOME": "/"}
    settings = load_settings(path, environ=variables)
    assert (settings.environment, settings.rorn.client_id) == ("simulator", "variable")
    assert load_settings(path, environ=variables, environment="bac-a-sable").environment == "bac-a-sable"


def test_a_variable_takes_the_type_of_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Seconds, switches and paths are converted; a relative path of a variable starts at the current folder."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings(
        environ={
            "ROR_SANTE_NETWORK_DEADLINE": "7.5",
            "ROR_SANTE_RORN_PRESENT_CERTIFICATE_TO_API": "false",
            "ROR_SANTE_IDENTITY_P12": "a.p12",
            "ROR_SANTE_RORN_PROFILE_CODE": "CU22",
            "ROR_SANTE_RORN_PROFILE_SYSTEM": "1.2",
            "ROR_SANTE_RORN_SCOPE": "",
        }
    )
    assert settings.network.deadline == 7.5
    assert settings.rorn.present_certificate_to_api is False
    assert settings.identity == IdentitySettings(p12=tmp_path / "a.p12")
    assert (settings.rorn.profile, settings.rorn.scope) == (Coding("CU22", "1.2"), None)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ROR_SANTE_NETWORK_DEADLINE", "soon", "must be a number of seconds above 0, not 'soon'"),
        ("ROR_SANTE_NETWORK_DEADLINE", "nan", "must be a number of seconds above 0"),
        ("ROR_SANTE_RORN_DELTA_OVERLAP", "-1", "must be a number of seconds from 0 to a week, not '-1'"),
        ("ROR_SANTE_RORN_PRESENT_CERTIFICATE_TO_API", "maybe", "must be true or false, not 'maybe'"),
        ("ROR_SANTE_INTER_ROR_AT_ONCE", "many", "must be a whole number, not 'many'"),
    ],
)
def test_a_variable_of_the_wrong_type_is_refused(name: str, value: str, words: str) -> None:
    """The error names the variable and its key."""
    with pytest.raises(ConfigurationError, match=f"the variable {name} {words}"):
        load_settings(environ={name: value})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ROR_SANTE_RORN_CLIENTID", "Did you mean ROR_SANTE_RORN_CLIENT_ID?"),
        ("ROR_SANTE_XYZZY_PLUGH", "ror-sante config show --help lists the variables."),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(name: str, hint: str) -> None:
    """A slip in a variable must not be silent."""
    with pytest.raises(ConfigurationError, match=f"the variable {name} means nothing here") as caught:
        load_settings(environ={name: "x"})
    assert caught.value.hint == hint


def test_a_variable_replaces_the_other_way_to_say_it(write: Callable[..., Path]) -> None:
    """A P12 from a variable takes the place of the file's certificate and key, and the reverse."""
    pem = write('[identity]\ncertificate = "a"\nkey = "b"')
    assert load_settings(pem, environ={"ROR_SANTE_IDENTITY_P12": "/x"}).identity == IdentitySettings(p12=Path("/x"))
    p12 = write('[identity]\np12 = "a"')
    variables = {"ROR_SANTE_IDENTITY_CERTIFICATE": "/c", "ROR_SANTE_IDENTITY_KEY": "/k"}
    assert load_settings(p12, environ=variables).identity == IdentitySettings(certificate=Path("/c"), key=Path("/k"))


def test_a_variable_for_a_table_that_is_none_is_refused(write: Callable[..., Path]) -> None:
    """The file says `identity = 3`: the variable cannot go into it."""
    error = refused(write("identity = 3"), environ={"ROR_SANTE_IDENTITY_P12": "x"})
    assert error.message == "identity: expected a table, got a whole number"


def test_the_p12_flag_replaces_the_configured_certificate(write: Callable[..., Path]) -> None:
    """--p12 wins over [identity] and over a service's own name; the old passphrase file does not open it."""
    path = write(
        '[identity]\np12 = "a"\npassphrase_file = "p"\n[rorn]\nidentity = "b"\n[identities.b]\np12 = "b"\n'
        '[inter_ror]\nidentity = "b"'
    )
    settings = load_settings(path, environ={}, p12=Path("/new.p12"))
    assert settings.identity_for("rorn") == IdentitySettings(p12=Path("/new.p12"))
    assert settings.identity_for("inter_ror") == IdentitySettings(p12=Path("/new.p12"))
    both = load_settings(path, environ={}, p12=Path("/new.p12"), passphrase_file=Path("/q"))
    assert both.identity_for("rorn").passphrase_file == Path("/q")


def test_the_timeout_flag_bounds_every_wait() -> None:
    """--timeout sets the connection, the silence and the whole call."""
    network = load_settings(environ={}, timeout=3).network
    assert (network.connect_timeout, network.read_timeout, network.deadline) == (3.0, 3.0, 3.0)


# ------------------------------------------------------------------ secrets


def test_the_passphrase_of_a_variable_never_shows(caplog: pytest.LogCaptureFixture) -> None:
    """It is taken with a warning, and no repr holds it."""
    variables = {"ROR_SANTE_IDENTITY_PASSPHRASE": "xyzzy", "ROR_SANTE_IDENTITY_P12": "/a.p12"}
    with caplog.at_level(logging.WARNING):
        settings = load_settings(environ=variables, p12=Path("/b.p12"))
    assert settings.identity is not None
    assert settings.identity.passphrase == "xyzzy"
    assert "xyzzy" not in repr(settings)
    assert repr(Secret("xyzzy")) == "Secret('…')"
    assert "prefer passphrase_file" in caplog.text
    assert "xyzzy" not in caplog.text


@pytest.mark.parametrize("by_flag", [True, False])
def test_a_passphrase_file_wins_over_the_variable(by_flag: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is named as directly as the variable is preferred, and nothing is warned of."""
    variables = {"ROR_SANTE_IDENTITY_PASSPHRASE": "xyzzy"}
    if not by_flag:
        variables["ROR_SANTE_IDENTITY_PASSPHRASE_FILE"] = "/p"
    settings = load_settings(environ=variables, passphrase_file=Path("/p") if by_flag else None)
    assert settings.identity == IdentitySettings(passphrase_file=Path("/p"))


def test_the_variable_wins_over_the_passphrase_file_of_the_settings_file(write: Callable[..., Path]) -> None:
    """A variable ranks above the file."""
    path = write('[identity]\np12 = "a"\npassphrase_file = "p"')
    settings = load_settings(path, environ={"ROR_SANTE_IDENTITY_PASSPHRASE": "xyzzy"})
    assert settings.identity is not None
    assert (settings.identity.passphrase, settings.identity.passphrase_file) == ("xyzzy", None)


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"xyzzy", "xyzzy"), (b"xyzzy\n", "xyzzy"), (b"xyzzy\r\n", "xyzzy"), (b"xyzzy\n\n", "xyzzy\n"), (b"", "")],
)
def test_one_trailing_newline_of_a_secret_is_dropped(tmp_path: Path, content: bytes, secret: str) -> None:
    """Editors end a file with a newline; a second one belongs to the secret."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert read_secret(path) == secret


def test_a_secret_that_cannot_be_read_is_told_without_its_content(tmp_path: Path) -> None:
    """Missing, a folder, too big, not UTF-8: one sentence each, nothing of the secret in it."""
    path = tmp_path / "secret"
    for prepare, words in (
        (lambda: None, "No such file"),
        (lambda: path.write_bytes(b"xyzzy\xff"), "is not UTF-8 text"),
        (lambda: path.write_bytes(b"x" * 70_000), "is larger than 65536 bytes"),
        (lambda: (path.unlink(), path.mkdir()), "Is a directory"),
    ):
        prepare()
        with pytest.raises(ConfigurationError, match=words) as caught:
            read_secret(path)
        assert "xyzzy" not in str(caught.value)
        assert "xyzzy" not in repr(caught.value.__cause__)


def test_nothing_else_in_the_package_reads_our_variables() -> None:
    """The names stand in one table; no other module asks the process environment for them."""
    settings = Path(module.__file__).parent
    for path in settings.parent.rglob("*.py"):
        if path.parent != settings:
            text = path.read_text(encoding="utf-8")
            assert 'environ["ROR_SANTE_' not in text
            assert 'environ.get("ROR_SANTE_' not in text


# ------------------------------------------------------------------ servers that lack something


@pytest.mark.parametrize("host", ["old.example", "OLD.example", "127.0.0.1", "::1"])
def test_a_host_of_older_suites_is_named_alone(write: Callable[..., Path], host: str) -> None:
    """A name or an address, as in a URL without scheme, port and path."""
    settings = load_settings(write(f'[network]\nwide_tls12_hosts = ["{host}"]'), environ={})
    assert settings.network.wide_tls12_hosts == (host,)


@pytest.mark.parametrize(
    "host", ["", "https://old.example", "old.example:8443", "old.example/x", "me@old.example", "[::1"]
)
def test_what_is_no_host_alone_is_refused(write: Callable[..., Path], host: str) -> None:
    """It would match nothing, without a word."""
    error = refused(write(f'[network]\nwide_tls12_hosts = ["{host}"]'))
    assert error.message.startswith("network: wide_tls12_hosts names ")


def test_lent_intermediates_lie_beside_the_settings(write: Callable[..., Path], tmp_path: Path) -> None:
    """They are paths like every other."""
    settings = load_settings(write('[network]\nlend_intermediates = ["ACI.pem"]'), environ={})
    assert settings.network.lend_intermediates == (tmp_path / "ACI.pem",)


def test_what_to_do_with_a_foreign_link_is_one_of_two_words(write: Callable[..., Path]) -> None:
    """rebase, the default, or refuse."""
    assert Settings().rorn.links == "rebase"
    assert load_settings(write('[rorn]\nlinks = "refuse"'), environ={}).rorn.links == "refuse"
    assert "rorn.links" in refused(write('[rorn]\nlinks = "follow"')).message


def test_the_pace_of_calls_is_a_setting(tmp_path: Path) -> None:
    """Twenty a second by default; a variable changes it."""
    path = tmp_path / "ror-sante.toml"
    path.write_text("", encoding="utf-8")
    path.chmod(0o600)
    assert load_settings(path, environ={}).network.calls_per_second == 20
    variable = {"ROR_SANTE_NETWORK_CALLS_PER_SECOND": "5"}
    assert load_settings(path, environ=variable).network.calls_per_second == 5


@pytest.mark.parametrize("key", ["p12", "passphrase_file"])
def test_the_home_folder_of_nobody_is_told(write: Callable[..., Path], key: str) -> None:
    """Wherever a path may stand: in the file, in a variable, in a flag, before the settings are read."""
    path = "~nobody-of-that-name/x"
    ways = [
        lambda: load_settings(write(f'[identity]\n{key} = "{path}"'), environ={}),
        lambda: load_settings(environ={f"ROR_SANTE_IDENTITY_{key.upper()}": path}),
        lambda: load_settings(environ={"ROR_SANTE_CONFIG": path}),
        lambda: load_settings(write(""), environ={}, **{key: Path(path)}),
        lambda: audit_file(environ={"ROR_SANTE_AUDIT": path}),
    ]
    for way in ways:
        with pytest.raises(ConfigurationError, match="home folder of nobody"):
            way()


def test_the_audit_file_is_known_before_the_settings_are(write: Callable[..., Path]) -> None:
    """The variable wins; the file's is relative to its folder; what cannot be read or is no text names none."""
    path = write('audit = "a.jsonl"\nnonsense = 1')
    assert audit_file(path, environ={}) == path.parent / "a.jsonl"
    assert audit_file(path, environ={"ROR_SANTE_AUDIT": "/b"}) == Path("/b")
    assert audit_file(write("audit = 5"), environ={}) is None
    assert audit_file(write("= no toml"), environ={}) is None
    assert audit_file(path.with_name("none.toml"), environ={}) is None
