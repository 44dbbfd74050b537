"""Say how pressing the renewal of a certificate is, and whether a renewed one can take its place."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ror_sante.pki.expiry import Validity
from ror_sante.pki.igc import tree_of
from ror_sante.pki.names import common_name
from ror_sante.pki.usage import extended_usages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cryptography import x509

# In these days a second certificate that is at hand takes over.
LAST_DAYS: Final = timedelta(days=7)

# IGC-Santé certificates live three years; the administrators' mail comes one month before the end
# (procedure for ROR certificates, "Cycle de vie des certificats logiciels").
_STAGES: Final = (
    (LAST_DAYS, "Renew it now: when it ends, every call fails."),
    (timedelta(days=30), "Order the renewal this week; the platform's own mail comes no earlier than this."),
    (
        timedelta(days=60),
        "Plan the renewal: order it on the IGC-Santé platform, and announce to ANS a subject DN that changes.",
    ),
)


def advice(validity: Validity, *, at: datetime) -> str:
    """Give the next step towards the renewal: another one from 60, 30 and 7 days before the end, none earlier."""
    left = validity.remaining(at)
    return next((step for limit, step in _STAGES if left < limit), "")


def compared(old: x509.Certificate, new: x509.Certificate) -> Iterator[tuple[bool, str]]:
    """Compare a renewed certificate with the one that it replaces; neither is verified.

    Returns:
        Whether each fact is as it should be, and the fact in words: subject DN, dates, service, tree, usages, key.
    """
    yield _subject(old, new)
    yield from _dates(Validity.of(old), Validity.of(new))
    names = [common_name(one) for one in (old, new)]
    yield names[0] == names[1], f"made for the service {names[1]}; the old one for {names[0]}"
    trees = [tree_of(one) or "not of IGC-Santé" for one in (old, new)]
    yield trees[0] == trees[1], f"tree: {trees[1]}; the old one's: {trees[0]}"
    usages = [set(extended_usages(one) or ()) for one in (old, new)]
    wide = usages[0] <= usages[1]
    yield wide, "made for all that the old one was made for" if wide else "made for less than the old one"
    renewed = old.public_key() != new.public_key()
    yield renewed, "another key" if renewed else "the same key as before: a renewal should make a new one"


def _subject(old: x509.Certificate, new: x509.Certificate) -> tuple[bool, str]:
    if old.subject == new.subject:
        return True, "the subject DN is the same: no new registration at ANS"
    return False, f"the subject DN differs: register {new.subject.rfc4514_string()} with ANS before the switch"


def _dates(old: Validity, new: Validity) -> Iterator[tuple[bool, str]]:
    start, end, later = new.not_before, old.not_after, new.not_after
    if start <= end:
        yield True, f"both are valid from {start:%Y-%m-%d} to {end:%Y-%m-%d}"
    else:
        yield False, f"the old one ends on {end:%Y-%m-%d}, the new one begins on {start:%Y-%m-%d}: a gap"
    yield later > end, f"the new one ends on {later:%Y-%m-%d}" + ("" if later > end else ", not later than the old one")
