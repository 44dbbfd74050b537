"""The rungs about our own side, the same for every service: the trust in force, and the certificate to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis import accidents, ours
from ror_sante.diagnosis.ladders.coming import Coming
from ror_sante.diagnosis.ladders.ladder import Rung
from ror_sante.diagnosis.reasoning import diagnose
from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.rung import Seen, noticed, skipped
from ror_sante.errors import ServerNotTrustedError, Severity, TransportError, ValidityError
from ror_sante.pki.anchor import load_anchors
from ror_sante.pki.verdict import gravest
from ror_sante.tls.context import build_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from ror_sante.diagnosis.causes import Cause
    from ror_sante.diagnosis.ladders.ladder import Ground
    from ror_sante.environments import ApplicationService
    from ror_sante.errors import Finding, RorError
    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.pki.source import IdentitySource
    from ror_sante.tls.receipt import HandshakeReceipt

Words = tuple[str, ...]

# The rungs that a certificate must pass before a handshake may show it; its name is only a recommendation.
BEFORE_SHOWN: Final = ("p12", "chain", "product", "dates", "environment")
_NO_CERTIFICATE: Final = "access profile 0 has a client_secret and no certificate"


class OwnSide:
    """Judges trust and certificate, and keeps them for the rungs above.

    Args:
        ground: environment, certificates, time.
        source: where our certificate comes from; None when the account has none.
        service: whose recommended CN is expected.
        hosts: the words of the anchors of every host that will be tried.
        own: the words of the roots of our own chain; None when they are those of the hosts.
        none: what the certificate's rungs say when there is none.

    Attributes:
        identity: the certificate in force, when its rung is done and it opened: the next one where ours is over.
    """

    def __init__(
        self,
        ground: Ground,
        source: IdentitySource | None,
        *,
        service: ApplicationService,
        hosts: Iterable[Words],
        own: Words,
        none: str = _NO_CERTIFICATE,
    ) -> None:
        self._ground = ground
        self._source = source
        self._service = service
        self._hosts = tuple(dict.fromkeys(hosts))
        self._own = own
        self._none = none
        self._anchors: dict[Words, tuple[TrustAnchor, ...]] = {}
        self._findings: dict[str, list[Finding]] = {}
        successor = None if source is None else source.successor
        self._coming = None if successor is None else Coming(successor, self._verified, at=ground.at)
        self.identity: ClientIdentity | None = None

    def rungs(self) -> tuple[Rung, ...]:
        """Give the seven rungs, from ``trust`` to ``name``, and ``next`` where the settings name a next certificate."""
        judged = {
            "chain": self._chain,
            "product": lambda _: ours.product(self._of("product")),
            "dates": self._dates,
            "environment": lambda _: ours.environment(self._of("environment"), test=self._ground.environment.test),
            "name": lambda identity: ours.name(identity, self._of("name"), service=self._service),
        }
        return (
            Rung("trust", self._trust),
            Rung("p12", self._p12, after=("trust",), asks=True),
            *(Rung(name, self._about(look), needs=("trust", "p12")) for name, look in judged.items()),
            *(() if self._coming is None else (self._coming.rung(lambda: self.identity),)),
        )

    def rehearsal(self, attempt: Callable[[ClientIdentity], str], *, column: str = "") -> Iterator[Rung]:
        """Give the rung ``rehearsal``, where the settings name a next certificate: it is shown to the service.

        Args:
            attempt: shows a certificate, and says what that gave.
            column: of the service.
        """
        if self._coming is not None:
            yield self._coming.rehearsal(attempt, column=column)

    def anchors(self, words: Words) -> tuple[TrustAnchor, ...]:
        """Give the roots of some words; the rung ``trust`` loaded them."""
        return self._anchors[words]

    @property
    def own_anchors(self) -> tuple[TrustAnchor, ...]:
        """Give the roots of our own chain; the rung ``trust`` loaded them."""
        return self._anchors[self._own]

    def explain(
        self,
        error: RorError,
        *,
        words: Words | None = None,
        receipt: HandshakeReceipt | None = None,
        shown: bool = True,
    ) -> tuple[Cause, ...]:
        """Rank the causes of a failure by what is known of our side.

        Args:
            error: what failed.
            words: of the anchors of the host, when it was the server's certificate that failed.
            receipt: what was seen of the connection.
            shown: our certificate is presented there.
        """
        judged = words if words is not None and isinstance(error, ServerNotTrustedError) else self._own
        return diagnose(
            error,
            receipt=error.receipt if isinstance(error, TransportError) and error.receipt is not None else receipt,
            identity=self.identity if shown else None,
            anchor=self._anchors.get(judged, ()),
            environment=self._ground.environment,
            at=self._ground.at,
            lang=self._ground.lang,
        )

    @property
    def shown(self) -> ClientIdentity | None:
        """Give the certificate that a handshake may show: one that was found bad is never sent."""
        grave = any(
            finding.severity is Severity.ERROR for name in BEFORE_SHOWN for finding in self._findings.get(name, [])
        )
        return None if grave else self.identity

    def _trust(self) -> Seen:
        for words in (*self._hosts, self._own):
            self._anchors[words] = load_anchors(words)
        for words in self._hosts:
            build_context(None, self._anchors[words])  # refuses a process whose TLS was tampered with
        every = {anchor.sha256: anchor for words in self._hosts for anchor in self._anchors[words]}
        return ours.trust(tuple(every.values()), words=dict.fromkeys(word for words in self._hosts for word in words))

    def _p12(self) -> Seen:
        if self._source is None:
            return skipped(self._none)
        own = self._source.load()
        findings = self._verified(own, self._ground.at)
        over = isinstance(gravest(findings), ValidityError)
        instead = self._coming.stand_in() if over and self._coming is not None else None
        self.identity = instead or own
        self._findings = ours.by_rung(findings if instead is None else self._verified(instead, self._ground.at))
        opened = ours.opened(self.identity, self._of("p12"))
        return opened if instead is None else ours.stands_in(opened, own)

    def _verified(self, identity: ClientIdentity, at: datetime) -> tuple[Finding, ...]:
        """Judge a certificate; without anchors, which the rung ``trust`` tells, there is no judgement."""
        anchors = self._anchors.get(self._own)
        test = self._ground.environment.test
        return identity.verify(anchors, at=at, service=self._service, test=test) if anchors else ()

    def _dates(self, identity: ClientIdentity) -> Seen:
        named = self._coming is not None
        return ours.dates(identity, self._of("dates"), at=self._ground.at, next_is_named=named)

    def _chain(self, identity: ClientIdentity) -> Seen:
        told = ours.chain(identity, self._of("chain"))
        whole = told.outcome is Outcome.OK and not identity.supplied
        if whole:
            return told
        stores = accidents.machine_store()
        return noticed(told, accidents.client_chain(identity, stores=stores, lang=self._ground.lang))

    def _about(self, look: Callable[[ClientIdentity], Seen]) -> Callable[[], Seen]:
        return lambda: skipped(self._none) if self.identity is None else look(self.identity)

    def _of(self, name: str) -> list[Finding]:
        return self._findings.get(name, [])
