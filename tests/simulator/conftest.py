"""A small HTTPS client of the tests' own, so that the simulator is not judged by the client it serves."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ror_sante.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ror_sante.simulator.pki import Issued, SimulatorPki

TOKEN_PATH = "/auth/realms/ror/protocol/openid-connect/token"
BASE = "/ws-diffusion-fhir"
ROR_HEADERS = {
    "Ror-Profil-Utilisateur-Code": "CU22",
    "Ror-Profil-Utilisateur-System": "1.2.250.1.213.1.6.1.66",
    "Ror-Role-Metier-Code": "AUTOMATE",
    "Ror-Role-Metier-System": "1.2.250.1.213.1.1.4.6",
}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def issue(self) -> dict[str, Any]:
        """The one issue of an OperationOutcome."""
        assert self.json["resourceType"] == "OperationOutcome"
        (issue,) = self.json["issue"]
        return issue

    @property
    def next(self) -> str | None:
        return next((link["url"] for link in self.json["link"] if link["relation"] == "next"), None)

    @property
    def ids(self) -> list[str]:
        """Type and id of each entry."""
        resources = [entry["resource"] for entry in self.json.get("entry", ())]
        return [f"{resource['resourceType']}/{resource['id']}" for resource in resources]


class Caller:
    """A client on one connection, which it opens when needed and keeps."""

    def __init__(self, simulator: Simulator, context: ssl.SSLContext) -> None:
        self.simulator = simulator
        port = urlsplit(simulator.url).port
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
        self._token = ""

    def send(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
        self.connection.request(method, path, body=body, headers=headers or {})
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def ask_token(self, **form: str) -> Answer:
        form = {"grant_type": "client_credentials", "client_id": self.simulator.client_id} | form
        return self.post_form({name: value for name, value in form.items() if value})

    def post_form(self, form: dict[str, str] | list[tuple[str, str]]) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", TOKEN_PATH, headers, urlencode(form).encode())

    @property
    def token(self) -> str:
        if not self._token:
            self._token = self.ask_token().json["access_token"]
        return self._token

    @property
    def headers(self) -> dict[str, str]:
        return ROR_HEADERS | {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, *params: tuple[str, str]) -> Answer:
        """GET below the FHIR base, with everything that it takes."""
        return self.follow(f"{BASE}/{path}" + (f"?{urlencode(params)}" if params else ""))

    def follow(self, url: str) -> Answer:
        """GET an address, on this connection whatever host it names."""
        parts = urlsplit(url)
        return self.send("GET", parts.path + (f"?{parts.query}" if parts.query else ""), self.headers)

    def close(self) -> None:
        self.connection.close()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory, ror_pki: SimulatorPki) -> Callable[..., ssl.SSLContext]:
    """Make a client's TLS context: which certificate (None for none), with or without its intermediate."""
    good = ror_pki.client()

    def make(
        issued: Issued | None = good,
        *,
        chain: bool = True,
        root: SimulatorPki = ror_pki,
        version: ssl.TLSVersion | None = None,
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=root.anchor.der)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if issued is not None:
            path: Path = tmp_path_factory.mktemp("client") / "client.pem"
            pem = issued.pem_chain() if chain else issued.certificate.public_bytes(Encoding.PEM)
            path.write_bytes(pem + issued.key_pem())
            context.load_cert_chain(path)
        return context

    return make


@pytest.fixture
def run(ror_pki: SimulatorPki) -> Iterator[Callable[..., Simulator]]:
    """Start a simulator of one's own; the arguments are `Simulator`'s."""
    started: list[Simulator] = []

    def start(pki: SimulatorPki = ror_pki, *, size: int = 40, **options: Any) -> Simulator:
        started.append(Simulator(pki, size=size, **options).start())
        return started[-1]

    yield start
    for simulator in started:
        simulator.stop()


@pytest.fixture
def call(tls: Callable[..., ssl.SSLContext]) -> Iterator[Callable[..., Caller]]:
    """Make a client of a simulator; further arguments are those of `tls`."""
    made: list[Caller] = []

    def make(simulator: Simulator, *args: Any, **how: Any) -> Caller:
        made.append(Caller(simulator, tls(*args, **how)))
        return made[-1]

    yield make
    for caller in made:
        caller.close()


@pytest.fixture
def caller(ror_simulator: Simulator, call: Callable[..., Caller]) -> Caller:
    """A client of the simulator of the session."""
    return call(ror_simulator)
