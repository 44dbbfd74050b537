"""RSA keys that take turns: to make one takes as long as a whole test, and no test needs one of its own."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING

import pytest

from ror_sante.simulator import pki

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

POOL = 32  # more than any test needs at once: within one test no two keys are the same


@pytest.fixture(autouse=True, scope="session")
def keys_take_turns() -> Iterator[None]:
    """Let the leaves of every test PKI of this process draw on one pool of real keys, made when their turn first comes.

    Authorities have keys of their own: a tree may serve many tests, and no leaf may come to have the key of its issuer.
    """
    make, made = pki._rsa, defaultdict[int, list["RSAPrivateKey"]](list)
    turns = defaultdict[int, "count[int]"](count)

    def draw(tree: pki.SimulatorPki) -> RSAPrivateKey:
        bits = tree.root.key.key_size
        turn, pool = next(turns[bits]) % POOL, made[bits]
        if turn >= len(pool):
            pool.append(make(bits))
        return pool[turn % len(pool)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pki.SimulatorPki, "_new_key", draw)
        yield
