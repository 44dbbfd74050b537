"""Links and paths stay on the configured origin."""

from __future__ import annotations

import pytest

from ror_sante.api.origins import OriginRule
from ror_sante.errors import ConfigurationError, UnexpectedResponseError

API = "https://api.example"
SERVICE = "/ws-diffusion-fhir"
AT = f"{API}{SERVICE}/Location?_count=1"
RULE = OriginRule(API, SERVICE)


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        (f"{API}{SERVICE}?_getpages=a&_count=2", f"{API}{SERVICE}?_getpages=a&_count=2"),
        (f"https://API.example:443{SERVICE}?p=1", f"{API}{SERVICE}?p=1"),
        (f"https://someone@api.example{SERVICE}?p=1", f"{API}{SERVICE}?p=1"),
        (f"{API}/elsewhere?p=1", f"{API}/elsewhere?p=1"),
        ("?_getpages=a", f"{API}{SERVICE}/Location?_getpages=a"),
        (f"{SERVICE}/Location?p=2", f"{API}{SERVICE}/Location?p=2"),
        (f"{API}{SERVICE}", f"{API}{SERVICE}"),
        (f"{API}{SERVICE}?a=b|c d&e=%7C+é", f"{API}{SERVICE}?a=b%7Cc%20d&e=%7C+%C3%A9"),
    ],
)
def test_a_link_of_our_own_origin_is_followed(link: str, followed: str) -> None:
    """Same scheme, host and port: followed, encoded no further, whatever `links` says."""
    assert RULE.follow(link, at=AT) == followed
    assert OriginRule(API, SERVICE, "refuse").follow(link, at=AT) == followed


@pytest.mark.parametrize(
    "foreign",
    [
        "https://api.rordev.esante.gouv.fr",
        "https://api.example:8443",
        "https://api.example.evil.example",
        "https://api.example@evil.example",
        "http://api.example",
        "http://10.0.0.7:8080",
        "ftp://api.example",
        "//evil.example",
    ],
)
def test_another_origin_under_our_service_path_is_rebased(foreign: str) -> None:
    """A link that names another host, port or scheme is asked on the configured origin, never on its own."""
    assert RULE.follow(f"{foreign}{SERVICE}?_getpages=a", at=AT) == f"{API}{SERVICE}?_getpages=a"


def test_another_origin_is_refused_when_the_setting_says_so() -> None:
    """With links="refuse" the same link is an error that names the host and hides the values."""
    with pytest.raises(UnexpectedResponseError, match="refuse") as caught:
        OriginRule(API, SERVICE, "refuse").follow(f"https://evil.example{SERVICE}?_getpages=uuid", at=AT)
    assert "evil.example" in str(caught.value)
    assert "uuid" not in str(caught.value)
    assert caught.value.url == f"{API}{SERVICE}/Location?_count=…"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/fhir?_getpages=a",
        "https://evil.example/ws-diffusion-fhir-2?p=1",
        "https://evil.example/",
        "javascript:alert(1)",
        f"https://evil.example{SERVICE}/../secret",
        f"{API}{SERVICE}/%2e%2e/secret",
        f"https://evil.example\\{SERVICE}?p=1",
        f"{API}{SERVICE}?p=1\r\nX: y",
        "https://[::1/x",
        "https://api.example:port/x",
    ],
)
def test_any_other_link_is_refused(link: str) -> None:
    """A foreign path, a climbing path, control characters and broken addresses are not followed."""
    with pytest.raises(UnexpectedResponseError, match="not followed"):
        RULE.follow(link, at=AT)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/ws-synchro-dispo-lits-fhir/Location", f"{API}/ws-synchro-dispo-lits-fhir/Location"),
        (f"{SERVICE}/Location?a=%7C", f"{API}{SERVICE}/Location?a=%7C"),
        (f"{API}{SERVICE}/$export-poll-status?_jobId=1", f"{API}{SERVICE}/$export-poll-status?_jobId=1"),
        ("https://API.example:443", f"{API}/"),
    ],
)
def test_a_path_of_the_caller_is_asked_on_the_configured_origin(path: str, address: str) -> None:
    """An absolute path, or a whole address on the same origin, is taken as it is."""
    assert RULE.address(path) == address


@pytest.mark.parametrize(
    "path",
    [
        "metadata",
        "",
        "https://evil.example/ws-diffusion-fhir",
        "http://api.example/ws-diffusion-fhir",
        "https://me@api.example/x",
        "https://[api.example/x",
        "//evil.example/x",
        "/a/../b",
        "/a/%2E%2e/b",
        "/a b",
        "/é",
        "/a#b",
        "/a\nb",
        "/a\\b",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """Another origin, a relative path, a climbing path or a stray character is the caller's mistake."""
    with pytest.raises(ConfigurationError, match="the path of the request"):
        RULE.address(path)


def test_the_path_below_the_service_is_told() -> None:
    """What stands below the service path, or None outside of it."""
    assert RULE.service_relative(AT) == "Location"
    assert RULE.service_relative(f"{API}{SERVICE}?_getpages=a") == ""
    assert RULE.service_relative(f"{API}/ws-synchro-dispo-lits-fhir/Location") is None
    assert RULE.service_relative(f"{API}{SERVICE}-2/Location") is None


def test_a_service_at_the_root_owns_every_path() -> None:
    """With an empty service path every path is ours."""
    assert OriginRule(API, "").service_relative(f"{API}/Location/1") == "Location/1"


def test_a_wrong_setting_is_refused_at_once() -> None:
    """Neither rebase nor refuse, or an address without https, fails where it is set."""
    with pytest.raises(ConfigurationError, match="links"):
        OriginRule(API, SERVICE, "follow")  # type: ignore[arg-type]  wrong on purpose
    with pytest.raises(ConfigurationError, match="api_url"):
        OriginRule("http://api.example", SERVICE)
