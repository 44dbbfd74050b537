"""The code systems of the ANS terminologies (NOS) and the regions, by their short names."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import Final

from ror_sante.errors import ConfigurationError, printable

BASE: Final = "https://mos.esante.gouv.fr/NOS"

# Names of the tables that the ROR's documents use (ROR-fhir-documentation, model V3; the public FSH of the ANS
# terminologies). R350 is missing on purpose: the documents give two names for it, so its name must be written.
TABLES: Final = {
    "G07": "TypeIdentifiantStructure",
    "G15": "ProfessionSante",
    "R13": "CommuneOM",
    "R23": "ModeExercice",
    "R30": "RegionOM",
    "R66": "CategorieEtablissement",
    "R72": "FinessStatutJuridique",
    "R94": "ProfessionSocial",
    "R200": "CanalCommunication",
    "R210": "ActeSpecifique",
    "R211": "ActiviteOperationnelle",
    "R212": "Equipement",
    "R213": "ModePriseEnCharge",
    "R227": "ChampActivite",
    "R239": "PublicPrisEnCharge",
    "R240": "TemporaliteAccueil",
    "R243": "CompetenceSpecifique",
    "R244": "CategorieOrganisation",
    "R245": "SpecialisationDePriseEnCharge",
    "R253": "TypeMaternite",
    "R283": "NiveauConfidentialite",
    "R287": "NatureContact",
    "R329": "NatureCapacite",
    "R330": "TypeStatutCapacite",
    "R331": "TemporaliteCapacite",
    "R332": "GenreCapacite",
    "R333": "TypeFermetureCapacite",
    "R334": "TypeLitSupplementaire",
    "R335": "TypeSourceCapacite",
    "R336": "TypeCrise",
    "R337": "AffectationTemporaire",
    "R338": "ModaliteAccueil",
    "R340": "TypeCaracteristiqueEquipement",
    "R343": "FonctionLieu",
    "R345": "TypeIdentifiantAutre",
    "R354": "TypeIdentifiantLieu",
}

# The 18 regions of value set JDV_J257_Region (ANS terminologies, 2024-06-28). The codes are texts.
REGIONS: Final = {
    "01": "Guadeloupe",
    "02": "Martinique",
    "03": "Guyane",
    "04": "La Réunion",
    "06": "Mayotte",
    "11": "Île-de-France",
    "24": "Centre-Val de Loire",
    "27": "Bourgogne-Franche-Comté",
    "28": "Normandie",
    "32": "Hauts-de-France",
    "44": "Grand Est",
    "52": "Pays de la Loire",
    "53": "Bretagne",
    "75": "Nouvelle-Aquitaine",
    "76": "Occitanie",
    "84": "Auvergne-Rhône-Alpes",
    "93": "Provence-Alpes-Côte d'Azur",
    "94": "Corse",
}

_SHORT: Final = re.compile(r"(?:TRE_)?([A-Z]\d{1,4})(?:-([A-Za-z0-9]+))?")


def system(name: str) -> str:
    """Give the address of a code system.

    Args:
        name: ``R211``, or with its name ``R211-ActiviteOperationnelle`` for a table that is not known here; ``TRE_``
            may stand before either. A whole address passes as it is.

    Raises:
        ConfigurationError: no such table is known.

    >>> system("R30")
    'https://mos.esante.gouv.fr/NOS/TRE_R30-RegionOM/FHIR/TRE-R30-RegionOM'
    """
    if "://" in name or name.startswith("urn:"):
        return name
    found = _SHORT.fullmatch(name)
    title = found and (found[2] or TABLES.get(found[1]))
    if not found or not title:
        raise _unknown_table(name)
    table = f"{found[1]}-{title}"
    # Underscore first, then dash: the published form.
    return f"{BASE}/TRE_{table}/FHIR/TRE-{table}"


def token(value: str) -> str:
    """Give a coded value with the address of its code system.

    Args:
        value: ``R211|013``, a whole address and code, or a bare code, which passes as it is.

    Raises:
        ConfigurationError: no such table is known.

    >>> token("R244|21")
    'https://mos.esante.gouv.fr/NOS/TRE_R244-CategorieOrganisation/FHIR/TRE-R244-CategorieOrganisation|21'
    """
    name, bar, rest = value.partition("|")
    return f"{system(name)}|{rest}" if bar and name else value


def region_code(region: str) -> str:
    """Give the code of a region.

    Args:
        region: its code (``"01"``, with its zero) or its name; case, accents, dashes and blanks do not matter.

    Raises:
        ConfigurationError: no such region, or a number in place of a text.

    >>> region_code("Bretagne"), region_code("ile de france"), region_code("01")
    ('53', '11', '01')
    """
    if not isinstance(region, str):
        raise ConfigurationError("a region is a text", hint='Region codes have leading zeros: "01", never 1.')
    wanted = _plain(region)
    codes = {_plain(name): code for code, name in REGIONS.items()}
    if region in REGIONS or wanted in codes:
        return codes.get(wanted, region)
    raise ConfigurationError(f"{printable(region, 60)!r} is no region", hint=_region_hint(region, codes))


def region_token(region: str) -> str:
    """Give a region as the value of ``_tag``: its code with the address of TRE_R30.

    Raises:
        ConfigurationError: as `region_code`.
    """
    return f"{system('R30')}|{region_code(region)}"


def _region_hint(region: str, codes: dict[str, str]) -> str:
    if f"0{region}" in REGIONS:
        return f'Region codes have leading zeros: "0{region}" is {REGIONS[f"0{region}"]}.'
    near = difflib.get_close_matches(_plain(region), codes, n=1)
    if near:
        return f"Did you mean {REGIONS[codes[near[0]]]} ({codes[near[0]]})?"
    return "There are " + ", ".join(f"{code} {name}" for code, name in REGIONS.items()) + "."


def _unknown_table(name: str) -> ConfigurationError:
    near = difflib.get_close_matches(name.removeprefix("TRE_"), TABLES, n=3)
    known = ", ".join(f"{code} {TABLES[code]}" for code in near)
    return ConfigurationError(
        f"{printable(name, 80)!r} is no code system that is known here",
        hint=(f"Close to it: {known}. " if known else "")
        + "Write the whole address, or the name too: R350-ThematiqueAnomalie.",
    )


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[^a-z0-9]+", " ", "".join(c for c in bare if not unicodedata.combining(c))).strip()
