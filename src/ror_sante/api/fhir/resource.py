"""Hold one FHIR resource as the bytes that arrived, decoded only when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ror_sante.api.fhir.document import UNREADABLE, another_type, body_of, decode, unexpected
from ror_sante.errors import UnexpectedResponseError, printable

if TYPE_CHECKING:
    from ror_sante.api.fhir.document import Source


class Distance(msgspec.Struct, frozen=True):
    """How far a place is from the centre of a ``near`` search.

    Attributes:
        value: the number, as the server gave it.
        unit: its unit, such as ``km``.
    """

    value: float
    unit: str = ""


class _Head(msgspec.Struct, rename="camel"):
    resource_type: Any = None
    id: Any = None


_HEAD: Final = msgspec.json.Decoder(_Head)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])


class Resource(Mapping[str, Any]):
    """One resource: a read-only mapping over the bytes that the server sent.

    ``resource["name"]`` decodes the whole resource at its first use and keeps the result; `raw` and `to_ndjson`
    never decode it, so that numbers, spacing and unknown elements stay as the server wrote them.

    Attributes:
        raw: the JSON text of the resource, in UTF-8.
        mode: ``match``, ``include`` or ``outcome`` in a search, empty elsewhere.
        distance: the distance that a ``near`` search computed, or None.
    """

    __slots__ = ("_decoded", "_head", "distance", "mode", "raw")

    def __init__(self, raw: bytes, *, mode: str = "", distance: Distance | None = None) -> None:
        self.raw = raw
        self.mode = mode
        self.distance = distance
        self._head: _Head | None = None
        self._decoded: dict[str, Any] | None = None

    @classmethod
    def parse(cls, source: Source, *, wanted: str) -> Resource:
        """Take the resource that a read answered.

        Args:
            source: the answer, or its body.
            wanted: the resource type that was asked for.

        Raises:
            UnexpectedResponseError: the answer is not JSON, or is a resource of another type.
        """
        head = decode(source, _HEAD)
        if head.resource_type != wanted:
            raise another_type(source, wanted=wanted, found=head.resource_type)
        return cls(body_of(source))

    @property
    def type(self) -> str:
        """The resource type, empty when the resource does not say."""
        return _text(self._first_look().resource_type)

    @property
    def id(self) -> str:
        """The technical id, empty when there is none; not the functional identifier."""
        return _text(self._first_look().id)

    def decode(self) -> dict[str, Any]:
        """Decode the resource afresh; the caller may change the result.

        Raises:
            UnexpectedResponseError: it is nested too deeply.
        """
        return decode(self.raw, _OBJECT)

    def line(self) -> bytes:
        r"""Give the resource as one line of NDJSON, ``\n`` included.

        The bytes pass as they are; only a resource that the server spread over several lines is closed up, with
        its numbers untouched.
        """
        if b"\n" in self.raw or b"\r" in self.raw:
            try:
                return msgspec.json.format(self.raw, indent=-1) + b"\n"
            except UNREADABLE as error:
                raise unexpected(self.raw, f"{self!r} cannot be written on one line") from error
        return self.raw + b"\n"

    def __getitem__(self, name: str) -> Any:
        return self._content()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def __repr__(self) -> str:
        try:
            name = printable(f"{self.type}/{self.id}", 120)
        except UnexpectedResponseError:
            name = "unreadable"
        return f"<Resource {name}, {len(self.raw)} bytes>"

    def _first_look(self) -> _Head:
        if self._head is None:
            self._head = decode(self.raw, _HEAD)
        return self._head

    def _content(self) -> dict[str, Any]:
        if self._decoded is None:
            self._decoded = self.decode()
        return self._decoded


def to_ndjson(resources: Iterable[Resource]) -> Iterator[bytes]:
    r"""Write resources as NDJSON, one line of bytes each, ``\n`` included, without re-encoding them.

    Example::

        with open("offers.ndjson", "wb") as file:
            file.writelines(to_ndjson(client.search("HealthcareService", {"_tag": "52"})))
    """
    return (resource.line() for resource in resources)


def _text(value: object) -> str:
    # The published examples are not clean: an id may be a number.
    return str(value) if isinstance(value, str | int) else ""
