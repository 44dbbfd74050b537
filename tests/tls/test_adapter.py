"""The adapter's own small promises; the trust that it keeps is in test_traps.py."""

from __future__ import annotations

import pytest

from ror_sante.tls.adapter import limits


@pytest.mark.parametrize(
    ("given", "used"),
    [(None, (5.0, 30.0)), (7, (7.0, 7.0)), ((3, None), (3.0, 30.0)), ((None, 9), (5.0, 9.0)), ((1, 2), (1.0, 2.0))],
)
def test_what_a_caller_leaves_open_gets_a_limit(given, used) -> None:
    """requests waits for ever where a timeout is None; here nothing does."""
    assert used == limits(given)
