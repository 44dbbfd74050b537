"""The rungs of the way to some hosts, the same for every service: name, port, handshake, and what each side showed."""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ror_sante.diagnosis import accidents, reach
from ror_sante.diagnosis.ladders.ladder import Rung
from ror_sante.diagnosis.ladders.own import BEFORE_SHOWN
from ror_sante.diagnosis.report import Outcome
from ror_sante.diagnosis.route import Route
from ror_sante.diagnosis.rung import noticed
from ror_sante.errors import ClientRejectedError, ServerNotTrustedError
from ror_sante.http.proxy import Proxy
from ror_sante.pki.lent import load_intermediates
from ror_sante.pki.names import describe_name
from ror_sante.tls.adapter import Origin
from ror_sante.tls.probe import Via, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ror_sante.diagnosis.causes import Cause, Lang
    from ror_sante.diagnosis.ladders.own import OwnSide
    from ror_sante.diagnosis.rung import Seen
    from ror_sante.errors import RorError
    from ror_sante.settings import NetworkSettings
    from ror_sante.tls.probe import Probe
    from ror_sante.tls.receipt import HandshakeReceipt

_HTTP_PORT: Final = 80


@dataclass(frozen=True)
class Target:
    """A host to walk to, and the column in which its rungs stand.

    Attributes:
        host: the server; the way through the proxy and its suites are added from the settings.
        column: empty where there is one host.
    """

    host: reach.Host
    column: str = ""


