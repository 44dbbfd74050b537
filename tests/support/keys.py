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
    """Let every test PKI of this process draw on one pool of real keys, each made when its turn first comes."""
    make, made = pki._rsa, defaultdict[int, list["RSAPrivateKey"]](list)
    turns = defaultdict[int, "count[int]"](count)

    def draw(bits: int) -> RSAPrivateKey:
        turn, pool = next(turns[bits]) % POOL, made[bits]
        if turn >= len(pool):
            pool.append(make(bits))
        return pool[turn % len(pool)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pki, "_rsa", draw)
        yield
