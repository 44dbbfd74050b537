"""A suite against the simulator: no certificate, no network, real TLS.

The fixtures come with `ror-sante[testing]`; nothing has to be imported for them.
"""

from __future__ import annotations

from directory import names


def test_names_are_shown(national_ror):
    """The application shows as many names as it is asked for."""
    assert len(names(national_ror, 3)) == 3


def test_the_certificate_travels_with_its_intermediate(national_ror, ror_simulator):
    """The server receives two certificates: ours, then the authority that signed it."""
    names(national_ror, 1)

    assert len(ror_simulator.received_chain) == 2


def test_a_maintenance_page_shows_nothing(national_ror, ror_simulator):
    """When a gateway answers HTML in place of the ROR, the application shows an empty list instead of failing."""
    ror_simulator.fault("html-200")

    assert names(national_ror, 3) == []


def test_a_token_is_renewed(national_ror, ror_simulator):
    """An application that runs for hours gets a new token by itself."""
    names(national_ror, 1)
    ror_simulator.clock.advance(3600)

    assert len(names(national_ror, 3)) == 3
