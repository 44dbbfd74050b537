"""The ladder of the inter-ROR search: each region at its own endpoint, or through the national ROR, side by side."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from ror_sante.api.inter_ror.places import csd_refusal, environment_of, unusable
from ror_sante.api.inter_ror.regions import region_filter
from ror_sante.api.nos import REGIONS, region_code
from ror_sante.diagnosis.ladders.ladder import Ladder, Rung, Service, source_of
from ror_sante.diagnosis.ladders.national import ANSWERS, National
from ror_sante.diagnosis.rung import Seen, failed, ok
from ror_sante.environments import ApplicationService
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import RornSettings, regional_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.diagnosis.ladders.ladder import Ground
    from ror_sante.diagnosis.route import Route
    from ror_sante.errors import ConfigurationError
    from ror_sante.settings import RegionalPlace

INTER_ROR: Final = "inter-ror"
_TITLE: Final = "Inter-ROR search"
_TYPE: Final = "HealthcareService"
_SEARCH: Final = "search"
_ONE: Final = (("_count", "1"),)


def ladder(ground: Ground) -> Ladder:
    """Make the ladder of the inter-ROR search."""
    return _InterRor(ground).ladder()


def absent(ground: Ground) -> str:
    """Tell why no region can be asked, or nothing."""
    settings = ground.settings
    if settings.inter_ror.protocol == "csd":
        refusal = csd_refusal("inter_ror")
        return f"{refusal.message}. {refusal.hint}"
    account = settings.rorn.client_id or settings.inter_ror.client_id
    own = any(table.base_url and (table.client_id or account) for table in settings.inter_ror.regions.values())
    return "" if account or own else "neither [inter_ror] nor [rorn] names a client_id"


class _InterRor:
    """One run: the national service where regions need it, and each region that has an endpoint of its own."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        settings = ground.settings
        names = {region_code(name): name for name in settings.inter_ror.regions}
        places = {code: regional_place(settings, name, ground.environment) for code, name in names.items()}
        self._wrong = {code: error for code, place in places.items() if (error := unusable(place)) is not None}
        self._own = {
            code: self._climbed(place) for code, place in places.items() if place.base_url and code not in self._wrong
        }
        through = regional_place(settings, "", ground.environment)
        self._national = self._climbed(through) if settings.inter_ror.national else None
        self._rest = () if self._national is None else tuple(sorted(REGIONS.keys() - names.keys()))

    def ladder(self) -> Ladder:
        found = [rung for code, own in self._own.items() for rung in own.rungs(column=REGIONS[code])]
        if self._national is not None:
            found = [*(rung for rung in self._national.rungs() if rung.name != _SEARCH), *found]
        found += [Rung(_SEARCH, self._told(error), column=REGIONS[code]) for code, error in self._wrong.items()]
        found += [self._searched(code, self._national) for code in self._rest if self._national is not None]
        order = {name: number for number, name in enumerate(dict.fromkeys(rung.name for rung in found))}
        return Ladder(
            service=INTER_ROR,
            title=_TITLE,
            environment=self._ground.environment.name,
            rungs=tuple(sorted(found, key=lambda rung: order[rung.name])),
            close=self._close,
            routes=self._routes,
        )

    def _routes(self) -> tuple[Route, ...]:
        """Give what was seen on the way to each host; a region's are named after it."""
        shared = () if self._national is None else self._national.routes()
        regional = [
            replace(route, label=f"{REGIONS[code]}: {route.label}")
            for code, own in self._own.items()
            for route in own.routes()
        ]
        return (*shared, *regional)

    def _close(self) -> None:
        for each in (*self._own.values(), *filter(None, [self._national])):
            each.close()

    def _told(self, error: ConfigurationError) -> Callable[[], Seen]:
        return lambda: failed(error)

    def _searched(self, code: str, national: National) -> Rung:
        """One search of a region that is asked through the national service; its way is common to all of them."""
        also = (region_filter(code, _TYPE, self._ground.settings.inter_ror.dialect),)

        def look() -> Seen:
            page = national.client.walk(_TYPE, _ONE, also=also, allow_truncated=True).step()
            total = "an unknown number" if page.total is None else str(page.total)
            return ok(f"{total} care services" if page.matches else "no care service")

        return Rung(_SEARCH, look, needs=ANSWERS, column=REGIONS[code])

    def _climbed(self, place: RegionalPlace) -> National:
        """Prepare the rungs of one place, as if it were the national service with that account."""
        settings = self._ground.settings
        account = RornSettings(
            client_id=place.client_id,
            identity=place.identity,
            scope=place.scope,
            client_secret_file=place.client_secret_file,
            present_certificate_to_api=place.present_certificate_to_api,
            profile=place.profile,
            role=place.role,
            links=settings.rorn.links,
        )
        ground = replace(
            self._ground,
            environment=environment_of(place, self._ground.environment),
            settings=msgspec.structs.replace(settings, rorn=account),
        )
        shared = place.identity == settings.rorn.identity
        service = ApplicationService.RORN if shared else ApplicationService.INTER_ROR
        return National(ground, source=self._source(place), service=service)

    def _source(self, place: RegionalPlace) -> IdentitySource | None:
        """Give where the certificate of a place comes from; the one that most of them share is that of everywhere."""
        settings = self._ground.settings
        if place.client_secret_file is not None:
            return None
        if place.identity == (settings.inter_ror.identity or settings.rorn.identity):
            return self._common
        return source_of(lambda: IdentitySource.from_settings(settings.identity_named(place.identity, by=place.name)))

    @cached_property
    def _common(self) -> IdentitySource | None:
        """Opened once, and not for each region: a P12 takes its time by design."""
        source = self._ground.source(INTER_ROR)
        return None if source is None else source.shared()


INTER_ROR_SERVICE: Final = Service(title=_TITLE, ladder=ladder, absent=absent)
