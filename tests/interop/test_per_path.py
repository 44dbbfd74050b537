"""Apache httpd asks for the certificate on one path only: after the handshake, in the middle of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ror_sante.errors import ClientRejectedError

if TYPE_CHECKING:
    from ror_sante.http.session import SessionFactory
    from ror_sante.simulator.pki import SimulatorPki
    from tests.interop.conftest import Identities, Unjudged
    from tests.interop.frontends import Running

# TLS 1.2 renegotiates, TLS 1.3 authenticates after the handshake (RFC 8446 section 4.6.2).
LISTENERS = ("path12", "path13")
VERSIONS = {"path12": "TLSv1.2", "path13": "TLSv1.3"}


@pytest.mark.parametrize("listener", LISTENERS)
def test_the_certificate_is_given_when_a_path_asks_for_it(
    apache: Running, factory: SessionFactory, pki: SimulatorPki, identities: Identities, listener: str
) -> None:
    """One connection is anonymous on an open path, and known by leaf and intermediate on the private one."""
    url = apache.url(listener)

    with factory.session(url) as session:
        opened = session.get(url + "/index.txt")
        private = session.get(url + "/private/index.txt")

    assert opened.status_code == private.status_code == 200
    assert opened.headers["X-Leaf"] in ("", "(null)")
    seen = apache.front_end.seen(private)
    assert seen.pushed == (identities.good.certificate, pki.intermediate.certificate)
    assert seen.tls == VERSIONS[listener]
    assert seen.connection == opened.headers["X-Connection"]


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_small_post_passes_as_the_first_request(
    apache: Running, factory: SessionFactory, identities: Identities, listener: str
) -> None:
    """Apache sets the body aside while it asks (SSLRenegBufferSize, 128 KiB), and then reads it whole."""
    url = apache.url(listener)
    body = b"_count=1&" * 1000

    with factory.session(url) as session:
        answer = session.post(url + "/private/echo", data=body)

    assert answer.content == body
    assert apache.front_end.seen(answer).leaf == identities.good.certificate


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_post_above_the_buffer_is_answered_413_unless_we_are_known_already(
    apache: Running, factory: SessionFactory, listener: str
) -> None:
    """A larger body cannot be set aside: 413; after a GET on the same path, the same POST passes."""
    url = apache.url(listener)
    body = b"x" * 300_000

    with factory.session(url) as session:
        cold = session.post(url + "/private/echo", data=body)
    with factory.session(url) as session:
        session.get(url + "/private/index.txt")
        warm = session.post(url + "/private/echo", data=body)

    assert cold.status_code == 413
    assert warm.content == body


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("flaw", ["no-intermediate", "none"])
def test_a_flawed_identity_is_refused_on_that_path_alone(
    apache: Running, unjudged: Unjudged, identities: Identities, flaw: str, listener: str
) -> None:
    """The open path serves anybody; the private one refuses, and we can tell that it was our certificate."""
    url = apache.url(listener)
    session = unjudged(identities.flawed(flaw), url)

    assert session.get(url + "/index.txt").status_code == 200
    with pytest.raises(ClientRejectedError):
        session.get(url + "/private/index.txt")
