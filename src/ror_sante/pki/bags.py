"""See how a P12 is built, without its passphrase."""

# No "from __future__ import annotations" here: hazmat.asn1 reads the annotations when a class is made.

from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from ror_sante.pki.listening import READER_ERRORS

# RFC 7292 sections 4 and 4.2; RFC 5652 section 4.
_DATA: Final = "1.2.840.113549.1.7.1"
_KEY_BAG: Final = "1.2.840.113549.1.12.10.1.1"
_SHROUDED_KEY_BAG: Final = "1.2.840.113549.1.12.10.1.2"


@dataclass(frozen=True, slots=True)
class Outline:
    """What shows of a P12 from outside.

    Attributes:
        mac_rounds: iterations of the integrity check, or None when the file has none.
        clear_keys: private keys that are not encrypted at all.
        keys: private keys seen, encrypted or not; those in an encrypted part do not show.
    """

    mac_rounds: int | None
    clear_keys: int
    keys: int


@asn1.sequence
class _ContentInfo:
    kind: ObjectIdentifier
    content: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class _DigestInfo:
    algorithm: asn1.TLV
    digest: bytes


@asn1.sequence
class _MacData:
    mac: _DigestInfo
    salt: bytes
    rounds: Annotated[int, asn1.Default(1)]


@asn1.sequence
class _Pfx:
    version: int
    safe: _ContentInfo
    mac: _MacData | None


@asn1.sequence
class _Attribute:
    kind: ObjectIdentifier
    values: asn1.TLV


@asn1.sequence
class _SafeBag:
    kind: ObjectIdentifier
    value: Annotated[asn1.TLV, asn1.Explicit(0)]
    attributes: asn1.SetOf[_Attribute] | None


@asn1.sequence
class _One:
    item: asn1.TLV


@asn1.sequence
class _Parts:
    items: list[_ContentInfo]


@asn1.sequence
class _Bags:
    items: list[_SafeBag]


T = TypeVar("T", _Parts, _Bags)


def outline(data: bytes) -> Outline | None:
    """Read the outline of a P12 in DER; None when it is not one, or is in BER.

    A final line break, which mail and text tools add, is overlooked.
    """
    for form in (data, data.rstrip(b"\r\n")):
        try:
            return _outline(asn1.decode_der(_Pfx, form))
        except READER_ERRORS:
            continue
    return None


def _outline(pfx: _Pfx) -> Outline:
    parts = _decode_list(_Parts, pfx.safe.content.parse(bytes)).items
    clear = [part.content.parse(bytes) for part in parts if part.kind.dotted_string == _DATA]
    kinds = [bag.kind.dotted_string for part in clear for bag in _decode_list(_Bags, part).items]
    return Outline(
        mac_rounds=pfx.mac.rounds if pfx.mac else None,
        clear_keys=kinds.count(_KEY_BAG),
        keys=kinds.count(_KEY_BAG) + kinds.count(_SHROUDED_KEY_BAG),
    )


def _decode_list(kind: type[T], octets: bytes) -> T:
    """Decode a SEQUENCE OF, which the library does only as a field: put it into a SEQUENCE of one field first."""
    return asn1.decode_der(kind, asn1.encode_der(_One(item=asn1.decode_der(asn1.TLV, octets))))
