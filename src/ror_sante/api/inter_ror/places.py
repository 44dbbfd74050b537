"""Open the clients that the settings of the inter-ROR search describe."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from ror_sante.api.national import NationalRorClient
from ror_sante.api.nos import REGIONS
from ror_sante.api.options import network_options
from ror_sante.environments import Environment
from ror_sante.errors import ConfigurationError, RorError
from ror_sante.http.rate import RateLimit
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ror_sante.http.session import Presented
    from ror_sante.settings import RegionalPlace, Settings

T = TypeVar("T")
_NATIONAL: Final = ""  # as a region: the tables [inter_ror] and [rorn] alone


def opened(
    settings: Settings,
    regions: Mapping[str, str],
    *,
    identity: Presented | None,
    environment: Environment | None,
    ask: Callable[[str], str] | None,
) -> tuple[NationalRorClient | None, dict[str, NationalRorClient | RorError]]:
    """Open the national service, and each region that has an endpoint of its own.

    Args:
        settings: with the tables.
        regions: the code of each region that has a table, and the name of the table.
        identity: a certificate, or where it comes from, for whoever names none.
        environment: replaces the configured one.
        ask: takes the name of a file and asks a person for its passphrase.

    Returns:
        The client of the national service, or None when it is not to be asked; and by code the client of a region, or
        why there is none.

    Raises:
        ConfigurationError: the search as a whole is configured as CSD, or an address is none.
    """
    from ror_sante.settings import regional_place  # brings all tables, which a client made by hand does without

    environment = environment or settings.resolve_environment()
    if settings.inter_ror.protocol == "csd":
        raise csd_refusal("inter_ror")
    opener = _Opener(settings, environment, identity, ask)
    places = {code: regional_place(settings, name, environment) for code, name in regions.items()}
    found = {code: unusable(place) or opener.client(place) for code, place in places.items()}
    national = opener.client(regional_place(settings, _NATIONAL, environment)) if settings.inter_ror.national else None
    if isinstance(national, RorError):
        if not any(isinstance(each, NationalRorClient) for each in found.values()):
            raise national
        return None, _filled(found, national)
    return national, found


def unusable(place: RegionalPlace) -> ConfigurationError | None:
    """Tell why the table of a region leads nowhere, or nothing."""
    if place.protocol == "csd":
        return csd_refusal(place.name)
    if place.base_url is None:
        return ConfigurationError(
            f"{place.name} names no base_url",
            hint="Name the FHIR base of the region's own service, or leave the table out: the region is then asked "
            "through the national ROR, with the account of [inter_ror].",
        )
    return None


def environment_of(place: RegionalPlace, national: Environment) -> Environment:
    """Give the environment in which a place is asked.

    Args:
        place: of a region, or that of the national service.
        national: where the national service answers.
    """
    if place.base_url is None:
        return replace(national, token_url=place.token_url, token_anchors=place.token_anchors)
    parts = urlsplit(place.base_url)
    return Environment(
        name=place.name,
        token_url=place.token_url,
        api_url=f"{parts.scheme}://{parts.netloc}",
        diffusion_path=parts.path.rstrip("/") or "/",
        anchors=place.anchors,
        token_anchors=place.token_anchors,
        test=national.test,
    )


def csd_refusal(table: str) -> ConfigurationError:
    """Say why CSD is not spoken, and what to use."""
    return ConfigurationError(
        f"{table}.protocol is csd, which is not spoken here: the contract of the CSD services over SOAP (exposure "
        "model 2.4) is not public, and their stop was announced for the end of the first quarter of 2026",
        hint='Use protocol = "fhir": the national ROR searches every region, and base_url names a FHIR service of the '
        "region where there is one.",
    )


class _Opener:
    """Opens clients that share the pace of their hosts and, by its name, each certificate."""

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        identity: Presented | None,
        ask: Callable[[str], str] | None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._ask = ask
        self._identities: dict[str | None, Presented] = {} if identity is None else {None: identity}
        self._options = network_options(settings.network)
        # Regions on one host share its pace.
        self._rate = RateLimit(settings.network.calls_per_second)

    def client(self, place: RegionalPlace) -> NationalRorClient | RorError:
        """Open one client, or give the reason why not."""
        try:
            secret = None if place.client_secret_file is None else read_secret(place.client_secret_file)
            return NationalRorClient(
                environment_of(place, self._environment),
                self._identity(place) if secret is None else None,
                client_id=_needed(place.client_id, place, "client_id"),
                profile=_needed(place.profile, place, "profile"),
                role=_needed(place.role, place, "role"),
                client_secret=secret,
                scope=place.scope,
                present_certificate_to_api=place.present_certificate_to_api,
                links=self._settings.rorn.links,
                rate=self._rate,
                **self._options,
            )
        except RorError as error:
            return error

    def _identity(self, place: RegionalPlace) -> Presented:
        if place.identity not in self._identities:
            table = self._settings.identity_named(place.identity, by=place.name)
            self._identities[place.identity] = IdentitySource.from_settings(table, ask=self._ask).shared()
        return self._identities[place.identity]


def _needed(value: T | None, place: RegionalPlace, key: str) -> T:
    if value is None:
        raise ConfigurationError(
            f"{key} is missing in {place.name}, [inter_ror] and [rorn]",
            hint="It comes with the client account, which ANS or the region gives.",
        )
    return value


def _filled(found: dict[str, NationalRorClient | RorError], why: RorError) -> dict[str, NationalRorClient | RorError]:
    """Let the regions that would go through the national service say why they cannot."""
    return {code: found.get(code, why) for code in REGIONS}
