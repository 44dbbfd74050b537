"""What a record of the Annuaire Santé says of itself: its id, and whether it is still in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ror_sante.api.fhir.document import UNREADABLE

if TYPE_CHECKING:
    from ror_sante.api.fhir.resource import Resource


class Head(msgspec.Struct, rename="camel", gc=False):
    """The beginning of a record, so to speak.

    Attributes:
        resource_type: as it says.
        id: as it says.
        active: as it says; absent in a Device.
        status: as it says, in a Device.
    """

    resource_type: str
    id: str | int
    active: Any = None
    status: Any = None

    @property
    def deactivated(self) -> bool:
        """Whether it is one that the service would have deleted.

        There are no tombstones: such a record comes with ``active=false`` (a Device with ``status=inactive``), and
        little more than its identifiers (annuaire-sante-fhir-documentation, page "uc-call-type", 2026-06-30).
        """
        return self.status == "inactive" if self.resource_type == "Device" else self.active is False


_HEAD: Final = msgspec.json.Decoder(Head)


def head_of(raw: bytes) -> Head | None:
    """Read the head of a record; None when it is none, or has no id."""
    try:
        head = _HEAD.decode(raw)
    except UNREADABLE:
        return None
    return head if head.id != "" else None


def is_deactivated(resource: Resource) -> bool:
    """Tell whether a record is deactivated: what points to it should be let go.

    Args:
        resource: of a search or a read of the Annuaire Santé.

    Example::

        for person in annuaire.search("Practitioner", {"_lastUpdated": "ge2026-11-24T00:00:00Z"}):
            if is_deactivated(person):
                forget(person.id)
    """
    head = head_of(resource.raw)
    return head is not None and head.deactivated
