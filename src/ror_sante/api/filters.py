"""Compose a ``_filter`` in the ROR's own dialect, which is not the FHIR standard's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ror_sante.api.terms import unescaped
from ror_sante.errors import ConfigurationError

if TYPE_CHECKING:
    from ror_sante.api.terms import Criterion

# The operators and the quoting that the published examples show; anything else is for `Query.filter` with a text.
_OPERATORS: Final = ("eq", "ge", "le")
_BARE: Final = re.compile(r"[^\s\"()]+")


@dataclass(frozen=True, slots=True, repr=False)
class Condition:
    """A part of a ``_filter``: combine parts with ``&`` and ``|``, and write the whole with ``str()``.

    Two conditions on one parameter are joined as the ROR writes them, the second value without the parameter's
    name: ``(address-postalcode eq "60000" or "76620")``.

    Attributes:
        head: parameter and operator, empty for what is composed.
        operands: the values, or the one composed text.
    """

    head: str
    operands: tuple[str, ...]

    @classmethod
    def of(cls, criterion: Criterion) -> Condition:
        """Write one criterion.

        Raises:
            ConfigurationError: a modifier, operator or kind that the dialect is not documented to have.
        """
        beyond = criterion.kind == "special" or criterion.name.startswith("_has:")
        if beyond or criterion.modifier or criterion.comparison not in _OPERATORS:
            told = f":{criterion.modifier}" if criterion.modifier else criterion.comparison
            raise ConfigurationError(
                f"_filter: {criterion.name} {told} is not in the documented dialect",
                hint="It has eq, ge and le, and chains; filter() also takes the whole expression as a text.",
            )
        operands = tuple(_operand(value, quoted=criterion.kind == "string") for value in criterion.values)
        return cls(f"{criterion.name} {criterion.comparison} ", operands)

    def __or__(self, other: Condition) -> Condition:
        if self.head and self.head == other.head:
            return Condition(self.head, (*self.operands, *other.operands))
        return self._joined("or", other)

    def __and__(self, other: Condition) -> Condition:
        return self._joined("and", other)

    def __str__(self) -> str:
        return f"({self._bare()})"

    def __repr__(self) -> str:
        return f"<Condition of {len(self.operands)} values>"  # the values may be an RPPS number

    def _joined(self, word: str, other: Condition) -> Condition:
        return Condition("", (f"{self._inner()} {word} {other._inner()}",))

    def _inner(self) -> str:
        return self._bare() if self.head and len(self.operands) == 1 else str(self)

    def _bare(self) -> str:
        return self.head + " or ".join(self.operands)


def _operand(value: str, *, quoted: bool) -> str:
    text = unescaped(value)
    if '"' in text:
        raise ConfigurationError('_filter: a value holds a ", which the dialect has no way to write')
    return text if not quoted and _BARE.fullmatch(text) else f'"{text}"'
