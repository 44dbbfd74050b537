"""The places where the services live, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from ror_sante.errors import ConfigurationError

IGC_SANTE: Final = "igc-sante"
IGC_SANTE_TEST: Final = "igc-sante-test"
WEB_PKI: Final = "web-pki"

# ROR-fhir-documentation, "environnements et points d'accès": the same path on both authorization hosts.
_TOKEN_PATH: Final = "/auth/realms/ror/protocol/openid-connect/token"  # noqa: S105  a path, not a secret


class ApplicationService(StrEnum):
    """The three "services applicatifs", by the CN that the order form recommends.

    Source: "Procédure d'obtention des certificats logiciels contexte ROR", section 3.
    """

    INTER_ROR = "CLIENT_WS_ROR"
    RORN = "CLIENT_WS_RORN"
    ANNUAIRE = "CLIENT_WS_ANNUAIRE"


@dataclass(frozen=True)
class Coding:
    """A code and the code system it belongs to, as the ``Ror-*`` headers carry them (a bare OID)."""

    code: str
    system: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where the services of one environment answer, and whom to trust there.

    Attributes:
        name: how people call it: ``production``, ``bac-a-sable``, or the name of a table in the settings.
        token_url: the OAuth 2 token endpoint, whole.
        api_url: scheme, host and port of the FHIR services; their paths stand apart.
        diffusion_path: service path of reads and ``$export``.
        annuaire_download_url: base of the Annuaire Santé extractions, or None.
        annuaire_fhir_url: base of the Annuaire Santé FHIR gateway, or None.
        anchors: the trusted roots, as words (``igc-sante``, ``igc-sante-test``, ``web-pki``) or paths of files.
        token_anchors: the same for the token host alone; None means `anchors`.
        api_anchors: the same for the API host alone; None means `anchors`.
        annuaire_download_anchors: the same for the extraction host alone; None means `anchors`.
        annuaire_fhir_anchors: the same for the FHIR gateway, which stands under the public web CAs.
        test: the environment expects certificates of the TEST tree (True), of the production tree (False),
            or does not say (None).
    """

    name: str
    token_url: str
    api_url: str
    diffusion_path: str = "/ws-diffusion-fhir"
    annuaire_download_url: str | None = None
    annuaire_fhir_url: str | None = None
    anchors: tuple[str, ...] = (IGC_SANTE,)
    token_anchors: tuple[str, ...] | None = None
    api_anchors: tuple[str, ...] | None = None
    annuaire_download_anchors: tuple[str, ...] | None = None
    annuaire_fhir_anchors: tuple[str, ...] = (WEB_PKI,)
    test: bool | None = None

    def __post_init__(self) -> None:
        for key in ("token_url", "api_url", "annuaire_download_url", "annuaire_fhir_url"):
            url = getattr(self, key)
            if url is not None:
                check_https(url, key=f"environments.{self.name}.{key}")
        if not self.diffusion_path.startswith("/"):
            raise ConfigurationError(
                f"environments.{self.name}.diffusion_path must start with '/': {self.diffusion_path!r}"
            )
        if not self.anchors:
            raise ConfigurationError(
                f"environments.{self.name}.anchors is empty: no server could be trusted",
                hint="Leave it out for ACR-EL, or name the PEM or DER file of the root.",
            )

    @property
    def fhir_base(self) -> str:
        """The FHIR base of reads and searches, with no final slash."""
        return self.api_url.rstrip("/") + self.diffusion_path.rstrip("/")

    @classmethod
    def production(cls) -> Environment:
        """Give the production environment."""
        return PRODUCTION

    @classmethod
    def bac_a_sable(cls) -> Environment:
        """Give the sandbox ("bac-à-sable"): a monthly copy of production, personal data anonymised."""
        return BAC_A_SABLE

    @classmethod
    def named(cls, name: str) -> Environment:
        """Give a built-in environment by its name.

        Raises:
            ConfigurationError: there is no such environment; the message lists those that exist.
        """
        try:
            return BUILT_IN[name]
        except KeyError:
            known = ", ".join(BUILT_IN)
            raise ConfigurationError(
                f"unknown environment {name!r}; the built-in ones are {known}",
                hint=f"Describe your own in a table [environments.{name}] of the settings file.",
            ) from None


def check_https(url: str, *, key: str) -> None:
    """Refuse an address that is not a plain https URL with a host.

    Raises:
        ConfigurationError: another scheme, no host, a user name in it, a bad port; `key` names the setting.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
        _ = parts.port
    except ValueError:
        fine = False
    if not fine:
        raise ConfigurationError(
            f"{key} is not an https address with a host and no user name",
            hint="Write it as https://host or https://host:port.",
        )


# CFG (ROR-fhir-documentation docs/_config.yml) and the page "environnements et points d'accès".
# The Annuaire Santé addresses are those of its own documentation; its sandbox is not documented.
PRODUCTION: Final = Environment(
    name="production",
    token_url="https://auth-api.ror.esante.gouv.fr" + _TOKEN_PATH,
    api_url="https://api-fhir.ror.esante.gouv.fr",
    annuaire_download_url="https://service.annuaire.sante.fr/annuaire-sante-webservices/V300/services/extraction",
    annuaire_fhir_url="https://gateway.api.esante.gouv.fr/fhir/v2",
    anchors=(IGC_SANTE,),
    test=False,
)
BAC_A_SABLE: Final = Environment(
    name="bac-a-sable",
    token_url="https://bas-auth-api.qualif.ror.esante.gouv.fr" + _TOKEN_PATH,
    api_url="https://bas-api-fhir.qualif.ror.esante.gouv.fr",
    anchors=(IGC_SANTE_TEST,),
    test=True,
)
BUILT_IN: Final = {"production": PRODUCTION, "bac-a-sable": BAC_A_SABLE}
