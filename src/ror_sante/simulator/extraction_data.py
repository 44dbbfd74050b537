"""Synthetic extractions of any size, made row by row from a seed: the same seed gives the same bytes."""

from __future__ import annotations

import random
import zipfile
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Final

from ror_sante.identifiers import luhn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Lines = Callable[[random.Random], Iterator[str]]

OPEN: Final = ("PS_LibreAcces", "Extraction_Correspondance_MSSante", "Porteurs_CPS_CPF")
RESTRICTED: Final = ("Extraction_ProSanteConnect",)

# Columns as two public programs of 2026 list them (reference "annuaire-sante", section 2.1).
_STRUCTURE: Final = (
    "Complément destinataire|Complément point géographique|Numéro Voie|Indice répétition voie|Code type de voie|"
    "Libellé type de voie|Libellé Voie|Mention distribution|Bureau cedex|Code postal|Code commune|Libellé commune|"
    "Code pays|Libellé pays|Téléphone|Téléphone 2|Télécopie|Adresse e-mail"
)
_PERSON: Final = "Type d'identifiant PP|Identifiant PP|Identification nationale PP"
_TITLES: Final = "Code civilité d'exercice|Libellé civilité d'exercice|Code civilité|Libellé civilité"
_NAMES: Final = "Nom d'exercice|Prénom d'exercice"
_PROFESSION: Final = (
    "Code profession|Libellé profession|Code catégorie professionnelle|Libellé catégorie professionnelle"
)
_SKILL: Final = "Code type savoir-faire|Libellé type savoir-faire|Code savoir-faire|Libellé savoir-faire"
ACTIVITY_HEADER: Final = "|".join(
    [
        f"{_PERSON}|{_TITLES}|{_NAMES}|{_PROFESSION}|{_SKILL}|Code mode exercice|Libellé mode exercice",
        "Numéro SIRET site|Numéro SIREN site|Numéro FINESS site|Numéro FINESS établissement juridique",
        "Identifiant technique de la structure|Raison sociale site|Enseigne commerciale site",
        *(f"{name} (coord. structure)" for name in _STRUCTURE.split("|")),
        "Code Département (structure)|Libellé Département (structure)|Ancien identifiant de la structure",
        "Autorité d'enregistrement|Code secteur d'activité|Libellé secteur d'activité",
        "Code section tableau pharmaciens|Libellé section tableau pharmaciens|Code rôle|Libellé rôle",
        "Code genre activité|Libellé genre activité|",
    ]
)
_SKILL_HEADER: Final = f"{_PERSON}|{_NAMES}|{_PROFESSION}|{_SKILL}|"
_DIPLOMA_HEADER: Final = (
    f"{_PERSON}|{_NAMES}|Code type diplôme obtenu|Libellé type diplôme obtenu|Code diplôme obtenu|"
    "Libellé diplôme obtenu|Code type autorisation|Libellé type autorisation|"
    "Code discipline autorisation|Libellé discipline autorisation|"
)
_MAILBOX: Final = " Structure BAL"
MAILBOX_HEADER: Final = "|".join(
    [
        "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification Nationale PP",
        "Type identifiant structure|Identification Structure|Service de rattachement|Civilité Exercice",
        "Nom d'exercice|Prénom d'exercice|Catégorie Professionnelle|Libellé Catégorie Professionnelle|Code Profession",
        "Libellé Profession|Code Savoir-Faire|Libellé Savoir-Faire|Dématérialisation",
        *(
            f"{name}{_MAILBOX}"
            for name in [
                "Raison Sociale",
                "Enseigne Commerciale",
                "L2COMPLEMENTLOCALISATION",
                "L3COMPLEMENTDISTRIBUTION",
                "L4NUMEROVOIE",
                "L4COMPLEMENTNUMEROVOIE",
                "L4TYPEVOIE",
                "L4LIBELLEVOIE",
                "L5LIEUDITMENTION",
                "L6LIGNEACHEMINEMENT",
                "Code postal",
                "Département",
                "Pays",
            ]
        ),
    ]
)
# No public text names the columns of this one: these are invented, and so is that they are the same everywhere.
_CARD_HEADER: Final = f"{_PERSON}|{_NAMES}|{_PROFESSION}|Type de carte|Date de fin de validité"

