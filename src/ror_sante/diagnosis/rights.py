"""Tell by what a service gave whether the account's rights hide some of it: it leaves that out, and says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.api.views.lenient import extensions
from ror_sante.diagnosis.causes import Cause, cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ror_sante.api.fhir.bundle import Bundle
    from ror_sante.api.fhir.resource import Resource
    from ror_sante.diagnosis.causes import Lang

# FHIR profiles of the ROR (interop.esante.gouv.fr/ig/fhir/ror), elements of cardinality 1..1 in every version. "Less
# right" means fewer fields, not an error: the profiles' mappings say which access profile sees which element.
_ELEMENTS: Final = {"HealthcareService": ("identifier",)}
_EXTENSIONS: Final = {
    "HealthcareService": ("ror-healthcareservice-sensitive-unit",),
    "Location": ("ror-commune-cog",),
}
_CREATED: Final = "ror-meta-creation-date"
# Codes by which any FHIR server says itself that it left something out (R4: security-labels, observation values).
_MARKS: Final = frozenset({"SUBSETTED", "REDACTED", "MASKED"})


def hidden(page: Bundle, *, lang: Lang = "en") -> tuple[Cause, ...]:
    """Look at a page of a search of the ROR.

    What may be absent in any offer, such as a phone number, proves nothing; what the ROR's profiles make mandatory, and
    no resource of the page has, was left out. So does a count that is larger than the last page shows.

    Args:
        page: the first page of a search without ``_elements``.
        lang: ``en`` or ``fr``.

    Returns:
        The cause ``rights-hide-fields`` with its evidence, or nothing.
    """
    told = "; ".join((*_marked(page.matches), *_lacking(page.matches), *_short(page)))
    return (cause("rights-hide-fields", "medium", told, lang=lang),) if told else ()


def _marked(resources: Iterable[Resource]) -> Iterator[str]:
    for resource in resources:
        meta = resource.get("meta")
        labels = [*_list(meta, "security"), *_list(meta, "tag")]
        found = {str(label.get("code")) for label in labels if isinstance(label, dict)} & _MARKS
        if found:
            yield f"{resource.type}/{resource.id} is marked {', '.join(sorted(found))}"
            return


def _lacking(resources: tuple[Resource, ...]) -> Iterator[str]:
    for kind in dict.fromkeys(resource.type for resource in resources):
        those = [resource for resource in resources if resource.type == kind]
        needed = (*_ELEMENTS.get(kind, ()), *_EXTENSIONS.get(kind, ()), _CREATED)
        absent = [name for name in needed if not any(_has(resource, name) for resource in those)]
        if absent:
            yield f"no {kind} of {len(those)} has {', '.join(absent)}, which the ROR's profiles make mandatory"


def _short(page: Bundle) -> Iterator[str]:
    if page.total is not None and page.next is None and len(page.matches) < page.total:
        yield f"the service counts {page.total} and shows {len(page.matches)}"


def _has(resource: Resource, name: str) -> bool:
    return name in resource or any(True for _ in extensions(resource, name))


def _list(meta: object, name: str) -> list[object]:
    found = meta.get(name) if isinstance(meta, dict) else None
    return found if isinstance(found, list) else []
