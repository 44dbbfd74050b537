"""A server that must not be trusted is refused, whatever the version of TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ror_sante.errors import ServerNotTrustedError
from ror_sante.http.session import SessionFactory
from tests.interop.frontends import SERVER_FLAWS

if TYPE_CHECKING:
    from ror_sante.simulator.pki import SimulatorPki
    from tests.interop.conftest import Identities
    from tests.interop.frontends import Running

# A word of the reason that the message must give.
REASONS = {
    "other-root": "another authority signed it",
    "wrong-host": "does not name this host",
    "expired": "expired",
    "leaf-only": "did not send its intermediate",
}
VERSIONS = ("tls12", "tls13")


@pytest.mark.parametrize("listener", VERSIONS)
@pytest.mark.parametrize("flaw", SERVER_FLAWS)
def test_a_flawed_server_is_not_trusted(nginx: Running, factory: SessionFactory, flaw: str, listener: str) -> None:
    """Another root, another name, a date in the past, a missing intermediate: each is refused, and the reason named."""
    url = nginx.url(f"{flaw}-{listener}")

    with factory.session(url) as session, pytest.raises(ServerNotTrustedError) as refused:
        session.get(url)
    assert REASONS[flaw] in str(refused.value)


@pytest.mark.parametrize("listener", VERSIONS)
def test_a_lent_intermediate_helps_a_server_that_forgot_it(
    nginx: Running, pki: SimulatorPki, identities: Identities, listener: str
) -> None:
    """With the intermediate lent, the chain of a server that sends its leaf alone still ends at the root."""
    url = nginx.url(f"leaf-only-{listener}")
    lending = SessionFactory(pki.identity(identities.good), pki.anchor, lend=(pki.intermediate.certificate,))

    with lending.session(url) as session:
        assert nginx.front_end.seen(session.get(url)).verified


@pytest.mark.parametrize("listener", VERSIONS)
def test_a_lent_intermediate_is_no_anchor(
    nginx: Running, pki: SimulatorPki, identities: Identities, listener: str
) -> None:
    """The foreign tree's intermediate, lent without its root, makes no foreign server trusted."""
    url = nginx.url(f"other-root-{listener}")
    foreign = pki.foreign.intermediate.certificate
    lending = SessionFactory(pki.identity(identities.good), pki.anchor, lend=(foreign,))

    with lending.session(url) as session, pytest.raises(ServerNotTrustedError):
        session.get(url)


@pytest.mark.parametrize("listener", VERSIONS)
def test_the_right_root_is_what_was_missing(
    nginx: Running, pki: SimulatorPki, identities: Identities, listener: str
) -> None:
    """The server of the other tree is sound: with that tree's root as the anchor it is trusted."""
    url = nginx.url(f"other-root-{listener}")
    other = SessionFactory(pki.identity(identities.good), pki.foreign.anchor, identity_anchor=pki.anchor)

    with other.session(url) as session:
        assert session.get(url).status_code == 200
