"""What a copy reads of each resource: its type and id, the region that it comes from, whether it has a telecom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante.api.fhir.document import UNREADABLE
from ror_sante.sync.job import REGION
from ror_sante.sync.split import BrokenFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTCOME: Final = "OperationOutcome"
_EMPTY: Final = frozenset({b"", b"[]", b"null"})
_NOTHING: Final = max(map(len, _EMPTY))


class _Meta(msgspec.Struct, frozen=True, gc=False):
    tag: msgspec.Raw = msgspec.Raw()  # decoded once for all resources that bear the same


class Head(msgspec.Struct, rename="camel", gc=False):
    """The beginning of a resource, so to speak.

    Attributes:
        resource_type: as it says.
        id: as it says.
        meta: holds the tags, which stay undecoded.
        telecom: undecoded.
    """

    resource_type: str
    id: str | int
    meta: _Meta = _Meta()
    telecom: msgspec.Raw = msgspec.Raw()

    @property
    def has_telecom(self) -> bool:
        """Whether there is one: four characters are no more than an empty list or ``null``."""
        return len(self.telecom) > _NOTHING or bytes(self.telecom) not in _EMPTY


class _BareHead(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str | int | None = None


class _Tag(msgspec.Struct, frozen=True):
    system: str = ""
    code: str = ""


_HEAD: Final = msgspec.json.Decoder(Head)
_BARE: Final = msgspec.json.Decoder(_BareHead)
_TAGS: Final = msgspec.json.Decoder(tuple[_Tag, ...])


def heads(batch: Sequence[bytes | msgspec.Raw]) -> list[Head]:
    """Read the heads of some resources.

    Raises:
        BrokenFileError: one of them is no resource, or has no id.
    """
    decode = _HEAD.decode
    try:
        return [decode(raw) for raw in batch]
    except UNREADABLE:
        return [_lenient(raw) for raw in batch]


def region_of(tag: bytes) -> str:
    """Give the code of the region in an undecoded list of tags; tags that are not FHIR's name none."""
    try:
        return next((one.code for one in _TAGS.decode(tag) if one.system == REGION), "")
    except UNREADABLE:
        return ""


def _lenient(raw: bytes | msgspec.Raw) -> Head:
    """Read one whose ``meta`` is not FHIR's: it is counted without a region."""
    try:
        return _HEAD.decode(raw)
    except msgspec.ValidationError:
        pass
    except UNREADABLE as error:
        raise BrokenFileError("a file of the export holds what is no resource") from error
    try:
        bare = _BARE.decode(raw)
    except msgspec.ValidationError as error:
        raise BrokenFileError("a file of the export holds what is no resource") from error
    if bare.id is None and bare.resource_type != OUTCOME:
        raise BrokenFileError("a resource of a file of the export has no id")
    return Head(bare.resource_type, bare.id or "")
