"""See how a P12 is built, without its passphrase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat import asn1

from ror_sante.pki import pfx
from ror_sante.pki.listening import READER_ERRORS
from ror_sante.pki.protection import protection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ror_sante.pki.protection import Protection


@dataclass(frozen=True, slots=True)
class Outline:
    """What shows of a P12 from outside; nothing of it is verified.

    Attributes:
        mac_rounds: iterations of the integrity check, or None when the file has none.
        clear_keys: private keys that are not encrypted at all.
        keys: private keys seen, encrypted or not; those in an encrypted part do not show.
        certificates: those in clear, in DER; the one that bears the localKeyID of the key comes first.
        hidden_parts: encrypted parts, in which anything may be.
        protections: how each key that is seen is encrypted.
    """

    mac_rounds: int | None
    clear_keys: int
    keys: int
    certificates: tuple[bytes, ...]
    hidden_parts: int
    protections: tuple[Protection, ...]

    @property
    def protection(self) -> str | None:
        """How the first key is encrypted, in words; None when no key shows."""
        if self.clear_keys:
            return "not encrypted"
        return str(self.protections[0]) if self.protections else None


def outline(data: bytes) -> Outline | None:
    """Read the outline of a P12 in DER; None when it is not one, or is in BER.

    A final line break, which mail and text tools add, is overlooked.
    """
    for form in (data, data.rstrip(b"\r\n")):
        try:
            return _outline(asn1.decode_der(pfx.Pfx, form))
        except READER_ERRORS:
            continue
    return None


def _outline(whole: pfx.Pfx) -> Outline:
    parts = pfx.decode_list(pfx.Parts, whole.safe.content.parse(bytes)).items
    clear = [part.content.parse(bytes) for part in parts if part.kind == pfx.DATA]
    bags = [bag for part in clear for bag in pfx.decode_list(pfx.Bags, part).items]
    kinds = [bag.kind for bag in bags]
    return Outline(
        mac_rounds=whole.mac.rounds if whole.mac else None,
        clear_keys=kinds.count(pfx.KEY_BAG),
        keys=kinds.count(pfx.KEY_BAG) + kinds.count(pfx.SHROUDED_KEY_BAG),
        certificates=tuple(_certificates(bags)),
        hidden_parts=len(parts) - len(clear),
        protections=tuple(_protections(bags)),
    )


def _certificates(bags: Iterable[pfx.SafeBag]) -> Iterator[bytes]:
    """Give the certificates, the one that belongs to a key first; those of another kind (SDSI) are passed over."""
    keys = {_local_key_id(bag) for bag in bags if bag.kind in _KEYS} - {None}
    found = [bag for bag in bags if bag.kind == pfx.CERTIFICATE_BAG]
    for bag in sorted(found, key=lambda bag: _local_key_id(bag) not in keys):
        yield bag.value.parse(pfx.CertificateBag).certificate


_KEYS: Final = (pfx.KEY_BAG, pfx.SHROUDED_KEY_BAG)


def _local_key_id(bag: pfx.SafeBag) -> bytes | None:
    attributes = bag.attributes.as_list() if bag.attributes else []
    return next((bytes(label.values.data) for label in attributes if label.kind == pfx.LOCAL_KEY_ID), None)


def _protections(bags: Iterable[pfx.SafeBag]) -> Iterator[Protection]:
    for bag in bags:
        if bag.kind == pfx.SHROUDED_KEY_BAG:
            yield protection(bag.value.parse(pfx.EncryptedKey).algorithm)