_SURNAMES: Final = (
    *("MARTIN", "LEFÈVRE", "NOËL", "BERNARD", "DE LA TOUR", "N'GUYEN", "PETIT-JEAN", "GARCÍA", "DUBOIS", "MŒRMAN"),
    *('DIT "LE GRAND"', "ÖZDEMIR", "ROUSSEAU", "BOUCHER", "LAMBERT"),
)
_FORENAMES: Final = ("Brigitte'Marie Pierre", "Jean", "Zoé", "Loïc'Anne", "Fatima", "André", "Inès'Éloïse", "Paul'Luc")
_PROFESSIONS: Final = (
    "10|Médecin|C|Civil",
    "21|Pharmacien|C|Civil",
    "40|Chirurgien-Dentiste|C|Civil",
    "50|Sage-Femme|C|Civil",
    "60|Infirmier|C|Civil",
    "70|Masseur-Kinésithérapeute|M|Militaire",
    "10|Médecin|E|Étudiant",
)
_SKILLS: Final = (
    "S|Spécialité ordinale|SM26|Qualifié en Médecine Générale",
    "S|Spécialité ordinale|SM04|Cardiologie et maladies vasculaires",
    "CEX|Compétence exclusive|C01|Acupuncture",
    "|||",
)
_MODES: Final = ("L|Libéral, indépendant, artisan, commerçant", "S|Salarié", "B|Bénévole")
_TOWNS: Final = (
    "75011|75111|Paris 11e Arrondissement|75|Paris",
    "01000|01053|Bourg-en-Bresse|01|Ain",
    "2A000|2A004|Ajaccio|2A|Corse-du-Sud",
    "35000|35238|Rennes|35|Ille-et-Vilaine",
    "97400|97411|Saint-Denis|974|La Réunion",
)
_STREETS: Final = ("AV|Avenue|de la République", "R|Rue|du Général-Leclerc", "PL|Place|des Œuvres", "||LIEU-DIT LE PRÉ")
_FIRMS: Final = (
    "CENTRE HOSPITALIER DU NORD",
    "CABINET DU DR MARTIN",
    "PHARMACIE DE L'ÉGLISE",
    "=SOMME SANTÉ",
    "SELARL & Cie",
)
_SECTORS: Final = ("SA07|Cabinet individuel", "SA01|Etablissement public de santé", "SA33|Pharmacie d'officine")
_KINDS: Final = ("GENR01|Activité standard de soin ou de pharmacien", "GENR03|Remplacement")
_STRUCTURES: Final = 3_000  # are enough for any number of people


@dataclass(frozen=True)
class Text:
    """One text of an extraction.

    Attributes:
        stem: its name, without the version.
        header: its first line.
        lines: gives its further lines, without end.
        share: how many rows it has for one of the first text.
        encoding: how it is written.
        folder: where it lies in the zip.
    """

    stem: str
    header: str
    lines: Lines
    share: float = 1.0
    encoding: str = "utf-8"
    folder: str = ""


