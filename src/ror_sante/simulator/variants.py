"""What the documents leave open about the real service, as switches of the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ror_sante.simulator.messages import ExpressionShape


@dataclass(frozen=True, kw_only=True)
class Variants:
    """One plausible form of the service; the defaults are what we think likeliest.

    Attributes:
        next_links: ``getpages`` as HAPI FHIR writes them (``?_getpages=...`` on the service), or an ``opaque`` path.
        total: of a result above the cap, ``true`` shows how many there are, ``capped`` stops at 10 000.
        page_life: seconds that a ``next`` link is good for.
        token_life: seconds that a token is good for.
        expires_in: the token answer says so, and not the JWT's ``exp`` alone.
        bound_tokens: a token is good with the certificate that it was asked with, and with no other.
        link_origin: scheme and host written into ``fullUrl`` and ``next``; None writes the ones that answer.
        expression: of an OperationOutcome, a ``list`` as FHIR wants, or the ``text`` that was seen.
        gzip: compress answers for clients that accept it.
        export_files: a file of an export is a ``bundle``, or one resource a line (``ndjson``).
        export_slice: care services in one file of an export; what is linked to them is in the same file.
        export_polls: how often a job says that it still runs.
        export_wait: seconds that it asks to wait, in ``Retry-After``.
        export_life: seconds that a job and its files are good for.
        export_cancel: a job can be deleted.
        extraction_rows: rows of the first text of each extraction of the Annuaire Santé.
        extraction_ranges: a download can start in the middle (``Accept-Ranges: bytes``).
        extraction_validator: what tells one file of the same name from another: an ``etag``, a ``date``, or ``none``.
        manifest: ``full`` as Bulk Data describes it, or ``bare``: the addresses of the files and nothing else.
    """

    next_links: Literal["getpages", "opaque"] = "getpages"
    total: Literal["true", "capped"] = "true"
    page_life: float = 300.0
    token_life: float = 300.0
    expires_in: bool = True
    bound_tokens: bool = False
    link_origin: str | None = None
    expression: ExpressionShape = "list"
    gzip: bool = False
    export_files: Literal["bundle", "ndjson"] = "bundle"
    export_slice: int = 500
    export_polls: int = 1
    export_wait: int = 1
    export_life: float = 3600.0
    export_cancel: bool = True
    manifest: Literal["full", "bare"] = "full"
    extraction_rows: int = 2000
    extraction_ranges: bool = True
    extraction_validator: Literal["etag", "date", "none"] = "etag"
