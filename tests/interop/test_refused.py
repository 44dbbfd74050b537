"""A flawed identity is refused by every front end, and the refusal is read as what it is."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from ror_sante.errors import ClientRejectedError
from ror_sante.http.exchange import Exchange, Request
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import Timeouts
from tests.interop.frontends import LATE_IN_REFUSING, TLS12, TLS13

if TYPE_CHECKING:
    from tests.interop.conftest import ConnectProxy, Identities, Place, Unjudged
    from tests.interop.frontends import Running

# The alert of Apache httpd and HAProxy (OpenSSL's X509_V_ERR_* to alert table); nginx sends none.
ALERTS = {
    "no-intermediate": "unknown_ca",
    "other-authority": "unknown_ca",
    "expired": "certificate_expired",
    "not-yet-valid": "bad_certificate",
    "wrong-usage": "unsupported_certificate",
    "revoked": "certificate_revoked",
}
NONE_SENT = {TLS12: "handshake_failure", TLS13: "certificate_required"}
FLAWS = (*ALERTS, "none")
LATE = 20


def _alert(flaw: str, tls: str) -> str:
    return NONE_SENT[tls] if flaw == "none" else ALERTS[flaw]


def _exchange(session: object) -> Exchange:
    return Exchange(session, retry=RetryPolicy(), timeout=Timeouts())  # type: ignore[arg-type]  # made by the fixture


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_session_tells_why_it_was_refused(
    place: Place, unjudged: Unjudged, identities: Identities, flaw: str
) -> None:
    """Apache and HAProxy refuse by an alert that names the flaw; nginx lets the handshake pass and answers 400."""
    session = unjudged(identities.flawed(flaw), place.url)

    if place.kind == "nginx":
        answer = session.get(place.url)
        assert answer.status_code == 400
        assert "No required SSL certificate" in answer.text if flaw == "none" else "certificate error" in answer.text
        return
    with pytest.raises(ClientRejectedError) as refused:
        session.get(place.url)
    assert refused.value.alert == _alert(flaw, place.tls)


@pytest.mark.parametrize("flaw", FLAWS)
def test_an_exchange_reads_every_refusal_alike(
    place: Place, unjudged: Unjudged, identities: Identities, flaw: str
) -> None:
    """Through the way that our clients use, nginx's 400 page is the same error as an alert."""
    exchange = _exchange(unjudged(identities.flawed(flaw), place.url))

    with pytest.raises(ClientRejectedError) as refused:
        exchange.send(Request("GET", place.url + "/index.txt", {}))
    assert refused.value.alert == ("" if place.kind == "nginx" else _alert(flaw, place.tls))
    assert refused.value.hint


def test_the_intermediate_makes_the_difference(place: Place, unjudged: Unjudged, identities: Identities) -> None:
    """The same leaf and key are let in as soon as the intermediate goes with them."""
    good = identities.good
    alone = identities.flawed("no-intermediate")
    assert alone is not None
    assert alone.chain == (good.certificate,)
    whole = type(alone)(good.key, good.chain)

    assert unjudged(whole, place.url).get(place.url + "/index.txt").status_code == 200


def test_a_refusal_is_not_repeated(
    place: Place, unjudged: Unjudged, identities: Identities, connect_proxy: ConnectProxy
) -> None:
    """One request of a refused identity makes one connection: no retry policy repeats it."""
    session = unjudged(identities.flawed("no-intermediate"), place.url, {"https://localhost": connect_proxy.url})

    with pytest.raises(ClientRejectedError):
        _exchange(session).send(Request("GET", place.url + "/index.txt", {}))
    assert len(connect_proxy.targets) == 1


@pytest.mark.parametrize("place", LATE_IN_REFUSING, indirect=True, ids="-".join)
@pytest.mark.parametrize("flaw", ["no-intermediate", "none"])
def test_a_late_refusal_of_a_large_post_shows_its_alert_each_time(
    place: Place, unjudged: Unjudged, identities: Identities, flaw: str
) -> None:
    """TLS 1.3 judges us after the handshake, while a body is on its way: the alert is shown, not a broken pipe."""
    sizes = random.Random(13)
    presented = identities.flawed(flaw)

    alerts = []
    for _ in range(LATE):
        session = unjudged(presented, place.url)
        with pytest.raises(ClientRejectedError) as refused:
            session.post(place.url + "/echo", data=bytes(sizes.randrange(250_000, 350_000)))
        alerts.append(refused.value.alert)

    assert alerts == [_alert(flaw, place.tls)] * LATE


@pytest.mark.parametrize("listener", ["tls12", "tls13"])
def test_nginx_answers_400_to_a_post_as_well(
    nginx: Running, unjudged: Unjudged, identities: Identities, listener: str
) -> None:
    """A large POST with a refused certificate ends as a refusal too, though nginx answers before it has read it."""
    url = nginx.url(listener)
    session = unjudged(identities.flawed("no-intermediate"), url)

    with pytest.raises(ClientRejectedError):
        _exchange(session).send(Request("POST", url + "/echo", {}, body=bytes(300_000)))
