"""Say what works, what does not, and why."""

from ror_sante.diagnosis.causes import Cause
from ror_sante.diagnosis.reasoning import diagnose

__all__ = ["Cause", "diagnose"]
