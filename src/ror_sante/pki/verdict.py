"""Rank findings, and turn the gravest into the error that stops a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ror_sante.errors import (
    Finding,
    IdentityError,
    IncompleteChainError,
    Pkcs12Error,
    RevokedError,
    Severity,
    UntrustedChainError,
    UsageError,
    ValidityError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

# The gravest first: another certificate altogether is needed, then another date, then only another file beside it.
_ERRORS: Final[dict[str, type[IdentityError]]] = {
    "ca-certificate": UsageError,
    "sign-certificate": UsageError,
    "other-family": UsageError,
    "server-certificate": UsageError,
    "no-client-auth": UsageError,
    "wrong-key-usage": UsageError,
    "revoked": RevokedError,
    "test-certificate": UntrustedChainError,
    "production-certificate": UntrustedChainError,
    "expired": ValidityError,
    "not-yet-valid": ValidityError,
    "weak-key": UsageError,
    "broken-link": UntrustedChainError,
    "untrusted-chain": UntrustedChainError,
    "incomplete-chain": IncompleteChainError,
    "intermediate-expired": ValidityError,
    "any-passphrase": Pkcs12Error,
    "unencrypted-key": Pkcs12Error,
    "ber-fallback": Pkcs12Error,
}
_RANK: Final = {code: rank for rank, code in enumerate(_ERRORS)}


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: errors before warnings, the gravest first."""
    return tuple(sorted(findings, key=lambda f: (f.severity is not Severity.ERROR, _RANK.get(f.code, len(_RANK)))))


def gravest(findings: Iterable[Finding]) -> IdentityError | None:
    """Make the error of the gravest finding, which carries them all; None when there are only warnings."""
    every = ranked(findings)
    errors = [finding for finding in every if finding.severity is Severity.ERROR]
    if not errors:
        return None
    worst, others = errors[0], len(errors) - 1
    more = f" (and {others} more finding{'s' if others > 1 else ''})" if others else ""
    kind = _ERRORS.get(worst.code, IdentityError)
    return kind(worst.message + more, hint=worst.hint, findings=every)
