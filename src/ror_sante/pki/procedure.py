"""What a person does on the way to a certificate, from the procedure of ANS, with the words to be copied as they are.

Source: ANS, "Procédure d'obtention des certificats logiciels contexte ROR pour une application métier", sections 1 to 3
and "Cycle de vie"; for the TEST certificate and what comes after it, what ANS says of connecting to the ROR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ror_sante.environments import ApplicationService

# Copied letter by letter: they go into form 413 as they stand.
FORM_413_USAGE: Final = (
    "Programme ROR – usage pour une application consommatrice du ROR pour s'authentifier en tant que client TLS/SSL."
)
"""Part 4.2, "Précisions sur l'usage des certificats et sur votre projet"."""
FORM_413_BOX: Final = "Certificat ORG (Personne morale) usage AUTH_CLI, SIGN, CONF (Ex : DMP, ROR, Annuaire Santé...)"
"""Part 4.3, "Type de certificat souhaité": the box to tick."""

CARDS_DESK: Final = "monserviceclient.cartes@esante.gouv.fr"
EDITORS_DESK: Final = "editeurs@esante.gouv.fr"
ROR_DESK: Final = "monserviceclient.ror@esante.gouv.fr"
CARDS_PHONE: Final = "08 25 85 20 00"
PLATFORM: Final = "https://pfc-auth.eservices.esante.gouv.fr"
TOM: Final = "https://tom.eservices.esante.gouv.fr/tom/"
FORM_301: Final = "https://esante.gouv.fr/sites/default/files/media_entity/documents/F301.pdf"
RIGHTS_PAGE: Final = "https://esante.gouv.fr/produits-services/certificats-logiciels"
GUIDE: Final = "ANS_IGC-Sante_Guide-IHM"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a person does.

    Attributes:
        section: where the procedure says it, such as ``1``; empty for what comes after it.
        title: what to do, in one sentence.
        details: how, line by line.
    """

    section: str
    title: str
    details: tuple[str, ...] = ()


CHECKLIST: Final = (
    Step(
        "1",
        "The structure has a contract with ANS.",
        (f"Without one, the legal representative asks for it: {CARDS_DESK}, {CARDS_PHONE}.",),
    ),
    Step(
        "1",
        "The legal representative holds an active card: CPE, or CPA responsable.",
        ("Without one: form 101 (esante.gouv.fr, rubrique « Commandes »).",),
    ),
    Step(
        "1",
        "The legal representative named one or more technical administrators, who order, withdraw and revoke.",
    ),
    Step(
        "1",
        "Each administrator holds an active card in his or her own name: CPE or CPA.",
        (f"Without one, the legal representative asks for it: form 301, {FORM_301}", f"or on the portal TOM, {TOM}"),
    ),
    Step(
        "2",
        "Look first whether an administrator has the right to order already.",
        (f"The platform shows it: {PLATFORM}",),
    ),
    Step(
        "2",
        f"Otherwise the legal representative fills in, signs and sends form 413 to {CARDS_DESK}.",
        (
            "4.2, « Précisions sur l'usage des certificats et sur votre projet »:",
            f"  {FORM_413_USAGE}",
            "4.3, « Type de certificat souhaité », tick:",
            f"  {FORM_413_BOX}",
        ),
    ),
    Step("2", "The administrators get a mail: they may order now."),
    Step(
        "3",
        "The workstation for the order has a card reader and reaches the platform.",
        (PLATFORM, f"Chapter 5 of {GUIDE} tells what else it needs."),
    ),
    Step(
        "3",
        "Decide where the key is made: by you (identity request), or by the platform during the order.",
        ("Made by you, it never travels. Made by the platform, it comes as a P12 with ACI-EL-ORG and ACR-EL.",),
    ),
    Step(
        "3",
        "In step 3 of the order, name the « service applicatif ».",
        (
            "national ROR: CLIENT_WS_RORN",
            "inter-ROR search: CLIENT_WS_ROR",
            "Annuaire Santé, by the regional RORs: CLIENT_WS_ANNUAIRE",
        ),
    ),
)
"""Sections 1 to 3 of the procedure, as things to tick off."""


def next_steps(
    service: ApplicationService, common_name: str, *, test: bool, key: str, request: str
) -> tuple[Step, ...]:
    """Give what to do with a request that was just made.

    Args:
        service: what the certificate is for.
        common_name: the "service applicatif".
        test: the certificate is one of the TEST tree.
        key: the name of the key's file.
        request: the name of the request's file.
    """
    road = _annuaire_road(test=test) if service is ApplicationService.ANNUAIRE else _ror_road(service, test=test)
    return (
        _TEST_RIGHTS if test else _RIGHTS,
        Step(
            "3",
            f"The administrator orders on {PLATFORM} the product ORG AUTH_CLI.",
            (f"step 3, « service applicatif »: {common_name}", f"step 4, « charger son CSR »: {request}"),
        ),
        Step(
            "3",
            "The platform gives the certificate alone. Put it with its key and ACI-EL-ORG:",
            (f"ror-sante identity bundle RECEIVED.cer --key {key} --out client.p12",),
        ),
        *road,
        _ORDER_PRODUCTION if test else _WATCH,
    )


def _ror_road(service: ApplicationService, *, test: bool) -> tuple[Step, ...]:
    """Give the way from the P12 to a first answer of the ROR."""
    table, flag = _ACCOUNTS[service]
    place = "bac-a-sable" if test else "production"
    return (
        Step("", f"Send its DN to ANS ({ROR_DESK}):", ("ror-sante identity dn client.p12",)),
        Step(
            "",
            "ANS answers with " + ("" if test else "the production ") + "client_id, profile and role: write them into "
            f"[{table}] of the settings, and client.p12 into [identity].",
        ),
        Step(
            "",
            "Pass the tests on the bac-à-sable; ANS looks at them:" if test else "Prove it:",
            (f"ror-sante smoke-test{flag} --env {place}",),
        ),
    )


def _annuaire_road(*, test: bool) -> tuple[Step, ...]:
    """Give the way from the P12 to a first extraction: no account, and no bac-à-sable that we know of."""
    place = "NAME" if test else "production"
    where = ("The bac-à-sable has no Annuaire Santé: describe your place in [environments.NAME].",) if test else ()
    return (
        Step(
            "",
            "Ask the Annuaire Santé for the restricted extractions, with its DN:",
            ("ror-sante identity dn client.p12",),
        ),
        Step("", "Write client.p12 into [identity] of the settings.", where),
        Step("", "Prove it:", (f"ror-sante smoke-test --service annuaire --env {place}",)),
    )


_ACCOUNTS: Final = {
    ApplicationService.RORN: ("rorn", ""),
    ApplicationService.INTER_ROR: ("inter_ror", " --service inter-ror"),
}
_RIGHTS: Final = Step(
    "2",
    f"If no administrator may order yet: form 413 to {CARDS_DESK}, signed by the legal representative.",
    ("4.2:", f"  {FORM_413_USAGE}", "4.3, tick:", f"  {FORM_413_BOX}"),
)
_TEST_RIGHTS: Final = Step("", f"Ask ANS for a TEST certificate with form F414; questions to {ROR_DESK}.")
_ORDER_PRODUCTION: Final = Step(
    "", "Then order the production certificate:", ("ror-sante identity request --env production ...",)
)
_WATCH: Final = Step("", "Watch its end from a cron job:", ("ror-sante identity expires --within 60d",))
