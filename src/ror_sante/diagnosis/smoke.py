"""Climb from the settings to one real answer of each service, and say at which rung it stops."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis.ladders.annuaire import ANNUAIRE, ANNUAIRE_SERVICE
from ror_sante.diagnosis.ladders.climb import climb
from ror_sante.diagnosis.ladders.inter_ror import INTER_ROR, INTER_ROR_SERVICE
from ror_sante.diagnosis.ladders.ladder import Ground, Service, source_of
from ror_sante.diagnosis.ladders.national import NATIONAL, RORN
from ror_sante.diagnosis.machine import Machine
from ror_sante.diagnosis.report import SmokeReport, SmokeReports
from ror_sante.errors import ConfigurationError
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import NetworkSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    from ror_sante.diagnosis.causes import Lang
    from ror_sante.diagnosis.ladders.ladder import Ladder
    from ror_sante.diagnosis.report import Check
    from ror_sante.environments import Environment
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.settings import RornSettings

    Source = IdentitySource | Callable[[], ClientIdentity]

# Every service that the smoke test knows, by the word of --service; a new ladder is one line here.
SERVICES: Final[Mapping[str, Service]] = {
    RORN: NATIONAL,
    INTER_ROR: INTER_ROR_SERVICE,
    ANNUAIRE: ANNUAIRE_SERVICE,
}
ALL: Final = "all"
# The rungs of the national ROR.
RUNGS: Final = (
    *("trust", "p12", "chain", "product", "dates", "environment", "name"),
    *("dns", "tcp", "tls", "pushed", "server chain", "token", "metadata", "search", "clock"),
)
# Seconds for the whole test, unless told otherwise.
WITHIN: Final = 120.0


class SmokeTest:
    """The ladders of one or more services, climbed side by side; nothing is tried twice.

    The constructor makes the test of the national ROR from values; `from_settings` makes that of any services.

    Args:
        environment: where to call.
        identity: where our certificate comes from: opened when its rung comes, with the rungs ``next`` and
            ``rehearsal`` when it has a successor; None for access profile 0, which has a secret.
        rorn: the account.
        network: proxy and time limits.
        at: the time at which the certificate is judged; None reads the clock at each run.
        within: seconds for the whole test; what has not come by then has failed.
        lang: ``en`` or ``fr``, of the causes of failures and of what works by accident.
    """

    def __init__(
        self,
        environment: Environment,
        identity: Source | None,
        *,
        rorn: RornSettings,
        network: NetworkSettings | None = None,
        at: datetime | None = None,
        within: float = WITHIN,
        lang: Lang = "en",
    ) -> None:
        settings = Settings(rorn=rorn, network=network or NetworkSettings())
        self._makers: tuple[Callable[[datetime], Ladder], ...] = (
            _maker(NATIONAL, environment, settings, lambda _service: _sourced(identity), lang),
        )
        self._absent: tuple[tuple[str, str], ...] = ()
        self._settings = settings
        self._at = at
        self._within = within

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        services: Iterable[str] = (RORN,),
        environment: Environment | None = None,
        source: Callable[[str], Source | None] | None = None,
        ask: Callable[[str], str] | None = None,
        at: datetime | None = None,
        within: float = WITHIN,
        lang: Lang = "en",
    ) -> Self:
        """Make the test from the settings.

        Args:
            settings: what `load_settings` gave.
            services: ``rorn``, ``inter-ror``, ``annuaire``, or ``all`` for those that are configured.
            environment: a place that replaces the configured one, such as the simulator's.
            source: takes a service and gives where its certificate comes from, None for an account without one; in
                place of the settings' tables.
            ask: takes the name of a file and asks a person for its passphrase, when the settings hold none; once.
            at: as in the constructor.
            within: as in the constructor.
            lang: as in the constructor.

        Raises:
            ConfigurationError: the environment cannot be resolved, a service is not known, or one that was named is
                not configured.
        """
        place = environment or settings.resolve_environment()
        find = sources(settings, ask=ask) if source is None else lambda service: _sourced(source(service))
        words = list(dict.fromkeys(services))
        ground = Ground(environment=place, settings=settings, source=find, at=datetime.now(UTC))
        absent = {name: reason for name in _named(words) if (reason := SERVICES[name].absent(ground))}
        _refuse_what_was_named(absent, words)
        made = cls.__new__(cls)
        made._makers = tuple(
            _maker(SERVICES[name], place, settings, find, lang) for name in _named(words) if name not in absent
        )
        made._absent = tuple(absent.items())
        made._settings = settings
        made._at = at
        made._within = within
        return made

    def run(self, on_check: Callable[[Check], None] | None = None) -> SmokeReport:
        """Climb the one ladder, and tell what each rung saw.

        Args:
            on_check: called with each rung as soon as it and those before it are done.

        Returns:
            All rungs, in their order. What fails is in the report; nothing is raised for it.

        Raises:
            ConfigurationError: there are several ladders; `run_all` climbs them.
        """
        if len(self._makers) != 1:
            raise ConfigurationError("this smoke test is of several services", hint="Use run_all().")
        tell = on_check
        return self.run_all(None if tell is None else lambda _ladder, check: tell(check)).reports[0]

    def run_all(self, on_check: Callable[[Ladder, Check], None] | None = None) -> SmokeReports:
        """Climb all ladders side by side.

        Args:
            on_check: called with each rung of the first ladder as soon as it is done, then with those of the next.

        Returns:
            A report for each.
        """
        now = datetime.now(UTC)
        at = self._at or now
        reports = climb([make(at) for make in self._makers], within=self._within, on_check=on_check)
        return SmokeReports(reports=reports, absent=self._absent, machine=Machine.examine(self._settings), at=now)


def sources(settings: Settings, *, ask: Callable[[str], str] | None = None) -> Callable[[str], IdentitySource | None]:
    """Give what finds in the settings where the certificate of a service comes from.

    Args:
        settings: with the tables of the certificates.
        ask: takes the name of a file and asks a person for its passphrase; once, however many services share it.
    """
    of = functools.cache(lambda table: IdentitySource.from_settings(table, ask=ask))

    def find(service: str) -> IdentitySource | None:
        if service == RORN and settings.rorn.client_secret_file is not None:
            return None
        name = service.replace("-", "_")
        return source_of(lambda: of(settings.identity_for(name)))

    return find


def _sourced(source: Source | None) -> IdentitySource | None:
    return source if source is None or isinstance(source, IdentitySource) else IdentitySource(source)


def _maker(
    service: Service,
    environment: Environment,
    settings: Settings,
    source: Callable[[str], IdentitySource | None],
    lang: Lang,
) -> Callable[[datetime], Ladder]:
    return lambda at: service.ladder(
        Ground(environment=environment, settings=settings, source=source, at=at, lang=lang)
    )


def _named(words: Iterable[str]) -> tuple[str, ...]:
    """Give the services that some words mean, each once."""
    found: dict[str, None] = {}
    for word in words:
        if word != ALL and word not in SERVICES:
            raise ConfigurationError(
                f"unknown service {word!r}", hint=f"The smoke test knows {', '.join(SERVICES)} and {ALL}."
            )
        found |= dict.fromkeys(SERVICES if word == ALL else [word])
    return tuple(found)


def _refuse_what_was_named(absent: Mapping[str, str], words: Iterable[str]) -> None:
    """A service that was asked for by its name must be there; ``all`` takes those that are."""
    for word in words:
        if word in absent:
            raise ConfigurationError(f"{word} cannot be tried here: {absent[word]}")
