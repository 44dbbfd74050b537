"""A stand-in for the services on loopback: real TLS, tokens, FHIR, extractions, and faults on request."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import weakref
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ror_sante.api.inter_ror.regions import chosen
from ror_sante.environments import Coding, Environment
from ror_sante.errors import ConfigurationError
from ror_sante.simulator import regions
from ror_sante.simulator.annuaire import Annuaire
from ror_sante.simulator.clock import SimulatorClock
from ror_sante.simulator.config_folder import write_folder
from ror_sante.simulator.data import Directory
from ror_sante.simulator.evolution import evolved
from ror_sante.simulator.extraction import EXTRACTION_PATH, ExtractionService
from ror_sante.simulator.faults.fault import At, Place, Scene
from ror_sante.simulator.faults.queue import FaultQueue
from ror_sante.simulator.fhir import CAPACITY_PATH, DIFFUSION_PATH, FhirService
from ror_sante.simulator.gateway import API_KEY, GATEWAY_PATH, GatewayService
from ror_sante.simulator.listener import PATIENCE
from ror_sante.simulator.messages import HTML, Call, Peer, Reply, RequestSeen, Service
from ror_sante.simulator.pki import SimulatorPki
from ror_sante.simulator.ports import Ports, mutual_tls, public_tls, tls_per_path
from ror_sante.simulator.regions import Regions
from ror_sante.simulator.tokens import TOKEN_PATH, Account, TokenService
from ror_sante.simulator.variants import Variants
from ror_sante.sync.files import write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike
    from types import TracebackType
    from typing import Self

    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.simulator.templates import Issued

__all__ = ["Account", "RequestSeen", "Simulator", "Variants"]

CLIENT_ID: Final = "simulateur-client"
# Codes and OIDs of the published examples (page "consommation-api").
PROFILE: Final = Coding("CU22", "1.2.250.1.213.1.6.1.66")
ROLE: Final = Coding("AUTOMATE", "1.2.250.1.213.1.1.4.6")

_PLACES: Final[dict[Service, Place]] = {"ror": "fhir", "extraction": "extraction", "gateway": "gateway"}
_SEEN: Final = 1000  # requests and refused handshakes that are remembered
_LAST_PORT: Final = 65_533  # the two ports after it are those of the Annuaire Santé
_SMALL: Final = 1000  # bytes; less is not worth compressing


class Simulator:
    """The services on ``https://localhost``: a context manager, or `start` and `stop`.

    Example::

        with Simulator() as simulator:
            print(simulator.url)

    Args:
        pki: who is trusted, and who issues; None makes a new tree.
        port: of the ROR; the next two are those of the extractions and of the FHIR gateway of the Annuaire Santé.
            0 takes free ones.
        size: how many HealthcareService there are, beside thousands of other records.
        seed: another seed gives other records.
        variants: what the documents leave open about the real service.
        accounts: further OAuth 2 clients, beside `client_id`.
        server: the server's own certificate; None issues a good one for localhost.
        crl: revocation lists in PEM that client certificates are checked against; None takes those of a loaded tree.
        patience: seconds that a client may be silent before its connection is closed.

    Raises:
        ConfigurationError: a port out of range, a negative size.
    """

    def __init__(
        self,
        pki: SimulatorPki | None = None,
        *,
        port: int = 0,
        size: int = 5000,
        seed: int = 1,
        variants: Variants | None = None,
        accounts: Iterable[Account] = (),
        server: Issued | None = None,
        crl: bytes | None = None,
        patience: float = PATIENCE,
    ) -> None:
        if not 0 <= port <= _LAST_PORT:
            raise ConfigurationError(f"port {port} is not between 0 and {_LAST_PORT}", hint="0 takes a free one.")
        self.pki = pki or SimulatorPki.create()
        self.client_id = CLIENT_ID
        self.profile = PROFILE
        self.role = ROLE
        self.api_key = API_KEY
        self.variants = variants or Variants()
        self._first = Directory(size, seed)
        self.clock = SimulatorClock()
        self._client = self.pki.client()
        self._identity: ClientIdentity | None = None
        self._server = server or self.pki.server()
        self._crl = self.pki.published_crl if crl is None else crl
        self._folder: Path | None = None
        self._faults = FaultQueue()
        self._requests: deque[RequestSeen] = deque(maxlen=_SEEN)
        self._refused: deque[str] = deque(maxlen=_SEEN)
        self._received_chain: tuple[str, ...] = ()
        own = Account(self.client_id, subject_dn=self._client.certificate.subject.rfc4514_string())
        self._tokens = TokenService(
            (own, *accounts),
            now=self.clock.now,
            issuer=lambda: self.url + TOKEN_PATH.partition("/protocol")[0],
            life=self.variants.token_life,
            expires_in=self.variants.expires_in,
            bound=self.variants.bound_tokens,
        )
        self._fhir = FhirService(self._first, self._tokens, self.variants, now=self.clock.now, origin=lambda: self.url)
        self._regions = Regions(self._tokens, self.variants, seed=seed, now=self.clock.now, origin=lambda: self.url)
        self._extraction = ExtractionService(self.variants, seed=seed, now=self.clock.now)
        self._gateway = GatewayService(
            Annuaire(size, seed), now=self.clock.now, origin=lambda: self.gateway_url, life=self.variants.page_life
        )
        self._ports = self._open(port, patience)

    def __repr__(self) -> str:
        return f"<Simulator {self.url}>" if self.running else "<Simulator, not running>"

    def register(self, identity: ClientIdentity) -> None:
        """Let another certificate ask for tokens as `client_id`, as ANS does with the subject DN it is sent."""
        self._tokens.register(Account(self.client_id, subject_dn=identity.certificate.subject.rfc4514_string()))

    # -------------------------------------------------------------- life

    def start(self) -> Self:
        """Listen; the first answer is ready at once.

        Raises:
            ConfigurationError: it already runs, or a port is taken.
        """
        if self.running:
            raise ConfigurationError("the simulator already runs")
        self._ports.start()
        self._root_file("root.pem")
        return self

    def stop(self) -> None:
        """Close the ports and every connection; does nothing when it does not run."""
        if self.running:
            self._ports.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._ports.running

    def reset(self) -> None:
        """Forget faults, requests, tokens, searches, exports, the moved clock and new data; certificates stay."""
        self._fhir.directory = self._first
        self._faults.clear()
        self._requests.clear()
        self._refused.clear()
        self._received_chain = ()
        self._tokens.reset()
        self._fhir.reset()
        self._regions.reset()
        self._extraction.reset()
        self._gateway.reset()
        self.clock.reset()

    # -------------------------------------------------------------- how to reach it

    @property
    def url(self) -> str:
        """Scheme, host and port.

        Raises:
            ConfigurationError: it does not run.
        """
        return self._ports.origin("ror")

    @property
    def extraction_url(self) -> str:
        """Scheme, host and port of the extractions of the Annuaire Santé; raises as `url`."""
        return self._ports.origin("extraction")

    @property
    def gateway_url(self) -> str:
        """Scheme, host and port of the FHIR gateway of the Annuaire Santé; raises as `url`."""
        return self._ports.origin("gateway")

    @property
    def environment(self) -> Environment:
        """The place, as clients take it; its roots lie in temporary files for as long as this object lives."""
        return Environment(
            name="simulator",
            token_url=self.url + TOKEN_PATH,
            api_url=self.url,
            diffusion_path=DIFFUSION_PATH,
            annuaire_download_url=self.extraction_url + EXTRACTION_PATH,
            annuaire_fhir_url=self.gateway_url + GATEWAY_PATH,
            anchors=(str(self._root_file("root.pem")),),
            annuaire_fhir_anchors=(str(self._root_file("web-root.pem")),),
        )

    @property
    def api_key_file(self) -> Path:
        """A file with `api_key`, as settings name it; it lies beside the roots."""
        return self._root_file("api.key")

    @property
    def anchor(self) -> TrustAnchor:
        """The root that its certificate ends at."""
        return self.pki.anchor

    @property
    def identity(self) -> ClientIdentity:
        """A client certificate that it knows."""
        if self._identity is None:
            self._identity = self.pki.identity(self._client)
        return self._identity

    def write_config(self, folder: str | PathLike[str], *, regions: str | Iterable[str] = ()) -> Path:
        """Write a folder that points any client here: ``ror-sante.toml``, P12, PEM files, ``simulator.env``.

        Args:
            folder: where; made when missing, closed to others, files in it replaced.
            regions: names or codes of the regions that the inter-ROR search asks at their own endpoints, or ``all``;
                the others are asked through the national service.

        Returns:
            The settings file, for ``--config`` or `ror_sante.settings.load_settings`.

        Raises:
            ConfigurationError: it does not run, or a file cannot be written.
        """
        return write_folder(Path(folder), self, self._client, chosen(regions) if regions else ())

    # -------------------------------------------------------------- what a test sets and sees

    def fault(
        self,
        name: str,
        times: int | None = 1,
        *,
        at: At | None = None,
        seconds: float | None = None,
        region: str | None = None,
    ) -> None:
        """Let the next answers fail in a named way; faults strike in the order in which they were asked for.

        Args:
            name: one of `ror_sante.simulator.faults.catalogue.FAULTS`.
            times: how many answers; None for every one until `reset`.
            at: strike at the token endpoint, at the FHIR service, there at one step of an export alone, at the
                extractions or at the gateway of the Annuaire Santé; None is where the fault belongs.
            seconds: the length of ``slow`` and ``drip``.
            region: strike at the endpoint of this region alone, and there at the token endpoint or the FHIR service.

        Raises:
            ConfigurationError: an unknown name, or arguments that make no sense.
        """
        if region is None:
            self._faults.add(name, times, at=at, seconds=seconds)
        else:
            self._regions.fault(region, name, times, at=at, seconds=seconds)

    def region(
        self, region: str, *, size: int | None = None, delay: float | None = None, shared: int = 0
    ) -> tuple[str, str]:
        """Change the endpoint of a region, until `reset`, and tell where it is.

        Each region has 200 HealthcareService of its own at first, and answers at once.

        Args:
            region: its name or INSEE code.
            size: how many HealthcareService there are; None leaves them.
            delay: seconds before each answer of its FHIR service; None leaves it.
            shared: how many of these bear the same national identifier in every region that shares them.

        Returns:
            Its FHIR base and its token endpoint; the national one serves it too.

        Raises:
            ConfigurationError: no such region, a negative number, or the simulator does not run.
        """
        self._regions.change(region, size=size, delay=delay, shared=shared)
        return self._regions.url(region), self._regions.token_url(region)

    @property
    def requests(self) -> list[RequestSeen]:
        """The requests that were answered, oldest first; the last thousand."""
        return list(self._requests)

    @property
    def refused(self) -> list[str]:
        """OpenSSL's reasons for the handshakes that failed, oldest first; the last thousand."""
        return list(self._refused)

    @property
    def received_chain(self) -> tuple[str, ...]:
        """The CNs of the certificates that a client pushed last, its own first."""
        return self._received_chain

    @property
    def directory(self) -> Directory:
        """The records as they are now."""
        return self._fhir.directory

    def renew(self, *, size: int | None = None, seed: int | None = None) -> None:
        """Let the directory change, as time would: exports that have begun keep the data of their start.

        Args:
            size: how many HealthcareService there are from now on; with fewer of them, the last ones vanish.
            seed: another seed gives other content under the same ids; None keeps it.
        """
        now = self.directory
        self._fhir.directory = Directory(now.size if size is None else size, now.seed if seed is None else seed)

    def evolve(self, edited: Mapping[str, int], gone: Mapping[str, int] | None = None) -> None:
        """Let records be edited or vanish now, by the simulator's clock; which ones, the seed says.

        An edited record has another name and a new ``lastUpdated``; what refers to it keeps its own. Exports that have
        begun keep the data of their start.

        Args:
            edited: how many records of each type, such as ``{"HealthcareService": 3, "Organization": 1}``.
            gone: how many records of each type vanish.

        Raises:
            ConfigurationError: no such type, or more records than there are.
        """
        at = int(self.clock.now().timestamp())
        self._fhir.directory = evolved(self.directory, at=at, edited=edited, gone=gone or {})

    @property
    def annuaire(self) -> Annuaire:
        """The records of the Annuaire Santé as they are now."""
        return self._gateway.annuaire

    def change_annuaire(
        self, edited: Mapping[str, int] | None = None, deactivated: Mapping[str, int] | None = None
    ) -> None:
        """Let records of the Annuaire Santé be edited or deactivated now; which ones, the seed says.

        Searches that have begun keep the data of their first page.

        Args:
            edited: how many records of each type, such as ``{"Practitioner": 3}``.
            deactivated: how many records of each type become ``active=false`` and lose most of what they said.

        Raises:
            ConfigurationError: no such type, or more records than there are.
        """
        self._gateway.change(dict(edited or {}), dict(deactivated or {}))

    # -------------------------------------------------------------- answering

    def _met(self, peer: Peer) -> None:
        self._received_chain = peer.pushed

    def _answer(self, service: Service, call: Call) -> Reply:
        """Give the good reply, or what a fault makes of it, and remember the request."""
        regional = service == "ror" and call.path.startswith(regions.PREFIX)
        reply = self._compressed(self._regions.answer(call) if regional else self._struck(service, call), call)
        status = reply.status if reply.delivery.cut in ("", "half") else 0
        self._requests.append(
            RequestSeen(call.method, call.path, call.query, call.headers, status, call.peer.subject_dn, service)
        )
        return reply

    def _struck(self, service: Service, call: Call) -> Reply:
        place = "token" if (service, call.path) == ("ror", TOKEN_PATH) else _PLACES[service]
        scene = Scene(self._good(place, call), call, self.clock.now(), self._ports.origin(service), self._tokens.revoke)
        return self._faults.strike(place, scene)

    def _good(self, place: Place, call: Call) -> Reply:
        match place:
            case "token":
                return self._tokens.answer(call)
            case "extraction":
                return self._extraction.answer(call)
            case "gateway":
                return self._gateway.answer(call)
        return self._route(call)

    def _route(self, call: Call) -> Reply:
        service = "/" + call.path.split("/")[1]
        if service in (DIFFUSION_PATH, CAPACITY_PATH):
            return self._fhir.answer(call)
        page = b"<html><body><h1>404</h1><p>ror-sante-simulator</p></body></html>"
        return Reply(404, page, HTML)

    def _compressed(self, reply: Reply, call: Call) -> Reply:
        wanted = self.variants.gzip and "gzip" in call.headers.get("accept-encoding", "")
        if not wanted or any(name == "Content-Encoding" for name, _ in reply.headers):
            return reply
        body = reply.payload
        if len(body) < _SMALL:
            return reply
        headers = (*reply.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
        return replace(reply, body=gzip.compress(body, compresslevel=1, mtime=0), headers=headers)

    # -------------------------------------------------------------- TLS

    def _open(self, port: int, patience: float) -> Ports:
        root, web = self.pki.root.certificate, self.pki.web.server(key=self._server.key)
        return Ports(
            {
                "ror": mutual_tls(self._server, root, self._crl),
                "extraction": tls_per_path(self._server, root, self._crl),
                "gateway": public_tls(web),
            },
            self._answer,
            asks=self._extraction.asks,
            away=self._regions.away,
            port=port,
            now=self.clock.now,
            patience=patience,
            met=self._met,
            refused=self._refused.append,
        )

    def _root_file(self, name: str) -> Path:
        """Give a root or the API key as a file, which settings name; gone with this object, or with the process."""
        if self._folder is None or not self._folder.is_dir():
            self._folder = Path(tempfile.mkdtemp(prefix="ror-sante-simulator-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            write_private(self._folder / "root.pem", self.pki.root_pem())
            write_private(self._folder / "web-root.pem", self.pki.web.root_pem())
            write_private(self._folder / "api.key", f"{self.api_key}\n".encode())
        return self._folder / name
