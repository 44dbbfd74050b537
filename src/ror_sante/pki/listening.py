"""Call a reader of the cryptographic library and collect its warnings in place of showing them."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

# What the library raises for bytes that it cannot read. The last three are no ValueError: they were met by changing
# bytes at random, or found in its documentation.
READER_ERRORS: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

# Filters of warnings belong to the whole process: two readers at once would put back each other's.
_LOCK = threading.Lock()


def heard(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, tuple[str, ...]]:
    """Give what a call returns, and the texts of the warnings it made.

    The library warns where it will refuse one day (a P12 in BER, a serial number of zero). Under ``-W error`` that
    would be an exception of its own, in the middle of our reading.
    """
    with _LOCK, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(*args, **kwargs)
    return result, tuple(str(warning.message) for warning in caught)
