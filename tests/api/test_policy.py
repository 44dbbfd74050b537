"""The header policy of the national ROR, by operation."""

from __future__ import annotations

import pytest

from ror_sante.api.policy import carries_ror_headers, ror_headers
from ror_sante.environments import Coding
from ror_sante.errors import ConfigurationError

PROFILE = Coding("CU22", "1.2.250.1.213.1.6.1.66")
ROLE = Coding("AUTOMATE", "1.2.250.1.213.1.1.4.6")


@pytest.mark.parametrize(
    "path",
    [
        "HealthcareService",
        "Location/252467",
        "Organization",
        "Practitioner/1",
        "PractitionerRole",
        "metadata",
        "$export",
        "$export-poll-status",
        "$export-get-file",
        "",
    ],
)
def test_a_get_of_the_directory_carries_the_headers(path: str) -> None:
    """The five resource types, the export, metadata and a next page carry the four headers on GET alone."""
    assert carries_ror_headers("GET", path)
    assert not carries_ror_headers("PATCH", path)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "Location"), ("PATCH", None), ("GET", None), ("POST", "Task"), ("GET", "Task"), ("GET", "Locations")],
)
def test_other_calls_go_without(method: str, path: str | None) -> None:
    """The capacity PATCH, other services and other resources carry none."""
    assert not carries_ror_headers(method, path)


def test_the_four_headers_are_those_of_the_documentation() -> None:
    """Code and bare OID of the profile and of the role."""
    assert ror_headers(PROFILE, ROLE) == {
        "Ror-Profil-Utilisateur-Code": "CU22",
        "Ror-Profil-Utilisateur-System": "1.2.250.1.213.1.6.1.66",
        "Ror-Role-Metier-Code": "AUTOMATE",
        "Ror-Role-Metier-System": "1.2.250.1.213.1.1.4.6",
    }


@pytest.mark.parametrize(
    ("code", "system", "said"),
    [
        ("", "1.2", r"profile\.code"),
        ("CU 22", "1.2", r"profile\.code"),
        ("CU22\r\nX: y", "1.2", r"profile\.code"),
        ("CU22é", "1.2", r"profile\.code"),
        ("CU22", "", r"profile\.system"),
        ("CU22", "urn:oid:1.2.250", "urn:oid"),
    ],
)
def test_a_value_that_is_no_header_word_is_refused(code: str, system: str, said: str) -> None:
    """Blank, spaces, line ends, accents and OIDs as URNs are refused by the name of the setting."""
    with pytest.raises(ConfigurationError, match=said):
        ror_headers(Coding(code, system), ROLE)
