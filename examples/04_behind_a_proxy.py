"""Go through the HTTP proxy of a hospital network.

A proxy is named; the environment's HTTPS_PROXY is not read unless you ask for it. The proxy only opens a tunnel:
TLS, with both certificates, runs through it from end to end. In a settings file this is `[network] proxy = "http://..."`.
"""

from __future__ import annotations

import msgspec
from connect_proxy import connect_proxy
from where import settings

from ror_sante import NationalRorClient
from ror_sante.settings import NetworkSettings

with settings() as found, connect_proxy() as proxy:
    through = msgspec.structs.replace(found, network=NetworkSettings(proxy=proxy.url))
    with NationalRorClient.from_settings(through) as ror:
        print("FHIR", ror.metadata()["fhirVersion"], "answers")
    print("the proxy saw:", *sorted(set(proxy.tunnels)), sep="\n  ")
