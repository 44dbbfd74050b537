"""What the settings say, as the arguments of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, TypeVar

from ror_sante.errors import ConfigurationError
from ror_sante.http.proxy import Proxy
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import Timeouts
from ror_sante.pki.lent import load_intermediates

if TYPE_CHECKING:
    from cryptography import x509

    from ror_sante.settings import NetworkSettings

T = TypeVar("T")


class NetworkOptions(TypedDict):
    """The arguments of a client that ``[network]`` gives."""

    calls_per_second: float
    retry: RetryPolicy
    timeout: Timeouts
    proxy: Proxy | None
    lend: tuple[x509.Certificate, ...]
    wide_tls12_hosts: tuple[str, ...]


def network_options(network: NetworkSettings) -> NetworkOptions:
    """Give what ``[network]`` says as arguments of a client.

    Raises:
        ConfigurationError: a proxy or a certificate that cannot be used.
    """
    return {
        "calls_per_second": network.calls_per_second,
        "retry": RetryPolicy(deadline=network.deadline),
        "timeout": Timeouts(connect=network.connect_timeout, read=network.read_timeout),
        "proxy": Proxy.from_settings(network),
        "lend": load_intermediates(network.lend_intermediates),
        "wide_tls12_hosts": network.wide_tls12_hosts,
    }


def needed(value: T | None, key: str) -> T:
    """Give a value of ``[rorn]`` that there must be.

    Raises:
        ConfigurationError: it is missing.
    """
    if value is None:
        raise ConfigurationError(f"rorn.{key} is missing", hint="ANS gives it with the client account.")
    return value
