"""Answers of a FHIR service, made by hand, and a stand-in for the exchange that gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from requests.structures import CaseInsensitiveDict

from ror_sante.api.fhir.outcome import judge
from ror_sante.errors import RorError
from ror_sante.http.exchange import Answer, Request

BASE = "https://api.example:8443/ws-diffusion-fhir"
SEARCH = f"{BASE}/HealthcareService?_count=2"


def answer(
    body: Any = b"",
    status: int = 200,
    url: str = SEARCH,
    *,
    method: str = "GET",
    media_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Make an answer; a body that is not bytes is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(
        method=method,
        url=url,
        status=status,
        headers=CaseInsensitiveDict({"Content-Type": media_type} | (headers or {})),
        body=data,
        seconds=0.0,
    )


def offer(number: int, kind: str = "HealthcareService") -> dict[str, Any]:
    return {"resourceType": kind, "id": str(number), "name": f"Offre {number}"}


def entry(resource: dict[str, Any], mode: str | None = "match") -> dict[str, Any]:
    return {"resource": resource} | ({} if mode is None else {"search": {"mode": mode}})


def page(entries: Iterable[dict[str, Any]], *, total: Any = None, following: str | None = None) -> dict[str, Any]:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "entry": list(entries)}
    if total is not None:
        bundle["total"] = total
    if following is not None:
        bundle["link"] = [{"relation": "next", "url": following}]
    return bundle


def outcome(code: str = "invalid", diagnostics: str = "Paramètre inconnu", **more: Any) -> dict[str, Any]:
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics} | more
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def numbered(count: int, size: int, *, total: Any = "count") -> Callable[[str], Answer]:
    """Give a service with `count` offers, `size` a page, whose links say ``_page=N``."""

    def fetch(url: str) -> Answer:
        number = int(parse_qs(urlsplit(url).query).get("_page", ["0"])[0])
        first, last = number * size, min(count, (number + 1) * size)
        following = f"{BASE}?_page={number + 1}" if last < count else None
        entries = [entry(offer(n)) for n in range(first, last)]
        return answer(page(entries, total=count if total == "count" else total, following=following), url=url)

    return fetch


class FakeExchange:
    """Gives the answers of a service and judges them, as the exchange does; remembers what was asked."""

    def __init__(self, service: Callable[[str], Answer]) -> None:
        self.service = service
        self.seen: list[Request] = []

    def send(self, request: Request, **_within: float) -> Answer:
        self.seen.append(request)
        given = self.service(request.url)
        error: RorError | None = judge(given)
        if error is not None:
            raise error
        return given
