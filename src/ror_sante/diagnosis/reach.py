"""Say, step by step, how far the probes of the hosts got."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ror_sante.diagnosis.accidents import is_modern
from ror_sante.diagnosis.causes import accident
from ror_sante.diagnosis.rung import Seen, failed, noticed, ok, skipped
from ror_sante.errors import ClientRejectedError, ServerNotTrustedError

if TYPE_CHECKING:
    from ror_sante.diagnosis.causes import Lang
    from ror_sante.tls.adapter import Origin
    from ror_sante.tls.probe import Probe, Via


@dataclass(frozen=True)
class Host:
    """One server to try: the token's, the API's, or both in one.

    Attributes:
        origin: where.
        use: ``token``, ``API``, or nothing when one host does both.
        anchors: the words of its anchors.
        shown: our certificate is presented there.
        via: the proxy on the way, or None.
        wide: its older TLS 1.2 suites are accepted, by the settings.
        needs_wide: it was tried without them, and that failed.
    """

    origin: Origin
    use: str
    anchors: tuple[str, ...]
    shown: bool
    via: Via | None
    wide: bool = False
    needs_wide: bool = False

    @property
    def label(self) -> str:
        """How details name it: by its use where there are two."""
        return f"{self.use} host {self.origin.host}" if self.use else self.origin.host

    @property
    def lead(self) -> str:
        """What a detail starts with: the host where there are two, nothing where it is clear."""
        return f"{self.label}: " if self.use else ""


def dns(host: Host, probe: Probe) -> Seen:
    """The name resolves; behind a proxy, the proxy's name, since the proxy resolves the target's."""
    if probe.failed == "dns" and probe.error is not None:
        return _of_proxy(host, failed(probe.error))
    addresses = ", ".join(probe.addresses[:4])
    if host.via is not None:
        detail = f"proxy {host.via.host} is {addresses}; the proxy resolves {host.origin.host}, so that name is skipped"
    else:
        detail = f"{host.label} is {addresses}"
    return ok(detail, seconds=probe.dns_seconds)


def tcp(host: Host, probe: Probe) -> Seen:
    """The port answers; behind a proxy, the proxy's port answers and it opens a tunnel."""
    if probe.failed in ("tcp", "proxy") and probe.error is not None:
        return _of_proxy(host, failed(probe.error))
    if host.via is not None:
        where = f"proxy {host.via.host}:{host.via.port} opens a tunnel to {host.origin.host}:{host.origin.port}"
    else:
        where = f"{host.origin.host}:{host.origin.port} answers"
    return ok(where, seconds=probe.tcp_seconds)


def tls(host: Host, probe: Probe, *, lang: Lang = "en") -> Seen:
    """The handshake runs; a refusal of one side's certificate belongs to the rung of that certificate."""
    if probe.failed == "tls" and probe.error is not None:
        if isinstance(probe.error, ServerNotTrustedError):
            return skipped(f"{host.lead}we stopped the handshake, see server chain")
        if not _refuses_our_certificate(probe):
            return failed(probe.error)
        return ok(f"{host.lead}the handshake runs up to our certificate", seconds=probe.tls_seconds)
    told = f"{host.lead}{probe.version} {probe.cipher}"
    seen = ok(told, seconds=probe.tls_seconds)
    return noticed(seen, [accident(_widened(host, probe), lang=lang, host=host.origin.host)]) if host.wide else seen


def _widened(host: Host, probe: Probe) -> str:
    """A host of ``wide_tls12_hosts`` is looked at each time: the exception should not outlive its reason."""
    if host.needs_wide:
        return "needs-old-suites"
    return "old-suites-idle" if is_modern(probe) else "old-suites-not-needed"


def pushed(host: Host, probe: Probe) -> Seen:
    """What we showed of our certificate, and whether the server took it."""
    if isinstance(probe.error, ServerNotTrustedError):
        return skipped(f"{host.lead}nothing was sent to a server that is not trusted")
    told = f"{host.lead}{_pushed_told(host, probe)}"
    if probe.error is not None:
        seen = failed(probe.error)
        return replace(seen, detail=f"{seen.detail}; {told}")
    return ok(told)


def server_chain(host: Host, probe: Probe) -> Seen:
    """What the server showed, and whether it ends at a pinned root."""
    shown = " ← ".join(probe.received)
    if (
        probe.failed == "tls"
        and not isinstance(probe.error, ServerNotTrustedError)
        and not _refuses_our_certificate(probe)
    ):
        return skipped("needs tls, which failed")
    if isinstance(probe.error, ServerNotTrustedError):
        seen = failed(probe.error)
        return replace(seen, detail=f"{seen.detail}; it sent {shown}") if shown else seen
    return ok(f"{host.lead}{shown or 'its chain'} ends at a pinned root")


def _refuses_our_certificate(probe: Probe) -> bool:
    """TLS 1.2: the server judges our certificate inside the handshake, after it asked for it."""
    # None on a wire that was read: the alert came before the server showed anything, such as for want of a suite.
    asked = probe.source == "loaded" if probe.requested is None else probe.requested
    return isinstance(probe.error, ClientRejectedError) and asked


def _pushed_told(host: Host, probe: Probe) -> str:
    if not host.shown:
        return "nothing, by the settings"
    chain = " ← ".join(probe.pushed) or "no certificate"
    if probe.source == "loaded":
        return f"{chain} (loaded; the wire could not be read)"
    if probe.requested is False:
        return "nothing, the server asks for no certificate in the handshake"
    return f"{chain} (seen on the wire)"


def _of_proxy(host: Host, seen: Seen) -> Seen:
    """Say that what failed is the way to the proxy."""
    if host.via is None or "proxy" in seen.detail:
        return seen
    return replace(seen, detail=f"the proxy {host.via.host}:{host.via.port} cannot be used: {seen.detail}")
