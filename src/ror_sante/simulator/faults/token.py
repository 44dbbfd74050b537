"""The faults of the token endpoint."""

from __future__ import annotations

from typing import Final

from ror_sante.simulator.faults.fault import Fault, maintenance
from ror_sante.simulator.messages import json_reply
from ror_sante.simulator.tokens import oauth_error, unknown_client

_NO_EXPIRY: Final = {"access_token": "jeton-sans-date", "token_type": "Bearer"}

TOKENS: Final = (
    Fault(
        "unknown-dn",
        "Status 401 with the OAuth error invalid_client: no client has this certificate's DN.",
        "token",
        lambda _: unknown_client(),
    ),
    Fault(
        "token-error",
        "Status 400 with the OAuth error unauthorized_client.",
        "token",
        lambda _: oauth_error(400, "unauthorized_client", "Client not enabled to retrieve service account"),
    ),
    Fault(
        "token-html",
        "Status 200 with the HTML page of a gateway in place of a token.",
        "token",
        lambda _: maintenance(),
    ),
    Fault(
        "token-no-expiry",
        "A token that is no JWT, and no expires_in.",
        "token",
        lambda _: json_reply(200, _NO_EXPIRY),
    ),
)
