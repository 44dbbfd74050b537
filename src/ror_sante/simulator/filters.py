"""Read a ``_filter`` in the ROR's own dialect, as far as the published examples show it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.records import Record

    Test = Callable[[Record], bool]
    Leaf = Callable[[str, str, str], Test]  # parameter, operator, value

OPERATORS: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_TOKEN: Final = re.compile(r'\s*(?:(?P<mark>[()])|"(?P<quoted>[^"]*)"|(?P<word>[^\s()"]+))')
_DEEPEST: Final = 50
_LONGEST: Final = 4000  # characters


class FilterError(Exception):
    """A ``_filter`` that cannot be read; its text says why, in French."""


def read(text: str, leaf: Leaf) -> Test:
    """Read an expression.

    ``and`` binds more tightly than ``or``. After a condition an operand may come without its parameter, which is
    then the one before: ``(address-postalcode eq "60000" or "76620")``.

    Args:
        text: the expression, decoded.
        leaf: makes the test of one condition.

    Raises:
        FilterError: the expression cannot be read.
    """
    reader = _Reader(text[: _LONGEST + 1], leaf)
    test = reader.alternatives(0)
    if reader.kind:
        reader.fail()
    return test


class _Reader:
    """Reads an expression from left to right, one token ahead."""

    def __init__(self, text: str, leaf: Leaf) -> None:
        if len(text) > _LONGEST:
            raise FilterError("l'expression est trop longue")
        self._tokens = _tokens(text)
        self._leaf = leaf
        self._at = 0
        self._last: tuple[str, str] | None = None  # parameter and operator that an operand alone stands for

    @property
    def kind(self) -> str:
        """Kind of the next token: ``mark``, ``quoted``, ``word``, or empty at the end."""
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    @property
    def value(self) -> str:
        return self._tokens[self._at][1] if self.kind else ""

    def alternatives(self, depth: int) -> Test:
        tests = [self._conjunction(depth)]
        while self._word("or"):
            tests.append(self._conjunction(depth))
        return tests[0] if len(tests) == 1 else lambda record: any(test(record) for test in tests)

    def _conjunction(self, depth: int) -> Test:
        tests = [self._part(depth)]
        while self._word("and"):
            tests.append(self._part(depth))
        return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)

    def _part(self, depth: int) -> Test:
        if depth > _DEEPEST:
            raise FilterError("les parenthèses sont trop profondes")
        if self._mark("("):
            test = self.alternatives(depth + 1)
            if not self._mark(")"):
                self.fail()
            return test
        return self._condition()

    def _condition(self) -> Test:
        name = self._taken()
        if self.kind == "word" and self.value in OPERATORS:
            self._last = (name, self._taken())
            name = self._taken()
        if self._last is None:
            raise FilterError(f"« {name[:40]} » n'a pas d'opérateur")
        return self._leaf(*self._last, name)

    def _taken(self) -> str:
        if self.kind not in ("word", "quoted"):
            self.fail()
        value = self.value
        self._at += 1
        return value

    def _word(self, word: str) -> bool:
        return self._passed("word", word)

    def _mark(self, mark: str) -> bool:
        return self._passed("mark", mark)

    def _passed(self, kind: str, value: str) -> bool:
        if (self.kind, self.value) != (kind, value):
            return False
        self._at += 1
        return True

    def fail(self) -> NoReturn:
        raise FilterError(f"« {self.value[:40] or 'la fin'} » est inattendu")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise FilterError("un guillemet n'est pas fermé")
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        at = match.end()
    return found
