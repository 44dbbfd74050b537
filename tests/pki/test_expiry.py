"""Dates of a certificate, judged at a time that the caller gives."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.pki.expiry import Validity, aware

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SPAN = Validity(FIRST, LAST)


@pytest.mark.parametrize(
    ("at", "valid"), [(FIRST - SECOND, False), (FIRST, True), (LAST, True), (LAST + SECOND, False)]
)
def test_both_ends_are_included(at, valid):
    """A certificate holds at its first and last second, and not one second before or after (RFC 5280)."""
    assert SPAN.is_valid(at) is valid


def test_the_dates_are_those_of_the_certificate(leaf):
    """The dates are read, never computed: products last three years, or three years and a month."""
    validity = Validity.of(leaf.certificate)
    assert validity == Validity(leaf.certificate.not_valid_before_utc, leaf.certificate.not_valid_after_utc)


def test_the_time_left_turns_negative():
    """The time left is exact, and negative after the end."""
    assert SPAN.remaining(LAST - timedelta(days=3)) == timedelta(days=3)
    assert SPAN.remaining(LAST + SECOND) == -SECOND


@pytest.mark.parametrize(("days", "needed"), [(61, False), (60, True), (0, True), (-1, True)])
def test_renewal_is_due_within_the_time_given(days, needed):
    """Renewal is due from sixty days before the end when sixty are asked for, and stays due after it."""
    at = LAST - timedelta(days=days)
    assert SPAN.needs_renewal(at=at, within=timedelta(days=60)) is needed


def test_another_time_zone_is_the_same_instant():
    """The judgement is about an instant, whatever time zone writes it."""
    paris = timezone(timedelta(hours=2))
    assert SPAN.is_valid(LAST.astimezone(paris))
    assert not SPAN.is_valid((LAST + SECOND).astimezone(paris))


def test_a_time_without_zone_is_refused():
    """A naive time means another instant on another machine: it is refused, everywhere."""
    naive = datetime(2026, 6, 1)  # noqa: DTZ001  what must be refused
    for call in (aware, SPAN.is_valid, SPAN.remaining, lambda at: Validity(at, LAST)):
        with pytest.raises(ConfigurationError, match="no time zone"):
            call(naive)
