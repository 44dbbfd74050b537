"""A synthetic Annuaire Santé: five types of resources made from a seed, in the shape that its FHIR gateway sends."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ror_sante.errors import ConfigurationError
from ror_sante.identifiers import luhn
from ror_sante.simulator import vocabulary as words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = dict[str, Any]

# Technical ids of the published examples: a number for the type, then one for the record.
PREFIXES: Final = {
    "Practitioner": "003",
    "PractitionerRole": "005",
    "Organization": "001",
    "HealthcareService": "004",
    "Device": "002",
}
TYPES: Final = tuple(PREFIXES)

_IDENTIFIERS: Final = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
_KINDS: Final = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307"
_MAIL: Final = words.terminology("TRE_R256-TypeMessagerie")
_RPPS: Final = "https://rpps.esante.gouv.fr"
_IDNPS: Final = words.RPPS
_EMAIL: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"

_START: Final = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
_MINUTES: Final = 3 * 365 * 24 * 60  # records were last changed in the three years from the start
_PARIS: Final = timezone(timedelta(hours=1))  # answers carry an offset, never Z
_SCARCE: Final = 40  # people for one heavy equipment


def keyed(number: str) -> str:
    """Add the check digit that Luhn's rule wants."""
    return next(f"{number}{digit}" for digit in range(10) if luhn(f"{number}{digit}") == 0)


def rpps(number: int) -> str:
    """Give the RPPS of a person: nobody bears one that starts with 999."""
    return keyed(f"999{number:07d}")


def finess(number: int) -> str:
    """Give the FINESS of a structure: there is no department 99."""
    return keyed(f"990{number:05d}")


def siret(number: int) -> str:
    """Give the SIRET of a structure: no SIREN is issued under 999."""
    return keyed(f"{keyed(f'999{number:05d}')}0001")


