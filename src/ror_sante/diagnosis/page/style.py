"""The look of the HTML report, and the policy that lets in nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files


@functools.cache
def style() -> str:
    """Give the style sheet: light and dark by the reader's system, and for paper."""
    return files("ror_sante.diagnosis.page").joinpath("report.css").read_text("utf-8")


@functools.cache
def policy() -> str:
    """Give the page's content security policy: its one style, named by its digest; no script, image or font."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
