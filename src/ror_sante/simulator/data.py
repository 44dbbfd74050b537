"""A synthetic directory: five types of records that fit together, made from a seed, each when it is first needed."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

from ror_sante.errors import ConfigurationError
from ror_sante.simulator import beside
from ror_sante.simulator import vocabulary as words
from ror_sante.simulator.payloads import payload
from ror_sante.simulator.records import BESIDE, TYPES, Record
from ror_sante.simulator.sequences import KEPT, Glimpse, drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ror_sante.simulator.records import Token
    from ror_sante.simulator.sequences import Records

T = TypeVar("T")

_CACHED: Final = 20_000  # encoded records kept, about 2 kB each
_START: Final = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
_MINUTES: Final = 3 * 365 * 24 * 60  # records were last changed in the three years from the start

# For eight offers of care: one site with four units, in a legal entity of three sites.
_OFFERS_A_UNIT: Final = 2
_UNITS_A_SITE: Final = 4
_SITES_A_LEGAL: Final = 3

_REGION_NUMBERS: Final = 10_000  # set apart for the organizations and people of each region
_SHARED_BY: Final = "11"  # whose numbers the shared records bear

FIRST_ID: Final = {
    "HealthcareService": 100_001,
    "Location": 252_001,
    "Organization": 5_001,
    "Practitioner": 2_501,
    "PractitionerRole": 701,
} | beside.FIRST_ID

# Numbers that nobody bears: there is no department 99, and no SIREN or RPPS is issued under 999.
_FINESS_LEGAL: Final = "990{:06d}"
_FINESS_SITE: Final = "991{:06d}"
_SIREN: Final = "999{:06d}"
_RPPS: Final = "999{:08d}"
_ROLE: Final = "998{:08d}"


class Directory:
    """All records of one seed.

    Args:
        size: how many HealthcareService there are; the other types follow from it.
        seed: another seed gives other records.
        region: the INSEE code of the one region that all places lie in; empty spreads them over the country. The
            national numbers of two regions differ.
        shared: how many of the first HealthcareService bear the same national identifier in every region.

    Raises:
        ConfigurationError: a negative size.
    """

    def __init__(self, size: int = 5000, seed: int = 1, *, region: str = "", shared: int = 0) -> None:
        if size < 0:
            raise ConfigurationError("the simulator's size is negative", hint="Give the number of HealthcareService.")
        self.size = size
        self.seed = seed
        self._shared = shared
        self._towns = tuple(city for city in (*words.CITIES, *words.OVERSEAS) if city.region == region) or words.CITIES
        self._before = int(region or 0) * _REGION_NUMBERS
        self._encoded = lru_cache(maxsize=_CACHED)(self._encode)
        self._own_draws: dict[str, dict[str, Callable[[str, int], Any]]] = {
            "HealthcareService": {
                "name": lambda _, number: _offer_name(self._choices(number)),
                "codes": lambda _, number: _coded(self._choices(number), self._special(number)[0]),
                "links": lambda _, number: self._offer_links(number),
            },
            "Location": {"position": lambda _, number: self._position(number)},
        }
        self._draws: dict[str, Callable[[str, int], Any]] = {
            "id": lambda name, number: str(FIRST_ID[name] + number),
            "reference": lambda name, number: f"{name}/{FIRST_ID[name] + number}",
            "updated": lambda name, number: self._updated(*self._nature(name, number)[:2]),
            "city": lambda name, number: self._city_of(*self._nature(name, number)),
            "identifiers": lambda name, number: self._identifiers(*self._nature(name, number)),
        }

    def __repr__(self) -> str:
        return f"Directory(size={self.size}, seed={self.seed})"

    # -------------------------------------------------------------- asking

    def records(self, resource_type: str) -> Sequence[Record]:
        """Give every record of a type, in the order of their ids.

        Args:
            resource_type: one of `TYPES` or `BESIDE` of `ror_sante.simulator.records`.
        """
        found: Sequence[Record] = getattr(self, resource_type)
        return found

    def scan(self, resource_type: str) -> Iterable[Record]:
        """Give every record of a type as `records` does, for a look at a part of each."""
        records = self.records(resource_type)
        if len(records) <= KEPT:
            return records
        numbers = range(len(records))
        draws = self._draws | self._own_draws.get(resource_type, {})
        seen = (Glimpse(resource_type, each, draw=draws, whole=records.__getitem__) for each in numbers)
        return cast("Iterable[Record]", seen)

    def get(self, reference: str) -> Record | None:
        """Find a record by its reference, such as ``Location/252001``."""
        resource_type, _, resource_id = reference.partition("/")
        if resource_type not in (*TYPES, *BESIDE) or not (resource_id.isascii() and resource_id.isdecimal()):
            return None
        records = self.records(resource_type)
        number = int(resource_id[:18]) - FIRST_ID[resource_type]
        found = records[number] if 0 <= number < len(records) else None
        return found if found is not None and found.id == resource_id else None

    def referrers(self, key: str, reference: str) -> Sequence[Record]:
        """Find who refers to a record.

        Args:
            key: resource type and search parameter, such as ``PractitionerRole:service``.
            reference: of the record referred to.
        """
        target = self.get(reference)
        if target is None:
            return ()
        resource_type, _, parameter = key.partition(":")
        records = self.records(resource_type)
        near = (records[number] for number in self._around(key, target))
        return [record for record in near if reference in record.links.get(parameter, ())]

    def _around(self, key: str, target: Record) -> range:
        """Give the numbers among which those are that refer to a record; a few others may be among them."""
        before = {"EJ": 0, "EG": self._legals, "OI": self._legals + self._sites}.get(target.kind, 0)
        own, offers_a_site = target.number - before, _OFFERS_A_UNIT * _UNITS_A_SITE
        if key == "Organization:partof":
            if target.kind == "EJ":
                return _part(own, _SITES_A_LEGAL, after=self._legals, end=self._legals + self._sites)
            after = self._legals + self._sites
            return _part(own, _UNITS_A_SITE, after=after, end=after + self._units) if target.kind == "EG" else range(0)
        site = own if target.kind == "EG" else own // _UNITS_A_SITE
        if target.type == "HealthcareService":
            site = own // offers_a_site
        offers = _part(site, offers_a_site, after=0, end=self.size) if target.kind != "EJ" else range(0)
        if key.startswith("HealthcareService:"):
            return offers
        # Of each five offers four have a role.
        return range(offers.start * 4 // 5, min(offers.stop * 4 // 5 + 1, self.size * 4 // 5)) if offers else offers

    def body(self, record: Record) -> bytes:
        """Give the JSON of a record."""
        return self._encoded(record.type, record.number)

    def _encode(self, resource_type: str, number: int) -> bytes:
        return msgspec.json.encode(payload(self.records(resource_type)[number]))

    # -------------------------------------------------------------- the records, type by type

    @cached_property
    def HealthcareService(self) -> Records:  # noqa: N802  named as FHIR names the type
        """Offers of care."""
        return drawn(self._offer, self.size)

    @cached_property
    def Location(self) -> Records:  # noqa: N802  likewise
        """Places: one for every unit."""
        return drawn(self._location, self._units)

    @cached_property
    def Organization(self) -> Records:  # noqa: N802  likewise
        """Legal entities (EJ), then their sites (EG), then the units of these (OI)."""
        return drawn(self._an_organization, self._legals + self._sites + self._units)

    def _an_organization(self, number: int) -> Record:
        word, own, _ = self._nature("Organization", number)
        return {"legal": self._legal, "site": self._site, "unit": self._unit}[word](own)

    @cached_property
    def Practitioner(self) -> Records:  # noqa: N802  likewise
        """People: eight for 25 offers."""
        return drawn(self._practitioner, self._people)

    @cached_property
    def PractitionerRole(self) -> Records:  # noqa: N802  likewise
        """What people do where: a role for four offers of five, so that most people have several."""
        return drawn(self._role, self.size * 4 // 5)

    @cached_property
    def Task(self) -> Records:  # noqa: N802  likewise
        """Reports of anomalies, each on one of the first offers."""
        count = min(beside.REPORTS, self.size)
        return drawn(lambda number: beside.report(self.HealthcareService[number], number), count)

    @cached_property
    def Questionnaire(self) -> Records:  # noqa: N802  likewise
        """Templates for the entry of offers: a few, whatever the size."""
        return drawn(lambda number: beside.template(number, self._updated("template", number)), beside.TEMPLATES)

    @property
    def _units(self) -> int:
        return -(-self.size // _OFFERS_A_UNIT)

    @property
    def _sites(self) -> int:
        return -(-self._units // _UNITS_A_SITE)

    @property
    def _legals(self) -> int:
        return -(-self._sites // _SITES_A_LEGAL)

    @property
    def _people(self) -> int:
        return -(-self.size * 8 // 25)

    # -------------------------------------------------------------- chance, the same for the same seed

    def _draw(self, word: str, number: int, below: int) -> int:
        return zlib.crc32(f"{self.seed}/{word}/{number}".encode()) % below

    def _pick(self, choices: Sequence[T], word: str, number: int) -> T:
        return choices[self._draw(word, number, len(choices))]

    def _updated(self, word: str, number: int) -> int:
        return _START + 60 * self._draw(f"{word}/updated", number, _MINUTES)

    def _city(self, site: int) -> words.City:
        return self._pick(self._towns, "city", site)

    def _city_of(self, word: str, own: int, site: int) -> words.City:
        return self._pick(self._towns, "home", own) if word == "practitioner" else self._city(site)

    def _nature(self, resource_type: str, number: int) -> tuple[str, int, int]:
        """Give what a record is drawn by, its number among those, and its site."""
        match resource_type:
            case "HealthcareService":
                return "offer", number, number // _OFFERS_A_UNIT // _UNITS_A_SITE
            case "Location":
                return "location", number, number // _UNITS_A_SITE
            case "Practitioner":
                return "practitioner", number, 0
            case "PractitionerRole":
                return "role", number, _offer_of(number) // _OFFERS_A_UNIT // _UNITS_A_SITE
        if number < self._legals:
            return "legal", number, number * _SITES_A_LEGAL
        number -= self._legals
        if number < self._sites:
            return "site", number, number
        number -= self._sites
        return "unit", number, number // _UNITS_A_SITE

    def _identifiers(self, word: str, own: int, site: int) -> tuple[Token, ...]:
        match word:
            case "practitioner":
                return ((words.RPPS, _RPPS.format(self._before + own)),)
            case "role":
                return (("", _ROLE.format(self._before + own)),)
            case "offer":
                region = _SHARED_BY if own < self._shared else self._city(site).region
                return (("", f"{region}/{300_000 + own}"),)
            case "location":
                return (
                    (words.LOCATION_ID, f"{self._city(site).region}/{190_000 + own}"),
                    (words.LOCATION_ID, f"1{_FINESS_SITE.format(self._before + site)}/SIM{own:05d}"),
                )
            case "unit":
                return ((words.OI, f"{self._city(site).region}/{70_000 + own}"),)
        finess = (_FINESS_LEGAL if word == "legal" else _FINESS_SITE).format(self._before + own)
        legal = own if word == "legal" else own // _SITES_A_LEGAL
        siren = _SIREN.format(self._before + legal)
        return (
            (words.ID_NAT_STRUCT, f"1{finess}"),
            (words.FINESS, finess),
            (words.SIRENE, siren if word == "legal" else f"{siren}{own:05d}"),
        )

    # -------------------------------------------------------------- one of each

    def _offer(self, number: int) -> Record:
        unit = number // _OFFERS_A_UNIT
        site = unit // _UNITS_A_SITE
        city = self._city(site)
        chosen = self._choices(number)
        special, special_display = self._special(number)
        return Record(
            "HealthcareService",
            str(FIRST_ID["HealthcareService"] + number),
            number,
            self._updated("offer", number),
            city,
            name=_offer_name(chosen),
            identifiers=self._identifiers("offer", number, site),
            codes=_coded(chosen, special),
            displays={name: display for name, (_, (_, display)) in chosen.items()} | {"special": special_display},
            links=self._offer_links(number),
        )

    def _choices(self, number: int) -> dict[str, tuple[str, tuple[str, str]]]:
        unit = number // _OFFERS_A_UNIT
        return {
            "specialty": (words.ACTIVITY, self._pick(words.ACTIVITIES, "activity", number)),
            "characteristic": (words.CARE_MODE, self._pick(words.CARE_MODES, "mode", number)),
            "service-category": (words.CATEGORY, self._pick(words.CATEGORIES, "category", unit // _UNITS_A_SITE)),
            "service-type": (words.FIELD, self._pick(words.FIELDS, "field", unit)),
        }

    def _special(self, number: int) -> tuple[str, str]:
        return self._pick(words.SPECIALISATIONS, "special", number)

    def _offer_links(self, number: int) -> dict[str, tuple[str, ...]]:
        unit = number // _OFFERS_A_UNIT
        site = unit // _UNITS_A_SITE
        places = [unit] if self._draw("far", number, 10) else [unit, site * _UNITS_A_SITE]
        provider = self._organization("OI", unit) if self._draw("direct", number, 5) else self._organization("EG", site)
        return {
            "organization": (provider,),
            "location": tuple(f"Location/{FIRST_ID['Location'] + place}" for place in dict.fromkeys(places)),
        }

    def _location(self, number: int) -> Record:
        site = number // _UNITS_A_SITE
        city = self._city(site)
        function, display = self._pick(words.PLACE_FUNCTIONS, "function", number)
        codes: dict[str, tuple[Token, ...]] = {
            "type": ((words.PLACE_FUNCTION, function),),
            "commune-cog": ((words.COMMUNE, city.insee), (words.COMMUNE_SEARCH, city.insee)),
        }
        counted = function == "001"
        if counted:
            codes["capacity-type"] = ((words.CAPACITY_TYPE, "01"),)
            codes["capacity-status"] = ((words.CAPACITY_STATUS, "02"),)
        return Record(
            "Location",
            str(FIRST_ID["Location"] + number),
            number,
            self._updated("location", number),
            city,
            name=f"{display} {number % _UNITS_A_SITE + 1}",
            identifiers=self._identifiers("location", number, site),
            codes=codes,
            displays={"type": display},
            links={"organization": (self._organization("EG", site),)},
            active=self._draw("closed", number, 12) > 0,
            position=self._position(number),
            capacity=self._draw("beds", number, 30) if counted else None,
        )

    def _position(self, number: int) -> tuple[float, float]:
        """Give a point within about 5 km of the middle of the town."""
        city = self._city(number // _UNITS_A_SITE)
        north, east = (self._draw(word, number, 1000) - 500 for word in ("north", "east"))
        return round(city.latitude + north / 1e4, 5), round(city.longitude + east / 1e4, 5)

    def _legal(self, number: int) -> Record:
        name, status = self._pick(words.LEGAL_NAMES, "legal", number)
        return Record(
            "Organization",
            str(FIRST_ID["Organization"] + number),
            number,
            self._updated("legal", number),
            self._city(number * _SITES_A_LEGAL),
            name=f"{name} n° {number + 1}",
            kind="EJ",
            identifiers=self._identifiers("legal", number, number * _SITES_A_LEGAL),
            codes={"type": ((words.LEGAL_STATUS, status),)},
            displays={"type": words.LEGAL_STATUSES[status]},
        )

    def _site(self, number: int) -> Record:
        legal = number // _SITES_A_LEGAL
        code, display = self._pick(words.ESTABLISHMENTS, "establishment", number)
        return Record(
            "Organization",
            self._organization("EG", number).partition("/")[2],
            self._legals + number,
            self._updated("site", number),
            self._city(number),
            name=f"{self._pick(words.SITE_NAMES, 'site', number)} {number + 1}",
            kind="EG",
            identifiers=self._identifiers("site", number, number),
            codes={"type": ((words.ESTABLISHMENT, code),)},
            displays={"type": display},
            links={"partof": (self._organization("EJ", legal),)},
        )

    def _unit(self, number: int) -> Record:
        site = number // _UNITS_A_SITE
        city = self._city(site)
        code, display = self._pick(words.CARE_MODES, "unit", number)
        return Record(
            "Organization",
            self._organization("OI", number).partition("/")[2],
            self._legals + self._sites + number,
            self._updated("unit", number),
            city,
            name=f"Unité {number % _UNITS_A_SITE + 1} - {display}",
            kind="OI",
            identifiers=self._identifiers("unit", number, site),
            codes={"type": ((words.CARE_MODE, code),)},
            displays={"type": display},
            links={"partof": (self._organization("EG", site),)},
        )

    def _practitioner(self, number: int) -> Record:
        given, gender = self._pick(words.GIVEN_NAMES, "given", number)
        return Record(
            "Practitioner",
            str(FIRST_ID["Practitioner"] + number),
            number,
            self._updated("practitioner", number),
            self._pick(self._towns, "home", number),
            name=self._pick(words.FAMILY_NAMES, "family", number),
            given=given,
            kind=gender,
            identifiers=self._identifiers("practitioner", number, 0),
        )

    def _role(self, number: int) -> Record:
        offer = _offer_of(number)
        site = offer // _OFFERS_A_UNIT // _UNITS_A_SITE
        person = self.Practitioner[self._draw("person", number, self._people)]
        code, display = self._pick(words.PROFESSIONS, "profession", person.number)
        mode, mode_display = self._pick(words.EXERCISE_MODES, "exercise", number)
        return Record(
            "PractitionerRole",
            str(FIRST_ID["PractitionerRole"] + number),
            number,
            self._updated("role", number),
            self._city(site),
            name=person.name,
            given=person.given,
            identifiers=self._identifiers("role", number, site),
            codes={"role": ((words.PROFESSION, code),), "mode": ((words.EXERCISE_MODE, mode),)},
            displays={"role": display, "mode": mode_display},
            links={
                "practitioner": (person.reference,),
                "service": (f"HealthcareService/{FIRST_ID['HealthcareService'] + offer}",),
                "organization": (self._organization("EG", site),),
            },
        )

    def _organization(self, kind: str, number: int) -> str:
        before = {"EJ": 0, "EG": self._legals, "OI": self._legals + self._sites}[kind]
        return f"Organization/{FIRST_ID['Organization'] + before + number}"


def _offer_name(chosen: dict[str, tuple[str, tuple[str, str]]]) -> str:
    return f"{chosen['specialty'][1][1]} - {chosen['characteristic'][1][1]}"


def _coded(chosen: dict[str, tuple[str, tuple[str, str]]], special: str) -> dict[str, tuple[Token, ...]]:
    codes: dict[str, tuple[Token, ...]] = {name: ((system, code),) for name, (system, (code, _)) in chosen.items()}
    return codes | {"characteristic": (*codes["characteristic"], (words.SPECIALISATION, special))}


def _offer_of(role: int) -> int:
    return role + role // 4  # the fifth of each five offers has none


def _part(number: int, size: int, *, after: int, end: int) -> range:
    """Give the numbers of one part of so many: they begin after others, and end somewhere."""
    return range(after + number * size, min(after + (number + 1) * size, end))
