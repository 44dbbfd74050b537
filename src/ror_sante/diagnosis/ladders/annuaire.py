"""The ladder of the Annuaire Santé: extractions with our certificate, the FHIR gateway with a key, side by side."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from ror_sante.api.annuaire.client import AnnuaireSanteClient
from ror_sante.api.annuaire.extractions import ExtractionClient, configured_identity
from ror_sante.api.annuaire.naming import Names
from ror_sante.diagnosis import reach
from ror_sante.diagnosis.ladders.ladder import Ladder, Rung, Service
from ror_sante.diagnosis.ladders.own import OwnSide
from ror_sante.diagnosis.ladders.way import Target, Way
from ror_sante.diagnosis.rung import ok, skipped
from ror_sante.environments import WEB_PKI, ApplicationService
from ror_sante.errors import printable
from ror_sante.http.proxy import Proxy
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import Timeouts
from ror_sante.pki.lent import load_intermediates
from ror_sante.settings import SIMULATOR, read_secret
from ror_sante.tls.adapter import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.diagnosis.ladders.ladder import Ground
    from ror_sante.diagnosis.rung import Seen
    from ror_sante.pki.identity import ClientIdentity

ANNUAIRE: Final = "annuaire"
_TITLE: Final = "Annuaire Santé"
_NO_CERTIFICATE: Final = "no certificate is configured; open extractions and the gateway need none"
_NO_KEY: Final = "no API key is configured (annuaire.api_key_file)"
_SEARCH: Final = ("Practitioner", {"_count": "1"})


def ladder(ground: Ground) -> Ladder:
    """Make the ladder of the Annuaire Santé."""
    return _Annuaire(ground).ladder()


def absent(ground: Ground) -> str:
    """Tell why nothing can be tried, or nothing."""
    place, ours = ground.environment, ground.settings.annuaire
    if place.annuaire_download_url is None and place.annuaire_fhir_url is None:
        return f"the environment {place.name} has no address of the Annuaire Santé"
    if ours.api_key_file is None and ours.identity is None and ground.settings.rorn.client_id is not None:
        return "[annuaire] names neither an api_key_file nor an identity"
    return ""


class _Annuaire:
    """One run: a column for the extractions, and one for the gateway."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._place = ground.environment
        self._settings = ground.settings
        self._network = ground.settings.network
        self._download_words = self._place.annuaire_download_anchors or self._place.anchors
        self._hosts = tuple(self._reached())
        simulated = self._settings.environment == SIMULATOR  # it has one certificate for all services
        certified = simulated or configured_identity(self._settings) is not None
        self._own = OwnSide(
            ground,
            ground.source(ANNUAIRE) if certified else None,
            service=ApplicationService.RORN if simulated else ApplicationService.ANNUAIRE,
            hosts=tuple(host.anchors for host in self._hosts),
            own=tuple(word for word in self._place.anchors if word != WEB_PKI) or self._download_words,
            none=_NO_CERTIFICATE,
        )
        targets = tuple(Target(host, host.label) for host in self._hosts)
        self._way = Way(self._own, targets, network=self._network, lang=ground.lang)
        self._made: list[ExtractionClient | AnnuaireSanteClient] = []

    def ladder(self) -> Ladder:
        return Ladder(
            service=ANNUAIRE,
            title=_TITLE,
            environment=self._place.name,
            rungs=self._way.explained((*self._own.rungs(), *self._way.rungs(), *self._answers())),
            close=self._close,
            routes=lambda: self._way.routes(one for client in self._made for one in client.receipts),
        )

    def _reached(self) -> Iterator[reach.Host]:
        if self._place.annuaire_download_url is not None:
            origin = Origin.of(self._place.annuaire_download_url)
            shown = WEB_PKI not in self._download_words
            yield reach.Host(origin, "extraction", self._download_words, shown=shown, via=None)
        if self._place.annuaire_fhir_url is not None:
            origin = Origin.of(self._place.annuaire_fhir_url)
            yield reach.Host(origin, "gateway", self._place.annuaire_fhir_anchors, shown=False, via=None)

    def _answers(self) -> Iterator[Rung]:
        for host in self._hosts:
            trusted, column = ("server chain",), host.label
            if host.use == "extraction":
                yield Rung("extraction", self._open, needs=trusted, column=column)
                yield Rung("restricted", self._restricted, needs=("pushed", *trusted), column=column)
                yield from self._own.rehearsal(self._rehearsed, column=column)
            else:
                yield Rung("metadata", self._metadata, needs=trusted, column=column)
                yield Rung("search", self._search, needs=(*trusted, "metadata"), column=column)

    def _close(self) -> None:
        for client in self._made:
            client.close()

    # -------------------------------------------------------------- extractions

    @cached_property
    def _names(self) -> Names:
        ours = self._settings.annuaire
        return Names.known_and(ours.extractions, ours.restricted_extractions)

    def _open(self) -> Seen:
        return ok(self._offered(self._names.open[0], self._own.shown))

    def _restricted(self) -> Seen:
        shown = self._own.shown
        return skipped(_NO_CERTIFICATE) if shown is None else ok(self._offered(self._names.restricted[0], shown))

    def _rehearsed(self, identity: ClientIdentity) -> str:
        return f"with the next certificate, {self._offered(self._names.restricted[0], identity)}"

    def _offered(self, name: str, identity: ClientIdentity | None) -> str:
        """Ask for the version of an extraction; nothing is fetched."""
        client = ExtractionClient(
            self._place,
            identity,
            names=self._names,
            retry=RetryPolicy.none(),
            timeout=self._timeouts,
            proxy=Proxy.from_settings(self._network),
            lend=load_intermediates(self._network.lend_intermediates),
            wide_tls12_hosts=self._network.wide_tls12_hosts,
            at=self._ground.at,
        )
        self._made.append(client)
        offer = client.offer(name)
        return f"{name} is of {offer.version}" if offer.available else f"{name}: no new file now (503)"

    # -------------------------------------------------------------- the gateway

    @cached_property
    def _client(self) -> AnnuaireSanteClient | None:
        file = self._settings.annuaire.api_key_file
        if file is None:
            return None
        client = AnnuaireSanteClient(
            self._place,
            api_key=read_secret(file),
            links=self._settings.annuaire.links,
            retry=RetryPolicy.none(),
            timeout=self._timeouts,
            proxy=Proxy.from_settings(self._network),
            lend=load_intermediates(self._network.lend_intermediates),
            wide_tls12_hosts=self._network.wide_tls12_hosts,
        )
        self._made.append(client)
        return client

    def _metadata(self) -> Seen:
        if self._client is None:
            return skipped(_NO_KEY)
        version = printable(self._client.metadata().get("fhirVersion") or "", 20) or "of an unknown version"
        return ok(f"the API key is taken: FHIR {version}")

    def _search(self) -> Seen:
        if self._client is None:
            return skipped(_NO_KEY)
        page = next(self._client.pages(*_SEARCH, allow_truncated=True, prefetch=False))
        total = "an unknown number" if page.total is None else str(page.total)
        return ok(f"Practitioner?_count=1 gives {len(page.matches)} of {total}")

    @property
    def _timeouts(self) -> Timeouts:
        return Timeouts(connect=self._network.connect_timeout, read=self._network.read_timeout)


ANNUAIRE_SERVICE: Final = Service(title=_TITLE, ladder=ladder, absent=absent)
