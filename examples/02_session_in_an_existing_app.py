"""Hand a session to code that was written for plain requests.

`count_organizations` stands for an application that you already have: it takes any `requests.Session`. What changes
is where the session comes from: this one speaks mutual TLS with two hosts, and refuses every other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from where import settings

from ror_sante import ClientIdentity, ConfigurationError, SessionFactory
from ror_sante.pki.anchor import load_anchors

if TYPE_CHECKING:
    import requests


def count_organizations(session: requests.Session, base: str, headers: dict[str, str]) -> int:
    """Ask for one organization, and read how many there are."""
    answer = session.get(f"{base}/Organization", params={"_count": "1"}, headers=headers, timeout=30)
    answer.raise_for_status()
    return int(answer.json()["total"])


with settings() as found:
    place = found.resolve_environment()
    identity = ClientIdentity.from_settings(found.identity_for("rorn"))
    session = SessionFactory(identity, load_anchors(place.anchors)).session(place.token_url, place.api_url)

    grant = {"grant_type": "client_credentials", "client_id": found.rorn.client_id}
    token = session.post(place.token_url, data=grant, timeout=30).json()["access_token"]
    profile, role = found.rorn.profile, found.rorn.role
    headers = {
        "Authorization": f"Bearer {token}",
        "Ror-Profil-Utilisateur-Code": profile.code,
        "Ror-Profil-Utilisateur-System": profile.system,
        "Ror-Role-Metier-Code": role.code,
        "Ror-Role-Metier-System": role.system,
    }
    print(count_organizations(session, place.fhir_base, headers), "organizations")

    try:
        session.get("https://elsewhere.example/", timeout=30)
    except ConfigurationError as refusal:
        print("refused:", refusal)