class Way:
    """Walks to each host in a column of its own, and keeps how far it got.

    Args:
        own: gives the anchors, and the certificate that may be shown.
        targets: the hosts, each in its column.
        network: proxy, time limits, exceptions.
        lang: ``en`` or ``fr``, of what works by accident.

    Attributes:
        probes: how far each column got, when its rung ``dns`` is done.
    """

    def __init__(self, own: OwnSide, targets: Iterable[Target], *, network: NetworkSettings, lang: Lang = "en") -> None:
        self._own = own
        self._lang = lang
        self._targets = tuple(targets)
        self._network = network
        self.probes: dict[str, tuple[reach.Host, Probe]] = {}

    def rungs(self) -> tuple[Rung, ...]:
        """Give the five rungs of each host, from ``dns`` to ``server chain``, step by step."""
        return (
            *(self._dns(target) for target in self._targets),
            *(self._rung(target, "tcp", self._tcp, ("dns",)) for target in self._targets),
            *(self._rung(target, "tls", self._tls, _before_tls(target.host)) for target in self._targets),
            *(self._rung(target, "pushed", self._pushed, ("tls",)) for target in self._targets),
            *(self._rung(target, "server chain", self._server_chain, ("tcp",)) for target in self._targets),
        )

    def explained(self, rungs: Iterable[Rung]) -> tuple[Rung, ...]:
        """Give rungs that explain their failure by our side, and by the way in their own column."""
        return tuple(replace(rung, explain=functools.partial(self._explain, rung.column)) for rung in rungs)

    def _explain(self, column: str, error: RorError) -> tuple[Cause, ...]:
        if column not in self.probes:
            return self._own.explain(error)
        host, seen = self.probes[column]
        return self._own.explain(error, words=host.anchors, receipt=seen.receipt, shown=host.shown)

    def routes(self, calls: Iterable[HandshakeReceipt] = ()) -> tuple[Route, ...]:
        """Give what was seen on the way to each host that was tried.

        Args:
            calls: what the connections of the requests showed, which the probe cannot: it sends none.
        """
        reached = (self.probes[target.column] for target in self._targets if target.column in self.probes)
        made = tuple(calls)
        return tuple(self._route(host, seen, made) for host, seen in reached)

    def _route(self, host: reach.Host, seen: Probe, calls: tuple[HandshakeReceipt, ...]) -> Route:
        receipt, here = seen.receipt, [one for one in calls if Origin(one.host, one.port) == host.origin]
        assert receipt is not None  # noqa: S101  every probe has one
        identity = self._own.shown if host.shown else None
        trusted = bool(seen.received) and not isinstance(seen.error, ServerNotTrustedError)
        roots = self._own.anchors(host.anchors)
        handshake = seen.tls_seconds is not None or seen.requested is not None
        late = next((one for one in here if one.late_request), None)
        sent = late.sent_names if late else seen.pushed if handshake else ()
        first = [("first byte", one.first_byte_seconds) for one in here if one.first_byte_seconds is not None][:1]
        return Route(
            label=host.label,
            origin=str(host.origin),
            name="" if _is_address(host.origin.host) else host.origin.host,
            peer=seen.peer,
            proxy=f"{host.via.host}:{host.via.port}" if host.via else "",
            version=seen.version,
            cipher=seen.cipher,
            resumed=sum(one.resumed is True for one in here),
            asked=seen.requested,
            late=late is not None,
            accepted=receipt.authority_names,
            ours=sent,
            read=late is not None or seen.source == "wire",
            our_root=describe_name(identity.chain[-1].issuer) if identity and sent else "",
            theirs=seen.received,
            their_root=(roots[0].subject if len(roots) == 1 else f"one of {len(roots)} roots") if trusted else "",
            refused=_refused(seen),
            alert=seen.error.alert if isinstance(seen.error, ClientRejectedError) else "",
            alert_sent=receipt.alert_sent,
            alert_late=receipt.alert_moment == "after",
            ended=seen.failed or "",
            steps=(*receipt.steps(), *first),
        )

    def _dns(self, target: Target) -> Rung:
        """The first rung walks the whole way; the others tell how far it got."""

        def look() -> Seen:
            host, seen = self._walked(target.host)
            self.probes[target.column] = (host, seen)
            return reach.dns(host, seen)

        return Rung("dns", look, needs=("trust",), after=BEFORE_SHOWN, column=target.column)

    def _rung(
        self, target: Target, name: str, look: Callable[[reach.Host, Probe], Seen], needs: tuple[str, ...]
    ) -> Rung:
        return Rung(name, lambda: look(*self.probes[target.column]), needs=needs, column=target.column)

    def _tcp(self, host: reach.Host, seen: Probe) -> Seen:
        told = reach.tcp(host, seen)
        if told.outcome is not Outcome.OK or seen.receipt is None:
            return told
        return noticed(
            told, accidents.detour(host.via.host if host.via else host.origin.host, seen.receipt.tried, lang=self._lang)
        )

    def _tls(self, host: reach.Host, seen: Probe) -> Seen:
        return reach.tls(host, seen, lang=self._lang)

    def _pushed(self, host: reach.Host, seen: Probe) -> Seen:
        told, identity = reach.pushed(host, seen), self._own.shown
        if not host.shown or identity is None or seen.receipt is None:
            return told
        return noticed(told, accidents.client_chain(identity, sent=seen.receipt.sent, lang=self._lang))

    def _server_chain(self, host: reach.Host, seen: Probe) -> Seen:
        told = reach.server_chain(host, seen)
        if told.outcome is not Outcome.OK or seen.receipt is None:
            return told
        roots, lend = self._own.anchors(host.anchors), load_intermediates(self._network.lend_intermediates)
        received = seen.receipt.received
        return noticed(told, accidents.server_chain(host.label, received, roots, lend=lend, lang=self._lang))

    def _walked(self, host: reach.Host) -> tuple[reach.Host, Probe]:
        network = self._network
        known = replace(host, via=via(network, host.origin), wide=is_wide(network, host.origin))
        seen = self._probed(known)
        if known.wide:
            strictly = replace(known, wide=False)
            known = replace(known, needs_wide=accidents.needs_old_suites(seen, lambda: self._probed(strictly)))
        return known, seen

    def _probed(self, host: reach.Host) -> Probe:
        return probe(
            host.origin,
            self._own.shown if host.shown else None,
            self._own.anchors(host.anchors),
            via=host.via,
            timeout=self._network.connect_timeout,
            lend=load_intermediates(self._network.lend_intermediates),
            wide_tls12=host.wide,
        )


def _is_address(host: str) -> bool:
    """Tell whether a host is written as an IP address, which is never sent as a server name (RFC 6066 section 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refused(seen: Probe) -> str:
    if isinstance(seen.error, ServerNotTrustedError):
        return "theirs"
    return "ours" if isinstance(seen.error, ClientRejectedError) and seen.requested else ""


def via(network: NetworkSettings, origin: Origin) -> Via | None:
    """Give the proxy on the way to a host, or None for a direct connection.

    Raises:
        ConfigurationError: the proxy's password cannot be read, or the environment names one that cannot be used.
    """
    proxy = Proxy.from_settings(network)
    if proxy is None or not proxy.serves(origin.host):
        return None
    parts = urlsplit(proxy.url)
    return Via(str(parts.hostname), parts.port or _HTTP_PORT, proxy.authorization)


def is_wide(network: NetworkSettings, origin: Origin) -> bool:
    """Tell whether the settings accept a host's older TLS 1.2 suites."""
    return origin.host in {name.lower() for name in network.wide_tls12_hosts}


def _before_tls(host: reach.Host) -> tuple[str, ...]:
    """A handshake that shows our certificate waits for its verdict; one that does not, needs the port alone."""
    return ("trust", *BEFORE_SHOWN, "tcp") if host.shown else ("tcp",)
