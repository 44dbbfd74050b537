"""Code systems and regions by their short names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ror_sante.api import nos
from ror_sante.errors import ConfigurationError
from ror_sante.simulator import vocabulary as words

ACTIVITY = "https://mos.esante.gouv.fr/NOS/TRE_R211-ActiviteOperationnelle/FHIR/TRE-R211-ActiviteOperationnelle"


@pytest.mark.parametrize("name", ["R211", "TRE_R211", "R211-ActiviteOperationnelle", ACTIVITY])
def test_a_table_has_one_address(name: str) -> None:
    """The short name, with its prefix or its title, and the address itself are the same code system."""
    assert nos.system(name) == ACTIVITY


def test_the_addresses_are_those_of_the_simulators_data() -> None:
    """What the simulator writes into its resources, and what the documents show, is what a short name gives."""
    for address in (words.REGION, words.COMMUNE_SEARCH, words.CARE_MODE, words.CAPACITY_STATUS, words.PROFESSION):
        short = re.search(r"TRE_([A-Z]\d+)", address)
        assert short is not None
        assert nos.system(short[1]) == address


def test_a_table_with_two_names_wants_its_title() -> None:
    """The documents call R350 by two names: alone it is refused, with its title it is taken."""
    assert nos.system("R350-ThematiqueAnomalie").endswith(
        "/TRE_R350-ThematiqueAnomalie/FHIR/TRE-R350-ThematiqueAnomalie"
    )
    with pytest.raises(ConfigurationError) as caught:
        nos.system("R350")
    assert caught.value.hint.startswith("Close to it: R3")


@pytest.mark.parametrize("name", ["X", "ActiviteOperationnelle", "", "R211 "])
def test_what_is_no_table_is_refused(name: str) -> None:
    """The hint says what else can be written."""
    with pytest.raises(ConfigurationError, match="no code system") as caught:
        nos.system(name)
    assert "Write the whole address" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("R211|013", f"{ACTIVITY}|013"),
        (f"{ACTIVITY}|013", f"{ACTIVITY}|013"),
        ("013", "013"),
        ("|11/1", "|11/1"),
        ("R211|", f"{ACTIVITY}|"),
        ("urn:oid:1.2.250.1.71.4.2.1|10001234567", "urn:oid:1.2.250.1.71.4.2.1|10001234567"),
    ],
)
def test_a_code_is_completed(value: str, written: str) -> None:
    """A short name before the bar becomes its address; everything else passes as it is."""
    assert nos.token(value) == written


@pytest.mark.parametrize(
    ("region", "code"),
    [
        ("53", "53"),
        ("Bretagne", "53"),
        ("BRETAGNE", "53"),
        ("01", "01"),
        ("ile de france", "11"),
        ("cote d'azur", None),
    ],
)
def test_a_region_is_found_by_code_or_name(region: str, code: str | None) -> None:
    """Case, accents and dashes do not matter; half a name is not enough."""
    if code is None:
        with pytest.raises(ConfigurationError, match="is no region"):
            nos.region_code(region)
    else:
        assert nos.region_code(region) == code


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("1", '"01" is Guadeloupe'),
        ("Bretagn", "Did you mean Bretagne (53)?"),
        ("zzz", "There are 01 Guadeloupe"),
        (1, '"01", never 1'),
    ],
)
def test_a_wrong_region_gets_a_hint(region: Any, hint: str) -> None:
    """A lost zero, a slip, an unknown word, a number: each has its own advice."""
    with pytest.raises(ConfigurationError) as caught:
        nos.region_code(region)
    assert hint in caught.value.hint


def test_a_region_as_a_tag() -> None:
    """The source region is a token of TRE_R30."""
    assert nos.region_token("Île-de-France") == f"{words.REGION}|11"


def test_the_eighteen_regions_are_texts_of_two_digits() -> None:
    """Leading zeros are kept."""
    assert len(nos.REGIONS) == 18
    assert all(re.fullmatch(r"\d\d", code) for code in nos.REGIONS)
