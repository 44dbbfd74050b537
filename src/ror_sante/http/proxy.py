"""The HTTP proxy on the way, as a value that does not show its password."""

from __future__ import annotations

import base64
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from ror_sante.errors import ConfigurationError, masked_url
from ror_sante.settings import read_secret

if TYPE_CHECKING:
    from ror_sante.settings import NetworkSettings


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy that opens tunnels by CONNECT; TLS runs through it end to end.

    Attributes:
        url: ``http://host:port``, with no user name in it.
        user: the user name the proxy wants, or None.
        password: its password; never shown.
        no_proxy: hosts (and, with a leading dot or not, their subdomains) that are reached directly.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            fine = parts.scheme == "http" and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        except ValueError:
            fine = False
        if not fine:
            raise ConfigurationError(
                f"the proxy must be http://host:port with no user name: {masked_url(self.url)}",
                hint="Give proxy_user and proxy_password_file apart; https:// and socks proxies are not supported.",
            )

    @classmethod
    def from_settings(cls, network: NetworkSettings) -> Proxy | None:
        """Make the proxy that the settings name.

        Args:
            network: the table ``[network]``.

        Returns:
            The proxy, or None for a direct connection.

        Raises:
            ConfigurationError: the password file cannot be read, or the environment names a proxy that cannot be used.
        """
        if network.proxy is None:
            return None
        if network.proxy == "environment":
            return cls.from_environment()
        password = None if network.proxy_password_file is None else read_secret(network.proxy_password_file)
        return cls(network.proxy, user=network.proxy_user, password=password, no_proxy=network.no_proxy)

    @classmethod
    def from_environment(cls) -> Proxy | None:
        """Read ``HTTPS_PROXY`` (or ``ALL_PROXY``) and ``NO_PROXY``; nothing else of the environment counts.

        Returns:
            The proxy, or None when none is set.
        """
        found = urllib.request.getproxies_environment()
        url = found.get("https") or found.get("all")
        if not url:
            return None
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
        except ValueError:
            return cls("")  # which says what a proxy must look like
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "", "", ""))
        return cls(
            bare,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            no_proxy=tuple(name.strip() for name in found.get("no", "").split(",") if name.strip()),
        )

    @property
    def authorization(self) -> str:
        """The ``Proxy-Authorization`` value, or nothing."""
        if self.user is None:
            return ""
        pair = f"{self.user}:{self.password or ''}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

    def serves(self, host: str) -> bool:
        """Tell whether `host` is reached through the proxy."""
        names = [name.removeprefix("*").lstrip(".").lower() for name in self.no_proxy]
        return "*" not in self.no_proxy and not any(host == name or host.endswith(f".{name}") for name in names)
