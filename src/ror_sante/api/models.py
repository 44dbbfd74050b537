"""Turn a resource into a model of fhir.resources, with the extra ``fhir``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ror_sante.errors import ConfigurationError, UnexpectedResponseError, printable

if TYPE_CHECKING:
    from ror_sante.api.fhir.resource import Resource

_MOST = 5  # faults that a message names


def to_model(resource: Resource) -> Any:
    """Give the pydantic model of a resource, in FHIR R4B.

    The models are strict where the views are lenient: an object in place of a list is refused. R4B is the version
    of fhir.resources that is closest to the ROR's R4.

    Args:
        resource: any resource.

    Returns:
        An instance of ``fhir.resources.R4B``.

    Raises:
        ConfigurationError: the extra ``fhir`` is not installed.
        UnexpectedResponseError: the resource is not what FHIR says it should be; the message names the elements and
            shows none of their values.
    """
    try:
        from fhir.resources.R4B import get_fhir_model_class
    except ImportError as error:
        raise ConfigurationError(
            f"to_model() needs {printable(error.name, 60)}, which is not installed",
            hint="pip install 'ror-sante[fhir]'",
        ) from error
    try:
        model = get_fhir_model_class(resource.type)
    except (KeyError, ValueError):
        raise UnexpectedResponseError(f"{resource!r} is of no type that FHIR knows") from None
    try:
        return model.model_validate_json(resource.raw)
    except ValueError as error:
        # The text of a ValidationError holds values; its cause is dropped with it.
        raise UnexpectedResponseError(
            f"{resource!r} is not a clean {resource.type}: {_faults(error)}",
            hint="The views of ror_sante.api.views read such a resource all the same.",
        ) from None


def _faults(error: Any) -> str:
    told = [
        f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return printable("; ".join(told[:_MOST]), 400) + more
