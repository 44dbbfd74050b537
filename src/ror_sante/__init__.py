"""Mutual-TLS client for the French ROR web services.

The public names are imported when they are first asked for: ``import ror_sante`` costs next to nothing, and the
simulator, which needs the extra ``testing``, stays away until somebody wants it.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from ror_sante._version import __version__

if TYPE_CHECKING:
    from ror_sante.api.annuaire.client import AnnuaireSanteClient
    from ror_sante.api.annuaire.extractions import ExtractionClient
    from ror_sante.api.fhir.bundle import Bundle
    from ror_sante.api.fhir.outcome import OperationOutcome
    from ror_sante.api.fhir.resource import Resource
    from ror_sante.api.inter_ror import InterRorClient
    from ror_sante.api.national import NationalRorClient
    from ror_sante.diagnosis.report import Check, SmokeReport, SmokeReports
    from ror_sante.diagnosis.smoke import SmokeTest
    from ror_sante.environments import ApplicationService, Coding, Environment
    from ror_sante.errors import (
        AccessDeniedError,
        ApiError,
        ClientRejectedError,
        ConfigurationError,
        Finding,
        IdentityError,
        IncompleteChainError,
        InvalidRequestError,
        NotFoundError,
        Pkcs12Error,
        PreconditionError,
        RateLimitedError,
        RevokedError,
        RorError,
        ServerFaultError,
        ServerNotTrustedError,
        SyncError,
        TimedOutError,
        TokenError,
        TransportError,
        TruncatedResultError,
        UnexpectedResponseError,
        UnreachableError,
        UntrustedChainError,
        UsageError,
        ValidityError,
    )
    from ror_sante.http.proxy import Proxy
    from ror_sante.http.retry import RetryPolicy
    from ror_sante.http.session import SessionFactory, Timeouts
    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.expiry import Validity
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.pki.source import IdentitySource
    from ror_sante.settings import Settings, load_settings
    from ror_sante.simulator.pki import SimulatorPki
    from ror_sante.simulator.server import Simulator
    from ror_sante.sync.annuaire.reading import Extraction
    from ror_sante.tls.receipt import HandshakeReceipt

__all__ = [
    "AccessDeniedError",
    "AnnuaireSanteClient",
    "ApiError",
    "ApplicationService",
    "Bundle",
    "Check",
    "ClientIdentity",
    "ClientRejectedError",
    "Coding",
    "ConfigurationError",
    "Environment",
    "Extraction",
    "ExtractionClient",
    "Finding",
    "HandshakeReceipt",
    "IdentityError",
    "IdentitySource",
    "IncompleteChainError",
    "InterRorClient",
    "InvalidRequestError",
    "NationalRorClient",
    "NotFoundError",
    "OperationOutcome",
    "Pkcs12Error",
    "PreconditionError",
    "Proxy",
    "RateLimitedError",
    "Resource",
    "RetryPolicy",
    "RevokedError",
    "RorError",
    "ServerFaultError",
    "ServerNotTrustedError",
    "SessionFactory",
    "Settings",
    "Simulator",
    "SimulatorPki",
    "SmokeReport",
    "SmokeReports",
    "SmokeTest",
    "SyncError",
    "TimedOutError",
    "Timeouts",
    "TokenError",
    "TransportError",
    "TruncatedResultError",
    "TrustAnchor",
    "UnexpectedResponseError",
    "UnreachableError",
    "UntrustedChainError",
    "UsageError",
    "Validity",
    "ValidityError",
    "__version__",
    "load_settings",
]

_HOMES = {
    "AnnuaireSanteClient": "api.annuaire.client",
    "ApplicationService": "environments",
    "Bundle": "api.fhir.bundle",
    "Check": "diagnosis.report",
    "ClientIdentity": "pki.identity",
    "Coding": "environments",
    "Environment": "environments",
    "Extraction": "sync.annuaire.reading",
    "ExtractionClient": "api.annuaire.extractions",
    "HandshakeReceipt": "tls.receipt",
    "IdentitySource": "pki.source",
    "InterRorClient": "api.inter_ror",
    "NationalRorClient": "api.national",
    "OperationOutcome": "api.fhir.outcome",
    "Proxy": "http.proxy",
    "Resource": "api.fhir.resource",
    "RetryPolicy": "http.retry",
    "SessionFactory": "http.session",
    "Settings": "settings",
    "Simulator": "simulator.server",
    "SimulatorPki": "simulator.pki",
    "SmokeReport": "diagnosis.report",
    "SmokeReports": "diagnosis.report",
    "SmokeTest": "diagnosis.smoke",
    "Timeouts": "http.session",
    "TrustAnchor": "pki.anchor",
    "Validity": "pki.expiry",
    "load_settings": "settings",
}
_ERRORS = "errors"  # the home of every other name


def __getattr__(name: str) -> object:
    """Import a public name from its module, once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_import_module(f"{__name__}.{_HOMES.get(name, _ERRORS)}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
