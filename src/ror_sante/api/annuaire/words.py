"""The usual questions to the Annuaire Santé in one word each: by number, name, city or mailbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError
from ror_sante.identifiers import Identifier, compact, flaws, number_of_person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ADDRESS: Final = re.compile(r"[^\s@,]+@[^\s@,]+\.[^\s@,]+")


def _rpps(value: str) -> str:
    number = compact(value)
    return _sound(Identifier.RPPS, number_of_person(number) if len(number) == 12 else number)


def _finess(value: str) -> str:
    return _sound(Identifier.FINESS, compact(value))


def _siret(value: str) -> str:
    return _sound(Identifier.SIRET, compact(value))


def _sound(kind: Identifier, number: str) -> str:
    wrong = flaws(kind, number)
    if wrong:
        raise ConfigurationError(wrong[0], hint="The plain parameter identifier takes a number unchecked.")
    return number


def _text(value: str) -> str:
    # In FHIR a comma means OR: a name that holds one is still one name.
    return value.strip().replace("\\", "\\\\").replace(",", "\\,")


def _mailbox(value: str) -> str:
    address = value.strip()
    if not _ADDRESS.fullmatch(address):
        raise ConfigurationError(
            "a mailbox is a whole address, such as name@domain.mssante.fr",
            hint="The service misses mailboxes that exist when it is asked for a part of the address.",
        )
    return address


@dataclass(frozen=True)
class _Word:
    """One question.

    Attributes:
        parameters: the search parameter that answers it, by resource type; the first type is the usual one.
        value: checks what was given, and writes it as the service takes it.
    """

    parameters: dict[str, str]
    value: Callable[[str], str]


# Pages "resources" of annuaire-sante-fhir-documentation: a number is searched without its system, which has changed.
_WORDS: Final = {
    "rpps": _Word({"Practitioner": "identifier"}, _rpps),
    "finess": _Word({"Organization": "identifier"}, _finess),
    "siret": _Word({"Organization": "identifier"}, _siret),
    "name": _Word({"Practitioner": "family", "Organization": "name:contains"}, _text),
    "city": _Word({"Organization": "address-city"}, _text),
    "mailbox": _Word(dict.fromkeys(("Practitioner", "PractitionerRole", "Organization"), "mailbox-mss"), _mailbox),
}


def criteria(
    resource_type: str,
    *,
    rpps: str | None = None,
    finess: str | None = None,
    siret: str | None = None,
    name: str | None = None,
    city: str | None = None,
    mailbox: str | None = None,
) -> list[tuple[str, str]]:
    """Write the search parameters of one or several questions, all of which must fit (AND).

    Args:
        resource_type: of the search.
        rpps: of a person: 11 digits with their check digit, or the IDNPS, which puts an 8 before them.
        finess: of a structure: 9 characters with their check digit, 2A and 2B for Corsica.
        siret: of a structure: 14 digits with both check digits.
        name: the beginning of a person's family name, or a part of a structure's name.
        city: the beginning of a structure's city.
        mailbox: a whole MSSanté address.

    Returns:
        Pairs for `AnnuaireSanteClient.search`.

    Raises:
        ConfigurationError: a number whose length or check digit is wrong, half an address, a question that is not
            one about this type.

    >>> criteria("Practitioner", rpps="8 10 00123456 5")
    [('identifier', '10001234565')]
    """
    given = {"rpps": rpps, "finess": finess, "siret": siret, "name": name, "city": city, "mailbox": mailbox}
    return list(_pairs(resource_type, {word: value for word, value in given.items() if value is not None}))


def types_asked(words: list[str]) -> tuple[str, ...]:
    """Give the resource types that all of these questions are about: several for a name or a mailbox.

    Args:
        words: names of arguments of `criteria`.
    """
    fitting = [_WORDS[word].parameters for word in words]
    return tuple(name for name in fitting[0] if all(name in other for other in fitting)) if fitting else ()


def _pairs(resource_type: str, given: dict[str, str]) -> Iterator[tuple[str, str]]:
    for word, value in given.items():
        parameter = _WORDS[word].parameters.get(resource_type)
        if parameter is None:
            fitting = " or ".join(_WORDS[word].parameters)
            raise ConfigurationError(f"{word} is a question about {fitting}, not about {resource_type}")
        written = _WORDS[word].value(value)
        if not written:
            raise ConfigurationError(f"{word} is empty")
        yield parameter, written
