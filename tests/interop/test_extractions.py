"""Extractions from real servers: Apache httpd asks for the certificate per path, nginx in the handshake."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ror_sante.api.annuaire.extractions import ExtractionClient
from ror_sante.api.annuaire.naming import Names
from ror_sante.environments import Environment
from ror_sante.errors import ClientRejectedError
from ror_sante.http.retry import RetryPolicy
from ror_sante.simulator.extraction_data import write_extraction
from ror_sante.sync.annuaire.download import download
from ror_sante.sync.annuaire.partial import Partial
from tests.interop.frontends import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.pki.identity import ClientIdentity
    from tests.interop.conftest import Place
    from tests.interop.frontends import Running

OPEN, RESTRICTED = "Porteurs_CPS_CPF", "Extraction_ProSanteConnect"
OLD = 1_700_000_000
ONCE = RetryPolicy.none()


@pytest.fixture
def served(folder: Path) -> Iterator[bytes]:
    """Put two extractions where the servers find them; give the bytes of each, which are the same."""
    places = [folder / "documents" / path for path in ("extraction", "private/extraction")]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        for name in (OPEN, RESTRICTED):
            with (place / name).open("wb") as file:
                write_extraction(file, RESTRICTED, VERSION, rows=2000)
            # What changed a moment ago has a weak ETag, and no range (RFC 9110 section 8.8.2.2).
            os.utime(place / name, (OLD, OLD))
    yield (places[0] / OPEN).read_bytes()
    for place in places:
        shutil.rmtree(place)


def client_of(base: str, folder: Path, identity: ClientIdentity | None, names: Names | None = None) -> ExtractionClient:
    environment = Environment(
        name="bench", token_url=base, api_url=base, annuaire_download_url=base, anchors=(str(folder / "root.pem"),)
    )
    return ExtractionClient(environment, identity, names=names, retry=ONCE)


@pytest.mark.parametrize("listener", ["path12", "path13"])
def test_apache_gives_open_names_to_anybody_and_restricted_ones_to_us(
    apache: Running, folder: Path, identity: ClientIdentity, served: bytes, tmp_path: Path, listener: str
) -> None:
    """The certificate is asked for in the middle of a connection: a renegotiation in TLS 1.2, later in TLS 1.3."""
    url = apache.url(listener)
    with client_of(f"{url}/extraction", folder, None) as anybody:
        opened = download(anybody, OPEN, tmp_path / "open")
    with client_of(f"{url}/private/extraction", folder, identity) as ours:
        restricted = download(ours, RESTRICTED, tmp_path / "restricted")
        again = download(ours, RESTRICTED, tmp_path / "restricted")
    assert [found.outcome for found in (opened, restricted, again)] == ["fetched", "fetched", "unchanged"]
    assert opened.path is not None
    assert restricted.path is not None
    assert opened.path.read_bytes() == restricted.path.read_bytes() == served


@pytest.mark.parametrize("listener", ["path12", "path13"])
def test_apache_refuses_a_restricted_name_without_certificate(
    apache: Running, folder: Path, served: bytes, tmp_path: Path, listener: str
) -> None:
    """Called open, and so asked for without one: the sentence names the extraction."""
    names = Names.known_and([RESTRICTED])
    with (
        client_of(f"{apache.url(listener)}/private/extraction", folder, None, names) as client,
        pytest.raises(ClientRejectedError, match=f"^{RESTRICTED} is for holders of a certificate, and none was shown"),
    ):
        download(client, RESTRICTED, tmp_path)


def test_nginx_refuses_it_by_a_page(nginx: Running, folder: Path, served: bytes, tmp_path: Path) -> None:
    """Nginx says it in HTML, status 400: the same sentence."""
    names = Names.known_and([RESTRICTED])
    with (
        client_of(f"{nginx.url('tls13')}/extraction", folder, None, names) as client,
        pytest.raises(ClientRejectedError, match=f"^{RESTRICTED} is for holders of a certificate, and none was shown"),
    ):
        download(client, RESTRICTED, tmp_path)


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_real_servers_go_on_where_it_stopped(
    request: pytest.FixtureRequest, folder: Path, identity: ClientIdentity, served: bytes, tmp_path: Path, kind: str
) -> None:
    """Their ETag stands in If-Range: 206, no byte comes twice, and the whole is right."""
    running: Running = request.getfixturevalue(kind)
    with client_of(f"{running.url('tls13')}/extraction", folder, identity) as client:
        offer = client.offer(RESTRICTED)
        assert (offer.version, offer.size, offer.ranges) == (VERSION, len(served), True)
        partial = Partial(tmp_path, offer)
        partial.write(served[:1000])
        assert partial.rest() == {"Range": "bytes=1000-", "If-Range": offer.validator}
        partial.keep()
        pieces: list[int] = []
        going_on = Partial(tmp_path, offer, received=pieces.append)
        assert client.pour(offer, going_on, rest=going_on.rest)
        going_on.settle()
        assert going_on.path.read_bytes() == served
        assert min(pieces) > 0
        going_on.discard()


def test_any_sound_front_end_serves_extractions(
    place: Place, folder: Path, identity: ClientIdentity, served: bytes, tmp_path: Path
) -> None:
    """Nginx and Apache under both versions of TLS; HAProxy has no files to serve."""
    if place.kind == "haproxy":
        return
    with client_of(f"{place.url}/extraction", folder, identity) as client:
        found = download(client, RESTRICTED, tmp_path / "out")
    assert found.path is not None
    assert found.path.read_bytes() == served
