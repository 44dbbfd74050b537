"""Search all regions with one question: take rows as the regions answer, then ask what became of each region.

Without settings it searches in a simulator of its own. With ``ROR_SANTE_CONFIG=ror-sante.toml`` in the environment it
searches in the place that this file describes: through the national ROR, or at the endpoints of [inter_ror.regions].
"""

from __future__ import annotations

from where import settings

from ror_sante import InterRorClient

with settings() as found, InterRorClient.from_settings(found) as ror:
    with ror.search("HealthcareService", {"_count": "20"}, max_results=3, region_timeout=30, deadline=60) as search:
        for row in search:  # the quick regions come first
            print(f"{' '.join(row.regions):>5}  {row.resource['name']}")

    # The same account is there when regions were late, refused or failed: their rows are missing, and it says so.
    for region in search.account:
        if region.outcome != "answered":
            print(f"{region.name}: {region.outcome} ({region.reason}), {region.message} {region.hint}")
    answered = sum(region.outcome == "answered" for region in search.account)
    print(f"{answered} of {len(search.account.regions)} regions answered, {search.account.rows} rows")
