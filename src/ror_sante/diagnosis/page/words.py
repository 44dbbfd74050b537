"""The fixed words of the reports, on the page and in a terminal, in English and French; a key stands for itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ror_sante.diagnosis.causes import Lang

FRENCH: Final = {
    "Smoke test": "Test de bout en bout",
    "It works": "Tout fonctionne",
    "It works, with warnings": "Cela fonctionne, avec des avertissements",
    "Stopped at": "Arrêté à",
    "environment": "environnement",
    "exit code": "code de sortie",
    "What to do": "Que faire",
    "Nothing needs doing.": "Il n'y a rien à faire.",
    "The ladder": "L'échelle",
    "Who showed what": "Qui a montré quoi",
    "We sent": "Nous avons envoyé",
    "The server sent": "Le serveur a envoyé",
    "Endpoints side by side": "Les points d'accès côte à côte",
    "Rung by rung": "Échelon par échelon",
    "common to all": "commun à tous",
    "Where the time went": "Où le temps est passé",
    "The receipt": "Le reçu de la connexion",
    "This machine": "Cette machine",
    "Rounds": "Tours",
    "root, pinned": "racine, épinglée",
    "root, not sent": "racine, non envoyée",
    "not trusted": "pas de confiance",
    "no certificate": "aucun certificat",
    "nothing was sent": "rien n'a été envoyé",
    "nothing was seen": "rien n'a été vu",
    "no handshake": "pas de poignée de main",
    "refused": "refusé",
    "accepted": "accepté",
    "ok": "bon",
    "warn": "attention",
    "fail": "échec",
    "skipped": "non essayé",
    "not tried": "non essayé",
    "made by": "fait par",
    "It holds no secret. Names, addresses and paths of your network are in it; --share masks them.": (
        "Il ne contient aucun secret. Il contient des noms, adresses et chemins de votre réseau ; --share les masque."
    ),
    "Names, addresses, paths and accounts are masked.": "Les noms, adresses, chemins et comptes sont masqués.",
    "address": "adresse",
    "proxy": "mandataire",
    "server name sent": "nom de serveur envoyé",
    "protocol": "protocole",
    "handshake": "poignée de main",
    "certificate asked for": "certificat demandé",
    "authorities accepted": "autorités acceptées",
    "we sent": "nous avons envoyé",
    "the server sent": "le serveur a envoyé",
    "its chain ends at": "sa chaîne se termine à",
    "alert received": "alerte reçue",
    "alert sent": "alerte envoyée",
    "it broke at": "rompu à l'étape",
    "times": "durées",
    "Trust in force": "Confiance en vigueur",
    "none that can be used": "aucune qui soit utilisable",
    "as told above": "dite ci-dessus",
    "Stopped at {rung} in {took} (exit code {code}).": "Arrêté à {rung} en {took} (code de sortie {code}).",
    "It works in {took}, with 1 warning: {names}.": "Cela fonctionne en {took}, avec 1 avertissement : {names}.",
    "It works in {took}, with {number} warnings: {names}.": (
        "Cela fonctionne en {took}, avec {number} avertissements : {names}."
    ),
    "By --strict the exit code is 1.": "Avec --strict, le code de sortie est 1.",
    "All {number} rungs hold, in {took}.": "Les {number} échelons tiennent, en {took}.",
    "{number} ladders, in {took} (exit code {code}).": "{number} échelles, en {took} (code de sortie {code}).",
    "stopped at {names}": "arrêté à {names}",
    "works, with 1 warning: {names}": "fonctionne, avec 1 avertissement : {names}",
    "works, with {number} warnings: {names}": "fonctionne, avec {number} avertissements : {names}",
    "all {number} rungs hold": "les {number} échelons tiennent",
    "See the rung above.": "Voyez l'échelon ci-dessus.",
    "Next": "Suite",
    "Receipt": "Reçu",
    "leaf": "feuille",
    "intermediate": "intermédiaire",
}


def word(text: str, lang: Lang) -> str:
    """Give a fixed word in a language."""
    return FRENCH[text] if lang == "fr" else text


def spoken(environ: Mapping[str, str] | None = None) -> Lang:
    """Give the language of the locale: French where it says so, else English.

    Args:
        environ: the variables; None takes those of the process.
    """
    known = os.environ if environ is None else environ
    # POSIX, "Environment variables", section 8.2: the first of these that is set counts.
    locale = next((known[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if known.get(name)), "")
    return "fr" if locale.lower().startswith("fr") else "en"
