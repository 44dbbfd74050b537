"""The documented parameters of the resource types as attributes, for queries and filters alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from ror_sante.api import nos
from ror_sante.api.parameters import ABOVE, Kind
from ror_sante.api.terms import (
    Criterion,
    DateTerm,
    IdentifierTerm,
    NearCommuneTerm,
    NearTerm,
    NumberTerm,
    QuantityTerm,
    ReferenceTerm,
    StringTerm,
    TokenTerm,
)

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

# The published examples write ages with https and weights with http.
_UCUM_AGE: Final = "https://unitsofmeasure.org"
_UCUM: Final = "http://unitsofmeasure.org"


class Fields(Generic[R]):
    """Parameters of one resource type, each giving an `R` when it is called with a value.

    Args:
        sink: makes the `R` of a criterion.
        before: what stands before each name, ``location.`` for instance.
        after: what stands behind it, ``:above`` for instance.
    """

    def __init__(self, sink: Callable[[Criterion], R], *, before: str = "", after: str = "") -> None:
        self._sink = sink
        self._before = before
        self._after = after

    def _take(self, criterion: Criterion) -> R:
        return self._sink(msgspec.structs.replace(criterion, name=f"{self._before}{criterion.name}{self._after}"))


class Field:
    """A parameter as an attribute of `Fields`.

    Args:
        name: of the parameter.
    """

    kind: Kind = "token"

    def __init__(self, name: str) -> None:
        self.name = name


class TokenField(Field):
    """A coded value."""

    def __get__(self, fields: Fields[R], owner: type) -> TokenTerm[R]:
        return TokenTerm(self.name, self.kind, fields._take)


class IdentifierField(Field):
    """A business identifier."""

    def __get__(self, fields: Fields[R], owner: type) -> IdentifierTerm[R]:
        return IdentifierTerm(self.name, self.kind, fields._take)


class StringField(Field):
    """A text."""

    kind: Kind = "string"

    def __get__(self, fields: Fields[R], owner: type) -> StringTerm[R]:
        return StringTerm(self.name, self.kind, fields._take)


class DateField(Field):
    """A moment."""

    kind: Kind = "date"

    def __get__(self, fields: Fields[R], owner: type) -> DateTerm[R]:
        return DateTerm(self.name, self.kind, fields._take)


class NumberField(Field):
    """A number."""

    kind: Kind = "number"

    def __get__(self, fields: Fields[R], owner: type) -> NumberTerm[R]:
        return NumberTerm(self.name, self.kind, fields._take)


class QuantityField(Field):
    """A number with a unit.

    Args:
        name: of the parameter.
        system: of its units.
    """

    kind: Kind = "quantity"

    def __init__(self, name: str, system: str) -> None:
        super().__init__(name)
        self.system = system

    def __get__(self, fields: Fields[R], owner: type) -> QuantityTerm[R]:
        return QuantityTerm(self.name, self.kind, fields._take, self.system)


class ReferenceField(Field):
    """A reference."""

    kind: Kind = "reference"

    def __get__(self, fields: Fields[R], owner: type) -> ReferenceTerm[R]:
        return ReferenceTerm(self.name, self.kind, fields._take)


class NearField(Field):
    """A circle around a point."""

    kind: Kind = "special"

    def __get__(self, fields: Fields[R], owner: type) -> NearTerm[R]:
        return NearTerm(self.name, self.kind, fields._take)


class NearCommuneField(Field):
    """A circle around a commune."""

    kind: Kind = "special"

    def __get__(self, fields: Fields[R], owner: type) -> NearCommuneTerm[R]:
        return NearCommuneTerm(self.name, self.kind, fields._take)


# ------------------------------------------------------------------ the five types of the directory


class ResourceFields(Fields[R]):
    """What every type has."""

    id = TokenField("_id")
    last_updated = DateField("_lastUpdated")


class CommonFields(ResourceFields[R]):
    """What the five types of the directory have."""

    tag = TokenField("_tag")

    def region(self, *regions: str) -> R:
        """Ask for one of these source regions, by name or code: ``region("Bretagne", "01")``."""
        return self.tag(*map(nos.region_token, regions))


class OrganizationFields(CommonFields[R]):
    """Parameters of Organization."""

    identifier = IdentifierField("identifier")  # FINESS, or the national id of a structure
    name = StringField("name")
    type = TokenField("type")
    closing_type = TokenField("closing-type")
    drop_zone = TokenField("drop-zone")
    price_type = TokenField("price-type")
    price_amount_value = NumberField("price-amount-value")
    price_unit = TokenField("price-unit")
    price_residential_type = TokenField("price-residential-type")
    price_dependency_level = TokenField("price-dependency-level")
    price_welcome_type = TokenField("price-welcome-type")
    price_validity_start_date = DateField("price-validity-start-date")
    special_price = TokenField("special-price")


class WholeOrganizationFields(OrganizationFields[R]):
    """Parameters of Organization, those that do not go through a chain included."""

    period_end = DateField("period-end")
    type_activity = TokenField("extension.typeActivity")


class LocationFields(CommonFields[R]):
    """Parameters of Location."""

    identifier = IdentifierField("identifier")  # functional id, or external synchronisation id
    type = TokenField("type")
    status = TokenField("status")
    address_city = StringField("address-city")
    address_postalcode = StringField("address-postalcode")  # "71" finds a department
    commune_cog = TokenField("commune-cog")
    near = NearField("near")
    near_insee_code = NearCommuneField("near-insee-code")
    capacity_status = TokenField("capacity-status")
    capacity_type = TokenField("capacity-type")
    temporality_capacity = TokenField("temporality-capacity")
    gender_capacity_available = TokenField("gender-capacity-available")
    capacity_closing_type = TokenField("capacity-closing-type")
    additional_bed_type = TokenField("additional-bed-type")
    crisis_type = TokenField("crisis-type")
    temporary_assignement = TokenField("temporary-assignement")  # the ROR's spelling
    nb_capacity = NumberField("nb-capacity")
    capacity_update_date = DateField("capacity-update-date")
    equipment_type = TokenField("equipment-type")
    equipment_feature = TokenField("equipment-feature")
    limit_value = QuantityField("limit-value", _UCUM)
    residential_type = TokenField("residential-type")
    residential_number = NumberField("residential-number")


class OfferFields(CommonFields[R]):
    """Parameters of HealthcareService, chains left out."""

    identifier = IdentifierField("identifier")
    name = StringField("name")
    service_category = TokenField("service-category")  # R244
    service_type = TokenField("service-type")  # R227
    specialty = TokenField("specialty")  # R211
    characteristic = TokenField("characteristic")  # R213, R245, R210 and others; call it again for AND
    specific_competence = TokenField("specific-competence")
    intervention_zone = TokenField("intervention-zone")
    patient_type = TokenField("patient-type")  # R239
    age_range_low = QuantityField("age-range-low", _UCUM_AGE)
    age_range_high = QuantityField("age-range-high", _UCUM_AGE)
    psychiatric_sector = StringField("psychiatric-sector")
    closing_reopening_date = DateField("notavailable-closing-reopeningdate")
    location_reference = ReferenceField("location")
    practitioner_identifier = StringField("practitioner.identifier")


class PractitionerFields(CommonFields[R]):
    """Parameters of Practitioner, and of PractitionerRole."""

    identifier = IdentifierField("identifier")  # RPPS


class RoleOfOfferFields(PractitionerFields[R]):
    """Parameters of the roles that belong to an offer."""

    practitioner_identifier = IdentifierField("practitioner.identifier")


class HealthcareServiceFields(OfferFields[R]):
    """Parameters of HealthcareService and its chains."""

    @property
    def location(self) -> LocationFields[R]:
        """Parameters of a place where it is offered."""
        return LocationFields(self._take, before="location.")

    @property
    def organization(self) -> OrganizationFields[R]:
        """Parameters of the organization that offers it, or of one above that (``:above``)."""
        return OrganizationFields(self._take, before="organization.", after=ABOVE)

    @property
    def has_role(self) -> RoleOfOfferFields[R]:
        """Parameters of a role that belongs to it (``_has``, a draft in the documents)."""
        return RoleOfOfferFields(self._take, before="_has:PractitionerRole:service:")


class PlaceFields(LocationFields[R]):
    """Parameters of Location, those that do not go through a chain included."""

    operational_status = TokenField("operational-status")

    @property
    def has_offer(self) -> OfferFields[R]:
        """Parameters of an offer that is made there (``_has``)."""
        return OfferFields(self._take, before="_has:HealthcareService:location:")


# ------------------------------------------------------------------ beside the directory


class TaskFields(ResourceFields[R]):
    """Parameters of Task; all are drafts in the documents."""

    identifier = IdentifierField("identifier")
    focus = ReferenceField("focus")  # what the report is about
    business_status = TokenField("business-status")  # R352
    authored_on = DateField("authored-on")


class QuestionnaireFields(ResourceFields[R]):
    """Parameters of Questionnaire; all but two are drafts in the documents."""

    identifier = IdentifierField("identifier")
    context = TokenField("context")
    status = TokenField("status")
    version = TokenField("version")
    title = StringField("title")
    description = StringField("description")
    name = StringField("name")
    date = DateField("date")
