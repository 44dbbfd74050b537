"""A proxy is named explicitly and never shows its password."""

from __future__ import annotations

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.http.proxy import Proxy
from ror_sante.settings import NetworkSettings


def test_the_password_is_not_shown() -> None:
    """Repr is safe to paste in a ticket."""
    proxy = Proxy("http://proxy:3128", user="me", password="canary")

    assert "canary" not in repr(proxy)
    assert proxy.authorization == "Basic bWU6Y2FuYXJ5"


def test_without_a_user_there_is_no_authorization() -> None:
    """A proxy that asks for nothing is sent nothing."""
    assert Proxy("http://proxy:3128").authorization == ""


@pytest.mark.parametrize(
    "url",
    ["https://proxy:3128", "socks5://proxy", "http://me:canary@proxy", "proxy:3128", "http://", "http://[::1", ""],
)
def test_what_is_no_plain_http_proxy_is_refused(url) -> None:
    """Https and socks proxies, and credentials in the address, are refused without showing them."""
    with pytest.raises(ConfigurationError) as caught:
        Proxy(url)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "served"),
    [("ror.fr", True), ("intra.chu.fr", False), ("chu.fr", False), ("notchu.fr", True), ("localhost", False)],
)
def test_hosts_of_no_proxy_are_reached_directly(host, served) -> None:
    """A name covers its subdomains, with a leading dot, a star, or nothing."""
    proxy = Proxy("http://proxy:3128", no_proxy=(".chu.fr", "localhost"))

    assert served is proxy.serves(host)


def test_a_star_switches_the_proxy_off() -> None:
    """no_proxy=* is the environment's way to say none."""
    assert not Proxy("http://proxy:3128", no_proxy=("*",)).serves("ror.fr")


def test_the_environment_is_read_on_request_alone(monkeypatch) -> None:
    """The proxy of the environment comes with its credentials apart and its exceptions."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:p%40ss@proxy:3128/")
    monkeypatch.setenv("NO_PROXY", "localhost, .chu.fr")

    assert Proxy("http://proxy:3128", user="me", password="p@ss", no_proxy=("localhost", ".chu.fr")) == (
        Proxy.from_environment()
    )


@pytest.mark.parametrize(("value", "url"), [("proxy:3128", "http://proxy:3128"), ("", None)])
def test_the_environment_may_omit_the_scheme_or_everything(monkeypatch, value, url) -> None:
    """host:port means http, and no variable means no proxy."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    proxy = Proxy.from_environment()

    assert url == (proxy and proxy.url)


def test_without_a_setting_there_is_no_proxy() -> None:
    """The default is a direct connection."""
    assert Proxy.from_settings(NetworkSettings()) is None


def test_the_settings_name_the_proxy_and_a_file_holds_its_password(tmp_path) -> None:
    """Address, user and exceptions are keys; the password is read from its file, when there is one."""
    (tmp_path / "pw").write_text("canary\n")
    keys = {"proxy": "http://proxy:3128", "proxy_user": "me", "no_proxy": ("localhost",)}
    bare = Proxy("http://proxy:3128", user="me", no_proxy=("localhost",))

    assert Proxy.from_settings(NetworkSettings(**keys)) == bare
    made = Proxy.from_settings(NetworkSettings(**keys, proxy_password_file=tmp_path / "pw"))
    assert made is not None
    assert made.password == "canary"


def test_the_settings_may_name_the_environment(monkeypatch) -> None:
    """The word "environment" reads HTTPS_PROXY; any other value leaves it alone."""
    monkeypatch.setenv("HTTPS_PROXY", "http://outside:3128")

    assert Proxy.from_settings(NetworkSettings(proxy="environment")) == Proxy("http://outside:3128")
    assert Proxy.from_settings(NetworkSettings(proxy="http://named:1")) == Proxy("http://named:1")


def test_a_proxy_of_the_environment_that_is_no_address_is_refused(monkeypatch) -> None:
    """A slip in HTTPS_PROXY is a sentence of ours."""
    monkeypatch.setenv("HTTPS_PROXY", "http://[::1")
    with pytest.raises(ConfigurationError, match="http://host:port"):
        Proxy.from_environment()
