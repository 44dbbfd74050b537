"""Check the numbers by which people and structures of the French health system are known.

Sources: ANS, "Modèle des objets de santé" (MOS), classes Professionnel (idNatPS), EntiteJuridique (numFINESS, numSiren)
and EntiteGeographique (numFINESS, numSiret, identifiantEG, idNatStruct); code system TRE_G07 for the type digit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ror_sante.errors import ConfigurationError


class Identifier(StrEnum):
    """A kind of national number."""

    RPPS = "RPPS"
    ADELI = "ADELI"
    FINESS = "FINESS"
    SIREN = "SIREN"
    SIRET = "SIRET"
    RPPS_RANG = "RPPS-rang"
    ADELI_RANG = "ADELI-rang"


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a number is written.

    Attributes:
        length: how many characters.
        pattern: what they may be.
        words: the same for people.
        keyed: the lengths of the beginnings that end with their own check digit.
    """

    length: int
    pattern: re.Pattern[str]
    words: str
    keyed: tuple[int, ...]


# A department opens FINESS and ADELI numbers: 2A and 2B are the two of Corsica.
_DIGITS: Final = re.compile(r"[0-9]+")
_DEPARTMENT_FIRST: Final = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]+")
_RULES: Final = {
    Identifier.RPPS: _Rule(11, _DIGITS, "11 digits", (11,)),
    Identifier.ADELI: _Rule(9, _DEPARTMENT_FIRST, "9 digits, 2A and 2B at the start for Corsica", (9,)),
    Identifier.FINESS: _Rule(9, _DEPARTMENT_FIRST, "9 digits, 2A and 2B at the start for Corsica", (9,)),
    Identifier.SIREN: _Rule(9, _DIGITS, "9 digits", (9,)),
    Identifier.SIRET: _Rule(14, _DIGITS, "14 digits", (9, 14)),
    Identifier.RPPS_RANG: _Rule(14, _DIGITS, "14 digits: the RPPS, the rank on 2 and a check digit", (11, 14)),
    Identifier.ADELI_RANG: _Rule(11, _DEPARTMENT_FIRST, "11 characters: the ADELI and the rank on 2 digits", (9,)),
}

# TRE_G07 TypeIdentifiantStructure: the digit that opens a Struct_IdNat, the OU of an IGC-Santé certificate.
STRUCTURE_DIGITS: Final = {
    Identifier.ADELI_RANG: "0",
    Identifier.FINESS: "1",
    Identifier.SIREN: "2",
    Identifier.SIRET: "3",
    Identifier.RPPS_RANG: "4",
}

# MOS, class Professionnel, idNatPS (the IDNPS): a digit for the kind, then the number. Column 1 of the extractions of
# the Annuaire Santé holds the same digit.
PERSON_DIGITS: Final = {Identifier.ADELI: "0", Identifier.RPPS: "8"}

# INSEE: the establishments of La Poste are too many for Luhn's rule; the sum of their digits is a multiple of five.
_LA_POSTE: Final = "356000000"


def compact(number: str) -> str:
    """Write a number as registers do: no blank, dot or hyphen between its digits, letters in capitals.

    >>> compact("187 512 751 00020")
    '18751275100020'
    """
    return re.sub(r"[\s.\-]", "", number).upper()


def flaws(kind: Identifier, number: str) -> tuple[str, ...]:
    """Say what is wrong with a number, without quoting it: an RPPS number is somebody's.

    A sound number is not thereby given to anybody: only a register can tell. The samples of the TEST tree break these
    rules on purpose.

    Args:
        kind: what the number claims to be.
        number: compact, see `compact`.

    Returns:
        One sentence a flaw; nothing when the number is well made.

    >>> flaws(Identifier.FINESS, "2B0000020")
    ()
    >>> flaws(Identifier.SIREN, "187512752")
    ('the check digit of this SIREN is wrong',)
    """
    rule = _RULES[kind]
    if len(number) != rule.length:
        return (f"a number of the kind {kind} has {rule.words}; this one has {len(number)} characters",)
    if not (number.isascii() and rule.pattern.fullmatch(number)):
        return (f"a number of the kind {kind} has {rule.words}; this one holds something else",)
    if all(_is_keyed(number[:length]) for length in rule.keyed):
        return ()
    return (f"the check digit of this {kind} is wrong",)


def structure_id(kind: Identifier, number: str) -> str:
    """Give the Struct_IdNat of a structure: the digit of the kind, then the number.

    Raises:
        ConfigurationError: a structure has no number of this kind.

    >>> structure_id(Identifier.SIRET, "18751275100020")
    '318751275100020'
    """
    if kind not in STRUCTURE_DIGITS:
        raise ConfigurationError(
            f"a structure is not known by a number of the kind {kind}",
            hint=f"It has one of: {', '.join(STRUCTURE_DIGITS)}.",
        )
    return STRUCTURE_DIGITS[kind] + number


def structure_kind(structure: str) -> Identifier | None:
    """Tell the kind of number that a Struct_IdNat holds by its first digit; None when that digit is not in use.

    >>> structure_kind("10B0221636")
    <Identifier.FINESS: 'FINESS'>
    """
    return next((kind for kind, digit in STRUCTURE_DIGITS.items() if structure.startswith(digit)), None)


def person_id(kind: Identifier, number: str) -> str:
    """Give the IDNPS of a person: the digit of the kind, then the number.

    Raises:
        ConfigurationError: a person has no number of this kind.

    >>> person_id(Identifier.RPPS, "10001234565")
    '810001234565'
    """
    if kind not in PERSON_DIGITS:
        raise ConfigurationError(
            f"a person is not known by a number of the kind {kind}", hint=f"It has one of: {', '.join(PERSON_DIGITS)}."
        )
    return PERSON_DIGITS[kind] + number


def number_of_person(person: str) -> str:
    """Take the digit of the kind off an IDNPS; a text that starts with no such digit stays as it is.

    >>> number_of_person("810001234565")
    '10001234565'
    """
    return person[1:] if person[:1] in PERSON_DIGITS.values() else person


def structure_flaws(structure: str) -> tuple[str, ...]:
    """Say what is wrong with a Struct_IdNat, such as the OU of a certificate; nothing when it is well made."""
    kind = structure_kind(structure)
    if kind is None:
        digits = ", ".join(f"{digit} {kind}" for kind, digit in STRUCTURE_DIGITS.items())
        return (f"a structure's identifier opens with a digit for its kind ({digits})",)
    return flaws(kind, structure[1:])


def _is_keyed(number: str) -> bool:
    """Tell whether the last digit is the check digit of the others."""
    if len(number) == _RULES[Identifier.SIRET].length and number.startswith(_LA_POSTE) and _sum(number) % 5 == 0:
        return True
    return luhn(number) == 0


def _sum(number: str) -> int:
    return sum(map(_value, number))


def luhn(number: str) -> int:
    """Give what Luhn's rule (ISO/IEC 7812-1 annex B) leaves of a number: 0 when its last digit is right.

    The letters of Corsica count as the digits 1 and 2: so it is in the FINESS of the hospitals of Ajaccio
    and Bastia, and in 0B0221636 of a TEST certificate of 2025.
    """
    doubled = (2 * _value(character) for character in number[-2::-2])
    plain = sum(_value(character) for character in number[::-2])
    return (plain + sum(twice - 9 if twice > 9 else twice for twice in doubled)) % 10


def _value(character: str) -> int:
    return int(character) if character.isdigit() else "AB".index(character) + 1
