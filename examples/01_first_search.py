"""Search the national ROR: open the certificate, get a token, read a first page of care services.

Without settings it searches in a simulator of its own. With ``ROR_SANTE_CONFIG=ror-sante.toml`` in the environment it
searches in the place that this file describes.
"""

from __future__ import annotations

from where import settings

from ror_sante import NationalRorClient

with settings() as found, NationalRorClient.from_settings(found) as ror:
    number = 0
    for service in ror.search("HealthcareService", {"_count": "10"}, max_results=10):
        print(f"{service.id:>8}  {service['name']}")
        number += 1
    print(f"{number} services")
