"""The rungs about the certificate that will take over: is it there, whose is it, and would it be accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis import ours
from ror_sante.diagnosis.ladders.ladder import Rung
from ror_sante.diagnosis.rung import Seen, ok, skipped, warn
from ror_sante.errors import RorError, Severity
from ror_sante.pki.verdict import gravest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ror_sante.errors import Finding
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.pki.source import IdentitySource

    Judge = Callable[[ClientIdentity, datetime], tuple[Finding, ...]]

_UNTRIED: Final = "there is no next certificate to try, see next"
_IN_FORCE: Final = "the next certificate is in force already, see p12"


class Coming:
    """Looks at the certificate of ``identity.next``. What is wrong with it is a warning: today's calls do not need it.

    Args:
        source: where it comes from.
        judge: gives the findings about it at a time.
        at: now.
    """

    def __init__(self, source: IdentitySource, judge: Judge, *, at: datetime) -> None:
        self._source = source
        self._judge = judge
        self._at = at
        self._usable: ClientIdentity | None = None
        self._in_force = False

    def stand_in(self) -> ClientIdentity | None:
        """Give it in the place of one that is over, as a program that starts now takes it; None if that cannot be."""
        if self._source.missing:
            return None
        try:
            identity = self._source.load()
        except RorError:  # the rung "next" opens it again, and tells
            return None
        self._in_force = gravest(self._judge(identity, self._at)) is None
        return identity if self._in_force else None

    def rung(self, current: Callable[[], ClientIdentity | None]) -> Rung:
        """Give the rung ``next``: the file, judged and compared.

        Args:
            current: gives the certificate in force, when it opened.
        """
        return Rung("next", lambda: self._look(current()), after=("trust", "p12"), asks=True)

    def rehearsal(self, attempt: Callable[[ClientIdentity], str], *, column: str) -> Rung:
        """Give the rung ``rehearsal``: the service is shown the certificate.

        Args:
            attempt: shows it, and says what that gave.
            column: of the service.
        """
        return Rung(
            "rehearsal", lambda: self._rehearse(attempt), needs=("server chain",), after=("next",), column=column
        )

    def _look(self, current: ClientIdentity | None) -> Seen:
        if self._in_force:
            return ok(_IN_FORCE)
        if self._source.missing:
            return ours.awaited(self._source.missing, current, at=self._at)
        try:
            identity = self._source.load()
        except RorError as error:
            told = error.message if self._source.name in error.message else f"{self._source.name}: {error.message}"
            return warn(told, error.hint or "It cannot take over as it is.")
        if gravest(self._judge(identity, self._at)) is None:
            self._usable = identity
        return ours.coming(identity, self._new(identity, current), current, at=self._at)

    def _new(self, identity: ClientIdentity, current: ClientIdentity | None) -> list[Finding]:
        """Judge it, from its beginning on; a warning that is true of the one in force too is no news."""
        known = [] if current is None else self._judge(current, self._at)
        old = {finding.message for finding in known if finding.severity is Severity.WARNING}
        start = max(self._at, identity.validity.not_before)
        return [finding for finding in self._judge(identity, start) if finding.message not in old]

    def _rehearse(self, attempt: Callable[[ClientIdentity], str]) -> Seen:
        if self._usable is None:
            return skipped(_IN_FORCE if self._in_force else _UNTRIED)
        try:
            return ok(attempt(self._usable))
        except RorError as error:
            return warn(f"the next certificate: {error.message}", error.hint or "Try it with `identity rehearse`.")
