"""The built-in places are what the documents say, and a place of one's own is checked when it is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ror_sante.environments import Environment
from ror_sante.errors import ConfigurationError

OWN = Environment(name="bench", token_url="https://host:8443/token", api_url="https://host:8443/")


@pytest.mark.parametrize(
    ("name", "root", "test"), [("production", "igc-sante", False), ("bac-a-sable", "igc-sante-test", True)]
)
def test_a_built_in_place_trusts_one_tree(name: str, root: str, test: bool) -> None:
    """Production trusts ACR-EL alone, the bac-à-sable ACR-EL-TEST alone, on both hosts."""
    place = Environment.named(name)
    assert (place.anchors, place.token_anchors, place.api_anchors, place.test) == ((root,), None, None, test)


def test_the_built_in_places_have_names_of_their_own() -> None:
    """They are also reached without spelling a name."""
    assert Environment.production() is Environment.named("production")
    assert Environment.bac_a_sable() is Environment.named("bac-a-sable")


def test_host_and_service_path_stand_apart() -> None:
    """The FHIR base is the host and the path, whether or not the host ends with a slash."""
    assert OWN.fhir_base == "https://host:8443/ws-diffusion-fhir"
    assert replace(OWN, diffusion_path="/fhir/").fhir_base == "https://host:8443/fhir"


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A slip in the name of a place shows what there is."""
    with pytest.raises(ConfigurationError, match="'prod'; the built-in ones are production, bac-a-sable") as caught:
        Environment.named("prod")
    assert "[environments.prod]" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["http://host", "https://", "https://me@host", "https://host:99999", "https://[::1", "host", "ftp://host"]
)
def test_only_https_addresses_without_a_user_are_accepted(url: str) -> None:
    """Another scheme, no host, a user name or a bad port is refused, and the key is named."""
    with pytest.raises(ConfigurationError, match=r"environments\.bench\.api_url is not an https address"):
        replace(OWN, api_url=url)


def test_the_service_path_starts_with_a_slash() -> None:
    """A path that would melt into the host is refused."""
    with pytest.raises(ConfigurationError, match="diffusion_path must start with '/'"):
        replace(OWN, diffusion_path="ws-diffusion-fhir")


def test_a_place_trusts_somebody() -> None:
    """An empty list of anchors is refused; leaving it out means ACR-EL."""
    assert OWN.anchors == ("igc-sante",)
    with pytest.raises(ConfigurationError, match="anchors is empty"):
        replace(OWN, anchors=())