def write_extraction(file: IO[bytes], name: str, version: str, *, rows: int, seed: int = 1) -> None:
    """Write the zip of an extraction, in bounded memory.

    Args:
        file: where.
        name: one of `OPEN` or `RESTRICTED`.
        version: ``YYYYMMDDHHmm``; it stands in the names of the texts and changes nothing else.
        rows: of its first text.
        seed: another seed gives other people.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for text in TEXTS[name]:
            info = zipfile.ZipInfo(f"{text.folder}{text.stem}_{version}.txt", (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=rows > 1_000_000) as member:
                _write(member, text, int(rows * text.share), random.Random(f"{seed}/{text.stem}"))


def _write(member: IO[bytes], text: Text, rows: int, lots: random.Random) -> None:
    member.write(f"{text.header}\n".encode(text.encoding))
    lines = islice(text.lines(lots), rows)
    while block := "\n".join(islice(lines, 2000)):
        member.write(f"{block}\n".encode(text.encoding, "replace"))


# ------------------------------------------------------------------ rows


def _people(lots: random.Random) -> Iterator[tuple[str, str, str]]:
    """Give people in the order of their ids: id columns, names, profession."""
    number, draw = 99_900_000_00, lots.random
    while True:
        number += 1 + int(draw() * 5)
        rpps = f"{number}{-luhn(f'{number}0') % 10}"
        yield (
            f"8|{rpps}|8{rpps}",
            f"{_SURNAMES[int(draw() * 15)]}|{_FORENAMES[int(draw() * 8)]}",
            _PROFESSIONS[int(draw() * 7)],
        )


def _structures(lots: random.Random) -> list[tuple[str, str]]:
    """Make places of work: the columns from SIRET to the trade name, and those of the address to the department."""
    made = []
    for number in range(_STRUCTURES):
        town = lots.choice(_TOWNS).split("|")
        firm = lots.choice(_FIRMS)
        who = (
            f"999{number:06d}00017|999{number:06d}|991{number:06d}|990{number // 3:06d}|R{number:014d}|{firm} {number}|"
        )
        where = f"||{lots.randrange(300)}||{lots.choice(_STREETS)}||{town[0]} {town[2].upper()}|{town[0]}|{town[1]}|"
        phone = f"0199{number:06d}"
        made.append(
            (who, f"{where}{town[2]}|99000|France|{phone}|||contact{number}@exemple.invalid|{town[3]}|{town[4]}")
        )
    return made


def _activities(lots: random.Random) -> Iterator[str]:
    structures, draw = _structures(lots), lots.random
    for ids, names, profession in _people(lots):  # pragma: no branch  people never end
        before = f"{ids}|DR|Docteur|M|Monsieur|{names}|{profession}|"
        for _ in range(1 + int(draw() * draw() * 4)):
            who, where = structures[int(draw() * _STRUCTURES)]
            yield (
                f"{before}{_SKILLS[int(draw() * 4)]}|{_MODES[int(draw() * 3)]}|{who}|{where}||CNOM/CNOM/CNOM|"
                f"{_SECTORS[int(draw() * 3)]}|||||{_KINDS[int(draw() * 2)]}|"
            )


def _connected(lots: random.Random) -> Iterator[str]:
    yield from (f"{line}999{number:08d}|" for number, line in enumerate(_activities(lots)))


def _skills(lots: random.Random) -> Iterator[str]:
    for ids, names, profession in _people(lots):  # pragma: no branch  people never end
        yield f"{ids}|{names}|{profession}|{_SKILLS[int(lots.random() * 3)]}|"


def _diplomas(lots: random.Random) -> Iterator[str]:
    for ids, names, _ in _people(lots):  # pragma: no branch  people never end
        yield f"{ids}|{names}|DE|Diplôme d'État français|DE09|DE Docteur en médecine||||||"[:-1]


def _mailboxes(lots: random.Random) -> Iterator[str]:
    structures = _structures(lots)
    for number, (ids, names, profession) in enumerate(_people(lots)):  # pragma: no branch  people never end
        who, where = structures[number % _STRUCTURES]
        siret, _, _, _, _, firm, trade = who.split("|")
        address = where.split("|")
        place = (
            f"{firm}|{trade}|||{address[2]}||{address[5]}|{address[6]}||{address[8]}|{address[9]}|{address[-2]}|France"
        )
        if number % 5:
            code, word, category, category_word = profession.split("|")
            skill = _SKILLS[number % 4].split("|", 2)[2]
            yield (
                f"PER|praticien{number}@pro.mssante.invalid|{ids}|4|{siret}||DR|{names}|{category}|{category_word}|{code}|"
                f"{word}|{skill}|{'ON'[number % 2]}|{place}"
            )
        else:
            yield f"ORG|accueil{number}@ch.mssante.invalid||||4|{siret}|Urgences||||||||||O|{place}"


def _cards(lots: random.Random) -> Iterator[str]:
    for ids, names, profession in _people(lots):  # pragma: no branch  people never end
        yield f"{ids}|{names}|{profession}|CPS|31/12/2028"


TEXTS: Final[dict[str, tuple[Text, ...]]] = {
    "PS_LibreAcces": (
        Text("PS_LibreAcces_Personne_activite", ACTIVITY_HEADER, _activities),
        Text("PS_LibreAcces_SavoirFaire", _SKILL_HEADER, _skills, share=0.2),
        Text("PS_LibreAcces_Dipl_AutExerc", _DIPLOMA_HEADER, _diplomas, share=0.2),
    ),
    "Extraction_Correspondance_MSSante": (Text("Extraction_Correspondance_MSSante", MAILBOX_HEADER, _mailboxes),),
    "Porteurs_CPS_CPF": (Text("Porteurs_CPS_CPF", _CARD_HEADER, _cards, encoding="cp1252"),),
    "Extraction_ProSanteConnect": (
        Text(
            "Extraction_ProSanteConnect_Personne_activite",
            f"{ACTIVITY_HEADER}Autres identifiants|",
            _connected,
            folder="Extraction_ProSanteConnect/",
        ),
    ),
}
