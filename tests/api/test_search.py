"""Search parameters become a query string, in order and encoded once."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from ror_sante.api.fhir.search import encode, pairs
from ror_sante.errors import ConfigurationError


def test_repeated_parameters_keep_their_order() -> None:
    """The standard query of the ROR repeats _include; pairs keep every one of them where it stood."""
    given = [
        ("_include", "HealthcareService:organization"),
        ("_include:iterate", "Organization:partof"),
        ("_include", "HealthcareService:location"),
    ]
    assert encode(given) == (
        "_include=HealthcareService%3Aorganization"
        "&_include%3Aiterate=Organization%3Apartof"
        "&_include=HealthcareService%3Alocation"
    )


def test_a_mapping_with_a_list_repeats_the_parameter() -> None:
    """A mapping says the same as pairs: a list of values repeats the name."""
    listed = encode({"_lastUpdated": ["ge2026-06-01", "le2026-06-30"], "_count": 10})
    assert listed == encode([("_lastUpdated", "ge2026-06-01"), ("_lastUpdated", "le2026-06-30"), ("_count", 10)])
    assert listed == "_lastUpdated=ge2026-06-01&_lastUpdated=le2026-06-30&_count=10"


@pytest.mark.parametrize(
    "value",
    [
        "https://mos.esante.gouv.fr/NOS/TRE_R30-RegionOM/FHIR/TRE-R30-RegionOM|84",
        '(address-postalcode eq "60000" or "76620")',
        "(_lastUpdated ge 2022-11-06T15:00 or organization._lastUpdated:above ge 2022-11-06T15:00)",
        "100%25 é+&=#?\u2028",
    ],
)
def test_a_value_is_encoded_once_and_comes_back_whole(value: str) -> None:
    """Decoding the query once gives the value as it was written, `_filter` included."""
    query = encode([("_filter", value)])
    assert query.isascii()
    assert " " not in query
    assert "|" not in query
    assert "+" not in query
    assert parse_qsl(query) == [("_filter", value)]


def test_spaces_colons_and_bars_have_the_form_of_the_official_samples() -> None:
    """`|` is %7C, `:` in a name is %3A and a space is %20."""
    assert encode({"organization.identifier:above": "a|b c"}) == "organization.identifier%3Aabove=a%7Cb%20c"


def test_booleans_are_written_as_fhir_writes_them() -> None:
    """A Python True is the text true, not True nor 1."""
    assert encode({"active": True}) == "active=true"


def test_no_parameter_gives_no_query() -> None:
    """Nothing gives an empty query."""
    assert encode(()) == encode({}) == ""
    assert pairs([]) == []


@pytest.mark.parametrize("character", ["\n", "\r", "\x00", "\x7f", "\x85", "\t", "\ud800"])
def test_a_control_character_is_refused_without_showing_the_value(character: str) -> None:
    """A control character in a value is refused; the message names the parameter and not the value."""
    with pytest.raises(ConfigurationError, match="identifier holds a control") as caught:
        encode({"identifier": f"10001234567{character}x"})
    assert "10001234567" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="control character"):
        encode({f"identifier{character}": "1"})


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("name=chu", "not one text"),
        (b"name=chu", "not one text"),
        ({"name": ""}, "name is empty"),
        ({"name": "  "}, "name is empty"),
        ({"": "chu"}, "no name"),
        ([(1, "chu")], "no name"),
        ({"name": None}, "neither text nor"),
        ({"near": 1.5}, "neither text nor"),
        ([("name",)], "a pair"),
        (["name"], "a pair"),
    ],
)
def test_what_is_no_parameter_is_refused(params: object, said: str) -> None:
    """Each slip has its own sentence, before anything is sent."""
    with pytest.raises(ConfigurationError, match=said):
        encode(params)  # type: ignore[arg-type]  wrong on purpose
