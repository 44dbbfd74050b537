"""The inter-ROR search over regions."""

from __future__ import annotations

from ror_sante.api.inter_ror.account import Account, Outcome, RegionAccount
from ror_sante.api.inter_ror.client import InterRorClient
from ror_sante.api.inter_ror.fan import Limits
from ror_sante.api.inter_ror.merge import Row
from ror_sante.api.inter_ror.search import RegionalResult, RegionalSearch

__all__ = [
    "Account",
    "InterRorClient",
    "Limits",
    "Outcome",
    "RegionAccount",
    "RegionalResult",
    "RegionalSearch",
    "Row",
]
