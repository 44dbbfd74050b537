"""The documented search parameters of the national ROR, and whether a name is one of them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ror_sante.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["token", "string", "date", "number", "quantity", "reference", "special"]


class Parameter(msgspec.Struct, frozen=True):
    """A documented search parameter.

    Attributes:
        name: as it is written in a query, without a modifier; a chain or ``_has`` stands before it.
        kind: the FHIR type of its values.
        stated: the CapabilityStatement of production (ROR 3.2, 2024-07-29) lists it.
        draft: the documents call it a draft.
    """

    name: str
    kind: Kind
    stated: bool = True
    draft: bool = False


def _rows(kind: Kind, names: str, *, stated: bool = True, draft: bool = False) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, kind, stated, draft) for name in names.split())


# ROR-fhir-documentation, pages "resources" and "search-params" (ROR 5.1), and the statement of production.
_COMMON: Final = (*_rows("token", "_id _tag"), *_rows("date", "_lastUpdated"))
_FILTER: Final = _rows("special", "_filter")
_FILTER_DRAFT: Final = _rows("special", "_filter", stated=False, draft=True)
_CONTENT_DRAFT: Final = _rows("special", "_content", stated=False, draft=True)

_OWN: Final[dict[str, tuple[Parameter, ...]]] = {
    "HealthcareService": (
        *_COMMON,
        *_FILTER,
        *_CONTENT_DRAFT,
        *_rows("token", "identifier service-category service-type specialty characteristic specific-competence"),
        *_rows("token", "intervention-zone patient-type"),
        *_rows("string", "name psychiatric-sector practitioner.identifier"),
        *_rows("quantity", "age-range-low age-range-high"),
        *_rows("date", "notavailable-closing-reopeningdate"),
        *_rows("reference", "location", stated=False, draft=True),
    ),
    "Location": (
        *_COMMON,
        *_FILTER,
        *_CONTENT_DRAFT,
        *_rows("token", "identifier type status commune-cog equipment-type equipment-feature residential-type"),
        *_rows("token", "capacity-status capacity-type temporality-capacity gender-capacity-available"),
        *_rows("token", "capacity-closing-type additional-bed-type crisis-type temporary-assignement"),
        *_rows("token", "operational-status", stated=False, draft=True),
        *_rows("string", "address-city address-postalcode"),
        *_rows("special", "near near-insee-code"),
        *_rows("number", "nb-capacity residential-number"),
        *_rows("date", "capacity-update-date"),
        *_rows("quantity", "limit-value"),
    ),
    "Organization": (
        *_COMMON,
        *_FILTER_DRAFT,
        *_rows("special", "_content"),
        *_rows("token", "identifier closing-type drop-zone extension.typeActivity"),
        *_rows("token", "type", stated=False),  # since ROR 3.3
        *_rows("token", "price-type price-unit price-residential-type price-dependency-level price-welcome-type"),
        *_rows("token", "special-price"),
        *_rows("number", "price-amount-value"),
        *_rows("string", "name"),
        *_rows("date", "period-end price-validity-start-date"),
    ),
    # identifier: since ROR 3.3, and so not in the statement of 3.2
    "Practitioner": (*_COMMON, *_FILTER_DRAFT, *_CONTENT_DRAFT, *_rows("token", "identifier", stated=False)),
    "PractitionerRole": (*_COMMON, *_FILTER_DRAFT, *_CONTENT_DRAFT, *_rows("token", "identifier", stated=False)),
    "Task": (
        *_rows("special", "_filter", stated=False),
        *_rows("token", "_id identifier business-status", stated=False, draft=True),
        *_rows("reference", "focus", stated=False, draft=True),
        *_rows("date", "_lastUpdated authored-on", stated=False, draft=True),
    ),
    "Questionnaire": (
        *_rows("token", "_id", stated=False),
        *_rows("date", "_lastUpdated", stated=False),
        *_rows("token", "identifier context status version", stated=False, draft=True),
        *_rows("string", "title description name", stated=False, draft=True),
        *_rows("date", "date", stated=False, draft=True),
    ),
}

_NOT_CHAINED: Final = {"operational-status", "_filter", "_content"}
# The statement lists the chain to the organization in its :above form alone, which walks up OI -> EG -> EJ.
ABOVE: Final = ":above"
_NOT_ABOVE: Final = {"_filter", "_content", "period-end", "extension.typeActivity"}


def _chained(target: str, before: str, *, after: str = "", without: Iterable[str] = ()) -> Iterator[Parameter]:
    for each in _OWN[target]:
        if each.name not in without:
            yield msgspec.structs.replace(each, name=f"{before}{each.name}{after}")


def _reverse(target: str, reference: str, *, stated: bool) -> Iterator[Parameter]:
    before = f"_has:{target}:{reference}:"
    for each in _chained(target, before, without=_NOT_CHAINED):
        yield msgspec.structs.replace(each, stated=stated, draft=not stated)


def _by_name(*parameters: Parameter) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in parameters}


PARAMETERS: Final[dict[str, dict[str, Parameter]]] = {
    resource_type: _by_name(*parameters) for resource_type, parameters in _OWN.items()
} | {
    "HealthcareService": _by_name(
        *_OWN["HealthcareService"],
        *_chained("Location", "location.", without=_NOT_CHAINED),
        *_chained("Organization", "organization.", after=ABOVE, without={*_NOT_ABOVE, "type"}),
        *_rows("token", "organization.type:above"),
        *_rows("token", "organization.type", stated=False, draft=True),  # one scenario has it without :above
        *_reverse("PractitionerRole", "service", stated=False),
        *_rows("token", "_has:PractitionerRole:service:practitioner.identifier", stated=False, draft=True),
    ),
    "Location": _by_name(*_OWN["Location"], *_reverse("HealthcareService", "location", stated=True)),
}

# Result parameters: IG, page "modifiers", and the statement of production.
CONTROLS: Final = ("_count", "_sort", "_format", "_include", "_include:iterate", "_revinclude", "_revinclude:iterate")

_MODIFIERS: Final[dict[Kind, tuple[str, ...]]] = {"token": ("not",), "string": ("contains", "exact")}
_OF_TYPE: Final = "of-type"  # for identifiers

_PARTOF: Final = "Organization:partof"
INCLUDES: Final[dict[str, tuple[str, ...]]] = {
    "HealthcareService": (
        "HealthcareService:organization",
        "HealthcareService:location",
        "PractitionerRole:practitioner",
    ),
    "Location": ("Location:organization",),
    "Organization": (_PARTOF,),
    "Practitioner": (),
    "PractitionerRole": ("PractitionerRole:practitioner", "PractitionerRole:organization"),
}
REVINCLUDES: Final[dict[str, tuple[str, ...]]] = {
    "HealthcareService": ("PractitionerRole:service",),
    "Location": ("HealthcareService:location",),
    "Organization": ("HealthcareService:organization", "PractitionerRole:organization"),
    "Practitioner": (),
    "PractitionerRole": (),
}
# What an iterated rule may follow does not depend on what was searched.
_ITERATED: Final = {
    "_include": frozenset({key for keys in INCLUDES.values() for key in keys}),
    "_revinclude": frozenset({key for keys in REVINCLUDES.values() for key in keys}),
}


def look_up(resource_type: str, name: str) -> Parameter:
    """Find a parameter in the documented set.

    Args:
        resource_type: of the search.
        name: as in a query: chain, ``_has`` and modifier included.

    Raises:
        ConfigurationError: it is not documented; the hint names what is close to it.
    """
    known = PARAMETERS[resource_type]
    if name in known:
        return known[name]
    base, _, modifier = name.rpartition(":")
    parameter = known.get(base)
    if parameter is None:
        raise _unknown(resource_type, name)
    allowed = modifiers(parameter)
    if modifier not in allowed:
        raise ConfigurationError(
            f"{resource_type}: the parameter {printable(base, 80)} does not take the modifier "
            f":{printable(modifier, 40)}",
            hint=f"It takes {', '.join(f':{word}' for word in allowed) or 'none'}.",
        )
    return parameter


def modifiers(parameter: Parameter) -> tuple[str, ...]:
    """Name the modifiers that a parameter takes."""
    if parameter.name.endswith(ABOVE):
        return ()
    identifies = parameter.name.endswith("identifier") and parameter.kind == "token"
    return _MODIFIERS.get(parameter.kind, ()) + ((_OF_TYPE,) if identifies else ())


def check_include(resource_type: str, control: str, key: str) -> None:
    """Check the value of ``_include`` or ``_revinclude``, with ``:iterate`` or without.

    Raises:
        ConfigurationError: the pair is not documented for a search of this type.
    """
    base, _, iterate = control.partition(":")
    table = INCLUDES if base == "_include" else REVINCLUDES
    allowed = _ITERATED[base] if iterate else table.get(resource_type, ())
    if key not in allowed:
        near = difflib.get_close_matches(key, sorted(allowed), n=1)
        raise ConfigurationError(
            f"{resource_type}: {control}={printable(key, 80)} is not documented",
            hint=f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(allowed)) or 'none'}.",
        )


def doubts(resource_type: str, params: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Say which parameters of a query are outside the documented set; no value is shown but those of includes.

    Args:
        resource_type: of the search.
        params: pairs of name and value.
    """
    for name, value in params:
        try:
            if name.partition(":")[0] in ("_include", "_revinclude") and name in CONTROLS:
                check_include(resource_type, name, value)
            elif name not in CONTROLS:
                look_up(resource_type, name)
        except ConfigurationError as doubt:
            yield f"{doubt.message}. {doubt.hint}"


def _unknown(resource_type: str, name: str) -> ConfigurationError:
    shown = printable(name, 80)
    if name.partition(":")[0] == "_elements":
        return ConfigurationError(
            f"{resource_type}: the ROR does not implement _elements",
            hint="Leave it out; every resource comes whole.",  # changelog of the guide, 0.6.0
        )
    candidates = [*PARAMETERS[resource_type], *CONTROLS]
    near = difflib.get_close_matches(name, candidates, n=3, cutoff=0.7)
    near += [each for each in candidates if each.removesuffix(ABOVE) == name and each not in near]
    return ConfigurationError(
        f"{resource_type} has no documented search parameter {shown}",
        hint=f"Close to it: {', '.join(near)}." if near else "docs/search.md lists them; raw() sends anything.",
    )
