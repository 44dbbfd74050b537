"""National numbers: length, letters of Corsica, check digits, and the digit that opens a structure's identifier."""

from __future__ import annotations

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.identifiers import (
    STRUCTURE_DIGITS,
    Identifier,
    compact,
    flaws,
    luhn,
    number_of_person,
    person_id,
    structure_flaws,
    structure_id,
    structure_kind,
)

# Of structures, public in FINESS and SIRENE; the RPPS and ADELI numbers are made: nobody bears them.
SOUND = [
    (Identifier.SIREN, "187512751"),
    (Identifier.SIRET, "18751275100020"),
    (Identifier.FINESS, "010780195"),
    (Identifier.FINESS, "970100178"),
    (Identifier.FINESS, "2A0000014"),
    (Identifier.FINESS, "2B0000020"),
    (Identifier.RPPS, "99900000011"),
    (Identifier.RPPS_RANG, "99900000011018"),
    (Identifier.ADELI, "990000010"),
    (Identifier.ADELI_RANG, "99000001001"),
]


@pytest.mark.parametrize(("kind", "number"), SOUND)
def test_a_sound_number_has_no_flaw(kind: Identifier, number: str) -> None:
    """Each kind accepts a well-made number."""
    assert flaws(kind, number) == ()


@pytest.mark.parametrize(("kind", "number"), SOUND)
def test_one_wrong_digit_shows(kind: Identifier, number: str) -> None:
    """Whatever single digit of a keyed part changes, the check digit tells."""
    for place, digit in enumerate(number[:9]):
        if digit.isdigit():
            other = number[:place] + str((int(digit) + 1) % 10) + number[place + 1 :]
            assert len(flaws(kind, other)) == 1, place


@pytest.mark.parametrize(("kind", "number"), SOUND)
def test_one_digit_more_or_fewer_shows(kind: Identifier, number: str) -> None:
    """The length is named, and the number is not quoted."""
    for other in (number + "0", number[:-1], ""):
        (said,) = flaws(kind, other)
        assert f"this one has {len(other)} characters" in said
        assert not other or other not in said


@pytest.mark.parametrize("number", ["2C0000014", "A20000014", "2A000001B", "01078019٥", "2a0000014"])
def test_letters_are_those_of_corsica_at_the_start(number: str) -> None:
    """Another letter, another place, small letters, or a digit of another script: refused."""
    (said,) = flaws(Identifier.FINESS, number)
    assert "something else" in said


def test_the_two_corsican_departments_differ() -> None:
    """2A and 2B count differently in the check digit."""
    assert flaws(Identifier.FINESS, "2B0000014") == ("the check digit of this FINESS is wrong",)


def test_a_siret_holds_a_sound_siren() -> None:
    """Luhn's rule over the whole is not enough: the first nine digits obey it too."""
    number = "18751276000000"
    whole = next(f"{number[:-1]}{last}" for last in range(10) if luhn(f"{number[:-1]}{last}") == 0)
    assert flaws(Identifier.SIRET, whole) == ("the check digit of this SIRET is wrong",)


def test_la_poste_is_the_exception() -> None:
    """Its establishments have a digit sum that is a multiple of five; nobody else's may."""
    assert flaws(Identifier.SIRET, "35600000049837") == ()
    assert flaws(Identifier.SIRET, "35600000049838") != ()


def test_compact_takes_out_what_people_put_in() -> None:
    """Blanks of all kinds, dots, hyphens; letters become capitals."""
    assert compact(" 2a\u00a0000.00-14 ") == "2A0000014"


def test_a_structure_is_its_kind_then_its_number() -> None:
    """The five digits in use, there and back."""
    for kind in STRUCTURE_DIGITS:
        number = dict(SOUND)[kind]
        structure = structure_id(kind, number)
        assert structure == STRUCTURE_DIGITS[kind] + number
        assert structure_kind(structure) is kind
        assert structure_flaws(structure) == ()


@pytest.mark.parametrize("kind", [Identifier.RPPS, Identifier.ADELI])
def test_a_person_is_no_structure(kind: Identifier) -> None:
    """The number of a person needs its rank to name a practice."""
    with pytest.raises(ConfigurationError, match="a structure is not known by") as caught:
        structure_id(kind, "99900000011")
    assert "RPPS-rang" in caught.value.hint


@pytest.mark.parametrize("structure", ["", "918751275100020", "X010780195"])
def test_another_first_digit_is_named(structure: str) -> None:
    """The digits in use are listed."""
    assert structure_kind(structure) is None
    assert "0 ADELI-rang, 1 FINESS, 2 SIREN, 3 SIRET, 4 RPPS-rang" in structure_flaws(structure)[0]


def test_certificates_of_the_test_tree_as_they_are() -> None:
    """One real TEST certificate has another department letter, and ANS's own sample a SIRET of ten digits."""
    assert luhn("0B0221636") == 0
    assert "something else" in structure_flaws("10B0221636")[0]
    assert "this one has 10 characters" in structure_flaws("33333333333")[0]


def test_a_person_is_known_by_a_digit_and_a_number() -> None:
    """An IDNPS is the digit of the kind and the number; a plain RPPS has no such digit."""
    assert person_id(Identifier.RPPS, "10001234565") == "810001234565"
    assert person_id(Identifier.ADELI, "2A0000020") == "02A0000020"
    assert number_of_person("810001234565") == number_of_person("10001234565") == "10001234565"


def test_a_structure_number_is_no_persons() -> None:
    """A FINESS opens no IDNPS."""
    with pytest.raises(ConfigurationError, match="a person is not known by"):
        person_id(Identifier.FINESS, "2B0000020")