@dataclass(frozen=True)
class Annuaire:
    """All records of one seed, and what has happened to them since.

    Attributes:
        size: how many people there are; the other types follow from it.
        seed: another seed gives other records.
        edited: when records were edited, in seconds since the epoch, by their reference.
        deactivated: when records were deactivated, likewise.
    """

    size: int = 5000
    seed: int = 1
    edited: Mapping[str, int] = field(default_factory=dict)
    deactivated: Mapping[str, int] = field(default_factory=dict)

    def count(self, resource_type: str) -> int:
        """Tell how many records of a type there are."""
        structures = -(-self.size // 4)
        return {"Organization": structures, "HealthcareService": structures, "Device": -(-self.size // _SCARCE)}.get(
            resource_type, self.size
        )

    def references(self, resource_type: str) -> Sequence[str]:
        """Give the references of a type, in the order of their ids."""
        prefix = PREFIXES[resource_type]
        return [f"{resource_type}/{prefix}-{100_000 + number}" for number in range(self.count(resource_type))]

    def payload(self, reference: str) -> Json | None:
        """Give a resource by its reference; what a deactivated one still says is little."""
        number = self._number(reference)
        if number is None:
            return None
        resource = _made(self.seed, self.size, reference.partition("/")[0], number)
        at = self.deactivated.get(reference, self.edited.get(reference))
        if at is not None:
            resource = resource | {"meta": resource["meta"] | {"lastUpdated": instant(at)}}
        return _left_of(resource) if reference in self.deactivated else resource

    def updated(self, reference: str) -> int:
        """Tell when a record was last changed, in seconds since the epoch."""
        at = self.deactivated.get(reference, self.edited.get(reference))
        return at if at is not None else _updated(self.seed, *reference.split("/"))

    def changed(self, edited: Mapping[str, int], deactivated: Mapping[str, int], *, at: int) -> Annuaire:
        """Let records be edited or deactivated; which ones, the seed says.

        Args:
            edited: how many of each type.
            deactivated: how many of each type.
            at: seconds since the epoch.

        Raises:
            ConfigurationError: no such type, or more than are left.
        """
        off = {**self.deactivated, **dict.fromkeys(self._drawn(deactivated, but=self.deactivated), at)}
        on = {**self.edited, **dict.fromkeys(self._drawn(edited, but=off), at)}
        return Annuaire(self.size, self.seed, edited=on, deactivated=off)

    def _drawn(self, wanted: Mapping[str, int], *, but: Mapping[str, int]) -> list[str]:
        found: list[str] = []
        for resource_type, count in wanted.items():
            if resource_type not in TYPES:
                raise ConfigurationError(f"the Annuaire Santé has no {resource_type}; there are {', '.join(TYPES)}")
            left = [reference for reference in self.references(resource_type) if reference not in but]
            if not 0 <= count <= len(left):
                raise ConfigurationError(f"there are {len(left)} active {resource_type}, not {count}")
            found += sorted(left, key=lambda reference: zlib.crc32(f"{self.seed}/{reference}".encode()))[:count]
        return found

    def _number(self, reference: str) -> int | None:
        resource_type, _, key = reference.partition("/")
        digits = key.removeprefix(f"{PREFIXES.get(resource_type, '')}-")
        if resource_type not in TYPES or not (digits.isascii() and digits.isdecimal() and len(digits) < 9):
            return None
        number = int(digits) - 100_000
        fits = 0 <= number < self.count(resource_type) and key == f"{PREFIXES[resource_type]}-{digits}"
        return number if fits else None


def instant(at: int) -> str:
    """Write a time as the gateway does."""
    return datetime.fromtimestamp(at, _PARIS).isoformat(timespec="milliseconds")


def encoded(resource: Json) -> bytes:
    """Write a resource."""
    return msgspec.json.encode(resource)


# ------------------------------------------------------------------ one of each


@lru_cache(maxsize=20_000)
def _made(seed: int, size: int, resource_type: str, number: int) -> Json:
    key = f"{PREFIXES[resource_type]}-{100_000 + number}"
    base = {
        "resourceType": resource_type,
        "id": key,
        "meta": {
            # One published sample has a number here, the others a text.
            "versionId": 2 if number % 7 == 0 else "1",
            "lastUpdated": instant(_updated(seed, resource_type, key)),
            "source": "https://annuaire.sante.fr",
        },
        "language": "fr",
    }
    chance = zlib.crc32(f"{seed}/{resource_type}/{number}".encode())
    writers = {
        "Practitioner": _person,
        "PractitionerRole": _role,
        "Organization": _structure,
        "HealthcareService": _service,
        "Device": _device,
    }
    return base | writers[resource_type](number, chance, -(-size // 4))


def _updated(seed: int, resource_type: str, key: str) -> int:
    return _START + 60 * (zlib.crc32(f"{seed}/{resource_type}/{key}/updated".encode()) % _MINUTES)


def _person(number: int, chance: int, _structures: int) -> Json:
    family = words.FAMILY_NAMES[chance % len(words.FAMILY_NAMES)]
    given, _ = words.GIVEN_NAMES[chance // 7 % len(words.GIVEN_NAMES)]
    code, display = words.PROFESSIONS[chance // 49 % len(words.PROFESSIONS)]
    return {
        "identifier": [
            _identifier("IDNPS", _IDNPS, f"8{rpps(number)}"),
            _identifier("RPPS", _RPPS, rpps(number)),
        ],
        "active": True,
        "name": [{"text": f"DR {given} {family}", "family": family, "given": [given], "suffix": ["DR"]}],
        "telecom": _mailboxes(f"personne.{number}@simulateur.mssante.invalid", number),
        "qualification": [{"code": {"coding": [{"system": words.PROFESSION, "code": code, "display": display}]}}],
    }


def _role(number: int, chance: int, structures: int) -> Json:
    code, display = words.EXERCISE_MODES[chance % len(words.EXERCISE_MODES)]
    return {
        "identifier": [{"use": "official", "system": _RPPS, "value": f"{1_000_000_000 + number}"}],
        "active": True,
        "practitioner": {"reference": f"Practitioner/003-{100_000 + number}"},
        "organization": {"reference": f"Organization/001-{100_000 + chance % structures}"},
        "code": [{"coding": [{"system": words.EXERCISE_MODE, "code": code, "display": display}]}],
        "telecom": _mailboxes(f"activite.{number}@simulateur.mssante.invalid", number),
    }


def _structure(number: int, chance: int, _structures: int) -> Json:
    city = words.CITIES[chance % len(words.CITIES)]
    resource: Json = {
        "identifier": [
            _identifier("IDNST", words.ID_NAT_STRUCT, f"1{finess(number)}"),
            _identifier("FINEG" if number % 4 else "FINEJ", words.FINESS, finess(number)),
            _identifier("SIRET", words.SIRENE, siret(number)),
        ],
        "active": True,
        "type": [{"coding": [{"system": _KINDS, "code": "GEOGRAPHICAL-ENTITY" if number % 4 else "LEGAL-ENTITY"}]}],
        "name": f"{words.SITE_NAMES[chance % len(words.SITE_NAMES)]} {number + 1}",
        "telecom": _mailboxes(f"secretariat.{number}@simulateur.mssante.invalid", number),
        "address": [{"city": city.name.upper(), "postalCode": city.postal_code, "country": "FR"}],
    }
    if number % 4:
        resource["partOf"] = {"reference": f"Organization/001-{100_000 + number - number % 4}"}
    return resource


def _service(number: int, chance: int, _structures: int) -> Json:
    code, display = words.ACTIVITIES[chance % len(words.ACTIVITIES)]
    return {
        "identifier": [{"system": "https://arhgos.esante.gouv.fr", "value": f"99-{100_000 + number}"}],
        "active": True,
        "providedBy": {"reference": f"Organization/001-{100_000 + number}"},
        "type": [{"coding": [{"system": words.ACTIVITY, "code": code, "display": display}]}],
    }


def _device(number: int, _chance: int, _structures: int) -> Json:
    return {
        "identifier": [{"system": "https://arhgos.esante.gouv.fr", "value": f"99-{700_000 + number}"}],
        "status": "active",
        "owner": {"reference": f"Organization/001-{100_000 + number}"},
    }


def _identifier(code: str, system: str, value: str) -> Json:
    return {
        "use": "official",
        "type": {"coding": [{"system": _IDENTIFIERS, "code": code}]},
        "system": system,
        "value": value,
    }


def _mailboxes(address: str, number: int) -> list[Json]:
    """Give two people of three a mailbox."""
    kind = {"url": _EMAIL, "valueCoding": {"system": _MAIL, "code": "MSSANTE"}}
    return [{"extension": [kind], "system": "email", "value": address}] if number % 3 else []


def _left_of(resource: Json) -> Json:
    """Give what a deactivated record still says (page "uc-call-type"): id, identifiers, active; a structure's name."""
    kept = (
        "resourceType",
        "id",
        "meta",
        "identifier",
        *(["name"] if resource["resourceType"] == "Organization" else []),
    )
    state = {"status": "inactive"} if resource["resourceType"] == "Device" else {"active": False}
    return {name: value for name, value in resource.items() if name in kept} | state
