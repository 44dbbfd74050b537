"""The documented search parameters, and what is said of the others."""

from __future__ import annotations

import pytest

from ror_sante.api.parameters import INCLUDES, PARAMETERS, REVINCLUDES, check_include, doubts, look_up
from ror_sante.api.policy import DIRECTORY_TYPES, RESOURCE_TYPES
from ror_sante.errors import ConfigurationError

# A selection of reference section 4.2, type by type.
DOCUMENTED = {
    "HealthcareService": "_id _lastUpdated _tag _filter identifier name service-category service-type specialty "
    "characteristic intervention-zone patient-type age-range-low psychiatric-sector location practitioner.identifier "
    "location.near location.near-insee-code location.identifier:of-type organization.identifier:above "
    "organization.name:above organization.type:above organization.type notavailable-closing-reopeningdate "
    "_has:PractitionerRole:service:practitioner.identifier _has:PractitionerRole:service:identifier",
    "Location": "identifier identifier:of-type type type:not status operational-status address-city:contains near "
    "nb-capacity capacity-update-date limit-value temporary-assignement _has:HealthcareService:location:specialty",
    "Organization": "identifier name:contains name:exact type drop-zone period-end price-amount-value "
    "special-price _content",
    "Practitioner": "identifier identifier:of-type _tag _lastUpdated",
    "PractitionerRole": "identifier _filter",
    "Task": "_filter focus authored-on",
    "Questionnaire": "_id title",
}


@pytest.mark.parametrize(("kind", "names"), DOCUMENTED.items())
def test_what_is_documented_is_known(kind: str, names: str) -> None:
    """Every form of a name that the documents give is found."""
    for name in names.split():
        assert look_up(kind, name).name


def test_every_type_of_the_service_has_its_table() -> None:
    """The parameters cover what the client searches, the includes the directory."""
    assert set(PARAMETERS) == RESOURCE_TYPES
    assert set(INCLUDES) == set(REVINCLUDES) == set(DIRECTORY_TYPES)


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("HealthcareService", "speciality", "specialty"),
        ("HealthcareService", "location.adress-city", "location.address-city"),
        ("HealthcareService", "organization.identifier", "organization.identifier:above"),
        ("HealthcareService", "location.operational-status", "location."),
        ("HealthcareService", "_revincluded", "_revinclude"),
        ("Location", "_elements", "whole"),
        ("Location", "wheelchair", "docs/search.md"),
        ("Practitioner", "qqqqqq:contains", "docs/search.md"),
    ],
)
def test_what_is_not_documented_gets_a_hint(kind: str, name: str, hint: str) -> None:
    """The error names what is close, and the way out."""
    with pytest.raises(ConfigurationError, match=kind) as caught:
        look_up(kind, name)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "name", "takes"),
    [
        ("Location", "address-city:not", "It takes :contains, :exact."),
        ("Location", "type:of-type", "It takes :not."),
        ("Location", "identifier:contains", "It takes :not, :of-type."),
        ("Location", "nb-capacity:not", "It takes none."),
        ("HealthcareService", "organization.name:above:contains", "It takes none."),
    ],
)
def test_a_modifier_belongs_to_a_kind(kind: str, name: str, takes: str) -> None:
    """A modifier that the kind of the parameter does not have is refused, with those that it has."""
    with pytest.raises(ConfigurationError, match="modifier") as caught:
        look_up(kind, name)
    assert caught.value.hint == takes


@pytest.mark.parametrize(
    ("kind", "control", "key"),
    [
        ("HealthcareService", "_include", "HealthcareService:organization"),
        ("HealthcareService", "_include", "PractitionerRole:practitioner"),
        ("HealthcareService", "_include:iterate", "Organization:partof"),
        ("HealthcareService", "_revinclude", "PractitionerRole:service"),
        ("Location", "_revinclude:iterate", "PractitionerRole:service"),
    ],
)
def test_documented_includes_pass(kind: str, control: str, key: str) -> None:
    """Those of the type searched, and with :iterate those of any type."""
    check_include(kind, control, key)


@pytest.mark.parametrize(
    ("kind", "control", "key", "hint"),
    [
        ("HealthcareService", "_include", "Organization:partof", "There are"),
        ("Location", "_include", "Location:organisation", "Did you mean Location:organization?"),
        (
            "Organization",
            "_revinclude",
            "Organization:healthcareservice",
            "There are HealthcareService:organization",
        ),
        ("Practitioner", "_include", "x", "There are none."),
        ("Questionnaire", "_include", "x", "There are none."),
    ],
)
def test_other_includes_get_a_hint(kind: str, control: str, key: str, hint: str) -> None:
    """The published slips are among them."""
    with pytest.raises(ConfigurationError, match="is not documented") as caught:
        check_include(kind, control, key)
    assert hint in caught.value.hint


def test_doubts_name_the_parameter_and_never_its_value() -> None:
    """Of a plain query, what is not documented is told in a sentence each; what is documented is not."""
    told = list(
        doubts(
            "HealthcareService",
            [
                ("name", "secret"),
                ("_count", "5"),
                ("_include", "HealthcareService:location"),
                ("_include", "HealthcareService:place"),
                ("speciality", "secret"),
            ],
        )
    )
    assert len(told) == 2
    assert "HealthcareService:place" in told[0]
    assert "speciality" in told[1]
    assert "specialty" in told[1]
    assert "secret" not in "".join(told)
