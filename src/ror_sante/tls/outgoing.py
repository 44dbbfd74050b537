"""One request on its way out, whose headers and body no traceback's locals show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ror_sante.errors import masked_url

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """What is sent, exactly as it stands.

    Attributes:
        method: the HTTP method.
        url: the whole address, percent-encoded.
        headers: every header but ``Host``; a token may be among them.
        body: sent as it is, or None.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"<Outgoing {self.method} {masked_url(self.url)}>"
