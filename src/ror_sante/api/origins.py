"""Keep every address on the one origin that was configured, whatever a server or a caller writes."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias
from urllib.parse import quote, unquote, urljoin, urlsplit

import msgspec

from ror_sante.environments import check_https
from ror_sante.errors import ConfigurationError, UnexpectedResponseError, masked_url

Links: TypeAlias = Literal["rebase", "refuse"]

_PATH: Final = "/%:@!$&'()*+,;=~"  # RFC 3986 section 3.3, and % because the server has encoded already
_QUERY: Final = _PATH + "?"


class OriginRule(msgspec.Struct, frozen=True):
    """The rule for links that a server gives: next pages, polling addresses, files of an export.

    The machines of ANS name themselves by internal hosts (``api.ror.esante.gouv.fr`` in the production's own
    ``/metadata``, ``api.rordev.esante.gouv.fr`` in a published example). So:

    1. same scheme, host and port as `api_url`: followed;
    2. another origin (``http://`` included), but a path under `service_path`: the path and query are followed on
       `api_url`, never on the origin of the link; with ``links="refuse"`` it is refused;
    3. anything else is refused.

    What is followed is always rebuilt from `api_url`: the token and our certificate cannot go elsewhere.

    Attributes:
        api_url: scheme, host and port of the service.
        service_path: where the FHIR service begins, such as ``/ws-diffusion-fhir``.
        links: ``rebase`` or ``refuse``, for case 2.
        setting: the key of an environment that holds `api_url`, for messages.
    """

    api_url: str
    service_path: str
    links: Links = "rebase"
    setting: str = "api_url"

    def __post_init__(self) -> None:
        check_https(self.api_url, key=self.setting)
        if self.links not in ("rebase", "refuse"):
            raise ConfigurationError('links is neither "rebase" nor "refuse"')

    @property
    def origin(self) -> str:
        """Scheme, host and port, as they start every address that is asked."""
        parts = urlsplit(self.api_url)
        return f"{parts.scheme}://{parts.netloc}"

    def follow(self, link: str, *, at: str) -> str:
        """Give the address to ask for a link.

        Args:
            link: what the server wrote, absolute or relative.
            at: the address of the answer that held it.

        Raises:
            UnexpectedResponseError: the link leads elsewhere or cannot be read.
        """
        try:
            parts = urlsplit(urljoin(at, link))
            where = _origin(parts.scheme, parts.hostname, parts.port)
        except ValueError:
            raise self._refused(link, at, "it cannot be read") from None
        if _unclean(link) or _climbs(parts.path):
            raise self._refused(link, at, "it cannot be read")
        if where != self._own_origin:
            if not self._is_ours(parts.path):
                raise self._refused(link, at, f"it leads outside {self.origin}{self.service_path}")
            if self.links == "refuse":
                raise self._refused(link, at, f'it names another origin than {self.origin}, and links is "refuse"')
        query = f"?{quote(parts.query, safe=_QUERY)}" if parts.query else ""
        return f"{self.origin}{quote(parts.path, safe=_PATH)}{query}"

    def address(self, path: str) -> str:
        """Give the address of a caller's path.

        Args:
            path: an absolute path on the API host, percent-encoded, with or without a query; or a whole address
                on that same origin.

        Raises:
            ConfigurationError: it is relative, leads to another origin, climbs with ``..``, or holds a character
                that does not belong in an address.
        """
        wrong = "the path of the request "
        if not path.isascii() or _unclean(path) or " " in path or "#" in path:
            raise ConfigurationError(
                f"{wrong}holds a character that does not belong there",
                hint="Percent-encode the path, or give values in params, which are encoded here.",
            )
        if not path.startswith("/"):
            path = self._local(path)
        bare, _, query = path.partition("?")
        if bare.startswith("//") or _climbs(bare):
            raise ConfigurationError(f"{wrong}is not a plain absolute path: {masked_url(path)}")
        return f"{self.origin}{bare}" + (f"?{query}" if query else "")

    def service_relative(self, url: str) -> str | None:
        """Give the path of an address below the service, without its first slash, or None outside of it."""
        path = urlsplit(url).path
        return path[len(self.service_path.rstrip("/")) :].lstrip("/") if self._is_ours(path) else None

    def _local(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            same = _origin(parts.scheme, parts.hostname, parts.port) == self._own_origin and "@" not in parts.netloc
        except ValueError:
            same = False
        if not same:
            raise ConfigurationError(
                f"the path of the request is neither absolute nor on {self.origin}: {masked_url(url)}",
                hint=f"Write it from the root of the host, such as {self.service_path}/metadata.",
            )
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def _own_origin(self) -> tuple[str, str, int]:
        parts = urlsplit(self.api_url)
        return _origin(parts.scheme, parts.hostname, parts.port)

    def _is_ours(self, path: str) -> bool:
        service = self.service_path.rstrip("/")
        return path == service or path.startswith(f"{service}/")

    def _refused(self, link: str, at: str, why: str) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"the service gave a link that is not followed, {why}: {masked_url(link)}",
            hint="Nothing was sent there. If that host is right, "
            f"make it the {self.setting} of an environment of your own.",
            status=200,
            method="GET",
            url=masked_url(at),
        )


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str, int]:
    return scheme, host or "", port or {"https": 443, "http": 80}.get(scheme, 0)


def _unclean(text: str) -> bool:
    """Tell whether a text holds what urlsplit would drop or a server could read otherwise."""
    return "\\" in text or any(character < " " or character == "\x7f" for character in text)


def _climbs(path: str) -> bool:
    return not {".", ".."}.isdisjoint(unquote(path).split("/"))
