"""The words that synthetic records are made of: code systems, codes, places, invented names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NOS: Final = "https://mos.esante.gouv.fr/NOS"
PROFILES: Final = "https://interop.esante.gouv.fr/ig/fhir/ror/StructureDefinition"
ADXP: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP"


def terminology(table: str) -> str:
    """Give the address of a table of ANS, ``TRE_R30-RegionOM`` for instance (underscore first, then dash)."""
    return f"{NOS}/{table}/FHIR/{table.replace('_', '-', 1)}"


REGION: Final = terminology("TRE_R30-RegionOM")
COMMUNE: Final = terminology("TRE_R13-Commune")  # in payloads
COMMUNE_SEARCH: Final = terminology("TRE_R13-CommuneOM")  # in searches; the published examples differ so
ACTIVITY: Final = terminology("TRE_R211-ActiviteOperationnelle")
CATEGORY: Final = terminology("TRE_R244-CategorieOrganisation")
FIELD: Final = terminology("TRE_R227-ChampActivite")
CARE_MODE: Final = terminology("TRE_R213-ModePriseEnCharge")
SPECIALISATION: Final = terminology("TRE_R245-SpecialisationDePriseEnCharge")
PLACE_FUNCTION: Final = terminology("TRE_R343-FonctionLieu")
ESTABLISHMENT: Final = terminology("TRE_R66-CategorieEtablissement")
LEGAL_STATUS: Final = terminology("TRE_R72-FinessStatutJuridique")
PROFESSION: Final = terminology("TRE_G15-ProfessionSante")
EXERCISE_MODE: Final = terminology("TRE_R23-ModeExercice")
STRUCTURE_ID: Final = terminology("TRE_G07-TypeIdentifiantStructure")
OI_ID: Final = terminology("TRE_R345-TypeIdentifiantAutre")
LOCATION_ID: Final = terminology("TRE_R354-TypeIdentifiantLieu")
CONTACT: Final = terminology("TRE_R287-NatureContact")
CONFIDENTIALITY: Final = terminology("TRE_R283-NiveauConfidentialite")
CHANNEL: Final = terminology("TRE_R200-CanalCommunication")
CAPACITY_TYPE: Final = terminology("TRE_R329-NatureCapacite")
CAPACITY_STATUS: Final = terminology("TRE_R330-TypeStatutCapacite")
CAPACITY_TIME: Final = terminology("TRE_R331-TemporaliteCapacite")
CAPACITY_SOURCE: Final = terminology("TRE_R335-TypeSourceCapacite")
ASSIGNMENT: Final = terminology("TRE_R337-AffectationTemporaire")

Code = tuple[str, str]  # code and display

# Codes that start with 9 are made up; the others occur in the documentation, some of them without their words, which
# are then ours.
ACTIVITIES: Final[tuple[Code, ...]] = (
    ("013", "Accueil des urgences adultes"),
    ("183", "Traitement neurochirurgical de la douleur"),
    ("356", "Réanimation polyvalente"),
    ("901", "Cardiologie générale"),
    ("902", "Pédiatrie de proximité"),
    ("903", "Gériatrie aiguë"),
    ("904", "Rééducation de l'appareil locomoteur"),
    ("905", "Imagerie – scanner & IRM"),
    ("906", "Addictologie « hors les murs »"),
    ("907", "Maternité et périnatalité"),
)
CARE_MODES: Final[tuple[Code, ...]] = (
    ("28", "Hospitalisation complète (HC)"),
    ("46", "Hébergement complet"),
    ("91", "Consultation"),
    ("92", "Hospitalisation de jour"),
)
SPECIALISATIONS: Final[tuple[Code, ...]] = (("24", "Personnes en perte d'autonomie"), ("91", "Grands brûlés"))
CATEGORIES: Final[tuple[Code, ...]] = (("21", "Offre sanitaire"), ("91", "Offre médico-sociale"), ("92", "Ville"))
FIELDS: Final[tuple[Code, ...]] = (
    ("01", "Médecine, Chirurgie, Obstétrique (MCO)"),
    ("91", "Soins médicaux et de réadaptation"),
    ("92", "Psychiatrie"),
)
PLACE_FUNCTIONS: Final[tuple[Code, ...]] = (
    ("001", "Hébergement"),
    ("901", "Consultation"),
    ("902", "Plateau technique"),
)
ESTABLISHMENTS: Final[tuple[Code, ...]] = (
    ("355", "Centre Hospitalier (C.H.)"),
    ("101", "Centre Hospitalier Régional (C.H.R.)"),
    ("460", "Service autonomie aide (SAA)"),
    ("124", "Centre de Santé"),
)
PROFESSIONS: Final[tuple[Code, ...]] = (
    ("10", "Médecin"),
    ("60", "Infirmier"),
    ("50", "Sage-Femme"),
    ("40", "Chirurgien-Dentiste"),
)
EXERCISE_MODES: Final[tuple[Code, ...]] = (("S", "Salarié"), ("L", "Libéral, indépendant, artisan, commerçant"))


@dataclass(frozen=True)
class City:
    """A commune.

    Attributes:
        name: its name.
        insee: its code in the "code officiel géographique".
        postal_code: one of its postal codes.
        region: code of its region (TRE_R30).
        latitude: WGS84, degrees.
        longitude: WGS84, degrees.
    """

    name: str
    insee: str
    postal_code: str
    region: str
    latitude: float
    longitude: float


CITIES: Final = (
    City("Versailles", "78646", "78000", "11", 48.8014, 2.1301),
    City("Créteil", "94028", "94000", "11", 48.7904, 2.4556),
    City("Bourges", "18033", "18000", "24", 47.0810, 2.3988),
    City("Tours", "37261", "37000", "24", 47.3941, 0.6848),
    City("Mâcon", "71270", "71000", "27", 46.3069, 4.8287),
    City("Dijon", "21231", "21000", "27", 47.3220, 5.0415),
    City("Rouen", "76540", "76000", "28", 49.4431, 1.0993),
    City("Caen", "14118", "14000", "28", 49.1829, -0.3707),
    City("Lille", "59350", "59000", "32", 50.6292, 3.0573),
    City("Beauvais", "60057", "60000", "32", 49.4295, 2.0807),
    City("Reims", "51454", "51100", "44", 49.2583, 4.0317),
    City("Strasbourg", "67482", "67000", "44", 48.5734, 7.7521),
    City("Nantes", "44109", "44000", "52", 47.2184, -1.5536),
    City("Saint-Herblain", "44162", "44800", "52", 47.2118, -1.6506),
    City("Le Mans", "72181", "72000", "52", 48.0061, 0.1996),
    City("Rennes", "35238", "35000", "53", 48.1173, -1.6778),
    City("Brest", "29019", "29200", "53", 48.3904, -4.4861),
    City("Bordeaux", "33063", "33000", "75", 44.8378, -0.5792),
    City("Limoges", "87085", "87000", "75", 45.8336, 1.2611),
    City("Toulouse", "31555", "31000", "76", 43.6047, 1.4442),
    City("Montpellier", "34172", "34000", "76", 43.6108, 3.8767),
    City("Villeurbanne", "69266", "69100", "84", 45.7719, 4.8902),
    City("Grenoble", "38185", "38000", "84", 45.1885, 5.7245),
    City("Clermont-Ferrand", "63113", "63000", "84", 45.7772, 3.0870),
    City("Nice", "06088", "06000", "93", 43.7102, 7.2620),
    City("Toulon", "83137", "83000", "93", 43.1242, 5.9280),
    City("Bastia", "2B033", "20200", "94", 42.6973, 9.4509),
    City("Saint-Denis", "97411", "97400", "04", -20.8789, 55.4481),
)
# Where the regional directories have their records, beside the towns above.
OVERSEAS: Final = (
    City("Basse-Terre", "97105", "97100", "01", 15.9958, -61.7292),
    City("Fort-de-France", "97209", "97200", "02", 14.6037, -61.0667),
    City("Cayenne", "97302", "97300", "03", 4.9372, -52.3260),
    City("Mamoudzou", "97611", "97600", "06", -12.7806, 45.2278),
)

# Nobody and nothing bears these names, as far as we know.
LEGAL_NAMES: Final = (
    ("Centre hospitalier des Trois-Tilleuls", "13"),
    ("Groupe hospitalier Valombre-Sérigny", "13"),
    ("CHU imaginaire de la Butte-aux-Hêtres", "13"),
    ("Association Les Passerelles d'Orvaux", "60"),
    ("Fondation Bellecombe-Marsault", "63"),
    ("Clinique du Pré-Fleuri SARL", "72"),
)
LEGAL_STATUSES: Final = {
    "13": "Établissement public communal d'hospitalisation",
    "60": "Association loi 1901 non reconnue d'utilité publique",
    "63": "Fondation",
    "72": "Société à responsabilité limitée (SARL)",
}
SITE_NAMES: Final = (
    "Site de l'Étang-Clair",
    "Pavillon Rosemonde",
    "Hôpital de jour du Vieux-Moulin",
    "Résidence Les Grands-Érables",
    "Maison de santé de l'Œuvre-Neuve",
)
STREETS: Final = (
    ("rue", "du Vieux-Cerisier"),
    ("avenue", "de l'Observatoire-Imaginaire"),
    ("impasse", "des Lavandières"),
    ("boulevard", "Honorine-Fictive"),
)
GIVEN_NAMES: Final = (
    ("Albane", "female"),
    ("Côme", "male"),
    ("Éléonore", "female"),
    ("Gaspard", "male"),
    ("Maëlys", "female"),
    ("Zéphyrin", "male"),
)
FAMILY_NAMES: Final = ("FOULCADRET", "D'ARVENNES", "LE GUENNIVEC", "MARSAULIEU", "OUTREBOIS", "ÇELINCOURT", "TRISSOTEL")

# Systems of identifiers (IG 0.4.0 and later write https).
ID_NAT_STRUCT: Final = "urn:oid:1.2.250.1.71.4.2.2"
FINESS: Final = "https://finess.esante.gouv.fr"
SIRENE: Final = "https://sirene.fr"
OI: Final = "https://oi.esante.gouv.fr"
RPPS: Final = "urn:oid:1.2.250.1.71.4.2.1"
