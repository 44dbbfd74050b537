"""Reason about the dates of a certificate, at a time that the caller gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ror_sante.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from cryptography import x509


def aware(at: datetime) -> datetime:
    """Give the time back when it has a time zone.

    Raises:
        ConfigurationError: it has none, so that it means another instant on another machine.
    """
    if at.tzinfo is None or at.utcoffset() is None:
        raise ConfigurationError(
            "the time to judge at has no time zone", hint="Use datetime.now(UTC), or give your datetime a tzinfo."
        )
    return at


@dataclass(frozen=True, slots=True)
class Validity:
    """The first and the last instant at which a certificate holds, both included (RFC 5280 section 4.1.2.5).

    Attributes:
        not_before: the first instant, with its time zone.
        not_after: the last instant, with its time zone.
    """

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        aware(self.not_before)
        aware(self.not_after)

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Validity:
        """Read the dates of a certificate."""
        return cls(certificate.not_valid_before_utc, certificate.not_valid_after_utc)

    def remaining(self, at: datetime) -> timedelta:
        """Give the time left at an instant; negative once the certificate is expired."""
        return self.not_after - aware(at)

    def is_valid(self, at: datetime) -> bool:
        """Tell whether the certificate holds at an instant."""
        return self.not_before <= aware(at) <= self.not_after

    def needs_renewal(self, *, at: datetime, within: timedelta) -> bool:
        """Tell whether, at an instant, the certificate ends within that time or has ended."""
        return self.remaining(at) <= within
