"""What was seen on the way to one host: the chains of both sides, and the time of each step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way to one host, as far as it was gone.

    Attributes:
        label: how the report names the host.
        origin: its address.
        peer: the IP address that was connected to.
        proxy: ``host:port`` of the proxy on the way, or nothing.
        version: ``TLSv1.2`` or ``TLSv1.3``; empty when no handshake ended well.
        cipher: the cipher suite.
        ours: CNs of what we sent, leaf first.
        our_root: the root that our chain leads to; it is never sent.
        theirs: CNs of what the server sent, leaf first.
        their_root: the pinned root at which its chain ended; empty when it was not trusted, or not judged.
        refused: which side's certificate was refused: ``ours``, ``theirs``, or nothing.
        steps: names of the steps and the seconds that each took.
    """

    label: str
    origin: str
    peer: str = ""
    proxy: str = ""
    version: str = ""
    cipher: str = ""
    ours: tuple[str, ...] = ()
    our_root: str = ""
    theirs: tuple[str, ...] = ()
    their_root: str = ""
    refused: str = ""
    steps: tuple[tuple[str, float], ...] = ()
