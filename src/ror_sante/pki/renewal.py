"""Say how pressing the renewal of a certificate is, at a time that the caller gives."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from ror_sante.pki.expiry import Validity

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
