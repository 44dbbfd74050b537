"""A sighting becomes a receipt at any step, and lines of a receipt leave out what was not seen."""

from __future__ import annotations

import time

import pytest

from ror_sante.tls.receipt import Attempt, HandshakeReceipt
from ror_sante.tls.sighting import Sighting, attach, attached


def test_a_connection_that_never_began_has_a_receipt_of_its_address_alone() -> None:
    """No times, no certificates: the name was not even resolved."""
    receipt = Sighting("host.test", 443).receipt(failed=True)

    assert receipt == HandshakeReceipt(host="host.test", port=443, failed="dns")
    assert receipt.lines() == (("address", "host.test:443"), ("it broke at", "dns"))
    assert (receipt.chain_end, receipt.root_sent) == ("", False)


def test_an_address_is_no_server_name_and_a_name_is_sent_in_a_handshake() -> None:
    """RFC 6066: a server name is a name; what broke before the handshake sent none."""
    assert HandshakeReceipt(host="host.test", port=1).server_name == "host.test"
    assert HandshakeReceipt(host="host.test", port=1, failed="tcp").server_name == ""
    assert HandshakeReceipt(host="192.0.2.1", port=1).server_name == ""
    assert HandshakeReceipt(host="2001:db8::1", port=1).server_name == ""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(), "refused"),
        (OSError(113, "no route"), "failed"),
        (None, "connected"),
    ],
)
def test_each_address_says_how_it_answered(error, outcome) -> None:
    """Times are those of the address alone."""
    sighting = Sighting("host.test", 443)
    sighting.resolved()
    sighting.tries("192.0.2.1", time.perf_counter(), error)

    assert [(one.address, one.outcome) for one in sighting.tried] == [("192.0.2.1", outcome)]
    assert sighting.step == ("tcp" if error else "tls")


def test_several_addresses_are_told_and_one_is_not() -> None:
    """The address that was taken stands in its own line already."""
    tried = (Attempt("2001:db8::1", "timeout", 5.0), Attempt("192.0.2.1", "connected", 0.01))

    assert dict(HandshakeReceipt(host="h", port=1, tried=tried).lines())["addresses tried"] == (
        "2001:db8::1 timeout, 192.0.2.1 connected"
    )
    assert "addresses tried" not in dict(HandshakeReceipt(host="h", port=1, tried=tried[1:]).lines())


def test_many_authorities_are_counted() -> None:
    """Some servers list hundreds; five are named."""
    receipt = HandshakeReceipt(host="h", port=1, authorities=(b"x",) * 7)

    assert dict(receipt.lines())["authorities accepted"].endswith("(unreadable name) and 2 more")


def test_the_first_receipt_stays_with_an_error() -> None:
    """Whoever is nearer to the connection knows better; nothing is attached where nothing was seen."""
    error = OSError("broken")
    attach(error, None)
    assert attached([error]) is None
    attach(error, Sighting("first", 1))
    attach(error, Sighting("second", 2))

    assert attached([ValueError(), error]).host == "first"
