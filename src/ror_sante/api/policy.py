"""Which calls of the national ROR carry the four ``Ror-*`` headers, and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError

if TYPE_CHECKING:
    from ror_sante.environments import Coding

DIRECTORY_TYPES: Final = ("HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole")
RESOURCE_TYPES: Final = frozenset({*DIRECTORY_TYPES, "Task", "Questionnaire"})

# ROR-fhir-documentation, pages "consommation-api" (the five resource types), "export" (its samples send them on
# every step) and "integration-python" (metadata). By method and first segment of the path below the diffusion
# service; the empty segment is the service itself, where a next page is asked. What is not here goes without: the
# capacity PATCH must (page "patch-capacitaire"), and it has another service path besides.
WITH_ROR_HEADERS: Final = frozenset(
    ("GET", segment)
    for segment in (*DIRECTORY_TYPES, "", "$export", "$export-poll-status", "$export-get-file", "metadata")
)


def carries_ror_headers(method: str, path: str | None) -> bool:
    """Tell whether a call carries the four headers.

    Args:
        method: the HTTP method.
        path: the path below the diffusion service, or None for another service.
    """
    return path is not None and (method, path.partition("/")[0]) in WITH_ROR_HEADERS


def ror_headers(profile: Coding, role: Coding) -> dict[str, str]:
    """Write the user's profile and role as headers.

    Args:
        profile: the access profile, a code of TRE_R78 such as ``CU22`` and the bare OID of that code system.
        role: the role, such as ``AUTOMATE`` of TRE_A00 and the bare OID of that code system.

    Raises:
        ConfigurationError: a value is empty, holds anything but visible ASCII, or spells the OID as a URN.
    """
    values = {
        "Ror-Profil-Utilisateur-Code": (profile.code, "profile.code"),
        "Ror-Profil-Utilisateur-System": (profile.system, "profile.system"),
        "Ror-Role-Metier-Code": (role.code, "role.code"),
        "Ror-Role-Metier-System": (role.system, "role.system"),
    }
    return {name: _checked(value, key) for name, (value, key) in values.items()}


def _checked(value: str, key: str) -> str:
    if not value or not all("!" <= character <= "~" for character in value):
        raise ConfigurationError(
            f"{key} must be one word of visible ASCII characters",
            hint="ANS gives the values of the Ror-* headers together with the client_id.",
        )
    if value.lower().startswith("urn:oid:"):
        raise ConfigurationError(f"{key} starts with urn:oid:", hint="The Ror-* headers take the bare OID.")
    return value
