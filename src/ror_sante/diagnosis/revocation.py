"""Find out whether a certificate, or an authority above it, was revoked."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.hashes import SHA256

from ror_sante.diagnosis.statements import KEPT, LONG_PAUSE, PAUSE
from ror_sante.errors import ConfigurationError, RevokedError, RorError, UnexpectedResponseError, masked_url
from ror_sante.pki.crl import read_crl
from ror_sante.pki.files import label
from ror_sante.pki.judgement import path_to_anchor
from ror_sante.pki.names import common_name
from ror_sante.pki.ocsp import MEDIA_TYPE, NONCE_SIZE, ocsp_request, read_ocsp
from ror_sante.pki.revocation import (
    OtherAuthorityError,
    Standing,
    Statement,
    UnusableStatementError,
    crl_urls,
    ocsp_urls,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from cryptography import x509

    from ror_sante.diagnosis.statements import Kept, StatementCache
    from ror_sante.http.publication import Publication
    from ror_sante.pki.anchor import TrustAnchor

    Method = Literal["ocsp", "crl"]

_TOO_OFTEN: Final = frozenset({403, 429})
_FILE_LIMIT: Final = 20 * 1024 * 1024
_NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Source:
    """One place that was asked about one certificate.

    Attributes:
        method: ``ocsp`` or ``crl``.
        place: the address, or the path of a file.
        statement: what it said; None for nothing that can be relied upon.
        problem: why it said nothing.
        hint: what to do about that.
        kept: it is what an earlier question brought.
        foreign: it is a list of another authority.
    """

    method: Method
    place: str
    statement: Statement | None = None
    problem: str = ""
    hint: str = ""
    kept: bool = False
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class CertificateStanding:
    """What the places say about one certificate.

    Attributes:
        certificate: which.
        sources: the places, in the order in which they were asked.
    """

    certificate: x509.Certificate
    sources: tuple[Source, ...]

    @property
    def standing(self) -> Standing:
        """One that says revoked outweighs all; one that says good outweighs those that say nothing."""
        said = {source.statement.standing for source in self.sources if source.statement is not None}
        return next((one for one in (Standing.REVOKED, Standing.GOOD) if one in said), Standing.UNKNOWN)


@dataclass(frozen=True, slots=True)
class RevocationReport:
    """What was found out about a certificate and the authorities above it.

    Attributes:
        certificates: the leaf first, the root left out: nobody can revoke it.
    """

    certificates: tuple[CertificateStanding, ...]

    @property
    def standing(self) -> Standing:
        """The worst of them."""
        found = {one.standing for one in self.certificates}
        return next(one for one in (Standing.REVOKED, Standing.UNKNOWN, Standing.GOOD) if one in found)

    def demand(self, *, hard: bool = False) -> None:
        """Refuse a revoked certificate.

        Args:
            hard: refuse one whose standing could not be found out, too.

        Raises:
            RevokedError: it is revoked; or, when `hard`, nothing reliable says that it is not.
        """
        for one in self.certificates:
            if one.standing is Standing.REVOKED:
                raise RevokedError(
                    f"{common_name(one.certificate)} was revoked by its authority",
                    hint="Order another certificate; see the runbook in docs/renewal.md.",
                )
            if hard and one.standing is Standing.UNKNOWN:
                raise RevokedError(
                    f"nothing reliable says that {common_name(one.certificate)} is not revoked",
                    hint="See with `ror-sante identity revocation` which place fails, and why.",
                )


class RevocationCheck:
    """Asks OCSP responders and reads revocation lists, each place at most once a run and seldom over time.

    Args:
        publication: the way to the places.
        cache: keeps what they published; None keeps nothing.
        methods: which kinds of place are asked.
        ocsp_url: asked in place of what the certificates name.
        crls: lists in place of those that the certificates name: addresses, or paths of files.
        fresh: ask again although an answer is kept; a host that failed just now is left in peace all the same.
    """

    def __init__(
        self,
        publication: Publication,
        *,
        cache: StatementCache | None = None,
        methods: Iterable[Method] = ("ocsp", "crl"),
        ocsp_url: str | None = None,
        crls: Iterable[str] = (),
        fresh: bool = False,
    ) -> None:
        self._publication = publication
        self._cache = cache
        self._methods = tuple(methods)
        self._ocsp_url = ocsp_url
        self._crls = tuple(crls)
        self._fresh = fresh
        self._fetched: dict[str, bytes] = {}

    def run(
        self, chain: Sequence[x509.Certificate], anchors: Iterable[TrustAnchor], *, at: datetime
    ) -> RevocationReport:
        """Find out about a certificate and the authorities above it.

        Nothing is asked before the chain is proven: the addresses in a forged certificate are its forger's.

        Args:
            chain: the leaf, then its authorities, without the root.
            anchors: the trusted roots.
            at: the time to judge at.

        Raises:
            IdentityError: the chain does not end at an anchor; nothing was asked.
        """
        path = path_to_anchor(chain, tuple(anchors), at=at)
        pairs = itertools.pairwise(path)
        return RevocationReport(
            tuple(CertificateStanding(one, tuple(self._sources(one, issuer, at))) for one, issuer in pairs)
        )

    def _sources(self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Iterator[Source]:
        if "ocsp" in self._methods:
            named = ocsp_urls(certificate)
            for url in (self._ocsp_url,) if self._ocsp_url and named else named:
                yield self._by_ocsp(url, certificate, issuer, at)
        if "crl" in self._methods:
            for place in self._crls or crl_urls(certificate):
                yield self._by_crl(place, certificate, issuer, at)

    # -------------------------------------------------------------- one place

    def _by_ocsp(self, url: str, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Source:
        nonce = secrets.token_bytes(NONCE_SIZE)
        question = ocsp_request(certificate, issuer, nonce=nonce)
        place = f"{url} {certificate.fingerprint(SHA256()).hex()}"

        def read(body: bytes, *, kept: bool) -> Statement:
            return read_ocsp(body, certificate, issuer, nonce=None if kept else nonce, at=at)

        def fetch() -> bytes:
            return self._publication.fetch(url, body=question, media_type=MEDIA_TYPE)

        return self._source("ocsp", url, place, fetch, read, at)

    def _by_crl(self, place: str, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Source:
        def read(body: bytes, *, kept: bool) -> Statement:  # noqa: ARG001  a list is the same at any time
            return read_crl(body, certificate, issuer, at=at)

        if not place.lower().startswith(("http://", "https://")):
            return _judged("crl", label(place), lambda: read(_file(place), kept=True))

        def fetch() -> bytes:
            if place not in self._fetched:
                self._fetched[place] = self._publication.fetch(place)
            return self._fetched[place]

        # By issuer too: of several lists that were named, each is the wrong one for some certificate.
        return self._source("crl", place, f"{place} {issuer.fingerprint(SHA256()).hex()}", fetch, read, at)

    def _source(
        self,
        method: Method,
        url: str,
        place: str,
        fetch: Callable[[], bytes],
        read: Callable[..., Statement],
        at: datetime,
    ) -> Source:
        """Take what is kept while it may be taken; else ask, and fall back on what is kept."""
        kept = self._cache.find(place, at=at) if self._cache else None
        if kept is not None and kept.body and (at < kept.again and not self._fresh):
            found = _judged(method, masked_url(url), lambda: read(kept.body, kept=True), kept=True)
            if found.statement is not None:
                return found
        asked = self._ask(method, url, place, fetch, read, at)
        if asked.statement is None and kept is not None and kept.body:
            older = _judged(method, masked_url(url), lambda: read(kept.body, kept=True), kept=True)
            return older if older.statement is not None else asked
        return asked

    def _ask(
        self,
        method: Method,
        url: str,
        place: str,
        fetch: Callable[[], bytes],
        read: Callable[..., Statement],
        at: datetime,
    ) -> Source:
        shown = masked_url(url)
        for resting in (f"host {urlsplit(url).netloc}", *(() if self._fresh else (f"failed {place}",))):
            paused = self._paused(resting, at)
            if paused is not None:
                return Source(method, shown, problem=f"not asked before {paused.again:%H:%M} UTC: {paused.failure}")
        try:
            body = fetch()
        except RorError as error:
            self._leave_in_peace(url, error, at)
            return Source(method, shown, problem=error.message, hint=error.hint)
        found = _judged(method, shown, lambda: read(body, kept=False))
        if self._cache is not None and found.statement is None:
            pause = KEPT[method] if found.foreign else PAUSE
            self._cache.keep_failure(f"failed {place}", found.problem, at=at, pause=pause)
        elif self._cache is not None and found.statement is not None:
            self._cache.keep(place, body, at=at, life=_life(found.statement, method, at))
        return found

    def _paused(self, place: str, at: datetime) -> Kept | None:
        """Tell whether a place failed a short while ago."""
        kept = self._cache.find(place, at=at) if self._cache else None
        return kept if kept is not None and kept.failure and at < kept.again else None

    def _leave_in_peace(self, url: str, error: RorError, at: datetime) -> None:
        """Keep that a host does not answer; what was never sent is no failure of the host."""
        if self._cache is None or isinstance(error, ConfigurationError):
            return
        often = isinstance(error, UnexpectedResponseError) and error.status in _TOO_OFTEN
        self._cache.keep_failure(
            f"host {urlsplit(url).netloc}", error.message, at=at, pause=LONG_PAUSE if often else PAUSE
        )


def _judged(method: Method, place: str, read: Callable[[], Statement], *, kept: bool = False) -> Source:
    try:
        return Source(method, place, read(), kept=kept)
    except UnusableStatementError as error:
        foreign = isinstance(error, OtherAuthorityError)
        return Source(method, place, problem=error.message, hint=error.hint, foreign=foreign)


def _life(statement: Statement, method: Method, at: datetime) -> timedelta:
    if statement.next_update is None:
        return KEPT[method]
    return max(_NOTHING, min(KEPT[method], statement.next_update - at))


def _file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_FILE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name cannot be used"
        raise ConfigurationError(f"the list {label(path)} cannot be read: {reason}", hint="Check the path.") from error
    if len(data) > _FILE_LIMIT:
        raise UnusableStatementError(f"it is over {_FILE_LIMIT >> 20} MiB", hint="Check that this is the right file.")
    return data
