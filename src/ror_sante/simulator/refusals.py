"""Searches that a FHIR server refuses, and why."""

from __future__ import annotations


class BadSearchError(Exception):
    """A search that a FHIR server refuses.

    Attributes:
        code: the FHIR issue type.
        diagnostics: why, in French.
    """

    def __init__(self, code: str, diagnostics: str) -> None:
        super().__init__(diagnostics)
        self.code = code
        self.diagnostics = diagnostics


def bad_value(name: str, why: str) -> BadSearchError:
    """Refuse the value of a parameter."""
    return BadSearchError("invalid", f"Valeur incorrecte du paramètre « {name[:80]} » : {why}.")
