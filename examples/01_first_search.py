"""Search the national ROR: open the certificate, get a token, read a first page of care services.

python 01_first_search.py                                   against the simulator
ROR_SANTE_CONFIG=ror-sante.toml python 01_first_search.py   against the place of your settings
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
